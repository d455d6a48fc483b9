package iotferry_test

import (
	"context"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

// ferry moves a fleet. A nil clock is real time: it takes days. To resume, keep the plan and run it again.
func ferry(
	ctx context.Context, platform iot.Platform, declared migrate.Declared, strategies []migrate.Strategy,
	journal migrate.Journal, operator migrate.Operator, approver migrate.Approver, clock iot.Clock,
) (*migrate.Report, error) {
	survey, err := migrate.TakeSurvey(ctx, platform.Source.View, platform.Target.View, platform.Account, declared)
	if err != nil {
		return nil, err
	}
	plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
	if err != nil {
		return nil, err
	}
	runner, err := migrate.NewRunner(migrate.Config{
		Campaign: "spring", Plan: plan, Strategies: strategies,
		Platform: platform, Journal: journal, Operator: operator, Approver: approver, Clock: clock,
	})
	if err != nil {
		return nil, err
	}
	return runner.Run(ctx)
}

// The whole way, on the platform in memory and in virtual time.
func Example() {
	file, err := fleets.Open("s1-direct.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	cloud, err := migratetest.Open(file, migratetest.Options{Clock: clock})
	if err != nil {
		fmt.Println(err)
		return
	}
	approver := migrate.ApproverFunc(func(_ context.Context, g migrate.Gate) (migrate.Decision, error) {
		fmt.Printf("%s: %d proven, %d failed\n", g.Stage, g.Proven, g.Failed)
		return migrate.Decision{Kind: migrate.Approve, By: "ann"}, nil
	})
	report, err := ferry(context.Background(), cloud.Platform(), cloud.Declared(),
		scenario.All(scenario.Options{Sink: cloud.Sink()}), journal.NewMemory(), cloud.Operator(), approver, clock)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range report.Lanes {
		fmt.Printf("%s by %s: %d devices, %d proven, %d asleep, %d failed\n",
			l.Lane, l.Strategy, l.Devices, l.Proven, l.Asleep, l.Failed)
	}
	fmt.Println(report.Outcome)
	// Output:
	// confirm-gray: 8 proven, 0 failed
	// rest: 44 proven, 0 failed
	// a1Meter0001 by direct: 500 devices, 348 proven, 152 asleep, 0 failed
	// proven
}
