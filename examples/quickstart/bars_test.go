package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/migrate"
)

// In a terminal each lane has a bar, and what bars cannot show stands above them.
func TestBars(t *testing.T) {
	j, err := prepare(t.Context(), "../../fleets/s3-preregistered.json", town.How{})
	if err != nil {
		t.Fatal(err)
	}
	var screen bytes.Buffer
	b := newBars(&screen, j.plan, mpb.WithAutoRefresh(), mpb.WithWidth(100))
	demo, end := program{}.approver(flags{})
	defer end()
	r, err := j.run(t.Context(), demo, b.Watch)
	b.Close()
	if err != nil || !r.Proven {
		t.Fatal(r, err)
	}
	for _, want := range []string{
		"rest: approve, says the demo", "a1Tracker01", "300/300", "finished: 172 proven, 128 asleep",
	} {
		if !strings.Contains(screen.String(), want) {
			t.Errorf("the screen lacks %q:\n%s", want, screen.String())
		}
	}
}

func TestBarLabel(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for want, r := range map[string]migrate.LaneReport{
		"rest 2/4, ETA 1.2 s":          {Stage: "rest", Wave: 2, Waves: 4, Remains: 1200 * time.Millisecond},
		"data-sync, ETA 7 d":           {Stage: "data-sync", Remains: time.Minute, Until: now.Add(7 * 24 * time.Hour)},
		"rest 1/2, ETA 2 s":            {Stage: "rest", Wave: 1, Waves: 2, Remains: 2 * time.Second, Until: now.Add(-time.Hour)},
		"HALTED: refused":              {Stage: "rest", Halt: migrate.HaltRefused},
		"finished: 5 proven, 1 asleep": {Finished: true, Proven: 5, Asleep: 1},
	} {
		if got := label(r, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
