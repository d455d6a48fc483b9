package migrate_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

// windowed is a campaign in a bubble that waits for 14 days in its middle.
func windowed(t *testing.T) *campaign {
	c := start(t, setup{
		fleet: migratetest.GenerateOptions{ThingModel: 20}, clock: iot.SystemClock(), journal: journal.NewMemory(),
		strategy: func(cloud *migratetest.Cloud) migrate.Strategy {
			return scenario.TSL(scenario.Options{Sink: cloud.Sink(),
				SyncWindow: migrate.Window{Min: 14 * 24 * time.Hour, Max: 30 * 24 * time.Hour}})
		},
	})
	c.config.Poll, c.config.Owner = time.Minute, "replica-1"
	c.newRunner()
	return c
}

// second returns the runner of another process on the same campaign.
func (c *campaign) second(policy migrate.LeasePolicy) *migrate.Runner {
	c.t.Helper()
	config := c.config
	config.Lease, config.Owner = policy, "replica-2"
	runner, err := migrate.NewRunner(config)
	if err != nil {
		c.t.Fatal(err)
	}
	return runner
}

func (c *campaign) entries() []migrate.Entry {
	c.t.Helper()
	var out []migrate.Entry
	for e, err := range c.config.Journal.Entries(c.t.Context(), "c", 0) {
		if err != nil {
			c.t.Fatal(err)
		}
		out = append(out, e)
	}
	return out
}

// A second runner is refused, is told who has the campaign, and has written nothing. A person can decide meanwhile.
func TestSecondRunnerIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := windowed(t)
		var first sync.WaitGroup
		first.Go(func() { c.run() })
		time.Sleep(5 * 24 * time.Hour)
		before := len(c.entries())
		other := c.second(migrate.LeaseRefuse)
		_, err := other.Run(t.Context())
		held, ok := errors.AsType[*migrate.HeldError](err)
		if !ok || !errors.Is(err, migrate.ErrHeld) {
			t.Fatalf("the second runner ended with %v, want ErrHeld", err)
		}
		if held.Holder.Owner != "replica-1" || held.Holder.PID != os.Getpid() || held.Holder.Since.IsZero() {
			t.Errorf("it was told of %+v", held.Holder)
		}
		for _, want := range []string{"replica-1", "process " + strconv.Itoa(os.Getpid()), "LeaseTakeOver"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in: %v", want, err)
			}
		}
		if after := len(c.entries()); after != before {
			t.Errorf("a runner that was refused has written %d entries", after-before)
		}
		if err := other.Decide(t.Context(), migrate.Decision{Kind: migrate.Abort, By: "a person elsewhere"}); err != nil {
			t.Errorf("a decision needs no lease: %v", err)
		}
		first.Wait()
		if _, err := other.Run(t.Context()); err != nil {
			t.Errorf("once the first has ended: %v", err)
		}
	})
}

// A standby takes on when the first run ends, and not before; it can decide and report while it waits.
func TestStandbyTakesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := windowed(t)
		ctx, stop := context.WithCancel(t.Context())
		var runs sync.WaitGroup
		var ended, tookOn time.Time
		runs.Go(func() {
			if _, err := c.runner.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("the first ended with %v", err)
			}
			ended = time.Now()
		})
		time.Sleep(time.Hour)
		c.config.Watch = func(e migrate.Entry, _ *migrate.State) {
			if e.Kind == migrate.EntryRunner {
				tookOn = time.Now()
			}
		}
		standby := c.second(migrate.LeaseWait)
		runs.Go(func() {
			if report, err := standby.Run(t.Context()); err != nil || report.Outcome != migrate.OutcomeProven {
				t.Errorf("the standby ended %s: %v", report.Outcome, err)
			}
		})
		time.Sleep(5 * 24 * time.Hour)
		for _, kind := range []migrate.DecisionKind{migrate.Pause, migrate.Resume} {
			if err := standby.Decide(t.Context(), migrate.Decision{Kind: kind, By: "the standby"}); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
		if got := standby.Report(t.Context()).Outcome; got != migrate.OutcomeRunning {
			t.Errorf("a standby reports %s", got)
		}
		if _, err := standby.Run(t.Context()); !errors.Is(err, migrate.ErrRunning) {
			t.Errorf("a second run of a standby: %v, want ErrRunning", err)
		}
		stop()
		runs.Wait()
		if late := tookOn.Sub(ended); late < 0 || late > 2*c.config.Poll {
			t.Errorf("the standby took on %v after the first had ended", late)
		}
		c.movedOnce()
	})
}

// A standby that is told to end does.
func TestStandbyEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := windowed(t)
		ctx, stop := context.WithTimeout(t.Context(), 24*time.Hour)
		defer stop()
		var first sync.WaitGroup
		first.Go(func() { _, _ = c.runner.Run(ctx) })
		time.Sleep(time.Hour)
		waiting, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := c.second(migrate.LeaseWait).Run(waiting); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		stop()
		first.Wait()
	})
}

// After a take-over the lease is the second runner's: a third is refused by its name, also when the first has ended.
func TestTakeOverHasTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := windowed(t)
		ctx, stop := context.WithCancel(t.Context())
		var runs sync.WaitGroup
		runs.Go(func() {
			if _, err := c.runner.Run(ctx); !errors.Is(err, migrate.ErrFenced) {
				t.Errorf("the first ended with %v, want ErrFenced", err)
			}
		})
		time.Sleep(time.Hour)
		runs.Go(func() { _, _ = c.second(migrate.LeaseTakeOver).Run(ctx) })
		for range 2 {
			time.Sleep(time.Hour)
			_, err := c.second(migrate.LeaseRefuse).Run(t.Context())
			held, ok := errors.AsType[*migrate.HeldError](err)
			if !ok || held.Holder.Owner != "replica-2" {
				t.Errorf("a third runner got %v, want a refusal that names the second", err)
			}
		}
		stop()
		runs.Wait()
	})
}

func TestUnknownLeasePolicy(t *testing.T) {
	c := windowed(t)
	for _, policy := range []migrate.LeasePolicy{-1, 3} {
		c.config.Lease = policy
		if _, err := migrate.NewRunner(c.config); err == nil || !strings.Contains(err.Error(), "Lease") {
			t.Errorf("policy %d: got %v", policy, err)
		}
	}
}
