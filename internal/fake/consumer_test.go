package fake_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

func TestUnsettledMessagesComeAgain(t *testing.T) {
	b := newBench(t, trackers(4), nil)
	b.clock.Advance(time.Minute)
	one := must(b.Consume("", "DEFAULT_GROUP", "one"))
	two := must(b.Consume("", "DEFAULT_GROUP", "two"))
	first := must(one.Receive(3))
	rest := must(two.Receive(10))
	if len(first) != 3 || len(rest) != 1 {
		t.Fatalf("clients share a group: got %d and %d", len(first), len(rest))
	}
	if err := one.Settle(first[0].Tag); err != nil {
		t.Fatal(err)
	}
	one.Close()
	again := must(two.Receive(10))
	if len(again) != 2 || again[0].Message.ID != first[1].Message.ID || again[1].Message.ID != first[2].Message.ID {
		t.Errorf("after the other client closed: %+v", again)
	}
	if err := two.Settle(again[0].Tag, rest[0].Tag); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(59 * time.Second)
	if err := two.Alive(); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Second)
	if late := must(two.Receive(1)); len(late) != 1 || late[0].Message.ID != again[1].Message.ID {
		t.Errorf("a minute later: %+v, want the message that was not settled", late)
	}
	if _, err := one.Receive(1); err == nil {
		t.Error("a closed consumer receives")
	}
	b.clock.Advance(61 * time.Second)
	if err := two.Alive(); err == nil {
		t.Error("a consumer that was silent for a minute is still connected")
	}
}

func TestGroupTakes64Clients(t *testing.T) {
	b := newBench(t, trackers(1), nil)
	for i := range 64 {
		must(b.Consume("", "DEFAULT_GROUP", fmt.Sprint(i)))
	}
	if _, err := b.Consume("", "DEFAULT_GROUP", "one more"); err == nil {
		t.Error("the 65th client got in")
	}
	if got := must(b.platform(nil).Source.GroupStatus(t.Context(), "DEFAULT_GROUP")).Clients; got != 64 {
		t.Errorf("%d clients, want 64", got)
	}
	if _, err := b.Consume("", "nothing", "x"); err == nil {
		t.Error("a group that does not exist can be consumed")
	}
}

func TestReceiverSettlesWhatItReturned(t *testing.T) {
	b := newBench(t, trackers(4), nil)
	r := b.Receiver("")
	seen := map[string]int{}
	for range 30 {
		b.clock.Advance(10 * time.Minute)
		for _, m := range must(r.Receive(t.Context(), "DEFAULT_GROUP", 1000)) {
			seen[m.ID]++
		}
	}
	if want := 4 * 300; len(seen) != want {
		t.Errorf("%d messages, want %d", len(seen), want)
	}
	for message, times := range seen {
		if times > 1 {
			t.Errorf("message %s came %d times", message, times)
		}
	}
	status := must(b.platform(nil).Source.GroupStatus(t.Context(), "DEFAULT_GROUP"))
	if status.Backlog != 0 || status.Clients != 1 || !status.LastConsumed.Equal(b.clock.Now()) {
		t.Errorf("status %+v", status)
	}
}

func TestGroupForgetsAfterADay(t *testing.T) {
	b := newBench(t, trackers(4), nil)
	if err := b.PowerOff(id(tracker, "t-0004")); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Hour)
	r := b.Receiver("")
	if got := must(r.Receive(t.Context(), "DEFAULT_GROUP", 3)); len(got) != 3 {
		t.Fatalf("%d messages", len(got))
	}
	b.clock.Advance(72 * time.Hour)
	want := 3 * 24 * 60
	if got := must(b.platform(nil).Source.GroupStatus(t.Context(), "DEFAULT_GROUP")).Backlog; got != want {
		t.Errorf("backlog %d, want a day's reports: %d", got, want)
	}
	list := b.drain("", "DEFAULT_GROUP")
	if len(list) != want || slices.ContainsFunc(list, func(m iot.Message) bool { return strings.HasPrefix(m.Topic, "/as/") }) {
		t.Errorf("%d messages, want %d and no status message of three days ago", len(list), want)
	}
}

func TestBacklogIsBounded(t *testing.T) {
	f := trackers(1, amqp("DEFAULT_GROUP", iot.StatusChange))
	b := newBench(t, f, func(_ *fake.Options, q *fake.Quirks) { q.MaxBacklog = 10 })
	device := id(tracker, "t-0001")
	for range 2000 {
		if err := b.PowerOff(device); err != nil {
			t.Fatal(err)
		}
		if err := b.PowerOn(device, iot.NewSecret("s-t-0001")); err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(time.Second)
	}
	list := b.drain("", "DEFAULT_GROUP")
	if len(list) != 10 || list[9].Generated.Before(start.Add(1998*time.Second)) {
		t.Errorf("%d messages, want the newest 10", len(list))
	}
}

