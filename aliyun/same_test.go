package aliyun_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// A said is what a call returned, as far as it can be compared.
type said struct {
	Value any
	Error string // kind and code
}

func saidBy[T any](value T, err error) said {
	if err == nil {
		return said{Value: value}
	}
	return said{Error: fmt.Sprintf("%v %s", iot.KindOf(err), codeIn(err))}
}

func all[T any](seq iter.Seq2[T, error]) said {
	var list []T
	for x, err := range seq {
		if err != nil {
			return saidBy(list, err)
		}
		list = append(list, x)
	}
	return said{Value: list}
}

// everything asks an instance all that it can be asked, and lets it do all that it can do.
func everything(ctx context.Context, at iot.Instance) map[string]said {
	direct := iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: "direct-0000"}
	off := iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: "direct-0003"}
	battery := iot.DeviceID{ProductKey: migratetest.ThingModelProduct, DeviceName: "battery-0000"}
	gateway := iot.DeviceID{ProductKey: migratetest.GatewayProduct, DeviceName: "gateway-0001"}
	fresh := iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: "fresh-0001"}
	nobody := iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: "no-such-device"}
	out := map[string]said{
		"products": all(at.Products(ctx)),
		"devices":  all(at.Devices(ctx, direct.ProductKey)), "devices of none": all(at.Devices(ctx, "a1Nothing01")),
		"placed":    all(at.Distributed(ctx, direct.ProductKey)),
		"states":    saidBy(at.States(ctx, direct.ProductKey, []string{"direct-0003", "no-such-device", "direct-0000"})),
		"no states": saidBy(at.States(ctx, direct.ProductKey, nil)),
		"children":  all(at.Children(ctx, gateway)), "gateway of none": saidBy(at.GatewayOf(ctx, direct)),
		"rules":         all(at.Rules(ctx)),
		"subscriptions": saidBy(at.Subscriptions(ctx, migratetest.PreRegisteredProduct)),
		"no model":      saidBy(at.ThingModel(ctx, direct.ProductKey)),
		"model":         saidBy(at.ThingModel(ctx, battery.ProductKey)),
		"status":        saidBy(at.GroupStatus(ctx, "DEFAULT_GROUP")), "no status": saidBy(at.GroupStatus(ctx, "NoGroup")),
		"publish":  saidBy(at.Publish(ctx, "/"+direct.String()+"/user/get", []byte{0, 0xff})),
		"to none":  saidBy(at.Publish(ctx, "/"+nobody.String()+"/user/get", []byte("x"))),
		"nowhere":  saidBy(at.Publish(ctx, "/nowhere", []byte("x"))),
		"call":     saidBy(at.Call(ctx, direct, []byte{0, 0xff}, time.Second)),
		"call off": saidBy(at.Call(ctx, off, []byte("x"), time.Second)),
		"too long": saidBy(at.Call(ctx, direct, []byte("x"), 9*time.Second)),
		"sync":     saidBy(at.Invoke(ctx, battery, "Check", json.RawMessage(`{}`))),
		"async":    saidBy(at.Invoke(ctx, battery, "Calibrate", json.RawMessage(`{}`))),
		"set":      saidBy(at.SetProperties(ctx, battery, json.RawMessage(`{"Charge": 50}`))),
		"register": saidBy(at.Register(ctx, fresh)), "register again": saidBy(at.Register(ctx, fresh)),
		"group":       saidBy(at.CreateGroup(ctx, "campaign")),
		"subscribe":   saidBy(0, at.Subscribe(ctx, iot.Subscription{ProductKey: direct.ProductKey, Type: iot.AMQP, Groups: []string{"DEFAULT_GROUP"}, Events: []iot.Event{iot.Lifecycle}})),
		"to no group": saidBy(0, at.Subscribe(ctx, iot.Subscription{ProductKey: direct.ProductKey, Type: iot.AMQP, Groups: []string{"NoGroup"}, Events: []iot.Event{iot.Lifecycle}})),
		"subscribed":  saidBy(at.Subscriptions(ctx, direct.ProductKey)),
	}
	out["groups"] = all(at.Groups(ctx))
	for name, x := range config(ctx, at, direct, nobody) {
		out[name] = x
	}
	return out
}

