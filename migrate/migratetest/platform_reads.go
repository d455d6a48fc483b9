package migratetest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
)

// collect reads a sequence to its end.
func collect[T any](what string, seq iter.Seq2[T, error]) ([]T, error) {
	var list []T
	for x, err := range seq {
		if err != nil {
			return list, fmt.Errorf("%s: %w", what, err)
		}
		list = append(list, x)
	}
	return list, nil
}

// lastError reads a sequence that has to end with one error.
func lastError[T any](what string, seq iter.Seq2[T, error], kind iot.Kind) error {
	var last error
	for _, err := range seq {
		if last != nil {
			return fmt.Errorf("%s: it goes on after its error", what)
		}
		last = err
	}
	return refused(what, last, kind)
}

func differ[T any](what string, want, got T) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("%s: -want +got:\n%s", what, diff)
	}
	return nil
}

func platformProducts(ctx context.Context, b *platformBench) error {
	seq := b.Platform.Source.Products(ctx)
	list, err := collect("Products", seq)
	if err != nil {
		return err
	}
	again, err := collect("Products", seq)
	if err != nil {
		return err
	}
	if err := differ("Products, ranged over again", list, again); err != nil {
		return err
	}
	byKey := map[string]iot.Product{}
	for _, p := range list {
		byKey[p.Key] = p
	}
	if len(byKey) != len(list) || len(list) != benchProducts+6 {
		return fmt.Errorf("contract of Products: %d with %d keys, want %d", len(list), len(byKey), benchProducts+6)
	}
	for _, want := range []iot.Product{
		{Key: DirectProduct, Name: "Meter", NodeType: iot.Direct, Auth: iot.AuthSecret, DataFormat: iot.Custom, Network: iot.WiFi, Devices: benchDirect},
		{Key: ThingModelProduct, Name: "Battery", NodeType: iot.Direct, Auth: iot.AuthSecret, DataFormat: iot.Alink, Network: iot.WiFi, Devices: 4},
		{Key: GatewayProduct, Name: "Gateway", NodeType: iot.Gateway, Auth: iot.AuthSecret, DataFormat: iot.Custom, Network: iot.WiFi, Devices: 2},
		{Key: SubProduct, Name: "Sensor", NodeType: iot.SubDevice, Auth: iot.AuthSecret, DataFormat: iot.Custom, Network: iot.WiFi, Devices: benchSubs},
	} {
		one, err := b.Platform.Source.Product(ctx, want.Key)
		if err != nil {
			return fmt.Errorf("contract of Product: %w", err)
		}
		if err := differ("Product", want, one); err != nil {
			return err
		}
		if err := differ("Products", want, byKey[want.Key]); err != nil {
			return err
		}
	}
	_, err = b.Platform.Source.Product(ctx, "a1Nothing01")
	return refused("Product that does not exist", err, iot.NotFound)
}

func platformDevices(ctx context.Context, b *platformBench) error {
	seq := b.Platform.Source.Devices(ctx, DirectProduct)
	for range 2 {
		list, err := collect("Devices", seq)
		if err != nil {
			return err
		}
		var want []iot.Device
		for n := benchDirect - 1; n >= 0; n-- { // newest first
			d := iot.Device{ID: directID(n), Status: iot.Online}
			if n%4 == 3 {
				d.Status = iot.Offline
			}
			want = append(want, d)
		}
		if err := differ("Devices", want, list); err != nil {
			return err
		}
	}
	empty, err := collect("Devices", b.Platform.Source.Devices(ctx, "a1Empty0000"))
	if err != nil || len(empty) > 0 {
		return fmt.Errorf("contract of Devices of a product without any: got %v, %v", empty, err)
	}
	if err := lastError("Devices of no product", b.Platform.Source.Devices(ctx, "a1Nothing01"), iot.NotFound); err != nil {
		return err
	}
	placed, err := collect("Distributed", b.Platform.Source.Distributed(ctx, DirectProduct))
	if err == nil && len(placed) > 0 {
		err = fmt.Errorf("contract of Distributed: got %v, want none", placed)
	}
	return err
}

