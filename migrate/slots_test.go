package migrate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

// twoLanes is a world with two lanes of three products each, of which the console has place for one.
func twoLanes(t *testing.T) *world {
	w := newWorld(t, 3)
	w.calm, w.plan.Limits = true, migrate.Limits{MaxTasks: 4}
	w.plan.Lanes = []migrate.LanePlan{w.makeLane(0), w.makeLane(1)}
	w.state, w.entries = migrate.NewState(w.plan), nil
	w.record(migrate.Entry{Kind: migrate.EntryCampaign, Fence: 1, Header: &migrate.Header{Version: migrate.JournalVersion}})
	return w
}

// person records a decision that makes sense.
func (w *world) person(d migrate.Decision) {
	w.t.Helper()
	d.By = "Li Wei"
	if err := w.state.Check(d); err != nil {
		w.t.Fatal(err)
	}
	w.record(migrate.Entry{Kind: migrate.EntryDecision, Decision: &d})
}

func (w *world) laneReport(i int) migrate.LaneReport { return w.state.Report("c").Lanes[i] }

// goOn lets the campaign go on until a lane has come to a stage, or nothing more happens. Gates are opened.
func (w *world) goOn(lane int, stage string) {
	w.t.Helper()
	for range 10_000 {
		if w.laneReport(lane).Stage == stage && stage != "" {
			return
		}
		step := w.recorded()
		switch {
		case len(step.Entries) > 0:
		case len(step.Tasks) > 0:
			w.do(step.Tasks[0])
		case step.Next.IsZero():
			return
		default:
			w.now = step.Next
		}
	}
	w.t.Fatal("it goes on and on")
}

// A lane that a person aborts gives its console tasks to the next one, whether it ran or had halted before; it can be resumed when that
// one has ended, and says so until then.
func TestLaneThatIsGivenUpFreesItsConsoleTasks(t *testing.T) {
	w := twoLanes(t)
	first, second := w.plan.Lanes[0].Lane.ID, w.plan.Lanes[1].Lane.ID
	w.goOn(0, "gray")
	if got := w.laneReport(1).Queued; got != "for console tasks: it needs 3 of the 4 that may be open at once, of which 1 are free" {
		t.Errorf("the second lane waits %q", got)
	}
	w.person(migrate.Decision{Kind: migrate.Abort, Lane: first})
	w.goOn(1, "gray")
	if r := w.laneReport(1); r.Stage != "gray" || r.Queued != "" || w.laneReport(0).Halt != migrate.HaltAborted {
		t.Fatalf("the first lane is %+v, the second %+v", w.laneReport(0), r)
	}
	for _, d := range []migrate.Decision{{Kind: migrate.Resume, Lane: first, By: "Li Wei"}, {Kind: migrate.Resume, By: "Li Wei"}} {
		err := w.state.Check(d)
		if err == nil || !strings.Contains(err.Error(), "has given up its console tasks, and it needs 3 of the 4 that may be open at once, of which 1 are free: wait until another lane has ended, or abort one") {
			t.Errorf("%+v: %v", d, err)
		}
	}
	w.person(migrate.Decision{Kind: migrate.Pause, Lane: second})
	w.person(migrate.Decision{Kind: migrate.Resume}) // of those that can
	if r := w.laneReport(0); r.Halt != migrate.HaltAborted || w.laneReport(1).Paused {
		t.Fatalf("the first lane is %+v, the second %+v", r, w.laneReport(1))
	}
	w.goOn(1, "")
	if !w.laneReport(1).Finished {
		t.Fatalf("the second lane is %+v", w.laneReport(1))
	}
	w.person(migrate.Decision{Kind: migrate.Resume, Lane: first})
	w.goOn(0, "")
	if r := w.laneReport(0); !r.Finished {
		t.Errorf("the first lane is %+v", r)
	}
}

