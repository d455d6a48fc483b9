package migrate_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// smallPlan is a plan with a family and two direct devices, each change of which is one of a line.
func smallPlan(t testing.TB) *migrate.Plan {
	s := survey(product(gateway, iot.Gateway, 1), product(sensor, iot.SubDevice, 2), product(meter, iot.Direct, 2))
	bind(s, dev(gateway, 0), sensor, 0, 2)
	s.Products[2].Devices[1].Status = iot.Disabled
	return planOf(t, s)
}

// A fault in a plan's text is found, and its place is named.
func TestReadPlanRefuses(t *testing.T) {
	good := text(t, smallPlan(t))
	for _, test := range []struct{ old, new, want string }{
		{`"version": 1`, `"version": 2`, "version: this is version 2 of the format, and only 1 can be read"},
		{`"version": 1`, `"version": 0`, "version: 0 is no version"},
		{`"version": 1`, `"version": "1"`, "version: json: cannot unmarshal string into Go value of type int"},
		{`"version": 1,`, ``, "version: the field is missing"},
		{`"version": 1,`, `"version": 1, "version": 1,`, "version: the field stands twice"},
		{`"version": 1,`, `"version": 1, "Account": "1",`, "Account: unknown field"},
		{`"account": "1098765432109876"`, `"account": ""`, "account: it is empty"},
		{`"account": "1098765432109876"`, `"account": null`, "account: null is no value"},
		{`"target": {"id":"iot-060a0001"`, `"target": {"id":""`, `target.id: "" cannot be the target of public instance`},
		{`"maxTasks":5`, `"maxTasks":0`, "limits: a plan holds every limit that has a default"},
		{`"maxTasks":5`, `"maxTasks":50`, "limits.maxTasks: 50 is not from 0 to 5"},
		{`"maxTasks":5`, `"maxTasks":5,"more":1`, "limits.more: unknown field"},
		{`"visible":30000000000`, `"visible":0`, "deadlines: a plan holds all of them"},
		{`"visible":30000000000`, `"visible":-1`, "deadlines.visible: -1ns is negative"},
		{`"code":"disabled"`, `"code":"Disabled"`, `issues[0].code: "Disabled" is not in kebab-case`},
		{`"severity":"warning"`, `"severity":"hint"`, `issues[0].severity: "hint" is neither`},
		{`"productKey":"a1Meter0001","devices"`, `"devices"`, "issues[0].productKey: exactly one of"},
		{`"productKey":"a1Meter0001","devices"`, `"productKey":"a1","devices"`, `issues[0].productKey: product key "a1"`},
		{`"productKey":"a1Meter0001","devices"`, `"instance":"other","devices"`, `issues[0].instance: "other" is not the target`},
		{`"productKey":"a1Meter0001","devices"`, `"family":{"productKey":"a1","deviceName":"x"},"devices"`, `issues[0].family: product key "a1"`},
		{`"deviceName":"device-0000001"`, `"deviceName":"x"`, `issues[0].devices[0]: device name "x"`},
		{`"lane": {"id":"a1Gateway01"`, `"lane": {"id":"a1Meter0001"`, `lanes[0].lane.id: "a1Meter0001" is not the key of the first product`},
		{`"strategy": "2"`, `"strategy": ""`, `lanes[0].strategy: "" is not in kebab-case`},
		{`"moving":0`, `"moving":-1`, "lanes[0].forecast: nothing in it can be negative"},
		{`"families":1,"devices":3`, `"families":2,"devices":3`, "lanes[0].lane.families: it says 2, but there are 1"},
		{`"families":1,"devices":3`, `"families":1,"devices":4`, "lanes[0].lane.devices: it says 4, but there are 3"},
		{`"largestFamily":3`, `"largestFamily":2`, "lanes[0].lane.largestFamily: it says 2, but there are 3"},
		{`"network":"wifi","devices":2}`, `"network":"wifi","devices":3}`, "lanes[0].lane.products[1].devices: it says 3, but the families have 2"},
		{`"productKey":"a1Sensor001","name"`, `"productKey":"a1Abc000001","name"`, "lanes[0].lane.products[1].productKey: products have to be in the order"},
		{`"productKey":"a1Sensor001","name"`, `"productKey":"sensors","name"`, `lanes[0].lane.products[1].productKey: product key "sensors"`},
		{`"nodeType":"subdevice"`, `"nodeType":"direct"`, `lanes[0].families[0]: device "a1Sensor001/device-0000000" is a subdevice device by its place`},
		{`"a1Sensor001/device-0000001"`, `"a1Other0001/device-0000001"`, "lanes[0].families[0]: family: "},
		{`"a1Sensor001/device-0000001"`, `"a1Tensor001/device-0000001"`, `lanes[0].families[0]: device "a1Tensor001/device-0000001" is of no product of the lane`},
		{`"device":"a1Meter0001/device-0000001"`, `"device":"a1Meter0001/device-0000000"`, `lanes[1].families[1]: device "a1Meter0001/device-0000000" is in the plan twice`},
		{`"device":"a1Meter0001/device-0000001"`, `"gateway":"a1Meter0001/device-0000001"`, `lanes[1].families[1]: device "a1Meter0001/device-0000001" is a gateway device by its place`},
		{`"device":"a1Meter0001/device-0000001"`, `"device":"a1Meter0001/device-0000001","odd":1`, "lanes[1].families[1]: family: "},
		{`"first":0,"count":2`, `"first":1,"count":2`, "lanes[1].stages[1].waves[0].first: it is 1, but the next family is 0"},
		{`"first":0,"count":2`, `"first":0,"count":3`, "lanes[1].stages[1].waves[0].count: it is 3, but 2 families are left"},
		{`"first":0,"count":2`, `"first":0,"count":-9223372036854775808`, "lanes[1].stages[1].waves[0].count: it is -9223372036854775808"},
		{`"first":0,"count":2,"devices":2`, `"first":0,"count":2,"devices":7`, "lanes[1].stages[1].waves[0].devices: it says 7, but the families have 2"},
		{`,"waves":[{"first":0,"count":2,"devices":2}]`, ``, "lanes[1].stages: their waves cover 0 of 2 families"},
		{`,"waves":[{"first":0,"count":2,"devices":2}]`, `,"waves":[{"first":0,"count":1,"devices":1},{"first":1,"count":1,"devices":1}]`, "lanes[1].stages[1].waves: a console task moves one wave"},
		{`"console":"gray-batch","moves":true,"waves":[{"first":0,"count":2,"devices":2}]`, `"waves":[{"first":0,"count":2,"devices":2}]`, "lanes[1].stages[1].waves: the stage does not move"},
		{`"name":"confirm"`, `"name":"create"`, `lanes[0].stages[2].name: another stage is "create", too`},
		{`"console":"create-task"`, `"console":"tidy"`, `lanes[0].stages[0].console: task "tidy" is unknown`},
		{`"console":"create-task"`, `"console":"create-task","oneWay":true`, "lanes[0].stages[0].oneWay: a stage without a way back needs a gate"},
		{`"verifiers":["online"]`, `"verifiers":["online","online"]`, `lanes[0].stages[1].verifiers[1]: "online" is there twice`},
		{`"verifiers":["online"]`, `"verifiers":"online"`, "lanes[0].stages[1].verifiers: want a list"},
		{`"forecast": {`, `"forecast": [`, "lanes[0].forecast: want an object"},
		{`"forecast": {`, `"forecast": {x`, "lanes[0].forecast: invalid character 'x'"},
	} {
		bad := strings.Replace(good, test.old, test.new, 1)
		if bad == good {
			t.Fatalf("%s is not in the plan\n%s", test.old, good)
		}
		plan, err := migrate.ReadPlan(strings.NewReader(bad))
		if plan != nil || iot.KindOf(err) != iot.Invalid || !strings.HasPrefix(err.Error(), "read plan: "+test.want) {
			t.Errorf("%s -> %s: error %v, want %s", test.old, test.new, err, test.want)
		}
	}
}

