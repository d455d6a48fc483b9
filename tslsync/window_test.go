package tslsync_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/tslsync"
)

func TestWindowCheck(t *testing.T) {
	tests := []struct {
		window tslsync.Window
		ok     bool
	}{
		{tslsync.Window{}, true},
		{tslsync.Window{Min: 7 * day, Max: 30 * day}, true},
		{tslsync.Window{Min: 7 * day, Max: 7 * day}, true},
		{tslsync.Window{Min: 30 * day}, true},
		{tslsync.Window{Max: 7 * day}, true},
		{tslsync.Window{Min: 7*day - 1}, false},
		{tslsync.Window{Max: 30*day + 1}, false},
		{tslsync.Window{Min: 12 * day, Max: 10 * day}, false},
		{tslsync.Window{Max: 6 * day}, false},
		{tslsync.Window{Min: -day}, false},
	}
	for _, tt := range tests {
		err := tt.window.Check()
		if (err == nil) != tt.ok || (err != nil && (iot.KindOf(err) != iot.Invalid || !strings.Contains(err.Error(), "the guide asks to wait 7 to 30 days"))) {
			t.Errorf("%v: %v, want ok %t", tt.window, err, tt.ok)
		}
		if _, decided := tt.window.Decide(tslsync.WindowFacts{}, today); (decided == nil) != tt.ok {
			t.Errorf("%v decides with %v", tt.window, decided)
		}
	}
	if w := migrate.Window(tslsync.Window{Min: 7 * day}); w.Min != 7*day {
		t.Errorf("as a wait: %v", w)
	}
}

func TestWindowDecide(t *testing.T) {
	opened := today
	on := func(n int) time.Time { return opened.Add(time.Duration(n) * day) }
	// synced is what a comparison of that day found: all is there.
	synced := func(n int) tslsync.Difference {
		return tslsync.Difference{
			Counts: tslsync.Counts{Equal: 1000, Expired: 10, Extra: 5}, Devices: 90, AbsentSource: 10,
			From: opened.Add(-time.Hour), Until: on(n).Add(-time.Hour), Newest: on(n).Add(-2 * time.Hour),
		}
	}
	with := func(d tslsync.Difference, change func(*tslsync.Difference)) tslsync.Difference {
		change(&d)
		return d
	}
	override := tslsync.Override{By: "Li Wei", Reason: "the plant moves", At: on(3)}
	tests := []struct {
		name     string
		day      int
		compared tslsync.Difference
		override tslsync.Override
		phase    tslsync.Phase
		todo     []string // what each sentence has in it
	}{
		{"clock before the opening", -2, synced(0), tslsync.Override{}, tslsync.Waiting, []string{"Wait until"}},
		{"before the least time", 6, synced(6), tslsync.Override{}, tslsync.Waiting, []string{"Wait until 2026-06-07T10:20:30.000Z"}},
		{"overridden", 6, synced(6), override, tslsync.Closable, nil},
		{"overridden by nobody", 6, synced(6), tslsync.Override{Reason: "quick", At: on(3)}, tslsync.Waiting, []string{"record who"}},
		{"overridden for no reason", 6, synced(6), tslsync.Override{By: "Li Wei", At: on(3)}, tslsync.Waiting, []string{"and why"}},
		{"an override proves nothing", 6, tslsync.Difference{}, override, tslsync.Waiting, []string{"has not been compared"}},
		{"an override closes no gap", 6, with(synced(6), func(d *tslsync.Difference) { d.Missing = 3 }), override, tslsync.Waiting, []string{"lacks 3 rows"}},
		{"at the least time", 7, synced(7), tslsync.Override{}, tslsync.Closable, nil},
		{"not compared", 7, tslsync.Difference{}, tslsync.Override{}, tslsync.Waiting, []string{"has not been compared"}},
		{"missing", 9, with(synced(9), func(d *tslsync.Difference) { d.Missing = 1 }), tslsync.Override{}, tslsync.Waiting, []string{"lacks 1 rows"}},
		{"different", 9, with(synced(9), func(d *tslsync.Difference) { d.Different = 2 }), tslsync.Override{}, tslsync.Waiting, []string{"another value in 2"}},
		{"a device is not there", 9, with(synced(9), func(d *tslsync.Difference) { d.Devices, d.AbsentTarget = 89, 1 }), tslsync.Override{}, tslsync.Waiting, []string{"lacks 1 devices"}},
		{"a sample", 9, with(synced(9), func(d *tslsync.Difference) { d.Devices = 20 }), tslsync.Override{}, tslsync.Waiting, []string{"the other 70 of 100"}},
		{"a silent fleet", 9, with(synced(9), func(d *tslsync.Difference) { d.Newest = on(7) }), tslsync.Override{}, tslsync.Waiting, []string{"that the clock of this machine is right"}},
		{"nobody has a row", 9, with(synced(9), func(d *tslsync.Difference) { d.Newest = time.Time{} }), tslsync.Override{}, tslsync.Waiting, []string{"See that devices report"}},
		{"an old comparison", 9, synced(8), tslsync.Override{}, tslsync.Waiting, []string{"Compare again"}},
		{"a comparison of the end alone", 9, with(synced(9), func(d *tslsync.Difference) { d.From = on(2) }), tslsync.Override{}, tslsync.Waiting, []string{"after the window"}},
		{"stalled, at the end", 30, with(synced(30), func(d *tslsync.Difference) { d.Missing = 500 }), tslsync.Override{}, tslsync.Overdue, []string{"newest hour of which something has arrived is 2026-06-30T08:20:30.000Z"}},
		{"stalled from the first hour", 30, with(synced(30), func(d *tslsync.Difference) { d.Missing, d.Newest = 500, time.Time{} }), override, tslsync.Overdue, []string{"nothing has arrived"}},
		{"never compared, at the end", 31, tslsync.Difference{}, tslsync.Override{}, tslsync.Overdue, []string{"has not been compared"}},
		{"at the end", 30, synced(30), tslsync.Override{}, tslsync.Closable, nil},
		{"a sample, at the end", 30, with(synced(30), func(d *tslsync.Difference) { d.Devices = 20 }), tslsync.Override{}, tslsync.Closable, nil},
		{"a sample of moved devices, at the end", 30, tslsync.Difference{AbsentSource: 10}, tslsync.Override{}, tslsync.Overdue, []string{"the other 90"}},
		{"all have moved", 7, tslsync.Difference{AbsentSource: 100}, tslsync.Override{}, tslsync.Closable, nil},
	}
	for _, tt := range tests {
		facts := tslsync.WindowFacts{Opening: tslsync.Opening{At: opened}, Devices: 100, Compared: tt.compared, Override: tt.override}
		got, err := tslsync.Window{}.Decide(restarted(t, facts), on(tt.day))
		if err != nil {
			t.Fatal(err)
		}
		if got.Phase != tt.phase || len(got.Todo) != len(tt.todo) {
			t.Errorf("%s: %s, %q; want %s, %q", tt.name, got.Phase, got.Todo, tt.phase, tt.todo)
			continue
		}
		for i, part := range tt.todo {
			if !strings.Contains(got.Todo[i], part) {
				t.Errorf("%s: to do %q, want %q in it", tt.name, got.Todo[i], part)
			}
		}
		if !got.Earliest.Equal(on(7)) || !got.Ends.Equal(on(30)) {
			t.Errorf("%s: from %v to %v, want day 7 to day 30", tt.name, got.Earliest, got.Ends)
		}
	}
}

