package migrate

import "time"

// When looks, rounds and tries are made again, and when they are given up.

// due answers with the task if its time has come, else with the time.
func due(now, at time.Time, t *Task) answer {
	if now.Before(at) {
		return answer{next: at}
	}
	return answer{task: t}
}

// overdue reports whether a deadline has passed, and two looks since then have decided nothing: no device fails because nobody
// looked. Two, as the first may only ask for what the second sees: one that could not look and one that could are not two.
func (l *lane) overdue(now, deadline time.Time) bool {
	if l.errored == "" && l.blind.Equal(l.looked[0]) && !l.blind.IsZero() {
		return false
	}
	return !now.Before(deadline) && !l.looked[0].Before(deadline)
}

// lookUntil answers with a look or a round when it is due. One is due at the deadline; those after it have some time of their own.
func (l *lane) lookUntil(now, due, deadline time.Time, extra time.Duration, t *Task) answer {
	if l.looked[1].Before(deadline) && deadline.Before(due) {
		due = deadline
	}
	switch {
	case now.Before(due):
		return answer{next: due}
	case now.Before(deadline):
		return answer{task: t, next: l.takesUntil(now, deadline)}
	}
	return answer{task: t, next: now.Add(extra)}
}

// firstRoundTakes is the most that the first round may take: a wave may be a whole fleet.
func (l *lane) firstRoundTakes() time.Duration { return max(l.deadlines.Verify, l.deadlines.Console) }

// takesUntil is when a look or a round is given up: not only at the end of a wait of weeks.
func (l *lane) takesUntil(now, deadline time.Time) time.Time {
	return earliest(deadline, now.Add(l.firstRoundTakes()))
}

// verifyDeadline is Deadlines.Verify after the first round, which takes its time in a large wave.
func (l *lane) verifyDeadline() time.Time {
	if l.firstRound.IsZero() {
		return l.since.Add(l.firstRoundTakes())
	}
	return later(l.since, l.firstRound).Add(l.deadlines.Verify)
}

// patient puts off what is due next, in a wait that takes long: by a share of the time that has passed since it began, or that is left
// until the deadline, whichever is less. So a wait of days or weeks does not fill the journal, and its end is met to the minute. Looks
// at devices stay frequent: they narrow down when the console moved one.
func patient(due, began, deadline time.Time) time.Time {
	if due.IsZero() {
		return due
	}
	more := min(due.Sub(began), deadline.Sub(due)) / patience
	return due.Add(min(max(more, 0), mostPatience))
}
