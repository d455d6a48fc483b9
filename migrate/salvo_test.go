package migrate_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/topology"
)

const moveAPI = "BatchGrayMigrationDevice"

// A salvoJournal tells how many intents each append held, and may let time pass until the calls are made.
type salvoJournal struct {
	*journal.Memory
	salvos []int
	after  func(salvo int)
}

func (j *salvoJournal) Append(ctx context.Context, campaign string, after int64, entries ...migrate.Entry) error {
	err := j.Memory.Append(ctx, campaign, after, entries...)
	n := 0
	for _, e := range entries {
		if e.Kind == migrate.EntryIntent {
			n++
		}
	}
	if n > 0 {
		j.salvos = append(j.salvos, n)
		if j.after != nil {
			j.after(len(j.salvos))
		}
	}
	return err
}

func (j *salvoJournal) intents() int {
	sum := 0
	for _, n := range j.salvos {
		sum += n
	}
	return sum
}

// TestSalvo announces several calls by one append, and makes none before.
func TestSalvo(t *testing.T) {
	j := &salvoJournal{Memory: journal.NewMemory()}
	calls := 0
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 120}, journal: j, fault: func(op migratetest.Op) migratetest.Fault {
		if op.Name == moveAPI {
			if calls++; calls > j.intents() {
				t.Errorf("call %d was made, and %d were announced", calls, j.intents())
			}
		}
		return migratetest.Fault{}
	}})
	if got := c.run(); got.Outcome != migrate.OutcomeProven || got.Lanes[0].Calls != calls {
		t.Errorf("outcome %s, %d calls in the report, %d made", got.Outcome, got.Lanes[0].Calls, calls)
	}
	c.movedOnce()
	if 2*len(j.salvos) > calls {
		t.Errorf("%d calls were announced by %d appends", calls, len(j.salvos))
	}
}

// TestSalvoEndsWithACallThatFails makes none of the calls that were announced after one that the platform refused.
func TestSalvoEndsWithACallThatFails(t *testing.T) {
	j := &salvoJournal{Memory: journal.NewMemory()}
	calls, refused := 0, 0
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 120}, journal: j, fault: func(op migratetest.Op) migratetest.Fault {
		if op.Name != moveAPI {
			return migratetest.Fault{}
		}
		calls++
		if refused == 0 && j.salvos[len(j.salvos)-1] >= 4 && calls == j.intents()-2 {
			refused = calls // two of its salvo are left
			return migratetest.Fault{Refuse: iot.Throttled}
		}
		return migratetest.Fault{}
	}})
	got := c.run()
	if refused == 0 {
		t.Fatal("no salvo was long enough")
	}
	if l := got.Lanes[0]; got.Outcome != migrate.OutcomeProven || l.Retried != 1 || l.Calls != calls {
		t.Errorf("outcome %s, %d retried, %d calls in the report, %d made", got.Outcome, l.Retried, l.Calls, calls)
	}
	if unmade := j.intents() - calls; unmade != 2 {
		t.Errorf("%d calls that were announced were not made, want 2", unmade)
	}
	c.movedOnce()
}

// TestSalvoIsTakenBack knows of calls that were announced and not made that they have moved nothing.
func TestSalvoIsTakenBack(t *testing.T) {
	j := &salvoJournal{Memory: journal.NewMemory()}
	calls := 0
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 120}, journal: j, fault: func(op migratetest.Op) migratetest.Fault {
		if op.Name != moveAPI {
			return migratetest.Fault{}
		}
		if calls++; j.salvos[len(j.salvos)-1] < 2 {
			return migratetest.Fault{}
		}
		return migratetest.Fault{Refuse: iot.Denied}
	}})
	l := c.run().Lanes[0]
	if l.Halt != migrate.HaltCall || l.Calls != calls || j.intents() == calls || l.Moved+l.Unmoved != l.Devices {
		t.Errorf("of %d calls announced, %d were made: halt %q, %d moved, %d unmoved, %d failed, %d under way",
			j.intents(), l.Calls, l.Halt, l.Moved, l.Unmoved, l.Failed, l.Underway)
	}
}

// TestSalvoIsNotMadeLate stands still between the intents and the calls, for so long that another runner may have looked.
func TestSalvoIsNotMadeLate(t *testing.T) {
	clock := migratetest.NewClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	var announced time.Time
	j := &salvoJournal{Memory: journal.NewMemory()}
	j.after = func(salvo int) {
		if announced = clock.Now(); salvo == 2 {
			clock.Advance(time.Minute)
		}
	}
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 120}, journal: j, clock: clock, fault: func(op migratetest.Op) migratetest.Fault {
		if late := op.At.Sub(announced); op.Name == moveAPI && late > 15*time.Second {
			t.Errorf("a call was made %s after it was announced", late)
		}
		return migratetest.Fault{}
	}})
	got := c.run()
	if got.Outcome != migrate.OutcomeProven || got.Lanes[0].Retried != 1 || len(j.salvos) < 3 {
		t.Errorf("outcome %s, %d retried, salvos %v", got.Outcome, got.Lanes[0].Retried, j.salvos)
	}
	c.movedOnce()
}

