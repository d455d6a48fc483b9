package fake_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

const alarms = "bS4cX9mLqT2kVw7RyZ8n000100"

func trackers(n int, forwarding ...fleet.Forwarding) *fleet.Fleet {
	f := newFleet()
	if forwarding == nil {
		forwarding = []fleet.Forwarding{amqp("DEFAULT_GROUP", iot.DeviceData, iot.StatusChange), amqp(alarms, iot.StatusChange, iot.Lifecycle)}
	}
	f.Products = append(f.Products, custom(tracker, iot.Direct, forwarding...))
	add(f, tracker, names("t", n), nil)
	return f
}

func (b *bench) drain(instance, group string) []iot.Message {
	b.Helper()
	r := b.Receiver(instance)
	var all []iot.Message
	for {
		list := must(r.Receive(b.Context(), group, 100))
		all = append(all, list...)
		if len(list) == 0 {
			return all
		}
	}
}

func topics(list []iot.Message) []string {
	var out []string
	for _, m := range list {
		out = append(out, m.Topic)
	}
	return out
}

func TestReportsReachTheSinkOfTheInstanceWhereTheDeviceIs(t *testing.T) {
	b := newBench(t, meters(5, nil), nil)
	device := id(meter, "m-0002")
	before, ok := b.Sink("").Newest(device)
	if !ok || before.Topic != "/a1Meter0001/m-0002/user/update" || start.Sub(before.Generated) > time.Minute {
		t.Errorf("in the beginning: %+v, %v", before, ok)
	}
	b.ready(meter, "m-0001")
	b.clock.Advance(90 * time.Second)
	moved := b.clock.Now()
	b.move(meter, "m-0002")
	if _, ok := b.Sink(target).Newest(device); ok {
		t.Error("the target's sink has a message before the device is back")
	}
	b.clock.Advance(70 * time.Second)
	last, _ := b.Sink("").Newest(device)
	if last.Generated.After(moved) || moved.Sub(last.Generated) > time.Minute {
		t.Errorf("the source's newest message is of %v, the device moved at %v", last.Generated, moved)
	}
	now, ok := b.Sink(target).Newest(device)
	if !ok || !now.Generated.After(moved) || now.Instance != target || now.ID == last.ID {
		t.Errorf("the target's newest message is %+v, %v", now, ok)
	}
	if again, _ := b.Sink(target).Newest(device); cmp.Diff(now, again) != "" {
		t.Errorf("the same message looks different:\n%s", cmp.Diff(now, again))
	}
}

func TestDeviceThatHasComeBackHasNotReportedYet(t *testing.T) {
	b := newBench(t, meters(50, nil), nil)
	task := b.ready(meter, "m-0001")
	must(b.Console().Gray(t.Context(), task, names("m", 50)[1:]))
	b.clock.Advance(8 * time.Second)
	reported := 0
	for _, name := range names("m", 50) {
		state := must(b.platform(nil).Target.States(t.Context(), meter, []string{name}))[0]
		m, ok := b.Sink(target).Newest(id(meter, name))
		if ok && m.Generated.Before(state.LastOnline) {
			t.Errorf("%s is online since %v and reported at %v", name, state.LastOnline, m.Generated)
		}
		if ok {
			reported++
		}
		b.clock.Advance(time.Millisecond * 20) // states have a quota
	}
	if reported == 50 {
		t.Error("all devices have reported: the test sees nothing")
	}
}

func TestSinkShowsEachRule(t *testing.T) {
	b := newBench(t, meters(2, nil), nil)
	b.ready(meter, "m-0001")
	b.clock.Advance(time.Hour)
	for _, in := range []string{"", target} {
		device := id(meter, map[string]string{"": "m-0002", target: "m-0001"}[in])
		got := map[string]string{}
		for _, x := range b.Sink(in).Forwarded(device) {
			got[x.Message.Topic] = x.Actions[0]
		}
		want := map[string]string{
			"/" + device.String() + "/user/update": "OTS", "/" + device.String() + "/user/alarm": "FC",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("instance %q (-want +got):\n%s", in, d)
		}
	}
}

