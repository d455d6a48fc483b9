package migrate_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

// TestMovesThatAreShownLate lets instances show for longer than devices take to reconnect what was before a move, as long as
// Deadlines.Visible allows: sessions that began meanwhile count as after the move, also where the console made it.
func TestMovesThatAreShownLate(t *testing.T) {
	for name, late := range map[string]func(*iot.Platform) *iot.StateReader{
		"source": func(p *iot.Platform) *iot.StateReader { return &p.Source.StateReader },
		"target": func(p *iot.Platform) *iot.StateReader { return &p.Target.StateReader },
	} {
		t.Run(name, func(t *testing.T) {
			clock := migratetest.NewClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
			c := start(t, setup{
				fleet: migratetest.GenerateOptions{Direct: 30}, clock: clock,
				strategy: func(*migratetest.Cloud) migrate.Strategy { return scenario.Direct(scenario.Options{FirstGray: 20}) },
			})
			reader := late(&c.config.Platform)
			*reader = &lateStates{StateReader: *reader, clock: clock, shown: map[string]lateAnswer{}}
			c.newRunner()
			if r := c.run(); r.Outcome != migrate.OutcomeProven {
				t.Errorf("the campaign ends %s: %+v", r.Outcome, r.Lanes)
			}
		})
	}
}

// lateStates shows only after 25 seconds that a device has come or gone.
type lateStates struct {
	iot.StateReader
	clock iot.Clock
	shown map[string]lateAnswer
}

type lateAnswer struct {
	state iot.DeviceState
	there bool
	since time.Time // when it was first otherwise; zero if it is not
}

func (l *lateStates) States(ctx context.Context, product string, names []string) ([]iot.DeviceState, error) {
	states, err := l.StateReader.States(ctx, product, names)
	if err != nil {
		return nil, err
	}
	var out []iot.DeviceState
	for _, name := range names {
		i := slices.IndexFunc(states, func(s iot.DeviceState) bool { return s.ID.DeviceName == name })
		now := lateAnswer{there: i >= 0}
		if now.there {
			now.state = states[i]
		}
		if a := l.answer(name, now); a.there {
			out = append(out, a.state)
		}
	}
	return out, nil
}

func (l *lateStates) answer(name string, now lateAnswer) lateAnswer {
	old, known := l.shown[name]
	switch {
	case !known || old.there == now.there:
		old = now
	case old.since.IsZero():
		old.since = l.clock.Now()
	case l.clock.Now().Sub(old.since) >= 25*time.Second:
		old = now
	}
	l.shown[name] = old
	return old
}

// TestSlowLooksSendNothingTwice loses the answer to a call whose effect instances show after 25 seconds. The look after it takes longer
// than that, or the call itself did before it had an effect: where a device was when it was asked about, and neither when the look ended nor when the
// call began, decides whether it is sent again.
func TestSlowLooksSendNothingTwice(t *testing.T) {
	for name, slow := range map[string]struct{ look, call time.Duration }{
		"look": {look: 40 * time.Second}, "call": {call: 50 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			clock := migratetest.NewClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
			late := &lateMover{clock: clock, call: slow.call, look: slow.look, sent: map[string]int{}, moved: map[string]time.Time{}}
			c := start(t, setup{
				fleet: migratetest.GenerateOptions{Direct: 90}, clock: clock, cloud: migratetest.Options{NoQuotas: true},
				strategy: func(*migratetest.Cloud) migrate.Strategy { return oneWave() },
				fault: onMove(func(op migratetest.Op) migratetest.Fault {
					return migratetest.Fault{Lost: len(late.sent) == len(op.Devices)}
				}),
			})
			p := &c.config.Platform
			late.Mover, p.Mover = p.Mover, late
			p.Source.StateReader = editedStates{p.Source.StateReader, late.source}
			p.Target.StateReader = editedStates{p.Target.StateReader, late.target}
			c.newRunner()
			if r := c.run(); r.Outcome != migrate.OutcomeProven {
				t.Errorf("the campaign ends %s: %+v", r.Outcome, r.Lanes)
			}
			for name, n := range late.sent {
				if n > 1 {
					t.Errorf("device %s was sent %d times", name, n)
				}
			}
		})
	}
}

// A lateMover makes its first call late, and instances show 25 seconds later what it has moved. The last read of a look is slow.
type lateMover struct {
	iot.Mover
	clock      *migratetest.Clock
	call, look time.Duration
	sent       map[string]int
	moved      map[string]time.Time
}

func (m *lateMover) Move(ctx context.Context, product string, names []string) ([]iot.MoveResult, error) {
	if len(m.sent) == 0 {
		m.clock.Advance(m.call)
	}
	for _, name := range names {
		if m.sent[name]++; m.sent[name] == 1 {
			m.moved[name] = m.clock.Now()
		}
	}
	return m.Mover.Move(ctx, product, names)
}