// restarted is what a process knows that has read the facts back.
func restarted(t *testing.T, f tslsync.WindowFacts) (out tslsync.WindowFacts) {
	t.Helper()
	text, err := json.Marshal(f)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, out); diff != "" {
		t.Errorf("facts read back (-want +got):\n%s", diff)
	}
	return out
}

func TestWindowNotOpened(t *testing.T) {
	got, err := tslsync.Window{Min: 8 * day, Max: 9 * day}.Decide(tslsync.WindowFacts{Devices: 5}, today)
	if err != nil || got.Phase != tslsync.NotOpened || len(got.Todo) != 1 || !got.Earliest.IsZero() || !got.Ends.IsZero() {
		t.Errorf("%+v, %v; want not opened, with what to do", got, err)
	}
}

// Where it is agreed on, a sample is enough from the least time on, but it brings nothing forward; a shorter span and a slower copy may do.
func TestWindowDecideByAgreement(t *testing.T) {
	opened := today
	compared := tslsync.Difference{Devices: 20, From: opened.Add(5 * day), Until: opened.Add(7*day - 30*time.Hour), Newest: opened.Add(5*day + 3*time.Hour)}
	agreed := tslsync.WindowFacts{
		Opening: tslsync.Opening{At: opened}, Devices: 100, Sample: 20, Span: 12 * time.Hour, Lag: 40 * time.Hour, Compared: compared,
	}
	early := agreed
	early.Override = tslsync.Override{By: "Li Wei", Reason: "the plant moves", At: opened.Add(6 * day)}
	for _, tt := range []struct {
		name  string
		facts tslsync.WindowFacts
		after time.Duration
		phase tslsync.Phase
		todo  string
	}{
		{"at the least time", agreed, 7 * day, tslsync.Closable, ""},
		{"before", agreed, 7*day - 1, tslsync.Waiting, "Wait until"},
		{"closed early", early, 7*day - 1, tslsync.Waiting, "the other 80 of 100 devices: a sample does not close a window before its least time"},
		{"no sample", func() tslsync.WindowFacts { f := agreed; f.Sample = 0; return f }(), 7 * day, tslsync.Waiting, "before its end"},
		{"a longer span", func() tslsync.WindowFacts { f := agreed; f.Span = 2 * day; return f }(), 7 * day, tslsync.Waiting, "after the window"},
		{"no lag", func() tslsync.WindowFacts { f := agreed; f.Lag = 0; return f }(), 7 * day, tslsync.Waiting, "Compare again"},
		{"less quiet", func() tslsync.WindowFacts { f := agreed; f.Quiet = time.Hour; return f }(), 7 * day, tslsync.Waiting, "See that devices report"},
	} {
		got, err := tslsync.Window{}.Decide(restarted(t, tt.facts), opened.Add(tt.after))
		if err != nil || got.Phase != tt.phase || !strings.Contains(strings.Join(got.Todo, " "), tt.todo) || len(got.Todo) > 1 {
			t.Errorf("%s: %s, %q, %v; want %s, %q", tt.name, got.Phase, got.Todo, err, tt.phase, tt.todo)
		}
	}
}
