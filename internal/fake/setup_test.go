package fake_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// What a move brings along, and what it leaves behind.
func TestWhatComesAlong(t *testing.T) {
	f := newFleet()
	f.Products = []fleet.Product{custom(meter, iot.Direct, amqp("bS4cX9mLqT2kVw7RyZ8n000100", iot.DeviceData))}
	add(f, meter, names("meter", 2), nil)
	b := newBench(t, f, func(o *fake.Options, _ *fake.Quirks) { o.Quotas = fake.NoQuotas })
	d := id(meter, "meter-0001")
	toGroup := json.RawMessage(`{"groupId":"bS4cX9mLqT2kVw7RyZ8n000100"}`)
	must(0, b.Setup("", fake.Setup{
		Rules: []iot.RuleDetail{{
			Rule: iot.Rule{Name: "alarm", ProductKey: meter, Topic: "/+/user/update"}, DataType: "JSON", Select: "a", Where: "b",
			Outputs: []iot.RuleAction{{Type: "AMQP", Configuration: toGroup, OnError: true}},
		}},
		Parsers: []iot.Parser{
			{Name: "mine", Sources: []iot.ParserSource{{ProductKey: meter}}, Destinations: []iot.ParserOutput{{Type: "AMQP", Configuration: toGroup}}},
			{Name: "another", Sources: []iot.ParserSource{{ProductKey: gateway}}},
		},
		Labels: map[iot.DeviceID]map[string]string{d: {"a": "b"}}, Shadows: map[iot.DeviceID]json.RawMessage{d: json.RawMessage(`{"c":1}`)},
		Scripts:      map[string]string{meter: "PHP_72"},
		DeviceGroups: []iot.DeviceGroup{{ID: "site0001", Name: "site_1"}}, Members: map[string][]iot.DeviceID{"site0001": {d}},
		Jobs:    []iot.Job{{ID: "j", Status: "IN_PROGRESS"}},
		Scenes:  []iot.Scene{{ID: "s"}},
		OTAJobs: []iot.OTAJob{{ID: "o", ProductKey: meter, FirmwareID: "f"}},
	}))
	b.ready(meter, "meter-0001")
	b.clock.Advance(time.Minute)
	p := b.platform(nil)
	source, at := p.Source.Config, p.Target.Config

	group := ""
	for g, err := range p.Target.Groups(t.Context()) {
		if must(g, err).Name == "alarms" {
			group = g.ID
		}
	}
	mapped := json.RawMessage(strings.ReplaceAll(string(toGroup), "bS4cX9mLqT2kVw7RyZ8n000100", group))
	for r, err := range p.Target.Rules(t.Context()) {
		got := must(at.Rules.Rule(t.Context(), must(r, err).ID))
		if got.Running || got.Select != "a" || got.Where != "b" || !got.Outputs[0].OnError || string(got.Outputs[0].Configuration) != string(mapped) {
			t.Errorf("the rule came as %+v, its action as %s", got, got.Outputs[0].Configuration)
		}
	}
	var parsers []iot.Parser
	for x, err := range at.Parsers.Parsers(t.Context()) {
		parsers = append(parsers, must(x, err))
	}
	if len(parsers) != 1 || parsers[0].Name != "mine" || string(parsers[0].Destinations[0].Configuration) != string(mapped) {
		t.Errorf("parsers came along as %+v", parsers)
	}
	if got := must(at.Scripts.Script(t.Context(), meter)); got.Language != "PHP_72" {
		t.Errorf("the script came as %+v", got)
	}
	if got := must(at.Shadows.Shadow(t.Context(), d)); string(got) != `{"c":1}` {
		t.Errorf("the shadow came as %s", got)
	}
	b.stays(p, source, d)
}

