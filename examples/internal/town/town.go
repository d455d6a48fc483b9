// Package town is the customer whose fleet the examples migrate: an account on the platform in memory, or on sockets in front
// of it, with the customer's server that reads what devices report, and a clock on which weeks pass in seconds.
//
// A real customer has all of this already. What a program needs of the SDK is in the examples themselves.
package town

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

// A Customer is what the functions here need to know of somebody's account: a [Town], or a [migratetest.Cloud] itself.
type Customer interface {
	Platform() iot.Platform
	Sink() verify.Sink
	Serve(instanceID string)
	PowerOn(iot.Credential) error
}

// How says how a town reaches the platform. The zero value is in memory, with the documented quotas.
type How struct {
	// Wire puts the platform on sockets of this machine. Everything that the platform has a protocol for goes over them then:
	// OpenAPI and AMQP through the adapter of the real platform, and, for each product, MQTT by a canary device.
	Wire bool
	// NoQuotas lets every call through.
	NoQuotas bool
	// Fault lets things go wrong: see [migratetest.Options]. Nil is none.
	Fault func(migratetest.Op) migratetest.Fault
}

// Flags lets a command line say how.
func (h *How) Flags(set *flag.FlagSet) {
	set.BoolVar(&h.Wire, "wire", false, "put the platform on sockets of this machine, and reach it by the real adapter over HTTPS, AMQP and MQTT")
	set.BoolVar(&h.NoQuotas, "noquota", false, "let every call through; else the documented quotas count")
}

// A Town is one customer. Make one with [Open] or [OpenFleet], and Close it.
type Town struct {
	*migratetest.Cloud
	Clock iot.Clock
	wire  *wire // nil in memory
}

// Begin is when the clock of every town starts, so that examples print the same on every day.
func Begin() time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) }

// Open makes a town from a fleet file. Errors name the place in the file.
func Open(ctx context.Context, file io.Reader, how How) (*Town, error) {
	t := &Town{Clock: migratetest.NewClock(Begin())}
	if how.Wire {
		t.Clock = migratetest.NewHastyClock(Begin(), perWait)
	}
	var err error
	t.Cloud, err = migratetest.Open(file, migratetest.Options{Clock: t.Clock, Fault: how.Fault, NoQuotas: how.NoQuotas})
	if err != nil {
		return nil, err
	}
	if how.Wire {
		if t.wire, err = connect(ctx, t.Cloud, t.Clock, how); err != nil {
			return nil, err
		}
		t.Clock = patientClock{t.Clock, t.wire.canaries}
	}
	t.Serve("") // the server reads the public instance, as it always has
	return t, nil
}

// OpenFleet makes a town from a file of package fleets, such as "s1-direct.json".
func OpenFleet(ctx context.Context, name string, how How) (*Town, error) {
	file, err := fleets.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open fleet file: %w", err)
	}
	defer file.Close()
	return Open(ctx, file, how)
}

// Close ends all connections. In memory there are none.
func (t *Town) Close() error {
	if t.wire == nil {
		return nil
	}
	return t.wire.close()
}

// Platform returns the account as a campaign works on it.
func (t *Town) Platform() iot.Platform {
	if t.wire == nil {
		return t.Cloud.Platform()
	}
	return t.wire.client.Platform()
}

// Survey looks at both instances, with all that the fleet file declares.
func (t *Town) Survey(ctx context.Context) (*migrate.Survey, error) {
	p := t.Platform()
	return migrate.TakeSurvey(ctx, p.Source.View, p.Target.View, p.Account, t.Declared())
}

// Serve lets the customer's server read the consumer groups of an instance from now on; the empty ID is the public one.
func (t *Town) Serve(instanceID string) {
	if t.wire == nil {
		t.Cloud.Serve(instanceID)
		return
	}
	t.wire.server.serve(instanceID)
}

// Sink returns where the messages of the target arrive: in the customer's tables, which rules write to, and at the
// customer's server, which reads consumer groups.
func (t *Town) Sink() verify.Sink {
	if t.wire == nil {
		return t.Cloud.Sink()
	}
	return verify.Sinks(t.Cloud.Sink(), t.wire.server)
}

// MaxBacklog is how many messages may wait in a consumer group that is read: over sockets some are always on their way, and
// as many as a fleet sends between two moments at which the campaign's clock stands still.
func (t *Town) MaxBacklog() int {
	if t.wire == nil {
		return 0
	}
	return 1000
}

// Canaries returns the customer's own devices that tell how the migration is for them; in memory there are none.
func (t *Town) Canaries() []verify.CanaryDevice {
	if t.wire == nil {
		return nil
	}
	return t.wire.canaries.devices()
}

// Config returns what every campaign in this town has in common: the town's platform, its clock, an operator who
// performs console tasks at once, and one worker, as the clock jumps.
func (t *Town) Config(campaign string, plan *migrate.Plan, strategies []migrate.Strategy) migrate.Config {
	return migrate.Config{
		Campaign: campaign, Plan: plan, Strategies: strategies,
		Platform: t.Platform(), Operator: t.Operator(), Clock: t.Clock, Workers: 1,
	}
}

// Options tells the four strategies all that they can use of a customer.
func Options(cloud Customer) scenario.Options {
	return scenario.Options{
		Sink:             cloud.Sink(),
		Services:         Services,
		Replies:          Replies(cloud),
		UpdateSubscriber: Update(cloud),
		NewDevice:        PlugIn(cloud),
		Synchronised:     Synchronised(),
	}
}

// Synchronised compares a small sample of the history, so that the examples are quick: a few hours of a few devices at the end of the
// window, weekly before. With a confidence of 0.95, less than a half of all devices lack rows then. A campaign of your own leaves
// [scenario.Options.Synchronised] nil.
func Synchronised() migrate.Condition {
	return verify.Synchronised(verify.SynchronisedConfig{
		AlwaysSample: true, Bound: 0.5, Span: 2 * time.Hour, Every: 7 * 24 * time.Hour, HiddenPasses: true,
	})
}

// Update lets the server read the target beside the source. It fits [scenario.Options.UpdateSubscriber].
func Update(cloud Customer) func(context.Context, *migrate.Env) error {
	return func(_ context.Context, env *migrate.Env) error {
		cloud.Serve(env.Platform.Target.Info.ID)
		return nil
	}
}

// PlugIn is somebody who unpacks a new device and plugs it in. It fits [scenario.Options.NewDevice].
func PlugIn(cloud Customer) func(context.Context, *migrate.Env, iot.Credential) error {
	return func(_ context.Context, _ *migrate.Env, c iot.Credential) error {
		if c.Secret.Reveal() == "" {
			return nil // an earlier attempt had the secret, and plugged the device in
		}
		return cloud.PowerOn(c)
	}
}

// RunClients starts the clients that the preflight's warning new-amqp-client asks for: where no stage of the strategy
// updates the server, it has to read the target before the campaign begins.
func RunClients(cloud Customer, plan *migrate.Plan) {
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
