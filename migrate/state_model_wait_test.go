package migrate_test

import (
	"encoding/json"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// condition looks at what a stage waits for. Nothing is copied before it is on.
func (w *world) condition(t migrate.Task, e migrate.Entry) {
	e.Kind, e.Condition = migrate.EntryCondition, t.Condition
	if t.Condition == "copied" && t.Wait.Begun.IsZero() {
		w.t.Fatalf("it is asked whether all is copied, before the wait has begun: %+v", t)
	}
	switch {
	case w.chance(8):
		e.Error = "could not look"
	case w.chance(3):
		e.Progress = json.RawMessage("1")
		e.Until = w.now.Add(time.Duration(w.rng.IntN(48)) * time.Hour)
	default:
		e.Holds = true
	}
	w.record(e)
}

// checkWaited holds when a stage ends: what it waits for was seen or declared, its least time is over or was ended by a person, and what
// closes it was seen since then.
func (w *world) checkWaited(end migrate.Entry) {
	w.t.Helper()
	if end.Kind != migrate.EntryStageEnd || end.Stage != "sync" {
		return
	}
	for _, l := range w.state.Report("c").Lanes {
		if l.Lane != end.Lane {
			continue
		}
		stage := w.stageOf(l.Lane, "sync")
		wait := l.Waits[len(l.Waits)-1]
		from := wait.Begun.Add(stage.Wait.Min)
		if wait.Early != nil && wait.Early.At.Before(from) {
			from = wait.Early.At
		}
		if wait.Begun.IsZero() || w.now.Before(from) {
			w.t.Fatalf("lane %s: at %v its wait ends: %+v", l.Lane, w.now, wait)
		}
		if stage.Closes != "" && !w.sawCopied(l.Lane, from) {
			w.t.Fatalf("lane %s: its wait ends, and nobody saw from %v on that all is copied", l.Lane, from)
		}
	}
}

func (w *world) stageOf(lane, name string) migrate.StagePlan {
	for _, l := range w.plan.Lanes {
		for _, s := range l.Stages {
			if l.Lane.ID == lane && s.Name == name {
				return s
			}
		}
	}
	w.t.Fatalf("no stage %s in lane %s", name, lane)
	return migrate.StagePlan{}
}

func (w *world) sawCopied(lane string, from time.Time) bool {
	for _, e := range w.entries {
		if e.Lane == lane && e.Condition == "copied" && e.Holds && !e.At.Before(from) {
			return true
		}
	}
	return false
}
