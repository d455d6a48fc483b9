package sim_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake/sim"
)

func begin() time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) }

const (
	day      = 24 * time.Hour
	patience = 5 * time.Millisecond
)

// A clock that is put forward wakes who waits for a time that is thereby past, and nobody else.
func TestClockAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c sim.Clock
		first := c.Now()
		woken := make(chan time.Duration, 2)
		for _, d := range []time.Duration{7 * day, 30 * day} {
			go func() {
				if err := c.WaitUntil(t.Context(), first.Add(d)); err != nil {
					t.Error(err)
				}
				woken <- d
			}()
		}
		synctest.Wait()
		c.Advance(-time.Hour)
		c.Advance(7*day - time.Second)
		synctest.Wait()
		if len(woken) > 0 {
			t.Fatalf("a wait of %v has ended a second before its time", <-woken)
		}
		c.Advance(time.Second)
		synctest.Wait()
		if len(woken) != 1 || <-woken != 7*day {
			t.Errorf("after seven days not the wait of seven days has ended")
		}
		time.Sleep(23 * day) // real time counts as well
		synctest.Wait()
		if len(woken) != 1 || c.Now().Sub(first) != 30*day {
			t.Errorf("the wait of 30 days has not ended after %v", c.Now().Sub(first))
		}
	})
}

func TestClockContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []*sim.Clock{new(sim.Clock), sim.NewClock(begin(), time.Hour)} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			before := time.Now()
			if err := c.WaitUntil(ctx, c.Now().Add(day)); !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != time.Minute {
				t.Errorf("got %v after %v", err, time.Since(before))
			}
			if err := c.WaitUntil(ctx, c.Now().Add(-day)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v with a done context", err)
			}
		}
	})
}

// A single wait takes its patience, or less if it is shorter, and leaves the clock at its end.
func TestClockSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sim.NewClock(begin(), patience)
		if !c.Now().Equal(begin()) {
			t.Fatalf("it begins at %v", c.Now())
		}
		for _, test := range []struct{ wait, takes time.Duration }{
			{30 * day, patience}, {patience, patience}, {time.Millisecond, time.Millisecond}, {0, 0}, {-day, 0},
		} {
			real, until := time.Now(), c.Now().Add(test.wait)
			if err := c.WaitUntil(t.Context(), until); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(real); took != test.takes {
				t.Errorf("a wait of %v took %v, want %v", test.wait, took, test.takes)
			}
			if test.wait >= 0 && !c.Now().Equal(until) {
				t.Errorf("after a wait of %v the clock is %v late", test.wait, c.Now().Sub(until))
			}
		}
		now := c.Now()
		time.Sleep(time.Minute)
		if d := c.Now().Sub(now); d != time.Minute {
			t.Errorf("between waits a minute lasts %v", d)
		}
	})
}

// Of several waits the earliest decides: time never jumps over one, and who was woken can begin another.
func TestClockKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sim.NewClock(begin(), patience)
		type woken struct {
			By   string
			Time time.Duration
		}
		log := make(chan woken, 100)
		wait := func(by string, until time.Duration) {
			if err := c.WaitUntil(t.Context(), begin().Add(until)); err != nil {
				t.Error(err)
			}
			log <- woken{by, c.Now().Sub(begin())}
		}
		real := time.Now()
		var waiters sync.WaitGroup
		waiters.Go(func() { wait("weeks", 14*day) })
		waiters.Go(func() { // whose work between two waits takes real time, but less than the patience
			for until := time.Minute; until <= 4*time.Minute; until += time.Minute {
				wait("minutes", until)
				time.Sleep(patience / 2)
			}
		})
		waiters.Wait()
		close(log)
		var got []woken
		for w := range log {
			got = append(got, w)
		}
		want := []woken{
			{"minutes", time.Minute}, {"minutes", 2 * time.Minute}, {"minutes", 3 * time.Minute}, {"minutes", 4 * time.Minute},
			{"weeks", 14 * day},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error("-want +got:\n" + diff)
		}
		if took := time.Since(real); took > 10*patience {
			t.Errorf("that took %v", took)
		}
	})
}

// A wait that ends, because it was cancelled or its time came, gives others as much time as one that was skipped.
func TestClockWaitsForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sim.NewClock(begin(), patience)
		real := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Millisecond)
		defer cancel()
		go func() { _ = c.WaitUntil(ctx, begin().Add(time.Minute)) }()
		if err := c.WaitUntil(t.Context(), begin().Add(day)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(real); took != 3*time.Millisecond+patience {
			t.Errorf("the wait took %v", took)
		}
	})
}

// Who only awaits a time neither lets it be skipped nor keeps it from being skipped.
func TestClockAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := sim.NewClock(begin(), patience)
		arrived := make(chan time.Time, 2)
		for _, d := range []time.Duration{time.Hour, 2 * day} {
			go func() {
				if err := c.Await(t.Context(), begin().Add(d)); err != nil {
					t.Error(err)
				}
				arrived <- c.Now()
			}()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if now := c.Now(); len(arrived) > 0 || !now.Equal(begin().Add(time.Minute)) {
			t.Errorf("with nobody who waits, a minute brought the clock to %v", now)
		}
		real := time.Now()
		if err := c.WaitUntil(t.Context(), begin().Add(day)); err != nil || time.Since(real) != patience {
			t.Errorf("a wait beside them took %v, %v", time.Since(real), err)
		}
		synctest.Wait()
		if len(arrived) != 1 || !(<-arrived).Equal(begin().Add(day)) {
			t.Error("who awaited a time within the wait has not been told at its end")
		}
		c.Advance(day)
		<-arrived
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Await(ctx, begin()); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v with a done context", err)
		}
	})
}
