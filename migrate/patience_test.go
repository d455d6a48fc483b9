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
		step := w.recorded()
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

// A condition that nobody sees is looked at often in the first minutes and the last ones, every quarter of an hour in between, and
// restarts change nothing about that.
func TestLongWaitHasFewLooks(t *testing.T) {
	for name, begin := range map[string]func(*waiter) (from, deadline time.Time){
		"opens": func(w *waiter) (from, deadline time.Time) {
			w.opens = w.holds(morning.Add(99 * day))
			return morning, morning.Add(day)
		},
		"closes": func(w *waiter) (from, deadline time.Time) {
			w.closes = w.holds(morning.Add(99 * day))
			w.until(morning.Add(7*day - time.Second))
			return morning.Add(7 * day), morning.Add(8 * day)
		},
		"closes early": func(w *waiter) (from, deadline time.Time) {
			w.closes = w.holds(morning.Add(99 * day))
			w.until(morning.Add(5 * day))
			if err := w.decide(migrate.Decision{Kind: migrate.CloseEarly, Stage: "sync", By: "Li Wei", Note: "the plant moves"}); err != nil {
				w.Fatal(err)
			}
			return morning.Add(5 * day), morning.Add(8 * day)
		},
		"closes after errors": func(w *waiter) (from, deadline time.Time) {
			w.closes = func(migrate.Task) migrate.Entry { return migrate.Entry{Error: "no network"} }
			w.until(morning.Add(7*day - time.Second))
			return morning.Add(7 * day), morning.Add(8 * day)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWaiter(t, migrate.Window{Min: 7 * day, Max: 8 * day})
			from, deadline := begin(w)
			before := len(w.entries)
			for n := 0; w.report().Halt == ""; n++ {
				if n%7 == 6 {
					w.restart()
				}
				next := w.state.Decide(w.now, nil, false).Next
				w.until(later(next, w.now.Add(time.Second)))
			}
			wantPace(t, looksOf(w.entries[before:]), from, deadline)
			if w.now.Before(deadline) || w.now.After(deadline.Add(time.Second)) {
				t.Errorf("the lane halted at %v, want %v", w.now, deadline)
			}
		})
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func looksOf(entries []migrate.Entry) (looks []time.Time) {
	for _, e := range entries {
		if e.Kind == migrate.EntryCondition {
			looks = append(looks, e.At)
		}
	}
	return looks
}

// wantPace checks what comes again and again from a time until a deadline.
func wantPace(t *testing.T, looks []time.Time, from, deadline time.Time) {
	t.Helper()
	wait := deadline.Sub(from)
	if most := 70 + int(wait/(15*time.Minute)); len(looks) < 20 || len(looks) > most {
		t.Fatalf("%d looks in %v, at most %d were to be made", len(looks), wait, most)
	}
	if late := looks[0].Sub(from); late > 16*time.Minute {
		t.Errorf("the first look is %v after the beginning", late)
	}
	if last := deadline.Sub(looks[len(looks)-1]); last > 65*time.Second {
		t.Errorf("the last look is %v before the end", last)
	}
	for i := range looks[1:] {
		gap, passed := looks[i+1].Sub(looks[i]), looks[i+1].Sub(from)
		if gap > 16*time.Minute || passed < 10*time.Minute && gap > 100*time.Second {
			t.Fatalf("look %d is %v after the one before, %v after the beginning", i+1, gap, passed)
		}
	}
}

// Code of a stage that says "not yet" for a day is called at the same pace, and so is an approver who cannot be reached.
func TestNotYetFillsNoJournal(t *testing.T) {
	for name, stage := range map[string]migrate.StagePlan{
		"code": {Name: "deploy", Does: true},
		"gate": {Name: "deploy", Gate: true, Does: true},
	} {
		t.Run(name, func(t *testing.T) {
			w, lane := oneLane(t, 3, nil)
			lane.Stages = append([]migrate.StagePlan{stage}, lane.Stages...)
			w.plan.Deadlines.Gate, w.plan.Deadlines.Console = day, day
			w.state, w.entries = migrate.NewState(w.plan), nil
			w.record(migrate.Entry{Kind: migrate.EntryCampaign, Fence: 1, Header: &migrate.Header{Version: migrate.JournalVersion}})
			from := w.now
			var calls []time.Time
			for w.state.Report("c").Lanes[0].Halt == "" {
				step := w.recorded()
				if len(step.Entries) == 0 && len(step.Tasks) == 0 {
					w.now = step.Next
				}
				for _, task := range step.Tasks {
					calls = append(calls, w.now)
					for _, intent := range task.Intents {
						w.record(intent)
					}
					answer := migrate.Entry{Kind: migrate.EntryDone, Error: "not yet", Retry: true}
					if task.Kind == migrate.TaskGate {
						answer = migrate.Entry{Kind: migrate.EntryGate, Error: "no network"}
					}
					answer.Lane, answer.Stage = lane.Lane.ID, stage.Name
					w.record(answer)
				}
			}
			wantPace(t, calls, from, from.Add(day))
		})
	}
}
