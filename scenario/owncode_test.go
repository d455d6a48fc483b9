package scenario_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

const tracker = "a1Tracker01"

// A bench has the pre-registered fleet after its first gray batch, and one stage's own code at hand.
type bench struct {
	t     *testing.T
	cloud *migratetest.Cloud
	clock *clock
	env   *migrate.Env
	lane  migrate.Lane
}

func newBench(t *testing.T, fault func(migratetest.Op) migratetest.Fault) *bench {
	t.Helper()
	cloud, clock := open(t, "s3-preregistered.json", migratetest.Options{Fault: fault, NoQuotas: true})
	p := cloud.Platform()
	l := lane(subscribed(product(tracker, iot.Direct, iot.AuthPerProductPreregistered, iot.Custom), amqp))
	b := &bench{t: t, cloud: cloud, clock: clock, lane: l, env: &migrate.Env{
		Campaign: "spring", Lane: l, Stage: "test", Platform: p, Clock: clock,
	}}
	for _, kind := range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray} {
		task := migrate.ConsoleTask{
			Campaign: "spring", Lane: l.ID, Kind: kind, Target: p.Target.Info,
			Products: []migrate.ConsoleProduct{{ProductKey: tracker}},
		}
		if kind == migrate.ConsoleGray {
			task.Products[0].DeviceNames = []string{"tracker-0001"}
		}
		if err := cloud.Operator().Perform(t.Context(), task); err != nil {
			t.Fatal(err)
		}
	}
	clock.Advance(time.Minute)
	return b
}

// do runs the own code of a stage, as a new process would: from new stages.
func (b *bench) do(o scenario.Options, stage string) error {
	b.t.Helper()
	return b.code(o, stage)(b.t.Context(), b.env)
}

func (b *bench) code(o scenario.Options, name string) func(context.Context, *migrate.Env) error {
	b.t.Helper()
	stages, err := scenario.PreRegistered(o).Stages(b.lane)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range stages {
		if s.Name == name {
			return s.Do
		}
	}
	b.t.Fatalf("there is no stage %s", name)
	return nil
}

func (b *bench) subscriptions() []iot.Subscription {
	b.t.Helper()
	subs, err := b.env.Platform.Target.Subscriptions(b.t.Context(), tracker)
	if err != nil {
		b.t.Fatal(err)
	}
	return subs
}

func groupsOf(subs []iot.Subscription) int {
	n := 0
	for _, s := range subs {
		n += len(s.Groups)
	}
	return n
}

