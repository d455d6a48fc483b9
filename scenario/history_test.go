package scenario_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

const day = 24 * time.Hour

// A lossy reader reads from an instance that does not have what devices reported after a time.
type lossy struct {
	iot.HistoryReader
	since time.Time
}

func (l lossy) keep(page iot.HistoryPage, err error) (iot.HistoryPage, error) {
	page.Rows = slices.DeleteFunc(page.Rows, func(r iot.HistoryRow) bool { return !r.At.Before(l.since) })
	if len(page.Rows) == 0 {
		page.Next = time.Time{} // nothing follows
	}
	return page, err
}

func (l lossy) PropertyHistory(ctx context.Context, id iot.DeviceID, identifiers []string, from, to time.Time) (iot.HistoryPage, error) {
	return l.keep(l.HistoryReader.PropertyHistory(ctx, id, identifiers, from, to))
}

func (l lossy) EventHistory(ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time) (iot.HistoryPage, error) {
	return l.keep(l.HistoryReader.EventHistory(ctx, id, identifier, from, to))
}

func (l lossy) ServiceHistory(ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time) (iot.HistoryPage, error) {
	return l.keep(l.HistoryReader.ServiceHistory(ctx, id, identifier, from, to))
}

// forgetful is an instance that shows no device's history before the device lives there.
type forgetful struct {
	iot.HistoryReader
	states iot.StateReader
}

func (f forgetful) PropertyHistory(ctx context.Context, id iot.DeviceID, identifiers []string, from, to time.Time) (iot.HistoryPage, error) {
	here, err := f.states.States(ctx, id.ProductKey, []string{id.DeviceName})
	if err == nil && len(here) == 0 {
		err = &iot.Error{Kind: iot.NotFound, Op: "QueryDevicePropertiesData"}
	}
	if err != nil {
		return iot.HistoryPage{}, err
	}
	return f.HistoryReader.PropertyHistory(ctx, id, identifiers, from, to)
}

// passed counts the devices that passed a verifier.
func passed(r *migrate.Report, verifier string) int {
	for _, v := range r.Lanes[0].Verdicts {
		if v.Verifier == verifier {
			return v.Passed
		}
	}
	return 0
}

// seldom lets a fleet report so rarely that weeks of its history are read in a moment.
var seldom = migratetest.Options{ReportEvery: 2 * time.Hour}

// The window begins when the target is seen to have history, the whole history is compared in it, and each device proves its own.
func TestCampaignProvesHistory(t *testing.T) {
	for fleet, window := range map[string]migrate.Window{"s4-tsl.json": {}, "": {Min: 30 * day}} {
		cloud, clock := open(t, fleet, seldom)
		r := campaign(t, cloud, clock, scenario.Options{FirstGray: 4, GrayDevices: 4, SyncWindow: window})
		wantProven(t, r, "online", "absent")
		l := r.Lanes[0]
		if n := passed(r, "history"); n == 0 || n < l.Proven-8 {
			t.Errorf("window %v: %d devices passed history, of %d", window, n, l.Proven)
		}
		w := l.Waits[0]
		least := max(window.Min, 7*day)
		if w.Begun.IsZero() || w.By != "" || !strings.Contains(w.Seen.Seen, "which lives at the source") || w.Least.Sub(w.Begun) != least {
			t.Errorf("window %v: begun %v by %q, as %+v, until %v", window, w.Begun, w.By, w.Seen, w.Least)
		}
		if over := w.Ended.Sub(w.Least); over < 0 || over > 3*time.Hour {
			t.Errorf("window %v: it ended %v after its least time", window, over)
		}
	}
}

// While synchronisation stalls, the rest does not move, and the report says what is lacking. At the window's end the lane halts, and no
// device is to blame.
func TestCampaignStopsWhenSynchronisationStalls(t *testing.T) {
	cloud, clock := open(t, "", seldom)
	p := cloud.Platform()
	p.Target.HistoryReader = lossy{p.Target.HistoryReader, clock.Now().Add(5 * day)}
	r := campaignOn(t, cloud, p, clock, scenario.Options{FirstGray: 4, GrayDevices: 4})
	l := r.Lanes[0]
	for _, want := range []string{"the window of 720h0m0s is over", "look why it does not go on", "the target lacks", "the newest hour of which something has arrived is 2026-03-06"} {
		if l.Stage != "data-sync" || l.Halt != migrate.HaltDeadline || !strings.Contains(l.Note, want) {
			t.Errorf("stage %s, halt %q: %q lacks %q", l.Stage, l.Halt, l.Note, want)
		}
	}
	if l.Failed > 0 || l.Moved > 8 {
		t.Errorf("%d devices failed, %d moved", l.Failed, l.Moved)
	}
	if w := l.Waits[0]; r.Latest.Sub(w.Begun) < 30*day || !w.Ends.Equal(w.Begun.Add(30*day)) || len(w.Todo) == 0 {
		t.Errorf("it waited from %v to %v, and the report says %+v", w.Begun, r.Latest, w)
	}
}