func TestReadPlanRefusesOtherTexts(t *testing.T) {
	good := text(t, smallPlan(t))
	for i := 0; i < len(good)-1; i += 11 { // the last byte is a newline
		if plan, err := migrate.ReadPlan(strings.NewReader(good[:i])); plan != nil || iot.KindOf(err) != iot.Invalid {
			t.Errorf("the first %d bytes: error %v", i, err)
		}
	}
	if _, err := migrate.ReadPlan(strings.NewReader(good + "{}")); iot.KindOf(err) != iot.Invalid || !strings.Contains(err.Error(), "after the end") {
		t.Errorf("with more: error %v", err)
	}
	gone := errors.New("the disk is gone")
	if _, err := migrate.ReadPlan(iotest.ErrReader(gone)); !errors.Is(err, gone) {
		t.Errorf("error %v, want %v", err, gone)
	}
}

// Lanes that change places, and a product in two lanes.
func TestReadPlanRefusesLanes(t *testing.T) {
	plan := smallPlan(t)
	slices.Reverse(plan.Lanes)
	_, err := migrate.ReadPlan(strings.NewReader(text(t, plan)))
	if want := "read plan: lanes[1].lane.id: lanes have to be in the order of their IDs"; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	plan = smallPlan(t)
	plan.Lanes[0].Lane.Products = append(plan.Lanes[0].Lane.Products, plan.Lanes[1].Lane.Products[0])
	_, err = migrate.ReadPlan(strings.NewReader(text(t, plan)))
	if want := "read plan: lanes[0].lane.products[2].productKey: products have to be in the order of their keys"; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	plan = smallPlan(t)
	plan.Lanes[1].Lane.Products = append(plan.Lanes[1].Lane.Products, plan.Lanes[0].Lane.Products[1])
	_, err = migrate.ReadPlan(strings.NewReader(text(t, plan)))
	if want := `read plan: lanes[1].lane.products[1].productKey: lanes[0] has product "a1Sensor001" already`; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
	plan = smallPlan(t)
	plan.Lanes[1].Lane.Target.Region = "eu-central-1"
	_, err = migrate.ReadPlan(strings.NewReader(text(t, plan)))
	if want := "read plan: lanes[1].lane.target: it is not the plan's"; fmt.Sprint(err) != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// Writing stops at the first error of the writer, and says so.
func TestWritePlanError(t *testing.T) {
	full := errors.New("the disk is full")
	err := planOf(t, survey(product(meter, iot.Direct, 5000))).Write(&shortWriter{left: 5000, err: full})
	if !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
}

type shortWriter struct {
	left int
	err  error
}

func (w *shortWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, w.err
	}
	return len(p), nil
}

