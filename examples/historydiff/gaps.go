package main

import (
	"context"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// gaps is a target to which not everything was copied: ten minutes of all properties are missing, and four hours of all events.
type gaps struct {
	iot.HistoryReader
	since time.Time
}

func (g gaps) PropertyHistory(ctx context.Context, id iot.DeviceID, identifiers []string, from, to time.Time) (iot.HistoryPage, error) {
	page, err := g.HistoryReader.PropertyHistory(ctx, id, identifiers, from, to)
	return g.without(page, 50*time.Hour, 50*time.Hour+10*time.Minute), err
}

func (g gaps) EventHistory(ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time) (iot.HistoryPage, error) {
	page, err := g.HistoryReader.EventHistory(ctx, id, identifier, from, to)
	return g.without(page, 96*time.Hour, 100*time.Hour), err
}

// without takes rows of a time after the switch out of a page.
func (g gaps) without(page iot.HistoryPage, from, to time.Duration) iot.HistoryPage {
	page.Rows = slices.DeleteFunc(page.Rows, func(r iot.HistoryRow) bool {
		after := r.At.Sub(g.since)
		return from <= after && after < to
	})
	return page
}