// A jumpy clock is that of a machine whose time is set ahead by six days on the third day, and back by three days on the fifth, each time
// for a day.
type jumpy struct {
	*clock
	began time.Time
}

func (j jumpy) offset() time.Duration {
	switch since := j.clock.Now().Sub(j.began); {
	case since >= 2*day && since < 3*day:
		return 6 * day
	case since >= 4*day && since < 5*day:
		return -3 * day
	}
	return 0
}

func (j jumpy) Now() time.Time { return j.clock.Now().Add(j.offset()) }

func (j jumpy) WaitUntil(ctx context.Context, t time.Time) error {
	return j.clock.WaitUntil(ctx, t.Add(-j.offset()))
}

// A machine whose clock jumps keeps the window as it is: it neither closes early nor is lost, and everything is proven.
func TestCampaignSurvivesClockJumps(t *testing.T) {
	cloud, clock := open(t, "", seldom)
	wrong := jumpy{clock, clock.Now()}
	var looks []time.Duration // when the runner's clock was wrong
	o := scenario.Options{FirstGray: 4, GrayDevices: 4}
	synchronised := verify.Synchronised(verify.SynchronisedConfig{})
	o.Synchronised = migrate.NewCondition("synchronised", func(ctx context.Context, w *migrate.Waiting) (migrate.Observation, error) {
		if d := wrong.offset(); d != 0 {
			looks = append(looks, d)
		}
		return synchronised.Look(ctx, w)
	})
	r := campaignOn(t, cloud, cloud.Platform(), wrong, o)
	wantProven(t, r, "online", "absent")
	w := r.Lanes[0].Waits[0]
	if real := clock.Now().Sub(w.Begun); real < 7*day || real > 8*day || !w.Least.Equal(w.Begun.Add(7*day)) || w.Ended.Before(w.Least) {
		t.Errorf("the campaign was over %v after the window began; %+v", real, w)
	}
	if !slices.Contains(looks, 6*day) || !slices.Contains(looks, -3*day) {
		t.Errorf("it did not look while the clock was wrong: %v", looks)
	}
}

// A person closes the window on the third day, by name and for a reason: all that the source holds is compared first, and the report tells
// who it was.
func TestCampaignClosesEarly(t *testing.T) {
	cloud, clock := open(t, "", seldom)
	var runner *migrate.Runner
	o := scenario.Options{FirstGray: 4, GrayDevices: 4}
	synchronised := verify.Synchronised(verify.SynchronisedConfig{})
	o.Synchronised = migrate.NewCondition("synchronised", func(ctx context.Context, w *migrate.Waiting) (migrate.Observation, error) {
		if w.Wait.Early == nil && clock.Now().Sub(w.Wait.Begun) > 2*day {
			early := migrate.Decision{Kind: migrate.CloseEarly, Lane: w.Lane.ID, Stage: w.Stage, By: "Li Wei", Note: "the plant moves"}
			if err := runner.Decide(t.Context(), early); err != nil {
				t.Error(err)
			}
		}
		return synchronised.Look(ctx, w)
	})
	runner = runnerOn(t, cloud, cloud.Platform(), clock, o)
	r, err := runner.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := r.Lanes[0].Waits[0]
	if took := w.Ended.Sub(w.Begun); took < 2*day || took > 3*day+2*time.Hour || w.Early == nil || w.Early.By != "Li Wei" || w.Early.Note != "the plant moves" {
		t.Errorf("the window was open for %v, and ended early by %+v", took, w.Early)
	}
	if l := r.Lanes[0]; l.Moved <= 8 {
		t.Errorf("%d devices moved, halted %q: %s", l.Moved, l.Halt, l.Note)
	}
}

