package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// refusing refuses an API of an instance.
func refusing(api, instance string, err error) func(migratetest.Op) migratetest.Fault {
	return func(op migratetest.Op) migratetest.Fault {
		if op.Name == api && op.Instance == instance {
			return migratetest.Fault{Refuse: err}
		}
		return migratetest.Fault{}
	}
}

func why(r *migrate.PreflightReport, code migrate.Code, instance string) string {
	for _, i := range r.Issues {
		if i.Code == code && i.Instance == instance {
			return i.Why
		}
	}
	return ""
}

// A target that has nothing yet is asked about what the source has. What the survey does not need there does not end it.
func TestPreflightAccessToAnEmptyTarget(t *testing.T) {
	const target = "iot-060a0001"
	needed := []string{"QueryProduct", "QueryDevice"}
	for fleet, apis := range map[string][]string{
		"s2-gateway.json": {
			"QueryProductList", "QueryProduct", "QueryDevice", "BatchGetDeviceState", "GetThingTopo", "GetGatewayBySubDevice", "ListRule",
			"QuerySubscribeRelation", "QueryConsumerGroupList",
		},
		"s4-tsl.json": {
			"QueryThingModelPublished", "ListThingModelVersion", "QueryDevicePropertiesData", "QueryDeviceEventData", "QueryDeviceServiceData",
			"QueryConsumerGroupStatus",
		},
	} {
		for _, api := range apis {
			c := fleetCloud(t, fleet, refusing(api, target, iot.Denied))
			r := preflightOf(t, c, c.Declared())
			if !strings.Contains(why(r, migrate.CodeAccess, target), api) {
				t.Errorf("%s is denied at the target, and the preflight says %v", api, each(r.Issues))
			}
			if r.Survey == nil && !slices.Contains(needed, api) {
				t.Errorf("%s is denied at the target, and nothing is known of the source", api)
			}
		}
	}
}

// What the trial asks for need not be there: a platform that says so with an error has let it ask.
func TestPreflightHistoryOfNothing(t *testing.T) {
	c := fleetCloud(t, "s4-tsl.json", refusing("QueryDeviceEventData", "", iot.Invalid))
	if text := why(preflightOf(t, c, c.Declared()), migrate.CodeAccessUnknown, "public instance"); text != "" {
		t.Errorf("it says %q", text)
	}
}

// The API that is denied is named, and not the one that a driver was asked for.
func TestPreflightNamesTheAPI(t *testing.T) {
	for _, api := range []string{"ListRuleActions", "QueryProduct"} {
		c := fleetCloud(t, "s1-direct.json", refusing(api, "", iot.Denied))
		text := why(preflightOf(t, c, c.Declared()), migrate.CodeAccess, "public instance")
		if !strings.Contains(text, "call "+api+" there") {
			t.Errorf("%s is denied, and the preflight says %q", api, text)
		}
	}
}

// What fails for another reason is not said to be a matter of permissions.
func TestPreflightSaysWhyThereIsNoSurvey(t *testing.T) {
	c := fleetCloud(t, "s1-direct.json", refusing("ListRule", "", iot.Invalid))
	r := preflightOf(t, c, c.Declared())
	text := why(r, migrate.CodeSurvey, "public instance")
	if text == "" || strings.Contains(text, "credentials") {
		t.Errorf("a read fails, and the preflight says %q", text)
	}
	var out, page bytes.Buffer
	if err := errors.Join(r.WriteText(&out), r.WriteMarkdown(&page)); err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{out.String(), page.String()} {
		if strings.Contains(got, "0 devices") || strings.Contains(got, "There are no") || !strings.Contains(got, "could not be read") {
			t.Errorf("what nobody knows is told as a number or a green:\n%s", got)
		}
	}
}

// everybodys says that a sub-device has every gateway.
type everybodys struct {
	iot.TopologyReader
	sub iot.DeviceID
}

func (e everybodys) Children(context.Context, iot.DeviceID) iter.Seq2[iot.DeviceID, error] {
	return func(yield func(iot.DeviceID, error) bool) { yield(e.sub, nil) }
}

