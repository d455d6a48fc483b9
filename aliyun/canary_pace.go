package aliyun

import (
	"context"
	"math/rand/v2"
	"time"
)

// The pace of connecting. The platform refuses a device's sixth attempt within a minute: the canary keeps one below that,
// as attempts are counted where they arrive.
const (
	connectsPerMinute = 4
	shortestPause     = time.Second
	longestPause      = 5 * time.Minute
	steadyAfter       = time.Minute // a connection that lasted this long was a good one
)

// A canaryPace says when to connect again: at once after a good connection, and the later the more often it failed or did
// not last. So two clients with the same certificate, which throw each other out, do not fight. It
// belongs to one goroutine.
type canaryPace struct {
	recent   [connectsPerMinute]time.Time // when the last attempts were made, a ring
	next     int
	failures int // in a row
	after    time.Time
}

// wait returns nil when the next attempt is due, and counts it, or the context's error.
func (p *canaryPace) wait(ctx context.Context) error {
	due := p.after
	if oldest := p.recent[p.next]; !oldest.IsZero() && oldest.Add(time.Minute).After(due) {
		due = oldest.Add(time.Minute)
	}
	if err := sleepFor(ctx, time.Until(due)); err != nil {
		return err
	}
	p.recent[p.next] = time.Now()
	p.next = (p.next + 1) % len(p.recent)
	return nil
}

// ended tells how long the connection lasted that an attempt came to, zero for none.
func (p *canaryPace) ended(lasted time.Duration) {
	if lasted >= steadyAfter {
		p.failures = 0
	}
	p.after = time.Now().Add(canaryPause(p.failures))
	p.failures++
}

// canaryPause returns how long to wait after so many failures: each time twice as long, and not always the same.
func canaryPause(failures int) time.Duration {
	d := longestPause
	if failures < 16 {
		d = min(longestPause, shortestPause<<failures)
	}
	return d/2 + rand.N(d/2)
}

// sleepFor returns nil after d, or the context's error as soon as it is done.
func sleepFor(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
