package amqp

import (
	"encoding/binary"
	"log/slog"
	"math"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

const (
	batch   = 256     // messages that are fetched at once
	enough  = 1 << 16 // bytes that are worth writing
	forever = time.Duration(math.MaxInt64)
)

// An output is what is written at once.
type output struct {
	frames   []byte
	consumer *fake.Consumer // of which the messages with these tags are settled then
	settled  []uint64
	wait     time.Duration // until there may be more
	last     bool
}

// write writes until the connection ends.
func (c *conn) write() {
	timer := time.NewTimer(forever)
	defer timer.Stop()
	var spare []byte
	for at := time.Now(); ; {
		o := c.fill(spare[:0], at)
		if len(o.frames) > 0 {
			at = time.Now()
			if c.flush(&o) != nil {
				_ = c.nc.Close() // the reading goroutine need not wait for a client that is gone
				return
			}
		}
		spare = o.frames
		if o.last {
			c.hangUp()
			return
		}
		timer.Reset(o.wait)
		select {
		case <-c.nudged:
		case <-timer.C:
		case <-c.over:
			return
		}
	}
}

func (c *conn) flush(o *output) error {
	_ = c.nc.SetWriteDeadline(time.Now().Add(stuck))
	if _, err := c.nc.Write(o.frames); err != nil {
		return err
	}
	if len(o.settled) > 0 {
		_ = o.consumer.Settle(o.settled...) // the next fetch tells if it was closed
	}
	return nil
}

// hangUp tells the client that nothing more comes, where that can be told.
func (c *conn) hangUp() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// fill takes what there is to write, messages included, and leaves spare for what comes next. at is when something was
// written last.
func (c *conn) fill(spare []byte, at time.Time) output {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := output{wait: c.pump(), last: c.ending}
	if c.heartbeat > 0 && len(c.out) == 0 && !o.last {
		due := time.Until(at.Add(c.heartbeat))
		if due <= 0 {
			c.put(0, nil)
		} else {
			o.wait = min(o.wait, due)
		}
	}
	if c.link != nil {
		o.consumer, o.settled = c.link.consumer, c.consumed
	}
	o.frames, c.out, c.consumed = c.out, spare, nil
	if len(o.frames) > 0 && c.heartbeat > 0 {
		o.wait = min(o.wait, c.heartbeat)
	}
	return o
}

// pump adds transfers to what is to be written, as many as the client takes and the platform has, and returns how long it is
// pointless to try again.
func (c *conn) pump() time.Duration {
	for len(c.out) < enough {
		l := c.link
		if l == nil || c.ending {
			return forever
		}
		switch {
		case l.credit == 0 && l.part == nil:
			l.drained()
			return forever
		case l.session.window == 0:
			return forever
		case l.part != nil:
			l.proceed()
		case len(l.queue) > 0:
			l.deliver()
		default:
			if wait := l.fetch(); wait > 0 {
				l.drained()
				return wait
			}
		}
	}
	return 0
}

// fetch gets messages, or returns how long to wait for some.
func (l *link) fetch() time.Duration {
	c := l.session.conn
	var wait time.Duration
	var err error
	l.queue, wait, err = c.group.fetch(l.consumer, int(min(l.credit, l.session.window, batch)), c.config)
	if err != nil {
		c.end(frame.Errorf(frame.CondForced, "9602: %v", err))
		return forever
	}
	return wait
}

// deliver begins to send the next message.
func (l *link) deliver() {
	d := l.queue[0]
	l.queue = l.queue[1:]
	c := l.session.conn
	message, err := encode(d.Message)
	if err != nil { // it never will be
		c.log.Error("message dropped", slog.Any("reason", err))
		_ = l.consumer.Settle(d.Tag)
		return
	}
	l.credit--
	l.count++
	if l.settled {
		c.consumed = append(c.consumed, d.Tag)
	} else {
		l.sent.add(d.Tag)
	}
	id := l.session.next
	l.session.next++
	l.transfer(message, frame.Transfer{
		DeliveryID: frame.Some(id), DeliveryTag: binary.BigEndian.AppendUint32(nil, id), MessageFormat: frame.Some[uint32](0),
	})
}

// proceed sends more of a message.
func (l *link) proceed() { l.transfer(l.part, frame.Transfer{}) }

// overhead is the most that a frame needs besides the payload.
const overhead = 48

// transfer sends as much of a message as fits into a frame, and leaves the rest for later.
func (l *link) transfer(message []byte, t frame.Transfer) {
	s := l.session
	c := s.conn
	t.Handle, t.Settled = l.handle, l.settled
	l.part = nil
	if room := c.maxFrame - overhead; len(message) > room {
		message, l.part = message[:room], message[room:]
		t.More = true
	}
	c.out = frame.Append(c.out, frame.AMQP, s.channel, &t, message)
	s.nextOut++
	s.window--
}
