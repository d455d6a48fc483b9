package migrate_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

// The model test drives a State against a little world of its own, with every kind of answer that a platform can
// give, decisions of people at any moment, and crashes between any two entries. It checks after every step what
// must always be so, and at the end what must have come about.

const (
	source = "source"
	target = "target"
	none   = "none"
)

// world is the truth that the state must not contradict.
type world struct {
	t        testing.TB
	rng      *rand.Rand
	plan     *migrate.Plan
	state    *migrate.State
	twin     *migrate.State // of which state was made by an image; nil for none
	images   int
	entries  []migrate.Entry
	now      time.Time
	at       map[iot.DeviceID]string
	moves    map[iot.DeviceID]int // to the target since it was last returned
	broken   map[iot.DeviceID]bool
	passed   map[iot.DeviceID]int
	calm     bool // nothing goes wrong any more
	families map[iot.DeviceID]int
	returned map[int]bool // families with a member that was returned
	drift
}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		at: map[iot.DeviceID]string{}, moves: map[iot.DeviceID]int{}, broken: map[iot.DeviceID]bool{},
		passed: map[iot.DeviceID]int{}, families: map[iot.DeviceID]int{}, returned: map[int]bool{}, drift: newDrift(),
	}
	w.plan = w.makePlan()
	w.state = migrate.NewState(w.plan)
	w.record(migrate.Entry{Kind: migrate.EntryCampaign, Fence: 1, Header: &migrate.Header{Version: migrate.JournalVersion}})
	w.record(migrate.Entry{Kind: migrate.EntryRunner, Fence: 1})
	return w
}

func (w *world) makePlan() *migrate.Plan {
	p := &migrate.Plan{
		Limits:    migrate.Limits{MaxFailedDevices: w.rng.IntN(4), MaxFailedShare: 1, MaxTasks: 1 + w.rng.IntN(9)},
		Deadlines: migrate.Deadlines{Visible: 5 * time.Second, Arrive: time.Minute, Verify: 2 * time.Minute, Console: time.Hour, Gate: time.Hour, Return: time.Hour},
	}
	for n := range 1 + w.rng.IntN(3) {
		p.Lanes = append(p.Lanes, w.makeLane(n))
	}
	w.addLimits(p)
	return p
}

func (w *world) makeLane(n int) migrate.LanePlan {
	gateways, subs, direct := fmt.Sprintf("a1Gateway%02d", n), fmt.Sprintf("a1SubDevi%02d", n), fmt.Sprintf("a1Direct0%02d", n)
	lane := migrate.LanePlan{Strategy: "model", Lane: migrate.Lane{ID: direct, Products: []migrate.Product{
		{Key: direct, NodeType: iot.Direct}, {Key: gateways, NodeType: iot.Gateway}, {Key: subs, NodeType: iot.SubDevice},
	}}}
	for f := range 3 + w.rng.IntN(10) {
		var family topology.Family
		if w.rng.IntN(3) == 0 {
			family.Devices = []iot.DeviceID{{ProductKey: direct, DeviceName: fmt.Sprintf("direct-%03d", f)}}
		} else {
			family.Gateway = iot.DeviceID{ProductKey: gateways, DeviceName: fmt.Sprintf("gateway-%03d", f)}
			for s := range 1 + w.rng.IntN(14) {
				id := iot.DeviceID{ProductKey: subs, DeviceName: fmt.Sprintf("sub-%03d-%02d", f, s)}
				family.Devices = append(family.Devices, id)
				w.gateway[id], w.planned[id] = family.Gateway, family.Gateway
			}
			family.Devices = append(family.Devices, family.Gateway)
		}
		lane.Families = append(lane.Families, family)
		for _, id := range family.Devices {
			w.at[id] = source
			w.families[id] = 1000*n + f
		}
	}
	lane.Stages = w.makeStages(len(lane.Families))
	return lane
}

