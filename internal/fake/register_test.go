package fake_test

import (
	"errors"
	"testing"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

func TestDynamicRegistration(t *testing.T) {
	f := meters(3, func(i int, d *fleet.Device) {
		d.Status = []iot.Status{iot.Unactive, iot.Offline, iot.Disabled}[i]
	})
	f.Products[0].Auth = iot.AuthPerProductPreregistered
	f.Products = append(f.Products, custom(tracker, iot.Direct))
	add(f, tracker, names("t", 1), func(_ int, d *fleet.Device) { d.Status = iot.Unactive })
	tests := []struct {
		name   string
		device iot.DeviceID
		kind   iot.Kind
		code   string
	}{
		{"never connected", id(meter, "m-0001"), iot.Unclassified, ""},
		{"activated", id(meter, "m-0002"), iot.Conflict, "6289"},
		{"disabled", id(meter, "m-0003"), iot.Conflict, "522"},
		{"not registered before", id(meter, "m-0004"), iot.NotFound, "6100"},
		{"a certificate per device", id(tracker, "t-0001"), iot.Denied, "6288"},
		{"no such product", id("a1Nothing01", "m-0001"), iot.NotFound, "6250"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, f, nil)
			before, _ := b.DeviceSecret(test.device)
			secret, err := b.DynamicRegister(test.device)
			code := ""
			if e, ok := errors.AsType[*iot.Error](err); ok {
				code = e.Code
			}
			if iot.KindOf(err) != test.kind || code != test.code {
				t.Fatalf("error %v, want kind %s and code %s", err, test.kind, test.code)
			}
			after, _ := b.DeviceSecret(test.device)
			if err != nil && after != before {
				t.Error("a refused registration has changed the secret")
			}
			if err == nil && (after != secret || after == before || len(secret.Reveal()) != 32) {
				t.Errorf("secret of %d characters, kept: %v, new: %v", len(secret.Reveal()), after == secret, after != before)
			}
		})
	}
}

func TestRegistrationIsPossibleUntilTheDeviceConnects(t *testing.T) {
	f := meters(1, func(_ int, d *fleet.Device) { d.Status = iot.Unactive })
	f.Products[0].Auth = iot.AuthPerProductPreregistered
	b := newBench(t, f, nil)
	device := id(meter, "m-0001")
	first, second := must(b.DynamicRegister(device)), must(b.DynamicRegister(device))
	if first == second {
		t.Error("the secret is not a new one")
	}
	if err := b.PowerOn(device, first); iot.KindOf(err) != iot.Denied {
		t.Errorf("with the old secret: %v", err)
	}
	must(b.Attach(device, fake.PublicDomain, clientIP))
	if _, err := b.DynamicRegister(device); iot.KindOf(err) != iot.Conflict {
		t.Errorf("after it has connected: %v", err)
	}
}
