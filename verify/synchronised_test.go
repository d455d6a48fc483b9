package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/tslsync"
	"github.com/iotferry/iotferry/verify"
)

// A watch looks at a condition as a runner does, from the switch of data synchronisation on.
type watch struct {
	*past
	began time.Time
	clock iot.Clock // as this machine shows it
	early *migrate.Early
	last  migrate.Observation
	make  func() migrate.Condition // a new one for each look, as after a restart
	lose  func() bool              // what a look leaves is lost in a crash
}

// watching lets devices report seldom, so that weeks are read in a moment.
func watching(t *testing.T, c verify.SynchronisedConfig, quirk func(*fake.Quirks), fault func(fake.HistoryRow) fake.RowFault) *watch {
	t.Helper()
	p := synchronising(t, func(q *fake.Quirks) {
		q.ReportEvery, q.RareEvery = 4*time.Hour, 2
		if quirk != nil {
			quirk(q)
		}
	}, fault)
	condition := verify.Synchronised(c)
	return &watch{past: p, began: p.clock.Now(), clock: p.clock, make: func() migrate.Condition { return condition }, lose: func() bool { return false }}
}

// some compares a tenth of the fleet.
var some = verify.SynchronisedConfig{AlwaysSample: true, Bound: 0.1}

func (w *watch) day(n float64) time.Time { return w.began.Add(time.Duration(n * float64(day))) }

func (w *watch) waiting() *migrate.Waiting {
	return &migrate.Waiting{
		Campaign: "test", Stage: "data-sync", Source: w.platform.Source, Target: w.platform.Target, Clock: w.clock, Progress: w.last.Progress,
		Lane: migrate.Lane{ID: cabinets, Devices: 200, Products: []migrate.Product{{Key: cabinets, DataFormat: iot.Alink}}},
		Wait: migrate.WaitReport{Begun: w.began, Least: w.day(7), Ends: w.day(30), Early: w.early},
	}
}

// until looks whenever it is time, up to a time. It returns whether the condition holds and counts.
func (w *watch) until(end time.Time) bool {
	w.Helper()
	for range 3000 {
		seen, err := w.make().Look(w.Context(), w.waiting())
		if err != nil {
			w.Fatal(err)
		}
		if !w.lose() {
			w.last = seen
		}
		now := w.past.clock.Now()
		if seen.Holds && (w.early != nil || !now.Before(w.day(7))) {
			return true
		}
		next := later(w.last.Next, now)
		if counts := w.day(7); now.Before(counts) && counts.Before(next) {
			next = counts
		}
		if next.After(end) {
			w.past.clock.Advance(end.Sub(now))
			return false
		}
		w.past.clock.Advance(next.Sub(now))
	}
	w.Fatalf("it looks again and again: %+v", w.last)
	return false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestSynchronised(t *testing.T) {
	hidden := func(q *fake.Quirks) { q.SyncHidesUnmoved = true }
	passes, slow := some, some
	passes.HiddenPasses, slow.Lag = true, 50*time.Hour
	lost := func(is func(fake.HistoryRow) bool) func(fake.HistoryRow) fake.RowFault {
		return func(r fake.HistoryRow) fake.RowFault { return fake.RowFault{Gap: r.Copied && is(r)} }
	}
	tests := []struct {
		name   string
		config verify.SynchronisedConfig
		quirk  func(*fake.Quirks)
		fault  func(fake.HistoryRow) fake.RowFault
		holds  bool
		seen   string
	}{
		{"copied", some, nil, nil, true, "with a confidence of 0.95, less than 0.1 of all lack rows"},
		{"stalled", some, func(q *fake.Quirks) { q.SyncPace = 0 }, nil, false, "nothing has arrived so far"},
		{"behind", some, func(q *fake.Quirks) { q.SyncLag = 2 * day }, nil, false, "the newest hour of which something has arrived is 2026-"},
		{"behind, and allowed", slow, func(q *fake.Quirks) { q.SyncLag = 2 * day }, nil, true, "the target has all"},
		{"hidden", some, hidden, nil, false, "shows no device before it moves"},
		{"hidden, as known", passes, hidden, nil, true, "shows no device before it moves"},
		{"changed on the way", some, nil, func(r fake.HistoryRow) (f fake.RowFault) {
			if r.Copied && r.Identifier == "SiteName" {
				f.Value = []byte(`"elsewhere"`)
			}
			return f
		}, false, "has another value in "},
		{"a day lost", some, nil, lost(func(r fake.HistoryRow) bool { return r.At.Day() == 3 }), false, "The first: of a1Storage01/cabinet-"},
		{"an event lost", some, nil, lost(func(r fake.HistoryRow) bool { return r.Identifier == "Fault" }), false, "rows of event Fault"},
		{"extra at the target", some, nil, func(r fake.HistoryRow) fake.RowFault {
			return fake.RowFault{Gap: !r.Copied && r.Instance == "" && r.Identifier == "CycleCount"}
		}, true, "the target has all"},
		{"a source without rows", some, nil, func(fake.HistoryRow) fake.RowFault { return fake.RowFault{Gap: true} }, false, "See that devices report"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := watching(t, tt.config, tt.quirk, tt.fault)
			if holds := w.until(w.day(7.5)); holds != tt.holds || !strings.Contains(w.last.Evidence.Seen, tt.seen) {
				t.Errorf("holds %t, want %t: %q, want %q", holds, tt.holds, w.last.Evidence.Seen, tt.seen)
			}
		})
	}
}

