package tslsync_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/tslsync"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// town has two devices with twelve properties, an event and a service. A property has 10 rows an hour: pages of 100 rows
// end at whole hours, and within hours for the event with its 50 a page and 6 an hour.
func town(from, to time.Time) *shelf {
	s := newShelf()
	for _, id := range []iot.DeviceID{lamp, meter} {
		for p := range 12 {
			fillSeries(s, series{id, tslsync.PropertyReport, fmt.Sprintf("p%02d", p)}, from, to, 6*time.Minute)
		}
		fillSeries(s, series{id, tslsync.EventReport, "alarm"}, from, to, 10*time.Minute)
		fillSeries(s, series{id, tslsync.ServiceReport, "reset"}, from, to, 5*time.Hour)
	}
	return s
}

func fillSeries(s *shelf, k series, from, to time.Time, step time.Duration) {
	for at := from; at.Before(to); at = at.Add(step) {
		at := at.Truncate(time.Millisecond)
		s.rows[k] = append(s.rows[k], iot.HistoryRow{Identifier: k.identifier, At: at, Value: fmt.Appendf(nil, "%d", at.Unix()%1000)})
	}
}

func cursors(from, to time.Time) []tslsync.Cursor {
	return []tslsync.Cursor{tslsync.NewCursor(lamp, from, to), tslsync.NewCursor(meter, from, to)}
}

// TestCompareFindsGaps plants gaps of every kind. What is found must be what a plain comparison of all rows finds, and
// the number of rows planted.
func TestCompareFindsGaps(t *testing.T) {
	to := today.Truncate(time.Hour)
	from := to.Add(-30 * time.Hour)
	p03 := series{lamp, tslsync.PropertyReport, "p03"}
	alarm := series{lamp, tslsync.EventReport, "alarm"}
	nth := func(k series, n ...int) func(*shelf) func(series, iot.HistoryRow) bool {
		return func(s *shelf) func(series, iot.HistoryRow) bool {
			return func(of series, r iot.HistoryRow) bool {
				return of == k && slices.ContainsFunc(n, func(i int) bool { return s.rows[k][i].At.Equal(r.At) })
			}
		}
	}
	where := func(gone func(series, iot.HistoryRow) bool) func(*shelf) func(series, iot.HistoryRow) bool {
		return func(*shelf) func(series, iot.HistoryRow) bool { return gone }
	}
	tests := []struct {
		name        string
		gone        func(*shelf) func(series, iot.HistoryRow) bool
		rows, hours int
	}{
		{"nothing", where(func(series, iot.HistoryRow) bool { return false }), 0, 0},
		{"the first row", nth(p03, 0), 1, 1},
		{"the last row", nth(p03, 299), 1, 1},
		{"a row within", nth(p03, 255), 1, 1},
		{"the last row of a page", nth(p03, 99), 1, 1},
		{"the first row of a page", nth(p03, 100), 1, 1},
		{"rows on both sides of every page's edge", nth(p03, 99, 100, 199, 200), 4, 4},
		{"the first and last row of an hour", nth(p03, 30, 39), 2, 1},
		{"rows of an event at the edge of a page", nth(alarm, 49, 50), 2, 1},
		{"a whole page", where(func(k series, r iot.HistoryRow) bool {
			return k == p03 && !r.At.Before(from.Add(10*time.Hour)) && r.At.Before(from.Add(20*time.Hour))
		}), 100, 10},
		{"an hour of a property", where(func(k series, r iot.HistoryRow) bool {
			return k == p03 && r.At.Truncate(time.Hour).Equal(from.Add(7*time.Hour))
		}), 10, 1},
		{"an hour of all", where(func(k series, r iot.HistoryRow) bool {
			return k.report == tslsync.PropertyReport && r.At.Truncate(time.Hour).Equal(from.Add(7*time.Hour))
		}), 240, 24},
		{"a property", where(func(k series, _ iot.HistoryRow) bool { return k == p03 }), 300, 30},
		{"an event", where(func(k series, _ iot.HistoryRow) bool { return k == alarm }), 180, 30},
		{"a service", where(func(k series, _ iot.HistoryRow) bool { return k.report == tslsync.ServiceReport && k.device == meter }), 6, 6},
		{"a device's rows", where(func(k series, _ iot.HistoryRow) bool { return k.device == meter }), 3600 + 180 + 6, 13*30 + 6},
	}
	for _, tt := range tests {
		for _, repeat := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, repeat %t", tt.name, repeat), func(t *testing.T) {
				full := town(from, to)
				holed := full.without(tt.gone(full))
				full.repeat, holed.repeat = repeat, repeat

				missing := gather(t, comparison(full, holed, 12), cursors(from, to)...)
				if diff := cmp.Diff(plain(full, holed, from, to, iot.HistoryKept), missing.hours, nilIsEmpty); diff != "" {
					t.Errorf("hours (-want +got):\n%s", diff)
				}
				if got := int(missing.sum.Missing); got != tt.rows || missing.sum.Extra+missing.sum.Different > 0 {
					t.Errorf("%d rows missing, want %d; in all %+v", got, tt.rows, missing.sum)
				}
				if got := disagreeing(missing.hours); got != tt.hours {
					t.Errorf("%d hours with missing rows, want %d", got, tt.hours)
				}
				if extra := gather(t, comparison(holed, full, 12), cursors(from, to)...); int(extra.sum.Extra) != tt.rows || !extra.sum.Empty() {
					t.Errorf("the other way round: %+v, want %d extra", extra.sum, tt.rows)
				}
			})
		}
	}
}

