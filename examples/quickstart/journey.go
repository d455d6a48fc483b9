package main

import (
	"context"
	"fmt"
	"io"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/topology"
)

func demo() io.Reader { return fleets.Demo() }

// A journey is a campaign that is ready to start.
type journey struct {
	town       *town.Town
	preflight  *migrate.PreflightReport
	strategies []migrate.Strategy
	plan       *migrate.Plan
}

// prepare reads the fleet file, surveys the platform and makes the plan. Its errors name the place.
func prepare(ctx context.Context, name string, how town.How) (_ *journey, err error) {
	file, err := openFleet(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	t, err := town.Open(ctx, file, how)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	survey, err := t.Survey(ctx)
	if err != nil {
		return nil, err
	}
	preflight, err := survey.Preflight()
	if err != nil {
		return nil, err
	}
	options := town.Options(t)
	options.Canaries, options.MaxBacklog = t.Canaries(), t.MaxBacklog()
	strategies := scenario.All(options)
	plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
	if err != nil {
		return nil, err
	}
	return &journey{town: t, preflight: preflight, strategies: strategies, plan: plan}, nil
}

// mayStart returns an error that says where the fleet file forbids the campaign as a whole.
func (j *journey) mayStart() error {
	blocked := j.plan.Blocked()
	if len(blocked) == 0 {
		return nil
	}
	first := blocked[0]
	return fmt.Errorf("%s: %s %s: %s %s", j.town.Place(first), first.Instance, first.Code, first.Why, first.Remedy)
}

// run runs the campaign to its end, and compares the topology at the target with what it was at the source.
func (j *journey) run(ctx context.Context, approver migrate.Approver, watch func(migrate.Entry, *migrate.State)) (*result, error) {
	platform := j.town.Platform()
	before, err := town.Relations(ctx, platform.Source.View, j.plan)
	if err != nil {
		return nil, err
	}
	town.RunClients(j.town, j.plan)
	config := j.town.Config("quickstart", j.plan, j.strategies)
	config.Journal, config.Approver, config.Watch = journal.NewMemory(), approver, watch
	runner, err := migrate.NewRunner(config)
	if err != nil {
		return nil, err
	}
	r := &result{Preflight: preflightOf(j.plan), PlanHash: j.plan.Hash()}
	if r.Report, err = runner.Run(ctx); err != nil {
		return r, err
	}
	if r.Topology, err = j.compare(ctx, before); err != nil {
		return r, err
	}
	r.Proven = r.Report.Outcome == migrate.OutcomeProven && len(r.Topology.Changes) == 0
	return r, nil
}

// compare reads the topology of every gateway where it is now: at the target, or at the source if it was not moved.
func (j *journey) compare(ctx context.Context, before []topology.Relation) (*comparison, error) {
	platform := j.town.Platform()
	target, err := town.Relations(ctx, platform.Target.View, j.plan)
	if err != nil {
		return nil, err
	}
	source, err := town.Relations(ctx, platform.Source.View, j.plan)
	if err != nil {
		return nil, err
	}
	changes := topology.Diff(before, append(target, source...))
	return &comparison{Before: len(before), Target: len(target), Source: len(source), Changes: append([]topology.Change{}, changes...)}, nil
}
