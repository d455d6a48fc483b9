package migrate

import (
	"fmt"
	"strings"
	"time"
)

// decided folds a person's decision, on this lane or on all. What makes no sense any more is ignored: two people may
// decide at once. But when everything is to be returned, a lane that has moved nothing must not begin to.
func (l *lane) decided(d Decision, sensible bool, at time.Time) {
	if !sensible {
		if d.Lane == "" && d.Kind == Rollback && l.halt == "" && l.phase != phaseFinished {
			l.abort(d)
		}
		return
	}
	l.forgetRound()
	switch d.Kind {
	case Approve:
		l.gateOpen = false
		l.passGate(at)
	case Refuse:
		l.halt, l.haltNote = HaltRefused, "refused "+d.by()
		l.gateOpen = false
	case Pause:
		l.paused = true
	case Abort:
		l.abort(d)
	case Resume:
		l.resume(at)
	case Rollback:
		l.rollback(d, at)
	case Declare:
		l.declare(d, at)
	case CloseEarly:
		l.wait.early = &Early{By: d.By, Note: d.Note, At: at}
		l.lookAnew()
	}
}

// abort stops the lane as soon as no family is split. A way back is finished first.
func (l *lane) abort(d Decision) {
	l.paused = false
	l.stopping, l.stopNote = HaltAborted, d.by()
}

// resume lets deadlines start anew, and accepts what failed so far.
func (l *lane) resume(at time.Time) {
	if l.halt == HaltLimit {
		l.forgiven = l.counts[DeviceFailed]
	}
	l.resumed = at
	if l.phase != phaseWaking && !l.keepsWindow(at) {
		l.since = at
	}
	if l.halt == HaltDeadline && l.back == nil && l.phase == phaseCheck && l.opening() && l.stagePlan().Console != "" {
		l.enter(phaseAct, at) // the operator is asked again: what the lane waits for has not begun
	}
	l.lookAnew()
	l.paused = false
	l.stopping, l.stopNote = "", ""
	l.halt, l.haltNote = "", ""
	l.asked = time.Time{}
	l.tries, l.tryAt, l.errored = 0, time.Time{}, ""
	if l.phase == phaseArriving && l.byConsole() && l.back == nil {
		l.enter(phaseMoving, at) // the operator is asked again about those that did not arrive
	}
	l.callAgain(at)
	l.reserve()
	if l.back != nil {
		l.back.since, l.back.asked, l.back.tries, l.back.tryAt = at, time.Time{}, 0, time.Time{}
		if l.back.step == backWatch {
			l.back.step = backLook
		}
	}
}

// callAgain makes calls for devices of the current wave that were left behind when its calls were given up.
func (l *lane) callAgain(at time.Time) {
	if l.phase != phaseVerifying || l.byConsole() || l.back != nil || l.limits.MaxOffline > 0 {
		return // under an offline budget, they wait until what has moved is verified
	}
	lo, hi := l.waveRange()
	if l.has(lo, hi, func(s DeviceState) bool { return s == DevicePlanned }) {
		l.settle(at)
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
	set = append(set, l.familiesOf(set)...)
	l.halt, l.haltNote, l.stopping, l.stopNote, l.paused, l.gateOpen = "", "", "", "", false, false
	inConsole := (l.phase == phaseMoving || l.phase == phaseArriving) && l.byConsole() && l.has(lo, hi, DeviceState.unresolved)
	l.startReturn(set, false, at)
	if inConsole {
		l.back.step = backAsk // what the console has not moved yet it may still move: the operator has to know
	}
	l.back.all = d.Stage == ""
	if l.back.all {
		l.back.undo = l.stage - 1
		if l.did && l.stage < len(l.plan.Stages) {
			l.back.undo = l.stage
		}
	}
}

// familiesOf returns the members of the devices' families that are still to be moved: a family is returned whole, and does
// not move without those that were.
func (l *lane) familiesOf(set []int32) []int32 {
	var out []int32
	last := int32(-1)
	for _, i := range set {
		f := l.family[i]
		if f == last {
			continue
		}
		last = f
		for m := l.first[f]; m < l.first[f+1]; m++ {
			if l.dev[m].state == DevicePlanned {
				out = append(out, m)
			}
		}
	}
	return out
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
		if l.phase != phaseGate || !l.gateOpen || l.back != nil || l.halt != "" || l.stagePlan().Name != d.Stage {
			return refuse(fmt.Sprintf("does not wait at a gate of stage %q", d.Stage))
		}
	case Pause:
		if l.paused || l.halt != "" || l.phase == phaseFinished && l.back == nil {
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
		if l.undone && l.back == nil {
			return refuse("was returned and its own code undone: make a new plan")
		}
	case Rollback:
		return l.checkRollback(d, refuse)
	case Declare, CloseEarly:
		return l.checkWait(d, refuse)
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

// by says who decided, and why if that was said.
func (d Decision) by() string { return strings.TrimSuffix("by "+d.By+": "+d.Note, ": ") }
