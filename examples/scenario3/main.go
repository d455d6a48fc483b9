// Scenario3 is page 3 of the platform's migration guide, on the fleet of s3-preregistered.json: parcel trackers with a
// certificate per product, registered before, report to the server's AMQP subscription. The server has to be updated, and
// new devices are created directly at the target.
//
//	go run ./examples/scenario3
//	go run ./examples/scenario3 -wire    the same over sockets: OpenAPI, AMQP and MQTT through the adapter of the real platform
package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/examples/internal/tutorial"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
)

func main() { tutorial.Main("scenario3", migrateTrackers) }

func migrateTrackers(ctx context.Context, w io.Writer, how town.How) (report *migrate.Report, err error) {
	customer, err := town.OpenFleet(ctx, "s3-preregistered.json", how)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, customer.Close()) }()
	target := customer.Platform().Target
	created := iot.DeviceID{ProductKey: "a1Tracker01", DeviceName: "tracker-new-1"}

	options := scenario.Options{
		// Where devices are seen to report. Nothing arrives here before the server reads the target's consumer groups.
		Sink: customer.Sink(),

		// Devices of the customer that tell how it is for them, if the platform is on sockets.
		Canaries: customer.Canaries(),

		// How many messages may be on their way to the server when it is seen to keep up.
		MaxBacklog: customer.MaxBacklog(),

		// The platform copies the product's subscription to the target. The server may also have a consumer group
		// of its own there: it is created and subscribed.
		Group: "parcel-server",

		// Between the first gray batch and its proof: deploy the server that reads both instances. Without this
		// function, the stage is a gate, and a person deploys and approves.
		UpdateSubscriber: func(ctx context.Context, env *migrate.Env) error {
			fmt.Fprintln(w, "  The server reads the consumer groups of", env.Platform.Target.Info, "from now on.")
			return town.Update(customer)(ctx, env)
		},

		// From then on, new devices are created at the target. The strategy registers this one; somebody plugs it in;
		// it proves itself by the same verifiers as those that moved.
		NewDeviceName: created.DeviceName,
		NewDevice: func(ctx context.Context, env *migrate.Env, c iot.Credential) error {
			fmt.Fprintln(w, "  Somebody plugs in", c.ID)
			return town.PlugIn(customer)(ctx, env, c)
		},
	}
	campaign := tutorial.Campaign{Name: "trackers", Town: customer, Strategy: scenario.PreRegistered(options)}
	plan, err := campaign.Plan(ctx, w)
	if err != nil {
		return nil, err
	}
	report, err = campaign.Run(ctx, w, plan)
	if err != nil {
		return report, err
	}

	// The new device was never at the source.
	states, err := target.States(ctx, created.ProductKey, []string{created.DeviceName})
	if err != nil {
		return report, err
	}
	for _, s := range states {
		fmt.Fprintf(w, "  New device %s is %s at %s.\n", s.ID, s.Status, target.Info)
	}
	return report, nil
}
