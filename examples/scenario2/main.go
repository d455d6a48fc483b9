// Scenario2 is page 2 of the platform's migration guide, on the fleet of s2-gateway.json: climate sensors and valves connect
// as sub-devices of hall gateways. A family, which is a gateway with its sub-devices, moves whole or not at
// all, and the topology stays as it is.
//
//	go run ./examples/scenario2
//	go run ./examples/scenario2 -wire    the same over sockets: OpenAPI, AMQP and MQTT through the adapter of the real platform
package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/examples/internal/tutorial"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/topology"
)

func main() { tutorial.Main("scenario2", migrateHalls) }

func migrateHalls(ctx context.Context, w io.Writer, how town.How) (report *migrate.Report, err error) {
	customer, err := town.OpenFleet(ctx, "s2-gateway.json", how)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, customer.Close()) }()

	// Families are of very different sizes, so the options are in devices: the batches become whole families of about
	// so many. In each, sub-devices move and prove themselves before their gateway, by the same steps.
	campaign := tutorial.Campaign{Name: "halls", Town: customer, Strategy: scenario.Gateway(scenario.Options{
		Sink:      customer.Sink(),
		Canaries:  customer.Canaries(),
		FirstGray: 20,
		GrayShare: 0.05,
		Ramp:      topology.Ramp{First: 50, Factor: 2, Max: 400},
	})}
	plan, err := campaign.Plan(ctx, w)
	if err != nil {
		return nil, err
	}

	// While a family's calls are made, part of it is here and part of it there. The plan predicts for how long.
	forecast := plan.Lanes[0].Forecast
	fmt.Fprintf(w, "A family will be split for %v at most, while its calls are made.\n", forecast.SplitMax)

	// Nobody has to take the runner's word for the topology: read it before, and after.
	platform := customer.Platform()
	before, err := town.Relations(ctx, platform.Source.View, plan)
	if err != nil {
		return nil, err
	}
	report, err = campaign.Run(ctx, w, plan)
	if err != nil {
		return report, err
	}
	after, err := town.Relations(ctx, platform.Target.View, plan)
	if err != nil {
		return report, err
	}
	if changes := topology.Diff(before, after); len(changes) > 0 {
		return report, fmt.Errorf("the topology changed in %d places, first at %s", len(changes), changes[0].Sub)
	}
	fmt.Fprintf(w, "  All %d sub-devices are below the gateways that they had before.\n", len(after))
	return report, nil
}
