package migrate

import (
	"fmt"
	"time"
)

// The offline budget, Limits.MaxOffline, is kept by letting waves start only when they fit. A wave takes what it needs when it starts, and
// gives back what it did not need, or has seen online again, once its devices have arrived.

// weigh adds n for a device that counts as offline.
func (l *lane) weigh(d *device, n int) {
	if !d.away || d.asleep {
		return
	}
	l.offline += n
	if d.state == DeviceFailed {
		l.offlineFailed += n
	}
}

// awayIn reports whether nobody knows a device to be online once it is in a state.
func (d *device) awayIn(s DeviceState) bool {
	switch s {
	case DeviceIntended, DeviceArrived:
		return true
	case DevicePlanned, DeviceOnline, DeviceProven, DeviceReturned, DeviceLeftOut, DeviceDeleted:
		return false
	case DeviceReturning:
		return d.away || d.there
	}
	return d.away
}

// enterWave begins the current wave, or what is left of it.
func (l *lane) enterWave(at time.Time) {
	l.enter(phaseWave, at)
	l.evicted = false
	l.reserve()
}

// admit takes the lane's part of the budget again, if others were given it.
func (l *lane) admit() {
	if l.evicted {
		l.evicted = false
		l.reserve()
	}
}

// reserve finds out what the current wave takes of the offline budget: what is offline already, and what is still to be moved.
func (l *lane) reserve() {
	if l.limits.MaxOffline == 0 || l.wave < 0 || l.phase > phaseArriving {
		return
	}
	l.base, l.need = l.offline, 0
	lo, hi := l.waveRange()
	for i := lo; i < hi; i++ {
		d := &l.dev[i]
		if again := d.state == DeviceIntended && !d.away; !d.asleep && (again || d.state == DevicePlanned) {
			l.need++
		}
	}
}

// leftBehind reports whether devices of the current wave are still to be moved after what was moved is decided: the lane was
// stopped in the middle, and others have used its part of the offline budget since.
func (l *lane) leftBehind() bool {
	if l.limits.MaxOffline == 0 {
		return false
	}
	lo, hi := l.waveRange()
	return l.has(lo, hi, func(s DeviceState) bool { return s == DevicePlanned })
}

// wants is what the lane's next wave needs of the budget. What full migration moves at once is the platform's: it takes all of it.
func (l *lane) wants() int {
	if l.stagePlan().Console == ConsoleFull {
		return min(l.need, l.limits.MaxOffline)
	}
	return l.need
}

// takes is what the lane uses of the budget.
func (l *lane) takes() int {
	if (l.phase == phaseMoving || l.phase == phaseArriving) && !l.evicted {
		return max(l.offline, l.base+l.need)
	}
	return l.offline
}

// knocks reports whether the lane needs room before it goes on: for its next wave, or for what is left of one if others were
// given its room.
func (l *lane) knocks() bool { return l.phase == phaseWave || l.evicted && l.phase == phaseMoving }

// queues reports whether the lane's next wave may start as soon as it fits.
func (l *lane) queues() bool {
	return l.knocks() && l.halt == "" && !l.paused && l.stopping == "" && l.back == nil
}

// room is what the offline budget has for one lane.
type room struct {
	limited bool
	left    int // of the budget
	most    int // that can ever be left before a person decides something
	failed  int // failed devices that are in the way
	stopped int // other devices in the way of which no lane is in charge, as theirs has halted
}

// roomFor adds up what stands in the way of lane i. started tells which lanes have begun to look at their next wave.
func (s *State) roomFor(i int, started func(int) bool) room {
	limit := s.plan.Limits.MaxOffline
	if limit == 0 {
		return room{}
	}
	r := room{limited: true, left: limit}
	for j, l := range s.lanes {
		takes := l.takes()
		r.failed += l.offlineFailed
		if j == i || l.halt != "" {
			r.stopped += takes - l.offlineFailed
		}
		if j != i && l.queues() && (started(j) || s.before(j, i)) {
			takes += l.wants()
		}
		r.left -= takes
	}
	r.most = limit - r.failed - r.stopped
	return r
}

// before reports whether lane j has waited for longer than lane i: it comes first, or it might never fit.
func (s *State) before(j, i int) bool {
	a, b := s.lanes[j].since, s.lanes[i].since
	return s.lanes[i].knocks() && (a.Before(b) || a.Equal(b) && j < i)
}

// decideRoom lets the wave wait until it fits into the budget; nil if it does. When only a person can make room, the lane halts.
func (l *lane) decideRoom(r room, deadline time.Time) *answer {
	need := l.wants()
	switch {
	case !r.limited || need <= r.left:
		return nil
	case need > r.most:
		return &answer{entries: []Entry{l.halted(HaltLimit, l.crowded(r))}}
	}
	return &answer{next: deadline}
}

func (l *lane) crowded(r room) string {
	return fmt.Sprintf("the wave needs %d of the %d devices that may be offline at once; %d failed devices were not seen online since their move, and %d devices wait in lanes that have stopped",
		l.wants(), l.limits.MaxOffline, r.failed, r.stopped)
}

// crowdedOut reports whether the lane has halted for the offline budget.
func (l *lane) crowdedOut() bool { return l.halt == HaltLimit && l.knocks() && !l.over() }

// acceptOffline lets devices not count any more that stood in the way of a lane which a person resumes: failed ones of all lanes, and all
// of lanes that have stopped.
func (s *State) acceptOffline(resumed *lane) {
	for _, l := range s.lanes {
		all := l == resumed || l.halt != ""
		for i := range l.dev {
			if d := &l.dev[i]; d.away && (all || d.state == DeviceFailed) {
				l.weigh(d, -1)
				d.away = false
			}
		}
		if all {
			l.base, l.need = 0, 0
			l.evicted = l.phase == phaseMoving || l.phase == phaseArriving
		}
	}
}

// reportBudget tells what is left of the budget, and which lanes wait for room in it.
func (s *State) reportBudget(r *Report) {
	limit := s.plan.Limits.MaxOffline
	if limit == 0 {
		return
	}
	r.MaxOffline = limit
	for i, l := range s.lanes {
		r.Offline += l.offline
		if !l.queues() {
			continue
		}
		if room := s.roomFor(i, func(int) bool { return false }); l.wants() > room.left {
			r.Lanes[i].Queued = fmt.Sprintf("the next wave needs %d of the %d devices that may be offline at once, and %d are left",
				l.wants(), limit, max(0, room.left))
		}
	}
}

// heedResume lets a person's resume accept what stood in the way of lanes that have halted for the offline budget.
func (s *State) heedResume(d Decision) {
	if d.Kind != Resume || s.plan.Limits.MaxOffline == 0 {
		return
	}
	for _, l := range s.lanes {
		if (d.Lane == "" || d.Lane == l.id()) && l.crowdedOut() && s.check(l, d) == nil {
			s.acceptOffline(l)
		}
	}
}

// decideReturnOfRoom lets a lane whose room was given to others wait for it before it goes on with its wave; nil if it need not.
func (l *lane) decideReturnOfRoom(now time.Time, adm admission) *answer {
	if !l.evicted || !l.asked.IsZero() || !l.closed() {
		return nil
	}
	deadline := l.since.Add(l.deadlines.Console)
	if !now.Before(deadline) {
		return &answer{entries: []Entry{l.halted(HaltDeadline, l.crowded(adm.room))}}
	}
	return l.decideRoom(adm.room, deadline)
}
