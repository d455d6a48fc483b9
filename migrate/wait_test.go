package migrate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

const (
	hour = time.Hour
	day  = 24 * hour
	lane = "a1Direct001"
)

var morning = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// A waiter drives a State through one stage that waits, by a clock that the test sets.
type waiter struct {
	*testing.T
	plan           *migrate.Plan
	state          *migrate.State
	entries        []migrate.Entry
	now            time.Time
	opens, closes  func(migrate.Task) migrate.Entry // what a look sees
	opened, closed int                              // looks
}

// holds is a look that sees what it wants, from a time on.
func (w *waiter) holds(from time.Time) func(migrate.Task) migrate.Entry {
	return func(migrate.Task) migrate.Entry {
		return migrate.Entry{Holds: !w.now.Before(from), Evidence: &migrate.Evidence{Source: "test", At: w.now, Seen: "since " + from.String()}}
	}
}

func newWaiter(t *testing.T, window migrate.Window) *waiter {
	id := iot.DeviceID{ProductKey: lane, DeviceName: "device-0001"}
	w := &waiter{T: t, now: morning, plan: &migrate.Plan{
		Lanes: []migrate.LanePlan{{
			Lane:     migrate.Lane{ID: lane, Devices: 1, Products: []migrate.Product{{Key: lane, NodeType: iot.Direct}}},
			Strategy: "test", Families: []topology.Family{{Devices: []iot.DeviceID{id}}},
			Stages: []migrate.StagePlan{
				{Name: "sync", Console: migrate.ConsoleDataSync, Wait: window, Opens: "on", Closes: "copied"},
				{Name: "rest", Gate: true, Moves: true, Waves: []topology.Wave{{Count: 1, Devices: 1}}},
			},
		}},
	}}
	w.opens, w.closes = w.holds(morning), w.holds(morning)
	w.state = migrate.NewState(w.plan)
	w.record(migrate.Entry{Kind: migrate.EntryCampaign, Fence: 1, Header: &migrate.Header{Version: migrate.JournalVersion}})
	w.record(migrate.Entry{Kind: migrate.EntryRunner, Fence: 1})
	return w
}

func (w *waiter) record(e migrate.Entry) {
	w.Helper()
	e.Seq, e.At = w.state.Seq()+1, w.now
	if err := w.state.Apply(e); err != nil {
		w.Fatalf("apply %+v: %v", e, err)
	}
	w.entries = append(w.entries, e)
}

// until lets time pass up to t, or until the next stage waits at its gate.
func (w *waiter) until(t time.Time) {
	w.Helper()
	for range 10_000 {
		step := w.state.Decide(w.now, nil, false)
		switch {
		case len(step.Entries) > 0:
			w.record(step.Entries[0])
		case len(step.Tasks) > 0 && step.Tasks[0].Kind == migrate.TaskGate:
			return
		case len(step.Tasks) > 0:
			w.do(step.Tasks[0])
		case step.Next.IsZero() || step.Next.After(t):
			w.now = t
			return
		default:
			w.now = step.Next
		}
	}
	w.Fatalf("it looks again and again: %+v", w.report())
}

func (w *waiter) do(t migrate.Task) {
	w.Helper()
	e := migrate.Entry{}
	switch {
	case t.Kind == migrate.TaskConsole:
		w.record(t.Intents[0])
		e = migrate.Entry{Kind: migrate.EntryPerformed, Console: t.Console}
	case t.Kind != migrate.TaskCondition:
		w.Fatalf("unexpected task %+v", t)
	case t.Condition == "on":
		w.opened++
		e = w.opens(t)
	case t.Condition == "copied":
		w.closed++
		e = w.closes(t)
	}
	if e.Kind == "" {
		e.Kind, e.Condition = migrate.EntryCondition, t.Condition
	}
	e.Lane, e.Stage = lane, "sync"
	w.record(e)
}

func (w *waiter) decide(d migrate.Decision) error {
	w.Helper()
	d.Lane = lane
	err := w.state.Check(d)
	if err == nil {
		w.record(migrate.Entry{Kind: migrate.EntryDecision, Decision: &d})
	}
	return err
}

