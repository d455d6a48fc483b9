package chaos

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A bubbleClock is the platform's. It runs with the time of a bubble of package testing/synctest, which passes when all have to wait: calls
// that are under way at once take as long as the longest of them, whichever comes first. And whenever time has passed, the platform does
// all that is due before anybody looks at it. So a seed is the same campaign each time.
type bubbleClock struct {
	ahead atomic.Int64 // of the bubble's time

	mu  sync.Mutex
	due func() // lets the platform do what is due; nil before there is one
}

func newBubbleClock(begin time.Time) *bubbleClock {
	c := &bubbleClock{}
	c.Advance(time.Until(begin))
	return c
}

func (c *bubbleClock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())).UTC() }

// Advance lets time pass at once. Who waits may oversleep.
func (c *bubbleClock) Advance(d time.Duration) {
	c.ahead.Add(int64(d))
	c.settle()
}

// settle returns when the platform has done what is due, also if somebody else has begun to let it.
func (c *bubbleClock) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.due != nil {
		c.due()
	}
}

func (c *bubbleClock) WaitUntil(ctx context.Context, t time.Time) error {
	for left := t.Sub(c.Now()); left > 0; left = t.Sub(c.Now()) {
		if err := iot.SystemClock().WaitUntil(ctx, time.Now().Add(left)); err != nil {
			return err
		}
	}
	c.settle()
	return ctx.Err()
}

// A wall is the clock of the runner's machine: it runs with the platform's, but somebody may set it, also back.
type wall struct {
	platform *bubbleClock
	ahead    atomic.Int64 // of the platform's clock
}

func (w *wall) Now() time.Time { return w.platform.Now().Add(time.Duration(w.ahead.Load())) }

func (w *wall) WaitUntil(ctx context.Context, t time.Time) error {
	return w.platform.WaitUntil(ctx, t.Add(-time.Duration(w.ahead.Load())))
}

// set moves the hands of the runner's clock alone.
func (w *wall) set(ahead time.Duration) { w.ahead.Store(int64(ahead)) }
