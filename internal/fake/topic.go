package fake

import (
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A parsedTopic is a topic in its parts: /sys, the device that it belongs to, and the rest below the device.
type parsedTopic struct {
	class string
	id    iot.DeviceID
	rest  string
}

// parseTopic takes a topic or a filter apart. Where the device stands depends on the first level.
func parseTopic(topic string) (parsedTopic, bool) {
	levels := strings.Split(topic, "/")
	if len(levels) < 2 || levels[0] != "" {
		return parsedTopic{}, false
	}
	at := 1
	switch levels[1] {
	case "sys":
		at = 2
	case "ext", "shadow":
		at = 3
	case "ota":
		at = 4
	}
	if len(levels) < at+2 {
		return parsedTopic{}, false
	}
	p := parsedTopic{class: strings.Join(levels[:at], "/"), id: iot.DeviceID{ProductKey: levels[at], DeviceName: levels[at+1]}}
	if rest := levels[at+2:]; len(rest) > 0 {
		p.rest = "/" + strings.Join(rest, "/")
	}
	return p, true
}

// MayPublish reports whether the session may publish to a topic: its own topics, and those of the sub-devices that
// are logged in. It is false once the session is over.
func (s *Session) MayPublish(topic string) bool {
	if strings.ContainsAny(topic, "+#") {
		return false
	}
	return s.owns(topic)
}

// MaySubscribe reports whether the session may subscribe to a filter: product key and device name must stand in it, those of
// the device or of a sub-device that is logged in; only the levels after them can be wildcards. The broadcast topics
// of the device's product, /broadcast/{productKey}/..., are open as well.
func (s *Session) MaySubscribe(filter string) bool {
	return s.owns(filter) || strings.HasPrefix(filter, "/broadcast/"+s.dev.product.key+"/")
}

func (s *Session) owns(topic string) bool {
	p, ok := parseTopic(topic)
	if !ok {
		return false
	}
	s.cloud.look(func() {
		d := s.cloud.device(p.id)
		ok = d != nil && d.line() == s
	})
	return ok
}

// Subscribe tells the platform what the client listens to, and reports what MaySubscribe does. The front calls it for every
// subscription: QoS 1 messages of Pub wait until the client is subscribed to their topic, and come then.
func (s *Session) Subscribe(filter string) bool {
	if !s.MaySubscribe(filter) {
		return false
	}
	s.cloud.look(func() {
		if s.ended != nil {
			return
		}
		if !slices.Contains(s.filters, filter) {
			s.filters = append(s.filters, filter)
		}
		s.cloud.sendParked(s.dev)
		for _, sub := range s.dev.subs {
			if sub.line() == s {
				s.cloud.sendParked(sub)
			}
		}
	})
	return true
}

// Unsubscribe takes a subscription back: the same filter.
func (s *Session) Unsubscribe(filter string) {
	s.cloud.look(func() {
		s.filters = slices.DeleteFunc(s.filters, func(f string) bool { return f == filter })
	})
}
