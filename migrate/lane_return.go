package migrate

import (
	"fmt"
	"time"
)

// wayBack is the return of devices to the source: look where they are, ask the operator for exactly those
// that are at the target, look until all are back, compare the topology, and, if the whole lane was
// returned, undo the stages' own code.
type wayBack struct {
	split   bool // families that a refusal split: the lane goes on afterwards
	all     bool // the whole lane
	step    backStep
	since   time.Time
	asked   time.Time
	tries   int
	tryAt   time.Time
	why     string
	left    int // devices that are not back
	undo    int // index of the stage whose code is undone next; -1 for none
	strayed strayed
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
	l.awaitEffects()
}

// awaitEffects lets the way back look only when the effect of the last call has come to light.
func (l *lane) awaitEffects() {
	if l.back != nil {
		l.back.tryAt = later(l.back.tryAt, l.lastCall.Add(l.deadlines.Visible))
	}
}

// splitFamilies returns the devices at the target of families that have others at the source for good.
func (l *lane) splitFamilies(lo, hi int32) []int32 {
	var split []int32
	for f := l.family[lo]; f <= l.family[hi-1]; f++ {
		var there []int32
		stays, out := false, false
		for i := l.first[f]; i < l.first[f+1]; i++ {
			if s := l.dev[i].state; s == DeviceLeftOut || s == DeviceDeleted {
				out = true // we have moved nothing of it
			}
			if l.dev[i].there {
				there = append(there, i)
			} else {
				stays = true
			}
		}
		if stays && !out {
			split = append(split, there...)
		}
	}
	return split
}

func (l *lane) decideReturn(now time.Time) answer {
	b := l.back
	if l.halt != "" || l.inFlight > 0 || l.paused && !b.split {
		return answer{} // a family that is split is made whole even in a pause
	}
	deadline := b.since.Add(l.deadlines.Return)
	if !now.Before(deadline) {
		return answer{entries: []Entry{l.overdueReturn(now)}}
	}
	if now.Before(b.tryAt) {
		return answer{next: earliest(b.tryAt, deadline)}
	}
	a := answer{next: deadline}
	switch b.step {
	case backLook, backWatch:
		a.task = l.backTask(TaskLookBack)
		a.task.list = l.returningDevices
	case backAsk:
		a.task = l.askBack()
	case backHome:
		a.task = l.backTask(TaskHome)
		a.task.list = l.returnedDevices
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
	t.Intents = []Entry{intent}
	return t
}

func (l *lane) overdueReturn(now time.Time) Entry {
	if a := l.back.strayed.expireAstray(Entry{Kind: EntryAlarm}, Entry{Kind: EntryExpired}, now,
		l.isIn(func(s DeviceState) bool { return s == DeviceReturning })); a != nil {
		return a.entries[0]
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
	t.Intents = []Entry{{Kind: EntryUndoing, Stage: l.plan.Stages[b.undo].Name}}
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
		l.applyUndone(e)
		return nil
	}
	if e.Error != "" {
		b.strayed.forget()
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
	b.strayed.look(e)
	if e.End {
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
	case b.step == backLook && len(b.strayed.astray) == 0:
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

func (l *lane) applyUndone(e Entry) {
	l.back.asked = time.Time{}
	if e.Error != "" {
		l.halt, l.haltNote = HaltCode, e.Error
		return
	}
	l.undone = true
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
	l.forgetReturned()
	if !split {
		l.stopping = HaltReturned // what is under way besides is finished first
	}
	switch l.phase {
	case phaseMoving, phaseArriving, phaseVerifying:
		l.since = at // the way back may have taken longer than a wave has time: look before anything counts as failed
		l.tries, l.tryAt, l.errored = 0, time.Time{}, ""
		l.settle(at)
	}
	l.recount()
}

// expiredBack fails devices that were lost on their way back; the others go on.
func (l *lane) expiredBack(e Entry) error {
	for _, f := range e.Failed {
		l.back.strayed.drop(f.Device)
		if err := l.each(DeviceSet{f.Device}, func(i int32) {
			if l.dev[i].state == DeviceReturning {
				l.dev[i].there = false // it is nowhere
				l.fail(i, f.Evidence)
				l.back.left--
			}
		}); err != nil {
			return err
		}
	}
	l.back.since, l.back.tryAt = e.At, time.Time{}
	return nil
}