func (w *world) makeStages(families int) []migrate.StagePlan {
	gray := 1 + w.rng.IntN(families-1)
	rest := families - gray
	half := rest / 2
	stages := []migrate.StagePlan{
		{Name: "create", Console: migrate.ConsoleCreate},
		{Name: "gray", Console: migrate.ConsoleGray, Moves: true, Waves: []topology.Wave{{First: 0, Count: gray}}, Verifiers: []string{"online", "reporting"}},
		{Name: "confirm", Gate: true, Console: migrate.ConsoleConfirm},
		{Name: "sync", Does: true, Wait: migrate.Window{Min: 7 * 24 * time.Hour, Max: 8 * 24 * time.Hour}, Verifiers: []string{"history"}},
		{Name: "rest", Moves: true, Verifiers: []string{"online", "reporting"}},
		{Name: "final", Verifiers: []string{"absent"}},
	}
	if families%2 == 0 {
		stages[3].Opens, stages[3].Closes = "on", "copied"
	}
	if half > 0 {
		stages[4].Waves = append(stages[4].Waves, topology.Wave{First: gray, Count: half})
	}
	if rest > half {
		stages[4].Waves = append(stages[4].Waves, topology.Wave{First: gray + half, Count: rest - half})
	}
	return stages
}

// chance is true once in n, as long as the world is not calm.
func (w *world) chance(n int) bool { return !w.calm && w.rng.IntN(n) == 0 }

// recorded lets the state decide, and records its entries.
func (w *world) recorded() migrate.Step {
	step := w.state.Decide(w.now, nil, false)
	for _, e := range step.Entries {
		w.record(e)
	}
	return step
}

func (w *world) record(e migrate.Entry) {
	w.t.Helper()
	e.Seq = w.state.Seq() + 1
	if e.At.IsZero() {
		e.At = w.now
	}
	if err := w.state.Apply(e); err != nil {
		w.t.Fatalf("apply %+v: %v", e, err)
	}
	if w.twin != nil {
		if err := w.twin.Apply(e); err != nil {
			w.t.Fatalf("the state of which an image was made cannot apply %+v: %v", e, err)
		}
	}
	w.entries = append(w.entries, e)
	w.warnings(e)
}

// image goes on with a state that was restored from an image. From then on both have to answer alike.
func (w *world) image() {
	image, err := w.state.Image()
	if err != nil {
		w.t.Fatal(err)
	}
	restored, err := migrate.RestoreState(w.plan, migrate.Header{Version: migrate.JournalVersion}, image)
	if err != nil {
		w.t.Fatalf("restore %s: %v", image, err)
	}
	again, err := restored.Image()
	if err != nil || !bytes.Equal(image, again) {
		w.t.Fatalf("the image of a restored state differs, %v:\n%s\n%s", err, image, again)
	}
	if w.images++; w.twin == nil {
		w.twin = w.state
	}
	w.state = restored
}

// ask lets the state decide, and its twin as well.
func (w *world) ask() migrate.Step {
	step := w.state.Decide(w.now, nil, false)
	if w.twin == nil {
		return step
	}
	if folded := w.twin.Decide(w.now, nil, false); !reflect.DeepEqual(folded, step) {
		w.t.Fatalf("a state that was restored from an image decides otherwise (-folded +restored):\n%s",
			cmp.Diff(folded, step, cmpopts.IgnoreUnexported(migrate.Task{})))
	}
	if folded := w.twin.Report("c"); !reflect.DeepEqual(folded, w.state.Report("c")) {
		w.t.Fatalf("a state that was restored from an image reports otherwise (-folded +restored):\n%s", cmp.Diff(folded, w.state.Report("c")))
	}
	return step
}

// crash starts again from the journal. What comes out must be what was there, and open intents must be unknown.
func (w *world) crash() {
	again := migrate.NewState(w.plan)
	for _, e := range w.entries {
		if err := again.Apply(e); err != nil {
			w.t.Fatalf("replay of %+v: %v", e, err)
		}
	}
	if diff := cmp.Diff(w.state.Report("c"), again.Report("c")); diff != "" {
		w.t.Fatalf("a replay comes to another state:\n%s", diff)
	}
	w.state, w.twin = again, nil
	w.record(migrate.Entry{Kind: migrate.EntryRunner, Fence: w.state.Fence() + 1})
}

