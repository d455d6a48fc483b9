package iot

import (
	"context"
	"time"
)

// A Clock tells the time and waits. The runner of a campaign and the platform in memory share one, so that an
// example or a simulation can let weeks pass in seconds. Nothing else takes a clock.
type Clock interface {
	// Now returns the current time, in UTC.
	Now() time.Time
	// WaitUntil returns nil when t is reached, at once if it is past, or the context's error.
	WaitUntil(ctx context.Context, t time.Time) error
}

// SystemClock returns the real clock: the default wherever a Clock is asked for.
func SystemClock() Clock { return systemClock{} }

type systemClock struct{}

// longestSleep bounds a single sleep: a timer may stand still while the machine is suspended, the
// wall clock does not.
const longestSleep = time.Hour

// Now returns the wall clock's time without a monotonic part, as stored times have none either.
func (systemClock) Now() time.Time { return time.Now().UTC().Round(0) }

func (c systemClock) WaitUntil(ctx context.Context, t time.Time) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		left := t.Sub(c.Now())
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(min(left, longestSleep))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
