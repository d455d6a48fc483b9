package subscribe

import (
	"sync"
	"sync/atomic"
	"time"
)

// Stats say what a [Stream] has seen of one group since it was made.
type Stats struct {
	Instance string // the instance's ID; empty for the legacy public one
	Group    string

	Connections int   // that are up now
	Lost        int64 // connections that were up and were lost: each was, or is being, made again

	Received   int64 // deliveries, duplicates among them
	Duplicates int64 // deliveries of a message that had come before
	Handled    int64 // messages that the handler accepted
	Failed     int64 // times that the handler returned an error

	LastReceived time.Time // when the newest delivery came, UTC; zero if none has
	LastError    error     // what the newest connection that was lost or refused ended with
}

// counts are a reader's numbers.
type counts struct {
	received, duplicates, handled, failed atomic.Int64
	newest                                atomic.Int64 // when a delivery came, in ns since 1970

	mu    sync.Mutex
	up    int
	lost  int64
	ended error
}

func (c *counts) arrived() {
	c.received.Add(1)
	c.newest.Store(time.Now().UnixNano())
}

func (c *counts) finished(handled bool) {
	if handled {
		c.handled.Add(1)
	} else {
		c.failed.Add(1)
	}
}

func (c *counts) connected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up++
}

func (c *counts) disconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up--
}

// note remembers what a try to consume ended with, and whether the connection had been up.
func (c *counts) note(err error, up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = err
	if up {
		c.lost++
	}
}

func (r *reader) stats() Stats {
	c := &r.counts
	s := Stats{
		Instance: r.client.config.Instance, Group: r.group,
		Received: c.received.Load(), Duplicates: c.duplicates.Load(), Handled: c.handled.Load(), Failed: c.failed.Load(),
	}
	if at := c.newest.Load(); at != 0 {
		s.LastReceived = time.Unix(0, at).UTC()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Connections, s.Lost, s.LastError = c.up, c.lost, c.ended
	return s
}
