package scenario_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/topology"
	"github.com/iotferry/iotferry/verify"
)

// Every combination of node type, authentication and data format fits exactly one strategy: 2 with a gateway; else 3
// if pre-registered; else 4 with a thing model; else 1. Forwarding does not decide.
func TestMatch(t *testing.T) {
	auths := []iot.Auth{
		iot.AuthSecret, iot.AuthPerDevice, iot.AuthPerProductPreregistered, iot.AuthPerProductFree, iot.AuthID2, iot.AuthX509,
	}
	for _, withGateway := range []bool{false, true} {
		for _, auth := range auths {
			for _, format := range []iot.DataFormat{iot.Custom, iot.Alink} {
				for _, forwards := range []bool{false, true} {
					want := 1
					switch {
					case withGateway:
						want = 2
					case auth == iot.AuthPerProductPreregistered:
						want = 3
					case format == iot.Alink:
						want = 4
					}
					t.Run(fmt.Sprintf("gateway %v, %s, %s, forwards %v", withGateway, auth, format, forwards), func(t *testing.T) {
						p := product("a1Product01", iot.Direct, auth, format)
						if forwards {
							p = forwarding(p, amqp, mns)
						}
						l := lane(p)
						if withGateway {
							p.NodeType = iot.SubDevice
							l = lane(p, product("a1Gateway01", iot.Gateway, iot.AuthPerDevice, iot.Custom))
						}
						checkMatch(t, l, want)
					})
				}
			}
		}
	}
}

func checkMatch(t *testing.T, l migrate.Lane, want int) {
	t.Helper()
	fitting := 0
	for _, s := range scenario.All(scenario.Options{}) {
		m := s.Match(l)
		if m.Why == "" {
			t.Errorf("%s does not say why", s.Name())
		}
		_, err := s.Stages(l)
		if !m.Fits {
			if !errors.Is(err, iot.Invalid) {
				t.Errorf("%s does not fit, but has stages: error %v", s.Name(), err)
			}
			continue
		}
		fitting++
		if got := scenario.Number(s.Name()); got != want {
			t.Errorf("%s (%d) fits, want %d", s.Name(), got, want)
		}
		if err != nil {
			t.Errorf("%s: %v", s.Name(), err)
		}
	}
	if fitting != 1 {
		t.Errorf("%d strategies fit", fitting)
	}
}

func TestMatchOfGatewaysAlone(t *testing.T) {
	checkMatch(t, lane(product("a1GwAlone01", iot.Gateway, iot.AuthPerProductPreregistered, iot.Alink)), 2)
}

func TestNumber(t *testing.T) {
	for name, want := range map[string]int{"direct": 1, "gateway": 2, "preregistered": 3, "tsl": 4, "": 0, "Direct": 0, "custom": 0} {
		if got := scenario.Number(name); got != want {
			t.Errorf("%q: got %d, want %d", name, got, want)
		}
	}
}

func TestAllInTheOrderOfMatching(t *testing.T) {
	var names []string
	for _, s := range scenario.All(scenario.Options{}) {
		names = append(names, s.Name())
	}
	if got := strings.Join(names, " "); got != "gateway preregistered tsl direct" {
		t.Errorf("got %s", got)
	}
}

func TestOptionsCheck(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name string
		o    scenario.Options
		want string // part of the error; empty for none
	}{
		{"zero", scenario.Options{}, ""},
		{"full", full(), ""},
		{"first gray", scenario.Options{FirstGray: -1}, "FirstGray is -1"},
		{"gray devices", scenario.Options{GrayDevices: -1}, "GrayDevices is -1"},
		{"gray share", scenario.Options{GrayShare: 1.1}, "GrayShare is 1.1"},
		{"negative share", scenario.Options{GrayShare: -0.1}, "GrayShare is -0.1"},
		{"no share", scenario.Options{GrayShare: math.NaN()}, "GrayShare is NaN"},
		{"ramp", scenario.Options{Ramp: topology.Ramp{First: -1}}, "ramp"},
		{"short group", scenario.Options{Group: "abc"}, `Group "abc" has 3`},
		{"long group", scenario.Options{Group: strings.Repeat("a", 31)}, "has 31 characters"},
		{"new device", scenario.Options{NewDeviceName: "a/b/c"}, "NewDeviceName"},
		{"acks", scenario.Options{Pub: verify.PubConfig{Acks: none}}, "Pub.Acknowledges"},
		{"replies", scenario.Options{Replies: none}, "Services is not"},
		{"sync too short", scenario.Options{SyncWindow: migrate.Window{Min: 6 * day}}, "the guide asks to wait 7 to 30 days"},
		{"sync too long", scenario.Options{SyncWindow: migrate.Window{Max: 31 * day}}, "the guide asks to wait 7 to 30 days"},
		{"sync upside down", scenario.Options{SyncWindow: migrate.Window{Min: 20 * day, Max: 10 * day}}, "SyncWindow: a window of 20 days to 10 days"},
		{"sync exact", scenario.Options{SyncWindow: migrate.Window{Min: 14 * day, Max: 14 * day}}, ""},
		{"sync bounds", scenario.Options{SyncWindow: migrate.Window{Min: 7 * day, Max: 30 * day}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.o.Check()
			_, fromStages := scenario.TSL(tt.o).Stages(tslLane())
			if tt.want == "" {
				if err != nil || fromStages != nil {
					t.Errorf("got %v and %v", err, fromStages)
				}
				return
			}
			if !errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), tt.want) || fromStages == nil || fromStages.Error() != err.Error() {
				t.Errorf("got %v, and from Stages %v; want %q", err, fromStages, tt.want)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	tests := []struct {
		o           scenario.Options
		devices     int
		first, gray int
	}{
		{scenario.Options{}, 1000, 10, 100},
		{scenario.Options{}, 1001, 10, 101},
		{scenario.Options{}, 3, 10, 1},
		{scenario.Options{FirstGray: 4, GrayShare: 0.5}, 1000, 4, 500},
		{scenario.Options{GrayDevices: 42, GrayShare: 0.5}, 1000, 10, 42},
		{scenario.Options{GrayShare: 1}, 1000, 10, 1000},
	}
	for _, tt := range tests {
		l := directLane()
		l.Devices = tt.devices
		stages, err := scenario.Direct(tt.o).Stages(l)
		if err != nil {
			t.Fatal(err)
		}
		if first, gray := stages[1].Move.Devices, stages[3].Move.Devices; first != tt.first || gray != tt.gray {
			t.Errorf("%d devices: got %d and %d, want %d and %d", tt.devices, first, gray, tt.first, tt.gray)
		}
	}
}

func TestWrapCanLeaveOut(t *testing.T) {
	o := full()
	o.Wrap = func(v migrate.Verifier) migrate.Verifier {
		if strings.HasPrefix(v.Name(), "pub") {
			return nil
		}
		return v
	}
	stages, err := scenario.Direct(o).Stages(directLane())
	if err != nil {
		t.Fatal(err)
	}
	if text := listing(stages); strings.Contains(text, "- pub") || !strings.Contains(text, "- reporting") {
		t.Errorf("got:\n%s", text)
	}
}
