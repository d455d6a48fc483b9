package migratetest

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

func dev(product, name string) iot.DeviceID {
	return iot.DeviceID{ProductKey: product, DeviceName: name}
}

// children reads the sub-devices that an instance shows.
func children(t *testing.T, v iot.View, gateway iot.DeviceID) []iot.DeviceID {
	t.Helper()
	var out []iot.DeviceID
	for id, err := range v.Children(t.Context(), gateway) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, id)
	}
	return out
}

// What people do to devices is seen through the platform's interfaces, and devices come online again by themselves.
func TestDrift(t *testing.T) {
	clock := NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	c, err := Open(bytes.NewReader(Generate(GenerateOptions{Gateways: 2, SubDevices: 2, Direct: 1})), Options{Clock: clock, NoQuotas: true})
	if err != nil {
		t.Fatal(err)
	}
	first, second := dev(GatewayProduct, "gateway-0000"), dev(GatewayProduct, "gateway-0001")
	sensor, fresh, direct := dev(SubProduct, "sensor-0000"), dev(SubProduct, "fresh"), dev(DirectProduct, "fresh")
	source, target := c.Platform().Source.View, c.Platform().Target.View
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Minute)
	}
	online := func(id iot.DeviceID, want bool) {
		t.Helper()
		if got := c.Online(id); got != want {
			t.Errorf("device %s is online: %v, want %v", id, got, want)
		}
	}
	must(c.Add(fresh, first), c.Add(direct, iot.DeviceID{}))
	if n := len(children(t, source, first)); n != 3 {
		t.Errorf("the first gateway has %d sub-devices, want 3", n)
	}
	online(fresh, true)
	online(direct, true)
	must(c.SetGateway(sensor, second))
	if g, err := source.GatewayOf(t.Context(), sensor); g != second || err != nil {
		t.Errorf("the gateway is %s (%v), want %s", g, err, second)
	}
	online(sensor, true)
	must(c.SetGateway(sensor, iot.DeviceID{}))
	online(sensor, false)
	must(c.Delete(second), c.Delete(direct))
	if _, ok := c.Owner(second); ok {
		t.Error("the deleted gateway lives somewhere")
	}
	if states, err := source.States(t.Context(), GatewayProduct, []string{"gateway-0000", "gateway-0001"}); len(states) != 1 || err != nil {
		t.Errorf("the source shows %v (%v), want the first gateway alone", states, err)
	}
	if p, err := source.Product(t.Context(), DirectProduct); p.Devices != 1 || err != nil {
		t.Errorf("the source counts %d direct devices (%v), want 1", p.Devices, err)
	}
	if err := c.MoveByHand(direct); !errors.Is(err, iot.NotFound) {
		t.Errorf("moving a deleted device: %v, want not found", err)
	}
	if err := c.MoveByHand(first); !errors.Is(err, iot.Conflict) {
		t.Errorf("moving without a task: %v, want a conflict", err)
	}
	if err := c.Add(fresh, first); !errors.Is(err, iot.Conflict) {
		t.Errorf("adding a device twice: %v, want a conflict", err)
	}
	for _, kind := range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray, migrate.ConsoleConfirm} {
		task := migrate.ConsoleTask{Kind: kind, Target: target.Info}
		for _, id := range []iot.DeviceID{dev(SubProduct, "sensor-0001"), first, dev(OtherSubProduct, "valve-0000")} {
			task.Products = append(task.Products, migrate.ConsoleProduct{ProductKey: id.ProductKey, DeviceNames: []string{id.DeviceName}})
		}
		must(c.Operator().Perform(t.Context(), task))
	}
	must(c.MoveByHand(fresh))
	if owner, _ := c.Owner(fresh); owner != target.Info.ID || c.MovedTimes(fresh) != 1 {
		t.Errorf("the device is at %q after it was moved by hand", owner)
	}
	online(fresh, true)
}