// run lets the campaign go on until nothing happens any more by itself.
func (w *world) run(most int) {
	for range most {
		w.check()
		if w.chance(40) {
			w.crash()
		}
		if w.chance(25) {
			w.decide()
		}
		if w.chance(50) {
			w.drifts()
		}
		if w.chance(20) {
			w.image()
		}
		step := w.ask()
		for _, e := range step.Entries {
			w.checkWaited(e)
			w.record(e)
		}
		if len(step.Entries) > 0 {
			continue
		}
		if len(step.Tasks) > 0 {
			w.do(step.Tasks[w.rng.IntN(len(step.Tasks))])
			w.now = w.now.Add(time.Duration(w.rng.IntN(300)) * time.Millisecond)
			continue
		}
		if step.Next.IsZero() {
			return
		}
		if !step.Next.After(w.now) {
			w.t.Fatalf("at %v nothing is ready, and next is %v", w.now, step.Next)
		}
		w.now = step.Next
	}
	w.t.Fatalf("the campaign does not come to its end within %d steps: %+v", most, w.state.Report("c"))
}

func (w *world) decide() {
	kinds := []migrate.DecisionKind{migrate.Pause, migrate.Abort, migrate.Rollback, migrate.Rollback, migrate.Resume, migrate.Resume, migrate.Resume}
	d := migrate.Decision{Kind: kinds[w.rng.IntN(len(kinds))], By: "model"}
	lane := w.plan.Lanes[w.rng.IntN(len(w.plan.Lanes))]
	d.Lane = lane.Lane.ID
	if d.Kind == migrate.Rollback && w.rng.IntN(2) == 0 {
		d.Stage, d.Wave = "rest", w.rng.IntN(3)
	}
	if w.rng.IntN(4) == 0 {
		d.Kind = []migrate.DecisionKind{migrate.Declare, migrate.CloseEarly}[w.rng.IntN(2)]
		d.Stage, d.Wave, d.Note = "sync", 0, "model"
	}
	if w.state.Check(d) == nil {
		w.accepts(d)
		w.record(migrate.Entry{Kind: migrate.EntryDecision, Decision: &d})
	}
}

// do does a task as a runner would, and lets things go wrong.
func (w *world) do(t migrate.Task) {
	if len(t.Intents) > 0 {
		for _, intent := range t.Intents {
			w.record(intent)
		}
		if w.chance(20) {
			w.image()
		}
		if w.chance(15) {
			for _, call := range t.Calls[:w.rng.IntN(len(t.Calls)+1)] { // made, and nobody knows
				w.move(call)
			}
			w.crash()
			return
		}
	}
	lane := w.plan.Lanes[t.Lane]
	e := migrate.Entry{Lane: lane.Lane.ID, Wave: t.Wave + 1}
	if t.Stage >= 0 {
		e.Stage = lane.Stages[t.Stage].Name
	}
	switch t.Kind {
	case migrate.TaskGate:
		d := migrate.Decision{Kind: migrate.Approve, By: "model", Lane: e.Lane, Stage: e.Stage}
		if w.chance(8) {
			d.Kind = migrate.Refuse
		}
		w.record(migrate.Entry{Kind: migrate.EntryDecision, Decision: &d})
	case migrate.TaskConsole:
		w.console(t, e)
	case migrate.TaskDo:
		e.Kind = migrate.EntryDone
		if w.chance(3) {
			e.Error, e.Retry = "not yet", w.rng.IntN(4) > 0
		}
		w.record(e)
	case migrate.TaskUndo:
		e.Kind = migrate.EntryUndone
		w.record(e)
	case migrate.TaskBefore:
		w.lookBefore(t, e)
	case migrate.TaskLook, migrate.TaskLookBack:
		w.look(t, e)
	case migrate.TaskSweep:
		e.Wave = 0
		w.sweep(t, e)
	case migrate.TaskMove:
		w.salvo(t, e)
	case migrate.TaskVerify:
		w.verify(t, e)
	case migrate.TaskCondition:
		w.condition(t, e)
	case migrate.TaskHome:
		e.Kind = migrate.EntryHome
		if w.chance(3) {
			e.Error = "could not read"
		}
		w.record(e)
	default:
		w.t.Fatalf("unknown task %+v", t)
	}
}

func (w *world) console(t migrate.Task, e migrate.Entry) {
	e.Kind, e.Console = migrate.EntryPerformed, t.Console
	if w.chance(30) {
		e.Error = "the operator is ill"
	}
	for _, d := range t.Devices {
		switch {
		case w.chance(60): // not done, although the operator says so
		case t.Console == migrate.ConsoleRollback:
			w.giveBack(d.ID)
		case w.at[d.ID] == source:
			w.sent(d.ID)
			w.moveDevice(d.ID)
		}
	}
	w.record(e)
}

