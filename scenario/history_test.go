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

func TestCampaignProvesHistory(t *testing.T) {
	for _, window := range []migrate.Window{{}, {Min: 30 * day}} {
		cloud, clock := open(t, "s4-tsl.json", migratetest.Options{})
		r := campaign(t, cloud, clock, scenario.Options{FirstGray: 4, GrayDevices: 4, SyncWindow: window})
		wantProven(t, r, "online", "absent")
		gray, rest := passed(r, "synchronised"), passed(r, "history")
		if gray == 0 || rest != r.Lanes[0].Proven-gray {
			t.Errorf("window %v: %d devices passed synchronised, %d history, of %d", window, gray, rest, r.Lanes[0].Proven)
		}
	}
}

// While synchronisation stalls, the rest does not move. At the window's end the lane halts, and no device is to blame.
func TestCampaignStopsWhenSynchronisationStalls(t *testing.T) {
	cloud, clock := open(t, "s4-tsl.json", migratetest.Options{})
	p := cloud.Platform()
	p.Target.HistoryReader = lossy{p.Target.HistoryReader, clock.Now().Add(5 * day)}
	r := campaignOn(t, cloud, p, clock, scenario.Options{FirstGray: 4, GrayDevices: 4})
	l := r.Lanes[0]
	if l.Stage != "data-sync" || l.Halt != migrate.HaltDeadline || !strings.Contains(l.Note, "the window of 720h0m0s is over") {
		t.Errorf("stage %s, halt %q: %q", l.Stage, l.Halt, l.Note)
	}
	if l.Failed > 0 || l.Moved > 16 {
		t.Errorf("%d devices failed, %d moved", l.Failed, l.Moved)
	}
	if took := r.Latest.Sub(r.Began); took < 30*day {
		t.Errorf("it waited for %v, not for the whole window", took)
	}
}

// Where the target shows no history before the move, the first wave of the rest tells that there is none.
func TestCampaignStopsAtTheFirstWaveWithoutHistory(t *testing.T) {
	cloud, clock := open(t, "s4-tsl.json", migratetest.Options{})
	p := cloud.Platform()
	p.Target.HistoryReader = forgetful{lossy{p.Target.HistoryReader, clock.Now().Add(-30 * day)}, p.Target.StateReader}
	r := campaignOn(t, cloud, p, clock, scenario.Options{FirstGray: 4, GrayDevices: 4})
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
	cloud, clock := open(t, "s4-tsl.json", migratetest.Options{})
	p := cloud.Platform()
	p.Target.HistoryReader = forgetful{p.Target.HistoryReader, p.Target.StateReader}
	r := campaignOn(t, cloud, p, clock, scenario.Options{FirstGray: 4, GrayDevices: 4})
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
			for _, v := range s.Verify {
				if name := v.Name(); strings.HasPrefix(name, "synchronised") || strings.HasPrefix(name, "history") {
					all = append(all, s.Name+" "+name)
				}
			}
		}
		return strings.Join(all, ", ")
	}
	out := scenario.Options{Wrap: func(v migrate.Verifier) migrate.Verifier {
		if v.Name() == "synchronised" || strings.HasPrefix(v.Name(), "history") {
			return nil
		}
		return v
	}}
	own := scenario.Options{
		Synchronised: migrate.NewVerifier("synchronised-by-hand", nil), History: migrate.NewVerifier("history-in-the-warehouse", nil),
	}
	for _, tt := range []struct {
		o       scenario.Options
		devices int
		want    string
	}{
		{scenario.Options{}, 1000, "data-sync synchronised, rest history"},
		{scenario.Options{}, 10_000, "data-sync synchronised, rest history-10-percent"},
		{scenario.Options{}, 500_000, "data-sync synchronised, rest history-1-percent"},
		{scenario.Options{}, 0, "data-sync synchronised, rest history"},
		{out, 1000, ""},
		{own, 1000, "data-sync synchronised-by-hand, rest history-in-the-warehouse"},
	} {
		if got := names(tt.o, tt.devices); got != tt.want {
			t.Errorf("%d devices: %q, want %q", tt.devices, got, tt.want)
		}
	}
}
