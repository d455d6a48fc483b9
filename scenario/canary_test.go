package scenario_test

import (
	"context"
	"encoding/json"
	"errors"
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

// A caged canary is never asked anything.
type caged iot.DeviceID

func (c caged) ID() iot.DeviceID { return iot.DeviceID(c) }

func (c caged) Session() (int, time.Time, error) { return 0, time.Time{}, errors.New("caged") }

func (c caged) Await(context.Context, int, func(string, []byte) bool) error {
	return errors.New("caged")
}

func (c caged) Report(context.Context, string) error { return errors.New("caged") }

func (c caged) SubDevices(context.Context) (map[iot.DeviceID]error, error) {
	return nil, errors.New("caged")
}

// Canaries move with the first gray batch of their lane and are asked before a person confirms it: where messages can be received
// by then, and nowhere else.
func TestCanariesProveTheFirstGrayBatch(t *testing.T) {
	tests := []struct {
		name     string
		strategy func(scenario.Options) migrate.Strategy
		lane     migrate.Lane
		asked    string
	}{
		{"direct", scenario.Direct, directLane(), "first-gray"},
		{"gateway", scenario.Gateway, gatewayLane(), "first-gray"},
		{"preregistered", scenario.PreRegistered, preregisteredLane(), "prove-gray"},
		{"tsl", scenario.TSL, tslLane(), "prove-gray"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			own := iot.DeviceID{ProductKey: tt.lane.Products[0].Key, DeviceName: "canary-1"}
			options := full()
			options.Canaries = []verify.CanaryDevice{caged{ProductKey: "a1Elsewhere", DeviceName: "canary-2"}, caged(own)}
			stages, err := tt.strategy(options).Stages(tt.lane)
			if err != nil {
				t.Fatal(err)
			}
			var asked []string
			for _, s := range stages {
				if slices.ContainsFunc(s.Verify, func(v migrate.Verifier) bool { return v.Name() == "canary" }) {
					asked = append(asked, s.Name)
				}
				switch {
				case s.Name == "first-gray":
					if diff := cmp.Diff([]iot.DeviceID{own}, s.Move.Include); diff != "" {
						t.Errorf("the first gray batch includes (-want +got):\n%s", diff)
					}
				case s.Move != nil && len(s.Move.Include) > 0:
					t.Errorf("stage %s includes %v", s.Name, s.Move.Include)
				}
			}
			if diff := cmp.Diff([]string{tt.asked}, asked); diff != "" {
				t.Errorf("canaries are asked in (-want +got):\n%s", diff)
			}
		})
	}
}

// A tame canary is served by its target: it gets what is sent to it.
type tame struct {
	iot.Commander
	id      iot.DeviceID
	topics  []string
	asked   [][]byte
	nonce   string
	invoked []string
}

func (c *tame) ID() iot.DeviceID { return c.id }

func (c *tame) Session() (int, time.Time, error) { return 1, time.Now(), nil }

func (c *tame) Await(_ context.Context, _ int, match func(string, []byte) bool) error {
	for i, topic := range c.topics {
		if match(topic, c.asked[i]) {
			return nil
		}
	}
	return context.DeadlineExceeded
}

func (c *tame) Report(_ context.Context, nonce string) error { c.nonce = nonce; return nil }

func (c *tame) SubDevices(context.Context) (map[iot.DeviceID]error, error) { return nil, nil }

func (c *tame) arrive(topic string, payload []byte) {
	c.topics, c.asked = append(c.topics, topic), append(c.asked, payload)
}

func (c *tame) Publish(_ context.Context, topic string, payload []byte) (string, error) {
	c.arrive(topic, payload)
	return "m1", nil
}

func (c *tame) Call(_ context.Context, id iot.DeviceID, request []byte, _ time.Duration) ([]byte, error) {
	c.arrive("/sys/"+id.String()+"/rrpc/request/1", request)
	return request, nil
}

func (c *tame) Invoke(_ context.Context, _ iot.DeviceID, service string, _ json.RawMessage) (iot.ServiceReply, error) {
	c.invoked = append(c.invoked, service)
	return iot.ServiceReply{MessageID: "m2", Result: json.RawMessage(`{}`)}, nil
}

// Latest makes it a sink that has its report.
func (c *tame) Latest(context.Context, []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return func(yield func(iot.Message, error) bool) {
		yield(iot.Message{Topic: "/" + c.id.String() + "/thing/event/property/post", Payload: []byte(`{"value":` + c.nonce + `}`), Instance: "iot-060a0001"}, nil)
	}
}

