package fake

import (
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// Truth is what is really so about a device, whatever the registries show. It is for tests: no client of
// the platform could know it.
type Truth struct {
	ID       iot.DeviceID
	Instance string // where it lives
	Status   iot.Status
	Alive    bool         // a device is behind its connection
	Gateway  iot.DeviceID // zero for none
	Moved    int          // how often it was moved away from where it was created
	Returned int          // how often it was moved back
	Kicked   int          // how often a move cut it off
	LastSeen time.Time    // when it was last connected: now, for one that is; zero for one that never was
	Served   time.Time    // when its newest session with a device behind it began where it lives, over or not; zero if it had none since it came
}

// Truth returns what is so about a device, and false if there is none.
func (c *Cloud) Truth(id iot.DeviceID) (Truth, bool) {
	var t Truth
	var ok bool
	c.look(func() {
		if d := c.device(id); d != nil {
			t, ok = c.truth(d), true
		}
	})
	return t, ok
}

// Truths returns what is so about all devices of a product, wherever they live, in the order of their creation, and
// false if there is no such product.
func (c *Cloud) Truths(productKey string) ([]Truth, bool) {
	var list []Truth
	var ok bool
	c.look(func() {
		p := c.products[productKey]
		if ok = p != nil; ok {
			list = make([]Truth, 0, len(p.devices))
			for _, d := range p.devices {
				if d.home == c.nowhere {
					continue
				}
				list = append(list, c.truth(d))
			}
		}
	})
	return list, ok
}

func (c *Cloud) truth(d *device) Truth {
	t := Truth{
		ID: d.id(), Instance: d.home.id, Status: d.statusOn(d.home), Alive: d.alive(),
		Moved: int(d.moves), Returned: int(d.returns), Kicked: int(d.kicks),
		LastSeen: timeOf(min(d.stay.to, c.at)),
	}
	if d.gateway != nil {
		t.Gateway = d.gateway.id()
	}
	t.Served = timeOf(d.served())
	return t
}

// served returns when the newest session of the device began that was at its instance, since it came there, with a device
// behind it; 0 if there was none.
func (d *device) served() stamp {
	if s := d.stay; s.in == d.home && s.from >= d.here && !s.dead {
		return s.from
	}
	for _, s := range slices.Backward(d.past) {
		if s.from < d.here {
			return 0
		}
		if s.in == d.home && !s.dead {
			return s.from
		}
	}
	return 0
}

// Owner returns the ID of the instance where a device lives, and false if there is no such device.
func (c *Cloud) Owner(id iot.DeviceID) (instanceID string, ok bool) {
	t, ok := c.Truth(id)
	return t.Instance, ok
}

// MovedTimes tells how often a device was moved away from where it was created; 0 if there is none.
func (c *Cloud) MovedTimes(id iot.DeviceID) int {
	t, _ := c.Truth(id)
	return t.Moved
}

// PowerOn plugs a simulated device in: with the right secret, it connects to the instance where it lives, a
// sub-device through its gateway, and from then on reports. Its errors are [iot.NotFound],
// [iot.Denied] for a wrong secret, and [iot.Conflict] for a disabled device and for one that a client brings now.
func (c *Cloud) PowerOn(id iot.DeviceID, secret iot.Secret) error {
	var err error
	c.look(func() { err = c.powerOn(c.device(id), id, secret) })
	return err
}

func (c *Cloud) powerOn(d *device, id iot.DeviceID, secret iot.Secret) error {
	fail := func(kind iot.Kind, message string) error {
		return &iot.Error{Kind: kind, Op: "PowerOn", Message: fmt.Sprintf("device %s %s", id, message)}
	}
	switch {
	case d == nil:
		return fail(iot.NotFound, "does not exist")
	case d.secret != secret:
		return fail(iot.Denied, "has another secret")
	case d.disabled:
		return fail(iot.Conflict, "is disabled")
	case d.line() != nil:
		return fail(iot.Conflict, "is a client's: close its session first")
	}
	d.powered = true
	c.after(0, event{kind: connectEvent, dev: d, try: d.try})
	c.advance()
	return nil
}

// PowerOff unplugs a device: it goes offline and stays so until PowerOn. Sub-devices of a gateway go
// offline with it. The session of a client ends with code 0; it may come again. Its error is [iot.NotFound].
func (c *Cloud) PowerOff(id iot.DeviceID) error {
	err := error(&iot.Error{Kind: iot.NotFound, Op: "PowerOff", Message: fmt.Sprintf("device %s does not exist", id)})
	c.look(func() {
		if d := c.device(id); d != nil {
			d.powered = false
			c.disconnect(d, 0)
			err = nil
		}
	})
	return err
}

// Crossing returns when a device last reported through one instance and first through another, on the topic that it reports
// on most often; zero if it never did. A group that has got its messages since before it moved carries exactly these.
func (c *Cloud) Crossing(id iot.DeviceID, from, to string) (last, first time.Time) {
	c.look(func() {
		d := c.device(id)
		if d == nil || len(d.product.streams) == 0 {
			return
		}
		s := d.product.streams[0]
		for _, x := range append(slices.Clone(d.past), d.stay) {
			if t, ok := s.within(d, x, x.in, 0, c.at); ok && x.in != nil && x.in.id == from {
				last = timeOf(t)
			}
			if t := s.next(d, x.from); first.IsZero() && x.in != nil && x.in.id == to && !x.mute && t <= min(c.at, x.to-1) {
				first = timeOf(t)
			}
		}
	})
	return last, first
}
