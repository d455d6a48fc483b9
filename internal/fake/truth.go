package fake

import (
	"fmt"

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
}

// Truth returns what is so about a device, and false if there is none.
func (c *Cloud) Truth(id iot.DeviceID) (Truth, bool) {
	var t Truth
	var ok bool
	c.look(func() {
		if d := c.device(id); d != nil {
			t, ok = d.truth(), true
		}
	})
	return t, ok
}

func (d *device) truth() Truth {
	t := Truth{
		ID: d.id(), Instance: d.home.id, Status: d.statusOn(d.home), Alive: d.alive(),
		Moved: int(d.moves), Returned: int(d.returns), Kicked: int(d.kicks),
	}
	if d.gateway != nil {
		t.Gateway = d.gateway.id()
	}
	return t
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

// PowerOn plugs a device in: with the right secret, it connects to the instance where it lives, a
// sub-device through its gateway, and from then on reports. Its errors are [iot.NotFound],
// [iot.Denied] for a wrong secret, and [iot.Conflict] for a disabled device.
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
	}
	d.powered = true
	c.after(0, event{kind: connectEvent, dev: d, try: d.try})
	c.advance()
	return nil
}

// PowerOff unplugs a device: it goes offline and stays so until PowerOn. Sub-devices of a gateway go
// offline with it. Its error is [iot.NotFound].
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
