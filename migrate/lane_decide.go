package migrate

import (
	"fmt"
	"time"
)

// admission is what the other lanes leave to a lane.
type admission struct {
	slots int  // console tasks that may still be opened
	mover bool // no other lane is in the middle of its calls
	room  room // in the offline budget
}

// answer is what a lane wants: entries to record, or a task to do, or to be asked again later.
type answer struct {
	entries []Entry
	task    *Task
	next    time.Time
}

func (l *lane) decide(now time.Time, adm admission) answer {
	if l.back != nil {
		return l.decideReturn(now)
	}
	if l.halt != "" || l.phase == phaseFinished && l.stopping == "" {
		return answer{}
	}
	if l.closed() {
		if stop := l.decideStop(); stop != nil {
			return *stop
		}
	}
	switch l.phase {
	case phaseIdle:
		if l.stage == len(l.plan.Stages) {
			return l.decideEnd(now)
		}
		return l.decideIdle(adm)
	case phaseGate:
		return l.decideGate(now)
	case phaseAct:
		return l.decideAct(now)
	case phaseWave:
		return l.decideWave(now, adm)
	case phaseMoving:
		return l.decideMoving(now, adm)
	case phaseArriving:
		return l.decideArriving(now)
	case phaseVerifying:
		return l.decideVerifying(now)
	case phaseWaking:
		return l.decideWaking(now)
	default:
		return l.decideCheck(now)
	}
}

// decideStop stops the lane for a limit or for a person's word; nil if it may go on.
func (l *lane) decideStop() *answer {
	switch {
	case l.stopping != "":
		return &answer{entries: []Entry{l.halted(l.stopping, l.stopNote)}}
	case l.over():
		note := fmt.Sprintf("%d devices failed; the limits allow %d and a share of %g",
			l.counts[DeviceFailed]-l.forgiven, l.limits.MaxFailedDevices, l.limits.MaxFailedShare)
		return &answer{entries: []Entry{l.halted(HaltLimit, note)}}
	case l.paused:
		return &answer{}
	}
	return nil
}

func (l *lane) halted(reason HaltReason, note string) Entry {
	e := Entry{Kind: EntryHalt, Reason: reason, Note: joined([]string{note, l.advice(reason)})}
	if l.phase != phaseFinished && l.stage < len(l.plan.Stages) {
		e.Stage = l.stagePlan().Name
	}
	return e
}

// here returns an entry about the current stage and wave.
func (l *lane) here(kind EntryKind) Entry {
	return Entry{Kind: kind, Stage: l.stagePlan().Name, Wave: l.wave + 1}
}

// task returns a task of the current stage and wave.
func (l *lane) task(kind TaskKind) *Task {
	return &Task{Kind: kind, Stage: l.stage, Wave: l.wave}
}

func (l *lane) decideIdle(adm admission) answer {
	if !l.begun && !l.fits(adm.slots) {
		return answer{}
	}
	return answer{entries: []Entry{{Kind: EntryStage, Stage: l.stagePlan().Name}}}
}

func (l *lane) decideGate(now time.Time) answer {
	if !l.gateOpen {
		return answer{entries: []Entry{l.here(EntryGate)}}
	}
	deadline := l.since.Add(l.deadlines.Gate)
	if !now.Before(deadline) {
		return answer{entries: []Entry{l.halted(HaltDeadline, "nobody answered the gate")}}
	}
	t := l.task(TaskGate)
	t.Gate = Gate{Lane: l.id(), Stage: l.stagePlan().Name, About: l.stagePlan().About, OneWay: l.stagePlan().OneWay,
		Proven: l.counts[DeviceProven], Failed: l.counts[DeviceFailed], Asleep: l.sleeping[DeviceArrived]}
	a := due(now, patient(l.tryAt, l.since, deadline), t)
	a.next = earliest(a.next, deadline)
	return a
}

func (l *lane) decideAct(now time.Time) answer {
	stage := l.stagePlan()
	deadline := l.since.Add(l.deadlines.Console)
	if !now.Before(deadline) {
		return answer{entries: []Entry{l.halted(HaltDeadline, or(l.errored, "the stage did not come to its end"))}}
	}
	if !l.asked.IsZero() {
		return answer{next: deadline}
	}
	kind, intent := TaskDo, l.here(EntryDoing)
	if stage.Console != "" {
		kind, intent = TaskConsole, l.here(EntryAsked)
		intent.Console = stage.Console
	}
	t := l.task(kind)
	t.Intents, t.Console = []Entry{intent}, stage.Console
	a := due(now, patient(l.tryAt, l.since, deadline), t)
	a.next = earliest(a.next, deadline)
	return a
}

