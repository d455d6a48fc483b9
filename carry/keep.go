package carry

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
)

// Options say what to keep and to carry.
type Options struct {
	// Products are the keys of the products whose devices are kept or carried; none means none.
	Products []string
	// Name tells several who carry from one store apart: each goes through the records by itself. A lane's ID is a good one.
	Name string
	// Clock is used for waiting before something is read again; nil means real time.
	Clock iot.Clock
}

// batch is how many devices are saved, or marked as carried, at a time.
const batch = 500

// Keep reads what the devices of the products have on the source, and saves it. It has to end before the first of them moves. A product that is
// kept already is left as it is; of one that is kept in part, the rest is read. A driver that reads neither labels nor groups is [iot.Invalid].
func Keep(ctx context.Context, source iot.View, store Store, o Options) error {
	if source.Config.Labels == nil && source.Config.DeviceGroups == nil {
		return &iot.Error{Kind: iot.Invalid, Op: "keep", Message: "the driver reads neither labels nor groups of devices"}
	}
	known, err := readKept(ctx, store, o.Products)
	if err != nil {
		return err
	}
	if err := keepGroups(ctx, source, store, known); err != nil { // also if there is no product
		return err
	}
	for _, key := range o.Products {
		if known.products[key] {
			continue
		}
		err := keepProduct(ctx, source, store, o, key, known.devices[key])
		if err == nil { // devices may be in groups that were created meanwhile
			err = keepGroups(ctx, source, store, known)
		}
		if err == nil {
			err = store.Save(ctx, Record{Kept: key})
		}
		if err != nil {
			return fmt.Errorf("keep the devices of %s: %w", key, err)
		}
		known.products[key] = true
	}
	return nil
}

// kept is what is in a store already.
type kept struct {
	products map[string]bool
	devices  map[string]map[string]bool // names, of products that are kept in part
	groups   map[string]iot.DeviceGroup // by ID, as they were last
}

func readKept(ctx context.Context, store Store, products []string) (*kept, error) {
	k := &kept{products: map[string]bool{}, devices: map[string]map[string]bool{}, groups: map[string]iot.DeviceGroup{}}
	for _, key := range products {
		k.devices[key] = map[string]bool{}
	}
	for r, err := range store.Records(ctx) {
		switch {
		case err != nil:
			return nil, fmt.Errorf("read what is kept: %w", err)
		case r.Group != nil:
			k.groups[r.Group.ID] = *r.Group
		case r.Device != nil:
			if names := k.devices[r.Device.Device.ProductKey]; names != nil {
				names[r.Device.Device.DeviceName] = true
			}
		case r.Kept != "":
			k.products[r.Kept] = true
			delete(k.devices, r.Kept)
		}
	}
	return k, nil
}

func keepGroups(ctx context.Context, source iot.View, store Store, known *kept) error {
	if source.Config.DeviceGroups == nil {
		return nil
	}
	var records []Record
	for g, err := range source.Config.DeviceGroups.DeviceGroups(ctx) {
		if err != nil {
			return fmt.Errorf("keep the groups of devices: %w", err)
		}
		if known.groups[g.ID] != g {
			records = append(records, Record{Group: &g})
		}
	}
	if len(records) == 0 {
		return nil
	}
	if err := store.Save(ctx, records...); err != nil {
		return err
	}
	for _, r := range records {
		known.groups[r.Group.ID] = *r.Group
	}
	return nil
}

func keepProduct(ctx context.Context, source iot.View, store Store, o Options, key string, have map[string]bool) error {
	var ids iter.Seq2[iot.DeviceID, error] = func(yield func(iot.DeviceID, error) bool) {
		for d, err := range source.Devices(ctx, key) {
			if (err != nil || !have[d.ID.DeviceName]) && !yield(d.ID, err) {
				return
			}
		}
	}
	records := make([]Record, 0, batch)
	for d, err := range configdiff.ReadDevices(ctx, source, ids, configdiff.Options{Clock: o.Clock, Groups: true}) {
		if err != nil {
			return errors.Join(err, store.Save(ctx, records...))
		}
		if records = append(records, Record{Device: &d}); len(records) == batch {
			if err := store.Save(ctx, records...); err != nil {
				return err
			}
			records = records[:0]
		}
	}
	return store.Save(ctx, records...)
}

// Kept yields what a store holds of the devices of products, in the order in which they were kept: for [configdiff.Options].Kept.
func Kept(ctx context.Context, store Store, products []string) iter.Seq2[configdiff.DeviceConfig, error] {
	wanted := map[string]bool{}
	for _, key := range products {
		wanted[key] = true
	}
	return func(yield func(configdiff.DeviceConfig, error) bool) {
		for r, err := range store.Records(ctx) {
			if err != nil {
				yield(configdiff.DeviceConfig{}, fmt.Errorf("read what is kept: %w", err))
				return
			}
			if r.Device != nil && wanted[r.Device.Device.ProductKey] && !yield(*r.Device, nil) {
				return
			}
		}
	}
}