// The hash is about everything in a plan.
func TestPlanHash(t *testing.T) {
	seen := map[string]string{smallPlan(t).Hash(): "nothing"}
	for name, change := range planChanges() {
		p := smallPlan(t)
		change(p)
		h := p.Hash()
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[h] = name
	}
}

// planChanges changes small plans, each in one way; most of them are no good plans any more.
func planChanges() map[string]func(*migrate.Plan) {
	return map[string]func(*migrate.Plan){
		"version":         func(p *migrate.Plan) { p.Version = 2 },
		"account":         func(p *migrate.Plan) { p.Account = "2" },
		"source":          func(p *migrate.Plan) { p.Source.Region = "eu" },
		"target":          func(p *migrate.Plan) { p.Target.ID = "iot-other" },
		"limits":          func(p *migrate.Plan) { p.Limits.MaxFailedDevices = 3 },
		"deadlines":       func(p *migrate.Plan) { p.Deadlines.Gate++ },
		"issue gone":      func(p *migrate.Plan) { p.Issues = nil },
		"issue's words":   func(p *migrate.Plan) { p.Issues[0].Remedy = "None." },
		"issue's devices": func(p *migrate.Plan) { p.Issues[0].Devices = nil },
		"lane gone":       func(p *migrate.Plan) { p.Lanes = p.Lanes[:1] },
		"strategy":        func(p *migrate.Plan) { p.Lanes[0].Strategy = "other" },
		"why":             func(p *migrate.Plan) { p.Lanes[0].Why = "Because." },
		"forecast":        func(p *migrate.Plan) { p.Lanes[0].Forecast.Calls++ },
		"product":         func(p *migrate.Plan) { p.Lanes[0].Lane.Products[0].Name = "other" },
		"stage gone":      func(p *migrate.Plan) { p.Lanes[0].Stages = p.Lanes[0].Stages[1:] },
		"stage's gate":    func(p *migrate.Plan) { p.Lanes[0].Stages[1].Gate = false },
		"stage's code":    func(p *migrate.Plan) { p.Lanes[0].Stages[1].Does = true },
		"waves":           func(p *migrate.Plan) { p.Lanes[1].Stages[1].Waves[0].Count = 1 },
		"order":           func(p *migrate.Plan) { slices.Reverse(p.Lanes[1].Families) },
		"family gone":     func(p *migrate.Plan) { p.Lanes[1].Families = p.Lanes[1].Families[1:] },
		"device gone":     func(p *migrate.Plan) { p.Lanes[0].Families[0].Devices = p.Lanes[0].Families[0].Devices[1:] },
	}
}

