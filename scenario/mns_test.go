package scenario_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

const heir = "instead of mns"

// mnsCloud has two products with MNS queues, and AMQP subscriptions that carry less.
func mnsCloud(t *testing.T, fault func(migratetest.Op) migratetest.Fault) (*migratetest.Cloud, *clock) {
	t.Helper()
	c := &clock{Clock: migratetest.NewClock(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC))}
	cloud, err := migratetest.Open(
		bytes.NewReader(migratetest.Generate(migratetest.GenerateOptions{Direct: 4, PreRegistered: 4, MNS: true})),
		migratetest.Options{Clock: c, NoQuotas: true, Fault: fault})
	if err != nil {
		t.Fatal(err)
	}
	return cloud, c
}

func mnsSwitch() scenario.MNSSwitch {
	return scenario.MNSSwitch{Group: heir, Products: []string{migratetest.DirectProduct, migratetest.PreRegisteredProduct}}
}

// forwards is what an instance does with the messages of the two products: their subscriptions, with the names of groups.
func forwards(t *testing.T, at iot.View) (out []iot.Subscription) {
	t.Helper()
	names := map[string]string{}
	for g, err := range at.Groups(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names[g.ID] = g.Name
	}
	if n := len(names); n > 2 {
		t.Errorf("%d groups, want the default one and one more: %v", n, names)
	}
	for _, key := range mnsSwitch().Products {
		all, err := at.Subscriptions(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			for i, id := range s.Groups {
				s.Groups[i] = names[id]
			}
			slices.Sort(s.Groups)
			slices.Sort(s.Events)
			out = append(out, s)
		}
	}
	return out
}

// Killed before or after any write, and run again, the switch comes to the same end; run once more, it changes nothing.
func TestMNSSwitchIsIdempotent(t *testing.T) {
	cloud, _ := mnsCloud(t, nil)
	if _, err := mnsSwitch().Apply(t.Context(), cloud.Platform().Source); err != nil {
		t.Fatal(err)
	}
	want := forwards(t, cloud.Platform().Source.View)
	for _, s := range want {
		if s.Type == iot.AMQP && (!slices.Contains(s.Groups, heir) || !slices.Contains(s.Groups, "default") || !slices.Contains(s.Events, iot.Lifecycle)) {
			t.Errorf("the subscription of %s became %+v", s.ProductKey, s)
		}
	}
	const writes = 3 // one group, two subscriptions
	for _, fault := range []migratetest.Fault{{Lost: true}, {Refuse: iot.Transient}} {
		for at := range writes {
			n := 0
			cloud, _ := mnsCloud(t, func(op migratetest.Op) migratetest.Fault {
				if !op.Writes() || op.Kind != "api" {
					return migratetest.Fault{}
				}
				if n++; n == at+1 {
					return fault
				}
				return migratetest.Fault{}
			})
			source := cloud.Platform().Source
			if _, err := mnsSwitch().Apply(t.Context(), source); !errors.Is(err, iot.Transient) {
				t.Errorf("write %d, %+v: got %v, want to be called again", at+1, fault, err)
			}
			for range 2 {
				if g, err := mnsSwitch().Apply(t.Context(), source); err != nil || g.Name != heir || g.ID == "" {
					t.Errorf("write %d, %+v: again: got %+v, %v", at+1, fault, g, err)
				}
			}
			if n != writes+1 && !(fault.Lost && n == writes) {
				t.Errorf("write %d, %+v: %d writes in all", at+1, fault, n)
			}
			if diff := cmp.Diff(want, forwards(t, source.View)); diff != "" {
				t.Errorf("write %d, %+v (-undisturbed +this):\n%s", at+1, fault, diff)
			}
		}
	}
}

// everyClass is all that a queue can get.
func everyClass() []iot.Event {
	return []iot.Event{
		iot.DeviceData, iot.StatusChange, iot.Lifecycle, iot.TopologyChange, iot.FoundDevices, iot.HistoryData, iot.LabelChange,
		iot.OTAEvent, iot.OTAVersion, iot.OTAJobStatus,
	}
}