// restart folds the journal as it is written, and comes to the same.
func (w *waiter) restart() {
	w.Helper()
	again := migrate.NewState(w.plan)
	for _, e := range w.entries {
		var read migrate.Entry
		text, err := json.Marshal(e)
		if err == nil {
			err = json.Unmarshal(text, &read)
		}
		if err == nil {
			err = again.Apply(read)
		}
		if err != nil {
			w.Fatal(err)
		}
	}
	if diff := cmp.Diff(w.state.Report(""), again.Report("")); diff != "" {
		w.Errorf("restarted (-was +is):\n%s", diff)
	}
	w.state = again
	w.record(migrate.Entry{Kind: migrate.EntryRunner, Fence: w.state.Fence() + 1})
}

func (w *waiter) report() migrate.LaneReport { return w.state.Report("").Lanes[0] }

// wait returns how the wait stands.
func (w *waiter) wait() migrate.WaitReport {
	w.Helper()
	waits := w.report().Waits
	if len(waits) != 1 {
		w.Fatalf("%d waits", len(waits))
	}
	return waits[0]
}

func (w *waiter) wantEnded(at time.Time) {
	w.Helper()
	if got := w.wait().Ended; !got.Equal(at) || w.report().Stage != "rest" {
		w.Errorf("the wait ended at %v in stage %s (%q), want %v", got, w.report().Stage, w.report().Note, at)
	}
}

func (w *waiter) wantTodo(want ...string) {
	w.Helper()
	todo := w.wait().Todo
	if len(todo) != len(want) {
		w.Errorf("to do: %q, want %q", todo, want)
		return
	}
	for i := range want {
		if !strings.Contains(todo[i], want[i]) {
			w.Errorf("to do: %q, want %q in it", todo[i], want[i])
		}
	}
}

var month = migrate.Window{Min: 7 * day, Max: 30 * day}

// The wait begins when it is seen, ends when it may, and says all the time how it stands, across restarts.
func TestWaitBeginsWhenItIsSeen(t *testing.T) {
	w := newWaiter(t, month)
	seen := morning.Add(3 * hour)
	w.opens, w.closes = w.holds(seen), w.holds(seen.Add(2*day))
	w.until(morning.Add(2 * hour))
	w.restart()
	w.wantTodo("Condition on has to hold, or somebody to declare by name since when it does. Last seen: since 2026-03-01")
	if !w.wait().Begun.IsZero() || w.closed > 0 {
		t.Errorf("it waits already: %+v", w.wait())
	}
	w.until(seen.Add(day))
	w.restart()
	w.wantTodo("Wait until 2026-03-08T11:", "Condition copied has to hold. Last seen: since")
	got := w.wait()
	if late := got.Begun.Sub(seen); late < 0 || late > 16*time.Minute || got.By != "" || got.Seen.Source != "test" {
		t.Errorf("begun %v after it was to be seen, %+v", late, got)
	}
	if !got.Least.Equal(got.Begun.Add(7*day)) || !got.Ends.Equal(got.Begun.Add(30*day)) {
		t.Errorf("from %v it waits until %v, and at most until %v", got.Begun, got.Least, got.Ends)
	}
	w.until(seen.Add(6 * day))
	w.wantTodo("Wait until") // it holds, but it is too early
	looks := w.closed
	w.until(seen.Add(40 * day))
	w.wantEnded(got.Least)
	if w.closed != looks+1 {
		t.Errorf("%d looks at the end, want one more", w.closed-looks)
	}
}

// What holds early does not count if it no longer holds when it matters.
func TestWaitAsksAgainAtTheLeastTime(t *testing.T) {
	w := newWaiter(t, month)
	w.closes = func(migrate.Task) migrate.Entry {
		return migrate.Entry{Holds: w.now.Before(morning.Add(5*day)) || w.now.After(morning.Add(9*day)), Until: w.now.Add(6 * hour)}
	}
	w.until(morning.Add(40 * day))
	if ended := w.wait().Ended.Sub(morning); ended < 9*day || ended > 9*day+6*hour {
		t.Errorf("it ended after %v", ended)
	}
}

