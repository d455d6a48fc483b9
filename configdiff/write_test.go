package configdiff_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
)

// hostile is a name that would move a cursor, close a cell and open a tag.
const hostile = "evil\x1b[2J\n| <b>`x`\u202e"

func hostileReport() *configdiff.Report {
	source := &configdiff.Config{
		Instance: iot.InstanceInfo{Type: iot.PublicLegacy}, Products: []string{"a1Meter0001"},
		Rules: []iot.RuleDetail{
			{Rule: iot.Rule{ID: "1", Name: hostile, ProductKey: "a1Meter0001", Topic: "/+/user/update", Running: true}, Select: "*"},
			{Rule: iot.Rule{ID: "2", Name: "to_table", ProductKey: "a1Meter0001"}, Select: "*",
				Outputs: []iot.RuleAction{{Type: "RDS", Configuration: json.RawMessage(`{"accountPassword":"hunter2","table":"a"}`)}}},
			{Rule: iot.Rule{ID: "3", Name: "same", ProductKey: "a1Meter0001"}},
		},
		Groups:        []iot.ConsumerGroup{{ID: "DEFAULT_GROUP", Name: "default"}},
		Subscriptions: []iot.Subscription{{ProductKey: "a1Meter0001", Type: iot.MNS, Queue: hostile, Events: []iot.Event{iot.DeviceData}}},
		Scenes:        []iot.Scene{{ID: "s", Name: hostile}},
		Unread:        []configdiff.Unread{{Kind: configdiff.Parser, Instance: "public instance", Why: "the credentials do not allow it"}},
	}
	target := &configdiff.Config{
		Instance: iot.InstanceInfo{ID: "iot-060a0001"}, Products: []string{"a1Meter0001"},
		Rules: []iot.RuleDetail{
			{Rule: iot.Rule{ID: "8", Name: "to_table", ProductKey: "a1Meter0001"}, Select: hostile + strings.Repeat("x", 200),
				Outputs: []iot.RuleAction{{Type: "RDS", Configuration: json.RawMessage(`{"accountPassword":"hunter3","table":"a"}`)}}},
			{Rule: iot.Rule{ID: "9", Name: "same", ProductKey: "a1Meter0001"}},
		},
		Groups: []iot.ConsumerGroup{{ID: "DEFAULT_GROUP", Name: "default"}},
	}
	d := iot.DeviceID{ProductKey: "a1Meter0001", DeviceName: "meter-0001"}
	return &configdiff.Report{
		Moment: configdiff.AfterMove, Source: source.Instance, Target: target.Instance, Products: source.Products,
		Differences: append(configdiff.Compare(configdiff.AfterMove, source, target), configdiff.Difference{
			Kind: configdiff.Label, Change: configdiff.Missing, Severity: configdiff.Work, Product: "a1Meter0001", Count: 5,
			Devices: []iot.DeviceID{d, d, d, d}, Why: "5 devices of product a1Meter0001: labels that they had at the source are missing.", Do: "Carry them.",
		}),
		Coverage: []configdiff.Coverage{{Kind: configdiff.Label, Devices: 100, Read: 50, Absent: 3}},
		Unread:   source.Unread,
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// The three forms are what they were, and whoever reads them is safe from names.
func TestForms(t *testing.T) {
	r := hostileReport()
	forms := map[string]func(*bytes.Buffer) error{
		"report.txt": func(b *bytes.Buffer) error { return r.WriteText(b) },
		"report.md":  func(b *bytes.Buffer) error { return r.WriteMarkdown(b) },
		"report.json": func(b *bytes.Buffer) error {
			text, err := json.MarshalIndent(r, "", "  ")
			b.Write(append(text, '\n'))
			return err
		},
	}
	c := configdiff.ListChecks(checksConfig())
	forms["checklist.txt"] = func(b *bytes.Buffer) error { return c.WriteText(b) }
	forms["checklist.md"] = func(b *bytes.Buffer) error { return c.WriteMarkdown(b) }
	for name, write := range forms {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if out.String() != string(want) {
			t.Errorf("%s is not what it was; run with -update and look at the change:\n%s", name, out.String())
		}
		for _, bad := range []string{"\x1b", "\u202e", "hunter2", "hunter3"} {
			if strings.Contains(out.String(), bad) && !(name == "report.json" && bad == "\u202e") { // JSON is for programs
				t.Errorf("%s holds %q", name, bad)
			}
		}
		if strings.HasSuffix(name, ".md") && strings.Contains(out.String(), "<b>") {
			t.Errorf("%s holds markup of a name", name)
		}
	}
	if n := r.Count(configdiff.Loss); n != 3 {
		t.Errorf("%d losses, want 3", n)
	}
}

// checksConfig has something of everything that people make again by hand, and what has ended.
func checksConfig() *configdiff.Config {
	return &configdiff.Config{
		Jobs: []iot.Job{{ID: "j2", Name: hostile, Status: "IN_PROGRESS"}, {ID: "j1", Name: "Old", Status: "COMPLETED"}},
		Updates: []configdiff.UpdateBatch{
			{OTAJob: iot.OTAJob{ID: "o1", ProductKey: "a1Meter0001", Firmware: "Meter", Version: "2.0", Status: "PLANNED"}, Unfinished: 7},
			{OTAJob: iot.OTAJob{ID: "o2", ProductKey: "a1Meter0001", Firmware: "Meter", Version: "1.0", Status: "CANCELED"}},
		},
		Scenes:       []iot.Scene{{ID: "s2", Name: "Lights", Running: true}, {ID: "s1", Name: "Doors"}},
		DeviceGroups: []iot.DeviceGroup{{ID: "g1", Name: "site_1"}},
		Unread:       []configdiff.Unread{{Kind: configdiff.Job, Instance: "public instance", Why: "the credentials do not allow it"}},
	}
}

// A checklist is for programs as well, and it names only what is still to do.
func TestChecklistItems(t *testing.T) {
	var names []string
	for _, i := range configdiff.ListChecks(checksConfig()).Items {
		if i.Shown {
			names = append(names, i.What+" "+i.ID)
		}
	}
	want := []string{"OTA update o1", "device group g1", "device job j2", "scene s1", "scene s2"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	var text bytes.Buffer
	nameless := &configdiff.Checklist{Items: []configdiff.CheckItem{{What: "device job", ID: "j7", Shown: true}}}
	if err := nameless.WriteText(&text); err != nil || !strings.Contains(text.String(), "j7") {
		t.Errorf("a job without a name is not told by its ID: %v\n%s", err, text.String())
	}
	if n := len(configdiff.ListChecks(&configdiff.Config{}).Items); n != 4 {
		t.Errorf("%d kinds cannot be listed, want 4", n)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestWritingFails(t *testing.T) {
	r := hostileReport()
	c := configdiff.ListChecks(checksConfig())
	if r.WriteText(fullDisk{}) == nil || r.WriteMarkdown(fullDisk{}) == nil || c.WriteText(fullDisk{}) == nil || c.WriteMarkdown(fullDisk{}) == nil {
		t.Error("a full disk is no error")
	}
}

// Compare is pure: the same in whatever order the lists come.
func TestOrderDoesNotCount(t *testing.T) {
	source := &configdiff.Config{Products: []string{"a1Meter0001"}}
	target := &configdiff.Config{Products: []string{"a1Meter0001"}}
	for _, id := range []string{"1", "2", "3"} {
		r := iot.RuleDetail{Rule: iot.Rule{ID: id, Name: "twin", ProductKey: "a1Meter0001"}, Where: id}
		source.Rules = append(source.Rules, r)
		r.ID = "9" + id
		target.Rules = append([]iot.RuleDetail{r}, target.Rules...)
	}
	target.Rules = target.Rules[:2] // the first of them is missing
	got := configdiff.Compare(configdiff.AfterMove, source, target)
	if len(got) != 3 || got[0].Change != configdiff.Missing || got[0].SourceID != "1" || got[1].Change != configdiff.NewID {
		t.Errorf("rules of one name: %+v, want the first missing, and two under a new ID", got)
	}
}

// Of long texts that begin alike, the place where they differ is shown.
func TestLongTextsShowWhereTheyDiffer(t *testing.T) {
	long := strings.Repeat("var same = 1\n", 40)
	r := &configdiff.Report{Differences: []configdiff.Difference{{
		Kind: configdiff.Parser, Change: configdiff.Changed, Severity: configdiff.Loss, Why: "It is not the same.",
		Fields: []configdiff.Field{{Path: "script", Source: long + "left()", Target: long + "right()"}, {Path: "draft", Source: long}},
	}}}
	var text, markdown bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteMarkdown(&markdown)); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{text.String(), markdown.String()} {
		if !strings.Contains(out, "left()") || !strings.Contains(out, "right()") || !strings.Contains(out, "nothing") || len(out) > 1500 {
			t.Errorf("the difference is not shown:\n%s", out)
		}
	}
}

// Without a difference, the report does not say that nothing is lost of what was not compared.
func TestNoGreenForWhatIsUnread(t *testing.T) {
	r := &configdiff.Report{Unread: []configdiff.Unread{{Kind: configdiff.Rule, Instance: "public instance", Why: "the credentials do not allow it"}}}
	var text, markdown bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteMarkdown(&markdown)); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{text.String(), markdown.String()} {
		if strings.Contains(out, "Nothing is lost.") || !strings.Contains(out, "Nothing is lost in what was compared") {
			t.Errorf("it says\n%s", out)
		}
	}
}

// One action that changed is one that changed, wherever it stands in its list: the others are not said to be different.
func TestActionsAreToldApart(t *testing.T) {
	config := func(kinds ...string) *configdiff.Config {
		r := iot.RuleDetail{Rule: iot.Rule{ID: "1", Name: "r", ProductKey: "a1Meter0001"}}
		for _, k := range kinds {
			kind, table, _ := strings.Cut(k, " ")
			r.Outputs = append(r.Outputs, iot.RuleAction{Type: kind, Configuration: json.RawMessage(`{"table":"` + table + `","region":"x"}`)})
		}
		return &configdiff.Config{Products: []string{"a1Meter0001"}, Rules: []iot.RuleDetail{r}}
	}
	source := config("OTS a", "OTS b", "FC f")
	for name, test := range map[string]struct {
		target *configdiff.Config
		want   []configdiff.Field
	}{
		"the same in another order": {config("FC f", "OTS b", "OTS a"), nil},
		"one changed":               {config("OTS c", "FC f", "OTS b"), []configdiff.Field{{Path: "actions[0].configuration.table", Source: "a", Target: "c"}}},
		"one missing": {config("OTS b", "FC f"), []configdiff.Field{
			{Path: "actions[0].configuration.region", Source: "x"}, {Path: "actions[0].configuration.table", Source: "a"}, {Path: "actions[0].type", Source: "OTS"}}},
		"another one": {config("OTS a", "RDS r", "OTS b", "FC f"), []configdiff.Field{
			{Path: "actions[3].configuration.region", Target: "x"}, {Path: "actions[3].configuration.table", Target: "r"}, {Path: "actions[3].type", Target: "RDS"}}},
	} {
		var got []configdiff.Field
		for _, d := range configdiff.Compare(configdiff.AfterMove, source, test.target) {
			got = append(got, d.Fields...)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}
