package verify

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/tslsync"
)

// A deviceList is what a pass compares.
type deviceList struct {
	to    time.Time // of the pass
	total int
	ids   []iot.DeviceID
}

// devices lists the devices of a pass, once for as long as the process lives. Which ones are drawn depends on the seed alone.
func (c *synchronised) devices(ctx context.Context, w *migrate.Waiting, p *pass) (deviceList, error) {
	c.mu.Lock()
	list, ok := c.lists[w.Campaign+"\x00"+w.Lane.ID]
	c.mu.Unlock()
	if ok && list.to.Equal(p.To) {
		return list, nil
	}
	var all []iot.DeviceID
	for d, err := range alinkDevices(ctx, w) {
		if err != nil {
			return deviceList{}, err
		}
		all = append(all, d.ID)
	}
	n, err := c.draw(w.Lane, len(all))
	if err != nil {
		return deviceList{}, err
	}
	list = deviceList{to: p.To, total: len(all), ids: tslsync.Sample(slices.Values(all), n, c.Seed)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lists[w.Campaign+"\x00"+w.Lane.ID] = list
	return list, nil
}

// alinkDevices yields the devices of the lane's products with a thing model that live at the source. After an error it ends.
func alinkDevices(ctx context.Context, w *migrate.Waiting) iter.Seq2[iot.Device, error] {
	return func(yield func(iot.Device, error) bool) {
		for _, p := range w.Lane.Products {
			if p.DataFormat != iot.Alink {
				continue
			}
			for d, err := range w.Source.Devices(ctx, p.Key) {
				if err != nil {
					yield(iot.Device{}, fmt.Errorf("verify: list devices of %s at %s: %w", p.Key, w.Source.Info, err))
					return
				}
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}

// comparison reads both sides by turns, as the quota is one.
func (c *synchronised) comparison(ctx context.Context, w *migrate.Waiting) (tslsync.Comparison, error) {
	pacer, err := c.pace(w.Clock)
	if err != nil {
		return tslsync.Comparison{}, err
	}
	turn := make(chan struct{}, 1)
	turn <- struct{}{}
	return tslsync.Comparison{
		Source: inTurn{w.Source.HistoryReader, pacer, turn}, Target: inTurn{w.Target.HistoryReader, pacer, turn}, Clock: w.Clock,
		Model: func(productKey string) (*tslsync.Model, error) { return modelAt(ctx, w.Source.View, productKey) },
	}, nil
}

// inTurn lets one call go at a time, at the pace of its share: the other side waits for its turn, not for the clock.
type inTurn struct {
	reader iot.HistoryReader
	pacer  iot.Pacer
	turn   chan struct{} // holds the one token while nobody calls
}

// call waits for the turn, and then for the pace.
func (r inTurn) call(ctx context.Context, api string, read func() (iot.HistoryPage, error)) (iot.HistoryPage, error) {
	select {
	case <-r.turn:
		defer func() { r.turn <- struct{}{} }()
	case <-ctx.Done():
		return iot.HistoryPage{}, ctx.Err()
	}
	if err := r.pacer.Wait(ctx, api); err != nil {
		return iot.HistoryPage{}, err
	}
	page, err := read()
	if iot.KindOf(err) == iot.Throttled {
		r.pacer.Throttled(api)
	}
	return page, err
}

func (r inTurn) PropertyHistory(ctx context.Context, id iot.DeviceID, identifiers []string, from, to time.Time) (iot.HistoryPage, error) {
	return r.call(ctx, "QueryDevicePropertiesData", func() (iot.HistoryPage, error) {
		return r.reader.PropertyHistory(ctx, id, identifiers, from, to)
	})
}

func (r inTurn) EventHistory(ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time) (iot.HistoryPage, error) {
	return r.call(ctx, "QueryDeviceEventData", func() (iot.HistoryPage, error) {
		return r.reader.EventHistory(ctx, id, identifier, from, to)
	})
}

func (r inTurn) ServiceHistory(ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time) (iot.HistoryPage, error) {
	return r.call(ctx, "QueryDeviceServiceData", func() (iot.HistoryPage, error) {
		return r.reader.ServiceHistory(ctx, id, identifier, from, to)
	})
}
