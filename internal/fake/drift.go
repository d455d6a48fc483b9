package fake

import (
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// What people do to devices while a campaign runs: in the console, or by APIs that no campaign calls.

// Add creates a device, and plugs it in: on the instance where its gateway lives, or, without one, on the first instance that
// has its product. Its errors are [iot.NotFound] for the product or the gateway, [iot.Conflict] for a name that is taken, and
// [iot.Invalid] for a name, or for a gateway that is none.
//
// What becomes of a migration task that has completed is not documented: here it is gray-completed again, and can move the device.
func (c *Cloud) Add(id, gateway iot.DeviceID) error {
	return c.drift("Add", func(fail refusals) error {
		if err := iot.CheckDeviceName(id.DeviceName); err != nil {
			return err
		}
		p, g := c.products[id.ProductKey], c.device(gateway)
		switch {
		case p == nil:
			return fail(iot.NotFound, "there is no product %s", id.ProductKey)
		case p.byName[id.DeviceName] != nil:
			return fail(iot.Conflict, "there is a device %s already", id)
		case g == nil && !gateway.IsZero():
			return fail(iot.NotFound, "there is no gateway %s", gateway)
		case g != nil && (g.product.node != iot.Gateway || p.node != iot.SubDevice):
			return fail(iot.Invalid, "%s cannot be the gateway of %s", gateway, id)
		}
		home := c.seedHome(p)
		if g != nil {
			home = g.home
		}
		if home.views[p.key] == nil {
			return fail(iot.NotFound, "there is no product %s where its gateway is", id.ProductKey)
		}
		d := c.register(home.views[p.key], id.DeviceName)
		c.reopen(d)
		if g != nil {
			c.adopt(g, d)
		}
		d.powered = true
		c.after(0, event{kind: connectEvent, dev: d, try: d.try})
		return nil
	})
}

// reopen lets a task that has completed move a device that has come since.
func (c *Cloud) reopen(d *device) {
	if t := c.taskOf(d.product); t != nil && t.state == TaskCompleted && t.source == d.home {
		t.state, t.ended = TaskGrayCompleted, 0
	}
}

// SetGateway gives a sub-device another gateway of the instance where it lives, or none if gateway is zero. Its errors are
// [iot.NotFound], and [iot.Conflict] for a gateway that lives elsewhere.
func (c *Cloud) SetGateway(sub, gateway iot.DeviceID) error {
	return c.drift("SetGateway", func(fail refusals) error {
		d, g := c.device(sub), c.device(gateway)
		switch {
		case d == nil:
			return fail(iot.NotFound, "there is no device %s", sub)
		case g == nil && !gateway.IsZero():
			return fail(iot.NotFound, "there is no gateway %s", gateway)
		case g != nil && (g.home != d.home || g.product.node != iot.Gateway || d.product.node != iot.SubDevice):
			return fail(iot.Conflict, "%s cannot be the gateway of %s where that lives", gateway, sub)
		}
		if old := d.gateway; old != nil {
			c.remove(old, []*device{d})
			c.topoChange(old, d, topoDeleted)
		}
		if g != nil {
			c.adopt(g, d)
			c.reconnectLater(d)
		}
		return nil
	})
}

func (c *Cloud) adopt(g, d *device) {
	d.gateway = g
	g.subs = append(g.subs, d)
	c.emitTopology(g, "create", []*device{d})
}

// Delete deletes a device for good: a gateway's sub-devices have no gateway then. Its error is [iot.NotFound].
func (c *Cloud) Delete(id iot.DeviceID) error {
	return c.drift("Delete", func(fail refusals) error {
		d := c.device(id)
		if d == nil {
			return fail(iot.NotFound, "there is no device %s", id)
		}
		d.powered = false
		c.disconnect(d, codeDeleted)
		if d.gateway != nil {
			c.remove(d.gateway, []*device{d})
		}
		c.remove(d, slices.Clone(d.subs))
		c.emitLifecycle(d, "delete")
		c.change(d, func() { d.home = c.nowhere })
		for _, in := range c.instances {
			c.show(d, in)
		}
		delete(d.product.byName, d.name)
		if t := c.taskOf(d.product); t != nil {
			c.settle(t)
		}
		return nil
	})
}

// MoveByHand moves devices as somebody else might in the console, by the migration tasks of their products. It moves those that can be
// moved. Its error is [iot.Conflict] if a product's task cannot move devices now.
func (c *Cloud) MoveByHand(ids ...iot.DeviceID) error {
	return c.drift("MoveByHand", func(fail refusals) error {
		for _, id := range ids {
			d := c.device(id)
			if d == nil {
				return fail(iot.NotFound, "there is no device %s", id)
			}
			if t := c.taskOf(d.product); t == nil || t.state != TaskGrayCompleted && t.state != TaskFull {
				return fail(iot.Conflict, "product %s has no task that is gray-completed", id.ProductKey)
			}
		}
		for _, id := range ids {
			c.migrate(c.taskOf(c.products[id.ProductKey]), []string{id.DeviceName}, statusGray, Fault{})
		}
		return nil
	})
}

// refusals makes errors of a kind.
type refusals func(kind iot.Kind, format string, args ...any) error

func (c *Cloud) drift(op string, f func(refusals) error) error {
	var err error
	c.look(func() {
		err = f(func(kind iot.Kind, format string, args ...any) error {
			return &iot.Error{Kind: kind, Op: op, Message: fmt.Sprintf(format, args...)}
		})
		c.advance()
	})
	return err
}
