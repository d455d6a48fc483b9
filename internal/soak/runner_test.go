package soak_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

const campaign = "soak"

// A job is what a runner process is told to do.
type job struct {
	Endpoints endpoints
	Plan      string // a file
	Journal   string // a directory
	Owner     string
	Lease     migrate.LeasePolicy
	Poll      time.Duration // zero for so long that no look at the journal comes between
	// StopBefore and StopAfter are numbers of calls of this process, from 1. It says so and stops itself, as by SIGSTOP, when the intent of
	// that call is durable and the call is not made, or when it is made and its outcome is not durable; 0 for never.
	StopBefore, StopAfter int
}

// The exit codes of a runner process.
const (
	exitProven = 0
	exitFailed = 1
	exitFenced = 3
	exitHeld   = 4
)

// runnerMain is the main function of a runner process. It ends when the test does, whatever becomes of that.
func runnerMain(text string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	err := runJob(ctx, text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	switch {
	case err == nil:
		return exitProven
	case errors.Is(err, migrate.ErrFenced):
		return exitFenced
	case errors.Is(err, migrate.ErrHeld):
		return exitHeld
	}
	return exitFailed
}

func runJob(ctx context.Context, text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	plan, err := readPlan(j.Plan)
	if err != nil {
		return err
	}
	client, err := j.Endpoints.client()
	if err != nil {
		return err
	}
	defer client.Close()
	dir, err := journal.Open(j.Journal)
	if err != nil {
		return err
	}
	defer dir.Close()
	clock, err := newClock(ctx, newConsole(j.Endpoints.Console))
	if err != nil {
		return err
	}
	platform := client.Platform()
	platform.Mover = &stoppingMover{Mover: platform.Mover, job: j}
	runner, err := migrate.NewRunner(migrate.Config{
		Campaign: campaign, Plan: plan, Strategies: strategies(), Platform: platform, Journal: dir,
		Operator: operator{clock.console}, Clock: clock, Workers: 1, Poll: cmp.Or(j.Poll, time.Hour), Lease: j.Lease, Owner: j.Owner,
		Approver: migrate.ApproverFunc(func(context.Context, migrate.Gate) (migrate.Decision, error) {
			return migrate.Decision{Kind: migrate.Approve, By: "the soak test"}, nil
		}),
	})
	if err != nil {
		return err
	}
	report, err := runner.Run(ctx)
	if err == nil && report.Outcome != migrate.OutcomeProven {
		err = fmt.Errorf("the campaign ended %s: %+v", report.Outcome, report.Lanes)
	}
	return err
}

func readPlan(name string) (*migrate.Plan, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return migrate.ReadPlan(file)
}

// strategies are the four of the guide, with all proof that needs no server. Nobody reads the messages here, so there is no
// proof of reports and of the subscription.
func strategies() []migrate.Strategy {
	return scenario.All(scenario.Options{
		Pub:          verify.PubConfig{Concurrency: 4},
		Synchronised: verify.Synchronised(verify.SynchronisedConfig{Bound: 0.2, HiddenPasses: true}),
		History:      verify.Sampled(verify.History(verify.HistoryConfig{Span: 7 * 24 * time.Hour}), 2, 1),
		Wrap: func(v migrate.Verifier) migrate.Verifier {
			if v.Name() == "subscription" {
				return nil
			}
			return v
		},
	})
}

// A clock is the simulator's, as a runner process sees it: it runs with real time, and whoever waits puts it forward. It
// never is ahead of the simulator.
type clock struct {
	console console

	mu    sync.Mutex
	ahead time.Duration // of real time
}

func newClock(ctx context.Context, c console) (*clock, error) {
	k := &clock{console: c}
	return k, k.ask(ctx, nil)
}

// ask reads the simulator's time, after it was put forward as body says.
func (k *clock) ask(ctx context.Context, body any) error {
	var answer struct{ Now time.Time }
	if err := k.console.call(ctx, "/clock", body, &answer); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ahead = max(k.ahead, answer.Now.Sub(time.Now().Round(0)))
	return nil
}

func (k *clock) Now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().UTC().Round(0).Add(k.ahead)
}

func (k *clock) WaitUntil(ctx context.Context, t time.Time) error {
	for {
		left := t.Sub(k.Now())
		if left <= 0 || ctx.Err() != nil {
			return ctx.Err()
		}
		if err := k.ask(ctx, map[string]string{"advance": left.String()}); err != nil {
			return err
		}
	}
}

// A stoppingMover stops its process at a call.
type stoppingMover struct {
	iot.Mover
	job   job
	calls int
}

func (m *stoppingMover) Move(ctx context.Context, productKey string, names []string) ([]iot.MoveResult, error) {
	m.calls++
	if m.calls == m.job.StopBefore {
		stopMyself()
	}
	results, err := m.Mover.Move(ctx, productKey, names)
	if m.calls == m.job.StopAfter {
		stopMyself()
	}
	return results, err
}