// grayLane is a lane whose gray batch is one family; its products are direct, gateway and sub-device.
func grayLane(t *testing.T) (*world, iot.DeviceID) {
	w := twoLanes(t)
	id := iot.DeviceID{ProductKey: "a1Direct000", DeviceName: "first"}
	lane := &w.plan.Lanes[0]
	lane.Families = append([]topology.Family{{Devices: []iot.DeviceID{id}}}, lane.Families...)
	lane.Stages = []migrate.StagePlan{
		{Name: "gray", Console: migrate.ConsoleGray, Moves: true, Waves: []topology.Wave{{Count: 1, Devices: 1}}},
		{Name: "confirm", Console: migrate.ConsoleConfirm},
		{Name: "rest", Moves: true, Waves: []topology.Wave{{First: 1, Count: len(lane.Families) - 1}}},
	}
	w.at[id] = source
	w.plan.Lanes = w.plan.Lanes[:1]
	w.state, w.entries = migrate.NewState(w.plan), nil
	w.record(migrate.Entry{Kind: migrate.EntryCampaign, Fence: 1, Header: &migrate.Header{Version: migrate.JournalVersion}})
	return w, id
}

const newPlan = "no device of product a1Direct000 is at the target, so the console does not confirm a first gray batch of it: unless its task is gray-completed already, abort this lane, " +
	"close its tasks in the console, and plan what is left anew (Planner.Replan)"

