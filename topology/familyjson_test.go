package topology_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

func TestFamilyJSON(t *testing.T) {
	for _, tt := range []struct {
		name   string
		family topology.Family
		want   string
	}{
		{"direct device", topology.Family{Devices: []iot.DeviceID{id(t, meter)}},
			`{"device":"a1Meter0001/meter-1"}`},
		{"gateway alone", topology.Family{Gateway: id(t, gw1), Devices: []iot.DeviceID{id(t, gw1)}},
			`{"gateway":"a1Gatewy001/gw-1"}`},
		{"gateway with sub-devices",
			topology.Family{Gateway: id(t, gw1), Devices: []iot.DeviceID{id(t, sub1), id(t, sub2), id(t, gw1)}},
			`{"gateway":"a1Gatewy001/gw-1","subDevices":["a1Sensor001/sub-1","a1Sensor001/sub-2"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := json.Marshal(tt.family)
			if err != nil || string(text) != tt.want {
				t.Fatalf("got %s, %v, want %s", text, err, tt.want)
			}
			var got topology.Family
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.family, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFamilyJSONOfAnyFleet(t *testing.T) {
	forSeeds(t, 20, func(t *testing.T, rnd *rand.Rand) {
		want := randomFleet(rnd)
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got []topology.Family
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFamilyJSONRefusesTexts(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"null", `null`, "neither device nor gateway"},
		{"empty", `{}`, "neither device nor gateway"},
		{"sub-devices only", `{"subDevices":["a1Sensor001/sub-1"]}`, "neither device nor gateway"},
		{"device and gateway", `{"device":"a1Meter0001/meter-1","gateway":"a1Gatewy001/gw-1"}`, "a direct device has"},
		{"device and sub-devices", `{"device":"a1Meter0001/meter-1","subDevices":["a1Sensor001/sub-1"]}`, "a direct device has"},
		{"unknown field", `{"device":"a1Meter0001/meter-1","x":1}`, `unknown field "x"`},
		{"wrong type", `{"device":1}`, "cannot unmarshal number"},
		{"array", `[]`, "cannot unmarshal array"},
		{"bad device", `{"device":"meter-1"}`, `family: device: "meter-1" is not of the form`},
		{"bad gateway", `{"gateway":"a1Gatewy001/g"}`, "family: gateway: device name"},
		{"bad sub-device", `{"gateway":"a1Gatewy001/gw-1","subDevices":["a1Sensor001/sub-1","a1/sub-2"]}`,
			"family: subDevices[1]: product key"},
		{"wrong order", `{"gateway":"a1Gatewy001/gw-1","subDevices":["a1Sensor001/sub-2","a1Sensor001/sub-1"]}`,
			"subDevices[1]"},
		{"twice", `{"gateway":"a1Gatewy001/gw-1","subDevices":["a1Sensor001/sub-1","a1Sensor001/sub-1"]}`,
			"subDevices[1]"},
		{"its own sub-device", `{"gateway":"a1Gatewy001/gw-1","subDevices":["a1Gatewy001/gw-1"]}`, "its own sub-device"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := topology.Family{Devices: []iot.DeviceID{id(t, meter)}}
			got := before
			err := got.UnmarshalJSON([]byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !errors.Is(err, iot.Invalid) {
				t.Errorf("got error %v, want one of kind invalid with %q", err, tt.want)
			}
			if diff := cmp.Diff(before, got); diff != "" {
				t.Errorf("the family was changed: %s", diff)
			}
		})
	}
	var f topology.Family
	if err := f.UnmarshalJSON([]byte(`{"device":"a1Meter0001/meter-1"} {}`)); !errors.Is(err, iot.Invalid) {
		t.Errorf("two texts: got error %v", err)
	}
}

func TestFamilyJSONRefusesFamilies(t *testing.T) {
	for name, f := range map[string]topology.Family{
		"zero":                {},
		"no gateway":          {Devices: []iot.DeviceID{id(t, sub1), id(t, gw1)}},
		"gateway not last":    {Gateway: id(t, gw1), Devices: []iot.DeviceID{id(t, gw1), id(t, sub1)}},
		"gateway twice":       {Gateway: id(t, gw1), Devices: []iot.DeviceID{id(t, gw1), id(t, gw1)}},
		"sub-devices swapped": {Gateway: id(t, gw1), Devices: []iot.DeviceID{id(t, sub2), id(t, sub1), id(t, gw1)}},
		"bad name":            {Devices: []iot.DeviceID{{ProductKey: "a1Meter0001", DeviceName: `"/`}}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := f.MarshalJSON()
			if !errors.Is(err, iot.Invalid) {
				t.Errorf("got %s, %v", text, err)
			}
		})
	}
}

// What is read can be written, and is the same when read again.
func FuzzFamilyJSON(f *testing.F) {
	f.Add([]byte(`{"device":"a1Meter0001/meter-1"}`))
	f.Add([]byte(`{"gateway":"a1Gatewy001/gw-1","subDevices":["a1Sensor001/sub-1","a1Sensor001/sub-2"]}`))
	f.Add([]byte(`{"gateway":"a1Gatewy001/gw-1","subDevices":["a1Gatewy001/gw-1"]}`))
	f.Add([]byte(`{"device":null,"gateway":"a1Gatewy001/gw-1","subDevices":[]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var first, second topology.Family
		if err := first.UnmarshalJSON(text); err != nil {
			if !errors.Is(err, iot.Invalid) {
				t.Fatalf("the error %v is not invalid", err)
			}
			return
		}
		written, err := first.MarshalJSON()
		if err != nil {
			t.Fatalf("%s was read, but is not written: %v", text, err)
		}
		if err := second.UnmarshalJSON(written); err != nil {
			t.Fatalf("%s is not read again: %v", written, err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(diff)
		}
	})
}
