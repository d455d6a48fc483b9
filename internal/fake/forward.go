package fake

import (
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// A rule forwards messages of a product to other cloud products.
type rule struct {
	id      string
	name    string
	view    *view
	filter  string // below the product: /+/user/update
	actions []string
	since   stamp

	outputs  []iot.RuleAction // what stands behind actions, one for one
	query    string           // its SELECT
	where    string
	dataType string
	stopped  bool
}

func (r *rule) takes(d *device, suffix string) bool {
	return !r.stopped && matches(r.filter, "/"+d.name+suffix)
}

// A link is one consumer group's part of a product's AMQP subscription.
type link struct {
	view   *view
	group  *group
	events []iot.Event
	since  stamp
	read   stamp // when a reader was last asked
}

func (l *link) has(e iot.Event) bool { return slices.Contains(l.events, e) }

// cut ends the subscription of one group.
func (l *link) cut() {
	l.view.links = slices.DeleteFunc(l.view.links, func(o *link) bool { return o == l })
	l.group.links = slices.DeleteFunc(l.group.links, func(o *link) bool { return o == l })
	l.group.forget(l.view)
}

// subscribe sets which events of a product a group gets.
func (c *Cloud) subscribe(v *view, g *group, events []iot.Event) {
	for _, l := range v.links {
		if l.group == g {
			c.resubscribe(l, events)
			return
		}
	}
	l := &link{view: v, group: g, events: events, since: c.at}
	v.links = append(v.links, l)
	g.links = append(g.links, l)
	g.follow(l, c.at)
}

func (c *Cloud) resubscribe(l *link, events []iot.Event) {
	had, has := l.has(iot.DeviceData), slices.Contains(events, iot.DeviceData)
	l.events = events
	switch {
	case had && !has:
		l.group.forget(l.view)
	case has && !had:
		l.since = c.at
		l.group.follow(l, c.at)
	}
}

// emit sends a message of the platform about a device to the groups of the instance where it lives.
func (c *Cloud) emit(d *device, r record, e iot.Event) {
	v := d.home.views[d.product.key]
	if v == nil || len(v.links) == 0 {
		return
	}
	r.at, r.dev, r.in = c.at, d, d.home
	if r.id == 0 {
		r.id = c.newID()
	}
	for _, l := range v.links {
		if l.has(e) {
			l.group.add(r, c.quirks.MaxBacklog)
		}
	}
}

// forward sends what a device published through rules and subscriptions.
func (c *Cloud) forward(d *device, r record) {
	r.at, r.dev, r.in = c.at, d, d.home
	if r.id == 0 {
		r.id = c.newID()
	}
	c.emit(d, r, iot.DeviceData)
	v := d.home.views[d.product.key]
	suffix := r.suffix()
	if r.text != nil {
		c.learn(d, suffix, r.text.body)
	}
	if v != nil && (slices.ContainsFunc(v.rules, func(o *rule) bool { return o.takes(d, suffix) }) ||
		slices.ContainsFunc(v.links, func(l *link) bool { return l.group.reader != nil && l.has(iot.DeviceData) })) {
		c.keep(d, r)
	}
}

// maxRecent is how many messages other than reports a sink keeps of a device.
const maxRecent = 16

func (c *Cloud) keep(d *device, r record) {
	kept := append(c.recent[d], r)
	c.recent[d] = kept[max(len(kept)-maxRecent, 0):]
}

// publish lets a simulated device publish a message, if it is there.
func (c *Cloud) publish(d *device, r record) {
	if !d.simulated() {
		return
	}
	fault := c.askUnlocked(Op{
		Kind: DeviceOp, Name: Answer, Instance: d.home.id, ProductKey: d.product.key, Devices: []string{d.name},
	})
	if fault.Err == nil && !fault.lies(d.name) && d.simulated() {
		c.forward(d, r)
	}
}

// notify sends an instance-migration message to consumer groups of the source.
func (c *Cloud) notify(v *view, status, target string, devices []iot.DeviceID) {
	groups := c.quirks.NoticeGroups
	if groups == nil {
		for _, l := range v.links {
			groups = append(groups, l.group.id)
		}
	}
	if len(groups) == 0 || len(devices) == 0 {
		return
	}
	r := record{
		at: c.at, in: v.in, id: c.newID(),
		text: &text{c.quirks.NoticeTopic, noticeBody(status, target, devices)},
	}
	for _, id := range groups {
		if g := v.in.group(id); g != nil {
			g.add(r, c.quirks.MaxBacklog)
		}
	}
}

// A parked message waits for its device (QoS 1).
type parked struct {
	Downlink
	id    uint64
	until stamp
}

// deliverParked gives a simulated device that came online what waited for it.
func (c *Cloud) deliverParked(d *device) {
	list := c.parked[d]
	delete(c.parked, d)
	for _, p := range list {
		if p.until > c.at {
			c.gave("Pub", d, p.Payload)
			c.acknowledge(d, p.id)
		}
	}
}

// acknowledge lets a device answer a message of Pub on the topic on which it reports.
func (c *Cloud) acknowledge(d *device, id uint64) {
	topic := customTopic
	if s := d.product.streams[0]; !s.alink {
		topic = s.suffix
	}
	body := marshal(map[string]string{"ack": messageID(id)})
	c.after(c.quirks.AckDelay, event{
		kind: publishEvent, dev: d, rec: &record{text: &text{d.topic(topic), string(body)}},
	})
}
