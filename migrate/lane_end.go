package migrate

import (
	"fmt"
	"time"
)

// decideEnd ends the lane after one more look at what the source holds of its products.
func (l *lane) decideEnd(now time.Time) answer {
	if l.swept {
		return answer{entries: []Entry{{Kind: EntryLaneEnd}}}
	}
	from := l.since
	if l.phase == phaseWaking {
		from = l.wakeEnd()
	}
	deadline := later(from, l.resumed).Add(l.deadlines.Console)
	if l.tries > maxTries || !now.Before(deadline) {
		return answer{entries: []Entry{l.halted(HaltDeadline, "the source could not be looked at once more: "+l.errored)}}
	}
	if now.Before(l.tryAt) {
		return answer{next: earliest(l.tryAt, deadline)}
	}
	t := &Task{Kind: TaskSweep, Stage: -1, Wave: -1}
	t.list = l.lister(0, int32(len(l.dev)), func(i int32) bool {
		d := l.dev[i]
		return !d.there && d.state != DeviceDeleted
	})
	return answer{task: t, next: deadline}
}

// applyAppeared records what the source holds in the end that it should not.
func (l *lane) applyAppeared(e Entry) error {
	if l.stage < len(l.plan.Stages) {
		return fmt.Errorf("%w: kind %q before the last stage of lane %s has ended", ErrDamaged, e.Kind, l.id())
	}
	for _, f := range e.Appeared {
		if i, known := l.find(f.Device); known {
			f.Evidence.Seen = fmt.Sprintf("the source has it, and it counts as %s at the target", l.dev[i].state)
		}
		l.appeared = append(l.appeared, f)
	}
	if !e.End {
		return nil
	}
	l.index, l.whole = nil, false
	if e.Error != "" {
		l.appeared = nil
		l.again(e.At, e.Error)
		return nil
	}
	l.swept = true
	l.tries, l.tryAt, l.errored = 0, time.Time{}, ""
	return nil
}
