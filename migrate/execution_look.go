package migrate

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A sighting is where a device was seen.
type sighting struct {
	device   TaskDevice
	atSource bool
	atTarget bool
	status   iot.Status // at the source, if it is there
	asked    time.Time  // when the instances were asked: an answer may be older than the end of a long look
}

// locate reads both instances about the task's devices. The source is read first: a device that moves
// between the two reads is then seen on both, for a moment, and never on none. An error comes last, and stands for the devices that
// were not read: of these nothing is said.
func (x execution) locate(ctx context.Context) iter.Seq2[sighting, error] {
	return func(yield func(sighting, error) bool) {
		failed := 0 // in a row
		for queue := lookBatches(x.task.Devices); len(queue) > 0; queue = queue[1:] {
			seen, err := x.locateBatch(ctx, queue[0].product, queue[0].devices)
			if err != nil {
				if failed++; failed == outage || !passing(ctx, err) {
					yield(sighting{}, err)
					return
				}
				queue = append(queue, queue[0])
				continue
			}
			failed = 0
			for _, s := range seen {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// outage is how many reads in a row may fail before a look is given up. One that failed in passing is made again when the others were
// made: a look at half a million devices is 20,000 reads, and would hardly ever come to its end if each had to succeed at once.
const outage = 10

// passing reports whether the same read may succeed at once.
func passing(ctx context.Context, err error) bool {
	switch iot.KindOf(err) {
	case iot.Transient, iot.Throttled:
		return ctx.Err() == nil
	}
	return false
}

// again reads until it works, or has failed three times: for single reads of a look that has many of them.
func again[T any](ctx context.Context, read func() (T, error)) (T, error) {
	for range 2 {
		if v, err := read(); err == nil || !passing(ctx, err) {
			return v, err
		}
	}
	return read()
}

// children reads the sub-devices of a gateway.
func children(ctx context.Context, at iot.View, gateway iot.DeviceID) ([]iot.DeviceID, error) {
	return again(ctx, func() (all []iot.DeviceID, err error) {
		for id, err := range at.Children(ctx, gateway) {
			if err != nil {
				return nil, err
			}
			all = append(all, id)
		}
		return all, nil
	})
}

// A lookBatch is devices of a product that one read of an instance can be about.
type lookBatch struct {
	product string
	devices []TaskDevice
}

// lookBatches splits devices by product, the products in the order in which they first appear.
func lookBatches(devices []TaskDevice) []lookBatch {
	groups := make(map[string][]TaskDevice)
	var order []string
	for _, d := range devices {
		if _, ok := groups[d.ID.ProductKey]; !ok {
			order = append(order, d.ID.ProductKey)
		}
		groups[d.ID.ProductKey] = append(groups[d.ID.ProductKey], d)
	}
	var out []lookBatch
	for _, product := range order {
		for batch := range slices.Chunk(groups[product], iot.MaxStates) {
			out = append(out, lookBatch{product, batch})
		}
	}
	return out
}

func (x execution) locateBatch(ctx context.Context, product string, devices []TaskDevice) ([]sighting, error) {
	names := make([]string, len(devices))
	for i, d := range devices {
		names[i] = d.ID.DeviceName
	}
	asked := x.r.config.Clock.Now()
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
		out[i] = sighting{device: d, atSource: atSource, atTarget: atTarget, status: s.Status, asked: asked}
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

// look tells which devices have arrived, and of those in doubt which have not moved: what was asked before the effect of their call had
// to show says nothing.
func (x execution) look(ctx context.Context) {
	x.watch(ctx, EntryLook, func(e *Entry, s sighting) {
		switch id := s.device.ID; {
		case s.atTarget && !s.atSource:
			e.Arrived = append(e.Arrived, id)
		case s.atSource && !s.atTarget && x.task.Unmoved(s.device, s.asked):
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

// watch emits what was seen in entries of bounded size; the last one says how the look ended. One with an error tells of no device: what
// was seen before counts all the same.
func (x execution) watch(ctx context.Context, kind EntryKind, sort func(*Entry, sighting)) {
	e := x.here(kind)
	for s, err := range x.locate(ctx) {
		if err != nil {
			if e.devices() > 0 {
				x.emit(e)
				e = x.here(kind)
			}
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
		if e.devices() >= entryChunk {
			x.emit(e)
			e = x.here(kind)
		}
	}
	e.End = true
	x.emit(e)
}

// devices returns how many devices the entry of a look tells of.
func (e Entry) devices() int { return len(e.Arrived) + len(e.Unmoved) + len(e.Both) + len(e.Gone) }
