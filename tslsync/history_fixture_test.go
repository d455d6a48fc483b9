package tslsync_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/tslsync"
)

const day = 24 * time.Hour

var (
	lamp  = iot.DeviceID{ProductKey: "a1LampPk001", DeviceName: "lamp-0001"}
	meter = iot.DeviceID{ProductKey: "a1LampPk001", DeviceName: "meter-0002"}

	// today is when the tests read, in the middle of an hour.
	today = time.Date(2026, 5, 31, 10, 20, 30, 0, time.UTC)
)

// series names what one identifier of a device reported.
type series struct {
	device     iot.DeviceID
	report     tslsync.Report
	identifier string
}

// shelf is the history of one instance, with the paging that the platform documents. The zero value of its limits is the platform's.
type shelf struct {
	rows  map[series][]iot.HistoryRow // ascending
	keeps time.Duration
	// repeat puts rows after Next into pages as well.
	repeat              bool
	maxRows, maxRecords int
	before              func(ctx context.Context, api string, from time.Time) error
	spoil               func(*iot.HistoryPage)
	mu                  sync.Mutex
	calls               int
}

func newShelf() *shelf {
	return &shelf{rows: map[series][]iot.HistoryRow{}, maxRows: iot.MaxHistoryRows, maxRecords: iot.MaxHistoryRecords}
}

// put adds a row; at its place among those that are there.
func (s *shelf) put(k series, at time.Time, value string) {
	row := iot.HistoryRow{Identifier: k.identifier, At: at, Value: json.RawMessage(value)}
	i, _ := slices.BinarySearchFunc(s.rows[k], at.Add(1), func(r iot.HistoryRow, t time.Time) int { return r.At.Compare(t) })
	s.rows[k] = slices.Insert(s.rows[k], i, row)
}

// without returns a copy that lacks some rows.
func (s *shelf) without(gone func(series, iot.HistoryRow) bool) *shelf {
	out := newShelf()
	for k, rows := range s.rows {
		out.rows[k] = slices.DeleteFunc(slices.Clone(rows), func(r iot.HistoryRow) bool { return gone(k, r) })
	}
	return out
}

func (s *shelf) copy() *shelf { return s.without(func(series, iot.HistoryRow) bool { return false }) }

func (s *shelf) has(id iot.DeviceID) bool {
	for k := range s.rows {
		if k.device == id {
			return true
		}
	}
	return false
}

func (s *shelf) read(ctx context.Context, api string, id iot.DeviceID, report tslsync.Report, identifiers []string, from, to time.Time, limit int) (iot.HistoryPage, error) {
	s.mu.Lock()
	s.calls++
	s.mu.Unlock()
	if s.before != nil {
		if err := s.before(ctx, api, from); err != nil {
			return iot.HistoryPage{}, err
		}
	}
	if !s.has(id) {
		return iot.HistoryPage{}, &iot.Error{Kind: iot.NotFound, Op: api, Message: "no such device"}
	}
	var page iot.HistoryPage
	var all [][]iot.HistoryRow
	for _, identifier := range identifiers {
		rows := within(s.rows[series{id, report, identifier}], s.oldest(from), to)
		if len(rows) > limit {
			if next := rows[limit].At; page.Next.IsZero() || next.Before(page.Next) {
				page.Next = next
			}
			rows = rows[:limit]
		}
		all = append(all, rows)
	}
	for _, rows := range all {
		if !page.Next.IsZero() && !s.repeat {
			rows = within(rows, from, page.Next)
		}
		page.Rows = append(page.Rows, rows...)
	}
	if s.spoil != nil {
		s.spoil(&page)
	}
	return page, nil
}

func (s *shelf) oldest(from time.Time) time.Time {
	if s.keeps > 0 && from.Before(today.Add(-s.keeps)) {
		return today.Add(-s.keeps)
	}
	return from
}

func within(rows []iot.HistoryRow, from, to time.Time) []iot.HistoryRow {
	find := func(t time.Time) int {
		i, _ := slices.BinarySearchFunc(rows, t, func(r iot.HistoryRow, t time.Time) int { return r.At.Compare(t) })
		return i
	}
	return rows[find(from):max(find(from), find(to))]
}

func (s *shelf) PropertyHistory(ctx context.Context, id iot.DeviceID, identifiers []string, from, to time.Time) (iot.HistoryPage, error) {
	if len(identifiers) == 0 || len(identifiers) > iot.MaxHistoryProperties {
		return iot.HistoryPage{}, &iot.Error{Kind: iot.Invalid, Message: "number of identifiers"}
	}
	return s.read(ctx, "QueryDevicePropertiesData", id, tslsync.PropertyReport, identifiers, from, to, s.maxRows)
}