// config asks for what is beyond a view, and writes what can be written.
func config(ctx context.Context, at iot.Instance, id, nobody iot.DeviceID) map[string]said {
	c, w := at.Config, at.Configure
	group, err := w.DeviceGroups.CreateDeviceGroup(ctx, iot.DeviceGroup{Name: "site_1"})
	made := saidBy(group, err)
	for g := range c.DeviceGroups.DeviceGroups(ctx) {
		group = g
	}
	return map[string]said{
		"new group": made, "new group again": saidBy(w.DeviceGroups.CreateDeviceGroup(ctx, iot.DeviceGroup{Name: "site_1"})),
		"members": saidBy(w.DeviceGroups.AddToDeviceGroup(ctx, group.ID, []iot.DeviceID{id, nobody})),
		"of none": saidBy(w.DeviceGroups.AddToDeviceGroup(ctx, "nothing", []iot.DeviceID{id})), "device groups": all(c.DeviceGroups.DeviceGroups(ctx)),
		"group devices": all(c.DeviceGroups.GroupDevices(ctx, group.ID)), "groups of": saidBy(c.DeviceGroups.DeviceGroupsOf(ctx, id)),
		"set labels": saidBy(0, w.Labels.SetLabels(ctx, id, map[string]string{"a": "b"})), "labels": saidBy(c.Labels.Labels(ctx, id)),
		"labels of none": saidBy(c.Labels.Labels(ctx, nobody)), "shadow": saidBy(c.Shadows.Shadow(ctx, id)), "shadow of none": saidBy(c.Shadows.Shadow(ctx, nobody)),
		"no script": saidBy(c.Scripts.Script(ctx, id.ProductKey)), "no rule": saidBy(c.Rules.Rule(ctx, "1")),
		"parsers": all(c.Parsers.Parsers(ctx)), "jobs": all(c.Jobs.Jobs(ctx)), "scenes": all(c.Jobs.Scenes(ctx)), "updates": all(c.Jobs.OTAJobs(ctx, id.ProductKey)),
	}
}

// The adapter, over sockets, says the same as the driver of the platform in memory, call by call.
func TestSameAsInMemory(t *testing.T) {
	served, direct := newWorld(t, smallFleet(), fake.Options{Quotas: fake.NoQuotas}), newWorld(t, smallFleet(), fake.Options{Quotas: fake.NoQuotas})
	wire := openClient(t, testConfig(served.serve(t))).Platform()
	memory, err := direct.Platform(testTarget, nil)
	if err != nil {
		t.Fatal(err)
	}
	moves := func(p iot.Platform) (out []said) {
		for _, names := range [][]string{{"direct-0001", "direct-0000", "no-such-device"}, nil, {"direct-0002"}} {
			out = append(out, saidBy(p.Mover.Move(t.Context(), migratetest.DirectProduct, names)))
		}
		return out
	}
	check := func(when string) {
		t.Helper()
		for name, pair := range map[string][2]iot.Instance{"source": {memory.Source, wire.Source}, "target": {memory.Target, wire.Target}} {
			want, got := everything(t.Context(), pair[0]), everything(t.Context(), pair[1])
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(func(a, b iot.Secret) bool { return a == b })); diff != "" {
				t.Errorf("%s, %s (-memory +wire):\n%s", name, when, diff)
			}
		}
		if diff := cmp.Diff(moves(memory), moves(wire)); diff != "" {
			t.Errorf("moves, %s (-memory +wire):\n%s", when, diff)
		}
	}
	if diff := cmp.Diff(memory.Source.Info, wire.Source.Info) + cmp.Diff(memory.Target.Info, wire.Target.Info); diff != "" || memory.Account != wire.Account {
		t.Errorf("who they are (-memory +wire):\n%s", diff)
	}
	check("at the start")
	for _, w := range []*world{served, direct} {
		w.ready(t, migratetest.DirectProduct, "direct-0000")
		w.ready(t, migratetest.GatewayProduct, "gateway-0001")
		w.clock.Advance(time.Minute)
	}
	check("with devices on both")
}