// A topology that does not fit together does not hide what blocks products.
func TestPreflightOfAWrongTopology(t *testing.T) {
	c := fleetCloud(t, "mixed.json", nil)
	p := c.Platform()
	p.Source.TopologyReader = everybodys{p.Source.TopologyReader, iot.DeviceID{ProductKey: "a1SubVideo1", DeviceName: "sub_012.01"}}
	r, err := migrate.Preflight(t.Context(), p.Source.View, p.Target.View, p.Account, c.Declared())
	if err != nil {
		t.Fatal(err)
	}
	found := map[migrate.Code]bool{}
	for _, i := range r.Issues {
		found[i.Code] = true
	}
	for _, want := range []migrate.Code{migrate.CodeInconsistent, migrate.CodeMNSOnly, migrate.CodeVideo, migrate.CodeID2} {
		if !found[want] {
			t.Errorf("%s is not told: %v", want, each(r.Issues))
		}
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "how many can move is not known") || strings.Contains(text.String(), "There are no") {
		t.Errorf("%v\n%s", err, text.String())
	}
}

// A slip in a declared product is told before the devices are read.
func TestPreflightSlipIsToldEarly(t *testing.T) {
	lists := 0
	c := fleetCloud(t, "s1-direct.json", func(op migratetest.Op) migratetest.Fault {
		if op.Name == "QueryDevice" {
			lists++
		}
		return migratetest.Fault{}
	})
	d := c.Declared()
	d.Products["a1Nothing01"] = migrate.DeclaredProduct{}
	r := preflightOf(t, c, d)
	if text := why(r, migrate.CodeSurvey, "public instance"); !strings.Contains(text, "a1Nothing01") || lists > 2 {
		t.Errorf("after %d pages of devices: %q", lists, text)
	}
}

// A family is blocked by what an API shows, or by what was declared: it says which.
func TestPreflightBasisOfBlockedFamilies(t *testing.T) {
	for want, block := range map[migrate.Basis]func(*migrate.Survey){
		migrate.BasisDeclared: func(s *migrate.Survey) {
			declare(s, sensor, func(d *migrate.DeclaredProduct) { d.Features = []iot.Feature{iot.Video} })
		},
		migrate.BasisObserved: func(s *migrate.Survey) {
			declare(s, sensor, func(d *migrate.DeclaredProduct) { d.Features = []iot.Feature{iot.Video} })
			s.Products[1].Subscriptions = []iot.Subscription{{ProductKey: sensor, Type: iot.MNS, Queue: "q"}}
		},
	} {
		s := refusable()
		block(s)
		r, err := s.Preflight()
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(r.Issues, func(i migrate.Issue) bool { return i.Code == migrate.CodeFamilyBlocked })
		if at < 0 || r.Issues[at].Basis != want {
			t.Errorf("want a blocked family, %s: %v", want, r.Issues)
		}
	}
}

// Of a product that is too large, and of its limit, the numbers are told.
func TestPreflightSizeInNumbers(t *testing.T) {
	s := survey(product(meter, iot.Direct, 5))
	s.Declared.MaxProductDevices = 4
	r, err := s.Preflight()
	if err != nil {
		t.Fatal(err)
	}
	if text := r.Issues[0].Why; !strings.Contains(text, "5 devices") || !strings.Contains(text, "at most 4") {
		t.Errorf("it says %q", text)
	}
}

// The texts can be read by a person also when thousands of families have the same in their way; they say how each issue is known.
func TestPreflightOfManyFamilies(t *testing.T) {
	const many = 3000
	s := survey(product(meter, iot.Direct, many), product(camera, iot.Direct, 1))
	declare(s, camera, func(d *migrate.DeclaredProduct) { d.Features = []iot.Feature{iot.Video} })
	s.Products[0].AtTarget = true
	for _, d := range s.Products[0].Devices {
		s.Products[0].TargetDevices = append(s.Products[0].TargetDevices, d.ID)
	}
	r, err := s.Preflight()
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Issues) < many {
		t.Fatalf("%d issues", len(r.Issues))
	}
	var text, markdown bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteMarkdown(&markdown)); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{text.String(), markdown.String()} {
		if lines := strings.Count(out, "\n"); lines > 120 || !strings.Contains(out, "two-owners: 2980 more families, 3000 in all") {
			t.Errorf("%d lines:\n%.3000s", lines, out)
		}
	}
	for _, want := range []string{"two-owners, 1 device: device-0000000 (observed)", "video (declared)"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text does not say %q", want)
		}
	}
	if diff := cmp.Diff(many+1, strings.Count(strings.Join(each(r.Issues), "\n"), "blocker ")); diff != "" {
		t.Error(diff)
	}
}