func TestWaitIsDeclared(t *testing.T) {
	w := newWaiter(t, month)
	w.opens = w.holds(morning.Add(99 * day))
	w.until(morning.Add(2 * day))
	if l := w.report(); l.Halt != migrate.HaltDeadline || !strings.Contains(l.Note, "condition on was not seen to hold: mend it, or declare since when it does") {
		t.Errorf("halt %q: %s", l.Halt, l.Note)
	}
	for _, d := range []migrate.Decision{
		{Kind: migrate.Declare, Stage: "rest", By: "Li Wei"}, {Kind: migrate.Declare, Stage: "sync"},
		{Kind: migrate.CloseEarly, Stage: "sync", By: "Li Wei", Note: "now"},
	} {
		if w.decide(d) == nil {
			t.Errorf("decision %+v was taken", d)
		}
	}
	since := morning.Add(5 * hour)
	for _, d := range []migrate.Decision{
		{Kind: migrate.Declare, Stage: "sync", By: "Li Wei", Note: "the console shows it", Since: since}, {Kind: migrate.Resume, By: "Li Wei"},
	} {
		if err := w.decide(d); err != nil {
			t.Fatal(err)
		}
	}
	if w.decide(migrate.Decision{Kind: migrate.Declare, Stage: "sync", By: "Ann"}) == nil {
		t.Error("it was declared twice")
	}
	w.restart()
	got := w.wait()
	if got.By != "Li Wei" || !got.Begun.Equal(since) || got.Seen.Source != "declared by Li Wei: the console shows it" || !got.Ends.Equal(since.Add(30*day)) {
		t.Errorf("the wait is %+v, %+v", got, got.Seen)
	}
	w.until(morning.Add(40 * day))
	w.wantEnded(since.Add(7 * day))
}

// A person ends the wait early, by name and for a reason; what has to be seen still has to be.
func TestWaitEndsEarly(t *testing.T) {
	w := newWaiter(t, month)
	w.closes = w.holds(morning.Add(4 * day))
	w.until(morning.Add(2 * day))
	early := migrate.Decision{Kind: migrate.CloseEarly, Stage: "sync", By: "Li Wei", Note: "the plant moves"}
	for _, change := range []func(*migrate.Decision){
		func(d *migrate.Decision) { d.Note = "" }, func(d *migrate.Decision) { d.By = "" },
		func(d *migrate.Decision) { d.Stage = "rest" }, func(d *migrate.Decision) { d.Stage = "" },
	} {
		d := early
		change(&d)
		if w.decide(d) == nil {
			t.Errorf("decision %+v was taken", d)
		}
	}
	if w.state.Check(early) == nil { // it is about one lane
		t.Error("a decision about no lane was taken")
	}
	if err := w.decide(early); err != nil {
		t.Fatal(err)
	}
	if err := w.decide(early); err == nil || !strings.Contains(err.Error(), "ends its wait early already, by Li Wei") {
		t.Errorf("the second time: %v", err)
	}
	w.restart()
	w.wantTodo("Condition copied has to hold")
	w.until(morning.Add(3 * day))
	if !w.wait().Ended.IsZero() {
		t.Error("it ended although nothing was copied")
	}
	w.until(morning.Add(40 * day))
	got := w.wait()
	if after := got.Ended.Sub(morning); after < 4*day || after > 4*day+16*time.Minute {
		t.Errorf("it ended after %v", after)
	}
	if got.Early == nil || *got.Early != (migrate.Early{By: "Li Wei", Note: "the plant moves", At: morning.Add(2 * day)}) {
		t.Errorf("the report says of it: %+v", got.Early)
	}
}

// While it does not hold, nothing goes on, and at the end the lane halts and says why. A resume then begins the time anew; one
// before does not.
func TestWaitHaltsAtItsEnd(t *testing.T) {
	w := newWaiter(t, month)
	w.closes = func(migrate.Task) migrate.Entry {
		return migrate.Entry{Evidence: &migrate.Evidence{Seen: "the target lacks 5 rows"}, Until: w.now.Add(6 * hour)}
	}
	w.until(morning.Add(10 * day))
	for _, kind := range []migrate.DecisionKind{migrate.Abort, migrate.Resume, migrate.Pause} {
		if err := w.decide(migrate.Decision{Kind: kind, By: "Li Wei"}); err != nil {
			t.Fatal(err)
		}
		w.until(w.now.Add(day))
	}
	ends := w.wait().Ends
	if !ends.Equal(morning.Add(30 * day)) {
		t.Errorf("stopped and resumed, it ends at %v", ends)
	}
	if err := w.decide(migrate.Decision{Kind: migrate.Resume, By: "Li Wei"}); err != nil {
		t.Fatal(err)
	}
	w.until(morning.Add(50 * day))
	l := w.report()
	if want := "the window of 720h0m0s is over, condition copied does not hold; last seen: the target lacks 5 rows"; l.Halt != migrate.HaltDeadline || l.Note != want {
		t.Errorf("halt %q: %s, want %s", l.Halt, l.Note, want)
	}
	if err := w.decide(migrate.Decision{Kind: migrate.Resume, By: "Li Wei"}); err != nil {
		t.Fatal(err)
	}
	if got := w.wait().Ends; !got.Equal(morning.Add(80 * day)) {
		t.Errorf("resumed after its end, it ends at %v", got)
	}
	w.closes = w.holds(morning)
	w.until(morning.Add(60 * day))
	w.wantEnded(morning.Add(50 * day))
}

