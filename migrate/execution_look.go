package migrate

import (
	"context"
	"fmt"
	"iter"

	"github.com/iotferry/iotferry/iot"
)

// A sighting is where a device was seen.
type sighting struct {
	device   TaskDevice
	atSource bool
	atTarget bool
	status   iot.Status // at the source, if it is there
}

// locate reads both instances about the task's devices. The source is read first: a device that moves
// between the two reads is then seen on both, for a moment, and never on none.
func (x execution) locate(ctx context.Context) iter.Seq2[sighting, error] {
	return func(yield func(sighting, error) bool) {
		for product, devices := range byProduct(x.task.Devices) {
			for len(devices) > 0 {
				n := min(iot.MaxStates, len(devices))
				seen, err := x.locateBatch(ctx, product, devices[:n])
				if err != nil {
					yield(sighting{}, err)
					return
				}
				for _, s := range seen {
					if !yield(s, nil) {
						return
					}
				}
				devices = devices[n:]
			}
		}
	}
}

// byProduct yields the devices of each product, the products in the order in which they first appear.
func byProduct(devices []TaskDevice) iter.Seq2[string, []TaskDevice] {
	groups := make(map[string][]TaskDevice)
	var order []string
	for _, d := range devices {
		if _, ok := groups[d.ID.ProductKey]; !ok {
			order = append(order, d.ID.ProductKey)
		}
		groups[d.ID.ProductKey] = append(groups[d.ID.ProductKey], d)
	}
	return func(yield func(string, []TaskDevice) bool) {
		for _, product := range order {
			if !yield(product, groups[product]) {
				return
			}
		}
	}
}

func (x execution) locateBatch(ctx context.Context, product string, devices []TaskDevice) ([]sighting, error) {
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = d.ID.DeviceName
	}
	source, err := statesByName(ctx, x.r.config.Platform.Source.View, product, names)
	if err != nil {
		return nil, err
	}
	target, err := statesByName(ctx, x.r.config.Platform.Target.View, product, names)
	if err != nil {
		return nil, err
	}
	out := make([]sighting, len(devices))
	for i, d := range devices {
		s, atSource := source[d.ID.DeviceName]
		_, atTarget := target[d.ID.DeviceName]
		out[i] = sighting{device: d, atSource: atSource, atTarget: atTarget, status: s.Status}
	}
	return out, nil
}

func statesByName(ctx context.Context, v iot.View, product string, names []string) (map[string]iot.DeviceState, error) {
	states, err := v.States(ctx, product, names)
	if err != nil {
		return nil, fmt.Errorf("read devices of %s at %s: %w", product, v.Info, err)
	}
	byName := make(map[string]iot.DeviceState, len(states))
	for _, s := range states {
		if s.ID.ProductKey == product {
			byName[s.ID.DeviceName] = s
		}
	}
	return byName, nil
}

// look tells which devices have arrived, and of those in doubt which have not moved.
func (x execution) look(ctx context.Context) {
	x.watch(ctx, EntryLook, func(e *Entry, s sighting) {
		switch id := s.device.ID; {
		case s.atTarget && !s.atSource:
			e.Arrived = append(e.Arrived, id)
		case s.atSource && !s.atTarget && s.device.Doubt:
			e.Unmoved = append(e.Unmoved, id)
		}
	})
}

// lookBack tells which devices are back at the source.
func (x execution) lookBack(ctx context.Context) {
	x.watch(ctx, EntryReturned, func(e *Entry, s sighting) {
		if s.atSource && !s.atTarget {
			e.Arrived = append(e.Arrived, s.device.ID)
		}
	})
}

// watch emits what was seen in entries of bounded size; the last one says how the look ended.
func (x execution) watch(ctx context.Context, kind EntryKind, sort func(*Entry, sighting)) {
	e := x.here(kind)
	for s, err := range x.locate(ctx) {
		if err != nil {
			e.Error = err.Error()
			break
		}
		sort(&e, s)
		switch {
		case s.atSource && s.atTarget:
			e.Both = append(e.Both, s.device.ID)
		case !s.atSource && !s.atTarget:
			e.Gone = append(e.Gone, s.device.ID)
		}
		if len(e.Arrived)+len(e.Unmoved)+len(e.Both)+len(e.Gone) >= entryChunk {
			x.emit(e)
			e = x.here(kind)
		}
	}
	e.End = true
	x.emit(e)
}
