package migrate

import (
	"fmt"
	"slices"
	"time"
)

// A Reversible is a wave that can still be returned.
type Reversible struct {
	Stage string    `json:"stage"`
	Wave  int       `json:"wave"` // from 1
	Began time.Time `json:"began"`
	// Until is how long it can be returned, as declared by [Deadlines.Reverse]; zero if that is not known.
	Until time.Time `json:"until,omitzero"`
}

// movedWave is a wave of which devices may be at the target.
type movedWave struct {
	stage, wave int
	began       time.Time
	warned      bool
}

// noteMove remembers when the current wave began to move.
func (l *lane) noteMove(at time.Time) {
	if n := len(l.moved); n == 0 || l.moved[n-1].stage != l.stage || l.moved[n-1].wave != l.wave {
		l.moved = append(l.moved, movedWave{stage: l.stage, wave: l.wave, began: at})
	}
}

// forgetReturned drops the waves of which nothing is at the target any more.
func (l *lane) forgetReturned() {
	l.moved = slices.DeleteFunc(l.moved, func(m movedWave) bool {
		lo, hi := l.rangeOf(m.stage, m.wave)
		return !slices.ContainsFunc(l.dev[lo:hi], func(d device) bool { return d.there || d.state.unresolved() })
	})
}

// reversible returns the waves that can still be returned, the oldest first: its time is the first to end.
func (l *lane) reversible() []Reversible {
	if l.oneWay {
		return nil
	}
	out := make([]Reversible, 0, len(l.moved))
	for _, m := range l.moved {
		r := Reversible{Stage: l.plan.Stages[m.stage].Name, Wave: m.wave + 1, Began: m.began}
		if l.deadlines.Reverse > 0 {
			r.Until = m.began.Add(l.deadlines.Reverse)
		}
		out = append(out, r)
	}
	return out
}

// warnAt is when a fifth is left of the time in which a wave can be returned.
func (l *lane) warnAt(m movedWave) time.Time { return m.began.Add(l.deadlines.Reverse / 5 * 4) }

// decideWarning warns once of each wave whose time to be returned is running out, and tells when the next warning is due.
func (l *lane) decideWarning(now time.Time) (due []Entry, next time.Time) {
	if l.deadlines.Reverse == 0 || l.oneWay {
		return nil, next
	}
	for _, m := range l.moved {
		switch at := l.warnAt(m); {
		case m.warned:
		case now.Before(at):
			next = earliest(next, at)
		default:
			until := m.began.Add(l.deadlines.Reverse)
			due = append(due, Entry{
				Kind: EntryReverse, Lane: l.id(), At: now, Stage: l.plan.Stages[m.stage].Name, Wave: m.wave + 1, Until: until,
				Note: fmt.Sprintf("the wave can be returned until %s: decide before", until.Format(time.RFC3339)),
			})
		}
	}
	return due, next
}

func (l *lane) applyReverse(e Entry) error {
	for i, m := range l.moved {
		if l.plan.Stages[m.stage].Name == e.Stage && m.wave+1 == e.Wave {
			l.moved[i].warned = true
			return nil
		}
	}
	return fmt.Errorf("%w: wave %d of stage %q was not moved", ErrDamaged, e.Wave, e.Stage)
}

// warn adds the warnings that are due to a step. They are for people, so they end no run later.
func (s *State) warn(now time.Time, step *Step) (next time.Time) {
	for _, l := range s.lanes {
		due, at := l.decideWarning(now)
		step.Entries = append(step.Entries, due...)
		next = earliest(next, at)
	}
	return next
}
