package carry

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
)

// A Result says what one call of [Carry] did, and what it could not.
type Result struct {
	Devices int `json:"devices"`           // records of devices it went through, in this call
	Skipped int `json:"skipped,omitempty"` // records that an earlier call went through
	Absent  int `json:"absent,omitempty"`  // devices that are not at the target: they have not moved
	Labels  int `json:"labels,omitempty"`  // devices that got labels
	Groups  int `json:"groups,omitempty"`  // groups that were created
	Members int `json:"members,omitempty"` // devices that were put into a group, once for each group
	// Differing are devices that have a label with another value at the target. It was left.
	Differing int `json:"differing,omitempty"`
	// TooMany are devices whose labels would be more than 100 with those that they have at the target. They got none.
	TooMany int `json:"tooMany,omitempty"`
	// Full counts where a device could not be put into a group, as it is in ten already.
	Full int `json:"full,omitempty"`
}

// Carry gives the labels and the groups that are kept to those devices of the products that are at the target. It creates the groups that are missing there, by
// name, parents first. When it is called again with the same name, it goes on where it was; after [Restart] it goes through all
// devices anew, such as when more of them have moved.
//
// An error is [iot.Transient] or [iot.Throttled] if the same call may work later. What was done before it stays done.
func Carry(ctx context.Context, target iot.Instance, store Store, o Options) (Result, error) {
	c := &carrier{ctx: ctx, target: target, store: store, o: o, joining: map[string][]iot.DeviceID{}}
	if err := c.prepare(); err != nil {
		return c.result, err
	}
	err := c.devices()
	return c.result, err
}

// Restart lets the next [Carry] of that name go through all devices anew.
func Restart(ctx context.Context, store Store, o Options) error {
	return store.Save(ctx, Record{Carried: &Progress{Name: o.Name}})
}

// A carrier is one call of [Carry].
type carrier struct {
	ctx     context.Context
	target  iot.Instance
	store   Store
	o       Options
	result  Result
	skip    int
	ids     map[string]string         // of the target's groups, by name
	joining map[string][]iot.DeviceID // devices of the batch, by the ID of the group they go into
}

// prepare reads how far the call before has come, and creates groups.
func (c *carrier) prepare() error {
	if c.target.Configure.Labels == nil || c.target.Config.Labels == nil {
		return &iot.Error{Kind: iot.Invalid, Op: "carry", Message: "the driver has no means to read and write labels"}
	}
	var groups []iot.DeviceGroup
	for r, err := range c.store.Records(c.ctx) {
		switch {
		case err != nil:
			return fmt.Errorf("read what is kept: %w", err)
		case r.Group != nil:
			groups = append(groups, *r.Group)
		case r.Carried != nil && r.Carried.Name == c.o.Name:
			c.skip = r.Carried.Devices
		}
	}
	return c.groups(groups)
}

// groups finds or creates the groups that are kept.
func (c *carrier) groups(kept []iot.DeviceGroup) error {
	reader, writer := c.target.Config.DeviceGroups, c.target.Configure.DeviceGroups
	if len(kept) == 0 {
		return nil
	}
	if reader == nil || writer == nil {
		return &iot.Error{Kind: iot.Invalid, Op: "carry", Message: "groups of devices are kept, and the driver has no means to read and write them"}
	}
	c.ids = map[string]string{}
	for g, err := range reader.DeviceGroups(c.ctx) {
		if err != nil {
			return fmt.Errorf("read the groups of %s: %w", c.target.Info, err)
		}
		c.ids[g.Name] = g.ID
	}
	names := map[string]string{}
	for _, g := range kept { // parents come first
		names[g.ID] = g.Name
		if c.ids[g.Name] != "" {
			continue
		}
		made := iot.DeviceGroup{Name: g.Name, Description: g.Description, Parent: c.ids[names[g.Parent]]}
		made, err := writer.CreateDeviceGroup(c.ctx, made)
		if errors.Is(err, iot.Conflict) || errors.Is(err, iot.UnknownOutcome) || errors.Is(err, iot.NotFound) {
			return later(err, "group %q is not shown by %s yet", g.Name, c.target.Info)
		}
		if err != nil {
			return fmt.Errorf("create group %q at %s: %w", g.Name, c.target.Info, err)
		}
		c.ids[g.Name] = made.ID
		c.result.Groups++
	}
	return nil
}

// later is an error after which the same call may work.
func later(cause error, format string, args ...any) error {
	return &iot.Error{Kind: iot.Transient, Op: "carry", Message: fmt.Sprintf(format, args...), Err: cause}
}

