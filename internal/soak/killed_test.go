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
	t.Parallel()
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
	k := &killer{world: w, rng: rand.New(rand.NewPCG(random, 1)), calm: calm.lines()}
	k.run()
	t.Logf("%.1f s undisturbed, %.1f s with %d kills; the journal has %d and %d entries", undisturbed.Seconds(), time.Since(began).Seconds(),
		len(k.kills), calm.lines(), w.lines())
	k.tell()
	if len(k.kills) < *kills {
		t.Errorf("the runner was killed %d times, want %d at least", len(k.kills), *kills)
	}
	w.checkMoved()
	w.checkJournal()
	w.checkCalls(countIntents(w.entries()))
	if diff := gocmp.Diff(endsOf(calm.report()), endsOf(w.report())); diff != "" {
		t.Errorf("the campaign ends otherwise than undisturbed (-undisturbed +killed):\n%s", diff)
	}
}

// A killer kills runners.
type killer struct {
	*world
	rng   *rand.Rand
	calm  int // entries of the undisturbed campaign
	kills []kill
	seen  int64 // the last entry that was read
	torn  bytes.Buffer

	calls int // so far
}

// A kill is where a runner was when it was killed.
type kill struct {
	lines int    // of the journal
	stage string // and its lane
	last  migrate.EntryKind
	open  bool // calls were announced and have no outcome
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
		at := k.lines() + k.gap()
		delay := time.Duration(k.rng.Int64N(int64(mostDelay)))
		if n%2 == 0 {
			delay = 0
		}
		inCall := n%4 == 0 && at < k.calm/2 // later there may be no call left
		j := k.job
		j.Owner = fmt.Sprintf("runner %d", n+1)
		r := k.start(j)
		if k.reached(r, at, inCall, delay) {
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

// gap returns after how many entries the next kill is due: at random, so that the kills that are left fall on the entries that are.
func (k *killer) gap() int {
	left := max(k.calm-k.lines(), 20)                                 // there are always some more, of the runners that took over
	return 1 + k.rng.IntN(1+2*left/(2+max(0, *kills-len(k.kills))*2)) // early rather than late: a busy machine runs past its moment
}

// reached waits until the journal has so many lines, or, to kill in the middle of a call, until an intent follows them, and a delay
// longer; false if the runner ends before.
func (k *killer) reached(r *runner, at int, inCall bool, delay time.Duration) bool {
	look := time.NewTicker(200 * time.Microsecond)
	defer look.Stop()
	var journal tail
	for journal.lines(k.journalFile()) < at || inCall && !journal.intent {
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
	intents, open := 0, 0
	for e, err := range dir.Entries(k.t.Context(), campaign, k.seen) {
		if err != nil {
			k.t.Fatal(err)
		}
		k.seen, one.last = e.Seq, e.Kind
		switch e.Kind {
		case migrate.EntryIntent:
			intents++
			open++
		case migrate.EntryOutcome:
			if open--; e.Error != "" {
				open = 0 // the calls that were announced after it were not made
			}
		case migrate.EntryRunner:
			open = 0
		}
		if e.Stage != "" {
			one.stage = e.Lane + " " + e.Stage
		}
	}
	one.open, one.torn = open > 0, k.torn.Len() > 0
	k.checkAnnounced(intents)
	k.kills = append(k.kills, one)
}

// checkAnnounced checks that the runner made no call without an intent. A call that the one before was in the middle of may have
// come in late.
func (k *killer) checkAnnounced(intents int) {
	k.t.Helper()
	calls := k.countCalls()
	most := intents
	if n := len(k.kills); n > 0 && k.kills[n-1].open {
		most++
	}
	if made := calls - k.calls; made > most {
		k.t.Errorf("kill %d: a runner that has announced %d calls has made %d", len(k.kills)+1, most, made)
	}
	k.calls = calls
}

// tell reports which kill fell where. Of 20 and more, some are in the middle of calls, and some in every quarter of
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
	k.t.Logf("%d kills between intents and outcomes of calls, %d in the middle of a write; the longest way without a kill: %.1f %% of the journal",
		open, torn, 100*share)
	if len(k.kills) >= 20 && (share > 0.25 || open == 0) {
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
