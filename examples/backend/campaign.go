package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/iotferry/iotferry/migrate"
)

// A campaign is run by a goroutine of its own until the service stops.
type campaign struct {
	plan   *migrate.Plan
	runner *migrate.Runner
	log    *slog.Logger
	wake   chan struct{} // holds a token when a person has decided
	done   chan struct{} // closed when the goroutine has ended

	mu  sync.Mutex
	err error // why the last run could not go on
}

// run runs the campaign whenever there is something to do. A run ends when nothing can go on without a person; the
// person's decision begins the next one.
func (c *campaign) run(ctx context.Context) {
	defer close(c.done)
	for ctx.Err() == nil {
		_, err := c.runner.Run(ctx)
		if ctx.Err() == nil {
			c.ended(err)
		}
		select {
		case <-c.wake:
		case <-ctx.Done():
		}
	}
}

func (c *campaign) ended(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
	if err != nil {
		c.log.Error("the campaign cannot go on", "error", err)
	}
}

// decide records a person's decision, and lets the campaign follow it.
func (c *campaign) decide(ctx context.Context, d migrate.Decision) error {
	if err := c.runner.Decide(ctx, d); err != nil {
		return err
	}
	select {
	case c.wake <- struct{}{}:
	default: // there is a token already
	}
	return nil
}

// A status is what a campaign's page tells.
type status struct {
	*migrate.Report
	Error string `json:"error,omitempty"` // why the campaign cannot go on, although no lane has halted
}

func (c *campaign) status(ctx context.Context) status {
	s := status{Report: c.runner.Report(ctx)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		s.Error = c.err.Error()
	}
	return s
}
