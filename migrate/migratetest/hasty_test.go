package migratetest_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// Each wait takes perWait at most, and the parts of a program meet in the order of their times.
func TestHastyClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perWait = 20 * time.Millisecond
		clock := migratetest.NewHastyClock(start(), perWait)
		if !clock.Now().Equal(start()) {
			t.Errorf("it begins at %v", clock.Now())
		}
		real := time.Now()
		for _, wait := range []time.Duration{30 * 24 * time.Hour, time.Millisecond, -time.Hour} {
			until := clock.Now().Add(wait)
			if err := clock.WaitUntil(t.Context(), until); err != nil || clock.Now().Before(until) {
				t.Errorf("after a wait of %v: %v, %v", wait, clock.Now(), err)
			}
		}
		if took := time.Since(real); took != perWait+time.Millisecond {
			t.Errorf("the waits took %v", took)
		}
		clock.Advance(time.Hour)
		begin := clock.Now()

		order := make(chan string, 4)
		var all sync.WaitGroup
		all.Go(func() {
			if err := clock.WaitUntil(t.Context(), begin.Add(7*24*time.Hour)); err != nil {
				t.Error(err)
			}
			order <- "week"
		})
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			if err := clock.Await(ctx, begin.Add(3*24*time.Hour)); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			for day := range 3 {
				if err := clock.WaitUntil(t.Context(), begin.AddDate(0, 0, day+1)); err != nil || !clock.Now().Equal(begin.AddDate(0, 0, day+1)) {
					t.Errorf("day %d: %v, %v", day, clock.Now(), err)
				}
				order <- "day"
			}
		})
		all.Wait()
		for range 3 {
			if next := <-order; next != "day" {
				t.Errorf("the %s has ended before its days", next)
			}
		}
	})
}

// A campaign of weeks on a hasty clock comes to the same end as on one that jumps, and every wait takes real time.
func TestHastyCampaign(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const perWait = 20 * time.Millisecond
		clock := migratetest.NewHastyClock(start(), perWait)
		c := open(t, migratetest.GenerateOptions{Direct: 30, ThingModel: 20, Gateways: 4, SubDevices: 3, OfflineEvery: 9},
			migratetest.Options{Clock: clock, ReportEvery: 29 * time.Minute}) // a week of history is read at a pace, which is waiting
		runner := guideRunner(t, c, clock)
		real := time.Now()
		report, err := runner.Run(t.Context())
		if err != nil || report.Outcome != migrate.OutcomeProven {
			t.Fatalf("the campaign ends %s, %v", report.Outcome, err)
		}
		took, weeks := time.Since(real), report.Latest.Sub(report.Began)
		t.Logf("%v in %v", weeks, took)
		if weeks < 7*24*time.Hour || took < perWait || took > time.Minute {
			t.Errorf("a campaign of %v took %v", weeks, took)
		}
	})
}
