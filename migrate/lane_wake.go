package migrate

import "time"

// Devices that were offline before their move are asked about after the last stage, by the verifiers of the last stage that moved
// devices, until Deadlines.Wake has passed.

const (
	firstWake = time.Minute // after a round that nobody woke before, the next one waits this long, then twice as long...
	lastWake  = time.Hour   // ...and this long at most
)

// lastMove returns the last stage that moves devices, or -1.
func (l *lane) lastMove() int {
	for s := len(l.plan.Stages) - 1; s >= 0; s-- {
		if l.plan.Stages[s].Moves {
			return s
		}
	}
	return -1
}

// startWaking begins to wait for devices that are asleep, if the lane does and any are.
func (l *lane) startWaking(at time.Time) {
	last := l.lastMove()
	if l.deadlines.Wake == 0 || last < 0 || len(l.plan.Stages[last].Verifiers) == 0 || l.sleeping[DeviceArrived] == 0 {
		return
	}
	l.enter(phaseWaking, at)
	for i := range l.dev {
		l.dev[i].passed = 0
	}
	l.recount()
}

// wakes reports whether a device is asleep and has not proven itself since.
func (l *lane) wakes(d device) bool {
	return d.asleep && (d.state == DeviceArrived || d.state == DeviceOnline) && int(d.passed) < l.verifiers()
}

// decideWaking asks about the devices that are asleep. What still is at the deadline stays so; that is no failure.
func (l *lane) decideWaking(now time.Time) answer {
	deadline := l.wakeEnd()
	if l.undecided == 0 || !now.Before(deadline) {
		return l.decideEnd(now)
	}
	if now.Before(l.wakeAt) {
		return answer{next: earliest(l.wakeAt, deadline)}
	}
	t := l.task(TaskVerify)
	t.Stage = l.lastMove()
	t.list = l.lister(0, int32(len(l.dev)), l.askable)
	return answer{task: t, next: l.takesUntil(now, deadline)}
}

// wakeEnd is when the lane stops waiting. Neither a pause nor a halt puts it off.
func (l *lane) wakeEnd() time.Time { return l.since.Add(l.deadlines.Wake) }

// wakeAgain puts the next round off: a little longer each time that nobody woke.
func (l *lane) wakeAgain(at time.Time, woken bool) {
	if woken {
		l.wakeTries = 0
	}
	l.wakeAt = at.Add(min(firstWake<<min(l.wakeTries, 10), lastWake))
	l.wakeTries++
}
