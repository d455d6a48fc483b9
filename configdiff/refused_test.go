package configdiff_test

import (
	"context"
	"encoding/json"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

type refusedForwarding struct{ iot.ForwardingReader }

func (refusedForwarding) Groups(context.Context) iter.Seq2[iot.ConsumerGroup, error] {
	return func(yield func(iot.ConsumerGroup, error) bool) { yield(iot.ConsumerGroup{}, iot.Denied) }
}

type refusedMembers struct {
	iot.DeviceGroupReader
	err error
}

func (r refusedMembers) GroupDevices(context.Context, string) iter.Seq2[iot.DeviceID, error] {
	return func(yield func(iot.DeviceID, error) bool) { yield(iot.DeviceID{}, r.err) }
}

type refusedLabels struct{}

func (refusedLabels) Labels(context.Context, iot.DeviceID) (map[string]string, error) {
	return nil, iot.Denied
}

type refusedShadows struct{}

func (refusedShadows) Shadow(context.Context, iot.DeviceID) (json.RawMessage, error) {
	return nil, iot.Denied
}

type refusedTasks struct{ iot.JobReader }

func (r refusedTasks) OTATasks(ctx context.Context, jobID string) iter.Seq2[iot.OTATask, error] {
	if jobID != "o1" {
		return r.JobReader.OTATasks(ctx, jobID)
	}
	return func(yield func(iot.OTATask, error) bool) { yield(iot.OTATask{}, iot.NotFound) }
}

// One API that is not allowed leaves what needs it unread, and the rest is compared: there is no false alarm, and no false silence.
func TestOneAPIRefused(t *testing.T) {
	seen := func(r *configdiff.Report) (unread []string, compared int) {
		for _, u := range r.Unread {
			unread = append(unread, string(u.Kind))
		}
		for _, c := range r.Coverage {
			compared += c.Read
		}
		return unread, compared
	}
	const others = 33 // devices of which labels or shadows are compared, and 29 members
	for name, test := range map[string]struct {
		refuse   func(*iot.Platform)
		unread   []string
		compared int
	}{
		"consumer groups": {func(p *iot.Platform) { p.Target.ForwardingReader = refusedForwarding{p.Target.ForwardingReader} },
			[]string{"consumer group", "rule", "parser", "subscription"}, 2*others + 29},
		"members": {func(p *iot.Platform) {
			p.Source.Config.DeviceGroups = refusedMembers{p.Source.Config.DeviceGroups, iot.Denied}
		}, []string{"group member"}, 2 * others},
		"a group of the target is deleted": {func(p *iot.Platform) {
			p.Target.Config.DeviceGroups = refusedMembers{p.Target.Config.DeviceGroups, iot.NotFound}
		}, []string{"group member", "group member", "group member"}, 2 * others},
		"labels":              {func(p *iot.Platform) { p.Target.Config.Labels = refusedLabels{} }, []string{"label"}, others + 29},
		"shadows":             {func(p *iot.Platform) { p.Target.Config.Shadows = refusedShadows{} }, []string{"shadow"}, others + 29},
		"no means for labels": {func(p *iot.Platform) { p.Target.Config.Labels = nil }, []string{"label"}, others + 29},
	} {
		w := newWorld(t, false)
		w.move(t)
		w.carried(t)
		test.refuse(&w.platform)
		r, found := w.after(t, configdiff.Options{})
		unread, compared := seen(r)
		if diff := cmp.Diff(test.unread, unread); diff != "" || compared != test.compared {
			t.Errorf("%s: %d devices were compared, want %d; unread (-want +got):\n%s", name, compared, test.compared, diff)
		}
		if len(found) > 0 {
			t.Errorf("%s: nothing is different, and found is: %q", name, found)
		}
	}
}

type goneLabels struct{ iot.LabelReader }

func (g goneLabels) Labels(ctx context.Context, id iot.DeviceID) (map[string]string, error) {
	if id == direct(3) {
		return nil, iot.NotFound
	}
	return g.LabelReader.Labels(ctx, id)
}

// A device that leaves while devices are read does not make a sample of the others.
func TestGoneWhileRead(t *testing.T) {
	w := newWorld(t, false)
	w.platform.Source.Config.Labels = goneLabels{w.platform.Source.Config.Labels}
	if got := w.before(t, configdiff.Options{Keep: w.keep}).Coverage[0].String(); got != "labels: all 32 devices were read." || len(w.kept) != 32 {
		t.Errorf("kept %d devices, and it says %q", len(w.kept), got)
	}
}

// An update batch that is deleted while it is read hides no other one of its product.
func TestUpdateDeletedWhileRead(t *testing.T) {
	w := newWorld(t, false)
	more := sourceSetup().OTAJobs
	more = append(more, iot.OTAJob{ID: "o5", ProductKey: migratetest.DirectProduct, FirmwareID: "f5", Firmware: "Meter", Version: "3.0", Status: "IN_PROGRESS"})
	if err := w.cloud.SetupSource(migratetest.Setup{OTAJobs: more}); err != nil {
		t.Fatal(err)
	}
	w.platform.Source.Config.Jobs = refusedTasks{w.platform.Source.Config.Jobs}
	for _, d := range w.before(t, configdiff.Options{}).Differences {
		if d.Kind == configdiff.Update && d.SourceID == "o5" {
			return
		}
	}
	t.Error("the other update was not found")
}

// Desired states are compared as they are: an empty text is not nothing, and a text is no number.
func TestDesiredStates(t *testing.T) {
	for was, is := range map[string]string{`{"mode":""}`: `{}`, `{"mode":"5"}`: `{"mode":5}`, `{"mode":"true"}`: `{"mode":true}`} {
		w := newWorld(t, false)
		shadow := func(desired string) migratetest.Setup {
			return migratetest.Setup{Shadows: map[iot.DeviceID]json.RawMessage{direct(0): json.RawMessage(`{"state":{"desired":` + desired + `}}`)}}
		}
		if err := w.cloud.SetupSource(shadow(was)); err != nil {
			t.Fatal(err)
		}
		w.move(t)
		w.carried(t)
		if err := w.cloud.SetupTarget(shadow(is)); err != nil {
			t.Fatal(err)
		}
		if _, found := w.after(t, configdiff.Options{}); len(found) != 1 || !strings.HasPrefix(found[0], "shadow ") {
			t.Errorf("%s became %s, and found is: %q", was, is, found)
		}
	}
}

// A configuration that was kept of all products can be compared for some.
func TestSomeProductsOfAKeptConfiguration(t *testing.T) {
	w := newWorld(t, false)
	was, err := configdiff.Read(t.Context(), w.platform.Source.View, configdiff.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w.move(t)
	w.carried(t)
	target := w.read(t)
	target.Subscriptions, target.Rules = []iot.Subscription{}, []iot.RuleDetail{}
	if err := w.cloud.SetupTarget(target.Setup); err != nil {
		t.Fatal(err)
	}
	o := configdiff.Options{Source: was, Products: []string{migratetest.PreRegisteredProduct}}
	r, found := w.after(t, o)
	want := []string{"subscription missing " + migratetest.PreRegisteredProduct + "amqp"}
	if diff := cmp.Diff(want, found); diff != "" || len(r.Products) != 1 {
		t.Errorf("products %q, found (-want +got):\n%s", r.Products, diff)
	}
}

// The budget holds as well while few devices have moved: the others are looked for at the target, too.
func TestBudgetOfAnEarlyLook(t *testing.T) {
	w := newWorld(t, false)
	w.before(t, configdiff.Options{Keep: w.keep})
	r, _ := w.after(t, configdiff.Options{Budget: 150 * time.Millisecond})
	if c := r.Coverage[0]; c.Devices != 33 || c.Read > 15 {
		t.Errorf("%+v: nothing has moved, and more than a sample was looked for", c)
	}
}

// What stands below a secret is one.
func TestNestedSecrets(t *testing.T) {
	config := func(text string) *configdiff.Config {
		return &configdiff.Config{Products: []string{"a1Meter0001"}, Rules: []iot.RuleDetail{{
			Rule: iot.Rule{ID: "1", Name: "r", ProductKey: "a1Meter0001"}, Outputs: []iot.RuleAction{{Type: "RDS", Configuration: json.RawMessage(text)}},
		}}}
	}
	d := configdiff.Compare(configdiff.AfterMove,
		config(`{"dbPass":"hunter1","credentials":{"plain":"hunter2"},"secret":["hunter3"]}`),
		config(`{"dbPass":"hunter4","credentials":{"plain":"hunter5"},"secret":["hunter6"]}`))
	if len(d) != 1 || len(d[0].Fields) != 3 {
		t.Fatalf("got %+v", d)
	}
	for _, f := range d[0].Fields {
		if strings.Contains(f.Source+f.Target, "hunter") {
			t.Errorf("%s is shown", f.Path)
		}
	}
}
