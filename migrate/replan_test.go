package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/topology"
)

// replan plans anew after a campaign, with a new survey that change may change.
func (c *campaign) replan(change func(*migrate.Survey)) (*migrate.Plan, []migrate.Change, error) {
	c.t.Helper()
	before, err := migrate.Replay(c.t.Context(), c.config.Journal, c.config.Campaign, c.config.Plan)
	if err != nil {
		c.t.Fatal(err)
	}
	c.config.Clock.(*migratetest.Clock).Advance(time.Minute)
	survey, err := c.cloud.Survey(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	if change != nil {
		change(survey)
	}
	return migrate.Planner{Strategies: c.config.Strategies}.Replan(before, survey)
}

func planned(p *migrate.Plan) []string {
	var out []string
	for _, l := range p.Lanes {
		for _, f := range l.Families {
			out = append(out, f.ID().DeviceName)
		}
	}
	slices.Sort(out)
	return out
}

// What a person has returned, and a family that somebody has split, stay the campaign's and are named.
func TestReplanLeavesWhatWasTouched(t *testing.T) {
	c := start(t, setup{fleet: migratetest.GenerateOptions{Gateways: 6, SubDevices: 2}, strategy: weeks})
	report := c.run()
	lane := report.Lanes[0]
	if report.Outcome != migrate.OutcomeProven {
		t.Fatalf("outcome %s", report.Outcome)
	}
	c.decide(migrate.Decision{Kind: migrate.Rollback, Lane: lane.Lane, Stage: "rest", Wave: 1})
	c.run()
	returned := c.at("")
	if len(returned) == 0 {
		t.Fatal("nothing was returned")
	}
	plan, changes, err := c.replan(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Lanes) > 0 {
		t.Errorf("planned again: %v", planned(plan))
	}
	var kept []iot.DeviceID
	for _, change := range changes {
		if change.Kind == migrate.ChangeKept {
			kept = append(kept, change.Device)
		}
	}
	slices.SortFunc(returned, iot.DeviceID.Compare)
	slices.SortFunc(kept, iot.DeviceID.Compare)
	if diff := cmp.Diff(returned, kept); diff != "" || len(changes) != len(kept) {
		t.Errorf("kept (-returned +kept):\n%s; all changes: %v", diff, changes)
	}
}

// The changes since the first survey, before anything moved.
func TestReplanTellsWhatChanged(t *testing.T) {
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 4, Gateways: 5, SubDevices: 2}, strategy: weeks,
		watch: func(migrate.Entry, *migrate.State) {}})
	first := planned(c.config.Plan)
	c.config.Operator = migrate.OperatorFunc(func(ctx context.Context, task migrate.ConsoleTask) error {
		if task.Kind == migrate.ConsoleGray {
			return errors.New("not today")
		}
		return c.cloud.Operator().Perform(ctx, task)
	})
	c.newRunner()
	if got := c.run().Outcome; got != migrate.OutcomeStopped {
		t.Fatalf("outcome %s", got)
	}
	gateway := func(n string) iot.DeviceID { return idOf(migratetest.GatewayProduct, "gateway-000"+n) }
	moved, fresh := idOf(migratetest.SubProduct, "sensor-0001"), idOf(migratetest.OtherSubProduct, "fresh-valve")
	gone, loose := idOf(migratetest.DirectProduct, "direct-0002"), idOf(migratetest.SubProduct, "sensor-0003")
	if err := errors.Join(c.cloud.SetGateway(moved, gateway("2")), c.cloud.Add(fresh, gateway("4")), c.cloud.Delete(gone),
		c.cloud.SetGateway(loose, iot.DeviceID{})); err != nil {
		t.Fatal(err)
	}
	plan, changes, err := c.replan(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, change := range changes {
		if change.Kind != migrate.ChangeKept {
			got = append(got, change.String())
		}
	}
	want := []string{
		"family a1Direct001/direct-0002: a1Direct001/direct-0002: deleted",
		"family a1Gateway01/gateway-0001: a1SubOne001/sensor-0001: changed gateway: a1Gateway01/gateway-0001 -> a1Gateway01/gateway-0002",
		"family a1Gateway01/gateway-0003: a1SubOne001/sensor-0003: lost gateway: it was a1Gateway01/gateway-0003",
		"family a1Gateway01/gateway-0004: a1SubTwo001/fresh-valve: appeared: gateway a1Gateway01/gateway-0004",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	for _, id := range planned(plan) {
		if !slices.Contains(first, id) {
			t.Errorf("family %s is new", id)
		}
	}
}

func TestReplanRefuses(t *testing.T) {
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 4}, strategy: weeks})
	if _, _, err := c.replan(nil); !errors.Is(err, iot.Conflict) || !strings.Contains(err.Error(), "neither finished nor halted") {
		t.Errorf("a campaign that has not ended: %v", err)
	}
	c.run()
	if _, _, err := c.replan(func(s *migrate.Survey) { s.Account = "somebody else" }); !errors.Is(err, migrate.ErrMismatch) {
		t.Errorf("a survey of another account: %v", err)
	}
	if plan, changes, err := c.replan(nil); err != nil || len(plan.Lanes)+len(changes) > 0 {
		t.Errorf("nothing is left and nothing has changed: %v, %v, %v", plan, changes, err)
	}
	other := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 5}, strategy: weeks}).config.Plan
	if _, err := migrate.Replay(t.Context(), c.config.Journal, "c", other); !errors.Is(err, migrate.ErrMismatch) {
		t.Errorf("a journal of another plan: %v", err)
	}
}

