package scenario_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
)

var update = flag.Bool("update", false, "write the golden files of testdata")

func TestStagesAreAsListed(t *testing.T) {
	console := full()
	console.Full = true
	tests := []struct {
		name     string
		strategy func(scenario.Options) migrate.Strategy
		options  scenario.Options
		lane     migrate.Lane
	}{
		{"direct", scenario.Direct, full(), directLane()},
		{"direct-zero", scenario.Direct, scenario.Options{}, directLane()},
		{"direct-full", scenario.Direct, console, directLane()},
		{"direct-silent", scenario.Direct, full(), lane(product("a1Display01", iot.Direct, iot.AuthPerDevice, iot.Custom))},
		{"gateway", scenario.Gateway, full(), gatewayLane()},
		{"gateway-zero", scenario.Gateway, scenario.Options{}, gatewayLane()},
		{"gateway-alone", scenario.Gateway, full(), lane(product("a1GwAlone01", iot.Gateway, iot.AuthPerDevice, iot.Custom))},
		{"preregistered", scenario.PreRegistered, full(), preregisteredLane()},
		{"preregistered-zero", scenario.PreRegistered, scenario.Options{}, preregisteredLane()},
		{"preregistered-alink", scenario.PreRegistered, full(), lane(subscribed(product("a1Thermo002", iot.Direct, iot.AuthPerProductPreregistered, iot.Alink), amqp))},
		{"tsl", scenario.TSL, full(), tslLane()},
		{"tsl-zero", scenario.TSL, scenario.Options{}, tslLane()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			stages, err := tt.strategy(tt.options).Stages(tt.lane)
			if err != nil {
				t.Fatal(err)
			}
			if err := migrate.CheckStages(stages); err != nil {
				t.Error(err)
			}
			path, got := filepath.Join("testdata", tt.name+".golden"), listing(stages)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

func TestStagesArePure(t *testing.T) {
	lanes := []migrate.Lane{gatewayLane(), preregisteredLane(), tslLane(), directLane()}
	for i, s := range scenario.All(full()) {
		before := clone(t, lanes[i])
		first, err1 := s.Stages(lanes[i])
		second, err2 := s.Stages(lanes[i])
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(listing(first), listing(second)); diff != "" {
			t.Errorf("%s: asked twice:\n%s", s.Name(), diff)
		}
		if diff := cmp.Diff(before, lanes[i]); diff != "" {
			t.Errorf("%s changes the lane:\n%s", s.Name(), diff)
		}
	}
}

// What every page of the guide has, in its order.
func TestOrderOfTheGuide(t *testing.T) {
	lanes := []migrate.Lane{gatewayLane(), preregisteredLane(), tslLane(), directLane()}
	want := []string{"create-task", "first-gray", "confirm-gray", "rest", "check"}
	for i, s := range scenario.All(full()) {
		stages, err := s.Stages(lanes[i])
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, stage := range stages {
			for _, name := range want {
				if stage.Name == name {
					got = append(got, name)
				}
			}
			if stage.Move != nil && (len(stage.Verify) == 0 || stage.Verify[0].Name() != migrate.OnlineVerifier) {
				t.Errorf("%s: stage %s moves devices, but does not see first that they are online", s.Name(), stage.Name)
			}
			if stage.Move != nil && stage.Move.Rest && !stage.Gate {
				t.Errorf("%s: the rest moves without a gate", s.Name())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", s.Name(), diff)
		}
	}
}

func clone(t *testing.T, l migrate.Lane) migrate.Lane {
	t.Helper()
	c := l
	c.Products = append([]migrate.Product(nil), l.Products...)
	if !reflect.DeepEqual(c, l) {
		t.Fatal("the clone differs")
	}
	return c
}
