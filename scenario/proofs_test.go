package scenario_test

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

// posted is a sink that holds one message of each device, on a topic of its own.
type posted map[string]string // product key to the topic below the device

func (p posted) Latest(_ context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return func(yield func(iot.Message, error) bool) {
		for _, id := range ids {
			m := iot.Message{Topic: "/" + id.String() + p[id.ProductKey], Generated: time.Unix(2000, 0), Instance: "iot-060a0001"}
			if p[id.ProductKey] != "" && !yield(m, nil) {
				return
			}
		}
	}
}

// rest returns the verifiers of a strategy's last move.
func rest(t *testing.T, s migrate.Strategy, l migrate.Lane) []migrate.Verifier {
	t.Helper()
	stages, err := s.Stages(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, stage := range stages {
		if stage.Name == "rest" {
			return stage.Verify
		}
	}
	t.Fatal("no stage moves the rest")
	return nil
}

// found asks one verifier about a device of each product of a lane.
func found(t *testing.T, verifiers []migrate.Verifier, name string, l migrate.Lane) map[string]migrate.Finding {
	t.Helper()
	i := slices.IndexFunc(verifiers, func(v migrate.Verifier) bool { return v.Name() == name })
	if i < 0 {
		t.Fatalf("there is no verifier %s", name)
	}
	s := &migrate.Subject{Lane: l, Now: time.Unix(3000, 0)}
	s.Target.Info = l.Target
	for _, p := range l.Products {
		id := iot.DeviceID{ProductKey: p.Key, DeviceName: "device-1"}
		s.Devices = append(s.Devices, migrate.SubjectDevice{ID: id, Node: p.NodeType, Moved: time.Unix(1000, 0)})
	}
	all := map[string]migrate.Finding{}
	for f, err := range verifiers[i].Verify(t.Context(), s) {
		if err != nil {
			t.Fatal(err)
		}
		all[f.Device.ProductKey] = f
	}
	return all
}

// Devices that report by a thing model have to post, all others may report on any custom topic; what
// forwards nothing is not asked.
func TestReportingByProduct(t *testing.T) {
	l := gatewayLane()
	tests := []struct {
		name string
		sink posted
		want map[string]migrate.Verdict
	}{
		{"as they should", posted{"a1Climate01": "/user/update", "a1Floor0001": "/thing/event/property/post", "a1Door00001": "/user/state"},
			map[string]migrate.Verdict{"a1Climate01": migrate.Pass, "a1Floor0001": migrate.Pass, "a1Door00001": migrate.Pass, "a1Gateway01": migrate.Pass}},
		{"on a custom topic", posted{"a1Floor0001": "/user/update"},
			map[string]migrate.Verdict{"a1Climate01": migrate.Inconclusive, "a1Floor0001": migrate.Inconclusive, "a1Door00001": migrate.Inconclusive, "a1Gateway01": migrate.Pass}},
	}
	for _, tt := range tests {
		verdicts := map[string]migrate.Verdict{}
		all := found(t, rest(t, scenario.Gateway(scenario.Options{Sink: tt.sink}), l), "reporting", l)
		for key, f := range all {
			verdicts[key] = f.Verdict
		}
		if diff := cmp.Diff(tt.want, verdicts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if e := all["a1Gateway01"].Evidence; e.Source != "not observed" || e.Seen != "the product forwards nothing" {
			t.Errorf("the gateway passes with the evidence %+v", e)
		}
	}
}

// Who is not asked passes unobserved, and says so.
func TestWhoIsAsked(t *testing.T) {
	l := gatewayLane()
	o := full()
	o.Wrap = nil
	verifiers := rest(t, scenario.Gateway(o), l)
	want := map[string][]string{ // those that are not asked
		"subscription": {"a1Climate01", "a1Floor0001", "a1Gateway01"},
		"pub":          {"a1Floor0001"},
		"service":      {"a1Climate01", "a1Door00001", "a1Gateway01"},
	}
	for name, keys := range want {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(verifiers, func(v migrate.Verifier) bool { return v.Name() == name })
			s := &migrate.Subject{Lane: l}
			for _, p := range l.Products {
				s.Devices = append(s.Devices, migrate.SubjectDevice{ID: iot.DeviceID{ProductKey: p.Key, DeviceName: "device-1"}})
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // whoever is asked gets no finding
			s.Target.View.ForwardingReader, s.Target.View.ModelReader = unreadable{}, unreadable{}
			var got []string
			for f, err := range verifiers[i].Verify(ctx, s) {
				if err == nil && f.Evidence.Source == "not observed" {
					got = append(got, f.Device.ProductKey)
				}
			}
			if diff := cmp.Diff(keys, got); diff != "" {
				t.Errorf("not asked (-want +got):\n%s", diff)
			}
		})
	}
}

// unreadable is an instance of which nothing can be read.
type unreadable struct {
	iot.ForwardingReader
	iot.ModelReader
}

func (unreadable) Subscriptions(ctx context.Context, _ string) ([]iot.Subscription, error) {
	return nil, ctx.Err()
}

func (unreadable) ThingModel(ctx context.Context, _ string) (json.RawMessage, error) {
	return nil, ctx.Err()
}

// What is stopped, has no action or carries no device data forwards no reports.
func TestWhatForwardsReports(t *testing.T) {
	stopped, idle, status := rule, rule, amqp
	stopped.Running = false
	idle.Actions = nil
	status.Events = []iot.Event{iot.StatusChange}
	p := product("a1Meter0001", iot.Direct, iot.AuthPerDevice, iot.Custom)
	p.Rules = []iot.Rule{stopped, idle}
	p.Subscriptions = []iot.Subscription{status, mns}
	stages, err := scenario.Direct(full()).Stages(lane(p))
	if err != nil {
		t.Fatal(err)
	}
	if text := listing(stages); strings.Contains(text, "- reporting") || !strings.Contains(text, "no product forwards anything") {
		t.Errorf("got:\n%s", text)
	}
}

// A new device proves all that moved ones do, but not calls without an instance ID.
func TestProofOfANewDevice(t *testing.T) {
	b := newBench(t, nil)
	var asked []string
	o := scenario.Options{
		Sink: none, TicketGranted: true,
		NewDevice: func(context.Context, *migrate.Env, iot.Credential) error { return nil },
		Wrap: func(v migrate.Verifier) migrate.Verifier {
			return migrate.NewVerifier(v.Name(), func(_ context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
				asked = append(asked, v.Name())
				return func(yield func(migrate.Finding, error) bool) {
					yield(migrate.Finding{Device: s.Devices[0].ID, Verdict: migrate.Pass}, nil)
				}
			})
		},
	}
	if err := b.do(o, "new-device"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"online", "forwarding", "reporting", "subscription", "pub"}, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	var moved []string
	for _, v := range rest(t, scenario.PreRegistered(o), b.lane) {
		moved = append(moved, v.Name())
	}
	if want := append(asked, "pub-without-instance-id"); !cmp.Equal(want, moved) {
		t.Errorf("moved devices prove %v, want %v", moved, want)
	}
}

// What cannot be seen to be answered is not called.
func TestAsyncServicesNeedReplies(t *testing.T) {
	for _, replies := range []verify.Sink{nil, none} {
		o := full()
		o.Replies = replies
		about := ""
		stages, err := scenario.TSL(o).Stages(tslLane())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range stages {
			about += s.About
		}
		if blind := strings.Contains(about, "asynchronous services are not verified"); blind != (replies == nil) {
			t.Errorf("replies %v: %s", replies != nil, about)
		}
	}
}