func TestReadPlanOfFollowers(t *testing.T) {
	sub, gateway := idOf("a1SubOne001", "sensor-0001"), idOf("a1Gateway01", "gateway-0001")
	plan := func() *migrate.Plan {
		info := func(id string, kind iot.InstanceType) iot.InstanceInfo { return iot.InstanceInfo{ID: id, Type: kind} }
		source, target := info("", iot.PublicLegacy), info("iot-060a0001", iot.EnterpriseStandard)
		s := &migrate.Survey{Account: "1", Source: source, Target: target, Products: []migrate.SurveyProduct{
			{Product: iot.Product{Key: sub.ProductKey, NodeType: iot.SubDevice}, Devices: []iot.Device{{ID: sub, Status: iot.Offline}}},
			{Product: iot.Product{Key: gateway.ProductKey, NodeType: iot.Gateway}, AtTarget: true, TargetDevices: []iot.DeviceID{gateway}},
		}}
		s.Declared.Followers = []topology.Relation{{Gateway: gateway, Sub: sub}}
		p, err := migrate.Planner{Strategies: guideStrategies()}.Plan(s)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := plan(); len(p.Lanes) != 1 || len(p.Lanes[0].Followers) != 1 || !p.Lanes[0].Lane.HasGateway() {
		t.Fatalf("plan: %+v", p.Lanes)
	}
	for want, spoil := range map[string]func(*migrate.Plan){
		"":                                func(*migrate.Plan) {},
		"follows":                         func(p *migrate.Plan) { p.Follows = "abc" },
		"is a direct device by its place": func(p *migrate.Plan) { p.Lanes[0].Followers = nil },
		"followers[0].gateway":            func(p *migrate.Plan) { p.Lanes[0].Followers[0].Gateway = sub },
		"followers[0].sub":                func(p *migrate.Plan) { p.Lanes[0].Followers[0].Sub = gateway },
		"in the order of their":           func(p *migrate.Plan) { p.Lanes[0].Followers = append(p.Lanes[0].Followers, p.Lanes[0].Followers[0]) },
	} {
		p := plan()
		spoil(p)
		var text bytes.Buffer
		if err := p.Write(&text); err != nil {
			t.Fatal(err)
		}
		_, err := migrate.ReadPlan(&text)
		if want == "" && err != nil || want != "" && (!errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), want)) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