// One row of one device is lacking, and it is found. When it arrives after all, the window may close within an hour.
func TestSynchronisedFindsOneRowAndItsArrival(t *testing.T) {
	w := watching(t, verify.SynchronisedConfig{}, nil, nil)
	one, at := dev(cabinets, "cabinet-0123"), w.day(2)
	w = watching(t, verify.SynchronisedConfig{}, nil, func(r fake.HistoryRow) (f fake.RowFault) {
		if r.Copied && r.Device == one && r.Identifier == "PackVoltage" && !r.At.Before(at) && r.At.Before(at.Add(4*time.Hour)) {
			f.Late = 6 * day
		}
		return f
	})
	if w.until(w.day(7.5)) {
		t.Fatal("it holds without the row")
	}
	const want = "the target lacks 1 rows, has another value in 0, and lacks 0 devices"
	if seen := w.last.Evidence.Seen; !strings.Contains(seen, want) || !strings.Contains(seen, "of a1Storage01/cabinet-0123, the target lacks 1 rows of property PackVoltage") {
		t.Errorf("it sees %q", seen)
	}
	if !w.until(w.day(9)) || w.past.clock.Now().After(w.day(8.4)) {
		t.Errorf("on day %.2f: %q", w.past.clock.Now().Sub(w.began).Hours()/24, w.last.Evidence.Seen)
	}
}

// A comparison that is killed after any look, or in the middle of one, comes to the same as one that is not.
func TestSynchronisedResumes(t *testing.T) {
	gaps := func(r fake.HistoryRow) fake.RowFault { return fake.RowFault{Gap: r.Copied && r.At.Unix()/3600%31 == 0} }
	seed := rand.Uint64()
	run := func(change func(*watch)) place {
		w := watching(t, verify.SynchronisedConfig{Every: 3 * day}, nil, gaps)
		change(w)
		w.until(w.day(7.2))
		var p place
		if err := json.Unmarshal(w.last.Progress, &p); err != nil {
			t.Fatal(err)
		}
		if len(w.last.Progress) > 20_000 {
			t.Errorf("a progress of %d bytes", len(w.last.Progress))
		}
		return p
	}
	whole := run(func(*watch) {})
	lost := 0
	killed := run(func(w *watch) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w.make = func() migrate.Condition { return verify.Synchronised(verify.SynchronisedConfig{Every: 3 * day}) }
		w.lose = func() bool {
			if rng.IntN(3) > 0 {
				return false
			}
			lost++
			return true
		}
	})
	if diff := cmp.Diff(whole, killed); diff != "" {
		t.Errorf("seed %d (-whole +killed):\n%s", seed, diff)
	}
	if whole.Last.Found.Missing == 0 || whole.Last.Found.Devices < 190 || lost == 0 {
		t.Errorf("found %+v, and %d looks were lost", whole.Last.Found, lost)
	}
}

