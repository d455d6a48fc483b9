package fake

import "slices"

// maxQueue is how many messages wait in a session for a front that does not take them.
const maxQueue = 1000

// A queued message waits in a session for the front. If dev is set, it is one of Pub with QoS 1 and comes again to
// that device when the front does not take it.
type queued struct {
	parked
	dev *device
}

// push queues a message for a session's front. What does not fit is lost, or waits for the device's next connection.
func (c *Cloud) push(s *Session, q queued) {
	switch {
	case s.ended != nil || s.dev.stay.dead:
		return
	case len(s.queue) < maxQueue:
		s.queue = append(s.queue, q)
		s.signal()
	case q.dev != nil:
		c.parked[q.dev] = append(c.parked[q.dev], q.parked)
	}
}

// signal wakes one goroutine that waits for a message. The lock is held.
func (s *Session) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// tell sends a message of the platform's own.
func (c *Cloud) tell(s *Session, topic string, qos int, body any) {
	c.push(s, queued{parked: parked{Downlink: Downlink{Topic: topic, Payload: marshal(body), QoS: qos}}})
}

// send gives a client's device a message of Pub. With QoS 1 it waits until the client listens to its topic.
func (c *Cloud) send(d *device, p parked) error {
	if !c.within(&d.client.down) {
		return refuse(codeRateLimit, "device %s gets more than %d messages a second", d.id(), maxDownlink)
	}
	switch s := d.line(); {
	case p.QoS == 0:
		c.push(s, queued{parked: p})
	case s.listens(p.Topic):
		c.push(s, queued{p, d})
	default:
		c.parked[d] = append(c.parked[d], p)
	}
	return nil
}

// sendParked gives a client's device what waited for it, as far as the client listens.
func (c *Cloud) sendParked(d *device) {
	s := d.line()
	if !d.attended() || len(c.parked[d]) == 0 {
		return
	}
	list := c.parked[d]
	delete(c.parked, d)
	for _, p := range list {
		switch {
		case p.until <= c.at:
		case s.listens(p.Topic):
			c.push(s, queued{p, d})
		default:
			c.parked[d] = append(c.parked[d], p)
		}
	}
}

// listens reports whether the client has subscribed to a topic.
func (s *Session) listens(topic string) bool {
	return slices.ContainsFunc(s.filters, func(f string) bool { return matches(f, topic) })
}
