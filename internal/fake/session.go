package fake

import (
	"context"
	"errors"
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// PublicDomain stands for the public instance's domain, which serves a device wherever it lives. It is the ID of no instance.
const PublicDomain = "*"

// CodeDuplicate is the code with which the platform ends a session because the same device has signed in again. Other codes
// are that of [Quirks].OfflineCode for a move, and 522 for a device that was disabled.
const CodeDuplicate = 427

// ErrSessionClosed says that the session was closed by its own side.
var ErrSessionClosed = errors.New("the session was closed")

// A KickedError says that the platform has ended a session.
type KickedError struct {
	Code int // why: the offlineReasonCode of the status message; 0 if the device lost its power
}

// Error returns the code.
func (e *KickedError) Error() string {
	return fmt.Sprintf("the platform ended the session with code %d", e.Code)
}

// A Downlink is a message from the platform to a device, or to a sub-device through its gateway.
type Downlink struct {
	Topic   string
	Payload []byte
	QoS     int // 0 or 1
}

// A Session is the platform's end of the connection of a client that is a device: what an MQTT front has for each of its
// connections. Get one from [Cloud.Attach]. Signing in, keep-alive, acknowledgements and the limits of a connection (lengths,
// rates, numbers of subscriptions, messages in flight) are the front's business. It is safe for concurrent use.
type Session struct {
	cloud *Cloud
	dev   *device
	wake  chan struct{} // there is something for Next; closed at the end

	// The Cloud's lock guards these.
	queue   []queued
	filters []string
	ended   error // why; nil while it lasts
}

// Attach lets a client be a device: from now on the platform's end of its connection is the returned session. The caller
// has checked the client's signature. The device is online at once. The client takes over from the simulated firmware, which
// is unplugged for good, and from an older session of the same device: both are cut off with [CodeDuplicate], and with
// a gateway its sub-devices, which are online again only when the client logs them in.
//
// Domain is the ID of the instance whose own domain the client came to, or [PublicDomain]. Address is the client's IP
// address, for the registry and for status messages. The hook is asked for Op{DeviceOp, Connect}; if it lies,
// nothing passes the session in either direction.
//
// Its errors are [iot.NotFound] for a device that does not exist, [iot.Denied] for one that lives elsewhere than the
// domain's instance, or that connects through its gateway only, [iot.Conflict] for one that is disabled, and the
// hook's.
func (c *Cloud) Attach(id iot.DeviceID, domain, address string) (*Session, error) {
	op := Op{Kind: DeviceOp, Name: Connect, ProductKey: id.ProductKey, Devices: []string{id.DeviceName}}
	var d *device
	var err error
	c.look(func() {
		if d, err = c.admit(id, domain); err == nil {
			op.Instance = d.home.id
		}
	})
	if err != nil {
		return nil, err
	}
	fault := c.ask(op)
	if fault.Err != nil {
		return nil, fault.Err
	}
	s := &Session{cloud: c, dev: d, wake: make(chan struct{}, 1)}
	c.look(func() {
		if _, err = c.admit(id, domain); err == nil {
			c.signIn(d, s, address, fault.lies(d.name))
		}
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// admit returns a device that may have a connection of its own from a domain.
func (c *Cloud) admit(id iot.DeviceID, domain string) (*device, error) {
	d := c.device(id)
	if d == nil {
		return nil, attachError(iot.NotFound, id, "does not exist")
	}
	if domain == PublicDomain && c.quirks.PublicDomainEnds {
		domain = ""
	}
	switch {
	case domain != PublicDomain && domain != d.home.id:
		return nil, attachError(iot.Denied, id, "lives on another instance")
	case (d.gateway != nil || d.product.node == iot.SubDevice) && !c.quirks.SubDevicesConnect:
		return nil, attachError(iot.Denied, id, "connects through its gateway only")
	case d.disabled:
		return nil, attachError(iot.Conflict, id, "is disabled")
	}
	return d, nil
}

func attachError(kind iot.Kind, id iot.DeviceID, message string) error {
	return &iot.Error{Kind: kind, Op: "Attach", Message: fmt.Sprintf("device %s %s", id, message)}
}

// ID returns the device that the session belongs to.
func (s *Session) ID() iot.DeviceID { return s.dev.id() }

// Next waits for the next message for the device or for one of its logged-in sub-devices. Messages of the platform's own
// come whether the client has subscribed to their topic or not, and so do those of Pub with QoS 0: the front drops what
// the client did not ask for. What Next returned has left the platform: it does not come again. A thousand messages wait
// for a front at most; what comes then is lost, or waits for the device's next connection if it is of Pub with QoS 1.
//
// Its errors are the context's, *[KickedError] as soon as the platform has ended the session, and [ErrSessionClosed]
// after [Session.Close].
func (s *Session) Next(ctx context.Context) (Downlink, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Downlink{}, err
		}
		if m, ok, err := s.pop(); ok || err != nil {
			return m, err
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		}
	}
}

// pop takes the oldest message. Whoever else waits is told if there are more.
func (s *Session) pop() (m Downlink, ok bool, err error) {
	s.cloud.look(func() {
		if err = s.ended; err != nil || len(s.queue) == 0 {
			return
		}
		m, ok = s.queue[0].Downlink, true
		s.queue[0] = queued{}
		s.queue = s.queue[1:]
		if len(s.queue) > 0 {
			s.signal()
		}
	})
	return m, ok, err
}

// Close ends the session from the client's side: it went, or was silent for too long. The device and its sub-devices are
// offline, and code is the reason in their status messages; 0 for none that is known. Closing a session that is over
// does nothing.
func (s *Session) Close(code int) {
	s.cloud.look(func() {
		if s.ended == nil {
			s.cloud.end(s, ErrSessionClosed)
			s.cloud.signOut(s.dev, code)
		}
	})
}