// TestSubscriptionChangesWhileSomebodyConsumes checks that a group gets what it is subscribed to, and only
// from then on.
func TestSubscriptionChangesWhileSomebodyConsumes(t *testing.T) {
	b := newBench(t, trackers(10, amqp("DEFAULT_GROUP", iot.StatusChange)), nil)
	p, ctx := b.platform(nil), t.Context()
	subscribe := func(events ...iot.Event) {
		t.Helper()
		s := iot.Subscription{ProductKey: tracker, Type: iot.AMQP, Groups: []string{"DEFAULT_GROUP"}, Events: events}
		if err := p.Source.Subscribe(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	reports := func() int {
		b.clock.Advance(2 * time.Minute)
		list := b.drain("", "DEFAULT_GROUP")
		for _, m := range list {
			if m.Generated.Before(b.clock.Now().Add(-2 * time.Minute)) {
				t.Errorf("message of %v from before the subscription", m.Generated)
			}
		}
		return len(list)
	}
	if n := reports(); n != 0 {
		t.Errorf("subscribed to status only: %d messages", n)
	}
	subscribe(iot.StatusChange, iot.DeviceData)
	if n := reports(); n != 20 {
		t.Errorf("subscribed to data: %d messages, want 20", n)
	}
	b.clock.Advance(time.Minute)
	subscribe(iot.Lifecycle)
	if n := reports(); n != 0 {
		t.Errorf("data taken away: %d messages", n)
	}
	subscribe(iot.DeviceData)
	if n := reports(); n != 20 {
		t.Errorf("data again: %d messages, want 20", n)
	}
}

func TestSubscriptionThatIsChangedBeforeAnybodyConsumes(t *testing.T) {
	b := newBench(t, trackers(10, amqp("DEFAULT_GROUP", iot.DeviceData)), nil)
	source := b.platform(nil).Source
	for _, event := range []iot.Event{iot.StatusChange, iot.DeviceData} {
		b.clock.Advance(10 * time.Minute)
		s := iot.Subscription{ProductKey: tracker, Type: iot.AMQP, Groups: []string{"DEFAULT_GROUP"}, Events: []iot.Event{event}}
		if err := source.Subscribe(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	b.clock.Advance(time.Minute)
	if got := must(source.GroupStatus(t.Context(), "DEFAULT_GROUP")).Backlog; got != 10 {
		t.Errorf("backlog %d, want 10: the reports since the last change", got)
	}
	if got := len(b.drain("", "DEFAULT_GROUP")); got != 10 {
		t.Errorf("%d messages, want 10", got)
	}
}

func TestSubscriptionsThatAreRefused(t *testing.T) {
	b := newBench(t, trackers(1), nil)
	good := fake.SubscribeRelation{ProductKey: tracker, Type: "AMQP", ConsumerGroupIds: []string{alarms}, DeviceDataFlag: true}
	tests := map[string]struct {
		create bool
		change func(*fake.SubscribeRelation)
		want   string
	}{
		"exists":        {true, func(*fake.SubscribeRelation) {}, "iot.subscribe.AlreadyExistedSubscribeRelation"},
		"does not":      {false, func(r *fake.SubscribeRelation) { r.Type, r.MnsConfiguration = "MNS", "q" }, "iot.subscribe.NotExistedSubscribeRelation"},
		"no flag":       {false, func(r *fake.SubscribeRelation) { r.DeviceDataFlag = false }, "iot.subscribe.InvalidSubscribeRelation"},
		"no group":      {false, func(r *fake.SubscribeRelation) { r.ConsumerGroupIds = nil }, "iot.subscribe.InvalidSubscribeRelation"},
		"eleven groups": {false, func(r *fake.SubscribeRelation) { r.ConsumerGroupIds = make([]string, 11) }, "iot.subscribe.InvalidSubscribeRelation"},
		"unknown group": {false, func(r *fake.SubscribeRelation) { r.ConsumerGroupIds = []string{"x"} }, "iot.consumergroup.NotExistedConsumerGroup"},
		"unknown type":  {true, func(r *fake.SubscribeRelation) { r.Type = "HTTP" }, "iot.subscribe.InvalidSubscribeRelation"},
		"short name":    {true, func(r *fake.SubscribeRelation) { r.ProductKey = "x" }, "iot.prod.NotExistedProduct"},
	}
	for name, test := range tests {
		r := good
		test.change(&r)
		do := b.UpdateSubscribeRelation
		if test.create {
			do = b.CreateSubscribeRelation
		}
		if got := codeOf(do(t.Context(), r)); got != test.want {
			t.Errorf("%s: code %q, want %q", name, got, test.want)
		}
		b.clock.Advance(time.Second)
	}
	for name, want := range map[string]string{"abc": "iot.consumergroup.InvalidConsumerGroupName", strings.Repeat("x", 31): "iot.consumergroup.InvalidConsumerGroupName"} {
		_, err := b.CreateConsumerGroup(t.Context(), fake.CreateConsumerGroupRequest{GroupName: name})
		if codeOf(err) != want {
			t.Errorf("name %q: %v", name, err)
		}
	}
}
