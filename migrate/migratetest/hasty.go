package migratetest

import (
	"context"
	"time"

	"github.com/iotferry/iotferry/internal/fake/sim"
)

// NewHastyClock returns a clock that shows start now. A perWait of 10 to 50 milliseconds suits programs that talk to each
// other over sockets of one machine; with 0, or less, no wait is cut short.
func NewHastyClock(start time.Time, perWait time.Duration) *HastyClock {
	return &HastyClock{sim.NewClock(start, perWait)}
}

// A HastyClock is an [iot.Clock] for real programs: it runs with real time, so that connections and answers get the
// milliseconds that they need, but makes waits short, so that a campaign of weeks ends in seconds. It is safe for
// concurrent use. Make one with [NewHastyClock].
//
// A wait takes at most perWait of real time; then the clock jumps to its end. Of several waits the one that ends first
// is cut short, and the clock never jumps over another. A wait under way has perWait again whenever another one ends: who
// was woken has that long to begin its next wait. So if the parts of a program wait in turn, or do between two waits
// what takes less than perWait, they see the same as by a real clock. A part that works longer while another waits for
// days finds that the days have passed: as with [Clock], give a runner one worker.
//
// Within perWait real time an answer has to come that somebody waits for by this clock: that of a device that a client
// brings to a [Wire], for one.
type HastyClock struct{ clock *sim.Clock }

// Now returns the clock's time, in UTC.
func (c *HastyClock) Now() time.Time { return c.clock.Now() }

// WaitUntil returns nil when t is reached, at once if it is past, or the context's error.
func (c *HastyClock) WaitUntil(ctx context.Context, t time.Time) error {
	return c.clock.WaitUntil(ctx, t)
}

// Await is WaitUntil for those who only want to know when t is reached: the clock does not jump to t for them.
func (c *HastyClock) Await(ctx context.Context, t time.Time) error { return c.clock.Await(ctx, t) }

// Advance lets d pass at once.
func (c *HastyClock) Advance(d time.Duration) { c.clock.Advance(d) }
