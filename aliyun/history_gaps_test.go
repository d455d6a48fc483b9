package aliyun_test

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/tslsync"
)

const cabinets = "a1Storage01"

func cabinet(name string) iot.DeviceID {
	return iot.DeviceID{ProductKey: cabinets, DeviceName: "cabinet-" + name}
}

// losses are the rows that data synchronisation lost, as the platform leaves them out.
type losses struct {
	mu    sync.Mutex
	lose  func(fake.HistoryRow) bool
	known map[lostRow]bool
}

type lostRow struct {
	device     iot.DeviceID
	report     tslsync.Report
	identifier string
	at         int64
}

func (l *losses) fault(r fake.HistoryRow) fake.RowFault {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lose == nil || !r.Copied || !l.lose(r) {
		return fake.RowFault{}
	}
	l.known[lostRow{r.Device, tslsync.Report(r.Kind), r.Identifier, r.At.UnixMilli()}] = true
	return fake.RowFault{Gap: true}
}

// hours counts the lost rows of some devices from a time on.
func (l *losses) hours(devices []iot.DeviceID, from, to time.Time) map[lostRow]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[lostRow]int64{}
	for r := range l.known {
		at := time.UnixMilli(r.at)
		if slices.Contains(devices, r.device) && !at.Before(from) && at.Before(to) {
			r.at = at.Truncate(time.Hour).UnixMilli()
			out[r]++
		}
	}
	return out
}

