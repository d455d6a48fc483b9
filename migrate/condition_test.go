package migrate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// counting is a strategy whose stage waits until a condition has counted to three, over restarts.
func counting(look func(context.Context, *migrate.Waiting) (migrate.Observation, error)) func(*migratetest.Cloud) migrate.Strategy {
	return func(cloud *migratetest.Cloud) migrate.Strategy {
		base := plain(cloud)
		return migrate.NewStrategy(base.Name(), base.Match, func(l migrate.Lane) ([]migrate.Stage, error) {
			stages, err := base.Stages(l)
			wait := migrate.Stage{Name: "count", Wait: migrate.Window{Min: 2 * hour, Max: 5 * hour}, Closes: migrate.NewCondition("counted", look)}
			return slices.Insert(stages, 3, wait), err
		})
	}
}

// A condition of one's own keeps its place in the journal, and a run that is ended in the middle goes on from there.
func TestConditionGoesOnFromItsProgress(t *testing.T) {
	file, err := journal.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	run, kill := context.WithCancel(t.Context())
	var places []string
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 4}, journal: file, strategy: counting(
		func(_ context.Context, w *migrate.Waiting) (migrate.Observation, error) {
			places = append(places, string(w.Progress))
			var n int
			if len(w.Progress) > 0 {
				if err := json.Unmarshal(w.Progress, &n); err != nil {
					return migrate.Observation{}, err
				}
			}
			if n == 2 {
				kill() // what this look leaves may be lost
			}
			n++
			return migrate.Observation{Holds: n > 3, Progress: json.RawMessage(fmt.Sprint(n)), Next: w.Clock.Now(), Evidence: migrate.Evidence{Seen: fmt.Sprint(n)}}, nil
		})})
	if _, err := c.runner.Run(run); !errors.Is(err, context.Canceled) {
		t.Fatalf("the run ended with %v", err)
	}
	c.newRunner()
	if r := c.run(); r.Outcome != migrate.OutcomeProven {
		t.Errorf("outcome %s: %+v", r.Outcome, r.Lanes)
	}
	places = slices.Compact(places)
	if want := []string{"", "1", "2"}; !slices.Equal(places[:3], want) || slices.Contains(places[3:], "") || slices.Contains(places[3:], "1") {
		t.Errorf("the places are %q", places)
	}
}

// Decisions about time are refused where they make no sense, and those that do end the wait of a run under way.
func TestCloseEarlyWhileRunning(t *testing.T) {
	ctx := t.Context()
	var c *campaign
	var early []error
	asked := false
	c = start(t, setup{fleet: migratetest.GenerateOptions{Direct: 4}, strategy: counting(
		func(_ context.Context, w *migrate.Waiting) (migrate.Observation, error) {
			if !asked { // the decision makes this look stale
				asked = true
				now := w.Clock.Now()
				for _, d := range []migrate.Decision{
					{Kind: migrate.CloseEarly, Note: "why not", Since: now}, {Kind: migrate.Declare, Since: now.Add(hour)}, {Kind: migrate.CloseEarly, Note: "why not"},
				} {
					d.Lane, d.Stage, d.By = w.Lane.ID, w.Stage, "Li Wei"
					early = append(early, c.runner.Decide(ctx, d))
				}
			}
			return migrate.Observation{Holds: true}, nil
		})})
	r := c.run()
	if len(early) != 3 || early[0] == nil || early[1] == nil || early[2] != nil {
		t.Errorf("decisions: %v", early)
	}
	w := r.Lanes[0].Waits[0]
	if took := w.Ended.Sub(w.Begun); took > time.Minute || w.Early == nil || w.Early.By != "Li Wei" {
		t.Errorf("it waited %v, early by %+v", took, w.Early)
	}
	after := migrate.Decision{Kind: migrate.CloseEarly, Lane: r.Lanes[0].Lane, Stage: "count", By: "Li Wei", Note: "why not"}
	if c.runner.Decide(ctx, after) == nil {
		t.Error("the wait was ended again")
	}
}

// What a condition leaves has to fit into a journal.
func TestProgressIsBounded(t *testing.T) {
	for want, progress := range map[string]string{
		"131072 are allowed": `"` + strings.Repeat("x", migrate.MaxProgress) + `"`, "no JSON": "{",
	} {
		c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 4}, strategy: counting(
			func(context.Context, *migrate.Waiting) (migrate.Observation, error) {
				return migrate.Observation{Holds: true, Progress: json.RawMessage(progress)}, nil
			})})
		if l := c.run().Lanes[0]; l.Stage != "count" || l.Halt != migrate.HaltDeadline || !strings.Contains(l.Note, want) {
			t.Errorf("stage %s, halt %q: %s", l.Stage, l.Halt, l.Note)
		}
	}
}
