package migrate

import "fmt"

// The console allows so many tasks at once, Limits.MaxTasks, one for each product of a lane. A lane takes them when it begins and keeps
// them until it has ended, is given up by a person, or has nothing at the target any more.

// holdsTasks reports whether the lane's console tasks count.
func (l *lane) holdsTasks() bool {
	return l.usesTasks() && (l.back != nil || !l.undone && !l.givenUp())
}

// usesTasks reports whether the lane has begun and is not at its end.
func (l *lane) usesTasks() bool {
	return l.begun && l.phase != phaseFinished && l.phase != phaseWaking
}

// givenUp reports whether the lane has stopped by a person's word, for good or with all of its devices returned.
func (l *lane) givenUp() bool {
	return l.halt == HaltAborted || l.halt != "" && l.stopping == HaltAborted || l.halt == HaltReturned && !l.holdsDevices()
}

// holdsDevices reports whether a device of the lane is at the target, or may be.
func (l *lane) holdsDevices() bool {
	n := l.failedThere
	for s, count := range l.counts {
		if s := DeviceState(s); s.unresolved() || s == DeviceReturning || s >= DeviceArrived && s <= DeviceProven {
			n += count
		}
	}
	return n > 0
}

// freeSlots returns how many more console tasks may be open.
func (s *State) freeSlots() int {
	free := s.plan.Limits.withDefaults().MaxTasks
	for _, l := range s.lanes {
		if l.holdsTasks() {
			free -= len(l.plan.Lane.Products)
		}
	}
	return free
}

// fits reports whether the lane's console tasks fit into the free ones. One with more products than the platform has tasks starts alone: it
// would never start else.
func (l *lane) fits(free int) bool {
	n := len(l.plan.Lane.Products)
	return n <= free || n > l.limits.MaxTasks && free == l.limits.MaxTasks
}

// check reports why a decision makes no sense for lane l now.
func (s *State) check(l *lane, d Decision) error {
	if err := l.check(d); err != nil || d.Kind != Resume {
		return err
	}
	if free := s.freeSlots(); l.usesTasks() && !l.holdsTasks() && !l.fits(free) {
		return fmt.Errorf("decision %s: lane %s has given up its console tasks, and %s: wait until another lane has ended, or abort one",
			d.Kind, l.id(), l.tooFew(free))
	}
	return nil
}

func (l *lane) tooFew(free int) string {
	return fmt.Sprintf("it needs %d of the %d that may be open at once, of which %d are free", len(l.plan.Lane.Products), l.limits.MaxTasks, max(0, free))
}

// reportTasks tells which lanes wait for console tasks to begin.
func (s *State) reportTasks(r *Report) {
	free := s.freeSlots()
	for i, l := range s.lanes {
		if !l.begun && l.halt == "" && !l.paused && l.stopping == "" && !l.fits(free) {
			r.Lanes[i].Queued = "for console tasks: " + l.tooFew(free)
		}
	}
}