// platformPages breaks loops: no more pages are read than were needed.
func platformPages(ctx context.Context, b *platformBench) error {
	before := b.calls("QueryDevice")
	for range b.Platform.Source.Devices(ctx, DirectProduct) {
		break
	}
	if n := b.calls("QueryDevice") - before; n != 1 {
		return fmt.Errorf("contract of Devices, left at the first: %d calls, want 1", n)
	}
	before = b.calls("QueryProductList")
	for range b.Platform.Source.Products(ctx) {
		break
	}
	if n := b.calls("QueryProductList") - before; n != 1 {
		return fmt.Errorf("contract of Products, left at the first: %d calls, want 1", n)
	}
	b.disturb("QueryDevice", Fault{Refuse: iot.Throttled})
	return lastError("Devices, throttled", b.Platform.Source.Devices(ctx, DirectProduct), iot.Throttled)
}

func platformStates(ctx context.Context, b *platformBench) error {
	read := b.Platform.Source.States
	got, err := read(ctx, DirectProduct, []string{directName(7), "no-such-device", directName(0), directName(3)})
	if err != nil {
		return fmt.Errorf("contract of States: %w", err)
	}
	var words []string
	for _, s := range got {
		words = append(words, s.ID.String()+" "+string(s.Status))
		if s.Status == iot.Online && (s.LastOnline.IsZero() || s.LastOnline.Location() != time.UTC) {
			return fmt.Errorf("contract of States: device %s is online since %v, want a time in UTC", s.ID, s.LastOnline)
		}
	}
	want := []string{directID(7).String() + " offline", directID(0).String() + " online", directID(3).String() + " offline"}
	if err := differ("States", want, words); err != nil {
		return err
	}
	if got, err = read(ctx, "a1Nothing01", []string{"direct-0001"}); err != nil || len(got) > 0 {
		return fmt.Errorf("contract of States of a product that is not there: got %v, %v; want nothing", got, err)
	}
	if got, err = read(ctx, DirectProduct, directNames(0, iot.MaxStates)); err != nil || len(got) != iot.MaxStates {
		return fmt.Errorf("contract of States of %d devices: got %d, %v", iot.MaxStates, len(got), err)
	}
	return b.silent("States of too many", func() error {
		_, err := read(ctx, DirectProduct, directNames(0, iot.MaxStates+1))
		return refused("States of too many", err, iot.Invalid)
	})
}

func platformTopology(ctx context.Context, b *platformBench) error {
	gateway := iot.DeviceID{ProductKey: GatewayProduct, DeviceName: "gateway-0001"}
	subs, err := collect("Children", b.Platform.Source.Children(ctx, gateway))
	if err != nil {
		return err
	}
	var want []iot.DeviceID
	for id := range b.cloud.Devices() {
		if b.cloud.GatewayOf(id) == gateway {
			want = append(want, id)
		}
	}
	slices.SortFunc(want, iot.DeviceID.Compare)
	slices.SortFunc(subs, iot.DeviceID.Compare)
	if err := differ("Children", want, subs); err != nil {
		return err
	}
	got, err := b.Platform.Source.GatewayOf(ctx, subs[0])
	if err != nil || got != gateway {
		return fmt.Errorf("contract of GatewayOf %s: got %v, %v; want %s", subs[0], got, err, gateway)
	}
	_, err = b.Platform.Source.GatewayOf(ctx, directID(0))
	return refused("GatewayOf a device without one", err, iot.NotFound)
}

func platformRules(ctx context.Context, b *platformBench) error {
	rules, err := collect("Rules", b.Platform.Source.Rules(ctx))
	if err != nil {
		return err
	}
	if want := benchProducts + 6; len(rules) != want {
		return fmt.Errorf("contract of Rules: got %d, want %d", len(rules), want)
	}
	for _, r := range rules {
		if r.ProductKey == DirectProduct {
			want := iot.Rule{ID: r.ID, Name: "reports_to_table", ProductKey: DirectProduct, Topic: "/+/user/update", Running: true, Actions: []string{"OTS"}}
			if r.ID == "" {
				return fmt.Errorf("contract of Rules: rule %q has no ID", r.Name)
			}
			return differ("Rules", want, r)
		}
	}
	return fmt.Errorf("contract of Rules: there is none of product %s", DirectProduct)
}

