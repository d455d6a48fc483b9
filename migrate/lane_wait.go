package migrate

import (
	"encoding/json"
	"fmt"
	"time"
)

// wait is what the entries tell of the wait of the current stage.
type wait struct {
	begun  time.Time // zero until it has
	by     string
	seen   *Evidence
	early  *Early
	closed bool // the condition that ends it held when it counted
	look   look // the last one at the condition that is asked
}

// look is what a look at a condition left.
type look struct {
	at, next time.Time
	holds    bool
	seen     Evidence
	progress json.RawMessage
}

// decideCheck waits, and then verifies all that was moved so far.
func (l *lane) decideCheck(now time.Time) answer {
	stage := l.stagePlan()
	if l.opening() {
		return l.decideOpening(now)
	}
	if stage.Wait.Min > 0 && l.until.IsZero() {
		e := l.here(EntryWait)
		e.Until = now.Add(stage.Wait.Min)
		if !l.wait.begun.IsZero() {
			e.Until = l.wait.begun.Add(stage.Wait.Min)
		}
		return answer{entries: []Entry{e}}
	}
	if stage.Closes != "" && !l.wait.closed {
		return l.decideClosing(now)
	}
	if l.early(now) {
		return answer{next: l.until}
	}
	deadline := later(l.verifyDeadline(), l.until.Add(l.deadlines.Verify))
	if stage.Wait.Max > 0 {
		deadline = l.waitEnds()
		if !now.Before(deadline) {
			return l.windowOver(fmt.Sprintf("%d devices are not proven", l.undecided))
		}
	}
	if l.undecided == 0 {
		return answer{entries: []Entry{l.here(EntryStageEnd)}}
	}
	return l.decideRound(now, deadline)
}

// opening reports whether what the stage waits for has not begun.
func (l *lane) opening() bool { return l.stagePlan().Opens != "" && l.wait.begun.IsZero() }

// early reports whether time t is before the least time, and nobody ends the wait early.
func (l *lane) early(t time.Time) bool { return l.wait.early == nil && t.Before(l.until) }

// waitEnds is when the wait is over for good.
func (l *lane) waitEnds() time.Time {
	return later(l.since.Add(l.stagePlan().Wait.Max), l.until.Add(time.Second))
}

func (l *lane) windowOver(why string) answer {
	note := fmt.Sprintf("the window of %s is over, %s", l.stagePlan().Wait.Max, why)
	return answer{entries: []Entry{l.halted(HaltDeadline, note)}}
}

// decideOpening looks whether the wait has begun, for as long as the effect of a console task is waited for.
func (l *lane) decideOpening(now time.Time) answer {
	deadline := l.since.Add(l.deadlines.Console)
	if !now.Before(deadline) {
		note := fmt.Sprintf("condition %s was not seen to hold: mend it, or declare since when it does, and resume; last seen: %s", l.stagePlan().Opens, l.lastSeen())
		return answer{entries: []Entry{l.halted(HaltDeadline, note)}}
	}
	return l.lookAt(now, l.stagePlan().Opens, deadline)
}

// decideClosing looks whether the wait may end.
func (l *lane) decideClosing(now time.Time) answer {
	ends := l.waitEnds()
	if !now.Before(ends) {
		return l.windowOver(fmt.Sprintf("condition %s does not hold; last seen: %s", l.stagePlan().Closes, l.lastSeen()))
	}
	return l.lookAt(now, l.stagePlan().Closes, ends)
}

func (l *lane) lastSeen() string { return or(l.errored, or(l.wait.look.seen.Seen, "nothing")) }

// lookAt asks for a look at a condition, or to be asked again: at the end of the least time at the latest. What was told before the
// clock went back does not keep it from looking.
func (l *lane) lookAt(now time.Time, condition string, deadline time.Time) answer {
	last, next := &l.wait.look, l.nextLook(deadline)
	if !now.Before(last.at) && now.Before(next) {
		return answer{next: earliest(next, deadline)}
	}
	t := l.task(TaskCondition)
	t.Condition, t.Wait, t.Progress = condition, l.waitReport(), last.progress
	return answer{task: t, next: l.takesUntil(now, deadline)}
}

// nextLook is when a condition is looked at again: when its last look told, or at the pace of a long wait, and at the end of the least
// time.
func (l *lane) nextLook(deadline time.Time) time.Time {
	last, began := &l.wait.look, l.since
	next := last.next
	switch {
	case l.wait.early != nil:
		began = later(began, l.wait.early.At)
	case !last.at.Before(l.until):
		began = later(began, l.until)
	}
	if l.tries > 0 && (l.errored != "" || !last.holds) {
		next = patient(next, began, deadline)
	}
	if last.at.Before(l.until) && l.until.Before(next) {
		next = l.until
	}
	return next
}

// applyCondition folds a look. One that a person's decision has overtaken is ignored.
func (l *lane) applyCondition(e Entry) error {
	stage := l.stagePlan()
	if l.phase != phaseCheck || e.Condition == "" || e.Condition != stage.Opens && e.Condition != stage.Closes {
		return fmt.Errorf("%w: no look at condition %q is due", ErrDamaged, e.Condition)
	}
	if wanted := stage.Closes; l.opening() {
		if e.Condition != stage.Opens {
			return nil
		}
	} else if e.Condition != wanted || l.wait.closed {
		return nil
	}
	last := &l.wait.look
	last.at, l.errored = e.At, e.Error
	if e.Error != "" {
		l.lookLater(e.At, time.Time{})
		return nil
	}
	last.holds, last.progress, last.seen = e.Holds, e.Progress, Evidence{}
	if e.Evidence != nil {
		last.seen = *e.Evidence
	}
	switch {
	case !e.Holds:
		l.lookLater(e.At, e.Until)
	case l.opening():
		l.beginWait(e.At, "", last.seen)
	case l.early(e.At):
		last.next = l.until
		if e.Until.After(e.At) {
			last.next = e.Until
		}
	default:
		l.wait.closed = true
	}
	return nil
}

