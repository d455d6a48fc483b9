package amqp

import (
	"log/slog"
	"math"

	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

// A session is a client's, on the same channel in both directions. Its methods run with the connection's lock held.
type session struct {
	conn    *conn
	channel uint16
	links   map[uint32]*link // by handle, the same in both directions
	handles uint32           // the highest handle
	ended   bool             // the server has ended it, and waits for the client to agree

	nextOut uint32 // number of the next transfer
	nextIn  uint32 // of the client's next one, which it must not send
	window  uint32 // how many transfers the client takes
	next    uint32 // ID of the next delivery
}

// begin begins a session.
func (c *conn) begin(channel uint16, b *frame.Begin) error {
	switch {
	case channel > maxChannel:
		return frame.Errorf(frame.CondFraming, "channel %d is beyond %d", channel, maxChannel)
	case b.RemoteChannel.Set:
		return frame.Errorf(frame.CondNotAllowed, "channel %d answers to a session that was not begun", channel)
	case c.sessions[channel] != nil:
		return frame.Errorf(frame.CondNotAllowed, "there is a session on channel %d", channel)
	}
	c.sessions[channel] = &session{
		conn: c, channel: channel, links: map[uint32]*link{}, handles: min(maxHandle, b.HandleMax),
		nextIn: b.NextOutgoingID, window: b.IncomingWindow,
	}
	c.put(channel, &frame.Begin{
		RemoteChannel: frame.Some(channel), IncomingWindow: incomingWindow, OutgoingWindow: math.MaxInt32, HandleMax: maxHandle,
	})
	return nil
}

// incomingWindow is how many transfers the server takes. As it takes none, any number will do.
const incomingWindow = 2048

// handle answers a performative. If that fails, the session ends.
func (s *session) handle(body frame.Body) {
	if end, ok := body.(*frame.End); ok {
		s.end(end)
		return
	}
	if s.ended {
		return
	}
	if err := s.answer(body); err != nil {
		s.conn.put(s.channel, &frame.End{Error: err})
		s.ended = true
		s.drop()
	}
}

func (s *session) answer(body frame.Body) *frame.Error {
	switch b := body.(type) {
	case *frame.Attach:
		return s.attach(b)
	case *frame.Flow:
		return s.flow(b)
	case *frame.Disposition:
		s.disposition(b)
		return nil
	case *frame.Detach:
		return s.detach(b)
	case *frame.Transfer:
		return frame.Errorf(frame.CondUnattachedHandle, "clients of this server cannot send")
	}
	return frame.Errorf(frame.CondNotAllowed, "a performative that has no place in a session")
}

// end answers the end of the session, unless the client agrees to the server's.
func (s *session) end(e *frame.End) {
	if e.Error != nil {
		s.conn.log.Info("client ended the session", slog.Any("reason", e.Error))
	}
	s.drop()
	if !s.ended {
		s.conn.put(s.channel, &frame.End{})
	}
	delete(s.conn.sessions, s.channel)
}

// drop ends the session's link to the platform.
func (s *session) drop() {
	if l := s.conn.link; l != nil && l.session == s {
		s.conn.unlink()
	}
}

// flow takes over what the client says about the session and a link.
func (s *session) flow(f *frame.Flow) *frame.Error {
	// Without a number it has seen nothing yet, and the first one was 0.
	s.window = remaining(f.NextIncomingID.Value, f.IncomingWindow, s.nextOut)
	s.nextIn = f.NextOutgoingID
	if !f.Handle.Set {
		if f.Echo {
			s.conn.put(s.channel, s.state())
		}
		return nil
	}
	l := s.links[f.Handle.Value]
	if l == nil {
		return frame.Errorf(frame.CondUnattachedHandle, "a flow for handle %d, which is not attached", f.Handle.Value)
	}
	if !l.refused {
		l.flow(f)
	}
	return nil
}

// remaining returns how many of the limit, counted from a number that the client has seen, are left at the server's own
// number, which may be ahead. The numbers wrap around.
func remaining(seen, limit, own uint32) uint32 {
	ahead := own - seen
	if ahead > math.MaxInt32 { // the client is ahead: that cannot be
		ahead = 0
	}
	return limit - min(ahead, limit)
}

// state returns a flow about the session.
func (s *session) state() *frame.Flow {
	return &frame.Flow{
		NextIncomingID: frame.Some(s.nextIn), IncomingWindow: incomingWindow,
		NextOutgoingID: s.nextOut, OutgoingWindow: math.MaxInt32,
	}
}
