package fake

import (
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// relocate moves a device to another instance: it is cut off, the registries learn of the move a
// little later, and the device comes back by itself, if it can.
func (c *Cloud) relocate(d *device, to *instance) {
	from := d.home
	c.kickOff(d)
	if c.quirks.LifecycleOnMove {
		c.emitLifecycle(d, "delete")
	}
	c.change(d, func() { d.home = to })
	d.here, d.earlier = c.at, d.here
	delete(c.parked, d)
	if to == d.origin {
		d.returns++
	} else {
		d.moves++
	}
	if c.quirks.LifecycleOnMove {
		c.emitLifecycle(d, "create")
	}
	c.showLater(d, from, saltHide)
	c.showLater(d, to, saltShow)
	c.reconnectLater(d)
}

// kickOff cuts a device off for its move.
func (c *Cloud) kickOff(d *device) {
	if d.connected() {
		d.kicks++
	}
	c.disconnect(d, c.quirks.OfflineCode)
}

func (c *Cloud) showLater(d *device, in *instance, salt uint64) {
	lag := d.jitter(salt, c.quirks.VisibilityLag)
	if lag == 0 {
		c.show(d, in)
		return
	}
	c.after(time.Duration(lag), event{kind: showEvent, dev: d, in: in})
}

func (c *Cloud) emitLifecycle(d *device, action string) {
	c.emit(d, record{
		text: &text{d.topic("/thing/lifecycle"), lifecycleBody(d, c.at, action)},
	}, iot.Lifecycle)
}

// refusal says why a device cannot be moved by a task; empty if it can.
func (c *Cloud) refusal(t *task, d *device) string {
	switch {
	case d == nil || d.home != t.source && d.home != t.target:
		return "no such device"
	case d.home == t.target:
		return "migrated already"
	case d.distributed:
		return "distributed"
	case c.quirks.RefusesUnactive && !d.activated:
		return "not activated"
	case c.quirks.RefusesDisabled && d.disabled:
		return "disabled"
	case c.quirks.RefusesSplit && d.gateway != nil && d.gateway.home != t.target:
		return "gateway not migrated"
	}
	return c.productRefusal(t.product)
}

// productRefusal says why no device of a product can be moved; empty if they can.
func (c *Cloud) productRefusal(p *product) string {
	switch {
	case len(p.features) > 0:
		return fmt.Sprint(p.features[0])
	case p.network == iot.NBIoT:
		return "NB-IoT"
	case p.auth == iot.AuthID2 && !c.quirks.ID2Listed:
		return "ID2"
	case p.auth == iot.AuthPerProductFree:
		return "not preregistered"
	}
	return ""
}

// bringProduct copies what comes along with a product in its gray phase: the product itself, its rules
// under new IDs, its parsers, its script and its AMQP subscriptions. MNS subscriptions, labels, groups of devices, jobs and
// update batches stay.
func (c *Cloud) bringProduct(p *product, from, to *instance) {
	source := from.views[p.key]
	v := to.views[p.key]
	if v == nil {
		v = to.add(p)
		v.model, v.script = source.model, source.script
	}
	if len(v.rules)+len(v.links) > 0 {
		return
	}
	for _, r := range source.rules {
		c.bringRule(r, v)
	}
	c.bringParsers(p, from, to)
	for _, l := range source.links {
		c.subscribe(v, c.counterpart(l.group, to), l.events)
	}
}

// counterpart returns the consumer group at the target that stands for one of the source.
func (c *Cloud) counterpart(g *group, to *instance) *group {
	if same := to.group(g.id); same != nil {
		return same
	}
	for _, other := range to.groups {
		if other.name == g.name && other.id != defaultGroup {
			return other
		}
	}
	id := g.id
	if !c.quirks.KeepsGroupIDs {
		id = c.groupID(to)
	}
	return to.addGroup(id, g.name, c.at)
}

func (c *Cloud) addRule(v *view, name, filter string, actions []string, since stamp) *rule {
	r := &rule{
		id: v.in.newID(), name: name, view: v, filter: filter, actions: actions, since: since,
		query: "*", dataType: "JSON",
	}
	for _, kind := range actions {
		r.outputs = append(r.outputs, iot.RuleAction{Type: kind, Configuration: emptyConfiguration()})
	}
	v.in.rules = append(v.in.rules, r)
	v.rules = append(v.rules, r)
	return r
}

// newID returns the ID of a new rule, parser or the like of an instance.
func (in *instance) newID() string {
	in.nextRule++
	return fmt.Sprint(100000*(in.index+1) + in.nextRule)
}