// lookLater says when to look again: at a time that the look told, or a little later each time.
func (l *lane) lookLater(at, told time.Time) {
	if !told.IsZero() {
		l.tries, l.wait.look.next = 0, told
		return
	}
	l.wait.look.next = at.Add(backoff(l.tries))
	l.tries++
}

// beginWait records since when the lane waits.
func (l *lane) beginWait(at time.Time, by string, seen Evidence) {
	l.wait = wait{begun: at, by: by, seen: &seen}
	l.since, l.tries, l.errored = at, 0, ""
}

// applyWait folds the beginning of the least time. Without a condition, the wait begins with it.
func (l *lane) applyWait(e Entry) {
	l.until = e.Until
	if l.wait.begun.IsZero() {
		l.wait.begun = e.At
	}
}

// lookAnew lets a condition be looked at once more, whatever the last look said: a person has decided something.
func (l *lane) lookAnew() {
	l.wait.closed = false
	l.wait.look.at = time.Time{}
	l.wait.look.next = time.Time{}
}

// keepsWindow reports whether a resume leaves the end of the wait as it is: only when it has passed does it begin anew.
func (l *lane) keepsWindow(at time.Time) bool {
	return l.phase == phaseCheck && l.stagePlan().Wait.Max > 0 && !l.opening() && at.Before(l.waitEnds())
}

// waits reports whether the lane is in a wait, or before it.
func (l *lane) waits() bool {
	if l.phase != phaseCheck {
		return false
	}
	stage := l.stagePlan()
	return stage.Wait != Window{} || stage.Opens != ""
}

func (l *lane) waitReport() WaitReport {
	stage := l.stagePlan()
	r := WaitReport{Stage: stage.Name, Begun: l.wait.begun, By: l.wait.by, Seen: l.wait.seen, Early: l.wait.early, Todo: l.todo()}
	if r.Begun.IsZero() {
		return r
	}
	r.Least = l.until
	if r.Least.IsZero() && stage.Wait.Min > 0 {
		r.Least = r.Begun.Add(stage.Wait.Min)
	}
	if stage.Wait.Max > 0 {
		r.Ends = l.waitEnds()
	}
	return r
}

// todo says what still has to happen in the wait.
func (l *lane) todo() []string {
	stage := l.stagePlan()
	if l.opening() {
		return []string{fmt.Sprintf("Condition %s has to hold, or somebody to declare by name since when it does. Last seen: %s", stage.Opens, l.lastSeen())}
	}
	var list []string
	if l.wait.early == nil && (l.until.IsZero() || !l.wait.closed) && stage.Wait.Min > 0 {
		least := l.wait.begun.Add(stage.Wait.Min)
		list = append(list, fmt.Sprintf("Wait until %s, or decide by name to end the wait before.", least.UTC().Format(time.RFC3339)))
	}
	if stage.Closes != "" && !l.wait.closed && !l.wait.look.holds {
		list = append(list, fmt.Sprintf("Condition %s has to hold. Last seen: %s", stage.Closes, l.lastSeen()))
	}
	if l.checks() && l.undecided > 0 {
		list = append(list, fmt.Sprintf("Prove %d devices.", l.undecided))
	}
	return list
}

// declare folds that a person says since when it is so. Nobody declares what is still to come.
func (l *lane) declare(d Decision, at time.Time) {
	since := at
	if !d.Since.IsZero() && d.Since.Before(at) {
		since = d.Since
	}
	l.beginWait(since, d.By, Evidence{Source: "declared " + d.by(), At: at, Seen: l.stagePlan().Opens + " since " + since.UTC().Format(time.RFC3339)})
}

// checkWait reports why a decision about a wait makes no sense now.
func (l *lane) checkWait(d Decision, refuse func(string) error) error {
	if l.phase != phaseCheck || l.back != nil || l.stagePlan().Name != d.Stage {
		return refuse(fmt.Sprintf("does not wait in stage %q", d.Stage))
	}
	stage := l.stagePlan()
	switch {
	case d.Kind == Declare && stage.Opens == "":
		return refuse(fmt.Sprintf("has nothing to see before stage %q waits", d.Stage))
	case d.Kind == Declare && !l.opening():
		return refuse("waits already, since " + l.wait.begun.UTC().Format(time.RFC3339))
	case d.Kind == Declare:
		return nil
	case stage.Wait.Min == 0 || l.wait.closed:
		return refuse("has no least time to wait for")
	case l.until.IsZero():
		return refuse("has not begun to wait")
	case l.wait.early != nil:
		return refuse("ends its wait early already, by " + l.wait.early.By)
	case d.Note == "":
		return refuse("ends its wait early only for a reason: Note is empty")
	}
	return nil
}

// checkAt is Check for a decision that is made now: it knows what is over, and what is still to come.
func (s *State) checkAt(d Decision, now time.Time) error {
	if err := s.Check(d); err != nil {
		return err
	}
	l := s.byID[d.Lane]
	switch {
	case d.Since.After(now):
		return fmt.Errorf("decision %s: Since is %s, which is still to come", d.Kind, d.Since.UTC().Format(time.RFC3339))
	case !d.Since.IsZero() && d.Kind != Declare:
		return fmt.Errorf("decision %s: Since belongs to %s alone", d.Kind, Declare)
	case d.Kind == CloseEarly && !now.Before(l.until):
		return fmt.Errorf("decision %s: lane %s has waited its least time, until %s", d.Kind, l.id(), l.until.UTC().Format(time.RFC3339))
	}
	return nil
}
