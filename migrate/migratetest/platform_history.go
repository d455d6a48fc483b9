package migratetest

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// battery is a device that has reported since before the platform began.
func battery() iot.DeviceID {
	return iot.DeviceID{ProductKey: ThingModelProduct, DeviceName: "battery-0000"}
}

// platformHistory reads what a device reported, in pages.
func platformHistory(ctx context.Context, b *platformBench) error {
	at, now := b.Platform.Source, b.clock.Now()
	read := func(from, to time.Time) ([]iot.HistoryRow, error) {
		return b.pages("PropertyHistory", "QueryDevicePropertiesData", iot.MaxHistoryRows, from, func(from time.Time) (iot.HistoryPage, error) {
			return at.PropertyHistory(ctx, battery(), []string{"Charge"}, from, to)
		})
	}
	rows, err := read(now.Add(-5*time.Hour), now)
	if err != nil {
		return err
	}
	if len(rows) < 250 {
		return fmt.Errorf("contract of PropertyHistory: %d rows of 5 hours, want one a minute", len(rows))
	}
	for i, r := range rows {
		if r.Identifier != "Charge" || r.Input != nil || !json.Valid(r.Value) || r.At.Location() != time.UTC {
			return fmt.Errorf("contract of PropertyHistory: row %d is %+v", i, r)
		}
	}
	part, err := read(rows[20].At, rows[220].At)
	if err != nil {
		return err
	}
	if err := differ("PropertyHistory, from the first row on and without the last", rows[20:220], part); err != nil {
		return err
	}
	old, err := at.PropertyHistory(ctx, battery(), []string{"Charge"}, now.AddDate(0, -3, 0), now)
	if err != nil || len(old.Rows) == 0 || old.Rows[0].At.Before(now.Add(-iot.HistoryKept-time.Minute)) {
		return fmt.Errorf("contract of PropertyHistory of 3 months: got %d rows, %v; want those of %v", len(old.Rows), err, iot.HistoryKept)
	}
	if err := platformServiceHistory(ctx, b); err != nil {
		return err
	}
	return platformNoHistory(ctx, b)
}

// pages reads page by page, each by one call, and leaves out of each what comes again.
func (b *platformBench) pages(
	what, api string, size int, from time.Time, read func(from time.Time) (iot.HistoryPage, error),
) ([]iot.HistoryRow, error) {
	var list []iot.HistoryRow
	for {
		before := b.calls(api)
		page, err := read(from)
		n := b.calls(api) - before
		switch {
		case err != nil:
			return nil, fmt.Errorf("contract of %s: %w", what, err)
		case n != 1:
			return nil, fmt.Errorf("contract of %s: %d calls of %s for a page, want 1", what, n, api)
		case len(page.Rows) > size:
			return nil, fmt.Errorf("contract of %s: a page of %d rows, want %d at most", what, len(page.Rows), size)
		case !page.Next.IsZero() && !page.Next.After(from):
			return nil, fmt.Errorf("contract of %s: the page from %v is followed by one from %v", what, from, page.Next)
		}
		for _, r := range page.Rows {
			if r.At.Before(from) || len(list) > 0 && r.At.Before(list[len(list)-1].At) {
				return nil, fmt.Errorf("contract of %s: the row of %v is out of order", what, r.At)
			}
			if page.Next.IsZero() || r.At.Before(page.Next) {
				list = append(list, r)
			}
		}
		if from = page.Next; from.IsZero() {
			return list, nil
		}
	}
}

// platformServiceHistory calls a service more often than fits on a page.
func platformServiceHistory(ctx context.Context, b *platformBench) error {
	at, from := b.Platform.Source, b.clock.Now()
	const calls = iot.MaxHistoryRecords + 10
	for n := range calls {
		if _, err := at.Invoke(ctx, battery(), "Check", json.RawMessage(`{}`)); err != nil {
			return fmt.Errorf("contract of Invoke, call %d: %w", n, err)
		}
		b.clock.Advance(time.Second)
	}
	rows, err := b.pages("ServiceHistory", "QueryDeviceServiceData", iot.MaxHistoryRecords, from, func(from time.Time) (iot.HistoryPage, error) {
		return at.ServiceHistory(ctx, battery(), "Check", from, b.clock.Now())
	})
	if err != nil {
		return err
	}
	if len(rows) != calls {
		return fmt.Errorf("contract of ServiceHistory: %d rows, want %d", len(rows), calls)
	}
	for i, r := range rows {
		if !json.Valid(r.Value) || !json.Valid(r.Input) || r.Identifier != "Check" {
			return fmt.Errorf("contract of ServiceHistory: row %d is %+v", i, r)
		}
	}
	return nil
}

// platformNoHistory asks for what is not there, and for what cannot be asked.
func platformNoHistory(ctx context.Context, b *platformBench) error {
	at, to := b.Platform.Source, b.clock.Now()
	from := to.Add(-time.Hour)
	page, err := at.EventHistory(ctx, battery(), "Nothing", from, to)
	if err != nil || len(page.Rows) > 0 || !page.Next.IsZero() {
		return fmt.Errorf("contract of EventHistory of an event that is not in the model: got %+v, %v; want an empty page", page, err)
	}
	nobody := iot.DeviceID{ProductKey: ThingModelProduct, DeviceName: "no-such-device"}
	_, err = at.PropertyHistory(ctx, nobody, []string{"Charge"}, from, to)
	if err := refused("PropertyHistory of no device", err, iot.NotFound); err != nil {
		return err
	}
	_, err = b.Platform.Target.EventHistory(ctx, battery(), "Nothing", from, to)
	if err := refused("EventHistory at the other instance", err, iot.NotFound); err != nil {
		return err
	}
	for _, c := range []namedCall{
		{"PropertyHistory of 11 properties", func() error {
			_, err := at.PropertyHistory(ctx, battery(), make([]string, iot.MaxHistoryProperties+1), from, to)
			return err
		}},
		{"PropertyHistory of none", func() error {
			_, err := at.PropertyHistory(ctx, battery(), nil, from, to)
			return err
		}},
		{"ServiceHistory of no time", func() error {
			_, err := at.ServiceHistory(ctx, battery(), "Check", to, to)
			return err
		}},
	} {
		if err := b.silent(c.name, func() error { return refused(c.name, c.do(), iot.Invalid) }); err != nil {
			return err
		}
	}
	return nil
}

// platformVersions reads the published versions of a model.
func platformVersions(ctx context.Context, b *platformBench) error {
	at := b.Platform.Source
	versions, err := at.ModelVersions(ctx, ThingModelProduct)
	if err != nil || len(versions) == 0 {
		return fmt.Errorf("contract of ModelVersions: got %v, %v; want one at least", versions, err)
	}
	model, err := at.ThingModelVersion(ctx, ThingModelProduct, versions[0].Version)
	if err != nil || !json.Valid(model) {
		return fmt.Errorf("contract of ThingModelVersion %s: got %s, %v", versions[0].Version, model, err)
	}
	if none, err := at.ModelVersions(ctx, DirectProduct); err != nil || len(none) > 0 {
		return fmt.Errorf("contract of ModelVersions of a product without a model: got %v, %v; want nothing", none, err)
	}
	_, err = at.ModelVersions(ctx, "a1Nothing01")
	if err := refused("ModelVersions of no product", err, iot.NotFound); err != nil {
		return err
	}
	_, err = at.ThingModelVersion(ctx, ThingModelProduct, "v0.0.0")
	return refused("ThingModelVersion that does not exist", err, iot.NotFound)
}
