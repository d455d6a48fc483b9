package fake_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

const (
	target  = "iot-060a0001"
	meter   = "a1Meter0001"
	gateway = "a1Gateway01"
	climate = "a1Climate01"
	tracker = "a1Tracker01"
	storage = "a1Storage01"
)

var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// newFleet returns an account with the two instances and no products.
func newFleet() *fleet.Fleet {
	return &fleet.Fleet{
		Account: fleet.Account{UID: "1098765432109876", Region: "cn-shanghai"},
		Instances: []fleet.Instance{
			{ID: "", Type: iot.PublicLegacy},
			{ID: target, Type: iot.EnterpriseStandard, OnlineQuota: 1_000_000},
		},
		ConsumerGroups: []fleet.ConsumerGroup{{ID: "bS4cX9mLqT2kVw7RyZ8n000100", Name: "alarms"}},
	}
}

func custom(key string, node iot.NodeType, forwarding ...fleet.Forwarding) fleet.Product {
	return fleet.Product{
		Key: key, Name: key, NodeType: node, Auth: iot.AuthPerDevice, DataFormat: iot.Custom, Network: iot.WiFi,
		Forwarding: forwarding,
	}
}

func rule(topic string, actions ...string) fleet.Forwarding {
	return fleet.Forwarding{Type: fleet.Rule, Name: "to_" + actions[0], Topic: topic, Actions: actions}
}

func amqp(group string, events ...iot.Event) fleet.Forwarding {
	return fleet.Forwarding{Type: fleet.AMQP, ConsumerGroup: group, Events: events}
}

func id(key, name string) iot.DeviceID { return iot.DeviceID{ProductKey: key, DeviceName: name} }

func names(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%s-%04d", prefix, i+1)
	}
	return list
}

// add puts devices into a fleet that are online and reconnect; change may alter each.
func add(f *fleet.Fleet, key string, list []string, change func(i int, d *fleet.Device)) {
	for i, name := range list {
		d := fleet.Device{ID: id(key, name), Secret: iot.NewSecret("s-" + name), Status: iot.Online, Reconnects: true}
		if change != nil {
			change(i, &d)
		}
		f.Devices = append(f.Devices, d)
	}
}

// A bench is a Cloud with its clock.
type bench struct {
	*fake.Cloud
	testing.TB
	clock *fake.VirtualClock
}

func newBench(t testing.TB, f *fleet.Fleet, change func(*fake.Options, *fake.Quirks)) *bench {
	t.Helper()
	b := &bench{TB: t, clock: fake.NewVirtualClock(start)}
	o := fake.Options{Clock: b.clock, Quirks: fake.DefaultQuirks()}
	if change != nil {
		change(&o, o.Quirks)
	}
	c, err := fake.New(f, o)
	if err != nil {
		t.Fatal(err)
	}
	b.Cloud = c
	return b
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// ready makes a task of the product gray-completed by moving one device.
func (b *bench) ready(key, first string) (taskID string) {
	b.Helper()
	ctx := b.Context()
	taskID = must(b.Console().CreateTask(ctx, key, target))
	if r := must(b.Console().Gray(ctx, taskID, []string{first})); r[0].Status != "DEVICE_SUCCEEDED" {
		b.Fatalf("gray batch: %+v", r)
	}
	if err := b.Console().Confirm(ctx, taskID); err != nil {
		b.Fatal(err)
	}
	return taskID
}

// move moves devices by the API, within its quota.
func (b *bench) move(key string, list ...string) []fake.MigrationResult {
	b.Helper()
	var all []fake.MigrationResult
	for batch := range slices.Chunk(list, 10) {
		out, err := b.BatchGrayMigrationDevice(b.Context(), fake.BatchGrayMigrationDeviceRequest{ProductKey: key, DeviceNames: batch})
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, out.Details...)
		b.clock.Advance(200 * time.Millisecond)
	}
	return all
}

func (b *bench) truth(key, name string) fake.Truth {
	b.Helper()
	t, ok := b.Truth(id(key, name))
	if !ok {
		b.Fatalf("there is no device %s/%s", key, name)
	}
	return t
}

func (b *bench) platform(p iot.Pacer) iot.Platform {
	b.Helper()
	return must(b.Platform(target, p))
}
