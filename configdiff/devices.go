package configdiff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/iotferry/iotferry/iot"
)

// A DeviceConfig is what one device has on an instance.
type DeviceConfig struct {
	Device iot.DeviceID      `json:"device"`
	Labels map[string]string `json:"labels,omitempty"`
	// Groups are the names of the groups that it is in, sorted: see [Options].Groups.
	Groups []string `json:"groups,omitempty"`
	// Desired is the desired state of its shadow, as JSON; nil for none. What the device reports into its shadow is no configuration.
	Desired json.RawMessage `json:"desired,omitempty"`
}

// A DeviceDifference is what one device has not alike on both instances.
type DeviceDifference struct {
	Kind   Kind         `json:"kind"` // Label, Member or Shadow
	Change Change       `json:"change"`
	Device iot.DeviceID `json:"device"`
	Fields []Field      `json:"fields"` // by label, by group, or by place in the desired state
}

// readers is how many devices are read at once.
const readers = 16

// ReadDevices reads what devices have on an instance: their labels, and their shadows where the driver can. A device that the instance does not
// have (any more) is left out. The order is that of ids.
func ReadDevices(ctx context.Context, at iot.View, ids iter.Seq2[iot.DeviceID, error], o Options) iter.Seq2[DeviceConfig, error] {
	read := readDevices(ctx, at, ids, o)
	return func(yield func(DeviceConfig, error) bool) {
		for d, err := range read {
			if err != nil {
				yield(DeviceConfig{}, err)
				return
			}
			if d != nil && !yield(*d, nil) {
				return
			}
		}
	}
}

// readDevices yields nil for a device that is not there.
func readDevices(ctx context.Context, at iot.View, ids iter.Seq2[iot.DeviceID, error], o Options) iter.Seq2[*DeviceConfig, error] {
	return func(yield func(*DeviceConfig, error) bool) {
		r, err := newDeviceReader(ctx, at, o)
		if err != nil {
			yield(nil, err)
			return
		}
		inOrder(ids, r.device)(yield)
	}
}

// A deviceReader reads devices of one instance, one after the other or several at once.
type deviceReader struct {
	ctx   context.Context
	at    iot.View
	clock iot.Clock
	names map[string]string // of groups, by ID; nil if groups are not read

	mu     sync.Mutex
	denied map[Kind]bool // what the credentials do not allow, and so is not read; nil if that is an error
}

func newDeviceReader(ctx context.Context, at iot.View, o Options) (*deviceReader, error) {
	r := &deviceReader{ctx: ctx, at: at, clock: o.Clock}
	if !o.Groups || at.Config.DeviceGroups == nil {
		return r, nil
	}
	var err error
	r.names, err = patiently(ctx, o.Clock, func() (map[string]string, error) {
		names := map[string]string{}
		for g, err := range at.Config.DeviceGroups.DeviceGroups(ctx) {
			if err != nil {
				return nil, fmt.Errorf("configdiff: read the groups of %s: %w", at.Info, err)
			}
			names[g.ID] = g.Name
		}
		return names, nil
	})
	return r, err
}

// device returns nil for a device that is not there.
func (r *deviceReader) device(id iot.DeviceID) (*DeviceConfig, error) {
	d := &DeviceConfig{Device: id}
	for _, part := range []struct {
		kind Kind
		read func(*DeviceConfig) error
	}{{Label, r.labels}, {Member, r.groups}, {Shadow, r.shadow}} {
		if !r.reads(part.kind) {
			continue
		}
		switch err := part.read(d); {
		case errors.Is(err, iot.NotFound):
			return nil, nil
		case errors.Is(err, iot.Denied) && r.deny(part.kind):
		case err != nil:
			return nil, fmt.Errorf("configdiff: read device %s of %s: %w", id, r.at.Info, err)
		}
	}
	return d, nil
}

// reads reports whether a kind is read.
func (r *deviceReader) reads(k Kind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.denied[k]:
		return false
	case k == Label:
		return r.at.Config.Labels != nil
	case k == Shadow:
		return r.at.Config.Shadows != nil
	}
	return r.names != nil
}

// deny notes a kind that the credentials do not allow, and reports whether to go on without.
func (r *deviceReader) deny(k Kind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.denied == nil {
		return false
	}
	r.denied[k] = true
	return true
}

func (r *deviceReader) labels(d *DeviceConfig) (err error) {
	d.Labels, err = patiently(r.ctx, r.clock, func() (map[string]string, error) { return r.at.Config.Labels.Labels(r.ctx, d.Device) })
	return err
}

func (r *deviceReader) groups(d *DeviceConfig) error {
	ids, err := patiently(r.ctx, r.clock, func() ([]string, error) { return r.at.Config.DeviceGroups.DeviceGroupsOf(r.ctx, d.Device) })
	for _, id := range ids {
		if name, ok := r.names[id]; ok { // else it is a group that a query makes, or a new one
			d.Groups = append(d.Groups, name)
		}
	}
	slices.Sort(d.Groups)
	return err
}