// devices goes through the records, batch by batch: what a batch needs is done before it is marked as carried.
func (c *carrier) devices() error {
	list := make([]configdiff.DeviceConfig, 0, batch)
	n := 0
	for d, err := range Kept(c.ctx, c.store, c.o.Products) {
		if err != nil {
			return err
		}
		if n++; n <= c.skip {
			c.result.Skipped++
			continue
		}
		if list = append(list, d); len(list) < batch {
			continue
		}
		if err := c.batch(list, n); err != nil {
			return err
		}
		list = list[:0]
	}
	if len(list) == 0 {
		return nil
	}
	return c.batch(list, n)
}

// batch carries some devices; n is how many records there are up to its end.
func (c *carrier) batch(list []configdiff.DeviceConfig, n int) error {
	done := make([]outcome, len(list))
	group, ctx := errgroup.WithContext(c.ctx)
	group.SetLimit(writers)
	for i, d := range list {
		group.Go(func() (err error) {
			done[i], err = c.labels(ctx, d)
			return err
		})
	}
	err := group.Wait()
	c.count(list, done)
	if err != nil {
		return err
	}
	if err := c.fill(); err != nil {
		return err
	}
	c.result.Devices += len(list)
	return c.store.Save(c.ctx, Record{Carried: &Progress{Name: c.o.Name, Devices: n}})
}

// writers is how many devices get their labels at once: it hides the network's latency, and the driver's pacer keeps the pace.
const writers = 16

// An outcome is what became of the labels of a device.
type outcome struct{ there, differs, tooMany, got bool }

// labels sets the labels that a device at the target does not have.
func (c *carrier) labels(ctx context.Context, d configdiff.DeviceConfig) (out outcome, err error) {
	now, err := c.read(ctx, d.Device)
	if now == nil || err != nil {
		return out, err
	}
	out.there = true
	missing := map[string]string{}
	for name, value := range d.Labels {
		was, ok := now.Labels[name]
		if !ok {
			missing[name] = value
		}
		out.differs = out.differs || ok && was != value
	}
	if len(missing) == 0 {
		return out, nil
	}
	if out.tooMany = len(missing)+len(now.Labels) > iot.MaxLabels; out.tooMany {
		return out, nil
	}
	switch err = c.target.Configure.Labels.SetLabels(ctx, d.Device, missing); {
	case errors.Is(err, iot.NotFound): // it has just been returned
		return outcome{}, nil
	case errors.Is(err, iot.UnknownOutcome):
		return out, later(err, "whether device %s got its labels is not known yet", d.Device)
	case err != nil:
		return out, fmt.Errorf("set the labels of device %s: %w", d.Device, err)
	}
	out.got = true
	return out, nil
}

// read reads the labels that a device has at the target already; nil if it is not there.
func (c *carrier) read(ctx context.Context, id iot.DeviceID) (now *configdiff.DeviceConfig, err error) {
	var one iter.Seq2[iot.DeviceID, error] = func(yield func(iot.DeviceID, error) bool) { yield(id, nil) }
	at := c.target.View
	at.Config.Shadows = nil // they have come along
	for d, err := range configdiff.ReadDevices(ctx, at, one, configdiff.Options{Clock: c.o.Clock}) {
		if err != nil {
			return nil, err
		}
		now = &d
	}
	return now, nil
}

// count adds up what was done, and notes the groups of the devices that are there.
func (c *carrier) count(list []configdiff.DeviceConfig, done []outcome) {
	for i, d := range list {
		switch out := done[i]; {
		case !out.there:
			c.result.Absent++
			continue
		case out.got:
			c.result.Labels++
		case out.tooMany:
			c.result.TooMany++
		}
		if done[i].differs {
			c.result.Differing++
		}
		for _, name := range d.Groups {
			if id := c.ids[name]; id != "" {
				c.joining[id] = append(c.joining[id], d.Device)
			}
		}
	}
}

// fill puts the devices of a batch into their groups.
func (c *carrier) fill() error {
	ids := make([]string, 0, len(c.joining))
	for id := range c.joining {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		for part := range slices.Chunk(c.joining[id], iot.MaxGroupDevices) {
			added, err := c.target.Configure.DeviceGroups.AddToDeviceGroup(c.ctx, id, part)
			if errors.Is(err, iot.UnknownOutcome) || errors.Is(err, iot.NotFound) { // a group that was deleted is created again
				return later(err, "whether %d devices are in group %s is not known yet", len(part), id)
			}
			if err != nil {
				return fmt.Errorf("put devices into group %s: %w", id, err)
			}
			c.result.Members += added.Added
			c.result.Full += added.Full
		}
		delete(c.joining, id)
	}
	return nil
}

// Check yields what the devices of the products do not have at the target as it was kept: labels, groups and what their shadows want. Devices that are not at
// the target are left out. It reads as many devices as Carry.
func Check(ctx context.Context, target iot.View, store Store, o Options) iter.Seq2[configdiff.DeviceDifference, error] {
	return configdiff.CompareDevices(ctx, target, Kept(ctx, store, o.Products), configdiff.Options{Clock: o.Clock, Groups: true})
}
