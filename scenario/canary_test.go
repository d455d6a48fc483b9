package scenario_test

import (
	"context"
	"errors"
	"slices"
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

func (c caged) Await(context.Context, int, func(string, []byte) bool) error { return errors.New("caged") }

func (c caged) Report(context.Context, string) error { return errors.New("caged") }

func (c caged) SubDevices(context.Context) (map[iot.DeviceID]error, error) { return nil, errors.New("caged") }

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

func TestNilIsNoCanary(t *testing.T) {
	_, err := scenario.Direct(scenario.Options{Canaries: []verify.CanaryDevice{nil}}).Stages(directLane())
	if !errors.Is(err, iot.Invalid) {
		t.Errorf("got %v, want an Invalid error", err)
	}
}
