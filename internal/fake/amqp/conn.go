package amqp

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

const (
	maxFrame   = 1 << 16          // bytes of a frame that the server takes
	maxChannel = 255              // highest channel, and so the limit of sessions
	maxHandle  = 255              // highest handle of a session
	maxReplies = 1 << 20          // bytes that wait for a client that does not read
	goodbye    = time.Second      // how long a client is given to see why its connection ends
	stuck      = 30 * time.Second // how long it may let the server wait to write
)

// A conn is one connection. Two goroutines work on it: one reads and answers frames, the other writes what there is to
// write, and looks for messages.
type conn struct {
	server *Server
	config *Config
	nc     net.Conn
	log    *slog.Logger
	began  time.Time
	nudged chan struct{} // there is something to write
	over   chan struct{} // the reading goroutine is done

	// Of the reading goroutine alone.
	r        *frame.Reader
	login    login
	openedAt time.Time
	idle     time.Duration // the connection ends when no frame comes for so long; 0 for never
	acked    []uint64      // accepted, and not settled yet
	answers  []frame.Disposition

	mu        sync.Mutex
	out       []byte   // waits to be written
	consumed  []uint64 // settled as soon as out is written
	opened    bool
	linked    bool // there was a link
	ending    bool
	maxFrame  int           // of the client
	heartbeat time.Duration // the client wants to see a frame as often; 0 for never
	group     *group
	sessions  map[uint16]*session
	link      *link // the one that messages go to
}

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{
		server: s, config: &s.config, nc: nc, began: time.Now(),
		log:    s.config.Logger.With(slog.String("address", nc.RemoteAddr().String())),
		nudged: make(chan struct{}, 1), over: make(chan struct{}),
		r: frame.NewReader(nc, maxFrame), sessions: map[uint16]*session{},
	}
}

// A refusal ends a connection whose client has been told so already, as far as it is told anything.
type refusal struct{ error }

// serve runs the connection until it ends, however that is.
func (c *conn) serve() {
	written := make(chan struct{})
	go func() {
		defer close(written)
		c.write()
	}()
	err := c.converse()
	if c.part(err) {
		_ = c.nc.SetReadDeadline(time.Now().Add(goodbye))
		// Closing with unread input could destroy what the client has not read.
		_, _ = io.CopyN(io.Discard, c.nc, maxReplies)
	}
	close(c.over)
	_ = c.nc.Close()
	<-written
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unlink()
	c.log.Info("connection ended", slog.String("client", c.login.client), slog.Any("reason", err))
}

// converse reads and answers until the client has closed the connection (nil), or says why it has to end.
func (c *conn) converse() error {
	for _, step := range []func() error{c.secure, c.authenticate, c.open} {
		if err := step(); err != nil {
			return err
		}
	}
	for {
		f, err := c.next(frame.AMQP)
		if err != nil {
			return err
		}
		if closed, err := c.handle(f); closed || err != nil {
			return err
		}
	}
}

// next reads a frame of a type. Before it waits for one, what those before have caused is done.
func (c *conn) next(kind uint8) (frame.Frame, error) {
	if !c.r.Ready() {
		c.rest()
	}
	f, err := c.r.Next()
	if err != nil {
		return frame.Frame{}, c.silence(err)
	}
	if f.Type != kind {
		return frame.Frame{}, frame.Errorf(frame.CondFraming, "a frame of type %d in place of %d", f.Type, kind)
	}
	return f, nil
}

// rest prepares for waiting.
func (c *conn) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settle()
	c.nudge()
	if !c.ending {
		_ = c.nc.SetReadDeadline(c.deadline(time.Now()))
	}
}

// deadline returns until when a frame has to come; zero for no limit.
func (c *conn) deadline(now time.Time) time.Time {
	l := c.config.Limits
	var until time.Time
	switch {
	case !c.opened && l.Login > 0:
		return c.began.Add(l.Login)
	case c.opened && !c.linked && l.Link > 0:
		until = c.openedAt.Add(l.Link)
	}
	if t := now.Add(c.idle); c.idle > 0 && (until.IsZero() || t.Before(until)) {
		until = t
	}
	return until
}

// silence explains an error of reading.
func (c *conn) silence(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !errors.Is(err, os.ErrDeadlineExceeded) || c.ending:
		return err
	case !c.opened:
		return fmt.Errorf("no login within %v: %w", c.config.Limits.Login, err)
	case !c.linked && time.Since(c.openedAt) >= c.config.Limits.Link:
		return frame.Errorf(frame.CondForced, "no receiver link within %v", c.config.Limits.Link)
	}
	return frame.Errorf(frame.CondLimit, "no frame within the idle time-out of %v", c.idle)
}

// part says good-bye and reports whether there is somebody to hear it.
func (c *conn) part(err error) bool {
	told, isTold := errors.AsType[*frame.Error](err)
	_, isRefused := errors.AsType[refusal](err)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ending: // the server has closed it, and it had its time
		return false
	case isTold && c.opened, err == nil:
		c.end(told)
	default:
		c.ending = true
		c.nudge()
	}
	return err == nil || isTold || isRefused
}

// end closes the connection. The client is given a moment to agree.
func (c *conn) end(why *frame.Error) {
	c.put(0, &frame.Close{Error: why})
	c.ending = true
	c.nudge()
	_ = c.nc.SetReadDeadline(time.Now().Add(goodbye))
}

// shutdown ends the connection from outside.
func (c *conn) shutdown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ending:
	case c.opened:
		c.end(frame.Errorf(frame.CondForced, "the server is closed"))
	default:
		_ = c.nc.Close()
	}
}

// put lets a frame be written. A client that sends without reading is cut off.
func (c *conn) put(channel uint16, body frame.Body) {
	c.putKind(frame.AMQP, channel, body)
}

func (c *conn) putKind(kind uint8, channel uint16, body frame.Body) {
	if len(c.out) > maxReplies {
		_ = c.nc.Close()
		return
	}
	c.out = frame.Append(c.out, kind, channel, body, nil)
}

// nudge wakes the writing goroutine.
func (c *conn) nudge() {
	select {
	case c.nudged <- struct{}{}:
	default:
	}
}

// handle answers a frame. closed is true if the client has closed the connection.
func (c *conn) handle(f frame.Frame) (closed bool, err error) {
	body, _, err := frame.Decode(f.Body)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending {
		return false, nil
	}
	switch b := body.(type) {
	case nil: // a sign of life
		return false, nil
	case *frame.Close:
		return true, nil
	case *frame.Begin:
		return false, c.begin(f.Channel, b)
	}
	s := c.sessions[f.Channel]
	if s == nil {
		return false, frame.Errorf(frame.CondNotAllowed, "there is no session on channel %d", f.Channel)
	}
	s.handle(body)
	return false, nil
}

// settle tells the platform what has been accepted, and the client that it has.
func (c *conn) settle() {
	if l := c.link; l != nil && len(c.acked) > 0 {
		_ = l.consumer.Settle(c.acked...) // the next fetch tells if it was closed
	}
	for i := range c.answers {
		c.put(c.link.session.channel, &c.answers[i])
	}
	c.acked, c.answers = c.acked[:0], c.answers[:0]
}

// unlink ends the link that messages go to: what is not settled comes again.
func (c *conn) unlink() {
	if c.link == nil {
		return
	}
	c.settle()
	c.link.consumer.Close()
	c.link, c.consumed = nil, nil
}
