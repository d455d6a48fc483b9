package aliyun

import (
	"context"
	"fmt"
	"io"
	"iter"
	"maps"

	"github.com/iotferry/iotferry/iot"
)

// A DeviceList names the devices of a product, in place of the platform's own listing.
type DeviceList struct {
	// Open opens the file. It is called once per listing, and what it returns is closed.
	Open   func() (io.ReadCloser, error)
	Format DeviceListFormat
	// Partial lets the list leave devices out: they do not exist for whoever reads the view. Without it a list that names fewer
	// devices of the product than the platform has is refused at its end, with [iot.Conflict].
	Partial bool
}

// WithDeviceLists returns v, which lists the devices of some products by files, by product key: the fastest way for a product
// with hundreds of thousands of devices, and the only one from 1,000,000 on. Rows of other products are passed over; a file
// without a column of product keys is all of that product. Use it for the source's view: what the target has is observed.
//
// A file is believed only as to names: each is read by [iot.StateReader], in batches, a name that the instance does not have is left
// out, and the status is the platform's. Devices come in the order of the file, once each.
func WithDeviceLists(v iot.View, lists map[string]DeviceList) iot.View {
	v.Registry = &listedRegistry{Registry: v.Registry, states: v.StateReader, lists: maps.Clone(lists)}
	return v
}

type listedRegistry struct {
	iot.Registry
	states iot.StateReader
	lists  map[string]DeviceList
}

func (r *listedRegistry) Devices(ctx context.Context, productKey string) iter.Seq2[iot.Device, error] {
	list, ok := r.lists[productKey]
	if !ok {
		return r.Registry.Devices(ctx, productKey)
	}
	return func(yield func(iot.Device, error) bool) {
		if err := r.read(ctx, productKey, list, func(d iot.Device) bool { return yield(d, nil) }); err != nil {
			yield(iot.Device{}, err)
		}
	}
}

// read yields the devices that a list names, until yield returns false.
func (r *listedRegistry) read(ctx context.Context, productKey string, list DeviceList, yield func(iot.Device) bool) error {
	product, err := r.Registry.Product(ctx, productKey)
	if err != nil {
		return err
	}
	file, err := list.Open()
	if err != nil {
		return fmt.Errorf("device list of product %s: %w", productKey, err)
	}
	defer func() { _ = file.Close() }() // nothing was written to it
	found := 0
	for names, err := range batches(ReadDevices(file, list.Format), productKey) {
		if err != nil {
			return fmt.Errorf("product %s: %w", productKey, err)
		}
		states, err := r.states.States(ctx, productKey, names)
		if err != nil {
			return err
		}
		found += len(states)
		for _, s := range states {
			if !yield(iot.Device{ID: s.ID, Status: s.Status}) {
				return nil
			}
		}
	}
	if found < product.Devices && !list.Partial {
		return &iot.Error{Kind: iot.Conflict, Message: fmt.Sprintf(
			"product %s has %d devices, and its device list names %d of them: export the list again, or set DeviceList.Partial",
			productKey, product.Devices, found)}
	}
	return nil
}

// batches yields the names of a product's devices, each once, as many at a time as States takes.
func batches(rows iter.Seq2[iot.DeviceID, error], productKey string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		seen := map[string]bool{}
		var batch []string
		for id, err := range rows {
			if err != nil {
				yield(nil, err)
				return
			}
			if id.ProductKey != "" && id.ProductKey != productKey || seen[id.DeviceName] {
				continue
			}
			seen[id.DeviceName] = true
			if batch = append(batch, id.DeviceName); len(batch) == iot.MaxStates {
				if !yield(batch, nil) {
					return
				}
				batch = nil
			}
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}