func (w *world) giveBack(id iot.DeviceID) {
	if w.at[id] == target {
		w.at[id] = source
		w.returned[w.families[id]] = true
		w.moves[id] = 0
		w.passed[id] = 0
		delete(w.cut, id)
	}
}

func (w *world) moveDevice(id iot.DeviceID) {
	w.at[id] = target
	w.moves[id]++
	w.tookAway(id)
}

func (w *world) move(call topology.Call) {
	for _, name := range call.Names {
		if id := (iot.DeviceID{ProductKey: call.ProductKey, DeviceName: name}); w.at[id] == source {
			w.moveDevice(id)
		}
	}
}

func (w *world) look(t migrate.Task, e migrate.Entry) {
	e.Kind = map[migrate.TaskKind]migrate.EntryKind{
		migrate.TaskLook: migrate.EntryLook, migrate.TaskLookBack: migrate.EntryReturned,
	}[t.Kind]
	e.End = true
	if w.chance(6) {
		e.Error = "could not read"
		w.record(e)
		return
	}
	home := t.Kind == migrate.TaskLookBack
	for _, d := range t.Devices {
		switch here := w.at[d.ID]; {
		case here == none:
			e.Gone = append(e.Gone, d.ID)
		case w.chance(60):
			e.Both = append(e.Both, d.ID)
		case here == target && !home, here == source && home:
			e.Arrived = append(e.Arrived, d.ID)
		case here == source && d.Doubt:
			e.Unmoved = append(e.Unmoved, d.ID)
		}
	}
	w.record(e)
}

// salvo makes calls up to the first that fails as such, or a crash. In between people may decide.
func (w *world) salvo(t migrate.Task, e migrate.Entry) {
	e.Kind = migrate.EntryOutcome
	for i, call := range t.Calls {
		outcome := e
		outcome.Call, outcome.Product = t.FirstCall+i, call.ProductKey
		if w.chance(8) {
			outcome.Error, outcome.Retry = "throttled", w.rng.IntN(6) > 0
			w.record(outcome)
			return
		}
		w.call(call, outcome)
		w.now = w.now.Add(time.Duration(w.rng.IntN(300)) * time.Millisecond)
		switch {
		case w.chance(25):
			w.decide()
		case w.chance(40):
			w.crash()
			return
		}
	}
}

func (w *world) call(call topology.Call, e migrate.Entry) {
	for _, name := range call.Names {
		id := iot.DeviceID{ProductKey: call.ProductKey, DeviceName: name}
		if w.at[id] == none {
			e.Refused = append(e.Refused, migrate.Failure{Device: id})
			continue
		}
		if w.at[id] != source {
			w.t.Fatalf("device %s is at %s and was sent again", id, w.at[id])
		}
		w.sent(id)
		if w.returned[w.families[id]] {
			w.t.Fatalf("device %s is sent, and a member of its family was returned", id)
		}
		switch {
		case w.chance(12):
			e.Refused = append(e.Refused, migrate.Failure{Device: id})
		case w.chance(20): // a lie
		case w.chance(10):
			e.Unknown = append(e.Unknown, id)
			if w.rng.IntN(2) == 0 {
				w.moveDevice(id)
			}
		default:
			w.moveDevice(id)
		}
	}
	w.record(e)
}

func (w *world) verify(t migrate.Task, e migrate.Entry) {
	e.Kind = migrate.EntryVerdicts
	end := e
	for k, name := range w.plan.Lanes[t.Lane].Stages[t.Stage].Verifiers {
		round := e
		round.Verifier = name
		for _, d := range t.Devices {
			if d.Passed != k {
				continue
			}
			if w.at[d.ID] != target {
				w.t.Fatalf("device %s is at %s and is to be verified", d.ID, w.at[d.ID])
			}
			if !w.asleep[d.ID] {
				w.childrenFirst(t, d.ID)
			}
			switch {
			case w.chance(40):
				round.Failed = append(round.Failed, migrate.Failure{Device: d.ID})
			case !w.chance(4):
				round.Passed = append(round.Passed, d.ID)
				w.passed[d.ID]++
				if w.asleep[d.ID] && name == "reporting" {
					w.woken++
				}
				if name == "online" {
					delete(w.cut, d.ID)
				}
			}
		}
		if w.chance(8) {
			round.Error = "could not look"
		}
		w.record(round)
	}
	end.End = true
	w.record(end)
}