// declared runs a campaign whose window nobody can see to begin, until a person declares it.
func declared(t *testing.T, r *migrate.Runner) *migrate.Report {
	t.Helper()
	report, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := report.Lanes[0]
	if l.Stage != "data-sync" || l.Halt != migrate.HaltDeadline || !strings.Contains(l.Note, "declare since when") || !l.Waits[0].Begun.IsZero() {
		t.Fatalf("stage %s, halt %q: %q, %+v; want that somebody has to declare", l.Stage, l.Halt, l.Note, l.Waits)
	}
	since := report.Latest.Add(-23 * time.Hour)
	for _, d := range []migrate.Decision{
		{Kind: migrate.Declare, Lane: l.Lane, Stage: l.Stage, Since: since, By: "Li Wei", Note: "seen in the console"},
		{Kind: migrate.Resume, Lane: l.Lane, By: "Li Wei"},
	} {
		if err := r.Decide(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	if report, err = r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := report.Lanes[0].Waits[0]
	if w.By != "Li Wei" || !w.Begun.Equal(since) || !strings.Contains(w.Seen.Source, "Li Wei: seen in the console") || !w.Least.Equal(since.Add(7*day)) {
		t.Errorf("the window is %+v", w)
	}
	return report
}

// Where the target shows no history before the move, the first wave of the rest tells that there is none.
func TestCampaignStopsAtTheFirstWaveWithoutHistory(t *testing.T) {
	cloud, clock := open(t, "s4-tsl.json", migratetest.Options{ReportEvery: 20 * time.Minute})
	p := cloud.Platform()
	p.Target.HistoryReader = forgetful{lossy{p.Target.HistoryReader, clock.Now().Add(-30 * day)}, p.Target.StateReader}
	r := declared(t, runnerOn(t, cloud, p, clock, scenario.Options{FirstGray: 4, GrayDevices: 4}))
	l := r.Lanes[0]
	if l.Stage != "rest" || l.Halt != migrate.HaltLimit || l.Failed == 0 {
		t.Errorf("stage %s, halt %q: %q, %d failed", l.Stage, l.Halt, l.Note, l.Failed)
	}
	if l.Moved > l.Devices/4 {
		t.Errorf("%d of %d devices have moved", l.Moved, l.Devices)
	}
}

// Where the target shows history only after the move, that is enough.
func TestCampaignProvesHistoryAfterTheMove(t *testing.T) {
	cloud, clock := open(t, "s4-tsl.json", migratetest.Options{ReportEvery: 20 * time.Minute})
	p := cloud.Platform()
	p.Target.HistoryReader = forgetful{p.Target.HistoryReader, p.Target.StateReader}
	r := declared(t, runnerOn(t, cloud, p, clock, scenario.Options{FirstGray: 4, GrayDevices: 4}))
	wantProven(t, r, "online", "absent")
	if passed(r, "history") == 0 {
		t.Error("no device proved its history")
	}
}

// Whoever does not want history to be verified leaves the two verifiers out; of a large lane a sample is asked.
func TestHistoryVerifiers(t *testing.T) {
	names := func(o scenario.Options, devices int) string {
		l := tslLane()
		l.Devices, l.Products[0].Devices = devices, devices
		stages, err := scenario.TSL(o).Stages(l)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, s := range stages {
			if s.Closes != nil {
				all = append(all, s.Name+" "+s.Opens.Name()+" "+s.Closes.Name())
			}
			for _, v := range s.Verify {
				if name := v.Name(); strings.HasPrefix(name, "synchronised") || strings.HasPrefix(name, "history") {
					all = append(all, s.Name+" "+name)
				}
			}
		}
		return strings.Join(all, ", ")
	}
	out := scenario.Options{Synchronised: verify.Assumed("not-compared", "the warehouse has it"), Wrap: func(v migrate.Verifier) migrate.Verifier {
		if strings.HasPrefix(v.Name(), "history") {
			return nil
		}
		return v
	}}
	own := scenario.Options{
		Synchronised: migrate.NewCondition("synchronised-by-hand", nil), History: migrate.NewVerifier("history-in-the-warehouse", nil),
	}
	for _, tt := range []struct {
		o       scenario.Options
		devices int
		want    string
	}{
		{scenario.Options{}, 1000, "data-sync synchronising synchronised, rest history"},
		{scenario.Options{}, 10_000, "data-sync synchronising synchronised, rest history-10-percent"},
		{scenario.Options{}, 500_000, "data-sync synchronising synchronised, rest history-1-percent"},
		{scenario.Options{}, 0, "data-sync synchronising synchronised, rest history"},
		{out, 1000, "data-sync synchronising not-compared"},
		{own, 1000, "data-sync synchronising synchronised-by-hand, rest history-in-the-warehouse"},
	} {
		if got := names(tt.o, tt.devices); got != tt.want {
			t.Errorf("%d devices: %q, want %q", tt.devices, got, tt.want)
		}
	}
}