// The clock jumps, and what is known of the wait stays. What a look told for a time that the clock has left does not keep the next
// look from being made.
func TestWaitSurvivesClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{-3 * day, -400 * day, 3 * day} {
		t.Run(jump.String(), func(t *testing.T) {
			w := newWaiter(t, month)
			w.closes = func(migrate.Task) migrate.Entry {
				return migrate.Entry{Holds: w.now.Sub(morning) >= 7*day, Until: w.now.Add(12 * hour)}
			}
			w.until(morning.Add(2 * day))
			before := w.wait()
			w.now = w.now.Add(jump)
			looks := w.closed
			w.until(w.now)
			w.restart()
			w.until(w.now.Add(time.Minute))
			if w.closed == looks {
				t.Error("nobody has looked since the clock jumped")
			}
			after := w.wait()
			before.Todo, after.Todo = nil, nil
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("after the jump (-before +after):\n%s", diff)
			}
			w.now = morning.Add(2 * day) // somebody puts it right
			looks = w.closed
			w.until(w.now.Add(day))
			if w.closed < looks+2 {
				t.Error("nobody has looked since the clock is right")
			}
			w.until(morning.Add(40 * day))
			w.wantEnded(before.Least)
		})
	}
}

// A look that fails is made again, a little later each time, and from where the last one was.
func TestWaitLooksAgainAfterErrors(t *testing.T) {
	w := newWaiter(t, month)
	var got []string
	w.closes = func(task migrate.Task) migrate.Entry {
		got = append(got, string(task.Progress))
		if len(got)%2 == 0 {
			return migrate.Entry{Error: "no network"}
		}
		return migrate.Entry{Holds: len(got) > 6, Progress: json.RawMessage(fmt.Sprint(len(got))), Until: w.now}
	}
	w.until(morning.Add(40 * day))
	want := []string{"", "1", "1", "3", "3", "5", "5"}
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("progress %q, want %q", got, want)
	}
	if late := w.wait().Ended.Sub(w.wait().Least); late < 0 || late > time.Minute {
		t.Errorf("it ended %v after the least time", late)
	}
}

// Journals that were written before there were conditions come to the same as they did.
func TestWaitOfOldJournals(t *testing.T) {
	w := newWaiter(t, month)
	w.plan.Lanes[0].Stages[0].Opens, w.plan.Lanes[0].Stages[0].Closes = "", ""
	w.until(morning.Add(day))
	const want = `{"seq":6,"fence":0,"at":"2026-03-01T08:00:00Z","kind":"wait","lane":"a1Direct001","stage":"sync","until":"2026-03-08T08:00:00Z"}`
	text, err := json.Marshal(w.entries[5])
	if err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	w.restart()
	if got := w.wait(); !got.Begun.Equal(morning) || !got.Least.Equal(morning.Add(7*day)) {
		t.Errorf("the wait is %+v", got)
	}
	w.until(morning.Add(40 * day))
	w.wantEnded(morning.Add(7 * day))
}

func TestStateRefusesLooksThatAreNotDue(t *testing.T) {
	w := newWaiter(t, month)
	for _, name := range []string{"on", "copied", "", "else"} {
		w.state = migrate.NewState(w.plan)
		for _, e := range w.entries {
			if err := w.state.Apply(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.state.Apply(migrate.Entry{Kind: migrate.EntryCondition, Lane: lane, Stage: "sync", Condition: name}); !errors.Is(err, migrate.ErrDamaged) {
			t.Errorf("a look at %q: %v", name, err)
		}
	}
}

func TestCheckStagesOfConditions(t *testing.T) {
	on := migrate.NewCondition("on", nil)
	for want, s := range map[string]migrate.Stage{
		"there is no wait that it could begin": {Opens: on, Gate: true},
		"the wait needs a max":                 {Closes: on, Wait: migrate.Window{Min: hour}},
		`opens: name "Not So"`:                 {Opens: migrate.NewCondition("Not So", nil), Wait: migrate.Window{Min: hour}},
		`a condition has no name`:              {Closes: migrate.NewCondition("", nil), Wait: migrate.Window{Max: hour}},
	} {
		s.Name = "wait"
		if err := migrate.CheckStages([]migrate.Stage{s}); iot.KindOf(err) != iot.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