func (m *lateMover) hidden(name string) bool {
	at, ok := m.moved[name]
	return ok && m.clock.Now().Sub(at) < 25*time.Second
}

func (m *lateMover) source(names []string, states []iot.DeviceState) []iot.DeviceState {
	for _, name := range names {
		if m.hidden(name) {
			states = append(states, iot.DeviceState{ID: iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: name}})
		}
	}
	if len(m.moved) > 0 && len(names) < iot.MaxStates {
		m.clock.Advance(m.look)
	}
	return states
}

func (m *lateMover) target(_ []string, states []iot.DeviceState) []iot.DeviceState {
	return slices.DeleteFunc(states, func(s iot.DeviceState) bool { return m.hidden(s.ID.DeviceName) })
}

// editedStates changes what an instance shows.
type editedStates struct {
	iot.StateReader
	edit func([]string, []iot.DeviceState) []iot.DeviceState
}

func (e editedStates) States(ctx context.Context, product string, names []string) ([]iot.DeviceState, error) {
	states, err := e.StateReader.States(ctx, product, names)
	if err != nil {
		return nil, err
	}
	return e.edit(names, states), nil
}

// A state does not take the word of a look that comes before the effect of a call must show, whatever its driver says.
func TestStateWaitsForEffectsToShow(t *testing.T) {
	w, lane := oneLane(t, 5, nil)
	w.until(func(t migrate.Task) bool { return t.Kind == migrate.TaskBefore })
	var names migrate.DeviceSet
	for w.laneReport(0).Calls == 0 || len(w.state.Decide(w.now, nil, false).Tasks[0].Intents) > 0 {
		task := w.state.Decide(w.now, nil, false).Tasks[0]
		for _, intent := range task.Intents {
			w.record(intent)
		}
		for _, intent := range task.Intents {
			names = append(names, intent.Names...)
			w.record(migrate.Entry{Kind: migrate.EntryOutcome, Lane: lane.Lane.ID, Stage: "rest", Wave: 1, Call: intent.Call, Unknown: intent.Names})
		}
	}
	look := func() migrate.LaneReport {
		w.record(migrate.Entry{Kind: migrate.EntryLook, Lane: lane.Lane.ID, Stage: "rest", Wave: 1, Unmoved: names, End: true})
		return w.laneReport(0)
	}
	w.now = w.now.Add(w.plan.Deadlines.Visible - time.Millisecond)
	if r := look(); r.Underway != len(names) || r.Unmoved != 0 {
		t.Errorf("a look that comes too early leaves %d of %d devices under way", r.Underway, len(names))
	}
	w.now = w.now.Add(time.Millisecond)
	if r := look(); r.Underway != 0 || r.Unmoved != len(names) {
		t.Errorf("a look that is late enough leaves %d of %d devices under way", r.Underway, len(names))
	}
}

// The look that decides about devices which one before a wave missed asks all of them Deadlines.Visible later at least: it begins then.
func TestMissedDevicesAreAskedAboutLater(t *testing.T) {
	w, lane := oneLane(t, 5, nil)
	w.record(migrate.Entry{Kind: migrate.EntryStage, Lane: lane.Lane.ID, Stage: "rest"})
	gone := migrate.DeviceSet{lane.Families[0].Devices[0]}
	look := func() migrate.LaneReport {
		w.record(migrate.Entry{Kind: migrate.EntryWave, Lane: lane.Lane.ID, Stage: "rest", Wave: 1, Gone: gone})
		return w.laneReport(0)
	}
	if r := look(); r.LeftOut > 0 {
		t.Errorf("one look leaves %d devices out", r.LeftOut)
	}
	step := w.state.Decide(w.now, nil, false)
	if len(step.Tasks) > 0 || !step.Next.Equal(w.now.Add(w.plan.Deadlines.Visible)) {
		t.Errorf("the next look comes at %v, and it is %v", step.Next, w.now)
	}
	w.now = step.Next
	if r := look(); r.LeftOut == 0 {
		t.Errorf("missed by both looks, the device is not left out: %+v", r)
	}
}

// A lane that waits for what an operator does, and cannot read the instances, says so when its time is over.
func TestOverdueConsoleTaskSaysThatNobodyCouldLook(t *testing.T) {
	w, _ := grayLane(t)
	w.until(func(task migrate.Task) bool { return task.Kind == migrate.TaskConsole })
	for w.laneReport(0).Halt == "" {
		step := w.recorded()
		switch {
		case len(step.Entries) > 0:
		case len(step.Tasks) > 0:
			w.record(migrate.Entry{Kind: migrate.EntryLook, Lane: "a1Direct000", Stage: "gray", Wave: 1, Error: "no network", End: true})
		default:
			w.now = step.Next
		}
	}
	const want = "the effect of the console task was not seen, the instances could not be read: no network"
	if r := w.laneReport(0); r.Halt != migrate.HaltDeadline || r.Note != want {
		t.Errorf("the lane is halted %q: %s", r.Halt, r.Note)
	}
}
