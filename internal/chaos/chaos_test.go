package chaos

import (
	"flag"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var (
	replay = flag.Int64("chaos.seed", -1, "run this seed of the random fault test alone, and tell its story")
	first  = flag.Uint64("chaos.first", 0, "the first seed")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// howMany returns a number of campaigns: that of an environment variable, which CI sets, or a few.
func howMany(t *testing.T, name string, few uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return few
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		t.Fatalf("%s=%q is not a number", name, text)
	}
	return n
}

// each runs seeds on as many goroutines as there are processors.
func each(t *testing.T, seeds uint64, run func(seed uint64) error) {
	t.Helper()
	var next, failed atomic.Uint64
	next.Store(*first)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for seed := next.Add(1) - 1; seed < *first+seeds && failed.Load() < 5; seed = next.Add(1) - 1 {
				if err := run(seed); err != nil {
					failed.Add(1)
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
	}
	workers.Wait()
}

// TestRandomFaults lets campaigns run through all kinds of faults at once, and checks every step.
func TestRandomFaults(t *testing.T) {
	if *replay >= 0 {
		w, err := newWorld(t.Context(), uint64(*replay))
		if err != nil {
			t.Fatal(err)
		}
		err = w.run(t.Context())
		t.Log(w.explain())
		if err != nil {
			t.Error(err)
		}
		return
	}
	var steps atomic.Int64
	var longest atomic.Int64
	each(t, howMany(t, "CHAOS_SEEDS", 25), func(seed uint64) error {
		w, err := newWorld(t.Context(), seed)
		if err != nil {
			return err
		}
		err = w.run(t.Context())
		steps.Add(int64(w.checker.steps))
		longest.Store(max(longest.Load(), int64(w.checker.longest)))
		return err
	})
	t.Logf("%d steps checked; the longest time that a family was split: %v", steps.Load(), time.Duration(longest.Load()))
}
