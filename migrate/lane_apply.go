package migrate

import (
	"fmt"
	"time"
)

// apply folds one entry that is about this lane.
func (l *lane) apply(e Entry) error {
	if err := l.checkPlace(e); err != nil {
		return err
	}
	switch e.Kind {
	case EntryStage:
		return l.applyStage(e)
	case EntryGate:
		l.gateOpen = true
		if e.Error != "" {
			l.again(e.At, e.Error)
		}
	case EntryAsked, EntryDoing:
		l.applyAsked(e)
	case EntryPerformed:
		l.applyPerformed(e)
	case EntryDone:
		l.applyDone(e)
	case EntryWait:
		l.applyWait(e)
	case EntryCondition:
		return l.applyCondition(e)
	case EntryStageEnd:
		l.endStage(e.At)
	case EntryAppeared:
		return l.applyAppeared(e)
	case EntryReverse:
		return l.applyReverse(e)
	case EntryLaneEnd:
		l.phase = phaseFinished
	case EntryHalt:
		l.applyHalt(e)
	case EntryAlarm:
		l.halt, l.haltNote = HaltAlarm, e.Note
		if l.back != nil {
			l.back.strayed.alarmed = setOf(e.Names)
		} else {
			l.strayed.alarmed = setOf(e.Names)
		}
	case EntryWave:
		return l.applyWave(e)
	case EntryIntent:
		return l.applyIntent(e)
	case EntryOutcome:
		return l.applyOutcome(e)
	case EntryLook:
		return l.applyLook(e)
	case EntryVerdicts:
		return l.applyVerdicts(e)
	case EntryExpired:
		return l.applyExpired(e)
	case EntryWaveEnd:
		l.endWave(e.At)
	case EntryReturned, EntryHome, EntryUndoing, EntryUndone:
		return l.applyReturn(e)
	default:
		return fmt.Errorf("%w: unknown kind %q", ErrDamaged, e.Kind)
	}
	return nil
}

// checkPlace refuses an entry about another stage or wave than the lane is in. The way back is in no stage.
func (l *lane) checkPlace(e Entry) error {
	switch e.Kind {
	case EntryAppeared, EntryReverse, EntryLaneEnd, EntryHalt, EntryAlarm, EntryReturned, EntryHome, EntryUndoing, EntryUndone:
		return nil
	case EntryAsked, EntryPerformed:
		if e.Console == ConsoleRollback {
			return nil
		}
	case EntryExpired:
		if l.back != nil {
			return nil
		}
	}
	if l.phase == phaseFinished || l.stage >= len(l.plan.Stages) && l.phase != phaseWaking {
		return fmt.Errorf("%w: kind %q after the end of lane %s", ErrDamaged, e.Kind, l.id())
	}
	if want := l.stagePlan().Name; e.Stage != want {
		return fmt.Errorf("%w: kind %q, stage %q: lane %s is in stage %q", ErrDamaged, e.Kind, e.Stage, l.id(), want)
	}
	return nil
}

// applyHalt stops the lane. In the middle of a wave's calls it first finds out what they have done.
func (l *lane) applyHalt(e Entry) {
	if e.Reason == HaltCall && l.phase == phaseMoving && l.back == nil {
		l.giveUpCalls(e.Note, e.At)
		return
	}
	l.halt, l.haltNote = e.Reason, e.Note
	l.stopping, l.stopNote = "", ""
}

// takenOver makes every open intent unknown: nobody knows what became of it. A look or a round that was not finished is
// forgotten.
func (l *lane) takenOver(at time.Time) {
	l.forgetRound()
	l.asked = time.Time{}
	if l.back != nil {
		l.back.asked = time.Time{}
	}
	for l.inFlight > 0 {
		l.callUnknown(at)
	}
}