func TestForwardingComesAlong(t *testing.T) {
	f := trackers(3, rule("/+/user/update", "OTS", "FC"), amqp("DEFAULT_GROUP", iot.DeviceData), amqp(alarms, iot.StatusChange),
		fleet.Forwarding{Type: fleet.MNS, Queue: "iot-old", Events: []iot.Event{iot.DeviceData}})
	b := newBench(t, f, nil)
	p := b.platform(nil)
	if n := count(t, p.Target.Products(t.Context())); n != 0 {
		t.Fatalf("the target has %d products before", n)
	}
	must(b.Console().Gray(t.Context(), b.ready(tracker, "t-0001"), []string{"t-0002"}))

	rules := map[string][]iot.Rule{}
	for name, in := range map[string]iot.Instance{"source": p.Source, "target": p.Target} {
		for r, err := range in.Rules(t.Context()) {
			rules[name] = append(rules[name], must(r, err))
		}
	}
	if len(rules["target"]) != 1 {
		t.Fatalf("the target has the rules %+v, want one", rules["target"])
	}
	if rules["source"][0].ID == rules["target"][0].ID {
		t.Error("the migrated rule kept its ID")
	}
	rules["target"][0].ID = rules["source"][0].ID
	if d := cmp.Diff(rules["source"], rules["target"]); d != "" {
		t.Errorf("rules (-source +target):\n%s", d)
	}

	source := must(p.Source.Subscriptions(t.Context(), tracker))
	there := must(p.Target.Subscriptions(t.Context(), tracker))
	if len(source) != 2 || len(there) != 1 || there[0].Type != iot.AMQP {
		t.Fatalf("subscriptions: source %+v, target %+v; MNS must stay behind", source, there)
	}
	if d := cmp.Diff(source[0].Events, there[0].Events); d != "" {
		t.Errorf("events (-source +target):\n%s", d)
	}
	groups := map[string]string{}
	for g, err := range p.Target.Groups(t.Context()) {
		groups[must(g, err).ID] = g.Name
	}
	if there[0].Groups[0] != "DEFAULT_GROUP" || there[0].Groups[1] == alarms || groups[there[0].Groups[1]] != "alarms" {
		t.Errorf("groups of the target %v, of them subscribed %v", groups, there[0].Groups)
	}
}

func count[T any](t *testing.T, seq func(func(T, error) bool)) int {
	t.Helper()
	n := 0
	for _, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestGroupGetsReportsAndStatusInTheOrderOfTime(t *testing.T) {
	b := newBench(t, trackers(3), nil)
	b.clock.Advance(2 * time.Minute)
	got := b.drain("", "DEFAULT_GROUP")
	if len(got) != 6 {
		t.Fatalf("3 devices in 2 minutes: %d messages %v", len(got), topics(got))
	}
	if !slices.IsSortedFunc(got, func(x, y iot.Message) int { return x.Generated.Compare(y.Generated) }) {
		t.Errorf("not in the order of time: %v", topics(got))
	}
	b.clock.Advance(30 * time.Second)
	b.ready(tracker, "t-0001")
	b.clock.Advance(30 * time.Second)

	status := func(m iot.Message) (s struct {
		Status     string
		DeviceName string
		Code       int `json:"offlineReasonCode"`
	}) {
		if err := json.Unmarshal(m.Payload, &s); err != nil || m.Topic != "/as/mqtt/status/a1Tracker01/t-0001" {
			t.Errorf("message %s %s: %v", m.Topic, m.Payload, err)
		}
		return s
	}
	data := b.drain("", "DEFAULT_GROUP")
	if !slices.ContainsFunc(data, func(m iot.Message) bool { return strings.HasPrefix(m.Topic, "/as/") }) ||
		!slices.IsSortedFunc(data, func(x, y iot.Message) int { return x.Generated.Compare(y.Generated) }) {
		t.Errorf("status and reports together are not in the order of time: %v", topics(data))
	}
	list := b.drain("", alarms)
	if s := status(list[0]); s.Status != "offline" || s.Code != 521 || s.DeviceName != "t-0001" {
		t.Errorf("the source says %+v", s)
	}
	there := b.groupsOf(target)[1]
	if list := b.drain(target, there); len(list) != 1 || status(list[0]).Status != "online" {
		t.Errorf("the target says %v", topics(list))
	}
}

func (b *bench) groupsOf(instance string) []string {
	b.Helper()
	s := must(b.QuerySubscribeRelation(b.Context(), fake.QuerySubscribeRelationRequest{IotInstanceId: instance, ProductKey: tracker, Type: "AMQP"}))
	return s.ConsumerGroupIds
}

func TestMigrationNotices(t *testing.T) {
	b := newBench(t, trackers(3), nil)
	task := b.ready(tracker, "t-0001")
	b.move(tracker, "t-0002")
	must(b.Console().Rollback(t.Context(), task, []string{"t-0002"}))
	if err := b.Console().Full(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Second)
	var got []iot.MigrationNotice
	for _, m := range b.drain("", "DEFAULT_GROUP") {
		if n, ok := m.Notice(); ok {
			got = append(got, n)
		}
	}
	notice := func(status string, list ...string) iot.MigrationNotice {
		n := iot.MigrationNotice{Status: status, Target: target}
		for _, name := range list {
			n.Devices = append(n.Devices, id(tracker, name))
		}
		return n
	}
	want := []iot.MigrationNotice{
		notice("GRAY_EXECUTING", "t-0001"), notice("GRAY_EXECUTING", "t-0002"),
		notice("ROLLBACK_EXECUTING", "t-0002"), notice("ALL_EXECUTING", "t-0002", "t-0003"),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("notices (-want +got):\n%s", d)
	}
}

func TestLifecycleMessages(t *testing.T) {
	b := newBench(t, trackers(2), func(_ *fake.Options, q *fake.Quirks) { q.LifecycleOnMove = true })
	b.ready(tracker, "t-0001")
	action := func(instance, group string) (list []string) {
		for _, m := range b.drain(instance, group) {
			var body struct{ Action, DeviceSecret string }
			if strings.HasSuffix(m.Topic, "/thing/lifecycle") && json.Unmarshal(m.Payload, &body) == nil {
				list = append(list, fmt.Sprintf("%s %v", body.Action, body.DeviceSecret != ""))
			}
		}
		return list
	}
	if got := action("", alarms); !slices.Equal(got, []string{"delete false"}) {
		t.Errorf("source: %v", got)
	}
	if got := action(target, b.groupsOf(target)[1]); !slices.Equal(got, []string{"create true"}) {
		t.Errorf("target: %v", got)
	}
}

// TestBacklogIsWhatCanBeConsumed compares the number with the messages, before and while somebody
// consumes, while devices move.
func TestBacklogIsWhatCanBeConsumed(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 2))
			f := trackers(20, amqp("DEFAULT_GROUP", iot.DeviceData, iot.StatusChange), rule("/+/user/update", "OTS"), rule("/+/user/state", "OTS"))
			b := newBench(t, f, func(_ *fake.Options, q *fake.Quirks) { q.NoticeGroups = []string{} })
			b.ready(tracker, "t-0001")
			for i := range 8 {
				b.move(tracker, fmt.Sprintf("t-%04d", 2+r.IntN(19)))
				b.clock.Advance(time.Duration(r.Int64N(int64(5 * time.Hour))))
				for _, in := range []string{"", target} {
					want := must(b.platform(nil).Source.GroupStatus(t.Context(), "DEFAULT_GROUP")).Backlog
					if in == target {
						want = must(b.platform(nil).Target.GroupStatus(t.Context(), "DEFAULT_GROUP")).Backlog
					}
					if i%3 != 2 {
						continue
					}
					got := b.drain(in, "DEFAULT_GROUP")
					if len(got) != want {
						t.Errorf("step %d, instance %q: %d messages, the backlog was %d", i, in, len(got), want)
					}
					seen := map[string]bool{}
					for _, m := range got {
						if seen[m.ID] {
							t.Errorf("message %s comes twice", m.ID)
						}
						seen[m.ID] = true
						if b.clock.Now().Sub(m.Generated) > 24*time.Hour {
							t.Errorf("message of %v is older than a day", m.Generated)
						}
					}
				}
				b.clock.Advance(time.Second)
			}
		})
	}
}

