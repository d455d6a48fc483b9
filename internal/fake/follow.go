package fake

import (
	"context"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// Follow lets the events of time happen when they are due, until the context is done, whose error it returns. Without it
// they happen when somebody asks the Cloud for something; clients that only listen need it, as a full migration
// cuts them off in its own time. It starts no goroutine.
//
// It never moves a [VirtualClock] forward: of a clock with a method Await(ctx, t) it waits for t by that, and by
// WaitUntil of any other. At most one call may run at a time: the error of a second one is [iot.Conflict].
func (c *Cloud) Follow(ctx context.Context) error {
	if !c.beginFollowing() {
		return &iot.Error{Kind: iot.Conflict, Op: "Follow", Message: "another call follows already"}
	}
	defer c.endFollowing()
	for ctx.Err() == nil {
		until, changed := context.WithCancel(ctx)
		next, ok := c.nextEvent(changed)
		if ok {
			_ = c.arrive(until, next) // its error is that something has changed, or the end: both are looked at here
		} else {
			<-until.Done()
		}
		changed()
	}
	return ctx.Err()
}

func (c *Cloud) beginFollowing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	free := c.wake == nil
	if free {
		c.wake = func() {}
	}
	return free
}

func (c *Cloud) endFollowing() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wake = nil
}

// nextEvent lets happen what is due, and returns when the next event is; false if there is none, or while the hook decides
// about one. Changed is called when the answer changes.
func (c *Cloud) nextEvent(changed func()) (stamp, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance()
	c.wake = changed
	if c.asking || len(c.events) == 0 {
		return 0, false
	}
	return c.events[0].at, true
}

// wakeFollower tells Follow that another event is the next. The lock is held.
func (c *Cloud) wakeFollower() {
	if c.wake != nil {
		c.wake()
	}
}

// arrive waits for a time without pushing a clock that only moves when somebody waits.
func (c *Cloud) arrive(ctx context.Context, at stamp) error {
	if passive, ok := c.clock.(interface {
		Await(context.Context, time.Time) error
	}); ok {
		return passive.Await(ctx, timeOf(at))
	}
	return c.clock.WaitUntil(ctx, timeOf(at))
}
