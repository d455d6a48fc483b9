package tslsync_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/tslsync"
)

// TestCompareReadsOldestFirst: within a device no call begins before one that was made earlier, however many streams there are.
func TestCompareReadsOldestFirst(t *testing.T) {
	from := today.Add(-48 * time.Hour).Truncate(time.Hour)
	source := town(from, today)
	var begins []time.Time
	source.before = func(_ context.Context, _ string, from time.Time) error {
		begins = append(begins, from)
		return nil
	}
	gather(t, comparison(source, town(from, today), 12), tslsync.NewCursor(lamp, from, today))
	if !slices.IsSortedFunc(begins, time.Time.Compare) || len(begins) < 10 {
		t.Errorf("calls begin at %v, want ascending", begins)
	}

	behind := tslsync.NewCursor(meter, from, today)
	ahead := tslsync.NewCursor(lamp, from, today)
	ahead.Streams = []tslsync.Stream{{Report: tslsync.EventReport, Identifiers: []string{"alarm"}, At: from.Add(time.Hour)}}
	done := tslsync.Cursor{From: from, To: today, Done: true}
	list := []tslsync.Cursor{done, ahead, behind}
	tslsync.SortByAge(list)
	if diff := cmp.Diff([]tslsync.Cursor{behind, ahead, done}, list); diff != "" {
		t.Errorf("by age (-want +got):\n%s", diff)
	}
}

// TestCompareReadsBothSidesAtOnce: each side answers only once the other is asked.
func TestCompareReadsBothSidesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, target := newShelf(), newShelf()
		k := series{lamp, tslsync.PropertyReport, "p00"}
		source.put(k, today.Add(-time.Hour), "1")
		target.put(k, today.Add(-time.Hour), "1")
		meet := make(chan struct{})
		source.before = func(context.Context, string, time.Time) error { meet <- struct{}{}; return nil }
		target.before = func(context.Context, string, time.Time) error { <-meet; return nil }
		if got := gather(t, comparison(source, target, 1), tslsync.NewCursor(lamp, today.Add(-2*time.Hour), today)); got.sum.Equal != 1 {
			t.Errorf("found %+v, want one equal row", got.sum)
		}
	})
}

// TestCompareReadsNoPageTwice: a side that has little is not asked again while the other is read on.
func TestCompareReadsNoPageTwice(t *testing.T) {
	from := today.Add(-20 * time.Hour).Truncate(time.Hour)
	k := series{lamp, tslsync.PropertyReport, "p00"}
	full, empty := newShelf(), newShelf()
	fillSeries(full, k, from, from.Add(1000*time.Minute), time.Minute)
	empty.rows[k] = nil
	for _, sides := range [][2]*shelf{{full, empty}, {empty, full}} {
		full.calls, empty.calls = 0, 0
		gather(t, comparison(sides[0], sides[1], 1), tslsync.NewCursor(lamp, from, today))
		if full.calls != 10+2 || empty.calls != 1+2 { // the event and the service take one call each
			t.Errorf("%d calls for ten pages, %d for none", full.calls-2, empty.calls-2)
		}
	}
}

// TestCompareGivesHoursAtOnce: an hour that ends where a page ends is given with that page.
func TestCompareGivesHoursAtOnce(t *testing.T) {
	from := today.Add(-20 * time.Hour).Truncate(time.Hour)
	source := town(from, today)
	for step, err := range tslsync.Compare(t.Context(), comparison(source, source.copy(), 10), slices.Values(cursors(from, today))) {
		if err != nil {
			t.Fatal(err)
		}
		if len(step.Hours) != 10*10 || !step.Cursor.Streams[0].At.Equal(from.Add(10*time.Hour)) || len(step.Cursor.Streams[0].Open) > 0 {
			t.Errorf("%d hours up to %v with %+v open, want ten of ten properties", len(step.Hours), step.Cursor.Streams[0].At, step.Cursor.Streams[0].Open)
		}
		break
	}
}

