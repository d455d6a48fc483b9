// Scenario4 is page 4 of the platform's migration guide, on the fleet of s4-tsl.json: battery cabinets with a thing model
// report properties and events, the server invokes services, and data synchronisation takes the history of 7 to 30
// days along. On the virtual clock the days pass at once.
//
//	go run ./examples/scenario4
//	go run ./examples/scenario4 -wire    the same over sockets: OpenAPI, AMQP and MQTT through the adapter of the real platform
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/examples/internal/tutorial"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

func main() { tutorial.Main("scenario4", migrateCabinets) }

func migrateCabinets(ctx context.Context, w io.Writer, how town.How) (report *migrate.Report, err error) {
	customer, err := town.OpenFleet(ctx, "s4-tsl.json", how)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, customer.Close()) }()
	const day = 24 * time.Hour

	options := scenario.Options{
		// Property and event posts are seen where the target's rules send them.
		Sink: customer.Sink(),

		// Devices of the customer that tell how it is for them, if the platform is on sockets.
		Canaries: customer.Canaries(),

		// Which services may be called on a device in the field is its owner's decision. These are harmless: a
		// quick self-test, which answers at once, and clearing the alarms, which answers later by a message.
		Services: func(string, json.RawMessage) ([]verify.Invocation, error) {
			return []verify.Invocation{
				{Service: "SelfTest", Args: json.RawMessage(`{"Depth":0}`)},
				{Service: "ClearAlarms", Async: true},
			}, nil
		},

		// No rule forwards the answers to asynchronous services. The server has a consumer group for them.
		Replies: town.Replies(customer),

		// Whether history is copied is seen in a small sample here, which is quick.
		Synchronised: town.Synchronised(),

		// How long data are synchronised before the rest moves. The guide allows 7 to 30 days.
		SyncWindow: migrate.Window{Min: 14 * day, Max: 30 * day},
	}
	campaign := tutorial.Campaign{Name: "cabinets", Town: customer, Strategy: scenario.TSL(options)}
	plan, err := campaign.Plan(ctx, w)
	if err != nil {
		return nil, err
	}

	// A process need not live through the wait: its end is in the journal, and running the plan again resumes.
	began := time.Now()
	report, err = campaign.Run(ctx, w, plan)
	if err != nil {
		return report, err
	}
	fmt.Fprintf(w, "  %.0f days of the campaign took %.1f s.\n", report.Latest.Sub(report.Began).Hours()/24, time.Since(began).Seconds())
	return report, nil
}
