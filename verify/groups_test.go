package verify_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

func amqpSub(events []iot.Event, groups ...string) iot.Subscription {
	return iot.Subscription{ProductKey: meters, Type: iot.AMQP, Groups: groups, Events: events}
}

// product is the lane's product as the source showed it.
func product(rules []iot.Rule, subs ...iot.Subscription) migrate.Lane {
	return migrate.Lane{ID: meters, Products: []migrate.Product{{Key: meters, Rules: rules, Subscriptions: subs}}}
}

func TestSubscription(t *testing.T) {
	data, status := []iot.Event{iot.DeviceData}, []iot.Event{iot.StatusChange}
	read := iot.GroupStatus{Clients: 1, LastConsumed: moved.Add(time.Second)}
	idle := iot.GroupStatus{Clients: 1, LastConsumed: moved.Add(-time.Hour)}
	tests := []struct {
		name           string
		config         verify.SubscriptionConfig
		planned, there []iot.Subscription
		source, target map[string]iot.GroupStatus
		want           migrate.Verdict
		seen           string
	}{
		{name: "read there, drained here",
			planned: []iot.Subscription{amqpSub(data, "old")}, there: []iot.Subscription{amqpSub(data, "new")},
			target: map[string]iot.GroupStatus{"new": read}, want: migrate.Pass, seen: "1 clients read"},
		{name: "no client there",
			planned: []iot.Subscription{amqpSub(data, "old")}, there: []iot.Subscription{amqpSub(data, "new")},
			target: map[string]iot.GroupStatus{"new": {LastConsumed: now}}, want: migrate.Inconclusive, seen: "no client reads group new"},
		{name: "false green: a client that consumes nothing",
			planned: []iot.Subscription{amqpSub(data, "old")}, there: []iot.Subscription{amqpSub(data, "new")},
			target: map[string]iot.GroupStatus{"new": idle}, want: migrate.Inconclusive, seen: "not consumed since"},
		{name: "false green: the first of two groups idles",
			there:  []iot.Subscription{amqpSub(data, "other", "new")},
			target: map[string]iot.GroupStatus{"new": read, "other": idle}, want: migrate.Inconclusive, seen: "not consumed since"},
		{name: "false green: the second of two groups idles",
			there:  []iot.Subscription{amqpSub(data, "new", "other")},
			target: map[string]iot.GroupStatus{"new": read, "other": idle}, want: migrate.Inconclusive, seen: "not consumed since"},
		{name: "a group without device data only needs a client",
			there:  []iot.Subscription{amqpSub(data, "new"), amqpSub(status, "alarms")},
			target: map[string]iot.GroupStatus{"new": read, "alarms": idle}, want: migrate.Pass, seen: "2 clients"},
		{name: "backlog at the source",
			planned: []iot.Subscription{amqpSub(data, "old")}, there: []iot.Subscription{amqpSub(data, "new")},
			source: map[string]iot.GroupStatus{"old": {Backlog: 3}},
			target: map[string]iot.GroupStatus{"new": read}, want: migrate.Inconclusive, seen: "3 messages wait in group old"},
		{name: "a backlog that is allowed", config: verify.SubscriptionConfig{MaxBacklog: 3},
			planned: []iot.Subscription{amqpSub(data, "old")}, there: []iot.Subscription{amqpSub(data, "new")},
			source: map[string]iot.GroupStatus{"old": {Backlog: 3}},
			target: map[string]iot.GroupStatus{"new": read}, want: migrate.Pass, seen: "drained"},
		{name: "not generated yet", planned: []iot.Subscription{amqpSub(data, "old")}, want: migrate.Inconclusive, seen: "has no AMQP subscription"},
		{name: "none at all", planned: []iot.Subscription{{ProductKey: meters, Type: iot.MNS, Queue: "q"}}, want: migrate.Pass, seen: "none to take over"},
		{name: "groups of the caller", config: verify.SubscriptionConfig{Groups: []string{"mine"}},
			there:  []iot.Subscription{amqpSub(data, "new")},
			target: map[string]iot.GroupStatus{"mine": read}, want: migrate.Pass, seen: "1 clients"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source, target := newSite(""), newSite(targetID)
			source.status, target.status = tt.source, tt.target
			target.subs = map[string][]iot.Subscription{meters: tt.there}
			s := subject(source, target, meter)
			s.Lane = product(nil, tt.planned...)
			f := one(t, verify.Subscription(tt.config), s)
			if f.Verdict != tt.want || !strings.Contains(f.Evidence.Seen, tt.seen) {
				t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
			}
		})
	}
}

func TestProductThatIsNotAtTheTargetYet(t *testing.T) {
	target := newSite(targetID)
	target.fails["Subscriptions"] = fault(iot.NotFound)
	s := subject(newSite(""), target, meter)
	s.Lane = product(nil, amqpSub([]iot.Event{iot.DeviceData}, "old"))
	for _, v := range []migrate.Verifier{verify.Forwarding(), verify.Subscription(verify.SubscriptionConfig{})} {
		if f := one(t, v, s); f.Verdict != migrate.Inconclusive {
			t.Errorf("%s: %s: %s", v.Name(), f.Verdict, f.Evidence.Seen)
		}
	}
}