func TestDifference(t *testing.T) {
	at := today.Truncate(time.Hour)
	hour := func(start time.Time, c tslsync.Counts) tslsync.Step {
		return tslsync.Step{Calls: 2, Hours: []tslsync.Hour{{Start: start, Counts: c}}}
	}
	end := func(from, to int, absent ...tslsync.Side) tslsync.Step {
		return tslsync.Step{Calls: 1, Absent: absent, Cursor: tslsync.Cursor{
			From: at.Add(time.Duration(from) * time.Hour), To: at.Add(time.Duration(to) * time.Hour), Done: true,
		}}
	}
	var got tslsync.Difference
	for _, step := range []tslsync.Step{
		hour(at.Add(3*time.Hour), tslsync.Counts{Equal: 5, Missing: 1}), hour(at.Add(4*time.Hour), tslsync.Counts{Expired: 7}), end(0, 10),
		hour(at.Add(2*time.Hour), tslsync.Counts{Equal: 5}), end(2, 8), // differs in nothing
		hour(at.Add(5*time.Hour), tslsync.Counts{Extra: 2}), end(1, 9),
		hour(at, tslsync.Counts{Different: 1}), end(5, 6, tslsync.Target),
		end(5, 6, tslsync.Source, tslsync.Target),
		end(1, 20), // has nothing
	} {
		got.Add(step)
	}
	want := tslsync.Difference{
		Counts:  tslsync.Counts{Equal: 10, Missing: 1, Extra: 2, Different: 1, Expired: 7},
		Devices: 4, Differing: 2, AbsentSource: 1, AbsentTarget: 1, Calls: 16,
		From: at.Add(2 * time.Hour), Until: at.Add(8 * time.Hour), Newest: at.Add(3 * time.Hour),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("difference (-want +got):\n%s", diff)
	}
	if rows := got.Rows(); rows != 21 {
		t.Errorf("%d rows, want 21", rows)
	}
}

func TestCompareAbsent(t *testing.T) {
	from := today.Add(-5 * time.Hour)
	here := town(from, today)
	lampOnly := here.without(func(series, iot.HistoryRow) bool { return false })
	for k := range lampOnly.rows {
		if k.device == meter {
			delete(lampOnly.rows, k)
		}
	}
	tests := []struct {
		name           string
		source, target *shelf
		want           tslsync.Difference
		empty          bool
	}{
		{"moved away", lampOnly, here, tslsync.Difference{Devices: 1, AbsentSource: 1}, true},
		{"not at the target", here, lampOnly, tslsync.Difference{Devices: 1, AbsentTarget: 1}, false},
		{"nowhere", lampOnly, lampOnly, tslsync.Difference{Devices: 1, AbsentSource: 1}, true},
	}
	for _, tt := range tests {
		got := gather(t, comparison(tt.source, tt.target, 12), cursors(from, today)...)
		sum := tslsync.Difference{Devices: got.sum.Devices, AbsentSource: got.sum.AbsentSource, AbsentTarget: got.sum.AbsentTarget}
		if sum != tt.want || got.sum.Empty() != tt.empty || !got.last.Done {
			t.Errorf("%s: %+v, empty %t; want %+v, empty %t", tt.name, got.sum, got.sum.Empty(), tt.want, tt.empty)
		}
	}
}

// TestCompareRefuses what breaks the contract, rather than to give wrong results.
func TestCompareRefuses(t *testing.T) {
	from := today.Add(-20 * time.Hour)
	spoil := func(do func(*iot.HistoryPage)) func(*shelf, *tslsync.Cursor) {
		return func(s *shelf, _ *tslsync.Cursor) { s.spoil = do }
	}
	cursor := func(do func(*tslsync.Cursor)) func(*shelf, *tslsync.Cursor) {
		return func(_ *shelf, c *tslsync.Cursor) { do(c) }
	}
	stream := func(s tslsync.Stream) func(*shelf, *tslsync.Cursor) {
		return cursor(func(c *tslsync.Cursor) { c.Streams = []tslsync.Stream{s} })
	}
	tests := []struct {
		name  string
		spoil func(*shelf, *tslsync.Cursor)
		kind  iot.Kind
		want  string
	}{
		{"a page that leads nowhere", spoil(func(p *iot.HistoryPage) { p.Next = from.Truncate(time.Hour) }), iot.Unclassified, "next page begins"},
		{"rows out of order", spoil(func(p *iot.HistoryPage) { slices.Reverse(p.Rows[:2]) }), iot.Unclassified, "comes after"},
		{"a row before the span", spoil(func(p *iot.HistoryPage) { p.Rows[0].At = from.Add(-day) }), iot.Unclassified, "comes after"},
		{"another identifier", spoil(func(p *iot.HistoryPage) { p.Rows[0].Identifier = "p77" }), iot.Unclassified, `"p77" is out of the order`},
		{"no device", cursor(func(c *tslsync.Cursor) { c.Device = iot.DeviceID{} }), iot.Invalid, "product key"},
		{"no time", cursor(func(c *tslsync.Cursor) { c.To = c.From }), iot.Invalid, "not after the beginning"},
		{"an unknown report", stream(tslsync.Stream{Report: "shadow", Identifiers: []string{"x"}, At: from}), iot.Invalid, `"shadow"`},
		{"no identifiers", stream(tslsync.Stream{Report: tslsync.EventReport, At: from}), iot.Invalid, "0 identifiers"},
		{"two events at once", stream(tslsync.Stream{Report: tslsync.EventReport, Identifiers: []string{"a", "b"}, At: from}), iot.Invalid, "2 identifiers"},
		{"a place outside", stream(tslsync.Stream{Report: tslsync.EventReport, Identifiers: []string{"a"}, At: today}), iot.Invalid, "outside"},
		{"throttled", func(s *shelf, _ *tslsync.Cursor) {
			s.before = func(context.Context, string, time.Time) error { return iot.Throttled }
		}, iot.Throttled, "target: QueryDevicePropertiesData of [p00 "},
	}
	for _, tt := range tests {
		target := town(from, today)
		c := tslsync.NewCursor(lamp, from, today)
		tt.spoil(target, &c)
		errs := 0
		for step, err := range tslsync.Compare(t.Context(), comparison(town(from, today), target, 12), slices.Values([]tslsync.Cursor{c, c})) {
			if errs++; iot.KindOf(err) != tt.kind || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v (%v), want %v with %q", tt.name, err, iot.KindOf(err), tt.kind, tt.want)
			}
			if cmp.Diff(tslsync.Step{}, step) != "" {
				t.Errorf("%s: a step with the error: %+v", tt.name, step)
			}
		}
		if errs != 1 {
			t.Errorf("%s: %d errors, want one and the end", tt.name, errs)
		}
	}
}