// place is what tests read of the progress in the journal.
type place struct {
	Last struct {
		Since, From, To time.Time
		Total, Drawn    int
		Found           tslsync.Difference
		Lags            []struct{ From time.Time }
	}
}

// The comparison takes its share of the quota and no more.
func TestSynchronisedKeepsItsShare(t *testing.T) {
	w := watching(t, verify.SynchronisedConfig{Share: 0.1}, nil, nil)
	w.past.clock.Advance(3 * time.Hour)
	before, calls := w.past.clock.Now(), 0
	if _, err := w.make().Look(t.Context(), w.waiting()); err != nil {
		t.Fatal(err)
	}
	for _, c := range w.cloud.Calls() {
		if c.Name == "QueryDevicePropertiesData" {
			calls += c.Calls
		}
	}
	if perSecond := float64(calls) / w.past.clock.Now().Sub(before).Seconds(); perSecond > 1 || perSecond < 0.5 {
		t.Errorf("%d calls, %.2f a second, of the 1 that is its share", calls, perSecond)
	}
}

// A window does not close because a clock is ahead, and what was not there yet is compared once it is.
func TestSynchronisedWhileTheClockIsAhead(t *testing.T) {
	lostFrom := 4.0
	w := watching(t, verify.SynchronisedConfig{}, nil, nil)
	lost, end := w.day(lostFrom), w.day(lostFrom+0.5)
	w = watching(t, verify.SynchronisedConfig{}, nil, func(r fake.HistoryRow) fake.RowFault {
		return fake.RowFault{Gap: r.Copied && !r.At.Before(lost) && r.At.Before(end)}
	})
	w.until(w.day(2))
	w.clock = ahead{w.past.clock, 6 * day}
	for range 5 {
		seen, err := w.make().Look(t.Context(), w.waiting())
		if err != nil {
			t.Fatal(err)
		}
		w.last = seen
		if seen.Holds {
			t.Fatalf("it holds on the second day: %q", seen.Evidence.Seen)
		}
	}
	if !strings.Contains(w.last.Evidence.Seen, "that the clock of this machine is right") {
		t.Errorf("it sees %q", w.last.Evidence.Seen)
	}
	w.clock = w.past.clock
	if w.until(w.day(8)) || !strings.Contains(w.last.Evidence.Seen, "the target lacks ") {
		t.Errorf("what was lost after the clock was put right is not seen: %q", w.last.Evidence.Seen)
	}
}

// ahead is a clock that shows a later time.
type ahead struct {
	iot.Clock
	by time.Duration
}

func (a ahead) Now() time.Time { return a.Clock.Now().Add(a.by) }
func (a ahead) WaitUntil(ctx context.Context, t time.Time) error {
	return a.Clock.WaitUntil(ctx, t.Add(-a.by))
}

// Before the least time a person may close the window, but not over a sample.
func TestSynchronisedEarly(t *testing.T) {
	for _, tt := range []struct {
		config verify.SynchronisedConfig
		holds  bool
		seen   string
	}{
		{verify.SynchronisedConfig{}, true, "the target has all that the source holds of 199 devices"},
		{some, false, "a sample does not close a window before its least time"},
	} {
		w := watching(t, tt.config, nil, nil)
		w.until(w.day(2))
		w.early = &migrate.Early{By: "Li Wei", Note: "the plant moves", At: w.past.clock.Now()}
		w.past.clock.Advance(time.Hour)
		if holds := w.until(w.day(3)); holds != tt.holds || !strings.Contains(w.last.Evidence.Seen, tt.seen) {
			t.Errorf("holds %t: %q, want %q", holds, w.last.Evidence.Seen, tt.seen)
		}
	}
}

func TestSynchronisedForecast(t *testing.T) {
	for _, tt := range []struct {
		devices int
		whole   bool
		drawn   int
	}{{0, true, 0}, {200, true, 155}, {5000, true, 290}, {1_000_000, false, 299}} {
		f, err := verify.SynchronisedConfig{}.Forecast(tt.devices)
		if err != nil || f.Whole != tt.whole || f.Drawn != tt.drawn || f.Sample > f.All {
			t.Errorf("%d devices: %+v, %v", tt.devices, f, err)
		}
	}
	f, err := verify.SynchronisedConfig{AlwaysSample: true, Share: 0.5, Workload: tslsync.Workload{Properties: []float64{100}}}.Forecast(1000)
	if want := 7 * 2 * 1000 * time.Second / 5; err != nil || f.Whole || f.All != want { // 7 pages on both sides, 5 calls a second
		t.Errorf("%+v, %v, want %v", f, err, want)
	}
}

