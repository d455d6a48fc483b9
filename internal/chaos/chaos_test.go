package chaos

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

var (
	replay = flag.Int64("chaos.seed", -1, "run this seed of the random fault test alone, and tell its story")
	first  = flag.Uint64("chaos.first", 0, "the first seed")
	seeds  = flag.Uint64("chaos.seeds", 25, "how many seeds of the random fault test to run: CI runs 2,000")
	liars  = flag.Uint64("chaos.liars", 60, "how many campaigns on a lying platform to run: CI runs 1,000")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// each runs seeds on as many goroutines as there are processors.
func each(t *testing.T, count uint64, run func(seed uint64) error) {
	t.Helper()
	var next, failed atomic.Uint64
	next.Store(*first)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := next.Add(1) - 1; seed < *first+count && failed.Load() < 5; seed = next.Add(1) - 1 {
				if err := run(seed); err != nil {
					failed.Add(1)
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
	}
	workers.Wait()
}

// inBubble runs a campaign in a bubble of its own: see [bubbleClock].
func inBubble(t *testing.T, run func(context.Context) error) (err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { err = run(t.Context()) })
	return err
}

// TestRandomFaults lets campaigns run through all kinds of faults at once, and checks every step.
func TestRandomFaults(t *testing.T) {
	if *replay >= 0 {
		if err := inBubble(t, func(ctx context.Context) error {
			w, err := newWorld(ctx, uint64(*replay))
			if err == nil {
				err = w.run(ctx)
				t.Log(w.explain(1 << 30))
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		return
	}
	var mu sync.Mutex
	var steps int
	var longest time.Duration
	each(t, *seeds, func(seed uint64) error {
		var w *world
		err := inBubble(t, func(ctx context.Context) error {
			var err error
			if w, err = newWorld(ctx, seed); err == nil {
				err = w.run(ctx)
			}
			return err
		})
		if w == nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		steps += w.checker.steps
		longest = max(longest, w.checker.longest)
		if err != nil {
			return fmt.Errorf("%w\n%s\nto replay it: go test ./internal/chaos -run TestRandomFaults -v -chaos.seed=%d", err, w.explain(20), seed)
		}
		return nil
	})
	t.Logf("%d campaigns, %d steps checked; the longest time that a family was split: %v", *seeds, steps, longest)
}
