package quota_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/quota"
)

// newGovernor returns a governor that uses its limits up.
func newGovernor(t *testing.T, limits quota.Limits) *quota.Governor {
	t.Helper()
	g, err := quota.New(nil, limits, quota.Margin(0))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// calls waits n times in a row and returns when each turn came.
func calls(t *testing.T, g *quota.Governor, api string, n int) []time.Time {
	t.Helper()
	out := make([]time.Time, n)
	for i := range out {
		if err := g.Wait(t.Context(), api); err != nil {
			t.Fatal(err)
		}
		out[i] = time.Now()
	}
	return out
}

// No window of one second, wherever it begins, ever holds more calls than the limit.
func TestNeverOverTheLimit(t *testing.T) {
	for _, limit := range []float64{1, 5, 50, 500} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGovernor(t, quota.Limits{"A": limit})
				var mu sync.Mutex
				var at []time.Time
				var workers sync.WaitGroup
				for range 8 {
					workers.Go(func() {
						for range int(limit) {
							if err := g.Wait(t.Context(), "A"); err != nil {
								t.Error(err)
							}
							mu.Lock()
							at = append(at, time.Now())
							mu.Unlock()
						}
					})
				}
				workers.Wait()
				for i, first := range at {
					n := 0
					for _, other := range at[i:] {
						if other.Sub(first) < time.Second {
							n++
						}
					}
					if n > int(limit) {
						t.Fatalf("%d calls within one second from call %d, the limit is %g", n, i, limit)
					}
				}
				want := time.Duration(float64(len(at)-1) / limit * float64(time.Second))
				if took := at[len(at)-1].Sub(at[0]); took > want+time.Millisecond {
					t.Errorf("%d calls took %v, at %g/s they take %v", len(at), took, limit, want)
				}
			})
		})
	}
}

func TestThrottledHalvesAtOnceAndGrowsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGovernor(t, quota.Limits{"A": 8, "B": 8})
		calls(t, g, "A", 1)
		g.Throttled("A")
		if got := g.Pace("A"); got != 4 {
			t.Errorf("after one refusal the pace is %g, want 4", got)
		}
		at := calls(t, g, "A", 2)
		if gap := at[1].Sub(at[0]); gap < 250*time.Millisecond {
			t.Errorf("calls are %v apart, want 250 ms", gap)
		}
		for range 20 {
			time.Sleep(time.Second)
			calls(t, g, "A", 1)
			g.Throttled("A")
		}
		if got := g.Pace("A"); got != 0.125 {
			t.Errorf("after many refusals the pace is %g, want 1/64 of the limit", got)
		}
		if got := g.Pace("B"); got != 8 {
			t.Errorf("another API has pace %g, want its limit", got)
		}
		time.Sleep(10 * time.Second)
		if got := g.Pace("A"); got != 1.125 {
			t.Errorf("10 s later the pace is %g, want one step of 1 more", got)
		}
		time.Sleep(time.Hour)
		if got := g.Pace("A"); got != 8 {
			t.Errorf("an hour later the pace is %g, want the limit", got)
		}
	})
}

func TestWaitObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGovernor(t, quota.Limits{"A": 1})
		calls(t, g, "A", 1)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := g.Wait(ctx, "A"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		began := time.Now()
		calls(t, g, "A", 1)
		if waited := time.Since(began); waited > 900*time.Millisecond {
			t.Errorf("the next caller waited %v: the turn that was given up was not given back", waited)
		}
		if err := g.Wait(ctx, "unlimited"); err == nil {
			t.Error("a done context got a turn")
		}
	})
}

func TestWhatIsNotLimited(t *testing.T) {
	g := newGovernor(t, quota.Limits{"A": 0})
	for _, api := range []string{"A", "unknown"} {
		for range 10_000 {
			if err := g.Wait(t.Context(), api); err != nil {
				t.Fatal(err)
			}
		}
		g.Throttled(api)
		if got := g.Pace(api); got != 0 {
			t.Errorf("%s has pace %g, want 0 for none", api, got)
		}
	}
	if _, err := quota.New(nil, quota.Limits{"A": -1}); !errors.Is(err, iot.Invalid) {
		t.Errorf("a negative limit: got %v, want invalid", err)
	}
}

func ExampleNew() {
	limits := quota.Documented()
	limits["BatchGrayMigrationDevice"] = 3 // another team's tool uses the rest
	governor, err := quota.New(nil, limits)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(governor.Pace("BatchGrayMigrationDevice"), "calls/s")
	// Output: 2.94 calls/s
}
