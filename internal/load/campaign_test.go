package load_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/route"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/topology"
	"github.com/iotferry/iotferry/verify"
)

const campaign = "spring"

// A voyage is a campaign in the world, with a journal on disk.
type voyage struct {
	*world
	dir     string
	plan    *migrate.Plan
	runner  *migrate.Runner
	entries chan migrate.Entry // those that a person waits for
	decided chan struct{}      // holds a token when a person has decided
	halted  chan error         // why a lane stopped that should not have
}

// A person returns this wave of the direct devices when the next one begins.
const (
	returnedStage = "rest"
	returnedWave  = 1
)

func newVoyage(w *world) *voyage {
	w.Helper()
	v := &voyage{world: w, dir: filepath.Join(w.TempDir(), "journal"), entries: make(chan migrate.Entry, 1000), decided: make(chan struct{}, 1), halted: make(chan error, 1)}
	strategies := scenario.All(scenario.Options{
		Sink: w.cloud.Sink(), Pub: verify.PubConfig{Concurrency: 16}, Ramp: topology.Ramp{First: max(20, *devices/50)},
	})
	p := w.client.Platform()
	survey, err := migrate.TakeSurvey(w.Context(), p.Source.View, p.Target.View, p.Account, w.cloud.Declared())
	if err != nil {
		w.Fatal(err)
	}
	if v.plan, err = (migrate.Planner{Strategies: strategies}).Plan(survey); err != nil {
		w.Fatal(err)
	}
	v.runner, err = migrate.NewRunner(migrate.Config{
		Campaign: campaign, Plan: v.plan, Strategies: strategies, Platform: p, Journal: v.journal(), Operator: w.cloud.Operator(),
		Clock: w.hasty, Workers: 1, Watch: v.watch,
		Approver: migrate.ApproverFunc(func(context.Context, migrate.Gate) (migrate.Decision, error) {
			return migrate.Decision{Kind: migrate.Approve, By: "ann"}, nil
		}),
	})
	if err != nil {
		w.Fatal(err)
	}
	return v
}

// journal opens the journal as one more process would.
func (v *voyage) journal() *journal.Dir {
	v.Helper()
	dir, err := journal.Open(v.dir)
	if err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() {
		if err := dir.Close(); err != nil {
			v.Error(err)
		}
	})
	return dir
}

func (v *voyage) watch(e migrate.Entry, _ *migrate.State) {
	switch e.Kind {
	case migrate.EntryWave, migrate.EntryHalt:
		v.entries <- e
	}
}

// run runs the campaign to its end. Where it stops, a person decides.
func (v *voyage) run(ctx context.Context) (*migrate.Report, error) {
	for {
		report, err := v.runner.Run(ctx)
		if err != nil || report.Outcome != migrate.OutcomeStopped {
			return report, err
		}
		select {
		case <-v.decided:
		case err := <-v.halted:
			return report, err
		case <-ctx.Done():
			return report, ctx.Err()
		}
	}
}

// person returns one wave of direct devices when a later one moves, and lets the lane go on when they are home.
func (v *voyage) person(ctx context.Context) {
	returned := false
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-v.entries:
			later := e.Kind == migrate.EntryWave && e.Stage == returnedStage && e.Wave > returnedWave
			switch {
			case later && !returned && strings.Contains(e.Lane, migratetest.DirectProduct):
				returned = true
				v.decide(ctx, migrate.Decision{Kind: migrate.Rollback, Lane: e.Lane, Stage: returnedStage, Wave: returnedWave, By: "ann", Note: "a second thought"})
			case e.Kind == migrate.EntryHalt && e.Reason == migrate.HaltReturned:
				v.decide(ctx, migrate.Decision{Kind: migrate.Resume, Lane: e.Lane, By: "ann"})
			case e.Kind == migrate.EntryHalt:
				v.halted <- fmt.Errorf("lane %s halts: %s, %s", e.Lane, e.Reason, e.Note)
				return
			}
		}
	}
}

func (v *voyage) decide(ctx context.Context, d migrate.Decision) {
	if err := v.runner.Decide(ctx, d); err != nil {
		v.Error(err)
		return
	}
	select {
	case v.decided <- struct{}{}:
	default:
	}
}

// follower reads the journal from another process, as a backend does.
func (v *voyage) follower(table *route.Table) *route.Follower {
	v.Helper()
	f, err := route.NewFollower(table, v.journal(), campaign, v.plan)
	if err != nil {
		v.Fatal(err)
	}
	return f
}

// followEvery is how often the backend reads the journal.
const followEvery = time.Second
