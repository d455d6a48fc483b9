package configdiff_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

func (w *world) before(t *testing.T, o configdiff.Options) *configdiff.Report {
	t.Helper()
	o.Clock = w.clock
	report, err := configdiff.Before(t.Context(), w.platform.Source.View, w.platform.Target.View, o)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// Before the move, exactly what will not come along is foretold, in memory and over sockets.
func TestBefore(t *testing.T) {
	for _, wire := range []bool{false, true} {
		w := newWorld(t, wire)
		mns := append(sourceSetup().Subscriptions,
			iot.Subscription{ProductKey: migratetest.DirectProduct, Type: iot.MNS, Queue: "q1", Events: []iot.Event{iot.DeviceData}},
			iot.Subscription{ProductKey: migratetest.GatewayProduct, Type: iot.MNS, Queue: "q2", Events: []iot.Event{iot.DeviceData}},
		)
		if err := w.cloud.SetupSource(migratetest.Setup{Subscriptions: mns}); err != nil {
			t.Fatal(err)
		}
		r := w.before(t, configdiff.Options{Examples: 2})
		got := lines(r)
		want := []string{
			"device group missing floor_1", "device group missing other_1", "device group missing site_1", "job missing Reboot",
			"label missing a1Direct001 direct-0000", "label missing a1Direct001 direct-0001", "scene missing Doors", "scene missing Lights",
			"subscription unsupported a1Direct001mns", "subscription unsupported a1Gateway01mns", "update missing a1Direct001Meter 2.0",
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, withoutNewest(got)); diff != "" {
			t.Errorf("sockets=%v: foretold (-want +got):\n%s", wire, diff)
		}
		for _, d := range r.Differences {
			switch {
			case d.Kind == configdiff.Label && d.Count != devices:
				t.Errorf("labels: %d devices, want %d", d.Count, devices)
			case d.Kind == configdiff.Update && (d.Count != 3 || len(d.Devices) != 2 || d.Devices[0] != direct(1)):
				t.Errorf("update: %d devices, %v: want 3, and the first two named", d.Count, d.Devices)
			case d.Name == "mns" && d.Product == migratetest.DirectProduct:
				if want := `use AMQP group "alarms" (alarms0001)`; d.Severity != configdiff.Work || !strings.Contains(d.Why, want) {
					t.Errorf("MNS with AMQP: %s: %s, want work: ...%s", d.Severity, d.Why, want)
				}
			case d.Name == "mns":
				if d.Severity != configdiff.Loss || !strings.Contains(d.Why, "nobody gets") {
					t.Errorf("MNS alone: %s: %s", d.Severity, d.Why)
				}
			}
		}
	}
}

// withoutNewest keeps of the labels what Examples names; the platform lists devices newest first.
func withoutNewest(list []string) []string {
	for i, line := range list {
		line = strings.Replace(line, "direct-0023", "direct-0000", 1)
		list[i] = strings.Replace(line, "direct-0022", "direct-0001", 1)
	}
	slices.Sort(list)
	return list
}

// MNS queues whose messages an AMQP group gets only in part are a loss.
func TestMNSInPart(t *testing.T) {
	w := newWorld(t, false)
	err := w.cloud.SetupSource(migratetest.Setup{Subscriptions: []iot.Subscription{
		{ProductKey: migratetest.DirectProduct, Type: iot.AMQP, Groups: []string{"alarms0001"}, Events: []iot.Event{iot.DeviceData}},
		{ProductKey: migratetest.DirectProduct, Type: iot.MNS, Queue: "q1", Events: []iot.Event{iot.DeviceData, iot.Lifecycle}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range w.before(t, configdiff.Options{}).Differences {
		if d.Change == configdiff.Unsupported && (d.Severity != configdiff.Loss || !strings.Contains(d.Why, "but not lifecycle")) {
			t.Errorf("%s: %s", d.Severity, d.Why)
		}
	}
}

// A budget that is too short for all devices reads an even sample, and says so; with Keep, every device is read.
func TestSample(t *testing.T) {
	w := newWorld(t, false)
	r := w.before(t, configdiff.Options{Budget: 150 * time.Millisecond}) // 6 of 33 devices
	cover := r.Coverage[0]
	if cover.Kind != configdiff.Label || cover.Devices != 33 || cover.Read == 0 || cover.Read > 15 {
		t.Errorf("read %+v, want a sample of 33 devices", cover)
	}
	if want := "a sample of"; !strings.Contains(cover.String(), want) {
		t.Errorf("%q does not say %q", cover, want)
	}
	for _, d := range r.Differences {
		if d.Kind == configdiff.Label && !strings.Contains(d.Why, " of the sample of product ") {
			t.Errorf("the number is one of a sample, and it says %q", d.Why)
		}
	}
	again := w.before(t, configdiff.Options{Budget: 150 * time.Millisecond})
	if diff := cmp.Diff(r, again); diff != "" {
		t.Errorf("the second time (-first +second):\n%s", diff)
	}
	r = w.before(t, configdiff.Options{Budget: 150 * time.Millisecond, Keep: w.keep})
	if cover := r.Coverage[0]; cover.Read != 33 || len(w.kept) != 33 {
		t.Errorf("with Keep: read %+v and kept %d, want 33", cover, len(w.kept))
	}
}

// Devices that have not moved are not missing anything.
func TestNotMoved(t *testing.T) {
	w := newWorld(t, false)
	w.before(t, configdiff.Options{Keep: w.keep})
	r, found := w.after(t, configdiff.Options{Products: []string{migratetest.DirectProduct}})
	want := []string{ // what has no product is missing; of the product there is one word
		"device group missing floor_1", "device group missing other_1", "device group missing site_1", "job missing Reboot",
		"product missing a1Direct001", "scene missing Doors", "scene missing Lights",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if c := r.Coverage[0]; c.Absent != devices {
		t.Errorf("%d devices are absent, want %d", c.Absent, devices)
	}
}

// What the driver cannot read, or the credentials do not allow, is said, and the rest compared.
func TestUnread(t *testing.T) {
	w := newWorld(t, false)
	w.platform.Source.Config.Parsers, w.platform.Source.Config.Labels = nil, nil
	w.platform.Target.Config.Rules = deniedRules{}
	w.move(t)
	r, err := configdiff.After(t.Context(), w.platform.Source.View, w.platform.Target.View, configdiff.Options{Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	var unread []string
	for _, u := range r.Unread {
		unread = append(unread, string(u.Kind))
	}
	if diff := cmp.Diff([]string{"parser", "rule", "label", "shadow"}, unread); diff != "" {
		t.Errorf("unread (-want +got):\n%s", diff)
	}
	for _, d := range r.Differences {
		if slices.Contains(unread, string(d.Kind)) {
			t.Errorf("%s was not read, but %s", d.Kind, d.Why)
		}
	}
}

type deniedRules struct{ iot.RuleReader }

func (deniedRules) Rule(context.Context, string) (iot.RuleDetail, error) {
	return iot.RuleDetail{}, iot.Denied
}

// A hasty clock lets time pass when somebody waits for it.
type hasty struct{ *migratetest.Clock }

func (h hasty) WaitUntil(ctx context.Context, at time.Time) error {
	h.Advance(at.Sub(h.Now()))
	return ctx.Err()
}

// What is throttled is read again; what stays throttled is an error, and so is what nobody knows.
func TestPatience(t *testing.T) {
	var refuse error
	times := 0
	clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	cloud, err := migratetest.Open(bytes.NewReader(migratetest.Generate(migratetest.GenerateOptions{Direct: 2})), migratetest.Options{
		Clock: clock, NoQuotas: true, Fault: func(op migratetest.Op) migratetest.Fault {
			if op.Name != "QueryDeviceGroupList" || times == 0 {
				return migratetest.Fault{}
			}
			times--
			return migratetest.Fault{Refuse: refuse}
		}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind  iot.Kind
		times int
		want  iot.Kind
	}{{iot.Throttled, 4, iot.Unclassified}, {iot.Transient, 2, iot.Unclassified}, {iot.Throttled, 5, iot.Throttled}, {iot.Invalid, 1, iot.Invalid}} {
		refuse, times = c.kind, c.times
		_, err := configdiff.Read(t.Context(), cloud.Platform().Source.View, configdiff.Options{Clock: hasty{clock}})
		if iot.KindOf(err) != c.want {
			t.Errorf("%v, %d times: got %v, want kind %v", c.kind, c.times, err, c.want)
		}
		if err != nil && !strings.Contains(err.Error(), "public instance") {
			t.Errorf("%v does not say of which instance", err)
		}
		times = 0
	}
}

func TestOptionsAreChecked(t *testing.T) {
	w := newWorld(t, false)
	for name, o := range map[string]configdiff.Options{
		"Products[0]": {Products: []string{"x"}}, "Budget": {Budget: -1}, "Examples": {Examples: -1},
	} {
		_, err := configdiff.Before(t.Context(), w.platform.Source.View, w.platform.Target.View, o)
		if !errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// An error of Keep ends the comparison, and so does one of what was kept.
func TestKeepingFails(t *testing.T) {
	w := newWorld(t, false)
	full := errors.New("the disk is full")
	_, err := configdiff.Before(t.Context(), w.platform.Source.View, w.platform.Target.View,
		configdiff.Options{Keep: func(configdiff.DeviceConfig) error { return full }})
	if !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
	broken := func(yield func(configdiff.DeviceConfig, error) bool) { yield(configdiff.DeviceConfig{}, full) }
	_, err = configdiff.After(t.Context(), w.platform.Source.View, w.platform.Target.View, configdiff.Options{Kept: broken})
	if !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}

// A configuration can be kept as JSON and compared later.
func TestConfigAsJSON(t *testing.T) {
	w := newWorld(t, false)
	was, err := configdiff.Read(t.Context(), w.platform.Source.View, configdiff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(was)
	if err != nil {
		t.Fatal(err)
	}
	w.move(t)
	w.carried(t)
	if err := w.cloud.SetupSource(migratetest.Setup{Rules: []iot.RuleDetail{}, Jobs: []iot.Job{}}); err != nil { // the owner has tidied up
		t.Fatal(err)
	}
	var kept configdiff.Config
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	if _, found := w.after(t, configdiff.Options{Source: &kept}); len(found) > 0 {
		t.Errorf("found %q, want nothing", found)
	}
	if _, found := w.after(t, configdiff.Options{}); len(found) == 0 {
		t.Error("compared with the source of now, nothing was found")
	}
}
