package migrate

import (
	"fmt"
	"time"
)

// A State is what has become of a plan: it folds a journal's entries and answers which tasks are ready
// at a time and when to look again. It does no I/O, has no clock, and the same entries always give the same
// answers, so a runner, a simulation and a test can drive it alike. It is not safe for concurrent use.
type State struct {
	plan   *Plan
	lanes  []*lane
	byID   map[string]*lane
	seq    int64
	fence  int64
	bound  bool // the header was seen
	header Header
	ended  bool
	began  time.Time
	latest time.Time
}

// NewState returns the state of a campaign that has not begun. The plan must be one that a [Planner] made or
// [ReadPlan] accepted, and must not change any more.
func NewState(p *Plan) *State {
	s := &State{plan: p, byID: make(map[string]*lane, len(p.Lanes))}
	for i := range p.Lanes {
		l := newLane(&p.Lanes[i], p.Limits.withDefaults(), p.Deadlines.withDefaults())
		s.lanes = append(s.lanes, l)
		s.byID[l.id()] = l
	}
	return s
}

// Seq returns the sequence number of the last entry that was applied.
func (s *State) Seq() int64 { return s.seq }

// Fence returns the highest fencing number that was applied.
func (s *State) Fence() int64 { return s.fence }

// Ended reports whether all lanes are finished and the journal says so.
func (s *State) Ended() bool { return s.ended }

// Apply folds the next entry. An entry that does not fit what went before is [ErrDamaged]; a header
// of another format is [ErrMismatch]. After an error the state must not be used any more.
func (s *State) Apply(e Entry) error {
	if e.Seq != 0 && e.Seq != s.seq+1 {
		return fmt.Errorf("%w: entry %d follows entry %d", ErrDamaged, e.Seq, s.seq)
	}
	if e.Kind != EntryCampaign && !s.bound {
		return fmt.Errorf("%w: entry %d is %q, the first must be %q", ErrDamaged, s.seq+1, e.Kind, EntryCampaign)
	}
	s.seq++
	s.idle(e)
	s.latest = e.At
	if err := s.fold(e); err != nil {
		return fmt.Errorf("entry %d: %w", s.seq, err)
	}
	return nil
}

// idle tells the lanes for how long nothing was recorded before an entry.
func (s *State) idle(e Entry) {
	if d := e.At.Sub(s.latest); d > 0 && s.bound {
		for _, l := range s.lanes {
			l.idled(d, e.Kind == EntryRunner)
		}
	}
}

func (s *State) fold(e Entry) error {
	switch e.Kind {
	case EntryCampaign:
		return s.bind(e)
	case EntryRunner:
		s.fence = max(s.fence, e.Fence)
		for _, l := range s.lanes {
			l.takenOver(e.At)
		}
		return nil
	case EntryDecision:
		return s.decided(e)
	case EntryEnd:
		s.ended = true
		return nil
	}
	l, ok := s.byID[e.Lane]
	if !ok {
		return fmt.Errorf("%w: kind %q, lane %q: the plan has no such lane", ErrDamaged, e.Kind, e.Lane)
	}
	return l.apply(e)
}

func (s *State) bind(e Entry) error {
	switch {
	case s.bound:
		return fmt.Errorf("%w: a second header", ErrDamaged)
	case e.Header == nil:
		return fmt.Errorf("%w: the header is missing", ErrDamaged)
	case e.Header.Version != JournalVersion:
		return fmt.Errorf("%w: journal version %d, this program writes %d", ErrMismatch, e.Header.Version, JournalVersion)
	}
	s.bound, s.header, s.began = true, *e.Header, e.At
	return nil
}

func (s *State) decided(e Entry) error {
	if e.Decision == nil {
		return fmt.Errorf("%w: the decision is missing", ErrDamaged)
	}
	if e.Decision.Kind == Rollback {
		s.ended = false
	}
	s.heedResume(*e.Decision)
	for _, l := range s.lanes {
		if e.Decision.Lane == "" || e.Decision.Lane == l.id() {
			l.decided(*e.Decision, s.check(l, *e.Decision) == nil, e.At)
		}
	}
	return nil
}

