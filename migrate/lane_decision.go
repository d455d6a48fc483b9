package migrate

import (
	"fmt"
	"strings"
	"time"
)

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
	}
}

// abort stops the lane as soon as no family is split. A way back is finished first.
func (l *lane) abort(d Decision) {
	l.paused = false
	l.stopping, l.stopNote = HaltAborted, d.by()
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

// by says who decided, and why if that was said.
func (d Decision) by() string { return strings.TrimSuffix("by "+d.By+": "+d.Note, ": ") }
