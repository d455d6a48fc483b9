//go:build unix

package soak_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// TestTwoRunners starts a second runner while the first is stopped somewhere in its work. It is refused, and then takes over. The first
// is continued, while the second works or after its end: nothing is doubled, and the first can write nothing.
func TestTwoRunners(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stop func(*world) *runner // starts the first and stops it
		late bool                 // the first is continued when the second has ended
	}{
		"before a call":                 {stop: atCall(func(j *job) { j.StopBefore = 4 })},
		"before a call, continued late": {stop: atCall(func(j *job) { j.StopBefore = 4 }), late: true},
		"after a call":                  {stop: atCall(func(j *job) { j.StopAfter = 4 })},
		"after a call, continued late":  {stop: atCall(func(j *job) { j.StopAfter = 4 }), late: true},
		"anywhere":                      {stop: anywhere},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fleetOf(80))
			first := test.stop(w)
			before := w.entries()
			w.mustRefuse(first)
			if after := len(w.entries()); after != len(before) {
				t.Errorf("a runner that was refused has written %d entries", after-len(before))
			}
			j := w.job
			j.Owner, j.Lease = "the second", migrate.LeaseTakeOver
			second := w.start(j)
			if test.late {
				second.mustEnd(exitProven)
			} else {
				w.await(func() bool { return w.lines() > len(before) })
			}
			first.signal(syscall.SIGCONT)
			first.mustEnd(exitFenced)
			second.mustEnd(exitProven)
			w.checkSecondWrote(len(before))
			w.checkMoved()
			w.checkJournal()
			w.checkCalls(countIntents(w.entries()))
		})
	}
}

// mustRefuse starts a runner that is told who has the campaign.
func (w *world) mustRefuse(by *runner) {
	w.t.Helper()
	j := w.job
	j.Owner = "one too many"
	r := w.start(j)
	r.mustEnd(exitHeld)
	for _, want := range []string{w.job.Owner, "process " + strconv.Itoa(by.command.Process.Pid)} {
		if !strings.Contains(r.stderr.String(), want) {
			w.t.Errorf("the second runner does not say %q: %s", want, &r.stderr)
		}
	}
}

// checkSecondWrote checks that all entries after the first n are of the runner that took over.
func (w *world) checkSecondWrote(n int) {
	w.t.Helper()
	rest := w.entries()[n:]
	if first := rest[0]; first.Kind != migrate.EntryRunner || first.Note != "the second" {
		w.t.Errorf("the first entry of the second runner is %+v", first)
	}
	for _, e := range rest {
		if e.Fence != rest[0].Fence && e.Kind != migrate.EntryDecision { // decisions have none
			w.t.Errorf("entry %d, %s, has fence %d: it is not of the second runner", e.Seq, e.Kind, e.Fence)
		}
	}
}

// atCall starts a runner that stops itself in the middle of a call.
func atCall(where func(*job)) func(*world) *runner {
	return func(w *world) *runner {
		w.t.Helper()
		j := w.job
		where(&j)
		first := w.start(j)
		if line, err := bufio.NewReader(first.stdout).ReadString('\n'); err != nil || line != "stopping\n" {
			w.t.Fatalf("the runner said %q, %v: %s", line, err, &first.stderr)
		}
		entries := w.entries()
		if last := entries[len(entries)-1]; last.Kind != migrate.EntryIntent {
			w.t.Fatalf("the runner stopped after %s: not in the middle of a call", last.Kind)
		}
		return first
	}
}

// anywhere starts a runner and stops it at random, but not in the middle of a write: nobody can take over then.
func anywhere(w *world) *runner {
	w.t.Helper()
	first := w.start(w.job)
	at := 1 + rand.IntN(80)
	w.await(func() bool { return w.lines() >= at })
	for first.signal(syscall.SIGSTOP); w.writing(); first.signal(syscall.SIGSTOP) {
		first.signal(syscall.SIGCONT)
		pause()
	}
	w.t.Logf("stopped with %d entries", w.lines())
	return first
}

// writing reports whether the runner that was just told to stop is in the middle of a write, or of stopping.
func (w *world) writing() bool {
	w.t.Helper()
	for lines := -1; lines != w.lines(); pause() {
		lines = w.lines()
	}
	dir, err := journal.Open(w.job.Journal)
	if err != nil {
		w.t.Fatal(err)
	}
	defer dir.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Millisecond)
	defer cancel()
	for _, err := range dir.Entries(ctx, campaign, 0) {
		if errors.Is(err, context.DeadlineExceeded) {
			return true
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return false
}

func (r *runner) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.command.Process.Signal(s); err != nil {
		r.t.Fatal(fmt.Errorf("%v: %w: %s", s, err, &r.stderr))
	}
}