// Check reports why a decision makes no sense now, or nil. A decision that Check refuses must not be
// journalled.
func (s *State) Check(d Decision) error {
	if d.By == "" {
		return fmt.Errorf("decision %s: By is empty: say who decides", d.Kind)
	}
	if !s.bound {
		return fmt.Errorf("decision %s: the campaign has not begun: nothing can be decided before its first run", d.Kind)
	}
	if d.Lane == "" {
		return s.checkAll(d)
	}
	l, ok := s.byID[d.Lane]
	if !ok {
		return fmt.Errorf("decision %s: no lane %q in this plan", d.Kind, d.Lane)
	}
	return s.check(l, d)
}

// checkAll accepts a decision on all lanes if at least one lane can follow it.
func (s *State) checkAll(d Decision) error {
	switch d.Kind {
	case Approve, Refuse:
		return fmt.Errorf("decision %s: Lane is empty: a gate belongs to one lane", d.Kind)
	case Declare, CloseEarly:
		return fmt.Errorf("decision %s: Lane is empty: a wait belongs to one lane", d.Kind)
	}
	if d.Stage != "" || d.Wave != 0 {
		return fmt.Errorf("decision %s: a stage or a wave needs its Lane", d.Kind)
	}
	var first error
	for _, l := range s.lanes {
		err := s.check(l, d)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		return fmt.Errorf("decision %s: the plan has no lanes", d.Kind)
	}
	return first
}

// A Step is what a [State] answers: entries to record, tasks to do, and when to ask again.
type Step struct {
	// Entries are to be recorded and applied before anything else happens.
	Entries []Entry
	// Tasks are ready, at most one per lane. A task with Intents may start only when these entries are
	// durable and applied.
	Tasks []Task
	// Next is when time alone makes something ready; zero if it never does.
	Next time.Time
}

// Decide returns what to do at time now. It changes nothing: what it returns has an effect only
// when it is applied. A lane for which busy reports true has a task under way and is left alone; a nil
// busy stands for none. A driver that can take on no task now sets full, and gets none: listing their devices, in a
// large fleet, is work.
func (s *State) Decide(now time.Time, busy func(lane int) bool, full bool) Step {
	var step Step
	if s.ended {
		return step
	}
	warning := s.warn(now, &step)
	if len(step.Entries) > 0 {
		return step
	}
	finished, working := true, s.waiting()
	mover := s.mover()
	looks := make([]bool, len(s.lanes)) // before their next wave
	started := func(lane int) bool { return looks[lane] || busy != nil && busy(lane) }
	for i, l := range s.lanes {
		finished = finished && l.phase == phaseFinished && l.back == nil && l.stopping == ""
		if busy != nil && busy(i) {
			working = true
			continue
		}
		a := l.decide(now, admission{slots: s.freeSlots(), mover: mover == nil || mover == l, room: s.roomFor(i, started)})
		for j := range a.entries {
			a.entries[j].Lane = l.id()
			a.entries[j].At = now
		}
		step.Entries = append(step.Entries, a.entries...)
		if a.task != nil {
			a.task.Lane, a.task.Deadline = i, a.next
			for j := range a.task.Intents {
				a.task.Intents[j].Lane = l.id()
			}
			a.task.families, a.task.grown = l.plan.Families, l.grown
			if a.task.Kind == TaskMove {
				mover = l
			}
			looks[i] = a.task.Kind == TaskBefore
			if !full {
				step.Tasks = append(step.Tasks, a.task.listed())
			}
		}
		step.Next = earliest(step.Next, a.next)
		if len(a.entries) > 0 {
			break // they may change what the other lanes may do
		}
	}
	if working || !step.Next.IsZero() || len(step.Tasks) > 0 {
		step.Next = earliest(step.Next, warning)
	}
	if finished && len(step.Entries) == 0 {
		step.Entries = append(step.Entries, Entry{Kind: EntryEnd, At: now})
	}
	return step
}

// waiting reports whether a lane has to be kept ready for a person's decision, although nothing else is to be done.
func (s *State) waiting() bool {
	for _, l := range s.lanes {
		if l.paused && l.halt == "" {
			return true
		}
	}
	return false
}

// mover returns the lane in the middle of a wave's calls. It has the quota to itself: calls of other
// lanes in between would stretch the time in which its families are split.
func (s *State) mover() *lane {
	for _, l := range s.lanes {
		if l.calling() {
			return l
		}
	}
	return nil
}

func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
