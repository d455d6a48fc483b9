package fake

import (
	"context"
	"sync"
	"time"
)

// A VirtualClock is an [iot.Clock] on which time passes only when somebody waits for it: weeks pass in
// seconds. It is safe for concurrent use. Make one with [NewVirtualClock].
type VirtualClock struct {
	mu  sync.Mutex
	now time.Time
}

// NewVirtualClock returns a clock that stands at start.
func NewVirtualClock(start time.Time) *VirtualClock {
	return &VirtualClock{now: start.UTC().Round(0)}
}

// Now returns the clock's time, in UTC.
func (v *VirtualClock) Now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now
}

// WaitUntil sets the clock to t, unless it is later already, and returns nil. With a done context it
// leaves the clock alone and returns the context's error.
func (v *VirtualClock) WaitUntil(ctx context.Context, t time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if t.After(v.now) {
		v.now = t.UTC().Round(0)
	}
	return nil
}

// Advance lets d pass; a negative d does nothing.
func (v *VirtualClock) Advance(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now = v.now.Add(max(d, 0))
}
