package migratetest_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/verify"
)

// A strategy of one's own runs on the platform in memory: forty devices change their instance in a moment.
func Example() {
	clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	fleet := migratetest.Generate(migratetest.GenerateOptions{Direct: 40})
	cloud, err := migratetest.Open(bytes.NewReader(fleet), migratetest.Options{Clock: clock})
	if err != nil {
		panic(err)
	}
	online := []migrate.Verifier{verify.Online(verify.OnlineConfig{})}
	strategies := []migrate.Strategy{migrate.NewStrategy("mine",
		func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true, Why: "it fits all"} },
		func(migrate.Lane) ([]migrate.Stage, error) {
			return []migrate.Stage{
				{Name: "create", Console: migrate.ConsoleCreate},
				{Name: "first", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 5}, Verify: online},
				{Name: "confirm", Console: migrate.ConsoleConfirm},
				{Name: "rest", Move: &migrate.Move{Rest: true}, Verify: online},
			}, nil
		})}
	ctx := context.Background()
	survey, err := cloud.Survey(ctx)
	if err != nil {
		panic(err)
	}
	plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
	if err != nil {
		panic(err)
	}
	runner, err := migrate.NewRunner(migrate.Config{
		Campaign: "spring", Plan: plan, Strategies: strategies, Platform: cloud.Platform(), Operator: cloud.Operator(),
		Journal: journal.NewMemory(), Clock: clock, Workers: 1,
	})
	if err != nil {
		panic(err)
	}
	report, err := runner.Run(ctx)
	fmt.Println(report.Outcome, report.Lanes[0].Proven, err)

	atTarget := 0
	for id := range cloud.Devices() {
		if owner, _ := cloud.Owner(id); owner == plan.Target.ID && cloud.Online(id) && cloud.MovedTimes(id) == 1 {
			atTarget++
		}
	}
	fmt.Println(atTarget, "devices are at the target")
	for _, c := range cloud.Calls() {
		if c.Name == "BatchGrayMigrationDevice" {
			fmt.Println(c.Calls, "calls,", c.Throttled, "throttled")
		}
	}
	// Output:
	// proven 40 <nil>
	// 40 devices are at the target
	// 4 calls, 0 throttled
}