// childrenFirst checks that no gateway is asked about together with a sub-device of it.
func (w *world) childrenFirst(t migrate.Task, id iot.DeviceID) {
	for _, f := range w.plan.Lanes[t.Lane].Families {
		if f.Gateway != id {
			continue
		}
		for _, d := range t.Devices {
			if d.ID != id && slices.Contains(f.Devices, d.ID) {
				w.t.Fatalf("gateway %s is asked about before its sub-device %s", id, d.ID)
			}
		}
	}
}

// check holds after every step.
func (w *world) check() {
	w.t.Helper()
	for id, n := range w.moves {
		if n > 1 {
			w.t.Fatalf("device %s was moved %d times", id, n)
		}
	}
	w.budget()
	for _, l := range w.state.Report("c").Lanes {
		if sum := l.Proven + l.Asleep + l.Unproven + l.Failed + l.Returned + l.Underway + l.Unmoved + l.LeftOut; sum != l.Devices {
			w.t.Fatalf("lane %s counts %d devices of %d: %+v", l.Lane, sum, l.Devices, l)
		}
		if len(l.Failures) != l.Failed {
			w.t.Fatalf("lane %s has %d failures for %d failed devices", l.Lane, len(l.Failures), l.Failed)
		}
	}
}

// whole checks that no family is split in a lane that stopped in good order.
func (w *world) whole() {
	w.t.Helper()
	for n, l := range w.state.Report("c").Lanes {
		switch l.Halt {
		case "", migrate.HaltLimit, migrate.HaltAborted, migrate.HaltReturned, migrate.HaltCall:
		default:
			continue // a person is asked because something could not be brought to its end
		}
		for _, f := range w.plan.Lanes[n].Families {
			where := map[string]bool{w.at[f.ID()]: true}
			for id, gateway := range w.gateway {
				if gateway == f.ID() && !w.late[id] {
					where[w.at[id]] = true
				}
			}
			delete(where, none)
			if len(where) > 1 && !w.unresolved(l) {
				w.t.Fatalf("lane %s (halt %q): family %s is split: %v", l.Lane, l.Halt, f.ID(), where)
			}
		}
	}
}

func (w *world) unresolved(l migrate.LaneReport) bool { return l.Underway > 0 }

func TestStateModel(t *testing.T) {
	outcomes := map[migrate.Outcome]int{}
	halts := map[migrate.HaltReason]int{}
	reached := map[string]int{}
	seeds := *sequences / 3
	if testing.Short() {
		seeds /= 5
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			w.run(20_000)
			w.whole()
			for _, l := range w.state.Report("c").Lanes {
				halts[l.Halt]++
			}
			w.calm = true
			w.finish()
			outcomes[w.state.Report("c").Outcome]++
			w.reaches(reached)
		})
	}
	t.Logf("first stops: %v; outcomes in the end: %v", halts, outcomes)
	if testing.Short() {
		return // too few to reach all
	}
	for _, reason := range []migrate.HaltReason{"", migrate.HaltLimit, migrate.HaltAborted, migrate.HaltReturned, migrate.HaltOperator,
		migrate.HaltCode, migrate.HaltCall, migrate.HaltRefused} {
		if halts[reason] == 0 {
			t.Errorf("no campaign ever stopped with %q: the model does not reach it", reason)
		}
	}
	for _, what := range []string{"joined", "left out", "moved by others", "appeared", "crowded out", "waited", "warned", "woken", "still asleep", "lost on the way"} {
		if reached[what] == 0 {
			t.Errorf("no campaign had a device or lane %s: the model does not reach it", what)
		}
	}
	t.Logf("reached: %v", reached)
	if len(slices.Collect(maps.Keys(outcomes))) < 2 {
		t.Errorf("all campaigns end alike: %v", outcomes)
	}
}

