package soak_test

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// TestKilled kills the runner again and again, at random moments that are spread over the whole campaign. Each time another
// process goes on, and in the end all is as after a campaign that nobody disturbed.
func TestKilled(t *testing.T) {
	random := *seed
	if random == 0 {
		random = rand.Uint64()
	}
	t.Logf("seed %d: -devices %d -kills %d -seed %d", random, *devices, *kills, random)
	fleet := fleetOf(*devices)
	calm := newWorld(t, fleet)
	began := time.Now()
	calm.start(calm.job).mustEnd(exitProven)
	undisturbed := time.Since(began)
	calm.checkMoved()
	calm.checkJournal()

	w := newWorld(t, fleet)
	began = time.Now()
	k := &killer{world: w, rng: rand.New(rand.NewPCG(random, 1)), mean: calm.lines() / (*kills + *kills/4 + 1)}
	k.run()
	t.Logf("%.1f s undisturbed, %.1f s with %d kills; the journal has %d and %d entries", undisturbed.Seconds(), time.Since(began).Seconds(),
		len(k.kills), calm.lines(), w.lines())
	k.tell()
	if len(k.kills) < *kills {
		t.Errorf("the runner was killed %d times, want %d at least", len(k.kills), *kills)
	}
	w.checkMoved()
	w.checkJournal()
	w.checkCalls()
	if diff := gocmp.Diff(endsOf(calm.report()), endsOf(w.report())); diff != "" {
		t.Errorf("the campaign ends otherwise than undisturbed (-undisturbed +killed):\n%s", diff)
	}
}

// checkCalls checks that the platform saw no call of a runner that the journal does not announce.
func (w *world) checkCalls() {
	w.t.Helper()
	calls, throttled, err := w.sim.console.calls(w.t.Context(), "BatchGrayMigrationDevice")
	if err != nil {
		w.t.Fatal(err)
	}
	intents := 0
	for _, e := range w.entries() {
		if e.Kind == migrate.EntryIntent {
			intents++
		}
	}
	if throttled > 0 || calls > intents {
		w.t.Errorf("%d calls were made for %d intents, and %d calls throttled", calls, intents, throttled)
	}
	w.t.Logf("%d intents, %d calls that reached the platform", intents, calls)
}

// A killer kills runners.
type killer struct {
	*world
	rng   *rand.Rand
	mean  int // entries between two kills, about
	kills []kill
	seen  int64 // the last entry that was read
	torn  bytes.Buffer
}

// A kill is where a runner was when it was killed.
type kill struct {
	lines int // of the journal
	stage string
	last  migrate.EntryKind
	open  bool // the last call's intent has no outcome
	torn  bool // in the middle of a write
}

// mostDelay is how much later than its last append a runner is killed, at most: at half of the kills.
const mostDelay = 20 * time.Millisecond

// run starts runners until one comes to the end. A campaign that makes no progress any more is given up.
func (k *killer) run() {
	k.t.Helper()
	dir, err := journal.Open(k.job.Journal)
	if err != nil {
		k.t.Fatal(err)
	}
	defer dir.Close()
	dir.Logger = slog.New(slog.NewTextHandler(&k.torn, nil)) // it is told of torn tails only
	for n := 0; n < 10**kills; n++ {
		at := k.lines() + 1 + k.rng.IntN(2*k.mean)
		var delay time.Duration
		if n%2 == 1 {
			delay = time.Duration(k.rng.Int64N(int64(mostDelay)))
		}
		j := k.job
		j.Owner = fmt.Sprintf("runner %d", n+1)
		r := k.start(j)
		if k.reached(r, at, delay) {
			r.kill()
		}
		if r.wait() >= 0 {
			r.mustEnd(exitProven)
			return
		}
		k.note(dir)
	}
	k.t.Fatalf("the campaign has not ended after %d kills", len(k.kills))
}

// reached waits until the journal has so many lines, and a delay longer; false if the runner ends before.
func (k *killer) reached(r *runner, at int, delay time.Duration) bool {
	look := time.NewTicker(200 * time.Microsecond)
	defer look.Stop()
	var journal tail
	for journal.lines(k.journalFile()) < at {
		select {
		case <-r.ended:
			return false
		case <-look.C:
		}
	}
	select {
	case <-r.ended:
		return false
	case <-time.After(delay):
		return true
	}
}

// note reads what the runner that was killed had written last.
func (k *killer) note(dir *journal.Dir) {
	k.t.Helper()
	one := kill{lines: k.lines()}
	if n := len(k.kills); n > 0 {
		one.stage, one.last = k.kills[n-1].stage, k.kills[n-1].last
	}
	k.torn.Reset()
	for e, err := range dir.Entries(k.t.Context(), campaign, k.seen) {
		if err != nil {
			k.t.Fatal(err)
		}
		k.seen, one.last = e.Seq, e.Kind
		switch e.Kind {
		case migrate.EntryIntent:
			one.open = true
		case migrate.EntryOutcome, migrate.EntryRunner:
			one.open = false
		}
		if e.Stage != "" {
			one.stage = e.Stage
		}
	}
	one.torn = k.torn.Len() > 0
	k.kills = append(k.kills, one)
}

// tell reports which kill fell where. Many of them are everywhere: in several stages, in the middle of calls, and in every quarter of
// the campaign.
func (k *killer) tell() {
	stages, lasts := map[string]int{}, map[string]int{}
	open, torn, gap, before := 0, 0, 0, 0
	for _, one := range k.kills {
		stages[cmp.Or(one.stage, "before the first")]++
		lasts[string(one.last)]++
		if one.open {
			open++
		}
		if one.torn {
			torn++
		}
		gap = max(gap, one.lines-before)
		before = one.lines
	}
	gap = max(gap, k.lines()-before)
	share := float64(gap) / float64(k.lines())
	k.t.Logf("kills by stage: %s", tally(stages))
	k.t.Logf("kills by the entry before: %s", tally(lasts))
	k.t.Logf("%d kills between intent and outcome of a call, %d in the middle of a write; the longest way without a kill: %.1f %% of the journal",
		open, torn, 100*share)
	if len(k.kills) >= 20 && (share > 0.25 || open == 0 || len(stages) < 3) {
		k.t.Error("the kills are not spread over the campaign")
	}
}

func tally(counts map[string]int) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", key, counts[key]))
	}
	return strings.Join(parts, ", ")
}