// A plan does not differ from itself, and from every other one in a line or more.
func TestDiff(t *testing.T) {
	if lines := migrate.Diff(smallPlan(t), smallPlan(t)); len(lines) != 0 {
		t.Errorf("a plan differs from itself: %q", lines)
	}
	want := map[string]string{
		"account":         `account: "1098765432109876" -> "2"`,
		"issue gone":      "warning disabled of product a1Meter0001: gone",
		"issue's words":   "warning disabled of product a1Meter0001: other words",
		"issue's devices": "warning disabled of product a1Meter0001: 1 devices -> 0 devices -a1Meter0001/device-0000001",
		"lane gone":       "lane a1Meter0001: gone, with 2 devices",
		"strategy":        `lane a1Gateway01: strategy: "2" -> "other"`,
		"stage gone":      `lane a1Gateway01: order of stages: ["create","gray","confirm","rest"] -> ["gray","confirm","rest"]`,
		"waves":           "lane a1Meter0001: stage gray: 1 wave of 2 devices -> 1 wave of 2 devices",
		"order":           "lane a1Meter0001: its families move in another order",
		"family gone":     "lane a1Meter0001: family a1Meter0001/device-0000000: gone, with 1 devices",
		"device gone":     "lane a1Gateway01: family a1Gateway01/device-0000000: 3 devices -> 2 devices -a1Sensor001/device-0000000",
	}
	for name, change := range planChanges() {
		changed := smallPlan(t)
		change(changed)
		there, back := migrate.Diff(smallPlan(t), changed), migrate.Diff(changed, smallPlan(t))
		if len(there) != 1 || len(back) != 1 {
			t.Errorf("%s: %q, and back %q", name, there, back)
		}
		if w, ok := want[name]; ok && !slices.Contains(there, w) {
			t.Errorf("%s: %q, want %q", name, there, w)
		}
	}
}

// Long lists of families are cut.
func TestDiffOfMany(t *testing.T) {
	got := migrate.Diff(planOf(t, survey(product(meter, iot.Direct, 30))), planOf(t, survey(product(meter, iot.Direct, 10))))
	var families []string
	for _, line := range got {
		if strings.Contains(line, "famil") {
			families = append(families, line)
		}
	}
	if len(families) != 11 || families[10] != "lane a1Meter0001: 10 more families are gone" {
		t.Errorf("%q", families)
	}
}

// FuzzReadPlan holds that whatever is accepted writes and reads as the same plan, and can be compared.
func FuzzReadPlan(f *testing.F) {
	f.Add([]byte(text(f, smallPlan(f))))
	f.Add([]byte(text(f, planOf(f, survey(product(meter, iot.Direct, 2))))))
	f.Add([]byte(`{"version":1,"account":"1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		plan, err := migrate.ReadPlan(bytes.NewReader(data))
		if err != nil {
			if iot.KindOf(err) != iot.Invalid {
				t.Fatalf("error %v is not of kind Invalid", err)
			}
			return
		}
		again, err := migrate.ReadPlan(strings.NewReader(text(t, plan)))
		if err != nil {
			t.Fatal(err)
		}
		if plan.Hash() != again.Hash() {
			t.Errorf("another plan: %s", cmp.Diff(plan, again))
		}
		if lines := migrate.Diff(plan, again); len(lines) != 0 {
			t.Errorf("it differs from itself: %q", lines)
		}
	})
}
