package quota_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/quota"
)

// tardy is a clock whose waits end late by up to some time, as timers of a busy machine do.
type tardy struct {
	iot.Clock
	by time.Duration

	mu     sync.Mutex
	random *rand.Rand
}

func (c *tardy) WaitUntil(ctx context.Context, t time.Time) error {
	c.mu.Lock()
	late := time.Duration(c.random.Int64N(int64(c.by) + 1))
	c.mu.Unlock()
	return c.Clock.WaitUntil(ctx, t.Add(late))
}

// By default no second holds more calls than the limit, as the platform sees them: it gets calls late by up to 20 ms, and
// timers may be late, too.
func TestDefaultStaysWithinTheLimitAsThePlatformCounts(t *testing.T) {
	const seed, seconds = 7, 20
	for _, test := range []struct {
		way, timers time.Duration
		least       float64 // share of the limit that is used
	}{
		{0, 0, 0.98}, {5 * time.Millisecond, 0, 0.98}, {20 * time.Millisecond, 0, 0.98},
		{15 * time.Millisecond, 5 * time.Millisecond, 0.979},
		{0, 300 * time.Millisecond, 0}, // each late call pushes the next
	} {
		for _, limit := range []int{5, 50, 200} {
			t.Run(fmt.Sprintf("way %v, timers %v, limit %d, seed %d", test.way, test.timers, limit, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					random := rand.New(rand.NewPCG(seed, 1))
					clock := &tardy{Clock: iot.SystemClock(), by: test.timers, random: rand.New(rand.NewPCG(seed, 2))}
					g, err := quota.New(clock, quota.Limits{"A": float64(limit)})
					if err != nil {
						t.Fatal(err)
					}
					at, _ := crowded(t, g, "A", 16, 0, seconds*time.Second)
					if got := float64(len(at)) / seconds / float64(limit); got < test.least {
						t.Errorf("%.2f %% of the limit used, want %.2f %%", 100*got, 100*test.least)
					}
					for i := range at {
						at[i] = at[i].Add(time.Duration(random.Int64N(int64(test.way) + 1)))
					}
					if n := busiest(at); n > limit {
						t.Errorf("%d calls within one second, the limit is %d", n, limit)
					}
				})
			})
		}
	}
}

// Throttling slows those who wait already.
func TestThrottledSlowsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGovernor(t, quota.Limits{"A": 8})
		ctx, cancel := context.WithCancel(t.Context())
		var c crowd
		var callers sync.WaitGroup
		for range 40 {
			callers.Go(func() { c.call(ctx, g, "A") })
		}
		time.Sleep(time.Second + time.Millisecond)
		before := len(c.turns())
		g.Throttled("A")
		time.Sleep(2 * time.Second)
		if n := len(c.turns()) - before; n > 8 {
			t.Errorf("%d calls in two seconds after a refusal, at 4/s they are 8", n)
		}
		cancel()
		callers.Wait()
	})
}

// Refusals of calls that were sent before a halving do not halve again; those of later ones do.
func TestBurstOfRefusalsCountsAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGovernor(t, quota.Limits{"A": 8})
		calls(t, g, "A", 4)
		expect := func(want float64) {
			t.Helper()
			if got := g.Pace("A"); got != want {
				t.Errorf("the pace is %g, want %g", got, want)
			}
		}
		for range 4 {
			g.Throttled("A")
		}
		expect(4)
		calls(t, g, "A", 1)
		g.Throttled("A") // the platform still counts calls of before
		expect(4)
		time.Sleep(time.Second)
		g.Throttled("A")
		expect(2)
		time.Sleep(2 * time.Second)
		g.Throttled("A") // no call was made at this pace
		expect(2)
		calls(t, g, "A", 1)
		g.Throttled("A")
		expect(1)
	})
}

// Nobody waits for turns that were given at a pace which is over.
func TestNoDebtOfASlowerPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGovernor(t, quota.Limits{"A": 8})
		for range 6 {
			calls(t, g, "A", 1)
			g.Throttled("A")
			time.Sleep(time.Second)
		}
		if got := g.Pace("A"); got > 1 {
			t.Fatalf("the pace is %g: too fast for this test", got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for range 500 {
			callers.Go(func() { _ = g.Wait(ctx, "A") })
		}
		time.Sleep(15 * time.Second)
		cancel()
		callers.Wait()
		time.Sleep(90 * time.Second)
		began := time.Now()
		at := calls(t, g, "A", 9)
		if took := at[8].Sub(began); took > time.Second {
			t.Errorf("nine calls took %v, at 8/s they take a second", took)
		}
	})
}

// A caller that waits for a slow turn has it sooner when the pace grows.
func TestGrowthSpeedsUpTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGovernor(t, quota.Limits{"A": 0.25})
		for range 3 {
			calls(t, g, "A", 1)
			g.Throttled("A")
			time.Sleep(time.Second)
		}
		slow := time.Duration(float64(time.Second) / g.Pace("A"))
		began := time.Now()
		calls(t, g, "A", 1)
		if waited := time.Since(began); waited > slow*3/4 {
			t.Errorf("the caller waited %v; the pace grew meanwhile, at first it was a call every %v", waited, slow)
		}
	})
}

// Callers go in the order in which they came, without those who gave up.
func TestOrderIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGovernor(t, quota.Limits{"A": 2})
		calls(t, g, "A", 1)
		var mu sync.Mutex
		var got []int
		began := time.Now()
		var callers sync.WaitGroup
		for i := range 9 {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			callers.Go(func() {
				if g.Wait(ctx, "A") == nil {
					mu.Lock()
					defer mu.Unlock()
					got = append(got, i)
				}
			})
			synctest.Wait()
			if i%3 == 0 {
				time.AfterFunc(100*time.Millisecond, cancel)
			}
		}
		callers.Wait()
		if want := []int{1, 2, 4, 5, 7, 8}; !slices.Equal(got, want) {
			t.Errorf("the order is %v, want %v", got, want)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("six turns took %v, want 3 s: none is lost to those who gave up", took)
		}
	})
}