func (l *lane) decideWave(now time.Time, adm admission) answer {
	if l.tries > maxTries {
		return answer{entries: []Entry{l.halted(HaltDeadline, l.errored)}}
	}
	deadline := l.since.Add(l.deadlines.Console) // the longest: a wave may be a whole fleet
	if !now.Before(deadline) {
		return answer{entries: []Entry{l.halted(HaltDeadline, or(l.errored, "the look before the wave did not come to its end"))}}
	}
	if wait := l.decideRoom(adm.room, deadline); wait != nil {
		return *wait
	}
	due := l.tryAt
	if len(l.strange) > 0 && l.tries > 0 { // a long look asks about the same devices at other times than the one before
		due = due.Add(l.deadlines.Visible - backoff(l.tries-1))
	}
	if now.Before(due) {
		return answer{next: earliest(due, deadline)}
	}
	t := l.task(TaskBefore)
	lo, hi := l.waveRange()
	t.list = l.lister(lo, hi, func(i int32) bool { return l.dev[i].state == DevicePlanned })
	return answer{task: t, next: deadline}
}

func (l *lane) decideMoving(now time.Time, adm admission) answer {
	if wait := l.decideReturnOfRoom(now, adm); wait != nil {
		return *wait
	}
	if l.byConsole() {
		return l.decideConsoleMove(now)
	}
	if l.inFlight > 0 || !adm.mover {
		return answer{}
	}
	if l.tries > maxTries {
		return answer{entries: []Entry{l.halted(HaltCall, l.errored)}}
	}
	a := due(now, l.tryAt, l.nextSalvo())
	a.next = earliest(a.next, now.Add(l.deadlines.Arrive))
	return a
}

func (l *lane) decideConsoleMove(now time.Time) answer {
	if !l.asked.IsZero() {
		return l.untilConsole(now)
	}
	t := l.task(TaskConsole)
	t.Console = l.stagePlan().Console
	lo, hi := l.waveRange()
	t.Devices = l.taskDevices(lo, hi, func(i int32) bool {
		s := l.dev[i].state
		return s == DevicePlanned || s == DeviceIntended
	})
	intent := l.here(EntryAsked)
	intent.Console = t.Console
	intent.Note = fmt.Sprintf("%d devices", len(t.Devices))
	t.Intents = []Entry{intent}
	a := l.untilConsole(now)
	if a.entries == nil {
		a.task = t
	}
	return a
}

// untilConsole waits for the operator.
func (l *lane) untilConsole(now time.Time) answer {
	deadline := l.since.Add(l.deadlines.Console)
	if !now.Before(deadline) {
		return answer{entries: []Entry{l.halted(HaltDeadline, "the effect of the console task was not seen"+l.unread())}}
	}
	return answer{next: deadline}
}

// unread says that the instances could not be read, if so.
func (l *lane) unread() string {
	if l.errored == "" {
		return ""
	}
	return ", the instances could not be read: " + l.errored
}

func (l *lane) decideArriving(now time.Time) answer {
	deadline := later(l.lastCall, l.since).Add(l.deadlines.Arrive)
	if l.byConsole() {
		if a := l.untilConsole(now); a.entries != nil {
			if stray := l.strayed.expireAstray(l.here(EntryAlarm), l.here(EntryExpired), now, l.isIn(DeviceState.unresolved)); stray != nil {
				return *stray
			}
			return a
		}
		deadline = l.since.Add(l.deadlines.Console)
	}
	if l.overdue(now, deadline) {
		return l.expireArrival(now)
	}
	t := l.task(TaskLook)
	t.visible, t.lastCall = l.deadlines.Visible, l.lastCall
	lo, hi := l.waveRange()
	t.list = l.lister(lo, hi, func(i int32) bool { return l.dev[i].state.unresolved() })
	return l.lookUntil(now, l.tryAt, deadline, l.deadlines.Arrive/2, t)
}

