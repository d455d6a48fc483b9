package chaos

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/verify"
)

// An incident happens when the journal grows for the n-th time, or before or after a call of the mover.
type incident struct {
	what string
	at   int           // the number of the append, from 1
	span time.Duration // how long it lasts
	kind migrate.DecisionKind
	pick float64 // which lane, stage, wave or device
}

// A fate is what happens to the processes of a campaign, and what people decide: all of it is drawn beforehand.
type fate struct {
	world *world

	mu        sync.Mutex
	incidents []incident
	powerless map[iot.DeviceID]time.Time // until when
	appends   int
	calls     string // what becomes of the process at the next call of the mover: "before" or "after"
	dead      bool
	kill      context.CancelFunc
	passing   bool // incidents of this append are under way: people who append meanwhile cause none
}

var errDead = errors.New("the process is dead")

func newFate(w *world) *fate {
	f := &fate{world: w, powerless: map[iot.DeviceID]time.Time{}}
	kinds := []string{"kill", "kill after", "kill before a call", "kill after a call", "cancel", "decide", "decide", "decide",
		"throttled", "denied", "power cut", "power cut", "suspended", "clock set", "clock set back"}
	allowed := map[string]bool{}
	for _, k := range kinds {
		allowed[k] = w.dice.chance(0.5)
	}
	for range w.dice.between(0, 14) {
		i := incident{what: kinds[w.dice.IntN(len(kinds))], at: w.dice.between(1, w.dice.between(10, 250)), pick: w.dice.Float64()}
		i.kind = []migrate.DecisionKind{migrate.Pause, migrate.Pause, migrate.Resume, migrate.Abort, migrate.Rollback}[w.dice.IntN(5)]
		i.span = w.dice.span(time.Second, 6*time.Minute)
		if i.what == "suspended" {
			i.span = w.dice.span(time.Minute, 10*time.Minute)
			if w.dice.chance(0.5) { // longer than devices have to prove themselves
				i.span = w.dice.span(31*time.Minute, 3*time.Hour)
			}
		}
		if allowed[i.what] {
			f.incidents = append(f.incidents, i)
		}
	}
	return f
}

// begin starts a process.
func (f *fate) begin(kill context.CancelFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kill, f.dead, f.calls = kill, false, ""
}

func (f *fate) die(gently bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead = !gently
	f.kill()
}

func (w *world) alive() error {
	w.fate.mu.Lock()
	defer w.fate.mu.Unlock()
	if w.fate.dead {
		return errDead
	}
	return nil
}

// op kills the process before a call, if that is its fate. It reports true for one that is dead.
func (f *fate) op(op migratetest.Op) (migratetest.Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if op.Name == "BatchGrayMigrationDevice" && f.calls == "before" {
		f.dead, f.calls = true, ""
		f.kill()
	}
	if f.dead {
		return migratetest.Fault{Refuse: &iot.Error{Kind: iot.Transient, Message: errDead.Error()}}, true
	}
	return migratetest.Fault{}, false
}

// after reports whether the process dies when the call has had its effect.
func (f *fate) after(op migratetest.Op) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if op.Name != "BatchGrayMigrationDevice" || f.calls != "after" {
		return false
	}
	f.dead, f.calls = true, ""
	f.kill()
	return true
}

// due takes the incidents of the append that is about to be made.
func (f *fate) due() []incident {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.passing {
		return nil
	}
	f.appends++
	var now, later []incident
	for _, i := range f.incidents {
		if i.at <= f.appends {
			now = append(now, i)
		} else {
			later = append(later, i)
		}
	}
	f.incidents, f.passing = later, true
	return now
}

func (f *fate) passed() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.passing = false
}

// A fatefulJournal is the journal as a process sees it.
type fatefulJournal struct {
	migrate.Journal
	world *world
}

// between reports whether no task is under way when entries are appended: then the world may change without a race.
func between(entries []migrate.Entry) bool {
	last := entries[len(entries)-1]
	switch last.Kind {
	case migrate.EntryVerdicts, migrate.EntryLook, migrate.EntryReturned:
		return last.End
	}
	return true
}