// A blank model reader has an empty thing model.
type blank struct{ iot.ModelReader }

func (blank) ThingModel(context.Context, string) (json.RawMessage, error) {
	return json.RawMessage(`{}`), nil
}

// What is given to the other verifiers counts for canaries as well, product by product; what is missing is said.
func TestCanariesProveWhatTheOptionsLetThem(t *testing.T) {
	silent := tslLane()
	silent.Products[0].Rules = nil
	tests := []struct {
		name    string
		lane    migrate.Lane
		change  func(*scenario.Options)
		invoked []string
		seen    string
		about   string
	}{
		{"all", tslLane(), func(*scenario.Options) {}, []string{"SelfTest"}, "seen on ", ""},
		{"no sink", tslLane(), func(o *scenario.Options) { o.Sink = nil }, []string{"SelfTest"}, "its report was accepted;", "arrive is not verified, as no Sink is given"},
		{"no services", tslLane(), func(o *scenario.Options) { o.Services = nil }, nil, "seen on ", "no services of canaries are called, as Services chooses none"},
		{"nothing forwarded", silent, func(*scenario.Options) {}, []string{"SelfTest"}, "its report was accepted;", "arrive cannot be verified, as their products forward nothing"},
		{"own services", tslLane(), func(o *scenario.Options) { o.Canary.Services = []verify.Invocation{{Service: "Own"}} }, []string{"Own"}, "seen on ", ""},
		{"no thing model", directLane(), func(*scenario.Options) {}, nil, "seen on ", ""},
		{"a gateway that forwards nothing, but its sub-devices do", gatewayLane(), func(*scenario.Options) {}, nil, "its report was accepted", "their products forward nothing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := tt.lane.Products[len(tt.lane.Products)-1].Key
			c := &tame{id: iot.DeviceID{ProductKey: key, DeviceName: "canary-1"}}
			o := scenario.Options{Sink: c, Canaries: []verify.CanaryDevice{c}, Services: func(string, json.RawMessage) ([]verify.Invocation, error) {
				return []verify.Invocation{{Service: "SelfTest"}, {Service: "Restart", Async: true}}, nil // no Replies: not called
			}}
			tt.change(&o)
			stage := firstGray(t, o, tt.lane)
			i := slices.IndexFunc(stage.Verify, func(v migrate.Verifier) bool { return v.Name() == "canary" })
			s := &migrate.Subject{Lane: tt.lane, Now: time.Now(), Devices: []migrate.SubjectDevice{{ID: c.id, Family: []iot.DeviceID{c.id}}}}
			s.Target = iot.Instance{View: iot.View{Info: tt.lane.Target, ModelReader: blank{}}, Commander: c}
			for f, err := range stage.Verify[i].Verify(t.Context(), s) {
				if err != nil || f.Verdict != migrate.Pass || !strings.Contains(f.Evidence.Seen+";", tt.seen) {
					t.Errorf("got %s: %s, %v", f.Verdict, f.Evidence.Seen, err)
				}
			}
			if diff := cmp.Diff(tt.invoked, c.invoked); diff != "" {
				t.Errorf("services called (-want +got):\n%s", diff)
			}
			if strings.Contains(stage.About, "canaries") != (tt.about != "") || !strings.Contains(stage.About, tt.about) {
				t.Errorf("about: %s", stage.About)
			}
		})
	}
}

// firstGray returns the stage of the first gray batch, by the strategy that fits.
func firstGray(t *testing.T, o scenario.Options, l migrate.Lane) migrate.Stage {
	t.Helper()
	for _, strategy := range scenario.All(o) {
		if !strategy.Match(l).Fits {
			continue
		}
		stages, err := strategy.Stages(l)
		if err != nil {
			t.Fatal(err)
		}
		return stages[slices.IndexFunc(stages, func(s migrate.Stage) bool { return s.Name == "first-gray" })]
	}
	t.Fatal("no strategy fits")
	return migrate.Stage{}
}

func TestNilIsNoCanary(t *testing.T) {
	_, err := scenario.Direct(scenario.Options{Canaries: []verify.CanaryDevice{nil}}).Stages(directLane())
	if !errors.Is(err, iot.Invalid) {
		t.Errorf("got %v, want an Invalid error", err)
	}
}
