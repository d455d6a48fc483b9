// Customstrategy runs a strategy of its own, which is complete in strategy.go, on the fleet of s2-gateway.json: canary
// families first, then an hour of watching, then the rest. Packing devices into calls, pacing, retry, journalling, the limits
// and the way back are the runner's business.
//
//	go run ./examples/customstrategy
package main

import (
	"context"
	"io"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/examples/internal/tutorial"
	"github.com/iotferry/iotferry/migrate"
)

func main() { tutorial.Main("customstrategy", sendCanary) }

func sendCanary(ctx context.Context, w io.Writer, how town.How) (*migrate.Report, error) {
	customer, err := town.OpenFleet(ctx, "s2-gateway.json", how)
	if err != nil {
		return nil, err
	}
	defer customer.Close()
	campaign := tutorial.Campaign{Name: "canary", Town: customer, Strategy: Canary(customer.Sink())}
	plan, err := campaign.Plan(ctx, w)
	if err != nil {
		return nil, err
	}
	return campaign.Run(ctx, w, plan)
}
