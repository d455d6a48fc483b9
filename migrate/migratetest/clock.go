package migratetest

import (
	"context"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
)

// NewClock returns a clock on which time passes only when somebody waits for it: weeks pass in seconds. Give
// it to the platform and to a runner with one worker.
func NewClock(start time.Time) *Clock { return &Clock{fake.NewVirtualClock(start)} }

// A Clock is an [iot.Clock] that jumps. It is safe for concurrent use. Make one with [NewClock].
type Clock struct{ clock *fake.VirtualClock }

// Now returns the clock's time, in UTC.
func (c *Clock) Now() time.Time { return c.clock.Now() }

// WaitUntil sets the clock to t at once, unless it is later already or ctx is done.
func (c *Clock) WaitUntil(ctx context.Context, t time.Time) error { return c.clock.WaitUntil(ctx, t) }

// Await waits until somebody has set the clock to t or later: it does not set it itself. Its error is the context's.
func (c *Clock) Await(ctx context.Context, t time.Time) error { return c.clock.Await(ctx, t) }

// Advance lets d pass.
func (c *Clock) Advance(d time.Duration) { c.clock.Advance(d) }