func TestSubscriptionReadsEachGroupOnce(t *testing.T) {
	target := newSite(targetID)
	target.subs = map[string][]iot.Subscription{
		meters: {amqpSub([]iot.Event{iot.DeviceData}, "new")}, valves: {amqpSub([]iot.Event{iot.DeviceData}, "new")},
	}
	target.status = map[string]iot.GroupStatus{"new": {Clients: 1, LastConsumed: moved.Add(time.Minute)}}
	s := subject(newSite(""), target, meter, dev(valves, "valve-001"), dev(meters, "meter-0002"))
	s.Devices[2].Moved = moved.Add(time.Hour) // the group has not consumed since
	got := verdicts(look(t, verify.Subscription(verify.SubscriptionConfig{}), s))
	if diff := cmp.Diff([]migrate.Verdict{migrate.Pass, migrate.Pass, migrate.Inconclusive}, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if n := target.count("GroupStatus"); n != 1 {
		t.Errorf("the group was read %d times", n)
	}
}

func TestForwarding(t *testing.T) {
	rule := iot.Rule{ID: "1", Name: "to_table", ProductKey: meters, Topic: "/+/user/update", Running: true, Actions: []string{"OTS", "FC"}}
	with := func(change func(*iot.Rule)) []iot.Rule {
		r := rule
		r.ID = "900" // a migrated rule has another ID
		change(&r)
		return []iot.Rule{r}
	}
	same := func(*iot.Rule) {}
	events := []iot.Event{iot.DeviceData, iot.StatusChange}
	tests := []struct {
		name    string
		lane    migrate.Lane
		rules   []iot.Rule
		subs    []iot.Subscription
		want    migrate.Verdict
		seen    string
		stopped bool
	}{
		{name: "rule with another ID", lane: product([]iot.Rule{rule}), rules: with(same), want: migrate.Pass, seen: "all 1 rules and 0 AMQP"},
		{name: "actions in another order", lane: product([]iot.Rule{rule}), rules: with(func(r *iot.Rule) { r.Actions = []string{"FC", "OTS"} }), want: migrate.Pass, seen: "all 1 rules"},
		{name: "an action is missing", lane: product([]iot.Rule{rule}), rules: with(func(r *iot.Rule) { r.Actions = []string{"OTS"} }), want: migrate.Inconclusive, seen: "has the actions [OTS]"},
		{name: "no rule", lane: product([]iot.Rule{rule}), want: migrate.Inconclusive, seen: `"to_table" on /+/user/update is missing`},
		{name: "another product's rule", lane: product([]iot.Rule{rule}), rules: with(func(r *iot.Rule) { r.ProductKey = valves }), want: migrate.Inconclusive, seen: "is missing"},
		{name: "another topic", lane: product([]iot.Rule{rule}), rules: with(func(r *iot.Rule) { r.Topic = "/+/user/other" }), want: migrate.Inconclusive, seen: "is missing"},
		{name: "stopped", lane: product([]iot.Rule{rule}), rules: with(func(r *iot.Rule) { r.Running = false }), want: migrate.Inconclusive, seen: "is stopped"},
		{name: "subscription", lane: product(nil, amqpSub(events, "old")), subs: []iot.Subscription{amqpSub(events, "new")}, want: migrate.Pass, seen: "0 rules and 1 AMQP"},
		{name: "subscription with fewer classes", lane: product(nil, amqpSub(events, "old")), subs: []iot.Subscription{amqpSub(events[:1], "new")}, want: migrate.Inconclusive, seen: "lacks status"},
		{name: "subscription without a group", lane: product(nil, amqpSub(events, "old")), subs: []iot.Subscription{amqpSub(events)}, want: migrate.Inconclusive, seen: "lacks device-data, status"},
		{name: "MNS is left behind", lane: product(nil, iot.Subscription{Type: iot.MNS, Events: events}), want: migrate.Pass, seen: "0 AMQP"},
		{name: "nothing to forward", lane: product(nil), want: migrate.Pass, seen: "all 0 rules"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := newSite(targetID)
			target.rules, target.subs = tt.rules, map[string][]iot.Subscription{meters: tt.subs}
			s := subject(newSite(""), target, meter)
			s.Lane = tt.lane
			f := one(t, verify.Forwarding(), s)
			if f.Verdict != tt.want || !strings.Contains(f.Evidence.Seen, tt.seen) {
				t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
			}
		})
	}
}

