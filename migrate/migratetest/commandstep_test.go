package migratetest_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// Every command that the platform takes makes a step, and one more when the device has received it, whatever the caller is told.
func TestCommandSteps(t *testing.T) {
	clock := migratetest.NewClock(start())
	var steps []string
	var fault migratetest.Fault
	c := open(t, migratetest.GenerateOptions{ThingModel: 2, OfflineEvery: 2}, migratetest.Options{
		Clock: clock, Fault: func(migratetest.Op) migratetest.Fault { return fault },
		Command: func(s migratetest.CommandStep) {
			steps = append(steps, fmt.Sprintf("%s %s %s %t", s.API, s.Device.DeviceName, s.Payload, s.Received))
		},
	})
	to := c.Platform().Source
	ways := map[string]func(id iot.DeviceID, payload string) error{
		"Pub": func(id iot.DeviceID, payload string) error {
			_, err := to.Publish(t.Context(), "/"+id.String()+"/user/get", []byte(payload))
			return err
		},
		"RRpc": func(id iot.DeviceID, payload string) error {
			_, err := to.Call(t.Context(), id, []byte(payload), time.Second)
			return err
		},
		"InvokeThingService": func(id iot.DeviceID, payload string) error {
			_, err := to.Invoke(t.Context(), id, "Calibrate", json.RawMessage(payload))
			return err
		},
		"synchronous": func(id iot.DeviceID, payload string) error {
			_, err := to.Invoke(t.Context(), id, "Check", json.RawMessage(payload))
			return err
		},
		"SetDeviceProperty": func(id iot.DeviceID, payload string) error {
			_, err := to.SetProperties(t.Context(), id, json.RawMessage(payload))
			return err
		},
	}
	const awake, asleep, payload = "battery-0000", "battery-0001", `{"Charge":7}`
	taken := func(api, device string) string { return fmt.Sprintf("%s %s %s false", api, device, payload) }
	received := func(api, device string) string { return fmt.Sprintf("%s %s %s true", api, device, payload) }
	lost := migratetest.Fault{Lost: true}
	for _, test := range []struct {
		way, device string
		fault       migratetest.Fault
		fails       iot.Kind // Unclassified if it does not
		want        []string
	}{
		{"Pub", awake, migratetest.Fault{}, iot.Unclassified, []string{taken("Pub", awake), received("Pub", awake)}},
		{"Pub", awake, lost, iot.UnknownOutcome, []string{taken("Pub", awake), received("Pub", awake)}},
		{"Pub", awake, migratetest.Fault{Refuse: iot.Throttled}, iot.Throttled, nil},
		{"Pub", awake, migratetest.Fault{Lie: migratetest.Always}, iot.Unclassified, nil},
		{"RRpc", awake, migratetest.Fault{}, iot.Unclassified, []string{taken("RRpc", awake), received("RRpc", awake)}},
		{"RRpc", asleep, migratetest.Fault{}, iot.NotConnected, nil},
		{"synchronous", awake, lost, iot.UnknownOutcome, []string{taken("InvokeThingService", awake), received("InvokeThingService", awake)}},
		{"synchronous", asleep, migratetest.Fault{}, iot.NotConnected, nil},
		{"InvokeThingService", awake, migratetest.Fault{}, iot.Unclassified, []string{taken("InvokeThingService", awake), received("InvokeThingService", awake)}},
		{"InvokeThingService", asleep, migratetest.Fault{}, iot.Unclassified, []string{taken("InvokeThingService", asleep)}},
		{"SetDeviceProperty", awake, migratetest.Fault{}, iot.Unclassified, []string{taken("SetDeviceProperty", awake), received("SetDeviceProperty", awake)}},
		{"SetDeviceProperty", asleep, migratetest.Fault{}, iot.Unclassified, []string{taken("SetDeviceProperty", asleep)}},
		{"Pub", asleep, migratetest.Fault{}, iot.Unclassified, []string{taken("Pub", asleep)}},
	} {
		steps, fault = nil, test.fault
		err := ways[test.way](iot.DeviceID{ProductKey: migratetest.ThingModelProduct, DeviceName: test.device}, payload)
		if (err != nil) != (test.fails != iot.Unclassified) || iot.KindOf(err) != test.fails {
			t.Errorf("%s to %s: error %v", test.way, test.device, err)
		}
		if diff := cmp.Diff(test.want, steps); diff != "" {
			t.Errorf("%s to %s: -want +got:\n%s", test.way, test.device, diff)
		}
	}
	steps, fault = nil, migratetest.Fault{}
	credential, err := c.Credential(t.Context(), iot.DeviceID{ProductKey: migratetest.ThingModelProduct, DeviceName: asleep})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.PowerOn(credential); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{received("Pub", asleep)}, steps); diff != "" {
		t.Errorf("when it wakes: -want +got:\n%s", diff)
	}
}
