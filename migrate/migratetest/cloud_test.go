package migratetest_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

func open(t *testing.T, g migratetest.GenerateOptions, o migratetest.Options) *migratetest.Cloud {
	t.Helper()
	c, err := migratetest.Open(bytes.NewReader(migratetest.Generate(g)), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func start() time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) }

// TestGenerate proves that generated fleets are what was asked for.
func TestGenerate(t *testing.T) {
	o := migratetest.GenerateOptions{Direct: 5, PreRegistered: 4, ThingModel: 3, Gateways: 2, SubDevices: 3, OfflineEvery: 3, Empty: 2}
	c := open(t, o, migratetest.Options{})
	count, offline := map[string]int{}, 0
	for id := range c.Devices() {
		count[id.ProductKey]++
		if !c.Online(id) {
			offline++
		}
		if sub := id.ProductKey == migratetest.SubProduct || id.ProductKey == migratetest.OtherSubProduct; sub == c.GatewayOf(id).IsZero() {
			t.Errorf("device %s has gateway %s", id, c.GatewayOf(id))
		}
	}
	want := map[string]int{
		migratetest.DirectProduct: 5, migratetest.PreRegisteredProduct: 4, migratetest.ThingModelProduct: 3,
		migratetest.GatewayProduct: 2, migratetest.SubProduct: 4, migratetest.OtherSubProduct: 2,
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Error("-want +got:\n" + diff)
	}
	if offline != 4 {
		t.Errorf("%d devices are offline, want 4: one of direct, pre-registered, thing model and sub-device each", offline)
	}
	if !bytes.Equal(migratetest.Generate(o), migratetest.Generate(o)) {
		t.Error("equal options give two files")
	}
}

func TestOpenRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"{": "fleet file",
		strings.Replace(string(migratetest.Generate(migratetest.GenerateOptions{Direct: 1})), `"online"`, `"awake"`, 1): "devices[0].status",
	} {
		if _, err := migratetest.Open(strings.NewReader(text), migratetest.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %q", err, want)
		}
	}
}

// TestFaults proves that each kind of refusal reaches the caller as what it is.
func TestFaults(t *testing.T) {
	for _, kind := range []iot.Kind{iot.Throttled, iot.Denied, iot.Transient, iot.NotFound, iot.Invalid, iot.NotConnected} {
		c := open(t, migratetest.GenerateOptions{Direct: 1}, migratetest.Options{Fault: func(op migratetest.Op) migratetest.Fault {
			if op.Name == "QueryProduct" {
				return migratetest.Fault{Refuse: kind}
			}
			return migratetest.Fault{}
		}})
		_, err := c.Platform().Source.Product(t.Context(), migratetest.DirectProduct)
		if iot.KindOf(err) != kind {
			t.Errorf("refused as %s, the caller gets %v", kind, err)
		}
	}
}

