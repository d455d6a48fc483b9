package fake

import (
	"encoding/json"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// A past is the grids on which the devices of a product reported before the Cloud began: those of now, unless the fleet says
// otherwise.
type past struct {
	length  int64
	streams []*stream // by the number of the product's
}

// pastOf makes a product's past from the fleet's history, which may be nil.
func pastOf(p *product, h *fleet.History, rare int) past {
	if h == nil {
		return past{int64(iot.HistoryKept), p.streams}
	}
	out := past{length: int64(h.Days) * int64(24*time.Hour)}
	for _, s := range p.streams {
		old := *s
		old.seed = mix(h.Seed, saltPast)
		old.every = int64(h.EveryMinutes) * int64(time.Minute)
		if s.number > 0 {
			old.every *= int64(rare)
		}
		out.streams = append(out.streams, &old)
	}
	return out
}

// made returns what a device reports at a point of the grid: the properties by their names, or an event's output.
func (s *stream) made(d *device, at stamp) map[string]any {
	r := rand.New(rand.NewPCG(d.seed^s.seed, uint64(at)))
	if s.alink {
		return values(d.product.model.Properties, r)
	}
	return values(s.event.Output, r)
}

// streamOf returns the stream that reports a property or an event, or nil.
func (p *product) streamOf(kind HistoryKind, identifier string) *stream {
	for _, s := range p.streams {
		switch {
		case kind == PropertyHistory && s.alink && p.model.property(identifier):
			return s
		case kind == EventHistory && s.event != nil && s.event.Identifier == identifier:
			return s
		}
	}
	return nil
}

// A span is a part of a grid: its points after from that are not after to.
type span struct {
	stream   *stream
	in       *instance
	from, to stamp
}

// spans returns the parts of a stream's grids on which a device reported, in the order of time.
func (c *Cloud) spans(d *device, s *stream) []span {
	var list []span
	old := d.product.past
	if d.reportedUntil != 0 {
		list = append(list, span{old.streams[s.number], d.origin, c.began - old.length, d.reportedUntil})
	}
	for _, x := range append(slices.Clip(d.past), d.stay) {
		if !x.mute && x.from != 0 {
			list = append(list, span{s, x.in, max(x.from, c.began), min(x.to-1, c.at)})
		}
	}
	return slices.DeleteFunc(list, func(x span) bool { return x.to <= x.from })
}

// points yields the points of a span after from that are not after to, ascending or descending.
func (x span) points(d *device, from, to stamp, descending bool) iter.Seq[stamp] {
	from, to = max(from, x.from), min(to, x.to)
	return func(yield func(stamp) bool) {
		at, step := x.stream.next(d, from), x.stream.every
		if descending {
			at, step = x.stream.last(d, to), -step
		}
		for ; at > from && at <= to; at += step {
			if !yield(at) {
				return
			}
		}
	}
}

// wireText writes a value as the history APIs do: a text as it is, everything else as JSON.
func wireText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.RawMessage:
		var text string
		if len(v) > 0 && v[0] == '"' && json.Unmarshal(v, &text) == nil {
			return text
		}
		return string(v)
	}
	return string(marshal(value))
}