func TestTopology(t *testing.T) {
	gw, other := dev(gateways, "gw-001"), dev(gateways, "gw-002")
	a, b, c := dev(valves, "valve-001"), dev(valves, "valve-002"), dev(valves, "valve-003")
	pass, fail, open := migrate.Pass, migrate.Fail, migrate.Inconclusive
	tests := []struct {
		name    string
		kids    map[iot.DeviceID][]iot.DeviceID
		parents map[iot.DeviceID]iot.DeviceID
		want    []migrate.Verdict // of a, b and the gateway
		seen    string            // of the last one that is no pass
	}{
		{"as planned", map[iot.DeviceID][]iot.DeviceID{gw: {b, a}}, nil, []migrate.Verdict{pass, pass, pass}, ""},
		{"the gateway is not there yet", nil, nil, []migrate.Verdict{open, open, open}, "2 of 2"},
		{"one is not visible yet", map[iot.DeviceID][]iot.DeviceID{gw: {a}}, nil, []migrate.Verdict{pass, open, open}, "1 of 2"},
		{"told twice is not two", map[iot.DeviceID][]iot.DeviceID{gw: {a, a}}, nil, []migrate.Verdict{pass, open, open}, "1 of 2"},
		{"only the sub-device tells", map[iot.DeviceID][]iot.DeviceID{gw: {a}}, map[iot.DeviceID]iot.DeviceID{b: gw}, []migrate.Verdict{pass, pass, open}, "1 of 2"},
		{"below another gateway", map[iot.DeviceID][]iot.DeviceID{gw: {a}, other: {b}}, map[iot.DeviceID]iot.DeviceID{b: other}, []migrate.Verdict{pass, fail, open}, "1 of 2"},
		{"one too many", map[iot.DeviceID][]iot.DeviceID{gw: {a, b, c}}, nil, []migrate.Verdict{pass, pass, fail}, "not in the plan"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := newSite(targetID)
			target.kids, target.parents = tt.kids, tt.parents
			found := look(t, verify.Topology(), family(subject(newSite(""), target), gw, a, b))
			if diff := cmp.Diff(tt.want, verdicts(found)); diff != "" {
				t.Errorf("verdicts (-want +got):\n%s", diff)
			}
			if seen := found[len(found)-1].Evidence.Seen; !strings.Contains(seen, tt.seen) {
				t.Errorf("got %s", seen)
			}
			if n := target.count("Children"); n != 1 {
				t.Errorf("the gateway was read %d times", n)
			}
		})
	}
}

func TestTopologyOfOthers(t *testing.T) {
	alone := dev(gateways, "gw-alone")
	target := newSite(targetID)
	target.kids = map[iot.DeviceID][]iot.DeviceID{alone: {}}
	found := look(t, verify.Topology(), family(subject(newSite(""), target, meter), alone))
	if diff := cmp.Diff([]migrate.Verdict{migrate.Pass, migrate.Pass}, verdicts(found)); diff != "" {
		t.Fatalf("verdicts (-want +got):\n%s", diff)
	}
	if found[0].Evidence.Seen != "direct device" || found[1].Evidence.Seen != "all 0 sub-devices, as planned" {
		t.Errorf("got %q and %q", found[0].Evidence.Seen, found[1].Evidence.Seen)
	}
}

func TestErrorsOfReadsAreNoVerdicts(t *testing.T) {
	tests := []struct {
		v   migrate.Verifier
		api string
	}{
		{verify.Forwarding(), "Rules"},
		{verify.Forwarding(), "Subscriptions"},
		{verify.Subscription(verify.SubscriptionConfig{}), "Subscriptions"},
		{verify.Subscription(verify.SubscriptionConfig{}), "GroupStatus"},
		{verify.Topology(), "Children"},
		{verify.Topology(), "GatewayOf"},
		{verify.Service(verify.ServiceConfig{Choose: choose()}), "ThingModel"},
	}
	for _, tt := range tests {
		target := newSite(targetID)
		target.subs = map[string][]iot.Subscription{valves: {amqpSub(nil, "new")}}
		target.kids = map[iot.DeviceID][]iot.DeviceID{dev(gateways, "gw-001"): {}}
		target.fails[tt.api] = fault(iot.Transient)
		s := family(subject(newSite(""), target), dev(gateways, "gw-001"), dev(valves, "valve-001"))
		s.Devices = s.Devices[:1]
		found, errs := lookAll(t.Context(), tt.v, s)
		if len(found) > 0 || len(errs) != 1 || !errors.Is(errs[0], iot.Transient) {
			t.Errorf("%s without %s: got %v and %v", tt.v.Name(), tt.api, found, errs)
		}
	}
}

// A sub-device that its gateway has left behind at the source is not the gateway's fault, even if the target shows that they belong together.
func TestTopologyOfOneLeftBehind(t *testing.T) {
	gw, a, c := dev(gateways, "gw-001"), dev(valves, "valve-001"), dev(valves, "valve-003")
	source, target := newSite(""), newSite(targetID)
	source.shows(c, iot.Offline)
	target.kids = map[iot.DeviceID][]iot.DeviceID{gw: {a, c}}
	want := []migrate.Verdict{migrate.Pass, migrate.Pass}
	if diff := cmp.Diff(want, verdicts(look(t, verify.Topology(), family(subject(source, target), gw, a)))); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	target.shows(c, iot.Online)
	want[1] = migrate.Fail
	if diff := cmp.Diff(want, verdicts(look(t, verify.Topology(), family(subject(source, target), gw, a)))); diff != "" {
		t.Errorf("at the target (-want +got):\n%s", diff)
	}
}