// busy lets a queue get every class of messages, beside an AMQP subscription to devices' data.
func busy(t *testing.T, cloud *migratetest.Cloud) {
	t.Helper()
	err := cloud.SetupSource(migratetest.Setup{Subscriptions: []iot.Subscription{
		{ProductKey: migratetest.DirectProduct, Type: iot.AMQP, Groups: []string{"DEFAULT_GROUP"}, Events: []iot.Event{iot.DeviceData}},
		{ProductKey: migratetest.DirectProduct, Type: iot.MNS, Queue: "q", Events: everyClass()},
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// What somebody subscribes while the switch is at work with another product stays.
func TestMNSSwitchTakesNothingAway(t *testing.T) {
	cloud, _ := mnsCloud(t, nil)
	source := cloud.Platform().Source
	g, err := source.CreateGroup(t.Context(), "somebody's")
	if err != nil {
		t.Fatal(err)
	}
	source.Subscriber = &meanwhile{source.Subscriber, func() {
		to := iot.Subscription{
			ProductKey: migratetest.PreRegisteredProduct, Type: iot.AMQP, Groups: []string{"DEFAULT_GROUP", g.ID},
			Events: []iot.Event{iot.DeviceData, iot.TopologyChange},
		}
		if err := cloud.Platform().Source.Subscribe(t.Context(), to); err != nil {
			t.Error(err)
		}
	}}
	if _, err := mnsSwitch().Apply(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	all, err := source.Subscriptions(t.Context(), migratetest.PreRegisteredProduct)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Type == iot.AMQP && (!slices.Contains(s.Groups, g.ID) || !slices.Contains(s.Events, iot.TopologyChange) || len(s.Groups) != 3) {
			t.Errorf("the subscription became %+v", s)
		}
	}
}

// meanwhile does something before the first subscription.
type meanwhile struct {
	iot.Subscriber
	do func()
}

func (m *meanwhile) Subscribe(ctx context.Context, s iot.Subscription) error {
	if m.do != nil {
		m.do()
		m.do = nil
	}
	return m.Subscriber.Subscribe(ctx, s)
}

// The adapter of the real platform does the same, over sockets: the group gets each class of messages that the queue gets.
func TestMNSSwitchOverSockets(t *testing.T) {
	memory, _ := mnsCloud(t, nil)
	busy(t, memory)
	if _, err := mnsSwitch().Apply(t.Context(), memory.Platform().Source); err != nil {
		t.Fatal(err)
	}
	want := iot.Subscription{ProductKey: migratetest.DirectProduct, Type: iot.AMQP, Groups: []string{"default", heir}, Events: everyClass()}
	slices.Sort(want.Events)
	if diff := cmp.Diff(want, forwards(t, memory.Platform().Source.View)[0]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	cloud, c := mnsCloud(t, nil)
	busy(t, cloud)
	wire, err := cloud.Listen(t.Context(), migratetest.WireOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := aliyun.Open(aliyun.Config{
		Region: wire.Region, Account: wire.Account, Target: wire.Target, RootCAs: wire.RootCAs, Pacer: unpaced{},
		Credentials: aliyun.Static(wire.AccessKeyID, wire.AccessKeySecret),
		Endpoints:   aliyun.Endpoints{OpenAPI: wire.OpenAPITLS, SourceAMQP: wire.AMQPTLS, TargetAMQP: wire.AMQPTLS, SourceMQTT: wire.MQTTTLS},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(client.Close(), wire.Close()); err != nil {
			t.Error(err)
		}
	}()
	source := client.Platform().Source
	for range 2 {
		if g, err := mnsSwitch().Apply(t.Context(), source); err != nil || g.ID == "" {
			t.Fatalf("got %+v, %v", g, err)
		}
	}
	if diff := cmp.Diff(forwards(t, memory.Platform().Source.View), forwards(t, source.View)); diff != "" {
		t.Errorf("-memory +sockets:\n%s", diff)
	}
	cloud.Serve("")
	c.Advance(3 * time.Minute)
	if err := mnsSwitch().Check(t.Context(), source.View); err != nil {
		t.Error(err)
	}
}

// unpaced lets every call through at once: quotas are off.
type unpaced struct{}

func (unpaced) Wait(ctx context.Context, _ string) error { return ctx.Err() }
func (unpaced) Throttled(string)                         {}

// crowded has no room for another group.
type crowded struct{ iot.Subscriber }

func (crowded) CreateGroup(context.Context, string) (iot.ConsumerGroup, error) {
	return iot.ConsumerGroup{}, &iot.Error{Kind: iot.Conflict, Op: "CreateConsumerGroup", Message: "1000 groups already"}
}

func TestMNSSwitchRefuses(t *testing.T) {
	cloud, _ := mnsCloud(t, nil)
	source := cloud.Platform().Source
	m := mnsSwitch()
	for _, short := range []string{"abc", "消费组"} {
		m.Group = short
		if _, err := m.Apply(t.Context(), source); !errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), "3 characters") {
			t.Errorf("a short name: %v", err)
		}
	}
	m.Group = "十二个字符的消费组名称呀" // three bytes each
	if _, err := m.Apply(t.Context(), source); err != nil {
		t.Errorf("twelve characters: %v", err)
	}
	count := cloud.Platform().Source
	count.Subscriber = crowded{}
	m.Group = "one too many"
	if _, err := m.Apply(t.Context(), count); iot.KindOf(err) != iot.Transient || !strings.Contains(err.Error(), "1000 groups already") {
		t.Errorf("an account without room for a group: %v", err)
	}
	var groups []string
	for n := range 10 {
		g, err := source.CreateGroup(t.Context(), "group "+string(rune('a'+n)))
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, g.ID)
	}
	full := iot.Subscription{ProductKey: migratetest.DirectProduct, Type: iot.AMQP, Groups: groups, Events: []iot.Event{iot.DeviceData}}
	if err := source.Subscribe(t.Context(), full); err != nil {
		t.Fatal(err)
	}
	if _, err := mnsSwitch().Apply(t.Context(), source); !errors.Is(err, iot.Conflict) || !strings.Contains(err.Error(), migratetest.DirectProduct) {
		t.Errorf("ten groups already: %v", err)
	}
	for g := range source.Groups(t.Context()) {
		if g.Name == heir {
			t.Error("a group was created for nothing")
		}
	}
	m = scenario.MNSSwitch{Group: heir, Products: []string{"a1Nothing01"}}
	if _, err := m.Apply(t.Context(), source); !errors.Is(err, iot.NotFound) {
		t.Errorf("no such product: %v", err)
	}
	denied := cloud.Platform().Source
	denied.Subscriber = refusing{iot.Denied}
	m = scenario.MNSSwitch{Group: heir, Products: []string{migratetest.PreRegisteredProduct}}
	if _, err := m.Apply(t.Context(), denied); !errors.Is(err, iot.Denied) {
		t.Errorf("without permission: %v", err)
	}
}

// Check says what is missing until the group is subscribed, read, and has brought something.
func TestMNSFlows(t *testing.T) {
	cloud, c := mnsCloud(t, nil)
	source := cloud.Platform().Source
	missing := func(want string) {
		t.Helper()
		if err := mnsSwitch().Check(t.Context(), source.View); !errors.Is(err, iot.Transient) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
	missing("does not get yet")
	if _, err := mnsSwitch().Apply(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	missing("no client reads")
	cloud.Serve("")
	missing("not consumed anything yet")
	c.Advance(3 * time.Minute)
	if err := mnsSwitch().Check(t.Context(), source.View); err != nil {
		t.Errorf("everything flows: %v", err)
	}
	// Somebody takes a class of messages away again.
	for _, s := range []iot.Event{iot.DeviceData} {
		all, err := source.Subscriptions(t.Context(), migratetest.DirectProduct)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(x iot.Subscription) bool { return x.Type == iot.AMQP })
		all[i].Events = []iot.Event{s}
		if err := source.Subscribe(t.Context(), all[i]); err != nil {
			t.Fatal(err)
		}
	}
	missing("does not get yet")
	if err := (scenario.MNSSwitch{Group: heir}).Check(t.Context(), source.View); err != nil {
		t.Errorf("no products: %v", err)
	}
}

// A product that has MNS alone is blocked. Switched by hand and surveyed again, it is in a lane, moves, and the target's group gets its messages.
func TestMNSOnlyByHand(t *testing.T) {
	cloud, c := mnsCloud(t, nil)
	source := cloud.Platform().Source
	only := []iot.Subscription{{ProductKey: migratetest.DirectProduct, Type: iot.MNS, Queue: "q", Events: []iot.Event{iot.DeviceData}}}
	if err := cloud.SetupSource(migratetest.Setup{Subscriptions: only}); err != nil {
		t.Fatal(err)
	}
	blocked := func() bool {
		survey, err := cloud.Survey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		plan, err := migrate.Planner{Strategies: scenario.All(scenario.Options{})}.Plan(survey)
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(plan.Lanes, func(l migrate.LanePlan) bool { return l.Lane.ID == migratetest.DirectProduct })
	}
	if !blocked() {
		t.Fatal("a product with MNS alone is in a lane")
	}
	m := scenario.MNSSwitch{Group: heir, Products: []string{migratetest.DirectProduct}}
	if _, err := m.Apply(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	cloud.Serve("")
	c.Advance(3 * time.Minute)
	if err := m.Check(t.Context(), source.View); err != nil {
		t.Fatal(err)
	}
	if blocked() {
		t.Fatal("after the switch the product is blocked still")
	}
	r := campaign(t, cloud, c, scenario.Options{MNSGroup: heir, Sink: cloud.Sink()})
	if !r.Lanes[0].Finished || r.Lanes[0].Lane != migratetest.DirectProduct {
		t.Errorf("the lane came to %+v", r.Lanes[0])
	}
	target := cloud.Platform().Target
	c.Advance(3 * time.Minute)
	for g, err := range target.Groups(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if g.Name != heir {
			continue
		}
		status, err := target.GroupStatus(t.Context(), g.ID)
		if err != nil || status.Backlog == 0 {
			t.Errorf("the target's group has %+v, %v: want messages", status, err)
		}
		return
	}
	t.Error("the group did not come along")
}

// The stages stand before everything else, and only where there is something to switch.
func TestMNSStages(t *testing.T) {
	o := scenario.Options{MNSGroup: heir}
	names := func(o scenario.Options, l migrate.Lane) (out []string) {
		t.Helper()
		for _, s := range scenario.All(o) {
			stages, err := s.Stages(l)
			if err != nil {
				continue
			}
			if err := migrate.CheckStages(stages); err != nil {
				t.Error(err)
			}
			for _, x := range stages[:2] {
				out = append(out, x.Name)
			}
		}
		return out
	}
	if diff := cmp.Diff([]string{"mns-to-amqp", "mns-flow"}, names(o, directLane())); diff != "" {
		t.Errorf("with MNS: %s", diff)
	}
	for name, got := range map[string][]string{"without MNS": names(o, gatewayLane()), "without a group": names(scenario.Options{}, directLane())} {
		if got[0] != "create-task" {
			t.Errorf("%s: %v", name, got)
		}
	}
	called := false
	o.MNSFlow = func(context.Context, *migrate.Env) error { called = true; return nil }
	stages, err := scenario.Direct(o).Stages(directLane())
	if err != nil {
		t.Fatal(err)
	}
	if err := stages[1].Do(t.Context(), &migrate.Env{}); err != nil || !called {
		t.Errorf("MNSFlow: %v, called %v", err, called)
	}
	for _, bad := range []scenario.Options{{MNSGroup: "abc"}, {MNSFlow: o.MNSFlow}} {
		if err := bad.Check(); !errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), "MNS") {
			t.Errorf("got %v", err)
		}
	}
}
