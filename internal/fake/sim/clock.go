package sim

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Clock is an [iot.Clock] that runs with real time, can be put forward, and, if it was made with a patience, skips
// waits. It never goes back. It is safe for concurrent use. The zero value shows real time and skips nothing.
type Clock struct {
	patience time.Duration // 0: no wait is skipped

	mu      sync.Mutex
	ahead   time.Duration // of real time
	waits   []*wait       // under way, oldest first
	ended   time.Time     // real time when a wait last ended, or time was put forward
	changed chan struct{} // closed when any of it changes; nil while nobody listens
}

// A wait is one call of WaitUntil.
type wait struct {
	until time.Time
	since time.Time // real time
}

// longestSleep bounds a single sleep: a timer may stand still while the machine is suspended, the wall clock does not.
const longestSleep = time.Hour

// NewClock returns a clock that shows start now, or real time if start is zero. With a patience, the wait that ends
// first is skipped, by putting the clock forward to its end, once that much real time has passed since it began and since
// any other wait ended. So no wait takes much longer than patience, unless others keep ending before it; time never
// jumps over a wait; and whoever was woken has that much real time to begin its next wait. A patience of 0 skips nothing.
func NewClock(start time.Time, patience time.Duration) *Clock {
	c := &Clock{patience: max(patience, 0)}
	if !start.IsZero() {
		c.ahead = start.Sub(wallTime())
	}
	return c
}

// Now returns the clock's time, in UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time { return wallTime().Add(c.ahead) }

// wallTime has no monotonic part, as stored times have none either.
func wallTime() time.Time { return time.Now().UTC().Round(0) }

// Advance puts the clock forward by d; a negative d does nothing. Who waits for a time that is thereby reached goes on at
// once.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forward(max(d, 0))
}

func (c *Clock) forward(d time.Duration) {
	c.ahead += d
	c.ended = time.Now()
	c.change()
}

// WaitUntil returns nil when t is reached, at once if it is past, or the context's error.
func (c *Clock) WaitUntil(ctx context.Context, t time.Time) error {
	w := c.enter(t)
	defer c.leave(w)
	return c.sleep(ctx, w)
}

// Await is WaitUntil for those who only want to know when t is reached: it does not let time be skipped, nor keep it from
// being skipped, and can be late by what was skipped.
func (c *Clock) Await(ctx context.Context, t time.Time) error { return c.sleep(ctx, &wait{until: t}) }

func (c *Clock) sleep(ctx context.Context, w *wait) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		left, changed := c.look(w)
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(left)
		select {
		case <-ctx.Done():
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (c *Clock) enter(t time.Time) *wait {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &wait{until: t, since: time.Now()}
	c.waits = append(c.waits, w)
	return w
}

func (c *Clock) leave(w *wait) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = slices.DeleteFunc(c.waits, func(other *wait) bool { return other == w })
	c.ended = time.Now()
	c.change()
}

// change wakes all who wait, to look again.
func (c *Clock) change() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}

// look returns how long a wait has to sleep before it looks again, unless something changes before; 0 if its time has
// come.
func (c *Clock) look(w *wait) (left time.Duration, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left = w.until.Sub(c.now())
	if c.patience > 0 && left > 0 && c.first() == w {
		since := w.since
		if c.ended.After(since) {
			since = c.ended
		}
		patience := c.patience - time.Since(since)
		if patience <= 0 {
			c.forward(left)
			return 0, nil
		}
		left = min(left, patience)
	}
	if c.changed == nil {
		c.changed = make(chan struct{})
	}
	return min(left, longestSleep), c.changed
}

// first returns the wait that ends first, the oldest if there are several; nil if there is none.
func (c *Clock) first() *wait {
	if len(c.waits) == 0 {
		return nil
	}
	return slices.MinFunc(c.waits, func(a, b *wait) int { return a.until.Compare(b.until) })
}
