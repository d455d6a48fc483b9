package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/tslsync"
)

// window is how long data synchronisation has run. Rows take a moment: the last hour is left out.
const (
	window = tslsync.MinWindow
	late   = time.Hour
)

// An account is both instances while data synchronisation runs.
type account struct {
	platform iot.Platform
	products []string // those with a thing model
	since    time.Time
	clock    iot.Clock
}

// synchronised opens a fleet, moves one device of each product with a thing model, as the platform asks for, switches data
// synchronisation on and lets the window pass.
func synchronised(ctx context.Context, f flags) (*account, error) {
	file, err := open(f.fleet)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	cloud, err := migratetest.Open(file, migratetest.Options{Clock: clock, NoQuotas: true}) // both sides are read at once, on a clock that jumps
	if err != nil {
		return nil, err
	}
	a := &account{platform: cloud.Platform(), clock: clock}
	if err := a.synchronise(ctx, cloud.Operator()); err != nil {
		return nil, err
	}
	a.since = clock.Now()
	clock.Advance(window)
	if f.gaps {
		a.platform.Target.HistoryReader = gaps{a.platform.Target.HistoryReader, a.since}
	}
	return a, nil
}

func open(name string) (io.ReadCloser, error) {
	if name == "" {
		return fleets.Open("s4-tsl.json")
	}
	return os.Open(name)
}

// synchronise performs what a campaign asks an operator for.
func (a *account) synchronise(ctx context.Context, operator migrate.Operator) error {
	first := map[string][]string{}
	for p, err := range a.platform.Source.Products(ctx) {
		if err != nil {
			return err
		}
		for d, err := range a.platform.Source.Devices(ctx, p.Key) {
			if err != nil {
				return err
			}
			if p.DataFormat == iot.Alink && p.NodeType == iot.Direct {
				a.products = append(a.products, p.Key)
				first[p.Key] = []string{d.ID.DeviceName}
			}
			break
		}
	}
	if len(a.products) == 0 {
		return &iot.Error{Kind: iot.Invalid, Message: "the fleet has no direct devices with a thing model: there is no history to compare"}
	}
	for _, kind := range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray, migrate.ConsoleConfirm, migrate.ConsoleDataSync} {
		task := migrate.ConsoleTask{Kind: kind, Target: a.platform.Target.Info}
		for _, key := range a.products {
			product := migrate.ConsoleProduct{ProductKey: key}
			if kind == migrate.ConsoleGray {
				product.DeviceNames = first[key]
			}
			task.Products = append(task.Products, product)
		}
		if err := operator.Perform(ctx, task); err != nil {
			return err
		}
	}
	return nil
}

// models compares all published versions of the thing models and returns how many changes there are.
func (a *account) models(ctx context.Context, out printer) (changes int, err error) {
	for _, key := range a.products {
		source, err := tslsync.ReadVersions(ctx, a.platform.Source, key)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", a.platform.Source.Info, err)
		}
		target, err := tslsync.ReadVersions(ctx, a.platform.Target, key)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", a.platform.Target.Info, err)
		}
		diffs, err := tslsync.DiffVersions(source, target)
		if err != nil {
			return 0, fmt.Errorf("thing model of %s: %w", key, err)
		}
		for _, v := range diffs {
			changes += len(v.Changes)
			if err := out.model(key, v); err != nil {
				return 0, err
			}
		}
	}
	return changes, nil
}

func model(ctx context.Context, at iot.View, productKey string) (*tslsync.Model, error) {
	text, err := at.ThingModel(ctx, productKey)
	if err != nil {
		return nil, fmt.Errorf("thing model of %s at %s: %w", productKey, at.Info, err)
	}
	m, err := tslsync.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("thing model of %s at %s: %w", productKey, at.Info, err)
	}
	return m, nil
}

// history compares what devices reported since data synchronisation was switched on. A real program stores the cursor
// of each step, and goes on from there when it is started again.
func (a *account) history(ctx context.Context, devices int, out printer) (tslsync.Difference, error) {
	var all tslsync.Difference
	var failed error
	sample := tslsync.Sample(a.devices(ctx, &failed), devices, 1)
	if failed != nil {
		return all, failed
	}
	first := a.since.Add(time.Hour).Truncate(time.Hour) // the whole hours since
	var cursors []tslsync.Cursor
	for _, id := range sample {
		cursors = append(cursors, tslsync.NewCursor(id, first, a.since.Add(window-late)))
	}
	both := tslsync.Comparison{
		Source: a.platform.Source, Target: a.platform.Target, Clock: a.clock,
		Model: func(key string) (*tslsync.Model, error) { return model(ctx, a.platform.Source.View, key) },
	}
	for step, err := range tslsync.Compare(ctx, both, slices.Values(cursors)) {
		if err != nil {
			return all, err
		}
		all.Add(step)
		if err := out.step(step); err != nil {
			return all, err
		}
	}
	return all, nil
}

// devices yields those that still live at the source.
func (a *account) devices(ctx context.Context, failed *error) iter.Seq[iot.DeviceID] {
	return func(yield func(iot.DeviceID) bool) {
		for _, key := range a.products {
			for d, err := range a.platform.Source.Devices(ctx, key) {
				if err != nil {
					*failed = err
					return
				}
				if !yield(d.ID) {
					return
				}
			}
		}
	}
}
