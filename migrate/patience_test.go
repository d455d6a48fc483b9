package migrate_test

import (
	"testing"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// TestLongWindowHasFewRounds stays inconclusive for three weeks: the journal does not fill, and what happens just before the end of the
// window, or soon after its beginning, would have been seen.
func TestLongWindowHasFewRounds(t *testing.T) {
	w, lane := oneLane(t, 3, nil)
	const day = 24 * time.Hour
	lane.Stages = append(lane.Stages, migrate.StagePlan{
		Name: "window", Wait: migrate.Window{Min: 7 * day, Max: 28 * day}, Verifiers: []string{"history"},
	})
	var rounds []time.Time
	began := w.now
	for w.state.Report("c").Lanes[0].Halt == "" {
		step := w.state.Decide(w.now, nil, false)
		for _, e := range step.Entries {
			w.record(e)
		}
		switch {
		case len(step.Entries) > 0:
		case len(step.Tasks) == 0:
			w.now = step.Next
		case step.Tasks[0].Kind == migrate.TaskVerify:
			rounds = append(rounds, w.now)
			w.record(migrate.Entry{Kind: migrate.EntryVerdicts, Lane: lane.Lane.ID, Stage: "window", End: true})
		default:
			w.do(step.Tasks[0])
			began = w.now
		}
	}
	first, last := rounds[0].Sub(began), w.now.Sub(rounds[len(rounds)-1])
	if n := len(rounds); n < 1000 || n > 2500 {
		t.Errorf("%d rounds in three weeks", n)
	}
	if first < 7*day || first > 7*day+time.Second || rounds[9].Sub(rounds[0]) > 10*time.Minute {
		t.Errorf("the first round was after %v, the tenth %v later", first, rounds[9].Sub(rounds[0]))
	}
	if end := w.now.Sub(began); end < 28*day || end > 28*day+time.Second || last > 65*time.Second {
		t.Errorf("the window ended after %v, its last round was %v before", end, last)
	}
	for i := range rounds[1:] {
		if gap := rounds[i+1].Sub(rounds[i]); gap > 17*time.Minute {
			t.Fatalf("round %d is %v after the one before", i+1, gap)
		}
	}
}