func TestSteadyBacklogIsWhatCanBeConsumed(t *testing.T) {
	for _, every := range []time.Duration{time.Minute, 7 * time.Minute} {
		f := trackers(5, amqp("DEFAULT_GROUP", iot.DeviceData))
		b := newBench(t, f, func(_ *fake.Options, q *fake.Quirks) { q.ReportEvery = every })
		b.clock.Advance(72*time.Hour + 13*time.Second)
		want := must(b.platform(nil).Source.GroupStatus(t.Context(), "DEFAULT_GROUP")).Backlog
		if got := len(b.drain("", "DEFAULT_GROUP")); got != want || got < 5*int(24*time.Hour/every) {
			t.Errorf("every %v: %d messages, the backlog was %d", every, got, want)
		}
	}
}

func TestNewSubscriptionAtTheTarget(t *testing.T) {
	b := newBench(t, trackers(3), nil)
	p, ctx := b.platform(nil), t.Context()
	b.ready(tracker, "t-0001")
	g := must(p.Target.CreateGroup(ctx, "new-server"))
	want := iot.Subscription{
		ProductKey: tracker, Type: iot.AMQP, Groups: []string{g.ID}, Events: []iot.Event{iot.DeviceData, iot.Lifecycle},
	}
	for range 2 {
		if err := p.Target.Subscribe(ctx, want); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]iot.Subscription{want}, must(p.Target.Subscriptions(ctx, tracker))); d != "" {
		t.Errorf("subscriptions (-want +got):\n%s", d)
	}
	b.clock.Advance(90 * time.Second)
	if got := b.drain(target, g.ID); len(got) == 0 || got[0].Topic != "/a1Tracker01/t-0001/user/update" {
		t.Errorf("the new group got %v", topics(got))
	}
	if got := b.drain("", "DEFAULT_GROUP"); len(got) == 0 {
		t.Error("the source's group got nothing of the devices that stayed")
	}
	if _, err := p.Target.CreateGroup(ctx, "new-server"); iot.KindOf(err) != iot.Conflict {
		t.Errorf("a name that is taken: %v", err)
	}
	mns := iot.Subscription{ProductKey: tracker, Type: iot.MNS, Queue: "q", Events: []iot.Event{iot.DeviceData}}
	if err := p.Target.Subscribe(ctx, mns); iot.KindOf(err) != iot.Invalid {
		t.Errorf("MNS at an Enterprise instance: %v", err)
	}
}