func platformGroups(ctx context.Context, b *platformBench) error {
	subs, err := b.Platform.Source.Subscriptions(ctx, PreRegisteredProduct)
	if err != nil {
		return fmt.Errorf("contract of Subscriptions: %w", err)
	}
	if err := differ("Subscriptions", []iot.Subscription{{
		ProductKey: PreRegisteredProduct, Type: iot.AMQP, Groups: []string{"DEFAULT_GROUP"}, Events: []iot.Event{iot.DeviceData, iot.StatusChange},
	}}, subs); err != nil {
		return err
	}
	if subs, err = b.Platform.Source.Subscriptions(ctx, DirectProduct); err != nil || len(subs) > 0 {
		return fmt.Errorf("contract of Subscriptions of a product without: got %v, %v", subs, err)
	}
	groups, err := collect("Groups", b.Platform.Source.Groups(ctx))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(groups, func(g iot.ConsumerGroup) bool { return g.ID == "DEFAULT_GROUP" && g.Name != "" }) {
		return fmt.Errorf("contract of Groups: DEFAULT_GROUP is missing in %v", groups)
	}
	b.clock.Advance(5 * time.Minute)
	status, err := b.Platform.Source.GroupStatus(ctx, "DEFAULT_GROUP")
	if err != nil || status.Backlog == 0 || status.Clients != 0 {
		return fmt.Errorf("contract of GroupStatus of a group that nobody reads: got %+v, %v", status, err)
	}
	_, err = b.Platform.Source.GroupStatus(ctx, "NoSuchGroup")
	return refused("GroupStatus of no group", err, iot.NotFound)
}

func platformModel(ctx context.Context, b *platformBench) error {
	model, err := b.Platform.Source.ThingModel(ctx, ThingModelProduct)
	if err != nil {
		return fmt.Errorf("contract of ThingModel: %w", err)
	}
	var m struct {
		Properties []struct{ Identifier string }
	}
	if err := json.Unmarshal(model, &m); err != nil || len(m.Properties) != 1 || m.Properties[0].Identifier != "Charge" {
		return fmt.Errorf("contract of ThingModel: got %s, %v; want one with the property Charge", model, err)
	}
	_, err = b.Platform.Source.ThingModel(ctx, DirectProduct)
	return refused("ThingModel of a product without", err, iot.NotFound)
}

// platformWrongInstance asks the target about what the source has.
func platformWrongInstance(ctx context.Context, b *platformBench) error {
	at := b.Platform.Target
	_, err := at.Product(ctx, DirectProduct)
	if err := refused("Product of the other instance", err, iot.NotFound); err != nil {
		return err
	}
	if err := lastError("Devices of the other instance", at.Devices(ctx, DirectProduct), iot.NotFound); err != nil {
		return err
	}
	gateway := iot.DeviceID{ProductKey: GatewayProduct, DeviceName: "gateway-0000"}
	if err := lastError("Children at the other instance", at.Children(ctx, gateway), iot.NotFound); err != nil {
		return err
	}
	if states, err := at.States(ctx, DirectProduct, directNames(0, 2)); err != nil || len(states) > 0 {
		return fmt.Errorf("contract of States at the other instance: got %v, %v; want nothing", states, err)
	}
	_, err = at.Call(ctx, directID(0), []byte("x"), time.Second)
	if err := refused("Call through the other instance", err, iot.NotFound); err != nil {
		return err
	}
	_, err = at.Register(ctx, iot.DeviceID{ProductKey: DirectProduct, DeviceName: "fresh-0001"})
	return refused("Register at the other instance", err, iot.NotFound)
}
