package scenario_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"testing"
	"time"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

// A clock jumps in virtual time, and lets a server work after each jump.
type clock struct {
	*migratetest.Clock
	tick func()
}

func (c *clock) WaitUntil(ctx context.Context, t time.Time) error {
	err := c.Clock.WaitUntil(ctx, t)
	if c.tick != nil {
		c.tick()
	}
	return err
}

// open makes the platform in memory from a fleet file, or, without a name, from 20 devices with a thing model, in virtual time.
func open(t *testing.T, fleet string, o migratetest.Options) (*migratetest.Cloud, *clock) {
	t.Helper()
	clock := &clock{Clock: migratetest.NewClock(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC))}
	var file io.Reader = bytes.NewReader(migratetest.Generate(migratetest.GenerateOptions{ThingModel: 20, OfflineEvery: 5}))
	if fleet != "" {
		opened, err := fleets.Open(fleet)
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		file = opened
	}
	o.Clock = clock
	cloud, err := migratetest.Open(file, o)
	if err != nil {
		t.Fatal(err)
	}
	return cloud, clock
}

// campaign migrates a fleet and returns its report.
func campaign(t *testing.T, cloud *migratetest.Cloud, clock iot.Clock, o scenario.Options) *migrate.Report {
	t.Helper()
	return campaignOn(t, cloud, cloud.Platform(), clock, o)
}

