package quota_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/quota"
)

const read = "BatchGetDeviceState"

// crowd keeps callers waiting for an API until the test ends, and records when each turn came.
type crowd struct {
	mu sync.Mutex
	at []time.Time
}

func (c *crowd) call(ctx context.Context, g *quota.Governor, api string) {
	for g.Wait(ctx, api) == nil {
		c.mu.Lock()
		c.at = append(c.at, time.Now())
		c.mu.Unlock()
	}
}

func (c *crowd) turns() []time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.at)
}

// busiest returns the most turns in any window of one second.
func busiest(at []time.Time) int {
	slices.SortFunc(at, time.Time.Compare)
	most := 0
	for i, first := range at {
		n := 0
		for _, other := range at[i:] {
			if other.Sub(first) >= time.Second {
				break
			}
			n++
		}
		most = max(most, n)
	}
	return most
}

// crowded lets callers press for an API for some time: ordinary ones, and urgent ones if there are any.
func crowded(t *testing.T, g *quota.Governor, api string, ordinary, urgent int, span time.Duration) (plain, fast []time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var a, b crowd
	var callers sync.WaitGroup
	for range ordinary {
		callers.Go(func() { a.call(ctx, g, api) })
	}
	for range urgent {
		callers.Go(func() { b.call(iot.Urgent(ctx), g, api) })
	}
	callers.Wait()
	return a.turns(), b.turns()
}

func TestReserve(t *testing.T) {
	const limit, seconds = 50, 20
	tests := map[string]struct {
		api              string
		reserve          float64
		ordinary, urgent int
		plain, fast      float64 // turns per second; the first is the least that is right
	}{
		"ordinary callers leave the reserve":   {read, 0.1, 8, 0, 45, 0},
		"urgent callers get all that is free":  {read, 0.1, 0, 8, 0, 50},
		"urgent callers have at least theirs":  {read, 0.1, 40, 1, 25, 5},
		"a reserve of another size":            {read, 0.5, 8, 0, 25, 0},
		"no reserve":                           {read, 0, 8, 0, 50, 0},
		"an API that writes has none":          {"BatchGrayMigrationDevice", 0.1, 8, 0, 50, 0},
		"urgent callers of an API that writes": {"BatchGrayMigrationDevice", 0.1, 0, 1, 0, 50},
		"a listing":                            {"ListRule", 0.1, 2, 0, 45, 0},
		"a command is no read":                 {"Pub", 0.1, 2, 0, 50, 0},
		"a batch that registers is no read":    {"BatchRegisterDevice", 0.1, 2, 0, 50, 0},
		"a batch that reads":                   {"BatchQueryDeviceDetail", 0.2, 2, 0, 40, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, err := quota.New(nil, quota.Limits{test.api: limit}, quota.Reserve(test.reserve), quota.Margin(0))
				if err != nil {
					t.Fatal(err)
				}
				plain, fast := crowded(t, g, test.api, test.ordinary, test.urgent, seconds*time.Second)
				if n := busiest(append(slices.Clone(plain), fast...)); n > limit {
					t.Errorf("%d calls within one second, the limit is %d", n, limit)
				}
				if got := float64(len(plain)) / seconds; got < test.plain-0.1 {
					t.Errorf("ordinary callers got %g/s, want %g", got, test.plain)
				}
				if got := float64(len(fast)) / seconds; got < test.fast-0.1 {
					t.Errorf("urgent callers got %g/s, want %g", got, test.fast)
				}
				most := limit * (1 - test.reserve)
				if test.plain < limit && float64(len(plain)) > most*seconds+1 {
					t.Errorf("%d ordinary turns in %d s are more than %g/s", len(plain), seconds, most)
				}
			})
		})
	}
}

// However many ordinary callers wait, an urgent one is the next or the next but one.
func TestUrgentDoesNotWaitBehindTheCrowd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := quota.New(nil, quota.Limits{read: 50}, quota.Margin(0))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var c crowd
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() { c.call(ctx, g, read) })
		}
		for range 20 {
			time.Sleep(333 * time.Millisecond)
			began := time.Now()
			if err := g.Wait(iot.Urgent(ctx), read); err != nil {
				t.Error(err)
			}
			if waited := time.Since(began); waited > 40*time.Millisecond {
				t.Errorf("an urgent caller waited %v, at 50/s two turns take 40 ms", waited)
			}
		}
		cancel()
		callers.Wait()
	})
}

// Throttling slows urgent callers and ordinary ones alike, and both speed up again.
func TestReserveUnderThrottling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := quota.New(nil, quota.Limits{read: 40}, quota.Reserve(0.25), quota.Margin(0))
		if err != nil {
			t.Fatal(err)
		}
		g.Throttled(read)
		if got := g.Pace(read); got != 20 {
			t.Errorf("the pace is %g, want half the limit", got)
		}
		plain, _ := crowded(t, g, read, 4, 0, 9*time.Second)
		if got := float64(len(plain)) / 9; math.Abs(got-15) > 0.2 {
			t.Errorf("ordinary callers got %.2f/s, want three quarters of 20", got)
		}
		time.Sleep(time.Minute)
		plain, _ = crowded(t, g, read, 4, 0, 9*time.Second)
		if got := float64(len(plain)) / 9; math.Abs(got-30) > 0.2 {
			t.Errorf("later ordinary callers got %.2f/s, want three quarters of 40", got)
		}
	})
}

// A caller that gives up in the ordinary queue leaves no hole behind.
func TestGivingUpAnOrdinaryTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := quota.New(nil, quota.Limits{read: 2}, quota.Reserve(0.5), quota.Margin(0))
		if err != nil {
			t.Fatal(err)
		}
		calls(t, g, read, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := g.Wait(ctx, read); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		began := time.Now()
		calls(t, g, read, 1)
		if waited := time.Since(began); waited > 900*time.Millisecond {
			t.Errorf("the next caller waited %v: the turn that was given up was not given back", waited)
		}
	})
}

func TestReservesThatCannotBe(t *testing.T) {
	for _, share := range []float64{-0.1, 1, 2, math.NaN(), math.Inf(1)} {
		if _, err := quota.New(nil, quota.Documented(), quota.Margin(share)); !errors.Is(err, iot.Invalid) {
			t.Errorf("a margin of %g: got %v, want invalid", share, err)
		}
		if _, err := quota.New(nil, quota.Documented(), quota.Reserve(share)); !errors.Is(err, iot.Invalid) {
			t.Errorf("a reserve of %g: got %v, want invalid", share, err)
		}
	}
	if _, err := quota.New(nil, quota.Limits{read: math.NaN()}); !errors.Is(err, iot.Invalid) {
		t.Errorf("a limit that is no number: got %v, want invalid", err)
	}
}

func ExampleReserve() {
	// Devices on their way back are looked at with a fifth of each reading API's limit, whatever else is read.
	governor, err := quota.New(nil, quota.Documented(), quota.Reserve(0.2))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := governor.Wait(iot.Urgent(context.Background()), "BatchGetDeviceState"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(governor.Pace("BatchGetDeviceState"), "calls/s, of which a fifth is for urgent ones")
	// Output: 49 calls/s, of which a fifth is for urgent ones
}