func TestSubscriptionStageTwiceIsOnce(t *testing.T) {
	b := newBench(t, nil)
	before := groupsOf(b.subscriptions())
	if err := b.do(scenario.Options{}, "subscription"); err != nil {
		t.Fatal(err)
	}
	if n := groupsOf(b.subscriptions()); n != before {
		t.Errorf("without a Group, %d groups became %d", before, n)
	}
	o := scenario.Options{Group: "verify"}
	if err := b.do(o, "subscription"); err != nil {
		t.Fatal(err)
	}
	once := b.subscriptions()
	if err := b.do(o, "subscription"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(once, b.subscriptions()); diff != "" {
		t.Errorf("twice differs from once:\n%s", diff)
	}
	if n := groupsOf(once); n <= before {
		t.Errorf("%d groups became %d, want the new one beside those that came along", before, n)
	}
}

func TestSubscriptionStageWaits(t *testing.T) {
	cloud, clock := open(t, "s3-preregistered.json", migratetest.Options{NoQuotas: true})
	b := &bench{t: t, lane: preregisteredLane(), env: &migrate.Env{Campaign: "spring", Lane: preregisteredLane(), Platform: cloud.Platform(), Clock: clock}}
	err := b.do(scenario.Options{}, "subscription")
	if !errors.Is(err, iot.Transient) || !strings.Contains(err.Error(), "not at iot-") {
		t.Errorf("nothing has moved: got %v", err)
	}
}

func TestSubscriptionStageErrors(t *testing.T) {
	for _, kind := range []iot.Kind{iot.Denied, iot.Throttled} {
		b := newBench(t, nil)
		b.env.Platform.Target.Subscriber = refusing{kind}
		err := b.do(scenario.Options{Group: "verify"}, "subscription")
		if iot.KindOf(err) != kind {
			t.Errorf("got %v, want its kind %v", err, kind)
		}
	}
	for _, kind := range []iot.Kind{iot.Conflict, iot.UnknownOutcome} {
		b := newBench(t, nil)
		b.env.Platform.Target.Subscriber = refusing{kind}
		if err := b.do(scenario.Options{Group: "verify"}, "subscription"); !errors.Is(err, iot.Transient) {
			t.Errorf("%v: got %v, want to be asked again", kind, err)
		}
	}
}

// refusing is a driver whose writes fail.
type refusing struct{ kind iot.Kind }

func (r refusing) CreateGroup(context.Context, string) (iot.ConsumerGroup, error) {
	return iot.ConsumerGroup{}, &iot.Error{Kind: r.kind}
}

func (r refusing) Subscribe(context.Context, iot.Subscription) error {
	return &iot.Error{Kind: r.kind}
}

func (r refusing) Register(context.Context, iot.DeviceID) (iot.Credential, error) {
	return iot.Credential{}, &iot.Error{Kind: r.kind}
}

// onlyOnline leaves a new device with what it can prove without a server.
func onlyOnline(v migrate.Verifier) migrate.Verifier {
	if v.Name() == migrate.OnlineVerifier || v.Name() == "pub" {
		return v
	}
	return nil
}

func TestNewDeviceStage(t *testing.T) {
	b := newBench(t, nil)
	var plugged []iot.Credential
	o := scenario.Options{Wrap: onlyOnline, NewDevice: func(_ context.Context, _ *migrate.Env, c iot.Credential) error {
		plugged = append(plugged, c) // it takes its time
		return nil
	}}
	do := b.code(o, "new-device")
	if err := do(t.Context(), b.env); !errors.Is(err, iot.Transient) || !strings.Contains(err.Error(), "online is inconclusive") {
		t.Fatalf("just plugged in: got %v", err)
	}
	if err := b.cloud.PowerOn(plugged[0]); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(10 * time.Second)
	if err := do(t.Context(), b.env); err != nil {
		t.Fatalf("online by now: got %v", err)
	}
	if len(plugged) != 1 || plugged[0].Secret.Reveal() == "" || plugged[0].ID.ProductKey != tracker {
		t.Fatalf("got %v, want one device with its secret", plugged)
	}
	if err := plugged[0].ID.Check(); err != nil || !strings.HasPrefix(plugged[0].ID.DeviceName, "iotferry-") {
		t.Errorf("device %s: %v", plugged[0].ID, err)
	}

	// Another process does not know the secret, but finds the same device.
	if err := b.do(scenario.Options{Wrap: onlyOnline, NewDevice: func(_ context.Context, _ *migrate.Env, c iot.Credential) error {
		plugged = append(plugged, c)
		return nil
	}}, "new-device"); err != nil {
		t.Fatal(err)
	}
	if len(plugged) != 2 || plugged[1].ID != plugged[0].ID || plugged[1].Secret.Reveal() != "" {
		t.Errorf("after a restart: got %v", plugged)
	}
}

func TestNewDeviceNames(t *testing.T) {
	name := func(o scenario.Options, campaign string) string {
		b := newBench(t, nil)
		b.env.Campaign = campaign
		var got iot.DeviceID
		o.NewDevice = func(_ context.Context, _ *migrate.Env, c iot.Credential) error {
			got = c.ID
			return nil
		}
		if err := b.do(o, "new-device"); !errors.Is(err, iot.Transient) {
			t.Errorf("a device that nobody plugged in: got %v", err)
		}
		return got.DeviceName
	}
	spring := name(scenario.Options{}, "spring")
	if again := name(scenario.Options{}, "spring"); again != spring {
		t.Errorf("the same campaign names it %q and %q", spring, again)
	}
	if other := name(scenario.Options{}, "autumn"); other == spring {
		t.Errorf("another campaign names it %q, too", other)
	}
	if got := name(scenario.Options{NewDeviceName: "mine"}, "spring"); got != "mine" {
		t.Errorf("got %q", got)
	}
}

func TestNewDeviceStageErrors(t *testing.T) {
	plug := func(context.Context, *migrate.Env, iot.Credential) error { return nil }
	wall := errors.New("no socket is free")
	tests := []struct {
		name string
		o    scenario.Options
		set  func(*bench)
		want error
		text string
	}{
		{"the name is one of the source", scenario.Options{NewDevice: plug, NewDeviceName: "tracker-0002"},
			func(*bench) {}, iot.Conflict, "set Options.NewDeviceName"},
		{"registered, but not visible yet", scenario.Options{NewDevice: plug},
			func(b *bench) { b.env.Platform.Target.Registrar = refusing{iot.Conflict} }, iot.Transient, "does not show it yet"},
		{"nobody knows whether it was registered", scenario.Options{NewDevice: plug},
			func(b *bench) { b.env.Platform.Target.Registrar = refusing{iot.UnknownOutcome} }, iot.Transient, "not known yet"},
		{"not allowed to register", scenario.Options{NewDevice: plug},
			func(b *bench) { b.env.Platform.Target.Registrar = refusing{iot.Denied} }, iot.Denied, "register"},
		{"cannot be plugged in", scenario.Options{NewDevice: func(context.Context, *migrate.Env, iot.Credential) error { return wall }},
			func(*bench) {}, wall, "plug in"},
		{"failed", scenario.Options{NewDevice: plug, Wrap: says(migrate.Fail)}, func(*bench) {}, iot.Unclassified, "online failed: seen"},
		{"could not look", scenario.Options{NewDevice: plug, Wrap: says("")}, func(*bench) {}, iot.Throttled, "throttled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, nil)
			tt.set(b)
			err := b.do(tt.o, "new-device")
			if err == nil || !errors.Is(err, tt.want) && tt.want != iot.Unclassified || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v, want %v with %q", err, tt.want, tt.text)
			}
			if tt.want == iot.Unclassified && (errors.Is(err, iot.Transient) || errors.Is(err, iot.Throttled)) {
				t.Errorf("a failed device would be asked about again: %v", err)
			}
		})
	}
}

// says replaces every verifier by one that finds a verdict, or an error if that is empty.
func says(verdict migrate.Verdict) func(migrate.Verifier) migrate.Verifier {
	return func(v migrate.Verifier) migrate.Verifier {
		return migrate.NewVerifier(v.Name(), func(_ context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
			return func(yield func(migrate.Finding, error) bool) {
				if verdict == "" {
					yield(migrate.Finding{}, &iot.Error{Kind: iot.Throttled})
					return
				}
				yield(migrate.Finding{Device: s.Devices[0].ID, Verdict: verdict, Evidence: migrate.Evidence{Seen: "seen"}}, nil)
			}
		})
	}
}
