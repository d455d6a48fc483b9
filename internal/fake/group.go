package fake

import (
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// retention is how long a consumer group keeps what nobody consumes.
const retention = int64(24 * time.Hour)

// A group is a consumer group. It keeps two things: a queue of the messages that somebody caused, and
// where in time each device's reports have been consumed. The reports themselves are made when
// they are consumed.
type group struct {
	id, name string
	in       *instance
	created  stamp
	links    []*link

	queue   []record // oldest first, from head on
	head    int
	again   []delivery // to be delivered again, oldest first
	flying  map[uint64]delivery
	tag     uint64
	cursors heap[cursor]
	started bool // the cursors are kept

	consumers    []*Consumer
	reader       *Reader // takes everything at once; nil for none
	lastConsumed stamp
}

// A delivery is a message that a consumer has got and not settled.
type delivery struct {
	tag      uint64
	record   record
	consumer *Consumer
	due      stamp // when it comes again
}

// A cursor is the next report of a device in one of its stays that a group has not consumed.
type cursor struct {
	at     stamp
	dev    *device
	stream *stream
	stay   stamp // when that stay began
}

func (x cursor) before(other cursor) bool { return x.at < other.at }

// end returns when the cursor's stay ended; ok is false if it is forgotten.
func (x cursor) end() (end stamp, ok bool) {
	if x.dev.stay.from == x.stay && !x.dev.stay.mute {
		return x.dev.stay.to, true
	}
	for _, past := range slices.Backward(x.dev.past) {
		if past.from == x.stay && !past.mute {
			return past.to, true
		}
	}
	return 0, false
}

// left counts the reports from the cursor on, up to now.
func (x cursor) left(now stamp) int {
	end, ok := x.end()
	if !ok {
		return 0
	}
	return x.stream.reports(x.dev, x.at-1, min(now, end-1))
}

func (in *instance) addGroup(id, name string, at stamp) *group {
	g := &group{id: id, name: name, in: in, created: at, flying: map[uint64]delivery{}}
	in.groups = append(in.groups, g)
	return g
}

// add queues a message; what is too old or too much goes.
func (g *group) add(r record, most int) {
	if g.reader != nil {
		g.lastConsumed = r.at
		return
	}
	g.queue = append(g.queue, r)
	for len(g.queue)-g.head > most || g.queue[g.head].at <= r.at-retention {
		g.drop()
	}
}

// drop takes the oldest message out of the queue.
func (g *group) drop() {
	g.queue[g.head] = record{}
	g.head++
	if g.head >= 1024 && g.head*2 >= len(g.queue) {
		g.queue = slices.Delete(g.queue, 0, g.head)
		g.head = 0
	}
}

// start begins to keep cursors: from now on consuming is cheap.
func (g *group) start(now stamp) {
	if g.started || g.reader != nil {
		return
	}
	g.started = true
	for _, l := range g.links {
		if l.has(iot.DeviceData) {
			g.push(l, max(l.since, now-retention))
		}
	}
	g.cursors.order()
}

// push adds cursors for what a link's devices reported after since; the heap is out of order then.
func (g *group) push(l *link, since stamp) {
	for _, d := range l.view.product.devices {
		for _, x := range d.past {
			g.cursors = appendCursors(g.cursors, d, x, g.in, since)
		}
		g.cursors = appendCursors(g.cursors, d, d.stay, g.in, since)
	}
}

func appendCursors(list []cursor, d *device, x stay, in *instance, since stamp) []cursor {
	if x.in != in || x.mute || x.to <= since {
		return list
	}
	for _, s := range d.product.streams {
		if at := s.next(d, max(x.from, since)); at < x.to {
			list = append(list, cursor{at: at, dev: d, stream: s, stay: x.from})
		}
	}
	return list
}

// follow begins to consume the reports of a product.
func (g *group) follow(l *link, now stamp) {
	if g.started && l.has(iot.DeviceData) {
		g.push(l, now)
		g.cursors.order()
	}
}

// forget drops the reports of a product that have not been consumed.
func (g *group) forget(v *view) {
	g.cursors = slices.DeleteFunc(g.cursors, func(x cursor) bool { return x.dev.product == v.product })
	g.cursors.order()
}

// startReports tells the groups that a device begins to report.
func (c *Cloud) startReports(d *device) {
	v := d.home.views[d.product.key]
	if v == nil {
		return
	}
	for _, l := range v.links {
		if !l.group.started || !l.has(iot.DeviceData) {
			continue
		}
		for _, x := range appendCursors(nil, d, d.stay, d.home, c.at) {
			l.group.cursors.push(x)
		}
	}
}

// expire drops what is older than the retention.
func (g *group) expire(now stamp) {
	g.again = slices.DeleteFunc(g.again, func(d delivery) bool { return d.record.at <= now-retention })
	for g.head < len(g.queue) && g.queue[g.head].at <= now-retention {
		g.drop()
	}
	if len(g.cursors) == 0 || g.cursors[0].at > now-retention {
		return
	}
	kept := g.cursors[:0]
	for _, x := range g.cursors {
		if end, ok := x.end(); ok {
			x.at = max(x.at, x.stream.next(x.dev, now-retention))
			if x.at < end {
				kept = append(kept, x)
			}
		}
	}
	clear(g.cursors[len(kept):])
	g.cursors = kept
	g.cursors.order()
}

// take returns the oldest message that nobody has got, and whether there is one.
func (g *group) take(now stamp) (record, bool) {
	for len(g.cursors) > 0 && g.cursors[0].at <= now {
		x := g.cursors[0]
		if g.head < len(g.queue) && g.queue[g.head].at <= x.at {
			break
		}
		if g.step(x) {
			return x.stream.report(x.dev, g.in, x.at), true
		}
	}
	if g.head == len(g.queue) {
		return record{}, false
	}
	r := g.queue[g.head]
	g.drop()
	return r, true
}

// step moves the first cursor on, and reports whether there was a report at the place where it was.
func (g *group) step(x cursor) bool {
	end, ok := x.end()
	if !ok || x.at >= end {
		g.cursors.pop()
		return false
	}
	next := x
	next.at += x.stream.every
	g.cursors.replace(next)
	return true
}

// backlog counts the messages that nobody has got, and those to be delivered again.
func (g *group) backlog(now stamp) int {
	if g.reader != nil {
		return 0
	}
	g.expire(now)
	n := len(g.queue) - g.head + len(g.again)
	list := g.cursors
	if !g.started {
		list = nil
		for _, l := range g.links {
			if l.has(iot.DeviceData) {
				n += l.unread(now)
			}
		}
	}
	for _, x := range list {
		n += x.left(now)
	}
	return n
}

// unread counts the reports of a link's devices within the retention. When the same devices have reported
// all that time, and evenly, it need not look at them.
func (l *link) unread(now stamp) int {
	since := max(l.since, now-retention)
	if max(l.since, l.view.steady) <= now-retention && l.view.product.even() {
		return l.view.reporting * l.view.product.perRetention()
	}
	n := 0
	for _, d := range l.view.product.devices {
		for _, x := range d.past {
			n += unread(d, x, l.group.in, since, now)
		}
		n += unread(d, d.stay, l.group.in, since, now)
	}
	return n
}

// even reports whether every device sends as many reports within each retention.
func (p *product) even() bool {
	return !slices.ContainsFunc(p.streams, func(s *stream) bool { return retention%s.every != 0 })
}

func (p *product) perRetention() int {
	n := 0
	for _, s := range p.streams {
		n += int(retention / s.every)
	}
	return n
}

func unread(d *device, x stay, in *instance, since, now stamp) int {
	if x.in != in || x.mute {
		return 0
	}
	n := 0
	for _, s := range d.product.streams {
		n += s.reports(d, max(x.from, since), min(now, x.to-1))
	}
	return n
}
