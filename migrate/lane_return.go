package migrate

import (
	"fmt"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// wayBack is the return of devices to the source: look where they are, ask the operator for exactly those
// that are at the target, look until all are back, compare the topology, and, if the whole lane was
// returned, undo the stages' own code.
type wayBack struct {
	split  bool // families that a refusal split: the lane goes on afterwards
	all    bool // the whole lane
	step   backStep
	since  time.Time
	asked  time.Time
	tries  int
	tryAt  time.Time
	why    string
	left   int       // devices that are not back
	undo   int       // index of the stage whose code is undone next; -1 for none
	seen   DeviceSet // on both instances or on none, by the look under way
	astray DeviceSet // the same, by the last complete look
}

type backStep uint8

const (
	backLook  backStep = iota // where are they?
	backAsk                   // ask the operator
	backWatch                 // look until all are back
	backHome                  // compare the topology
	backUndo                  // undo own code
)

// startReturn takes the devices out of the campaign's way forward.
func (l *lane) startReturn(set []int32, split bool, at time.Time) {
	l.back = &wayBack{split: split, since: at, left: len(set), undo: -1}
	for _, i := range set {
		delete(l.failures, i)
		l.set(i, DeviceReturning)
	}
	if earliestLook := l.lastCall.Add(l.deadlines.Visible); earliestLook.After(at) {
		l.back.tryAt = earliestLook // an effect of the last call may still come to light
	}
}

// splitFamilies returns the devices at the target of families that have others at the source for good.
func (l *lane) splitFamilies(lo, hi int32) []int32 {
	var out []int32
	for f := l.family[lo]; f <= l.family[hi-1]; f++ {
		var there []int32
		stays := false
		for i := l.first[f]; i < l.first[f+1]; i++ {
			if l.dev[i].there {
				there = append(there, i)
			} else {
				stays = true
			}
		}
		if stays {
			out = append(out, there...)
		}
	}
	return out
}

// decided folds a person's decision. What makes no sense any more is ignored: two people may decide at once.
func (l *lane) decided(d Decision, at time.Time) {
	if l.check(d) != nil {
		return
	}
	switch d.Kind {
	case Approve:
		l.gateOpen = false
		l.passGate(at)
	case Refuse:
		l.halt, l.haltNote = HaltRefused, "refused by "+d.By+": "+d.Note
		l.gateOpen = false
	case Pause:
		l.paused = true
	case Abort:
		l.abort(d)
	case Resume:
		l.resume(at)
	case Rollback:
		l.rollback(d, at)
	}
}

// abort stops the lane as soon as no family is split. A way back is finished first.
func (l *lane) abort(d Decision) {
	l.paused = false
	l.stopping, l.stopNote = HaltAborted, strings.TrimSuffix("by "+d.By+": "+d.Note, ": ")
}

// resume lets deadlines start anew, and accepts what failed so far.
func (l *lane) resume(at time.Time) {
	l.paused = false
	l.stopping, l.stopNote = "", ""
	l.halt, l.haltNote = "", ""
	l.forgiven = l.counts[DeviceFailed]
	l.since = at
	l.asked = time.Time{}
	l.tries, l.tryAt, l.errored = 0, time.Time{}, ""
	if l.phase == phaseArriving && l.byConsole() && l.back == nil {
		l.enter(phaseMoving, at) // the operator is asked again about those that did not arrive
	}
	if l.back != nil {
		l.back.since, l.back.asked, l.back.tries, l.back.tryAt = at, time.Time{}, 0, time.Time{}
		if l.back.step == backWatch {
			l.back.step = backLook
		}
	}
}

func (l *lane) rollback(d Decision, at time.Time) {
	lo, hi := l.rollbackRange(d)
	var set []int32
	for i := lo; i < hi; i++ {
		if l.returnable(i) {
			set = append(set, i)
		}
	}
	if l.back != nil { // one way back at a time: the new one takes over what the old one had
		for i := range l.dev {
			if l.dev[i].state == DeviceReturning {
				set = append(set, int32(i))
			}
		}
	}
	l.halt, l.haltNote, l.stopping, l.stopNote, l.paused = "", "", "", "", false
	l.startReturn(set, false, at)
	l.back.all = d.Stage == ""
	if l.back.all {
		l.back.undo = min(l.stage, len(l.plan.Stages)-1)
	}
}

// returnable reports whether device i may be at the target: a device that failed without a call is not.
func (l *lane) returnable(i int32) bool {
	d := l.dev[i]
	return d.state >= DeviceIntended && d.state <= DeviceProven || d.state == DeviceFailed && (d.call > 0 || d.there)
}

func (l *lane) rollbackRange(d Decision) (lo, hi int32) {
	if d.Stage == "" {
		return 0, int32(len(l.dev))
	}
	for s, stage := range l.plan.Stages {
		if stage.Name != d.Stage || len(stage.Waves) == 0 {
			continue
		}
		if d.Wave > 0 {
			return l.rangeOf(s, d.Wave-1)
		}
		lo, _ = l.rangeOf(s, 0)
		_, hi = l.rangeOf(s, len(stage.Waves)-1)
	}
	return lo, hi
}

// check reports why a decision makes no sense for this lane now.
func (l *lane) check(d Decision) error {
	refuse := func(why string) error { return fmt.Errorf("decision %s: lane %s %s", d.Kind, l.id(), why) }
	switch d.Kind {
	case Approve, Refuse:
		if l.phase != phaseGate || !l.gateOpen || l.halt != "" || l.stagePlan().Name != d.Stage {
			return refuse(fmt.Sprintf("does not wait at a gate of stage %q", d.Stage))
		}
	case Pause:
		if l.paused || l.halt != "" || l.phase == phaseFinished {
			return refuse("does not run")
		}
	case Abort:
		if l.halt == HaltAborted || l.phase == phaseFinished && l.back == nil {
			return refuse("has ended already")
		}
	case Resume:
		if !l.paused && l.stopping == "" && l.halt == "" {
			return refuse("is not stopped")
		}
	case Rollback:
		return l.checkRollback(d, refuse)
	default:
		return refuse("does not know this decision")
	}
	return nil
}

func (l *lane) checkRollback(d Decision, refuse func(string) error) error {
	if l.oneWay {
		return refuse("has passed a stage without a way back")
	}
	if d.Stage == "" && d.Wave != 0 {
		return refuse("needs the stage of the wave")
	}
	if d.Stage != "" {
		if n := l.wavesOf(d.Stage); n == 0 || d.Wave < 0 || d.Wave > n {
			return refuse(fmt.Sprintf("has no wave %d in stage %q", d.Wave, d.Stage))
		}
	}
	lo, hi := l.rollbackRange(d)
	for i := lo; i < hi; i++ {
		stuck := (l.halt != "" || l.paused) && l.dev[i].state == DeviceReturning
		if stuck || l.returnable(i) {
			return nil
		}
	}
	return refuse("has moved none of these devices")
}

func (l *lane) wavesOf(stage string) int {
	for _, s := range l.plan.Stages {
		if s.Name == stage {
			return len(s.Waves)
		}
	}
	return 0
}

func (l *lane) decideReturn(now time.Time) answer {
	b := l.back
	if l.halt != "" || l.inFlight || l.paused && !b.split {
		return answer{} // a family that is split is made whole even in a pause
	}
	deadline := b.since.Add(l.deadlines.Return)
	if !now.Before(deadline) {
		return answer{entries: []Entry{l.overdueReturn()}}
	}
	if now.Before(b.tryAt) {
		return answer{next: earliest(b.tryAt, deadline)}
	}
	a := answer{next: deadline}
	switch b.step {
	case backLook, backWatch:
		a.task = l.backTask(TaskLookBack)
		a.task.Devices = l.returningDevices()
	case backAsk:
		a.task = l.askBack()
	case backHome:
		a.task = l.backTask(TaskHome)
		a.task.Devices = l.returnedDevices()
	case backUndo:
		return l.decideUndo(deadline)
	}
	return a
}

func (l *lane) backTask(kind TaskKind) *Task { return &Task{Kind: kind, Stage: -1, Wave: -1} }

func (l *lane) askBack() *Task {
	if !l.back.asked.IsZero() {
		return nil
	}
	t := l.backTask(TaskConsole)
	t.Console = ConsoleRollback
	t.Devices = l.returningDevices()
	intent := Entry{Kind: EntryAsked, Console: ConsoleRollback}
	for _, d := range t.Devices {
		intent.Names = append(intent.Names, d.ID)
	}
	t.Intent = &intent
	return t
}

func (l *lane) overdueReturn() Entry {
	if len(l.back.astray) > 0 {
		e := Entry{Kind: EntryAlarm, Names: l.back.astray}
		e.Note = fmt.Sprintf("on the way back, %d devices are on both instances or on none", len(e.Names))
		return e
	}
	if l.back.step == backHome {
		return Entry{Kind: EntryHalt, Reason: HaltTopology, Note: l.back.why}
	}
	return Entry{Kind: EntryHalt, Reason: HaltDeadline, Note: or(l.back.why, fmt.Sprintf("%d devices are not back", l.back.left))}
}

// decideUndo takes back the stages' own code, the last stage first.
func (l *lane) decideUndo(deadline time.Time) answer {
	b := l.back
	if !b.asked.IsZero() {
		return answer{next: deadline}
	}
	t := l.backTask(TaskUndo)
	t.Stage = b.undo
	t.Intent = &Entry{Kind: EntryUndoing, Stage: l.plan.Stages[b.undo].Name}
	return answer{task: t, next: deadline}
}

func (l *lane) returningDevices() []TaskDevice {
	return l.taskDevices(0, int32(len(l.dev)), func(i int32) bool { return l.dev[i].state == DeviceReturning })
}

func (l *lane) returnedDevices() []TaskDevice {
	return l.taskDevices(0, int32(len(l.dev)), func(i int32) bool { return l.dev[i].state == DeviceReturned })
}

// applyReturn folds an entry about the way back. One that comes after the way back has ended is late, not wrong.
func (l *lane) applyReturn(e Entry) error {
	b := l.back
	if b == nil {
		return nil
	}
	switch e.Kind {
	case EntryUndoing:
		b.asked = e.At
		return nil
	case EntryUndone:
		l.undone(e)
		return nil
	}
	if e.Error != "" {
		b.seen = nil
		b.again(e)
		return nil
	}
	if e.Kind == EntryHome {
		l.home(e.At)
		return nil
	}
	if err := l.each(e.Arrived, l.returned); err != nil {
		return err
	}
	b.seen = append(append(b.seen, e.Gone...), e.Both...)
	if e.End {
		b.astray, b.seen = b.seen, nil
		b.endLook(e)
	}
	return nil
}

func (l *lane) returned(i int32) {
	if l.dev[i].state == DeviceReturning {
		l.set(i, DeviceReturned)
		l.back.left--
		l.back.tries = 0
	}
}

// endLook goes on when all devices are back, or when it is known which are at the target.
func (b *wayBack) endLook(e Entry) {
	switch {
	case b.left == 0:
		b.next(backHome)
	case b.step == backLook && len(b.astray) == 0:
		b.next(backAsk)
	default:
		b.again(e)
	}
}

func (b *wayBack) next(step backStep) {
	b.step, b.tries, b.tryAt, b.why = step, 0, time.Time{}, ""
}

func (b *wayBack) again(e Entry) {
	b.tryAt = e.At.Add(backoff(b.tries))
	b.tries++
	b.why = e.Error
}

func (l *lane) askedBack(e Entry) {
	if l.back != nil {
		l.back.asked = e.At
	}
}

func (l *lane) performedBack(e Entry) {
	if l.back == nil {
		return
	}
	l.back.asked = time.Time{}
	if e.Error != "" {
		l.halt, l.haltNote = HaltOperator, e.Error
		return
	}
	l.back.next(backWatch)
}

// home ends the way back: the devices are at the source and the topology is as before.
func (l *lane) home(at time.Time) {
	if l.back.all {
		l.back.next(backUndo)
	}
	l.nextUndo(at)
}

func (l *lane) undone(e Entry) {
	l.back.asked = time.Time{}
	if e.Error != "" {
		l.halt, l.haltNote = HaltCode, e.Error
		return
	}
	l.back.undo--
	l.nextUndo(e.At)
}

// nextUndo goes to the next stage that has code of its own, and ends the way back after the last.
func (l *lane) nextUndo(at time.Time) {
	for l.back.undo >= 0 && !l.plan.Stages[l.back.undo].Does {
		l.back.undo--
	}
	if l.back.undo < 0 {
		l.endReturn(at)
	}
}

func (l *lane) endReturn(at time.Time) {
	split := l.back.split
	l.back = nil
	if !split {
		l.stopping = HaltReturned // what is under way besides is finished first
	}
	switch l.phase {
	case phaseMoving, phaseArriving, phaseVerifying:
		l.settle(at)
	}
	l.recount()
}

func callDevices(c topology.Call) DeviceSet {
	set := make(DeviceSet, 0, len(c.Names))
	for _, name := range c.Names {
		set = append(set, iot.DeviceID{ProductKey: c.ProductKey, DeviceName: name})
	}
	return set
}
