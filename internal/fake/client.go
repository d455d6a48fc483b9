package fake

import (
	"slices"
	"time"
)

// The documented limits of one device that a front cannot keep.
const (
	maxSubLogins = 5  // of a sub-device, per minute
	maxDownlink  = 50 // messages per second
)

// A client is what there is only of a device that a client of the platform has brought.
type client struct {
	session *Session // its own, or its gateway's; nil while it is offline
	address string
	logins  window
	down    window
}

func newClient() *client {
	return &client{logins: newWindow(maxSubLogins, time.Minute), down: newWindow(maxDownlink, time.Second)}
}

// line returns the session through which a client speaks for the device; nil if none does now.
func (d *device) line() *Session {
	if d.client == nil {
		return nil
	}
	return d.client.session
}

// attended reports whether a client is behind the connection.
func (d *device) attended() bool { return d.line() != nil && d.alive() }

// direct reports whether a client has brought the device by a connection of its own.
func (d *device) direct() bool { s := d.line(); return s != nil && s.dev == d }

// within takes from a window, if it has room. Clients live in real time, however the Cloud's
// clock goes, and so do their limits.
func (c *Cloud) within(w *window) bool {
	now := time.Now().UnixNano()
	if c.noQuotas {
		return true
	}
	if !w.fits(now) {
		return false
	}
	w.use(now)
	return true
}

// signIn brings a client's device online. A dead one is not really there, though the platform believes it.
func (c *Cloud) signIn(d *device, s *Session, address string, dead bool) {
	if d.client == nil {
		d.client = newClient()
	}
	d.powered = false
	c.disconnect(d, CodeDuplicate)
	d.client.session, d.client.address = s, address
	c.begin(d, dead, true)
	c.sendParked(d)
}

// signOut takes a client's device offline at the client's own wish.
func (c *Cloud) signOut(d *device, code int) {
	d.client.session = nil
	c.disconnect(d, code)
}

// hangUp ends what a client has of a device that was cut off: its session, or, for a sub-device, its part in
// the session of its gateway, which is told.
func (c *Cloud) hangUp(d *device, code int) {
	s := d.line()
	if s == nil {
		return
	}
	d.client.session = nil
	if s.dev == d {
		c.end(s, &KickedError{code})
		return
	}
	c.kickNotice(s, d.id(), code)
}

// end ends a session. What waits in it with QoS 1 waits for the device again.
func (c *Cloud) end(s *Session, why error) {
	if s.ended != nil {
		return
	}
	s.ended = why
	for _, x := range slices.Backward(s.queue) {
		if x.dev != nil {
			c.parked[x.dev] = slices.Insert(c.parked[x.dev], 0, x.parked)
		}
	}
	s.queue = nil
	close(s.wake)
}
