package iot_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
)

func TestSystemClockTellsPlainUTC(t *testing.T) {
	before := time.Now()
	got := iot.SystemClock().Now()
	if got.Before(before.Round(0)) || got.After(time.Now().Round(0)) {
		t.Errorf("got %v, and began at %v", got, before)
	}
	if got != got.UTC().Round(0) { // unlike Equal, != sees a location and a monotonic part
		t.Errorf("got %#v, want UTC without a monotonic part", got)
	}
}

func TestSystemClockWaits(t *testing.T) {
	for name, wait := range map[string]time.Duration{
		"past": -time.Hour, "now": 0, "a moment": time.Millisecond, "an hour": time.Hour,
		"thirty days and a bit": 30*24*time.Hour + time.Nanosecond,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				clock := iot.SystemClock()
				begin := clock.Now()
				if err := clock.WaitUntil(t.Context(), begin.Add(wait)); err != nil {
					t.Fatal(err)
				}
				if got, want := clock.Now().Sub(begin), max(0, wait); got != want {
					t.Errorf("waited %v, want %v", got, want)
				}
			})
		})
	}
}

// A timer stands still while a machine is suspended: the clock has to look at the wall clock now and then.
func TestSystemClockLooksEveryHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := iot.SystemClock()
		begin := clock.Now()
		ctx := &watched{Context: t.Context()}
		if err := clock.WaitUntil(ctx, begin.Add(150*time.Minute)); err != nil {
			t.Fatal(err)
		}
		var looks []time.Duration
		for _, at := range ctx.looks {
			looks = append(looks, at.Sub(begin))
		}
		want := []time.Duration{0, time.Hour, 2 * time.Hour, 150 * time.Minute}
		if diff := cmp.Diff(want, looks); diff != "" {
			t.Errorf("looks (-want +got):\n%s", diff)
		}
	})
}

// watched notes when it is asked whether it is done.
type watched struct {
	context.Context
	looks []time.Time
}

func (c *watched) Err() error {
	c.looks = append(c.looks, time.Now())
	return c.Context.Err()
}

func TestSystemClockObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := iot.SystemClock()
		begin := clock.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancel()
		err := clock.WaitUntil(ctx, begin.Add(30*24*time.Hour))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if got := clock.Now().Sub(begin); got != 90*time.Minute {
			t.Errorf("returned after %v", got)
		}
		if err := clock.WaitUntil(ctx, begin); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("done before the call: got %v, want the context's error", err)
		}
	})
}