// idled leaves the time out of the deadlines of devices in which nobody looked: before a new runner, whose verifiers begin anew,
// and when a machine slept for longer than it can wait for a look or a round, and that can take: both are given up at their deadline.
func (l *lane) idled(d time.Duration, anew bool) {
	most := l.deadlines.Verify
	switch {
	case l.phase == phaseArriving:
		most = l.deadlines.Arrive
	case l.firstRound.IsZero():
		most = l.firstRoundTakes()
	}
	if !l.observed() || !anew && d <= most+maxBackoff {
		return
	}
	l.since = l.since.Add(d)
	if !l.firstRound.IsZero() {
		l.firstRound = l.firstRound.Add(d)
	}
}

// observed reports whether devices have until a deadline to be seen. What a person waits for goes by the calendar.
func (l *lane) observed() bool {
	switch l.phase {
	case phaseArriving:
		return !l.byConsole()
	case phaseVerifying:
		return true
	}
	return l.phase == phaseCheck && l.stagePlan().Wait.Max == 0
}

func (l *lane) applyStage(e Entry) error {
	if l.phase != phaseIdle {
		return fmt.Errorf("%w: stage %q has started already", ErrDamaged, e.Stage)
	}
	l.begun = true
	l.gateOpen, l.did = false, false
	l.until, l.wait = time.Time{}, wait{}
	if l.stagePlan().Gate {
		l.enter(phaseGate, e.At)
		return nil
	}
	l.passGate(e.At)
	return nil
}

func (l *lane) passGate(at time.Time) {
	stage := l.stagePlan()
	if stage.Does || (stage.Console != "" && !stage.Moves) {
		l.enter(phaseAct, at)
		return
	}
	l.passAct(at)
}

func (l *lane) passAct(at time.Time) {
	l.wave = -1
	if l.stagePlan().Moves {
		l.nextWave(at)
		return
	}
	l.startCheck(at)
}

func (l *lane) endStage(at time.Time) {
	l.oneWay = l.oneWay || l.stagePlan().OneWay
	if l.waits() {
		r := l.waitReport()
		r.Ended, r.Todo = at, nil
		l.waited = append(l.waited, r)
	}
	l.stage++
	l.index, l.whole = nil, false
	l.enter(phaseIdle, at)
	if l.stage == len(l.plan.Stages) {
		l.startWaking(at)
	}
}

func (l *lane) applyAsked(e Entry) {
	if e.Console == ConsoleRollback {
		l.askedBack(e)
		return
	}
	l.asked = e.At
	l.did = l.did || e.Kind == EntryDoing
	if l.phase != phaseMoving {
		return
	}
	l.lastCall = e.At
	l.noteMove(e.At)
	l.admit()
	n := l.newCall(e.At)
	lo, hi := l.waveRange()
	for i := lo; i < hi; i++ {
		if d := &l.dev[i]; d.state == DeviceIntended && !d.away {
			l.set(i, DeviceIntended) // it counts as offline again
		}
		if l.dev[i].state == DevicePlanned { // one that was asked for before may have moved since then
			l.dev[i].call = n
			l.set(i, DeviceIntended)
		}
	}
}

func (l *lane) applyPerformed(e Entry) {
	if e.Console == ConsoleRollback {
		l.performedBack(e)
		return
	}
	if l.asked.IsZero() {
		return // asked before a person decided otherwise
	}
	if e.Error != "" {
		l.halt, l.haltNote = HaltOperator, e.Error
		l.asked = time.Time{}
		return
	}
	if l.phase == phaseMoving {
		l.enter(phaseArriving, e.At)
		return
	}
	l.passAct(e.At)
}

func (l *lane) applyDone(e Entry) {
	if l.asked.IsZero() {
		return // begun before a person decided otherwise
	}
	l.asked = time.Time{}
	switch {
	case e.Error == "":
		l.passAct(e.At)
	case e.Retry:
		l.again(e.At, e.Error)
	default:
		l.halt, l.haltNote = HaltCode, e.Error
	}
}

// again puts the next try off, a little longer each time.
func (l *lane) again(at time.Time, why string) {
	l.tryAt = at.Add(backoff(l.tries))
	l.tries++
	l.errored = why
}

const maxBackoff = time.Minute

// backoff is 2 s, 4 s, 8 s... up to one minute.
func backoff(tries int) time.Duration {
	return min(2*time.Second<<min(tries, 10), maxBackoff)
}