func disagreeing(hours []tslsync.Hour) (n int) {
	for _, h := range hours {
		if !h.Agree() {
			n++
		}
	}
	return n
}

// TestCompareExpires reads around the edge of what is kept. Rows that only the other side still has are not missing.
func TestCompareExpires(t *testing.T) {
	edge := today.Add(-iot.HistoryKept)
	k := series{lamp, tslsync.PropertyReport, "p00"}
	full := newShelf()
	fillSeries(full, k, edge.Add(-2*time.Hour), edge.Add(2*time.Hour), time.Minute)
	full.put(k, edge.Add(-time.Millisecond), "1")
	kept := full.copy()
	kept.keeps = iot.HistoryKept

	cursor := tslsync.NewCursor(lamp, edge.Add(-3*time.Hour), edge.Add(2*time.Hour))
	for _, tt := range []struct {
		name           string
		source, target *shelf
	}{{"at the source", kept, full}, {"at the target", full, kept}} {
		got := gather(t, comparison(tt.source, tt.target, 1), cursor).sum.Counts
		if diff := cmp.Diff(tslsync.Counts{Equal: 120, Expired: 121}, got); diff != "" {
			t.Errorf("expired %s (-want +got):\n%s", tt.name, diff)
		}
	}

	holed := full.without(func(_ series, r iot.HistoryRow) bool { return r.At.Equal(edge) })
	if got := gather(t, comparison(kept, holed, 1), cursor).sum.Counts; got != (tslsync.Counts{Equal: 119, Missing: 1, Expired: 121}) {
		t.Errorf("the oldest row that is kept: %+v, want it missing", got)
	}
	holed.keeps = iot.HistoryKept
	if got := gather(t, comparison(holed, full, 1), cursor).sum.Counts; got != (tslsync.Counts{Equal: 119, Extra: 1, Expired: 121}) {
		t.Errorf("the oldest row that is kept: %+v, want it extra", got)
	}
	c := comparison(full, newShelf(), 1)
	c.Target.(*shelf).rows[series{lamp, tslsync.PropertyReport, "other"}] = nil
	c.TargetKeeps = 24 * time.Hour
	if got := gather(t, c, cursor).sum.Counts; got != (tslsync.Counts{Expired: 241}) {
		t.Errorf("a target that keeps a day: %+v, want all expired", got)
	}
}

