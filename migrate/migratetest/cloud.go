package migratetest

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/quota"
)

// Options of a [Cloud]. The zero value is ready to use.
type Options struct {
	// Clock is the platform's clock; nil means real time. Share it with the runner.
	Clock iot.Clock
	// NoQuotas lets every call through. Otherwise the documented quotas count, and the platform's driver
	// keeps them.
	NoQuotas bool
	// Fault is asked before every operation; nil means none. See [Op].
	Fault func(Op) Fault
	// Command is told of every command that the platform takes, and of every one that a device receives; nil is nobody. It is
	// called at that moment, by one goroutine at a time, and must neither block nor use the Cloud.
	Command func(CommandStep)
	// TicketGranted lets the platform route Pub and InvokeThingService without an instance ID to the instance
	// that has the device.
	TicketGranted bool
	// ReportEvery is how often a device reports its properties; it reports each event a tenth as often. Zero means every minute. What
	// reads weeks of history is quicker where there is less of it.
	ReportEvery time.Duration
	// SplitTopology lets each instance show a relation between a gateway and a sub-device as long as it has the device that is asked about,
	// also if the other one lives elsewhere. Otherwise it is shown where both are. The platform does not say which.
	SplitTopology bool
}

// A Cloud is the platform in memory: one account with its public and its Enterprise instance, its console,
// its quotas and its devices, which report, answer and reconnect by themselves. It starts no goroutine
// and is safe for concurrent use. Make one with [Open]; [Cloud.Listen] puts it on sockets.
type Cloud struct {
	cloud    *fake.Cloud
	fleet    *fleet.Fleet
	platform iot.Platform
	server   *server
	options  Options
}

// Open makes a platform from a fleet file: see fleets/FORMAT.md. Its errors name the place in the file.
func Open(file io.Reader, o Options) (*Cloud, error) {
	f, err := fleet.Read(file)
	if err != nil {
		return nil, fmt.Errorf("fleet file: %w", err)
	}
	target, ok := f.Target()
	if !ok {
		return nil, &iot.Error{Kind: iot.Invalid, Message: "fleet file: instances: no Enterprise instance to move to"}
	}
	c := &Cloud{fleet: f, server: &server{target: target.ID}, options: o}
	if c.cloud, err = fake.New(f, o.fake(c.server)); err != nil {
		return nil, fmt.Errorf("fleet file: %w", err)
	}
	c.server.cloud = c.cloud
	limits := quota.Documented()
	if o.NoQuotas {
		limits = nil
	}
	governor, err := quota.New(o.Clock, limits)
	if err != nil {
		return nil, err
	}
	if c.platform, err = c.cloud.Platform(target.ID, governor); err != nil {
		return nil, err
	}
	return c, nil
}

// fake returns the options of the platform below.
func (o Options) fake(s *server) fake.Options {
	quirks := fake.DefaultQuirks()
	quirks.TicketGranted, quirks.SplitTopology = o.TicketGranted, o.SplitTopology
	if o.ReportEvery > 0 {
		quirks.ReportEvery = o.ReportEvery
	}
	options := fake.Options{Clock: o.Clock, Quirks: quirks, Hook: func(op fake.Op) fake.Fault {
		if op.Name == "QueryConsumerGroupStatus" {
			s.read() // as a real server would have done before
		}
		if o.Fault == nil {
			return fake.Fault{}
		}
		return o.Fault(publicOp(op)).internal()
	}}
	if o.NoQuotas {
		options.Quotas = fake.NoQuotas
	}
	if o.Command != nil {
		options.Command = func(s fake.CommandStep) { o.Command(CommandStep(s)) }
	}
	return options
}

// Platform returns the platform as a campaign works on it. Its driver keeps the quotas that count.
func (c *Cloud) Platform() iot.Platform { return c.platform }

// Declared returns what no API shows and the fleet file tells.
func (c *Cloud) Declared() migrate.Declared { return declare(c.fleet) }

// Operator returns an operator who performs console tasks at once and as told.
func (c *Cloud) Operator() migrate.Operator {
	return &operator{cloud: c.cloud, console: c.cloud.Console()}
}

// Survey surveys the platform with all that the fleet file declares.
func (c *Cloud) Survey(ctx context.Context) (*migrate.Survey, error) {
	p := c.platform
	return migrate.TakeSurvey(ctx, p.Source.View, p.Target.View, p.Account, c.Declared())
}

// PowerOn plugs a device in that has this credential: it connects and reports.
func (c *Cloud) PowerOn(cred iot.Credential) error { return c.cloud.PowerOn(cred.ID, cred.Secret) }

// PowerOff unplugs a device.
func (c *Cloud) PowerOff(id iot.DeviceID) error { return c.cloud.PowerOff(id) }
