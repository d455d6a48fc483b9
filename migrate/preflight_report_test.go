package migrate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// fleetCloud is the platform in memory with a fleet file.
func fleetCloud(t *testing.T, name string, fault func(migratetest.Op) migratetest.Fault) *migratetest.Cloud {
	t.Helper()
	file, err := fleets.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	cloud, err := migratetest.Open(file, migratetest.Options{Clock: clock, NoQuotas: true, Fault: fault})
	if err != nil {
		t.Fatal(err)
	}
	return cloud
}

func preflightOf(t *testing.T, c *migratetest.Cloud, d migrate.Declared) *migrate.PreflightReport {
	t.Helper()
	p := c.Platform()
	r, err := migrate.Preflight(t.Context(), p.Source.View, p.Target.View, p.Account, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// For the fleet files the preflight finds exactly the codes that stand beside them.
func TestPreflightOfFleets(t *testing.T) {
	for _, name := range []string{"demo", "mixed"} {
		c := fleetCloud(t, name+".json", nil)
		r := preflightOf(t, c, c.Declared())
		want := expectedOf(t, name)
		got := expectation{}
		for _, i := range r.Issues {
			switch i.Severity {
			case migrate.Blocker:
				got.Blocked = addCode(got.Blocked, i)
			case migrate.Warning:
				got.Warnings = addCode(got.Warnings, i)
			}
		}
		for _, codes := range []*[]expectedCode{&want.Blocked, &want.Warnings, &got.Blocked, &got.Warnings} {
			slices.SortFunc(*codes, func(a, b expectedCode) int { return strings.Compare(a.subject(), b.subject()) })
		}
		if diff := cmp.Diff([][]expectedCode{want.Blocked, want.Warnings}, [][]expectedCode{got.Blocked, got.Warnings}); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		if r.Survey == nil || r.Blocked() != (name == "mixed") {
			t.Errorf("%s: blocked: %v, survey: %v", name, r.Blocked(), r.Survey != nil)
		}
	}
}

// The fleets of single scenarios have nothing in their way, and some work for people.
func TestPreflightOfScenarioFleets(t *testing.T) {
	work := []string{"console-tasks", "dashboards", "instance-id", "logs", "recreate", "rule-ids", "source-copy", "write-access"}
	for name, more := range map[string]struct {
		warnings []string
		rules    bool
	}{
		"s1-direct.json": {rules: true, warnings: []string{
			"warning disabled a1Meter0001", "warning labels-not-moved a1Meter0001", "warning unactive a1Meter0001"}},
		"s2-gateway.json": {rules: true, warnings: []string{
			"warning disabled a1Climate01", "warning unactive a1Climate01", "warning disabled a1Gateway01",
			"warning unactive a1Gateway01", "warning disabled a1Valve0001", "warning unactive a1Valve0001"}},
		"s3-preregistered.json": {warnings: []string{
			"warning disabled a1Tracker01", "warning new-amqp-client a1Tracker01", "warning unactive a1Tracker01"}},
		"s4-tsl.json": {rules: true, warnings: []string{"warning disabled a1Storage01", "warning unactive a1Storage01"}},
	} {
		c := fleetCloud(t, name, nil)
		var got []string
		for _, i := range preflightOf(t, c, c.Declared()).Issues {
			i.Devices = nil
			got = append(got, each([]migrate.Issue{i})...)
		}
		want := more.warnings
		for _, code := range work {
			if more.rules || code != "rule-ids" {
				want = append(want, "work "+code+" iot-060a0001")
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

// What nobody declared is a question, and there is no green without an answer.
func TestPreflightUndeclaredIsAQuestion(t *testing.T) {
	c := fleetCloud(t, "demo.json", nil)
	r := preflightOf(t, c, migrate.Declared{})
	moving := map[string]bool{}
	for _, p := range r.Survey.Products {
		moving[p.Product.Key] = len(p.Devices) > 0
	}
	for _, i := range r.Issues {
		if i.Severity == migrate.Blocker && i.ProductKey != "" {
			delete(moving, i.ProductKey) // it does not move, whatever else it is
		}
	}
	for _, i := range r.Issues {
		if i.Code == migrate.CodeUndeclared && i.Basis == migrate.BasisUndeclared {
			delete(moving, i.ProductKey)
		}
		if i.Basis == migrate.BasisDeclared && i.Code != migrate.CodeRegion {
			t.Errorf("%s is said to be declared, and nothing was", i.Code)
		}
	}
	for key, there := range moving {
		if there {
			t.Errorf("nobody declared product %s, and the preflight does not ask", key)
		}
	}
}

// Each reading API that the credentials may not call is named; what can be found without it is still found.
func TestPreflightAccess(t *testing.T) {
	for _, api := range []string{
		"QueryProductList", "QueryDevice", "BatchGetDeviceState", "ListDistributedDevice", "GetThingTopo", "GetGatewayBySubDevice",
		"QueryThingModelPublished", "ListThingModelVersion", "QueryDevicePropertiesData", "QueryDeviceEventData", "QueryDeviceServiceData", "ListRule", "QuerySubscribeRelation", "QueryConsumerGroupList", "QueryConsumerGroupStatus",
	} {
		c := fleetCloud(t, "demo.json", func(op migratetest.Op) migratetest.Fault {
			if op.Name == api && op.Instance == "" {
				return migratetest.Fault{Refuse: iot.Denied}
			}
			return migratetest.Fault{}
		})
		r := preflightOf(t, c, c.Declared())
		at := slices.IndexFunc(r.Issues, func(i migrate.Issue) bool {
			return i.Code == migrate.CodeAccess && i.Instance == "public instance" && strings.Contains(i.Why, api)
		})
		if at < 0 || r.Issues[at].Severity != migrate.Blocker || !r.Blocked() {
			t.Errorf("%s is denied, and the preflight says %v", api, each(r.Issues))
		}
		unread := slices.ContainsFunc(r.Issues, func(i migrate.Issue) bool { return i.Code == migrate.CodeSurvey })
		if unread == (r.Survey != nil) {
			t.Errorf("%s: the survey is there: %v; said to be incomplete: %v", api, r.Survey != nil, unread)
		}
	}
}

// A read that fails for another reason is neither a yes nor a no.
func TestPreflightFailedRead(t *testing.T) {
	c := fleetCloud(t, "demo.json", func(op migratetest.Op) migratetest.Fault {
		if op.Name == "QueryConsumerGroupStatus" {
			return migratetest.Fault{Refuse: iot.Invalid}
		}
		return migratetest.Fault{}
	})
	r := preflightOf(t, c, c.Declared())
	if !slices.ContainsFunc(r.Issues, func(i migrate.Issue) bool {
		return i.Code == migrate.CodeAccessUnknown && i.Severity == migrate.Warning && i.Basis == migrate.BasisUndeclared
	}) || r.Survey == nil {
		t.Errorf("%v", each(r.Issues))
	}
}

// A fleet that does not fit together is an issue beside the others, not an error that hides them.
func TestPreflightInconsistent(t *testing.T) {
	c := fleetCloud(t, "s1-direct.json", nil)
	p := c.Platform()
	d := c.Declared()
	d.Products["a1Nothing01"] = migrate.DeclaredProduct{}
	p.Target.Info.Region = "eu-central-1"
	r, err := migrate.Preflight(t.Context(), p.Source.View, p.Target.View, p.Account, d)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"blocker region iot-060a0001", "blocker survey-incomplete public instance", "work write-access iot-060a0001"}
	if diff := cmp.Diff(want, each(r.Issues)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// When the context is done, there is no report.
func TestPreflightCancelled(t *testing.T) {
	c := fleetCloud(t, "demo.json", nil)
	p := c.Platform()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := migrate.Preflight(ctx, p.Source.View, p.Target.View, p.Account, c.Declared()); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("report %v, error %v", r, err)
	}
	if r, err := migrate.Preflight(t.Context(), iot.View{}, p.Target.View, p.Account, c.Declared()); r != nil || iot.KindOf(err) != iot.Invalid {
		t.Errorf("report %v, error %v", r, err)
	}
}

// Instances that the platform does not migrate between.
func TestPreflightInstances(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*migrate.Survey)
		want   []string
	}{
		{"another region", func(s *migrate.Survey) { s.Target.Region = "cn-beijing" }, []string{"blocker region iot-060a0001"}},
		{"a region without legacy instances", func(s *migrate.Survey) { s.Source.Region, s.Target.Region = "cn-beijing", "cn-beijing" },
			[]string{"warning region-unlisted iot-060a0001"}},
		{"a new public instance", func(s *migrate.Survey) { s.Source.ID, s.Source.Type = "iotx-oxssharez200", "public-new" },
			[]string{"blocker instance-type iot-060a0001"}},
		{"an exclusive target", func(s *migrate.Survey) { s.Target.Type = "enterprise-exclusive" }, []string{"blocker instance-type iot-060a0001"}},
	} {
		s := survey(product(meter, iot.Direct, 5))
		test.change(s)
		checkIssues(t, test.name, s, test.want)
	}
}

// A lane of more products than there are console tasks.
func TestPreflightTaskLimit(t *testing.T) {
	keys := []string{"a1Sensor001", "a1Sensor002", "a1Sensor003", "a1Sensor004", "a1Sensor005"}
	lane := func(n int) *migrate.Survey {
		products := []migrate.SurveyProduct{product(gateway, iot.Gateway, 1)}
		for _, key := range keys[:n] {
			products = append(products, product(key, iot.SubDevice, 1))
		}
		s := survey(products...)
		for _, key := range keys[:n] {
			bind(s, dev(gateway, 0), key, 0, 1)
		}
		s.Gateways = []migrate.SurveyGateway{{ID: dev(gateway, 0)}}
		for _, key := range keys[:n] {
			s.Gateways[0].Subs = append(s.Gateways[0].Subs, dev(key, 0))
		}
		return s
	}
	checkIssues(t, "five products", lane(4), nil)
	checkIssues(t, "six products", lane(5), []string{"warning task-limit a1Gateway01"})
}

// The report of the mixed fleet is as it was, in every form: it has to change on purpose.
func TestPreflightGolden(t *testing.T) {
	c := fleetCloud(t, "mixed.json", nil)
	r := preflightOf(t, c, c.Declared())
	var text, markdown bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteMarkdown(&markdown)); err != nil {
		t.Fatal(err)
	}
	program, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"txt": text.Bytes(), "md": markdown.Bytes(), "json": append(program, '\n')} {
		golden := filepath.Join("testdata", "mixed.preflight."+name)
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
			t.Errorf("%s: run with -update if this is meant: -want +got\n%s", golden, diff)
		}
	}
}

// Names from the platform neither move the cursor nor make markup.
func TestPreflightEscapes(t *testing.T) {
	s := survey(product(meter, iot.Direct, 1))
	s.Products[0].Product.Name = "a\x1b[2Jb|<script>\n# c"
	s.Rules = []iot.Rule{{ID: "1", ProductKey: meter, Name: "r\x1b[31m|`<b>`", Topic: "/+/user/update"}}
	declare(s, meter, func(d *migrate.DeclaredProduct) { d.Network = iot.LoRaWAN })
	r, err := s.Preflight()
	if err != nil {
		t.Fatal(err)
	}
	var text, markdown bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteMarkdown(&markdown)); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{text.String(), markdown.String()} {
		if strings.ContainsRune(out, '\x1b') || strings.Contains(out, "\n# c") {
			t.Errorf("not escaped:\n%s", out)
		}
	}
	if strings.Contains(markdown.String(), "<script>") || strings.Contains(markdown.String(), "<b>") {
		t.Errorf("markup:\n%s", markdown.String())
	}
}

// A writer that fails is told of.
func TestPreflightWriteFails(t *testing.T) {
	r, err := survey(product(meter, iot.Direct, 1)).Preflight()
	if err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	for _, write := range []func() error{
		func() error { return r.WriteText(failing{full}) }, func() error { return r.WriteMarkdown(failing{full}) },
	} {
		if err := write(); !errors.Is(err, full) {
			t.Errorf("error %v", err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