func TestCompareValues(t *testing.T) {
	at := today.Add(-time.Hour)
	property := series{lamp, tslsync.PropertyReport, "p00"}
	tests := []struct {
		name           string
		source, target []string
		want           tslsync.Counts
	}{
		{"the same", []string{"1"}, []string{"1"}, tslsync.Counts{Equal: 1}},
		{"another form", []string{"1"}, []string{`"1.0"`}, tslsync.Counts{Equal: 1}},
		{"another value", []string{"1"}, []string{"1.1"}, tslsync.Counts{Different: 1}},
		{"twice at the source", []string{"1", "1"}, []string{"1"}, tslsync.Counts{Equal: 1}},
		{"twice at the target", []string{"1"}, []string{"1", "1"}, tslsync.Counts{Equal: 1}},
		{"one of two values", []string{"1", "2"}, []string{"3", "2.0"}, tslsync.Counts{Equal: 1}},
		{"none of two values", []string{"1", "2"}, []string{"3", "4"}, tslsync.Counts{Different: 1}},
		{"twice and missing", []string{"1", "1"}, nil, tslsync.Counts{Missing: 1}},
		{"twice and extra", nil, []string{"1", "2", "1"}, tslsync.Counts{Extra: 1}},
	}
	for _, tt := range tests {
		source, target := newShelf(), newShelf()
		source.rows[property], target.rows[property] = nil, nil
		for _, v := range tt.source {
			source.put(property, at, v)
		}
		for _, v := range tt.target {
			target.put(property, at, v)
		}
		got := gather(t, comparison(source, target, 1), tslsync.NewCursor(lamp, at, today)).sum.Counts
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// TestCompareServices compares input and output by themselves, by the data types of the model.
func TestCompareServices(t *testing.T) {
	speed := []tslsync.Parameter{{Identifier: "speed", Type: tslsync.DataType{Kind: tslsync.Int}}}
	model := func(string) (*tslsync.Model, error) {
		return &tslsync.Model{Blocks: []tslsync.Block{{Identifier: "fan", Features: tslsync.Features{
			Services: []tslsync.Service{{Identifier: "turn", Input: speed, Output: speed}},
		}}}}, nil
	}
	at := today.Add(-time.Hour)
	k := series{lamp, tslsync.ServiceReport, "fan:turn"}
	shelfOf := func(input, output string) *shelf {
		s := newShelf()
		s.put(k, at, output)
		s.rows[k][0].Input = []byte(input)
		return s
	}
	source := shelfOf(`{"speed":1}`, `"{\"speed\":2}"`)
	for _, tt := range []struct {
		input, output string
		want          tslsync.Counts
	}{
		{`{"speed":1.0}`, `{"speed":"2"}`, tslsync.Counts{Equal: 1}},
		{`{"speed":2}`, `{"speed":2}`, tslsync.Counts{Different: 1}},
		{`{"speed":1}`, `{"speed":1}`, tslsync.Counts{Different: 1}},
	} {
		c := comparison(source, shelfOf(tt.input, tt.output), 0)
		c.Model = model
		if got := gather(t, c, tslsync.NewCursor(lamp, at, today)).sum.Counts; got != tt.want {
			t.Errorf("%s %s: %+v, want %+v", tt.input, tt.output, got, tt.want)
		}
	}
}

// TestCompareLateRows compares again what is newer, and what differed.
func TestCompareLateRows(t *testing.T) {
	from, to := today.Add(-10*time.Hour), today.Add(-5*time.Hour)
	k := series{lamp, tslsync.PropertyReport, "p00"}
	source := newShelf()
	fillSeries(source, k, from, today, time.Minute)
	target := source.without(func(_ series, r iot.HistoryRow) bool { return r.At.After(to.Add(-90 * time.Minute)) })

	first := gather(t, comparison(source, target, 1), tslsync.NewCursor(lamp, from, to))
	late := to.Add(-30*time.Minute + 7*time.Millisecond)
	source.put(k, late, "77") // by the device's clock; it arrives only now
	target = source.copy()

	second := gather(t, comparison(source, target, 1), first.last.Newer(today, time.Hour))
	if !slices.ContainsFunc(second.hours, func(h tslsync.Hour) bool { return h.Start.Equal(late.Truncate(time.Hour)) && h.Equal == 61 }) {
		t.Errorf("the late row at %v is not compared: %+v", late, second.hours)
	}
	kept := map[time.Time]tslsync.Hour{}
	for _, h := range slices.Concat(first.hours, second.hours) {
		kept[h.Start] = h // the newer replaces the older
	}
	for start, h := range kept {
		if h.Agree() {
			continue
		}
		again := gather(t, comparison(source, target, 1), h.Cursor())
		if len(again.hours) != 1 || !again.hours[0].Start.Equal(start) {
			t.Fatalf("comparing %v again gives %+v, want that hour alone", start, again.hours)
		}
		kept[start] = again.hours[0]
	}
	for _, want := range plain(source, target, from.Truncate(time.Hour), today, iot.HistoryKept) {
		if diff := cmp.Diff(want, kept[want.Start]); diff != "" {
			t.Errorf("%v (-want +got):\n%s", want.Start, diff)
		}
	}
}

func TestCursorOfFewHoursStaysInItsSpan(t *testing.T) {
	first := tslsync.NewCursor(lamp, today.Add(-2*time.Hour), today)
	next := first.Newer(today.Add(time.Hour), 1000*time.Hour)
	if want := tslsync.NewCursor(lamp, today.Add(-2*time.Hour), today.Add(time.Hour)); cmp.Diff(want, next) != "" {
		t.Errorf("newer: %+v, want %+v", next, want)
	}
}