// finish lets a person resume whatever stopped, in a world where nothing goes wrong any more: every lane has to
// come to its end, and every family must be whole.
func (w *world) finish() {
	w.t.Helper()
	for range 20 {
		for _, l := range w.plan.Lanes {
			d := migrate.Decision{Kind: migrate.Resume, By: "model", Lane: l.Lane.ID}
			if w.state.Check(d) == nil {
				w.accepts(d)
				w.record(migrate.Entry{Kind: migrate.EntryDecision, Decision: &d})
			}
		}
		w.run(20_000)
		if w.over() {
			w.whole()
			w.proven()
			w.accounted()
			return
		}
	}
	w.t.Fatalf("resuming does not bring the campaign to its end: %+v", w.state.Report("c"))
}

// over reports whether all lanes are finished, or were returned for good.
func (w *world) over() bool {
	for _, l := range w.state.Report("c").Lanes {
		resume := migrate.Decision{Kind: migrate.Resume, By: "model", Lane: l.Lane}
		undone := l.Halt != "" && l.Moved == 0 && w.state.Check(resume) != nil
		if !undone && (!l.Finished || l.Halt != "") {
			return false
		}
	}
	return true
}

// proven checks that nothing counts as moved that is not there.
func (w *world) proven() {
	for n, l := range w.state.Report("c").Lanes {
		there := 0
		for _, id := range w.devicesOf(n) {
			if w.at[id] == target && (!w.others[id] || w.told[id]) {
				there++
			}
		}
		if l.Moved != there {
			w.t.Fatalf("lane %s: the report says that %d are at the target, %d are", l.Lane, l.Moved, there)
		}
	}
}

func TestStateRollbackOfEverything(t *testing.T) {
	returned := 0
	for seed := range uint64(100) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			w.run(20_000)
			w.calm = true
			d := migrate.Decision{Kind: migrate.Rollback, By: "model"}
			if w.state.Check(d) == nil {
				returned++
				w.record(migrate.Entry{Kind: migrate.EntryDecision, Decision: &d})
				w.run(20_000)
			}
			for id, at := range w.at {
				if at != source && !w.others[id] && at != none {
					t.Errorf("device %s is at %s after a rollback of everything", id, at)
				}
			}
			for _, l := range w.state.Report("c").Lanes {
				if l.Moved != 0 {
					t.Errorf("lane %s still counts %d moved", l.Lane, l.Moved)
				}
			}
		})
	}
	if returned < 50 {
		t.Errorf("only %d of 100 campaigns had anything to return: the model does not reach it", returned)
	}
}

func TestStateRefusesWhatDoesNotFit(t *testing.T) {
	w := newWorld(t, 1)
	lane := w.plan.Lanes[0].Lane.ID
	for name, e := range map[string]migrate.Entry{
		"gap":           {Seq: 99, Kind: migrate.EntryRunner},
		"header twice":  {Kind: migrate.EntryCampaign, Header: &migrate.Header{Version: migrate.JournalVersion}},
		"unknown lane":  {Kind: migrate.EntryStage, Lane: "nowhere"},
		"unknown stage": {Kind: migrate.EntryStage, Lane: lane, Stage: "nothing"},
		"wrong stage":   {Kind: migrate.EntryStage, Lane: lane, Stage: "rest"},
		"no wave due":   {Kind: migrate.EntryWave, Lane: lane, Stage: "create", Wave: 1},
		"no call due":   {Kind: migrate.EntryIntent, Lane: lane, Stage: "create", Call: 1},
		"no outcome":    {Kind: migrate.EntryOutcome, Lane: lane, Stage: "create", Call: 1},
		"unknown kind":  {Kind: "dance", Lane: lane, Stage: "create"},
		"no decision":   {Kind: migrate.EntryDecision},
	} {
		t.Run(name, func(t *testing.T) {
			state := migrate.NewState(w.plan)
			for _, old := range w.entries {
				if err := state.Apply(old); err != nil {
					t.Fatal(err)
				}
			}
			if err := state.Apply(e); !errors.Is(err, migrate.ErrDamaged) {
				t.Errorf("got %v, want ErrDamaged", err)
			}
		})
	}
	other := migrate.NewState(w.plan)
	err := other.Apply(migrate.Entry{Kind: migrate.EntryCampaign, Header: &migrate.Header{Version: migrate.JournalVersion + 1}})
	if !errors.Is(err, migrate.ErrMismatch) {
		t.Errorf("a journal of a later format: got %v, want ErrMismatch", err)
	}
}
