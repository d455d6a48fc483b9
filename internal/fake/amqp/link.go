package amqp

import (
	"errors"
	"log/slog"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

// A link is the way of messages to a client. Its methods run with the connection's lock held.
type link struct {
	session  *session
	handle   uint32
	refused  bool // there is nothing behind it; it waits for the client to detach it
	consumer *fake.Consumer
	settled  bool // deliveries are settled when they are sent

	count  uint32 // deliveries so far
	credit uint32 // deliveries that the client takes
	drain  bool   // it wants the credit used up or given back

	queue []fake.Delivery // fetched, and not sent yet
	part  []byte          // the rest of the message that is being sent
	sent  ledger
}

// attach attaches a link, or refuses it.
func (s *session) attach(a *frame.Attach) *frame.Error {
	switch {
	case a.Handle > s.handles:
		return frame.Errorf(frame.CondNotAllowed, "handle %d is beyond %d", a.Handle, s.handles)
	case s.links[a.Handle] != nil:
		return frame.Errorf(frame.CondHandleInUse, "handle %d is attached", a.Handle)
	}
	consumer, err := s.admit(a)
	if err != nil {
		s.refuse(a, err)
		return nil
	}
	l := &link{
		session: s, handle: a.Handle, consumer: consumer,
		settled: a.SenderSettles == frame.Settled, sent: ledger{first: s.next},
	}
	s.links[a.Handle] = l
	s.conn.link, s.conn.linked = l, true
	answer := &frame.Attach{
		Name: a.Name, Handle: a.Handle, Role: frame.Sender,
		SenderSettles: a.SenderSettles, ReceiverSettles: a.ReceiverSettles,
		Source: a.Source, Target: a.Target, InitialDeliveryCount: frame.Some(l.count),
	}
	if a.Source == nil { // the vendor's sample for Node.js names none
		answer.Source = new(frame.Terminus)
	}
	s.conn.put(s.channel, answer)
	return nil
}

// admit connects a link to the platform, or says why not.
func (s *session) admit(a *frame.Attach) (*fake.Consumer, *frame.Error) {
	switch {
	case a.Role == frame.Sender:
		return nil, frame.Errorf(frame.CondNotAllowed, "clients of this server cannot send")
	case s.conn.link != nil:
		return nil, frame.Errorf(frame.CondNotAllowed, "the connection has a receiver link, and there is one per connection")
	case a.Source != nil && a.Source.Dynamic:
		return nil, frame.Errorf(frame.CondNotImplemented, "sources are not made on demand")
	case a.SenderSettles > frame.Mixed || a.ReceiverSettles > frame.Second:
		return nil, frame.Errorf(frame.CondInvalidField, "there is no such settlement mode")
	}
	who := s.conn.login
	consumer, err := s.conn.server.cloud.Consume(who.instance, who.group, who.client)
	switch {
	case errors.Is(err, fake.ErrTooMany):
		return nil, frame.Errorf(frame.CondLimit, "9600: %v", err)
	case err != nil:
		return nil, frame.Errorf(frame.CondNotFound, "%v", err)
	}
	consumer.Watched()
	return consumer, nil
}

// refuse answers with a link that leads nowhere, and detaches it.
func (s *session) refuse(a *frame.Attach, err *frame.Error) {
	s.conn.log.Info("link refused", slog.String("client", s.conn.login.client), slog.Any("reason", err))
	s.links[a.Handle] = &link{session: s, handle: a.Handle, refused: true}
	answer := &frame.Attach{
		Name: a.Name, Handle: a.Handle, Role: !a.Role, SenderSettles: a.SenderSettles, ReceiverSettles: a.ReceiverSettles,
	}
	if a.Role == frame.Receiver {
		answer.Target, answer.InitialDeliveryCount = a.Target, frame.Some[uint32](0)
	} else {
		answer.Source = a.Source
	}
	s.conn.put(s.channel, answer)
	s.conn.put(s.channel, &frame.Detach{Handle: a.Handle, Closed: true, Error: err})
}

// detach detaches a link, or hears that the client has detached one that was refused.
func (s *session) detach(d *frame.Detach) *frame.Error {
	l := s.links[d.Handle]
	if l == nil {
		return frame.Errorf(frame.CondUnattachedHandle, "handle %d is not attached", d.Handle)
	}
	delete(s.links, d.Handle)
	if !l.refused {
		s.conn.unlink()
		s.conn.put(s.channel, &frame.Detach{Handle: d.Handle, Closed: d.Closed})
	}
	return nil
}

// flow takes over the client's credit.
func (l *link) flow(f *frame.Flow) {
	if f.LinkCredit.Set {
		l.credit = remaining(f.DeliveryCount.Value, f.LinkCredit.Value, l.count)
	}
	l.drain = f.Drain
	if f.Echo {
		l.tell()
	}
}

// tell tells the client the link's state.
func (l *link) tell() {
	f := l.session.state()
	f.Handle, f.DeliveryCount, f.LinkCredit = frame.Some(l.handle), frame.Some(l.count), frame.Some(l.credit)
	f.Available, f.Drain = frame.Some(uint32(len(l.queue))), l.drain
	l.session.conn.put(l.session.channel, f)
}

// drained gives back what is left of the credit, if the client wants that.
func (l *link) drained() {
	if !l.drain {
		return
	}
	l.count += l.credit
	l.credit = 0
	l.tell()
	l.drain = false
}

// disposition takes the client's word on deliveries: it has settled them, or has come to an outcome and wants the server to
// settle first. The platform hears of it later, of many at once.
func (s *session) disposition(d *frame.Disposition) {
	l := s.conn.link
	outcome := d.State >= frame.Accepted && d.State <= frame.Modified
	if l == nil || l.session != s || d.Role != frame.Receiver || !outcome && !d.Settled {
		return
	}
	last := d.First
	if d.Last.Set {
		last = d.Last.Value
	}
	had := len(s.conn.acked)
	s.conn.acked = l.sent.take(s.conn.acked, d.First, last)
	if d.State != frame.Accepted && d.State != frame.NoState {
		s.conn.log.Debug("deliveries not accepted", slog.Int("count", len(s.conn.acked)-had), slog.Int("state", int(d.State)))
		s.conn.acked = s.conn.acked[:had] // they come again
	}
	if !d.Settled {
		s.conn.answers = append(s.conn.answers, frame.Disposition{
			Role: frame.Sender, First: d.First, Last: d.Last, Settled: true, State: d.State,
		})
	}
}
