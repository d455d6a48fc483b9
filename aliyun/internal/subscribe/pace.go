package subscribe

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstPause   = 10 * time.Millisecond // the platform's own sample begins with it, and doubles
	longestPause = 20 * time.Second      // where the sample stops
	refusedPause = time.Minute           // after a refusal that only a person can change
	healthy      = longestPause          // a connection that has lived for so long ends a back-off
)

// A pace is the back-off of one connection. The zero value is ready to use.
type pace struct{ last time.Duration }

// next returns how long to wait after a failure: the second half of the pause is random, so that connections which were
// lost together do not come back together.
func (p *pace) next() time.Duration {
	p.last = min(max(2*p.last, firstPause), longestPause)
	return p.last/2 + rand.N(p.last/2)
}

func (p *pace) reset() { p.last = 0 }

// maxConnects is the platform's limit of connect requests to a group within a minute.
const maxConnects = 100

// A gate lets maxConnects pass within any minute. The zero value is ready to use; it is safe for concurrent use.
type gate struct {
	mu     sync.Mutex
	passed [maxConnects]time.Time
	oldest int
}

// pass waits until one more may connect. Whoever gives up has used its turn.
func (g *gate) pass(ctx context.Context) error {
	g.mu.Lock()
	at := time.Now()
	if next := g.passed[g.oldest].Add(time.Minute); next.After(at) {
		at = next
	}
	g.passed[g.oldest] = at
	g.oldest = (g.oldest + 1) % maxConnects
	g.mu.Unlock()
	return sleep(ctx, time.Until(at))
}

// sleep waits for d, or until the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