// TestTruth proves that what a Cloud tells is what happened.
func TestTruth(t *testing.T) {
	clock := migratetest.NewClock(start())
	c := open(t, migratetest.GenerateOptions{Direct: 2}, migratetest.Options{Clock: clock})
	id := iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: "direct-0000"}
	target := c.Platform().Target.Info
	perform := func(kind migrate.ConsoleKind) {
		t.Helper()
		if err := c.Operator().Perform(t.Context(), migrate.ConsoleTask{Kind: kind, Target: target, Products: []migrate.ConsoleProduct{
			{ProductKey: id.ProductKey, DeviceNames: []string{id.DeviceName}},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // what was done is left alone
		perform(migrate.ConsoleCreate)
		perform(migrate.ConsoleGray)
	}
	if c.Online(id) {
		t.Error("its move did not cut the device off")
	}
	clock.Advance(time.Minute)
	if owner, ok := c.Owner(id); !ok || owner != target.ID || c.MovedTimes(id) != 1 || !c.Online(id) {
		t.Errorf("after its move the device is at %q, moved %d times, online %v", owner, c.MovedTimes(id), c.Online(id))
	}
	moved, other := c.Truths()[0], c.Truths()[1]
	if moved.Device != id || moved.Owner != target.ID || moved.Moved != 1 || !moved.Online || !moved.Served.After(start()) {
		t.Errorf("after its move, the truth about the device is %+v", moved)
	}
	if other.Owner != "" || other.Moved != 0 || !other.Online || other.Served.After(start()) {
		t.Errorf("the truth about a device that stays is %+v", other)
	}
	perform(migrate.ConsoleRollback)
	if t0 := c.Truths()[0]; t0.Owner != "" || t0.Returned != 1 || !t0.Served.IsZero() {
		t.Errorf("returned, and not connected yet, the truth about the device is %+v", t0)
	}
	if owner, _ := c.Owner(id); owner != "" || c.ReturnedTimes(id) != 1 {
		t.Errorf("after the rollback the device is at %q, returned %d times", owner, c.ReturnedTimes(id))
	}
	want := []migratetest.CallCount{
		{Name: "CreateTask", Console: true, Writes: true, Calls: 1},
		{Name: "Gray", Console: true, Writes: true, Calls: 1},
		{Name: "Rollback", Console: true, Writes: true, Calls: 1},
	}
	if diff := cmp.Diff(want, c.Calls()); diff != "" {
		t.Error("-want +got:\n" + diff)
	}
	if _, err := c.Credential(t.Context(), iot.DeviceID{ProductKey: id.ProductKey, DeviceName: "nobody"}); !errors.Is(err, iot.NotFound) {
		t.Errorf("the credential of no device: %v", err)
	}
}

// TestServe proves that groups are drained once a server reads them.
func TestServe(t *testing.T) {
	clock := migratetest.NewClock(start())
	c := open(t, migratetest.GenerateOptions{PreRegistered: 3}, migratetest.Options{Clock: clock})
	backlog := func() int {
		s, err := c.Platform().Source.GroupStatus(t.Context(), "DEFAULT_GROUP")
		if err != nil {
			t.Fatal(err)
		}
		return s.Backlog
	}
	clock.Advance(10 * time.Minute)
	if backlog() == 0 {
		t.Error("nobody reads, and there is no backlog")
	}
	c.Serve("")
	if n := backlog(); n != 0 {
		t.Errorf("%d messages wait although a server reads", n)
	}
}

// guideRunner makes the runner of a campaign with the four strategies of the guide.
func guideRunner(t *testing.T, c *migratetest.Cloud, clock iot.Clock) *migrate.Runner {
	t.Helper()
	survey, err := c.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	strategies := scenario.All(options(c))
	plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
	if err != nil {
		t.Fatal(err)
	}
	runner, err := migrate.NewRunner(migrate.Config{
		Campaign: "guide", Plan: plan, Strategies: strategies, Platform: c.Platform(), Operator: c.Operator(),
		Journal: journal.NewMemory(), Clock: clock, Workers: 1, Approver: approves(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return runner
}

// TestFleets runs the four strategies of the guide over a fleet with a lane for each of them.
func TestFleets(t *testing.T) {
	clock := migratetest.NewClock(start())
	c := open(t, migratetest.GenerateOptions{Direct: 60, PreRegistered: 40, ThingModel: 40, Gateways: 12, SubDevices: 7, OfflineEvery: 9},
		migratetest.Options{Clock: clock})
	runner := guideRunner(t, c, clock)
	report, err := runner.Run(t.Context())
	if err != nil || report.Outcome != migrate.OutcomeProven || len(report.Lanes) != 4 {
		t.Fatalf("the campaign ends %s with %d lanes, %v", report.Outcome, len(report.Lanes), err)
	}
	for id := range c.Devices() {
		if owner, _ := c.Owner(id); owner != c.Platform().Target.Info.ID || c.MovedTimes(id) != 1 {
			t.Errorf("device %s is at %q, moved %d times", id, owner, c.MovedTimes(id))
		}
	}
	if took := report.Latest.Sub(report.Began); took < 7*24*time.Hour {
		t.Errorf("the campaign took %v: data synchronisation takes a week at least", took)
	}
}