// TestPauseEndsASalvo finishes the families that are split and starts no others.
func TestPauseEndsASalvo(t *testing.T) {
	w, lane := oneLane(t, 3, nil)
	w.until(func(task migrate.Task) bool { return task.Kind == migrate.TaskMove })
	w.record(migrate.Entry{Kind: migrate.EntryDecision, Decision: &migrate.Decision{Kind: migrate.Pause, By: "model"}})
	if split(lane, w.at) == 0 {
		t.Fatal("no family is split: nothing is left to be done in a pause")
	}
	for {
		tasks := w.state.Decide(w.now, nil, false).Tasks
		if len(tasks) == 0 {
			break
		}
		at := maps.Clone(w.at)
		for _, call := range tasks[0].Calls {
			if split(lane, at) == 0 {
				t.Fatalf("a call is made in a pause, and no family is split: %v", call)
			}
			for _, name := range call.Names {
				at[iot.DeviceID{ProductKey: call.ProductKey, DeviceName: name}] = target
			}
		}
		w.do(tasks[0])
	}
	if l := w.state.Report("c").Lanes[0]; split(lane, w.at) > 0 || !l.Paused || l.Unmoved == 0 {
		t.Errorf("%d families are split, %d devices unmoved in a lane of %d", split(lane, w.at), l.Unmoved, l.Devices)
	}
}

// oneLane is a world of one lane, in which nothing goes wrong, with one stage that moves by waves; nil for one wave.
func oneLane(t *testing.T, seed uint64, waves func(families int) []topology.Wave) (*world, *migrate.LanePlan) {
	w := newWorld(t, seed)
	w.calm, w.plan.Limits.MaxOffline = true, 0
	w.plan.Lanes = []migrate.LanePlan{w.makeLane(0)}
	lane := &w.plan.Lanes[0]
	if waves == nil {
		waves = func(families int) []topology.Wave { return []topology.Wave{{Count: families}} }
	}
	lane.Stages = []migrate.StagePlan{{Name: "rest", Moves: true, Waves: waves(len(lane.Families))}}
	w.state, w.entries = migrate.NewState(w.plan), nil
	w.record(migrate.Entry{Kind: migrate.EntryCampaign, Fence: 1, Header: &migrate.Header{Version: migrate.JournalVersion}})
	return w, lane
}

// until lets the campaign go on until it has done such a task.
func (w *world) until(is func(migrate.Task) bool) {
	for {
		step := w.recorded()
		switch {
		case len(step.Entries) > 0:
		case len(step.Tasks) > 0:
			w.do(step.Tasks[0])
			if is(step.Tasks[0]) {
				return
			}
		case step.Next.IsZero():
			w.t.Fatal("the campaign stands still")
		default:
			w.now = step.Next
		}
	}
}

// TestWaveIsLookedAtAfterAWayBack interrupts a wave by the return of the one before it, for longer than the wave has to arrive.
func TestWaveIsLookedAtAfterAWayBack(t *testing.T) {
	w, lane := oneLane(t, 4, func(families int) []topology.Wave {
		return []topology.Wave{{Count: 2}, {First: 2, Count: families - 2}}
	})
	left := -lane.Families[0].Len() - lane.Families[1].Len()
	for _, f := range lane.Families {
		left += f.Len()
	}
	w.until(func(task migrate.Task) bool { // all calls of the second wave are made, nobody has looked
		for _, call := range task.Calls {
			if task.Wave == 1 {
				left -= len(call.Names)
			}
		}
		return left == 0
	})
	w.record(migrate.Entry{Kind: migrate.EntryDecision, Decision: &migrate.Decision{
		Kind: migrate.Rollback, Lane: lane.Lane.ID, Stage: "rest", Wave: 1, By: "model",
	}})
	w.until(func(task migrate.Task) bool { return task.Console == migrate.ConsoleRollback })
	w.now = w.now.Add(2 * w.plan.Deadlines.Arrive)
	w.until(func(task migrate.Task) bool { return task.Kind == migrate.TaskHome })
	w.run(1000)
	if l := w.state.Report("c").Lanes[0]; l.Failed > 0 || l.Returned == 0 || l.Moved == 0 || l.Returned+l.Moved+l.Unmoved != l.Devices {
		t.Errorf("%d failed, %d returned, %d moved, %d unmoved: want none failed", l.Failed, l.Returned, l.Moved, l.Unmoved)
	}
	w.whole()
}

// split counts the families that have devices at both instances.
func split(lane *migrate.LanePlan, at map[iot.DeviceID]string) int {
	n := 0
	for _, f := range lane.Families {
		moved := 0
		for _, id := range f.Devices {
			if at[id] == target {
				moved++
			}
		}
		if moved > 0 && moved < f.Len() {
			n++
		}
	}
	return n
}