func TestSynchronisedRefuses(t *testing.T) {
	w := watching(t, some, nil, nil)
	for _, c := range []verify.SynchronisedConfig{
		{Span: 31 * day}, {Span: time.Hour}, {Lag: -1}, {Every: time.Minute}, {Quiet: -1}, {Confidence: 1}, {Bound: -1}, {Share: 2},
		{Window: tslsync.Window{Min: 6 * day}},
	} {
		_, err := verify.Synchronised(c).Look(t.Context(), w.waiting())
		if _, also := c.Forecast(5); iot.KindOf(err) != iot.Invalid || iot.KindOf(also) != iot.Invalid {
			t.Errorf("%+v: %v and %v, want invalid", c, err, also)
		}
	}
	w.last.Progress = json.RawMessage(`"strange"`)
	if _, err := w.make().Look(t.Context(), w.waiting()); err == nil {
		t.Error("a strange progress was taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.last.Progress = nil
	w.past.clock.Advance(day)
	if _, err := w.make().Look(ctx, w.waiting()); !errors.Is(err, context.Canceled) {
		t.Errorf("a look that nobody wants: %v", err)
	}
}

// When all have moved, there is nothing to compare and nothing to synchronise.
func TestSynchronisedHasNothingToCompare(t *testing.T) {
	w := watching(t, some, nil, nil)
	w.past.clock.Advance(8 * day)
	at := w.waiting()
	at.Lane.Products[0].DataFormat = iot.Custom
	for _, c := range []migrate.Condition{w.make(), verify.Synchronising()} {
		if seen, err := c.Look(t.Context(), at); err != nil || !seen.Holds || seen.Evidence.Source != migrate.NotObserved {
			t.Errorf("%s: %+v, %v", c.Name(), seen, err)
		}
	}
}

func TestSynchronising(t *testing.T) {
	for _, tt := range []struct {
		name  string
		quirk func(*fake.Quirks)
		holds bool
		seen  string
	}{
		{"on", nil, true, "which lives at the source"},
		{"on, for hours already copied", func(q *fake.Quirks) { q.SyncBack = day }, true, "which lives at the source"},
		{"stalled", func(q *fake.Quirks) { q.SyncPace = 0 }, false, "shows no history of 20 devices"},
		{"hidden", func(q *fake.Quirks) { q.SyncHidesUnmoved = true }, false, "shows no history of 20 devices"},
	} {
		w := watching(t, some, tt.quirk, nil)
		w.past.clock.Advance(5 * time.Hour)
		seen, err := verify.Synchronising().Look(t.Context(), w.waiting())
		if err != nil || seen.Holds != tt.holds || !strings.Contains(seen.Evidence.Seen, tt.seen) || seen.Evidence.At.IsZero() {
			t.Errorf("%s: %+v, %v", tt.name, seen, err)
		}
	}
	w := watching(t, some, nil, nil)
	at := w.waiting()
	at.Target.HistoryReader = refusing{}
	if _, err := verify.Synchronising().Look(t.Context(), at); iot.KindOf(err) != iot.Denied {
		t.Errorf("an instance that refuses: %v", err)
	}
}

type refusing struct{ iot.HistoryReader }

func (refusing) PropertyHistory(context.Context, iot.DeviceID, []string, time.Time, time.Time) (iot.HistoryPage, error) {
	return iot.HistoryPage{}, iot.Denied
}

func TestAssumed(t *testing.T) {
	c := verify.Assumed("not-compared", "the warehouse has it")
	if seen, err := c.Look(t.Context(), nil); err != nil || c.Name() != "not-compared" || !seen.Holds || seen.Evidence.Seen != "the warehouse has it" {
		t.Errorf("%s: %+v, %v", c.Name(), seen, err)
	}
}