func (r *deviceReader) shadow(d *DeviceConfig) error {
	shadow, err := patiently(r.ctx, r.clock, func() (json.RawMessage, error) { return r.at.Config.Shadows.Shadow(r.ctx, d.Device) })
	d.Desired = desired(shadow)
	return err
}

// desired returns the desired state of a shadow.
func desired(shadow json.RawMessage) json.RawMessage {
	var s struct {
		State struct {
			Desired json.RawMessage `json:"desired"`
		} `json:"state"`
	}
	if json.Unmarshal(shadow, &s) != nil {
		return nil
	}
	return s.State.Desired
}

// inOrder does something with several items at once, always as many as there are readers, and yields the results in the order of the items. No
// goroutine outlives it.
func inOrder[T, R any](items iter.Seq2[T, error], do func(T) (R, error)) iter.Seq2[R, error] {
	type result struct {
		value R
		err   error
	}
	return func(yield func(R, error) bool) {
		var wg sync.WaitGroup
		defer wg.Wait()
		var due []chan result // the oldest first
		next := func() bool {
			r := <-due[0]
			due = due[1:]
			return yield(r.value, r.err) && r.err == nil
		}
		for item, err := range items {
			c := make(chan result, 1)
			due = append(due, c)
			if err != nil {
				c <- result{err: err}
				break
			}
			wg.Go(func() {
				value, err := do(item)
				c <- result{value, err}
			})
			if len(due) == readers && !next() {
				return
			}
		}
		for len(due) > 0 && next() {
		}
	}
}

// CompareDevices yields what devices have at the target not as they were kept, device by device in the order of kept. A device that the target does
// not have is left out: it has not moved. It ends with the first error.
func CompareDevices(ctx context.Context, target iot.View, kept iter.Seq2[DeviceConfig, error], o Options) iter.Seq2[DeviceDifference, error] {
	return func(yield func(DeviceDifference, error) bool) {
		r, err := newDeviceReader(ctx, target, o)
		if err != nil {
			yield(DeviceDifference{}, err)
			return
		}
		for p, err := range beside(r, kept) {
			if err != nil {
				yield(DeviceDifference{}, err)
				return
			}
			if p.now == nil {
				continue
			}
			for _, d := range r.compare(p) {
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}

// A pair is a device as it was kept and as the target has it; now is nil if the target does not have it.
type pair struct {
	kept DeviceConfig
	now  *DeviceConfig
}

// beside reads at the target what belongs to what was kept.
func beside(target *deviceReader, kept iter.Seq2[DeviceConfig, error]) iter.Seq2[pair, error] {
	return inOrder(kept, func(k DeviceConfig) (pair, error) {
		now, err := target.device(k.Device)
		return pair{k, now}, err
	})
}

// compare compares what was read. A kind that turned out not to be allowed is left out, whatever is there of it.
func (r *deviceReader) compare(p pair) (out []DeviceDifference) {
	id := p.kept.Device
	if r.reads(Label) {
		out = append(out, split(Label, id, difference(labelValues(p.kept), labelValues(*p.now)))...)
	}
	if r.reads(Member) {
		out = append(out, split(Member, id, difference(groupValues(p.kept), groupValues(*p.now)))...)
	}
	if r.reads(Shadow) {
		a, b := flat{}, flat{} // texts are quoted: an empty one is something, and "5" is not 5
		a.json("desired", p.kept.Desired, strconv.Quote)
		b.json("desired", p.now.Desired, strconv.Quote)
		out = append(out, split(Shadow, id, difference(a, b))...)
	}
	return out
}

func labelValues(d DeviceConfig) flat {
	f := flat{}
	for name, value := range d.Labels {
		if value == "" { // which is not the same as no label
			value = `""`
		}
		f["label."+name] = value
	}
	return f
}

func groupValues(d DeviceConfig) flat {
	f := flat{}
	for _, name := range d.Groups {
		f["group."+name] = "member"
	}
	return f
}

// split tells apart what the target does not have, what it alone has, and what is different.
func split(k Kind, id iot.DeviceID, fields []Field) (out []DeviceDifference) {
	by := map[Change][]Field{}
	for _, f := range fields {
		change := Changed
		switch {
		case f.Target == "":
			change = Missing
		case f.Source == "":
			change = Extra
		}
		by[change] = append(by[change], f)
	}
	for _, change := range slices.Sorted(maps.Keys(by)) {
		out = append(out, DeviceDifference{k, change, id, by[change]})
	}
	return out
}

// sampled keeps one of step devices, the same ones each time.
func sampled[T any](seq iter.Seq2[T, error], step uint64, of func(T) iot.DeviceID, seen *int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for x, err := range seq {
			if err == nil {
				*seen++
			}
			if err == nil && step > 1 {
				h := fnv.New64a()
				_, _ = h.Write([]byte(of(x).String())) // never fails
				if h.Sum64()%step != 0 {
					continue
				}
			}
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
}
