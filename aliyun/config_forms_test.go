package aliyun_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// Jobs come in whatever form the vendor's clients read; a form that nobody knows is an error, and not an instance without jobs.
func TestFormsOfJobs(t *testing.T) {
	want := said{Value: []iot.Job{{ID: "j1", Name: "Reboot", Type: "CUSTOM_JOB", Status: "IN_PROGRESS"}}}
	const row = `{"JobId":"j1","JobName":"Reboot","Type":"CUSTOM_JOB","Status":"IN_PROGRESS"}`
	for form, data := range map[string]string{
		"a list": `[` + row + `]`, "a list in an object": `{"data":[` + row + `]}`, "another object": `{"Data":[` + row + `]}`, "a single job": row,
	} {
		c := says(fromJSON(t, `{"Total":1,"Data":`+data+`}`)).client(t)
		if diff := cmp.Diff(want, all(c.Platform().Source.Config.Jobs.Jobs(t.Context()))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", form, diff)
		}
	}
	for _, data := range []string{`{"rows":[` + row + `]}`, `null`, `"j1"`} {
		c := says(fromJSON(t, `{"Total":1,"Data":`+data+`}`)).client(t)
		for _, err := range c.Platform().Source.Config.Jobs.Jobs(t.Context()) {
			expectKind(t, data, err, iot.Transient)
		}
	}
	none := all(says(fromJSON(t, `{"Total":0}`)).client(t).Platform().Source.Config.Jobs.Jobs(t.Context()))
	if diff := cmp.Diff(said{Value: []iot.Job(nil)}, none); diff != "" {
		t.Errorf("none: %s", diff)
	}
}

// The list of groups without a parent may be of the first level, or of all groups, in any order: the tree is the same.
func TestFormsOfDeviceGroups(t *testing.T) {
	below := map[string][]string{"": {"a", "x"}, "a": {"b"}, "b": {"c"}}
	for form, first := range map[string][]string{
		"first level": {"a", "x"}, "all": {"a", "x", "b", "c"}, "all, newest first": {"c", "b", "x", "a"},
	} {
		s := &script{answer: func(_ string, q url.Values) any {
			ids := below[q.Get("SuperGroupId")]
			if q.Get("SuperGroupId") == "" {
				ids = first
			}
			rows := []any{}
			for _, id := range ids {
				rows = append(rows, map[string]any{"GroupId": id, "GroupName": "name_" + id})
			}
			return map[string]any{"Total": len(ids), "Data": map[string]any{"GroupInfo": rows}}
		}}
		parents := map[string]string{}
		seen := map[string]bool{"": true}
		for g, err := range s.client(t).Platform().Source.Config.DeviceGroups.DeviceGroups(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if !seen[g.Parent] || seen[g.ID] {
				t.Errorf("%s: group %s comes twice, or before its parent %q", form, g.ID, g.Parent)
			}
			seen[g.ID] = true
			parents[g.ID] = g.Parent
		}
		if diff := cmp.Diff(map[string]string{"a": "", "x": "", "b": "a", "c": "b"}, parents); diff != "" {
			t.Errorf("%s (-want +got):\n%s", form, diff)
		}
	}
}

// What an answer leaves out, or says in another form, is nothing or an error, never a guess.
func TestFormsOfConfiguration(t *testing.T) {
	id := iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: "direct-0000"}
	at := func(answer string) iot.ConfigReaders {
		return says(fromJSON(t, answer)).client(t).Platform().Source.Config
	}
	labels, err := at(`{}`).Labels.Labels(t.Context(), id)
	if err != nil || len(labels) > 0 {
		t.Errorf("no labels: %v, %v", labels, err)
	}
	_, err = at(`{"Props":"[1]"}`).Labels.Labels(t.Context(), id)
	expectKind(t, "labels that are a list", err, iot.Transient)
	shadow, err := at(`{}`).Shadows.Shadow(t.Context(), id)
	if err != nil || shadow != nil {
		t.Errorf("no shadow: %s, %v", shadow, err)
	}
	_, err = at(`{"ShadowMessage":"{"}`).Shadows.Shadow(t.Context(), id)
	expectKind(t, "half a shadow", err, iot.Transient)
	_, err = at(`{"Data":{}}`).Scripts.Script(t.Context(), id.ProductKey)
	expectKind(t, "no script", err, iot.NotFound)
	rule, err := at(`{"RuleInfo":{"Id":7},"RuleActionList":{"RuleActionInfo":[{"Type":"X","Configuration":"not JSON"}]}}`).Rules.Rule(t.Context(), "7")
	if err != nil || rule.ID != "7" || string(rule.Outputs[0].Configuration) != `"not JSON"` {
		t.Errorf("a configuration that is no JSON: %+v, %v", rule, err)
	}
	// A parser that has no data source yet is asked for no topics.
	s := &script{answer: func(api string, _ url.Values) any {
		switch api {
		case "ListParser":
			return map[string]any{"Total": 1, "Data": map[string]any{"ParserList": []any{map[string]any{"ParserId": 7}}}}
		case "ListDataSourceItem":
			t.Error("the topics of no data source were asked for")
		}
		return map[string]any{"Data": map[string]any{"Name": "new"}}
	}}
	want := said{Value: []iot.Parser{{ID: "7", Name: "new"}}}
	if diff := cmp.Diff(want, all(s.client(t).Platform().Source.Config.Parsers.Parsers(t.Context()))); diff != "" {
		t.Errorf("a new parser (-want +got):\n%s", diff)
	}
}

// What would be another call if a parameter were left out is not sent.
func TestConfigurationRefuses(t *testing.T) {
	s := says(map[string]any{})
	at, ctx := s.client(t).Platform().Source, t.Context()
	none := iot.DeviceID{}
	for what, call := range map[string]func() error{
		"Rule":    func() error { _, err := at.Config.Rules.Rule(ctx, ""); return err },
		"Script":  func() error { _, err := at.Config.Scripts.Script(ctx, ""); return err },
		"Labels":  func() error { _, err := at.Config.Labels.Labels(ctx, none); return err },
		"Shadow":  func() error { _, err := at.Config.Shadows.Shadow(ctx, none); return err },
		"of":      func() error { _, err := at.Config.DeviceGroups.DeviceGroupsOf(ctx, none); return err },
		"devices": func() error { return lastOf(at.Config.DeviceGroups.GroupDevices(ctx, "")) },
		"updates": func() error { return lastOf(at.Config.Jobs.OTAJobs(ctx, "")) },
		"tasks":   func() error { return lastOf(at.Config.Jobs.OTATasks(ctx, "")) },
		"save":    func() error { return at.Configure.Labels.SetLabels(ctx, none, map[string]string{"a": "b"}) },
		"create": func() error {
			_, err := at.Configure.DeviceGroups.CreateDeviceGroup(ctx, iot.DeviceGroup{})
			return err
		},
		"add": func() error {
			_, err := at.Configure.DeviceGroups.AddToDeviceGroup(ctx, "", []iot.DeviceID{none})
			return err
		},
		"add none": func() error {
			_, err := at.Configure.DeviceGroups.AddToDeviceGroup(ctx, "g", []iot.DeviceID{none})
			return err
		},
	} {
		expectKind(t, what, call(), iot.Invalid)
	}
	if len(s.calls) > 0 {
		t.Errorf("%d calls were made: %v", len(s.calls), s.calls)
	}
}

// lastOf returns the error that a sequence ends with.
func lastOf[T any](seq func(func(T, error) bool)) (last error) {
	seq(func(_ T, err error) bool { last = err; return true })
	return last
}
