package migratetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// platformDone calls everything with a context that has ended.
func platformDone(ctx context.Context, b *platformBench) error {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	for _, call := range everyCall(ctx, b) {
		err := b.silent(call.name, func() error {
			if err := call.do(); !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%s: got error %v, want %v", call.name, err, context.Canceled)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A namedCall is a call of one method.
type namedCall struct {
	name string
	do   func() error
}

// everyCall returns one call of each method of the contracts.
func everyCall(ctx context.Context, b *platformBench) []namedCall {
	at := b.Platform.Source
	id := directID(1)
	gateway := iot.DeviceID{ProductKey: GatewayProduct, DeviceName: "gateway-0000"}
	drop := func(_ any, err error) error { return err }
	return append(everyConfigCall(ctx, at), []namedCall{
		{"Products", func() error { return drop(collect("", at.Products(ctx))) }},
		{"Product", func() error { return drop(at.Product(ctx, id.ProductKey)) }},
		{"Devices", func() error { return drop(collect("", at.Devices(ctx, id.ProductKey))) }},
		{"Distributed", func() error { return drop(collect("", at.Distributed(ctx, id.ProductKey))) }},
		{"States", func() error { return drop(at.States(ctx, id.ProductKey, []string{id.DeviceName})) }},
		{"Children", func() error { return drop(collect("", at.Children(ctx, gateway))) }},
		{"GatewayOf", func() error { return drop(at.GatewayOf(ctx, id)) }},
		{"Rules", func() error { return drop(collect("", at.Rules(ctx))) }},
		{"Subscriptions", func() error { return drop(at.Subscriptions(ctx, id.ProductKey)) }},
		{"Groups", func() error { return drop(collect("", at.Groups(ctx))) }},
		{"GroupStatus", func() error { return drop(at.GroupStatus(ctx, "DEFAULT_GROUP")) }},
		{"ThingModel", func() error { return drop(at.ThingModel(ctx, ThingModelProduct)) }},
		{"ModelVersions", func() error { return drop(at.ModelVersions(ctx, ThingModelProduct)) }},
		{"ThingModelVersion", func() error { return drop(at.ThingModelVersion(ctx, ThingModelProduct, "v1.0.0")) }},
		{"PropertyHistory", func() error {
			return drop(at.PropertyHistory(ctx, battery(), []string{"Charge"}, worldStart(), b.clock.Now().Add(time.Hour)))
		}},
		{"EventHistory", func() error {
			return drop(at.EventHistory(ctx, battery(), "Hot", worldStart(), b.clock.Now().Add(time.Hour)))
		}},
		{"ServiceHistory", func() error {
			return drop(at.ServiceHistory(ctx, battery(), "Check", worldStart(), b.clock.Now().Add(time.Hour)))
		}},
		{"Publish", func() error { return drop(at.Publish(ctx, "/"+id.String()+"/user/get", []byte("x"))) }},
		{"Call", func() error { return drop(at.Call(ctx, id, []byte("x"), time.Second)) }},
		{"Invoke", func() error { return drop(at.Invoke(ctx, id, "Check", json.RawMessage(`{}`))) }},
		{"SetProperties", func() error { return drop(at.SetProperties(ctx, id, json.RawMessage(`{}`))) }},
		{"Register", func() error {
			return drop(at.Register(ctx, iot.DeviceID{ProductKey: id.ProductKey, DeviceName: "fresh-0001"}))
		}},
		{"CreateGroup", func() error { return drop(at.CreateGroup(ctx, "conformance")) }},
		{"Subscribe", func() error {
			return at.Subscribe(ctx, iot.Subscription{ProductKey: id.ProductKey, Type: iot.AMQP, Groups: []string{"DEFAULT_GROUP"}, Events: []iot.Event{iot.DeviceData}})
		}},
		{"Move", func() error { return drop(b.Platform.Mover.Move(ctx, id.ProductKey, []string{id.DeviceName})) }},
		{"Receive", func() error { return drop(b.Source.Receive(ctx, "DEFAULT_GROUP", 1)) }},
	}...)
}

// everyConfigCall returns one call of each method beyond a view that the driver has.
func everyConfigCall(ctx context.Context, at iot.Instance) []namedCall {
	id, config, write := directID(1), at.Config, at.Configure
	drop := func(_ any, err error) error { return err }
	var calls []namedCall
	add := func(there bool, more ...namedCall) {
		if there {
			calls = append(calls, more...)
		}
	}
	add(config.Rules != nil, namedCall{"Rule", func() error { return drop(config.Rules.Rule(ctx, "4711")) }})
	add(config.Parsers != nil, namedCall{"Parsers", func() error { return drop(collect("", config.Parsers.Parsers(ctx))) }})
	add(config.Scripts != nil, namedCall{"Script", func() error { return drop(config.Scripts.Script(ctx, id.ProductKey)) }})
	add(config.Labels != nil, namedCall{"Labels", func() error { return drop(config.Labels.Labels(ctx, id)) }})
	add(config.Shadows != nil, namedCall{"Shadow", func() error { return drop(config.Shadows.Shadow(ctx, id)) }})
	add(config.DeviceGroups != nil,
		namedCall{"DeviceGroups", func() error { return drop(collect("", config.DeviceGroups.DeviceGroups(ctx))) }},
		namedCall{"GroupDevices", func() error { return drop(collect("", config.DeviceGroups.GroupDevices(ctx, "site0001"))) }},
		namedCall{"DeviceGroupsOf", func() error { return drop(config.DeviceGroups.DeviceGroupsOf(ctx, id)) }})
	add(config.Jobs != nil,
		namedCall{"Jobs", func() error { return drop(collect("", config.Jobs.Jobs(ctx))) }},
		namedCall{"OTAJobs", func() error { return drop(collect("", config.Jobs.OTAJobs(ctx, id.ProductKey))) }},
		namedCall{"OTATasks", func() error { return drop(collect("", config.Jobs.OTATasks(ctx, "ota-000"))) }},
		namedCall{"Scenes", func() error { return drop(collect("", config.Jobs.Scenes(ctx))) }})
	add(write.Labels != nil, namedCall{"SetLabels", func() error { return write.Labels.SetLabels(ctx, id, map[string]string{"a": "b"}) }})
	add(write.DeviceGroups != nil,
		namedCall{"CreateDeviceGroup", func() error { return drop(write.DeviceGroups.CreateDeviceGroup(ctx, iot.DeviceGroup{Name: "site_1"})) }},
		namedCall{"AddToDeviceGroup", func() error { return drop(write.DeviceGroups.AddToDeviceGroup(ctx, "site0001", []iot.DeviceID{id})) }})
	return calls
}

// platformKinds lets the platform refuse reads and writes: each is called once, and classified.
func platformKinds(ctx context.Context, b *platformBench) error {
	read := func() error { _, err := b.Platform.Source.States(ctx, DirectProduct, directNames(0, 1)); return err }
	write := func() error {
		_, err := b.Platform.Source.Publish(ctx, "/"+directID(0).String()+"/user/get", []byte("x"))
		return err
	}
	for _, c := range []struct {
		api     string
		do      func() error
		refusal iot.Kind
		want    iot.Kind
	}{
		{"BatchGetDeviceState", read, iot.Throttled, iot.Throttled},
		{"BatchGetDeviceState", read, iot.Denied, iot.Denied},
		{"BatchGetDeviceState", read, iot.Transient, iot.Transient},
		{"Pub", write, iot.Throttled, iot.Throttled},
		{"Pub", write, iot.Denied, iot.Denied},
		{"Pub", write, iot.Transient, iot.UnknownOutcome}, // a failure within the platform tells nothing
	} {
		b.disturb(c.api, Fault{Refuse: c.refusal})
		before := b.calls(c.api)
		if err := refused(fmt.Sprintf("%s refused as %s", c.api, c.refusal), c.do(), c.want); err != nil {
			return err
		}
		if n := b.calls(c.api) - before; n != 1 {
			return fmt.Errorf("%s refused as %s: %d calls, want 1: the caller decides about another", c.api, c.refusal, n)
		}
	}
	return nil
}

// platformConcurrent reads and moves at once.
func platformConcurrent(ctx context.Context, b *platformBench) error {
	if err := b.open(ctx, DirectProduct, directName(0)); err != nil {
		return err
	}
	const callers, each = 4, 5
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := range each {
				if _, err := b.Platform.Mover.Move(ctx, DirectProduct, []string{directName(1 + i*each + n)}); err != nil {
					errs[i] = fmt.Errorf("contract of Move: %w", err)
					return
				}
				if _, err := b.Platform.Source.States(ctx, DirectProduct, directNames(100, 150)); err != nil {
					errs[i] = fmt.Errorf("contract of States: %w", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for n := range callers * each {
		if b.cloud.MovedTimes(directID(1+n)) != 1 {
			return fmt.Errorf("contract of Move: device %s moved %d times, want once", directID(1+n), b.cloud.MovedTimes(directID(1+n)))
		}
	}
	return nil
}