func TestCompareModelMissing(t *testing.T) {
	c := comparison(newShelf(), newShelf(), 1)
	c.Model = func(string) (*tslsync.Model, error) { return nil, iot.NotFound }
	for _, err := range tslsync.Compare(t.Context(), c, slices.Values(cursors(today.Add(-day), today))) {
		if !errors.Is(err, iot.NotFound) || !strings.Contains(err.Error(), lamp.ProductKey) {
			t.Errorf("error %v, want not found with the product", err)
		}
	}
}

func TestCompareStops(t *testing.T) {
	from := today.Add(-day)
	t.Run("when the caller has enough", func(t *testing.T) {
		source, target := town(from, today), town(from, today)
		for range tslsync.Compare(t.Context(), comparison(source, target, 12), slices.Values(cursors(from, today))) {
			break
		}
		if source.calls+target.calls != 2 {
			t.Errorf("%d calls, want those of one step", source.calls+target.calls)
		}
	})
	t.Run("when the context ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		source, target := town(from, today), town(from, today)
		var last error
		for _, err := range tslsync.Compare(ctx, comparison(source, target, 12), slices.Values(cursors(from, today))) {
			last = err
			cancel()
		}
		if !errors.Is(last, context.Canceled) || source.calls+target.calls != 2 {
			t.Errorf("error %v after %d calls, want canceled after 2", last, source.calls+target.calls)
		}
	})
}

// turns is a pacer that counts.
type turns struct {
	mu               sync.Mutex
	waits, throttled map[string]int
}

func (p *turns) Wait(ctx context.Context, api string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waits[api]++
	return ctx.Err()
}

func (p *turns) Throttled(api string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.throttled[api]++
}

func TestComparePaces(t *testing.T) {
	from := today.Add(-30 * time.Hour)
	source, target := town(from, today), town(from, today)
	pacer := &turns{waits: map[string]int{}, throttled: map[string]int{}}
	c := comparison(source, target, 12)
	c.Pacer = pacer
	got := gather(t, c, tslsync.NewCursor(lamp, from, today))
	waits := pacer.waits["QueryDevicePropertiesData"] + pacer.waits["QueryDeviceEventData"] + pacer.waits["QueryDeviceServiceData"]
	if waits != got.calls || got.calls != source.calls+target.calls || len(pacer.waits) != 3 {
		t.Errorf("%d turns, %d calls told, %d made", waits, got.calls, source.calls+target.calls)
	}

	target.before = func(_ context.Context, api string, _ time.Time) error {
		return &iot.Error{Kind: iot.Throttled, Op: api}
	}
	for range tslsync.Compare(t.Context(), c, slices.Values(cursors(from, today))) {
	}
	if diff := cmp.Diff(map[string]int{"QueryDevicePropertiesData": 1}, pacer.throttled); diff != "" {
		t.Errorf("throttled (-want +got):\n%s", diff)
	}
}
