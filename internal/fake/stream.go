package fake

import (
	"slices"
	"strings"

	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// A stream is a topic on which every device of a product reports while it is online. Its reports lie on
// a grid in time, so that the newest, the next and the number of them are found by arithmetic: a
// report costs nothing until somebody wants to see it.
type stream struct {
	number int
	suffix string // the topic below the device: /user/update
	every  int64
	event  *tslEvent // for an event of the thing model
	alink  bool      // for the properties of the thing model
	seed   uint64    // of what it reports, besides the device's
}

// maxStreams is how many topics one device uses at most.
const maxStreams = 100

const (
	customTopic   = "/user/update"
	propertyTopic = "/thing/event/property/post"
	replyTopic    = "/thing/downlink/reply/message"
)

func eventTopic(identifier string) string { return "/thing/event/" + identifier + "/post" }

// phase is where on the grid a device stands.
func (s *stream) phase(d *device) int64 {
	return int64(mix(d.seed, saltReport<<16|uint64(s.number)) % uint64(s.every))
}

// slot returns the number of the newest grid point that is not after t.
func (s *stream) slot(d *device, t stamp) int64 {
	t -= s.phase(d)
	n := t / s.every
	if t%s.every < 0 {
		n--
	}
	return n
}

// last returns the newest grid point that is not after t.
func (s *stream) last(d *device, t stamp) stamp { return s.slot(d, t)*s.every + s.phase(d) }

// next returns the first grid point after t.
func (s *stream) next(d *device, t stamp) stamp { return s.last(d, t) + s.every }

// reports counts the grid points after from that are not after to.
func (s *stream) reports(d *device, from, to stamp) int {
	if to <= from {
		return 0
	}
	return int(s.slot(d, to) - s.slot(d, from))
}

// newest returns when a device reported last through an instance, after since, and whether it did.
func (s *stream) newest(d *device, in *instance, since, now stamp) (stamp, bool) {
	if t, ok := s.within(d, d.stay, in, since, now); ok {
		return t, true
	}
	for _, past := range slices.Backward(d.past) {
		if t, ok := s.within(d, past, in, since, now); ok {
			return t, true
		}
	}
	return 0, false
}

func (s *stream) within(d *device, x stay, in *instance, since, now stamp) (stamp, bool) {
	if x.in != in || x.mute {
		return 0, false
	}
	t := s.last(d, min(now, x.to-1))
	return t, t > max(x.from, since)
}

// firmware derives on which topics the devices of a product report: custom devices on /user/update and
// on what the rules name, Alink devices their properties and events, and besides on custom
// topics that the rules name. What comes first is reported most often; the rest is rare.
func firmware(p *product, forwarding []fleet.Forwarding, q *Quirks) []*stream {
	var named []string
	for _, f := range forwarding {
		if topic, ok := concrete(f.Topic); ok && f.Type == fleet.Rule && !slices.Contains(named, topic) {
			named = append(named, topic)
		}
	}
	var list []*stream
	add := func(s stream) {
		if len(list) == maxStreams || slices.ContainsFunc(list, func(o *stream) bool { return o.suffix == s.suffix }) {
			return
		}
		s.number = len(list)
		s.every = int64(q.ReportEvery)
		if len(list) > 0 {
			s.every *= int64(q.RareEvery)
		}
		list = append(list, &s)
	}
	switch {
	case p.format == iot.Alink:
		add(stream{suffix: propertyTopic, alink: true})
		for i := range p.model.events {
			add(stream{suffix: eventTopic(p.model.events[i].Identifier), event: &p.model.events[i]})
		}
	case len(named) == 0 || slices.Contains(named, customTopic) || heard(forwarding):
		add(stream{suffix: customTopic})
	}
	for _, topic := range named {
		if p.format != iot.Alink || strings.HasPrefix(topic, "/user/") {
			add(stream{suffix: topic})
		}
	}
	return list
}

// heard reports whether something takes /user/update although no rule names it.
func heard(forwarding []fleet.Forwarding) bool {
	return slices.ContainsFunc(forwarding, func(f fleet.Forwarding) bool {
		return f.Type != fleet.Rule || matches(f.Topic, "/x"+customTopic)
	})
}

// concrete returns the topic below the device that a rule's filter names, if it names just one.
func concrete(filter string) (string, bool) {
	_, rest, ok := strings.Cut(strings.TrimPrefix(filter, "/"), "/")
	return "/" + rest, ok && !strings.ContainsAny(rest, "+#")
}

// matches reports whether a topic fits a filter: + stands for one level, # for all that follow.
func matches(filter, topic string) bool {
	for {
		f, restF, moreF := strings.Cut(filter, "/")
		t, restT, moreT := strings.Cut(topic, "/")
		if f == "#" {
			return true
		}
		if f != "+" && f != t || moreF != moreT {
			return false
		}
		if !moreF {
			return true
		}
		filter, topic = restF, restT
	}
}
