// Package town is the customer whose fleet the examples migrate: an account on the platform in memory, with the
// customer's server that reads what devices report, and a clock on which weeks pass in seconds.
//
// A real customer has all of this already. What a program needs of the SDK is in the examples themselves.
package town

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

// A Town is one customer. Make one with [Open] or [OpenFleet].
type Town struct {
	*migratetest.Cloud
	Clock *migratetest.Clock
}

// Begin is when the clock of every town starts, so that examples print the same on every day.
func Begin() time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) }

// Open makes a town from a fleet file. Fault may be nil: see [migratetest.Options]. Errors name the place in
// the file.
func Open(file io.Reader, fault func(migratetest.Op) migratetest.Fault) (*Town, error) {
	clock := migratetest.NewClock(Begin())
	cloud, err := migratetest.Open(file, migratetest.Options{Clock: clock, Fault: fault})
	if err != nil {
		return nil, err
	}
	cloud.Serve("") // the server reads the public instance, as it always has
	return &Town{Cloud: cloud, Clock: clock}, nil
}

// OpenFleet makes a town from a file of package fleets, such as "s1-direct.json".
func OpenFleet(name string) (*Town, error) {
	file, err := fleets.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open fleet file: %w", err)
	}
	defer file.Close()
	return Open(file, nil)
}

// Config returns what every campaign in this town has in common: the town's platform, its clock, an operator who
// performs console tasks at once, and one worker, as the clock jumps.
func (t *Town) Config(campaign string, plan *migrate.Plan, strategies []migrate.Strategy) migrate.Config {
	return migrate.Config{
		Campaign: campaign, Plan: plan, Strategies: strategies,
		Platform: t.Platform(), Operator: t.Operator(), Clock: t.Clock, Workers: 1,
	}
}

// Options tells the four strategies all that they can use of a town. Cloud is the town's.
func Options(cloud *migratetest.Cloud) scenario.Options {
	return scenario.Options{
		Sink:             cloud.Sink(),
		Services:         Services,
		Replies:          Replies(cloud),
		UpdateSubscriber: Update(cloud),
		NewDevice:        PlugIn(cloud),
	}
}

// Update lets the server read the target beside the source. It fits [scenario.Options.UpdateSubscriber].
func Update(cloud *migratetest.Cloud) func(context.Context, *migrate.Env) error {
	return func(_ context.Context, env *migrate.Env) error {
		cloud.Serve(env.Platform.Target.Info.ID)
		return nil
	}
}

// PlugIn is somebody who unpacks a new device and plugs it in. It fits [scenario.Options.NewDevice].
func PlugIn(cloud *migratetest.Cloud) func(context.Context, *migrate.Env, iot.Credential) error {
	return func(_ context.Context, _ *migrate.Env, c iot.Credential) error {
		if c.Secret.Reveal() == "" {
			return nil // an earlier attempt had the secret, and plugged the device in
		}
		return cloud.PowerOn(c)
	}
}

// RunClients starts the clients that the preflight's warning new-amqp-client asks for: where no stage of the strategy
// updates the server, it has to read the target before the campaign begins.
func RunClients(cloud *migratetest.Cloud, plan *migrate.Plan) {
	for _, l := range plan.Lanes {
		if l.Strategy == scenario.NamePreRegistered {
			continue
		}
		for _, p := range l.Lane.Products {
			for _, s := range p.Subscriptions {
				if s.Type == iot.AMQP {
					cloud.Serve(plan.Target.ID)
				}
			}
		}
	}
}