// stays checks what is not brought along.
func (b *bench) stays(p iot.Platform, source iot.ConfigReaders, d iot.DeviceID) {
	b.Helper()
	at := p.Target.Config
	if got := must(at.Labels.Labels(b.Context(), d)); len(got) != 0 {
		b.Errorf("labels came along: %v", got)
	}
	if got := must(at.DeviceGroups.DeviceGroupsOf(b.Context(), d)); len(got) != 0 {
		b.Errorf("groups came along: %v", got)
	}
	if _, err := source.Labels.Labels(b.Context(), d); !errors.Is(err, iot.NotFound) {
		b.Errorf("labels of a moved device at the source: %v, want not found", err)
	}
	var members []iot.DeviceID
	for x, err := range source.DeviceGroups.GroupDevices(b.Context(), "site0001") {
		members = append(members, must(x, err))
	}
	if diff := cmp.Diff([]iot.DeviceID{d}, members); diff != "" {
		b.Errorf("the source's group shows a moved device no more:\n%s", diff)
	}
	for x, err := range at.Jobs.Jobs(b.Context()) {
		b.Errorf("job %v came along: %v", x, err)
	}
	for x, err := range at.Jobs.Scenes(b.Context()) {
		b.Errorf("scene %v came along: %v", x, err)
	}
	for x, err := range at.Jobs.OTAJobs(b.Context(), meter) {
		b.Errorf("update %v came along: %v", x, err)
	}
}

func TestSetupRefusesWhatDoesNotResolve(t *testing.T) {
	f := newFleet()
	f.Products = []fleet.Product{custom(meter, iot.Direct)}
	b := newBench(t, f, nil)
	nobody := id(meter, "nobody")
	for name, s := range map[string]fake.Setup{
		"rule":         {Rules: []iot.RuleDetail{{Rule: iot.Rule{ProductKey: gateway}}}},
		"subscription": {Subscriptions: []iot.Subscription{{ProductKey: meter, Type: iot.AMQP, Groups: []string{"nothing"}}}},
		"labels":       {Labels: map[iot.DeviceID]map[string]string{nobody: nil}},
		"shadow":       {Shadows: map[iot.DeviceID]json.RawMessage{nobody: nil}},
		"script":       {Scripts: map[string]string{gateway: "JavaScript"}},
		"model":        {Models: map[string]json.RawMessage{meter: nil}},
		"member":       {DeviceGroups: []iot.DeviceGroup{{ID: "site0001"}}, Members: map[string][]iot.DeviceID{"site0001": {nobody}}},
	} {
		if err := b.Setup("", s); !errors.Is(err, iot.Invalid) {
			t.Errorf("%s: %v, want an error of kind invalid", name, err)
		}
	}
	if err := b.Setup("iot-nothing1", fake.Setup{}); !errors.Is(err, iot.Invalid) {
		t.Errorf("another instance: %v, want an error of kind invalid", err)
	}
}

// A device is in ten groups at most, and has 100 labels at most.
func TestLimitsOfLabelsAndGroups(t *testing.T) {
	f := newFleet()
	f.Products = []fleet.Product{custom(meter, iot.Direct)}
	add(f, meter, names("meter", 2), nil)
	b := newBench(t, f, func(o *fake.Options, _ *fake.Quirks) { o.Quotas = fake.NoQuotas })
	d := id(meter, "meter-0001")
	at := b.platform(nil).Source.Configure
	for n := range 11 {
		g := must(at.DeviceGroups.CreateDeviceGroup(t.Context(), iot.DeviceGroup{Name: "site_" + string(rune('a'+n))}))
		want := iot.GroupAdded{Added: 1}
		if n == 10 {
			want = iot.GroupAdded{Full: 1}
		}
		if got := must(at.DeviceGroups.AddToDeviceGroup(t.Context(), g.ID, []iot.DeviceID{d})); got != want {
			t.Errorf("group %d: %+v, want %+v", n+1, got, want)
		}
	}
	labels := map[string]string{}
	for n := range 100 {
		labels[string(rune('A'+n))] = "x"
	}
	must(0, at.Labels.SetLabels(t.Context(), d, labels))
	if err := at.Labels.SetLabels(t.Context(), d, map[string]string{"one": "more"}); !errors.Is(err, iot.Invalid) {
		t.Errorf("the 101st label: %v, want an error of kind invalid", err)
	}
}