// gapWorld has thirty days of history, all of it copied, and loses what a test wants.
func gapWorld(t *testing.T) (*world, *losses) {
	t.Helper()
	file, err := fleets.Open("s4-tsl.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	quirks := fake.DefaultQuirks()
	quirks.ReportEvery, quirks.RareEvery = 20*time.Minute, 3
	quirks.SyncBack, quirks.SyncLag = iot.HistoryKept, 0
	l := &losses{known: map[lostRow]bool{}}
	w := newWorld(t, text, fake.Options{Quotas: fake.NoQuotas, Quirks: quirks, History: l.fault})
	w.ready(t, cabinets, "cabinet-0001")
	if err := w.Console().DataSync(t.Context(), w.Console().Tasks()[0].ID, true); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(2 * time.Hour)
	return w, l
}

// TestGapsAreFoundOverSockets: what is lost on the way, at whatever place, is found exactly, and nothing is made up, by the driver in memory
// and by the adapter over sockets.
func TestGapsAreFoundOverSockets(t *testing.T) {
	w, l := gapWorld(t)
	memory, err := w.Platform(testTarget, nil)
	if err != nil {
		t.Fatal(err)
	}
	wire := openClient(t, testConfig(w.serve(t))).Platform()
	both := []iot.DeviceID{cabinet("0002"), cabinet("0004")}
	now := w.clock.Now()
	from, to := now.Add(-iot.HistoryKept), now.Add(-time.Hour).Truncate(time.Hour)
	rows := propertyTimes(t, memory.Source, both[0], from, to)
	of := func(identifier string, is func(time.Time) bool) func(fake.HistoryRow) bool {
		return func(r fake.HistoryRow) bool { return r.Device == both[0] && r.Identifier == identifier && is(r.At) }
	}
	nth := func(numbers ...int) func(time.Time) bool {
		return func(at time.Time) bool {
			return slices.ContainsFunc(numbers, func(n int) bool { return rows[n].Equal(at) })
		}
	}
	always := func(time.Time) bool { return true }
	for _, tt := range []struct {
		name string
		lose func(fake.HistoryRow) bool
	}{
		{"nothing", nil},
		{"the oldest row that is kept", of("PackVoltage", nth(0))},
		{"the newest row", of("PackVoltage", nth(len(rows)-1))},
		{"rows on both sides of pages", of("PackVoltage", nth(99, 100, 199, 200, 699, 700))},
		{"the rows of an hour", of("PackVoltage", func(at time.Time) bool { return at.Truncate(time.Hour).Equal(rows[500].Truncate(time.Hour)) })},
		{"a property", of("PackVoltage", always)},
		{"an event", of("Fault", always)},
		{"a device", func(r fake.HistoryRow) bool { return r.Device == both[0] }},
		{"a day of all", func(r fake.HistoryRow) bool {
			return r.At.Truncate(24 * time.Hour).Equal(rows[600].Truncate(24 * time.Hour))
		}},
	} {
		l.lose, l.known = tt.lose, map[lostRow]bool{}
		devices := both[:1]
		if strings.HasPrefix(tt.name, "a d") { // of a device, and of a day of all
			devices = both
		}
		found := map[string][]tslsync.Hour{}
		for name, p := range map[string]iot.Platform{"memory": memory, "wire": wire} {
			found[name] = compareAll(t, p, w.clock, devices, from, to, 1<<30)
			want := l.hours(devices, from.Truncate(time.Hour), to)
			for _, h := range found[name] {
				k := lostRow{h.Device, h.Report, h.Identifier, h.Start.UnixMilli()}
				if h.Missing != want[k] || h.Extra+h.Different > 0 {
					t.Errorf("%s, %s: %+v, want %d missing", tt.name, name, h, want[k])
				}
				delete(want, k)
			}
			if len(want) > 0 || (tt.lose == nil) != (len(l.known) == 0) {
				t.Errorf("%s, %s: not found: %v; %d rows were lost", tt.name, name, want, len(l.known))
			}
		}
		if diff := cmp.Diff(found["memory"], found["wire"]); diff != "" {
			t.Errorf("%s (-memory +wire):\n%s", tt.name, diff)
		}
	}
}

// TestComparisonResumesOverSockets: a comparison that is ended at every page, and goes on from what was stored, finds the same.
func TestComparisonResumesOverSockets(t *testing.T) {
	w, l := gapWorld(t)
	l.lose = func(r fake.HistoryRow) bool { return r.At.Unix()/1200%37 == 0 }
	wire := openClient(t, testConfig(w.serve(t))).Platform()
	devices := []iot.DeviceID{cabinet("0002")}
	to := w.clock.Now().Add(-time.Hour).Truncate(time.Hour)
	from := to.Add(-7 * 24 * time.Hour)
	whole := compareAll(t, wire, w.clock, devices, from, to, 1<<30)
	missing := int64(0)
	for _, h := range whole {
		missing += h.Missing
	}
	if diff := cmp.Diff(whole, compareAll(t, wire, w.clock, devices, from, to, 1)); diff != "" || missing < 50 {
		t.Errorf("%d rows are missing (-whole +ended at every page):\n%s", missing, diff)
	}
}

// compareAll returns the hours of some devices. It ends after every so many steps, and goes on from the cursor as it is stored.
func compareAll(t *testing.T, p iot.Platform, clock iot.Clock, devices []iot.DeviceID, from, to time.Time, steps int) (hours []tslsync.Hour) {
	t.Helper()
	text, err := p.Source.ThingModel(t.Context(), cabinets)
	if err != nil {
		t.Fatal(err)
	}
	model, err := tslsync.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	both := tslsync.Comparison{
		Source: p.Source, Target: p.Target, Clock: clock, Model: func(string) (*tslsync.Model, error) { return model, nil },
	}
	for _, id := range devices {
		for cursor := tslsync.NewCursor(id, from, to); !cursor.Done; {
			left := steps
			for step, err := range tslsync.Compare(t.Context(), both, slices.Values([]tslsync.Cursor{cursor})) {
				if err != nil {
					t.Fatal(err)
				}
				hours = append(hours, step.Hours...)
				if text, err = json.Marshal(step.Cursor); err != nil {
					t.Fatal(err)
				}
				if left--; left == 0 {
					break
				}
			}
			cursor = tslsync.Cursor{}
			if err := json.Unmarshal(text, &cursor); err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.SortFunc(hours, func(a, b tslsync.Hour) int {
		if c := a.Device.Compare(b.Device); c != 0 {
			return c
		}
		return slices.Compare([]string{string(a.Report), a.Identifier, a.Start.String()}, []string{string(b.Report), b.Identifier, b.Start.String()})
	})
	return hours
}

// propertyTimes are the times of the rows of a property.
func propertyTimes(t *testing.T, at iot.HistoryReader, id iot.DeviceID, from, to time.Time) (times []time.Time) {
	t.Helper()
	for !from.IsZero() {
		page, err := at.PropertyHistory(t.Context(), id, []string{"PackVoltage"}, from, to)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Rows {
			if page.Next.IsZero() || r.At.Before(page.Next) {
				times = append(times, r.At)
			}
		}
		from = page.Next
	}
	return times
}
