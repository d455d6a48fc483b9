package migrate_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// An expectation is what stands beside a fleet file: FORMAT.md, section "Reason codes".
type expectation struct {
	About    string         `json:"about,omitempty"`
	Lanes    []expectedLane `json:"lanes"`
	Blocked  []expectedCode `json:"blocked"`
	Warnings []expectedCode `json:"warnings"`
}

type expectedLane struct {
	Scenario      int      `json:"scenario"`
	Products      []string `json:"products"`
	Families      int      `json:"families"`
	Devices       int      `json:"devices"`
	LargestFamily int      `json:"largestFamily"`
}

type expectedCode struct {
	ProductKey string   `json:"productKey,omitempty"`
	Family     string   `json:"family,omitempty"`
	Instance   string   `json:"instance,omitempty"`
	Reasons    []string `json:"reasons"`
}

// Plans for the fleet files are as the files beside them say.
func TestPlanOfFleets(t *testing.T) {
	for _, name := range []string{"demo", "mixed"} {
		want := expectedOf(t, name)
		got := expectationOf(t, planOf(t, fleetSurvey(t, name+".json")))
		for _, e := range []*expectation{&want, &got} {
			slices.SortFunc(e.Lanes, func(a, b expectedLane) int { return slices.Compare(a.Products, b.Products) })
			for _, codes := range [][]expectedCode{e.Blocked, e.Warnings} {
				slices.SortFunc(codes, func(a, b expectedCode) int { return cmp.Compare(a.subject(), b.subject()) })
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func expectedOf(t *testing.T, name string) expectation {
	t.Helper()
	file, err := fleets.Open(name + ".expected.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var e expectation
	if err := json.NewDecoder(file).Decode(&e); err != nil {
		t.Fatal(err)
	}
	e.About = ""
	return e
}

func (e expectedCode) subject() string { return e.ProductKey + e.Family + e.Instance }

// The fleets of single scenarios are one lane of theirs, with nothing in its way.
func TestPlanOfScenarioFleets(t *testing.T) {
	for name, strategy := range map[string]string{
		"s1-direct.json": "1", "s2-gateway.json": "2", "s3-preregistered.json": "3", "s4-tsl.json": "4",
	} {
		plan := planOf(t, fleetSurvey(t, name))
		if len(plan.Lanes) != 1 || plan.Lanes[0].Strategy != strategy || len(plan.Blocked()) != 0 {
			t.Errorf("%s: %d lanes, blocked by %v", name, len(plan.Lanes), each(plan.Blocked()))
		}
	}
}

// The plan for the demonstration fleet is as it was: it has to change on purpose.
func TestPlanGolden(t *testing.T) {
	got := text(t, planOf(t, fleetSurvey(t, "demo.json")))
	golden := filepath.Join("testdata", "demo.plan.json")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("run with -update if this is meant: -want +got\n%s", diff)
	}
	plan, err := migrate.ReadPlan(strings.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	if again := text(t, plan); again != got {
		t.Error("what is read is not what was written")
	}
}

// expectationOf puts a plan into the form of the expected files.
func expectationOf(t *testing.T, p *migrate.Plan) expectation {
	t.Helper()
	var e expectation
	for _, l := range p.Lanes {
		lane := expectedLane{Scenario: scenarioOf(l.Lane), Families: l.Lane.Families, Devices: l.Lane.Devices, LargestFamily: l.Lane.LargestFamily}
		for _, p := range l.Lane.Products {
			lane.Products = append(lane.Products, p.Key)
		}
		e.Lanes = append(e.Lanes, lane)
	}
	for _, i := range p.Issues {
		codes := &e.Blocked
		if i.Severity == migrate.Warning {
			codes = &e.Warnings
		}
		*codes = addCode(*codes, i)
	}
	return e
}

// addCode joins the codes of one subject, which stand next to each other.
func addCode(codes []expectedCode, i migrate.Issue) []expectedCode {
	c := expectedCode{ProductKey: i.ProductKey, Instance: i.Instance, Reasons: []string{string(i.Code)}}
	if i.Family != nil {
		c.Family = i.Family.String()
	}
	if n := len(codes) - 1; n >= 0 && codes[n].subject() == c.subject() {
		codes[n].Reasons = append(codes[n].Reasons, c.Reasons...)
		return codes
	}
	return append(codes, c)
}

// fleetSurvey surveys a fleet file on the platform in memory, with what the file declares.
func fleetSurvey(t *testing.T, name string) *migrate.Survey {
	t.Helper()
	file, err := fleets.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	cloud, err := migratetest.Open(file, migratetest.Options{Clock: clock, NoQuotas: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := cloud.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}