func (j fatefulJournal) Append(ctx context.Context, name string, after int64, entries ...migrate.Entry) error {
	w := j.world
	if err := w.alive(); err != nil {
		return err
	}
	var late []incident
	if w.checker.endless() {
		w.fate.die(false)
		return errDead
	}
	if between(entries) {
		for _, i := range w.fate.due() {
			if i.what == "kill after" {
				late = append(late, i)
				continue
			}
			w.happen(i)
		}
		w.power()
		w.fate.passed()
		if err := w.alive(); err != nil {
			return err
		}
	}
	if err := j.Journal.Append(ctx, name, after, entries...); err != nil {
		return err
	}
	w.checker.durable(w.numbered(entries, after))
	for range late {
		w.story("killed after an append")
		w.fate.die(false)
		return errDead
	}
	return nil
}

// numbered gives entries the numbers that the journal gave them.
func (w *world) numbered(entries []migrate.Entry, after int64) []migrate.Entry {
	out := make([]migrate.Entry, len(entries))
	for i, e := range entries {
		e.Seq = after + int64(i) + 1
		out[i] = e
	}
	return out
}

func (j fatefulJournal) Entries(ctx context.Context, name string, after int64) iter.Seq2[migrate.Entry, error] {
	return func(yield func(migrate.Entry, error) bool) {
		if err := j.world.alive(); err != nil {
			yield(migrate.Entry{}, err)
			return
		}
		j.world.wake()
		j.world.clock.platform.settle()
		j.Journal.Entries(ctx, name, after)(yield)
	}
}

// A plainJournal is the journal as people see it who decide from another process.
type plainJournal struct {
	migrate.Journal
	world *world
}

func (j plainJournal) Append(ctx context.Context, name string, after int64, entries ...migrate.Entry) error {
	if err := j.Journal.Append(ctx, name, after, entries...); err != nil {
		return err
	}
	j.world.checker.durable(j.world.numbered(entries, after))
	return nil
}

// happen lets an incident happen.
func (w *world) happen(i incident) {
	if !w.weather.bad() {
		return
	}
	w.story("%s (%v, %s)", i.what, i.span, i.kind)
	switch i.what {
	case "kill":
		w.fate.die(false)
	case "cancel":
		w.fate.die(true)
	case "kill before a call", "kill after a call":
		w.fate.mu.Lock()
		w.fate.calls = i.what[len("kill ") : len(i.what)-len(" a call")]
		w.fate.mu.Unlock()
	case "decide":
		w.decide(i)
	case "throttled", "denied":
		w.weather.mu.Lock()
		until := w.clock.platform.Now().Add(i.span)
		if i.what == "denied" {
			w.weather.denied = until
		} else {
			w.weather.throttled = until
		}
		w.weather.mu.Unlock()
	case "power cut":
		w.cutPower(i)
	case "suspended":
		w.clock.platform.Advance(i.span)
	case "clock set", "clock set back":
		w.setClock(i)
	}
}

// setClock sets the runner's clock. Within the skew that verifiers allow nothing may come of it; by more, sessions after a move
// may look older than it, and devices may fail.
func (w *world) setClock(i incident) {
	by := i.span / 2
	if i.pick < 0.7 {
		by = time.Duration(i.pick * float64(verify.DefaultSkew))
	}
	if i.what == "clock set back" {
		by = -by
	}
	if by > verify.DefaultSkew {
		w.weather.hits("the runner's clock was wrong", w.checker.ids()...)
	}
	w.clock.set(by)
}

// cutPower lets a device be off for a while.
func (w *world) cutPower(i incident) {
	all := w.checker.ids()
	id := all[int(i.pick*float64(len(all)))]
	w.story("power cut of %s", id)
	if w.cloud.PowerOff(id) == nil {
		w.fate.powerless[id] = w.clock.platform.Now().Add(i.span)
	}
}

// power switches devices on again whose time has come.
func (w *world) power() {
	now := w.clock.platform.Now()
	for _, id := range w.checker.ids() {
		if until, off := w.fate.powerless[id]; off && (!now.Before(until) || !w.weather.bad()) {
			delete(w.fate.powerless, id)
			if err := w.cloud.PowerOn(w.keys[id]); err != nil {
				w.story("%v", err)
			}
		}
	}
}

func (i incident) String() string { return fmt.Sprintf("%d: %s %v %s", i.at, i.what, i.span, i.kind) }
