// Package tutorial holds what the example programs of single strategies share: how they end, and the campaign that
// package main of scenario1 spells out.
package tutorial

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/iotferry/iotferry/examples/internal/show"
	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// A Story is an example program: it migrates a fleet and tells w about it.
type Story func(ctx context.Context, w io.Writer, how town.How) (*migrate.Report, error)

// Main runs a story until it ends or somebody presses ctrl-C, and exits.
func Main(name string, tell Story) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := Run(ctx, name, os.Args[1:], tell, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run runs a story and returns its exit code: 0 if everything eligible is proven; 1 if the campaign stopped or something
// could not be proven; 2 for bad input or a campaign that may not start.
func Run(ctx context.Context, name string, args []string, tell Story, stdout, stderr io.Writer) int {
	var how town.How
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	how.Flags(set)
	err := Parse(set, args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var report *migrate.Report
	if err == nil {
		report, err = tell(ctx, stdout, how)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %s\n", name, show.Text(err.Error()))
	}
	_, blocked := errors.AsType[*migrate.BlockedError](err)
	switch {
	case blocked, errors.Is(err, iot.Invalid):
		return 2
	case err != nil, report.Outcome != migrate.OutcomeProven:
		return 1
	}
	return 0
}

// Parse reads the command line of an example that takes flags alone, and prints what they are if it is asked to. Its errors are
// [flag.ErrHelp] and [iot.Invalid].
func Parse(set *flag.FlagSet, args []string, stdout io.Writer) error {
	set.SetOutput(io.Discard)
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		set.SetOutput(stdout)
		set.Usage()
	case err != nil:
		return &iot.Error{Kind: iot.Invalid, Message: err.Error() + ": -h lists the flags"}
	case set.NArg() > 0:
		return &iot.Error{Kind: iot.Invalid, Message: fmt.Sprintf("unexpected argument %q: -h lists the flags", set.Arg(0))}
	}
	return err
}

// Approve is a person who approves every gate.
func Approve(context.Context, migrate.Gate) (migrate.Decision, error) {
	return migrate.Decision{Kind: migrate.Approve, By: "the example"}, nil
}

// A Campaign is one lane's journey, as scenario1 spells it out.
type Campaign struct {
	Name     string
	Town     *town.Town
	Strategy migrate.Strategy
}

// Plan surveys the town, makes the plan and prints it.
func (c Campaign) Plan(ctx context.Context, w io.Writer) (*migrate.Plan, error) {
	survey, err := c.Town.Survey(ctx)
	if err != nil {
		return nil, err
	}
	preflight, err := survey.Preflight()
	if err != nil {
		return nil, err
	}
	plan, err := migrate.Planner{Strategies: []migrate.Strategy{c.Strategy}}.Plan(survey)
	if err != nil {
		return nil, err
	}
	if err := preflight.WriteText(w); err != nil {
		return nil, err
	}
	show.Plan(w, plan)
	return plan, nil
}

// Run runs the plan, and prints what happens and the report.
func (c Campaign) Run(ctx context.Context, w io.Writer, plan *migrate.Plan) (*migrate.Report, error) {
	config := c.Town.Config(c.Name, plan, []migrate.Strategy{c.Strategy})
	config.Journal = journal.NewMemory()
	config.Approver = migrate.ApproverFunc(Approve)
	config.Watch = (&show.Lines{W: w, Plan: plan}).Watch
	runner, err := migrate.NewRunner(config)
	if err != nil {
		return nil, err
	}
	report, err := runner.Run(ctx)
	show.Report(w, report)
	return report, err
}
