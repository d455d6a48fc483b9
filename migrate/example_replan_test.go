package migrate_test

import (
	"context"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// A campaign was aborted before it moved anything. Since then a thermometer was added and one was deleted: what the new plan holds is told before
// anybody runs it.
func ExamplePlanner_Replan() {
	ctx := context.Background()
	planner := migrate.Planner{Strategies: []migrate.Strategy{grayThenRest()}}
	first, err := planner.Plan(thermometers(20))
	if err != nil {
		fmt.Println(err)
		return
	}
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	campaign := journal.NewMemory() // as a runner leaves it
	abort := migrate.Decision{Kind: migrate.Abort, Lane: "a1Thermo001", By: "the owner"}
	err = campaign.Append(ctx, "spring", 0,
		migrate.Entry{Kind: migrate.EntryCampaign, At: now, Header: &migrate.Header{Version: migrate.JournalVersion, PlanHash: first.Hash()}},
		migrate.Entry{Kind: migrate.EntryDecision, At: now, Decision: &abort},
		migrate.Entry{Kind: migrate.EntryHalt, At: now, Lane: "a1Thermo001", Reason: migrate.HaltAborted})
	if err != nil {
		fmt.Println(err)
		return
	}
	before, err := migrate.Replay(ctx, campaign, "spring", first)
	if err != nil {
		fmt.Println(err)
		return
	}
	survey := thermometers(21) // a new one
	survey.Products[0].Devices = append(survey.Products[0].Devices[:7], survey.Products[0].Devices[8:]...)
	next, changes, err := planner.Replan(before, survey)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range changes {
		fmt.Println(c)
	}
	fmt.Println(next.Lanes[0].Lane.Devices, "devices; it follows the first plan:", next.Follows == first.Hash())
	// Output:
	// family a1Thermo001/thermo-007: a1Thermo001/thermo-007: deleted
	// family a1Thermo001/thermo-020: a1Thermo001/thermo-020: appeared
	// 20 devices; it follows the first plan: true
}
