package fake

import (
	"context"
	"sync"
	"time"
)

// A VirtualClock is an [iot.Clock] on which time passes only when somebody waits for it: weeks pass in
// seconds. It is safe for concurrent use. Make one with [NewVirtualClock].
type VirtualClock struct {
	mu    sync.Mutex
	now   time.Time
	moved chan struct{} // closed when the clock moves; nil while nobody awaits that
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
		v.set(t.UTC().Round(0))
	}
	return nil
}

// Await waits until others have set the clock to t or later. Its error is the context's.
func (v *VirtualClock) Await(ctx context.Context, t time.Time) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		moved := v.before(t)
		if moved == nil {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-moved:
		}
	}
}

// before returns what is closed when the clock moves, if it stands before t; else nil.
func (v *VirtualClock) before(t time.Time) <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.now.Before(t) {
		return nil
	}
	if v.moved == nil {
		v.moved = make(chan struct{})
	}
	return v.moved
}

// set moves the clock. The lock is held.
func (v *VirtualClock) set(t time.Time) {
	v.now = t
	if v.moved != nil {
		close(v.moved)
		v.moved = nil
	}
}

// Advance lets d pass; a negative d does nothing.
func (v *VirtualClock) Advance(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.set(v.now.Add(max(d, 0)))
}
