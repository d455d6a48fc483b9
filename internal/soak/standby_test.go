package soak_test

import (
	"testing"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// TestStandby kills a runner while another process stands by, again and again: the one that stands by goes on each time, and writes
// nothing before.
func TestStandby(t *testing.T) {
	t.Parallel()
	w := newWorld(t, fleetOf(240))
	j := w.job
	j.Owner = "runner 0"
	active := w.start(j)
	for n := range 3 {
		w.await(func() bool { return w.owner() == j.Owner && w.lines() >= 40*(n+1) })
		j.Owner, j.Lease, j.Poll = "runner "+string(rune('1'+n)), migrate.LeaseWait, 5*time.Millisecond
		standby := w.start(j)
		before := w.lines()
		w.await(func() bool { return w.lines() >= before+5 })
		if got := w.owner(); got == j.Owner {
			t.Errorf("%s did not wait", got)
		}
		active.kill()
		active = standby
	}
	active.mustEnd(exitProven)
	if got := w.owner(); got != j.Owner {
		t.Errorf("the last to take on was %s, want %s", got, j.Owner)
	}
	w.checkMoved()
	w.checkJournal()
	w.checkCalls(countIntents(w.entries()))
}

// owner returns who took on last.
func (w *world) owner() string {
	w.t.Helper()
	owner := ""
	for _, e := range w.entries() {
		if e.Kind == migrate.EntryRunner {
			owner = e.Note
		}
	}
	return owner
}
