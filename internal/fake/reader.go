package fake

import (
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Reader is a server that reads a consumer group all the time: whenever somebody looks, nothing waits, and other clients of
// the group get nothing. Unlike a [Consumer] it makes no message before it is asked what it has read of a device, so it can read for a
// large fleet, for weeks. It is safe for concurrent use.
type Reader struct {
	cloud *Cloud
	group *group
	since stamp
}

// Read lets a reader read a group of an instance from now on, and what waits there already. Its errors are [ErrNoGroup], [ErrTooMany] and
// that of an unknown instance. A group that has a reader keeps it.
func (c *Cloud) Read(instanceID, groupID string) (*Reader, error) {
	var r *Reader
	var err error
	c.look(func() { r, err = c.read(instanceID, groupID) })
	return r, err
}

func (c *Cloud) read(instanceID, groupID string) (*Reader, error) {
	in, err := c.instance(instanceID)
	if err != nil {
		return nil, err
	}
	g := in.group(groupID)
	if g == nil {
		return nil, fmt.Errorf("group %q: %w", groupID, ErrNoGroup)
	}
	if g.reader != nil {
		return g.reader, nil
	}
	x, err := c.join(g, "iotferry")
	if err != nil {
		return nil, err
	}
	x.watched = true
	g.reader = &Reader{cloud: c, group: g, since: c.at}
	if len(g.queue)-g.head+len(g.again) > 0 {
		g.lastConsumed = c.at
	}
	g.queue, g.head, g.again, g.cursors, g.started = nil, 0, nil, nil, false
	clear(g.flying)
	return g.reader, nil
}

// Newest returns what the group carried of a device, newest first: the newest report on each topic, and of other messages, such as answers
// to services, the 16 newest.
func (r *Reader) Newest(id iot.DeviceID) []iot.Message {
	var list []iot.Message
	r.cloud.look(func() {
		for _, l := range r.group.links {
			if d := l.view.product.byName[id.DeviceName]; d != nil && l.view.product.key == id.ProductKey && l.has(iot.DeviceData) {
				list = append(list, r.cloud.carried(l, d, r.from(l))...)
			}
		}
	})
	slices.SortStableFunc(list, func(a, b iot.Message) int { return b.Generated.Compare(a.Generated) })
	return list
}

// from returns when the oldest message that the reader has read of a link was kept.
func (r *Reader) from(l *link) stamp { return max(l.since, r.since-retention) }

func (c *Cloud) carried(l *link, d *device, since stamp) []iot.Message {
	var list []iot.Message
	for _, s := range d.product.streams {
		if at, ok := s.newest(d, l.view.in, since, c.at); ok {
			x := s.report(d, l.view.in, at)
			list = append(list, x.message())
		}
	}
	for _, x := range c.recent[d] {
		if x.in == l.view.in && x.at > since {
			list = append(list, x.message())
		}
	}
	return list
}

// consumed returns when a client of the group last got a message: what a reader got, to the second.
func (g *group) consumed(now stamp) stamp {
	if g.reader == nil {
		return g.lastConsumed
	}
	for _, l := range g.links {
		if !l.has(iot.DeviceData) || g.lastConsumed >= now-int64(time.Second) {
			continue
		}
		since := max(g.reader.from(l), g.lastConsumed)
		if last := l.lastReport(since, now); last > since { // where nothing has come, nothing was consumed
			g.lastConsumed = last
		}
	}
	return g.lastConsumed
}

// lastReport returns when a device of the link last reported after since, to the second, or since.
func (l *link) lastReport(since, now stamp) stamp {
	if l.view.reporting == 0 && l.view.steady <= l.read {
		return since
	}
	l.read = now
	for _, d := range l.view.product.devices {
		for _, s := range d.product.streams {
			if at, ok := s.newest(d, l.view.in, since, now); ok && at > since {
				since = at
			}
		}
		if since >= now-int64(time.Second) {
			break
		}
	}
	return since
}
