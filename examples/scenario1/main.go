// Scenario1 is page 1 of the platform's migration guide, on the fleet of s1-direct.json: 500 water meters with a
// certificate of their own report on custom topics, rules forward their messages, and the server calls Pub.
//
// It spells out everything that a program needs of the SDK: survey, plan, run. All of it happens on the platform in
// memory, in virtual time.
//
//	go run ./examples/scenario1
//	go run ./examples/scenario1 -wire    the same over sockets: OpenAPI, AMQP and MQTT through the adapter of the real platform
package main

import (
	"context"
	"errors"
	"io"

	"github.com/iotferry/iotferry/examples/internal/show"
	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/examples/internal/tutorial"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/scenario"
)

func main() { tutorial.Main("scenario1", migrateMeters) }

func migrateMeters(ctx context.Context, w io.Writer, how town.How) (report *migrate.Report, err error) {
	// The customer: an account with its fleet, its table that rules write to, and a person who works in the web
	// console. With real devices, platform comes from a driver for the real platform.
	customer, err := town.OpenFleet(ctx, "s1-direct.json", how)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, customer.Close()) }()
	platform := customer.Platform()

	// Preflight: look at both instances, and declare what no API shows. Nothing is written. It says at once what is blocked,
	// what to know, and what is left to people.
	preflight, err := migrate.Preflight(ctx, platform.Source.View, platform.Target.View, platform.Account, customer.Declared())
	if err != nil {
		return nil, err
	}
	if err := preflight.WriteText(w); err != nil {
		return nil, err
	}

	// Plan: the strategy says what to do, step by step as the guide does. Where messages arrive is all that it has to
	// be told, so that devices are seen to report; canaries are devices of your own that tell their side of it. The plan is plain data: print it, store it, have it reviewed.
	strategies := []migrate.Strategy{scenario.Direct(scenario.Options{
		Sink: customer.Sink(), Canaries: customer.Canaries(),
	})}
	plan, err := migrate.Planner{Strategies: strategies}.Plan(preflight.Survey)
	if err != nil {
		return nil, err
	}
	show.Plan(w, plan)

	// Run: small gray batches first, each proven by observation before the next one moves. The operator performs what
	// only the console offers, the approver answers gates, and the journal lets a campaign resume after a crash: a
	// real one takes journal.Open(directory).
	runner, err := migrate.NewRunner(migrate.Config{
		Campaign:   "meters",
		Plan:       plan,
		Strategies: strategies,
		Platform:   platform,
		Journal:    journal.NewMemory(),
		Operator:   customer.Operator(),
		Approver:   migrate.ApproverFunc(tutorial.Approve),
		Watch:      (&show.Lines{W: w, Plan: plan}).Watch,

		// Virtual time. Leave both out, and the runner uses real time and works on all lanes at once.
		Clock: customer.Clock, Workers: 1,
	})
	if err != nil {
		return nil, err
	}
	report, err = runner.Run(ctx)

	// The report is made from the journal alone: what was seen, by whom and when.
	show.Report(w, report)
	return report, err
}