func (s *shelf) EventHistory(ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time) (iot.HistoryPage, error) {
	return s.read(ctx, "QueryDeviceEventData", id, tslsync.EventReport, []string{identifier}, from, to, s.maxRecords)
}

func (s *shelf) ServiceHistory(ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time) (iot.HistoryPage, error) {
	return s.read(ctx, "QueryDeviceServiceData", id, tslsync.ServiceReport, []string{identifier}, from, to, s.maxRecords)
}

// stopped is a clock that stands at today.
type stopped struct{}

func (stopped) Now() time.Time                                   { return today }
func (stopped) WaitUntil(ctx context.Context, _ time.Time) error { return ctx.Err() }

// modelOf has so many properties of type double, p00 and on, the event alarm and the service reset, and those that stand for
// the properties themselves.
func modelOf(properties int) func(string) (*tslsync.Model, error) {
	m := &tslsync.Model{Features: tslsync.Features{
		Events:   []tslsync.Event{{Identifier: "post", Method: "thing.event.property.post"}, {Identifier: "alarm", Method: "thing.event.alarm.post"}},
		Services: []tslsync.Service{{Identifier: "set", Method: "thing.service.property.set"}, {Identifier: "reset", Method: "thing.service.reset"}},
	}}
	for i := range properties {
		m.Properties = append(m.Properties, tslsync.Property{Parameter: tslsync.Parameter{
			Identifier: fmt.Sprintf("p%02d", i), Type: tslsync.DataType{Kind: tslsync.Double},
		}})
	}
	return func(string) (*tslsync.Model, error) { return m, nil }
}

func comparison(source, target iot.HistoryReader, properties int) tslsync.Comparison {
	return tslsync.Comparison{Source: source, Target: target, Model: modelOf(properties), Clock: stopped{}}
}

// result is what a comparison brought in all.
type result struct {
	hours  []tslsync.Hour
	sum    tslsync.Difference
	calls  int
	absent []tslsync.Side
	last   tslsync.Cursor
}

func (r *result) add(s tslsync.Step) {
	r.hours = append(r.hours, s.Hours...)
	r.calls += s.Calls
	r.absent = append(r.absent, s.Absent...)
	r.last = s.Cursor
	r.sum.Add(s)
}

// gather runs a comparison to its end.
func gather(t testing.TB, c tslsync.Comparison, cursors ...tslsync.Cursor) result {
	t.Helper()
	var r result
	for step, err := range tslsync.Compare(t.Context(), c, slices.Values(cursors)) {
		if err != nil {
			t.Fatal(err)
		}
		r.add(step)
	}
	sortHours(r.hours)
	return r
}

func sortHours(hours []tslsync.Hour) {
	slices.SortFunc(hours, func(a, b tslsync.Hour) int {
		return cmp.Or(a.Device.Compare(b.Device), cmp.Compare(a.Report, b.Report), cmp.Compare(a.Identifier, b.Identifier), a.Start.Compare(b.Start))
	})
}

type hourKey struct {
	series
	start time.Time
}

// plain compares two shelves without pages, with values as text: what a comparison has to find. Rows are from from on, up to to.
func plain(source, target *shelf, from, to time.Time, keeps time.Duration) []tslsync.Hour {
	found := map[hourKey]*tslsync.Hour{}
	for k := range both(source.rows, target.rows) {
		a, b := byTime(within(source.rows[k], from, to)), byTime(within(target.rows[k], from, to))
		for at := range both(a, b) {
			key := hourKey{k, at.Truncate(time.Hour)}
			if found[key] == nil {
				found[key] = &tslsync.Hour{Device: k.device, Report: k.report, Identifier: k.identifier, Start: key.start}
			}
			tally(found[key], at, a[at], b[at], at.Before(today.Add(-keeps)))
		}
	}
	var out []tslsync.Hour
	for _, h := range found {
		out = append(out, *h)
	}
	sortHours(out)
	return out
}

func tally(h *tslsync.Hour, at time.Time, a, b []string, old bool) {
	shared := slices.ContainsFunc(a, func(v string) bool { return slices.Contains(b, v) })
	switch {
	case shared:
		h.Equal++
		return
	case old && (len(a) == 0 || len(b) == 0):
		h.Expired++
		return
	case len(a) == 0:
		h.Extra++
	case len(b) == 0:
		h.Missing++
	default:
		h.Different++
	}
	if h.First.IsZero() || at.Before(h.First) {
		h.First = at
	}
}

func both[K comparable, V any](a, b map[K]V) iter.Seq[K] {
	all := map[K]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return maps.Keys(all)
}

func byTime(rows []iot.HistoryRow) map[time.Time][]string {
	out := map[time.Time][]string{}
	for _, r := range rows {
		out[r.At] = append(out[r.At], string(r.Value))
	}
	return out
}

var nilIsEmpty = cmpopts.EquateEmpty()