// However a first gray batch is lost, the report says that resuming does not help, and what does.
func TestLostGrayBatchSaysWhatToDo(t *testing.T) {
	wave := func(w *world, id iot.DeviceID, e migrate.Entry) {
		w.record(migrate.Entry{Kind: migrate.EntryStage, Lane: "a1Direct000", Stage: "gray"})
		e.Kind, e.Lane, e.Stage, e.Wave = migrate.EntryWave, "a1Direct000", "gray", 1
		w.record(e)
		w.now = w.now.Add(31 * time.Second)
		e.At = w.now
		w.record(e)
	}
	for name, lose := range map[string]func(*world, iot.DeviceID){
		"left out": func(w *world, id iot.DeviceID) {
			w.record(migrate.Entry{Kind: migrate.EntryStage, Lane: "a1Direct000", Stage: "gray"})
			w.record(migrate.Entry{Kind: migrate.EntryWave, Lane: "a1Direct000", Stage: "gray", Wave: 1, Drifted: []migrate.Failure{{Device: id}}})
		},
		"deleted": func(w *world, id iot.DeviceID) { wave(w, id, migrate.Entry{Gone: migrate.DeviceSet{id}}) },
		"failed":  func(w *world, id iot.DeviceID) { wave(w, id, migrate.Entry{Both: migrate.DeviceSet{id}}) },
		"returned": func(w *world, _ iot.DeviceID) {
			w.goOn(0, "confirm")
			w.person(migrate.Decision{Kind: migrate.Rollback, Lane: "a1Direct000"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, id := grayLane(t)
			lose(w, id)
			if name == "returned" {
				w.goOn(0, "")
				if r := w.laneReport(0); r.Halt != migrate.HaltReturned || r.Note != newPlan {
					t.Fatalf("returned, the lane is halted %q: %s", r.Halt, r.Note)
				}
				w.person(migrate.Decision{Kind: migrate.Resume, Lane: "a1Direct000"})
			}
			w.wantConfirmRefused(t)
		})
	}
}

// wantConfirmRefused lets the operator be refused the confirmation, and a person give up.
func (w *world) wantConfirmRefused(t *testing.T) {
	t.Helper()
	for w.laneReport(0).Stage != "confirm" || len(w.state.Decide(w.now, nil, false).Tasks) == 0 {
		if r := w.laneReport(0); r.Halt == migrate.HaltLimit {
			if !strings.HasPrefix(r.Note, "1 devices failed; ") || !strings.HasSuffix(r.Note, "; "+newPlan) {
				t.Errorf("halted for its limit, the lane says %s", r.Note)
			}
			w.person(migrate.Decision{Kind: migrate.Resume, Lane: "a1Direct000"})
		}
		for _, e := range w.state.Decide(w.now, nil, false).Entries {
			w.record(e)
		}
	}
	w.record(w.state.Decide(w.now, nil, false).Tasks[0].Intents[0])
	w.record(migrate.Entry{Kind: migrate.EntryPerformed, Lane: "a1Direct000", Stage: "confirm", Console: migrate.ConsoleConfirm, Error: "nothing has moved"})
	if r := w.laneReport(0); r.Halt != migrate.HaltOperator || r.Note != "nothing has moved; "+newPlan {
		t.Errorf("the lane is halted %q: %s", r.Halt, r.Note)
	}
	w.person(migrate.Decision{Kind: migrate.Abort, Lane: "a1Direct000", Note: "a new plan"})
	if r := w.laneReport(0); r.Note != "nothing has moved; aborted by Li Wei: a new plan; "+newPlan {
		t.Errorf("aborted, the lane says %s", r.Note)
	}
}

// An operator says that it is confirmed, and the platform refuses the calls.
func TestCallsWithoutAGrayBatchSayWhatToDo(t *testing.T) {
	w, id := grayLane(t)
	w.record(migrate.Entry{Kind: migrate.EntryStage, Lane: "a1Direct000", Stage: "gray"})
	w.record(migrate.Entry{Kind: migrate.EntryWave, Lane: "a1Direct000", Stage: "gray", Wave: 1, Drifted: []migrate.Failure{{Device: id}}})
	w.goOn(0, "rest")
	for {
		step := w.recorded()
		if len(step.Tasks) > 0 && step.Tasks[0].Kind == migrate.TaskMove {
			for _, intent := range step.Tasks[0].Intents {
				w.record(intent)
			}
			w.record(migrate.Entry{Kind: migrate.EntryOutcome, Lane: "a1Direct000", Stage: "rest", Wave: 1, Call: step.Tasks[0].FirstCall, Error: "the task is not gray-completed"})
			break
		}
		if len(step.Tasks) > 0 {
			w.do(step.Tasks[0])
		}
	}
	w.goOn(0, "")
	if r := w.laneReport(0); r.Halt != migrate.HaltCall || !strings.HasPrefix(r.Note, "the task is not gray-completed; no device of product a1Direct000") {
		t.Errorf("the lane is halted %q: %s", r.Halt, r.Note)
	}
}

// The same where the console moves the rest, and refuses it.
func TestFullMigrationWithoutAGrayBatchSaysWhatToDo(t *testing.T) {
	w, id := grayLane(t)
	w.plan.Lanes[0].Stages[2].Console = migrate.ConsoleFull
	w.record(migrate.Entry{Kind: migrate.EntryStage, Lane: "a1Direct000", Stage: "gray"})
	w.record(migrate.Entry{Kind: migrate.EntryWave, Lane: "a1Direct000", Stage: "gray", Wave: 1, Drifted: []migrate.Failure{{Device: id}}})
	w.goOn(0, "rest")
	w.until(func(task migrate.Task) bool { return task.Kind == migrate.TaskBefore })
	w.record(w.state.Decide(w.now, nil, false).Tasks[0].Intents[0])
	w.record(migrate.Entry{Kind: migrate.EntryPerformed, Lane: "a1Direct000", Stage: "rest", Wave: 1, Console: migrate.ConsoleFull, Error: "the task is gray"})
	if r := w.laneReport(0); r.Halt != migrate.HaltOperator || r.Note != "the task is gray; "+newPlan {
		t.Errorf("the lane is halted %q: %s", r.Halt, r.Note)
	}
}

// A lane whose gray batch is at the target gets no such advice.
func TestGrayBatchThatMovedCanBeConfirmed(t *testing.T) {
	w, _ := grayLane(t)
	w.goOn(0, "confirm")
	w.person(migrate.Decision{Kind: migrate.Abort, Lane: "a1Direct000"})
	w.goOn(0, "")
	if r := w.laneReport(0); r.Halt != migrate.HaltAborted || r.Note != "by Li Wei" {
		t.Errorf("the lane is halted %q: %s", r.Halt, r.Note)
	}
}
