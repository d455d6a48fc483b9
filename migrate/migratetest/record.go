package migratetest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A record is what happened on a platform, as far as it concerns moves.
type record struct {
	mu      sync.Mutex
	open    []announced          // by intents that have no outcome yet, in order
	meant   map[iot.DeviceID]int // when the journal first announced a device: the number of its intent
	intents int
	moves   []sending
	unknown map[iot.DeviceID]bool // the outcome of their call is, and nobody has looked since
	blind   []iot.DeviceID        // sent without an intent
	resent  []iot.DeviceID        // announced again while unknown
}

// An announced call is one with an intent.
type announced struct {
	lane    string
	call    int
	devices []iot.DeviceID
	sent    bool
}

// A sending is one call that moves devices, or tries to.
type sending struct {
	at      time.Time
	devices []iot.DeviceID
}

// op records an operation that is about to happen.
func (r *record) op(op Op) {
	if op.Name != "BatchGrayMigrationDevice" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := sending{at: op.At}
	for _, name := range op.Devices {
		s.devices = append(s.devices, iot.DeviceID{ProductKey: op.ProductKey, DeviceName: name})
	}
	r.moves = append(r.moves, s)
	for i := range r.open {
		if a := &r.open[i]; !a.sent && slices.Equal(a.devices, s.devices) {
			a.sent = true
			return
		}
	}
	r.blind = append(r.blind, s.devices...)
}

// entries records what became durable.
func (r *record) entries(list []migrate.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range list {
		switch e.Kind {
		case migrate.EntryIntent:
			r.intend(e)
		case migrate.EntryOutcome:
			r.doubt(e.Unknown)
			r.open = slices.DeleteFunc(r.open, func(a announced) bool {
				return a.lane == e.Lane && (a.call == e.Call || e.Error != "")
			})
		case migrate.EntryRunner:
			for _, a := range r.open {
				r.doubt(a.devices)
			}
			r.open = nil
		case migrate.EntryLook:
			r.unknown = nil
		}
	}
}

func (r *record) doubt(ids []iot.DeviceID) {
	if r.unknown == nil {
		r.unknown = make(map[iot.DeviceID]bool)
	}
	for _, id := range ids {
		r.unknown[id] = true
	}
}

func (r *record) intend(e migrate.Entry) {
	r.intents++
	r.open = append(r.open, announced{lane: e.Lane, call: e.Call, devices: e.Names})
	if r.meant == nil {
		r.meant = make(map[iot.DeviceID]int)
	}
	for _, id := range e.Names {
		if r.unknown[id] {
			r.resent = append(r.resent, id)
		}
		if r.meant[id] == 0 {
			r.meant[id] = r.intents
		}
	}
}

// check returns what was moved against the rules: without an intent, again without a look, or a gateway before its
// sub-devices.
func (r *record) check(p *migrate.Plan) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.blind) > 0 {
		return fmt.Errorf("device %s was sent to the platform without an intent in the journal", r.blind[0])
	}
	if len(r.resent) > 0 {
		return fmt.Errorf("device %s was sent again while the outcome of its last call was unknown and nobody had looked", r.resent[0])
	}
	for _, l := range p.Lanes {
		for _, f := range l.Families {
			for _, id := range f.Devices {
				if r.meant[id] > r.meant[f.Gateway] && !f.Gateway.IsZero() {
					return fmt.Errorf("sub-device %s was sent after its gateway %s", id, f.Gateway)
				}
			}
		}
	}
	return nil
}

// splitSlack is what a family may be split for longer than the plan foresees: calls wait for their turn.
const splitSlack = 2 * time.Second

// checkSplit checks how long families were split by calls, when nothing disturbed them.
func (r *record) checkSplit(p *migrate.Plan) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := make(map[iot.DeviceID]time.Time)
	for _, s := range r.moves {
		for _, id := range s.devices {
			at[id] = s.at
		}
	}
	for _, l := range p.Lanes {
		for _, f := range l.Families {
			split := spread(f.Devices, at)
			if split > l.Forecast.SplitMax+splitSlack {
				return fmt.Errorf("family %s was split for %v; the plan foresees %v at most", f.ID(), split, l.Forecast.SplitMax)
			}
		}
	}
	return nil
}

// spread returns the time between the first and the last of some devices' calls.
func spread(devices []iot.DeviceID, at map[iot.DeviceID]time.Time) time.Duration {
	var first, last time.Time
	for _, id := range devices {
		t, ok := at[id]
		if !ok {
			continue
		}
		if first.IsZero() || t.Before(first) {
			first = t
		}
		if t.After(last) {
			last = t
		}
	}
	return last.Sub(first)
}