// campaignOn is campaign on a platform that is not quite that of the cloud.
func campaignOn(t *testing.T, cloud *migratetest.Cloud, platform iot.Platform, clock iot.Clock, o scenario.Options) *migrate.Report {
	t.Helper()
	report, err := runnerOn(t, cloud, platform, clock, o).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// runnerOn plans a campaign and makes its runner.
func runnerOn(t *testing.T, cloud *migratetest.Cloud, platform iot.Platform, clock iot.Clock, o scenario.Options) *migrate.Runner {
	t.Helper()
	survey, err := cloud.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	strategies := scenario.All(o)
	plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
	if err != nil {
		t.Fatal(err)
	}
	runner, err := migrate.NewRunner(migrate.Config{
		Campaign: "test", Plan: plan, Strategies: strategies, Platform: platform,
		Journal: journal.NewMemory(), Operator: cloud.Operator(), Clock: clock, Workers: 1,
		Approver: migrate.ApproverFunc(func(context.Context, migrate.Gate) (migrate.Decision, error) {
			return migrate.Decision{Kind: migrate.Approve, By: "test"}, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return runner
}

// wantProven checks that all of a lane is proven, and by which verifiers.
func wantProven(t *testing.T, r *migrate.Report, verifiers ...string) {
	t.Helper()
	for _, l := range r.Lanes {
		if !l.Finished || l.Failed > 0 || l.Proven == 0 || l.Proven+l.Asleep != l.Devices {
			t.Errorf("lane %s: stage %s, halt %q %q, %d of %d devices proven, %d asleep, %d failed",
				l.Lane, l.Stage, l.Halt, l.Note, l.Proven, l.Devices, l.Asleep, l.Failed)
			for _, f := range l.Failures[:min(3, len(l.Failures))] {
				t.Logf("%s: %s: %s", f.Device, f.Evidence.Source, f.Evidence.Seen)
			}
		}
		passed := map[string]int{}
		for _, v := range l.Verdicts {
			passed[v.Verifier] = v.Passed
		}
		for _, name := range verifiers {
			if passed[name] < l.Proven {
				t.Errorf("lane %s: %d devices passed %s, want %d", l.Lane, passed[name], name, l.Proven)
			}
		}
	}
}

func newInbox(t *testing.T, r iot.Receiver, group func(context.Context) (string, error)) *verify.Inbox {
	t.Helper()
	box, err := verify.NewInbox(verify.InboxConfig{Receiver: r, Group: group})
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestCampaignDirect(t *testing.T) {
	for _, full := range []bool{false, true} {
		cloud, clock := open(t, "s1-direct.json", migratetest.Options{TicketGranted: true})
		r := campaign(t, cloud, clock, scenario.Options{Sink: cloud.Sink(), TicketGranted: true, Full: full})
		wantProven(t, r, "online", "forwarding", "reporting", "pub", "pub-without-instance-id", "absent")
	}
}

func TestCampaignDirectWithoutTheTicketIsNotProven(t *testing.T) {
	cloud, clock := open(t, "s1-direct.json", migratetest.Options{})
	r := campaign(t, cloud, clock, scenario.Options{Sink: cloud.Sink(), TicketGranted: true})
	if l := r.Lanes[0]; l.Finished || l.Halt != migrate.HaltLimit || l.Proven > 0 || l.Stage != "first-gray" {
		t.Errorf("stage %s, halt %q, %d proven: a ticket that was not granted is not seen", l.Stage, l.Halt, l.Proven)
	}
}

func TestCampaignGateway(t *testing.T) {
	cloud, clock := open(t, "s2-gateway.json", migratetest.Options{})
	r := campaign(t, cloud, clock, scenario.Options{Sink: cloud.Sink()})
	wantProven(t, r, "online", "topology", "forwarding", "reporting", "pub", "absent")
}

// A server reads consumer groups all the time, whoever else waits.
type server struct {
	t      *testing.T
	groups []*verify.Inbox
}

// subscribe lets the server read all groups of an instance.
func (s *server) subscribe(at iot.Instance, r iot.Receiver) {
	for g, err := range at.Groups(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		s.groups = append(s.groups, newInbox(s.t, r, verify.GroupID(g.ID)))
	}
}

func (s *server) read() {
	for _, box := range s.groups {
		for _, err := range box.Latest(context.Background(), nil) {
			s.t.Errorf("the server cannot read: %v", err)
		}
	}
}

// Latest makes the server a sink: its own table of what it has read.
func (s *server) Latest(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	var groups []verify.Sink
	for _, box := range s.groups {
		groups = append(groups, box)
	}
	return verify.Sinks(groups...).Latest(ctx, ids)
}

func TestCampaignPreRegistered(t *testing.T) {
	cloud, clock := open(t, "s3-preregistered.json", migratetest.Options{TicketGranted: true})
	p := cloud.Platform()
	s := &server{t: t}
	s.subscribe(p.Source, cloud.SourceReceiver())
	clock.tick = s.read
	var plugged []iot.Credential
	r := campaign(t, cloud, clock, scenario.Options{
		Sink: s, TicketGranted: true, Group: "orders",
		UpdateSubscriber: func(_ context.Context, env *migrate.Env) error {
			s.subscribe(env.Platform.Target, cloud.TargetReceiver())
			return nil
		},
		NewDevice: func(_ context.Context, _ *migrate.Env, c iot.Credential) error {
			plugged = append(plugged, c)
			return cloud.PowerOn(c)
		},
	})
	wantProven(t, r, "online", "forwarding", "reporting", "subscription", "pub", "pub-without-instance-id", "absent")
	if len(plugged) != 1 || plugged[0].Secret.Reveal() == "" {
		t.Fatalf("%d devices were plugged in, want one with its secret", len(plugged))
	}
	states, err := p.Target.States(t.Context(), plugged[0].ID.ProductKey, []string{plugged[0].ID.DeviceName})
	if err != nil || len(states) != 1 || states[0].Status != iot.Online {
		t.Errorf("the new device is not online at the target: %v, %v", states, err)
	}
}

// A server that nobody updated does not read at the target: nothing is proven.
func TestCampaignPreRegisteredWithoutTheServer(t *testing.T) {
	cloud, clock := open(t, "s3-preregistered.json", migratetest.Options{})
	s := &server{t: t}
	s.subscribe(cloud.Platform().Source, cloud.SourceReceiver())
	clock.tick = s.read
	r := campaign(t, cloud, clock, scenario.Options{UpdateSubscriber: func(context.Context, *migrate.Env) error { return nil }})
	if l := r.Lanes[0]; l.Finished || l.Halt != migrate.HaltLimit || l.Proven > 0 || l.Stage != "prove-gray" {
		t.Errorf("stage %s, halt %q, %d proven", l.Stage, l.Halt, l.Proven)
	}
}

func TestCampaignTSL(t *testing.T) {
	cloud, clock := open(t, "s4-tsl.json", migratetest.Options{TicketGranted: true})
	box := newInbox(t, cloud.TargetReceiver(), verify.GroupNamed(cloud.Platform().Target, "verify"))
	r := campaign(t, cloud, clock, scenario.Options{
		Sink: cloud.Sink(), Replies: box, Group: "verify", TicketGranted: true, Synchronised: quick(),
		FirstGray: 4, GrayDevices: 4, // the group fills up for 7 days
		Services: func(string, json.RawMessage) ([]verify.Invocation, error) {
			return []verify.Invocation{
				{Service: "SelfTest", Args: json.RawMessage(`{"Depth":0}`)},
				{Service: "Restart", Args: json.RawMessage(`{"Delay":0}`), Async: true},
			}, nil
		},
	})
	wantProven(t, r, "online", "forwarding", "reporting", "service", "service-without-instance-id", "absent")
	if took := r.Latest.Sub(r.Began); took < 7*24*time.Hour {
		t.Errorf("the campaign took %v, less than the 7 days of data synchronisation", took)
	}
}

// quick compares a few hours of a few devices at the end of a window, so that the minutes of weeks need not be read.
func quick() migrate.Condition {
	return verify.Synchronised(verify.SynchronisedConfig{
		AlwaysSample: true, Bound: 0.5, Span: 2 * time.Hour, Every: 7 * 24 * time.Hour,
	})
}

// Without Replies, asynchronous services are not called, and everything else is proven.
func TestCampaignTSLWithoutReplies(t *testing.T) {
	cloud, clock := open(t, "s4-tsl.json", migratetest.Options{})
	r := campaign(t, cloud, clock, scenario.Options{
		Sink: cloud.Sink(), Synchronised: quick(), SyncWindow: migrate.Window{Min: 30 * 24 * time.Hour},
		Services: func(string, json.RawMessage) ([]verify.Invocation, error) {
			return []verify.Invocation{{Service: "ClearAlarms", Async: true}, {Service: "SelfTest", Args: json.RawMessage(`{"Depth":0}`)}}, nil
		},
	})
	wantProven(t, r, "online", "forwarding", "reporting", "service", "absent")
	if took := r.Latest.Sub(r.Began); took < 30*24*time.Hour {
		t.Errorf("the campaign took %v, less than the 30 days that were asked for", took)
	}
}