// expireArrival gives up on devices that did not arrive. What the last look showed on both instances or on
// none is no failure but an alarm, until a person has been asked about it.
func (l *lane) expireArrival(now time.Time) answer {
	if l.errored != "" {
		return answer{entries: []Entry{l.halted(HaltDeadline, "the instances could not be read: "+l.errored)}}
	}
	expired := l.here(EntryExpired)
	astray := setOf(l.strayed.astray)
	lo, hi := l.waveRange()
	for i := lo; i < hi && len(expired.Failed) < entryChunk; i++ {
		if id := l.deviceID(i); l.dev[i].state.unresolved() && !astray[id] {
			expired.Failed = append(expired.Failed, Failure{Device: id, Evidence: l.notArrived(i, now)})
		}
	}
	if len(expired.Failed) > 0 {
		return answer{entries: []Entry{expired}}
	}
	if a := l.strayed.expireAstray(l.here(EntryAlarm), l.here(EntryExpired), now, l.isIn(DeviceState.unresolved)); a != nil {
		return *a
	}
	return answer{entries: []Entry{l.halted(HaltDeadline, "the look after the wave did not come to its end")}}
}

func (l *lane) notArrived(i int32, now time.Time) Evidence {
	said := "the platform answered " + l.dev[i].state.String()
	return Evidence{Source: "look at both instances", At: now,
		Seen: said + ", but the source still shows the device and the target does not"}
}

func (l *lane) decideVerifying(now time.Time) answer {
	if l.undecided == 0 {
		return answer{entries: []Entry{l.here(EntryWaveEnd)}}
	}
	return l.decideRound(now, l.verifyDeadline())
}

// decideRound asks for a round of verification, or gives up on what is undecided at the deadline.
func (l *lane) decideRound(now, deadline time.Time) answer {
	if l.overdue(now, deadline) {
		return l.expireVerdicts(now)
	}
	t := l.task(TaskVerify)
	lo, hi := l.scope()
	t.list = l.lister(lo, hi, l.askable)
	return l.lookUntil(now, patient(l.tryAt, later(l.since, l.until), deadline), deadline, l.deadlines.Verify/2, t)
}

// expireVerdicts fails the devices that are still inconclusive. If the verifiers could not look, that is not the
// devices' failure: the lane halts instead.
func (l *lane) expireVerdicts(now time.Time) answer {
	if l.errored != "" {
		return answer{entries: []Entry{l.halted(HaltDeadline, "the verifiers could not look: "+l.errored)}}
	}
	e := l.here(EntryExpired)
	lo, hi := l.scope()
	for i := lo; i < hi && len(e.Failed) < entryChunk; i++ {
		if l.pending(i) {
			e.Failed = append(e.Failed, Failure{Device: l.deviceID(i), Evidence: l.notProven(i, now)})
		}
	}
	return answer{entries: []Entry{e}}
}

func (l *lane) notProven(i int32, now time.Time) Evidence {
	e := Evidence{Source: "verifier " + l.stagePlan().Verifiers[l.dev[i].passed], At: now, Seen: "inconclusive until the deadline"}
	if last, ok := l.missing[i]; ok {
		e.Seen += ", last seen: " + last.Seen + " (" + last.Source + ")"
	} else if !l.askable(i) {
		e.Seen = "not asked: not all of its sub-devices were proven"
	}
	return e
}

// lister makes the list later, if at all: before anything else is applied.
func (l *lane) lister(lo, hi int32, is func(int32) bool) func() []TaskDevice {
	return func() []TaskDevice { return l.taskDevices(lo, hi, is) }
}

func (l *lane) taskDevices(lo, hi int32, is func(int32) bool) []TaskDevice {
	n := 0
	for i := lo; i < hi; i++ { // a list that grows leaves as much behind as it has, several times
		if is(i) {
			n++
		}
	}
	out := make([]TaskDevice, 0, n)
	for i := lo; i < hi; i++ {
		if is(i) {
			out = append(out, TaskDevice{ID: l.deviceID(i), Family: int(l.family[i]), Passed: int(l.dev[i].passed), Moved: l.movedAt(i), Doubt: l.doubtful(i), lost: l.dev[i].state == DeviceUnknown})
		}
	}
	return out
}

// doubtful reports whether seeing device i still at the source decides something.
func (l *lane) doubtful(i int32) bool {
	s := l.dev[i].state
	return (s == DeviceRejected || s == DeviceUnknown) && l.back == nil && !l.byConsole()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
