package scenario_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/carry"
	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

// labelled is a fleet of families whose devices have labels and groups.
func labelled(t *testing.T) (*migratetest.Cloud, *clock) {
	t.Helper()
	c := &clock{Clock: migratetest.NewClock(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC))}
	cloud, err := migratetest.Open(bytes.NewReader(migratetest.Generate(migratetest.GenerateOptions{Gateways: 3, SubDevices: 4, Direct: 6})),
		migratetest.Options{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	s := migratetest.Setup{
		Labels: map[iot.DeviceID]map[string]string{}, Members: map[string][]iot.DeviceID{},
		DeviceGroups: []iot.DeviceGroup{{ID: "site0001", Name: "site_1"}, {ID: "floor001", Name: "floor_1", Parent: "site0001"}},
	}
	for _, key := range []string{migratetest.GatewayProduct, migratetest.SubProduct, migratetest.DirectProduct} {
		for d, err := range cloud.Platform().Source.Devices(t.Context(), key) {
			if err != nil {
				t.Fatal(err)
			}
			s.Labels[d.ID] = map[string]string{"name": d.ID.DeviceName}
			s.Members["floor001"] = append(s.Members["floor001"], d.ID)
		}
	}
	if err := cloud.SetupSource(s); err != nil {
		t.Fatal(err)
	}
	return cloud, c
}

// After a campaign of several lanes, within the documented quotas, every device has its labels and its groups again.
func TestCampaignCarries(t *testing.T) {
	cloud, c := labelled(t)
	store := &carry.Memory{}
	results := map[string]carry.Result{}
	o := scenario.Options{Sink: cloud.Sink(), Carry: store, Carried: func(_ context.Context, env *migrate.Env, r carry.Result, list []configdiff.DeviceDifference) error {
		results[env.Lane.ID] = r
		for _, d := range list {
			t.Errorf("lane %s: %s %s of %s", env.Lane.ID, d.Kind, d.Change, d.Device)
		}
		return nil
	}}
	wantProven(t, campaign(t, cloud, c, o), "online")
	want := map[string]carry.Result{
		migratetest.DirectProduct:  {Devices: 6, Labels: 6, Groups: 2, Members: 6},
		migratetest.GatewayProduct: {Devices: 15, Labels: 9, Members: 9},
	}
	groups := results[migratetest.DirectProduct].Groups + results[migratetest.GatewayProduct].Groups
	for id, r := range results { // whichever lane ends first creates them
		r.Groups = 0
		results[id] = r
	}
	w := want[migratetest.DirectProduct]
	w.Groups = 0
	want[migratetest.DirectProduct] = w
	if diff := cmp.Diff(want, results); diff != "" || groups != 2 {
		t.Errorf("%d groups were created; carried (-want +got):\n%s", groups, diff)
	}
	for _, calls := range cloud.Calls() {
		if calls.Throttled > 0 {
			t.Errorf("%s was throttled %d times", calls.Name, calls.Throttled)
		}
	}
}

// The stages stand first, and behind the last move. While something is missing, the second one is tried again, and carries again.
func TestCarryStages(t *testing.T) {
	cloud, c := labelled(t)
	store := &carry.Memory{}
	o := scenario.Options{Carry: store, MNSGroup: heir}
	stages, err := scenario.Direct(o).Stages(directLane())
	if err != nil {
		t.Fatal(err)
	}
	last := stages[len(stages)-2]
	if stages[2].Name != "keep" || last.Name != "carry" || stages[len(stages)-1].Name != "check" {
		t.Errorf("stage 3 is %s, and the last but one %s", stages[2].Name, last.Name)
	}
	if err := (scenario.Options{Carried: func(context.Context, *migrate.Env, carry.Result, []configdiff.DeviceDifference) error { return nil }}).Check(); !errors.Is(err, iot.Invalid) {
		t.Errorf("Carried without Carry: %v", err)
	}
	env := &migrate.Env{Campaign: "spring", Lane: lane(product(migratetest.DirectProduct, iot.Direct, iot.AuthPerDevice, iot.Custom)), Platform: cloud.Platform(), Clock: c}
	if err := stages[2].Do(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	task := migrate.ConsoleTask{Target: env.Platform.Target.Info, Products: []migrate.ConsoleProduct{{ProductKey: migratetest.DirectProduct, DeviceNames: []string{"direct-0000"}}}}
	for _, task.Kind = range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray} {
		if err := cloud.Operator().Perform(t.Context(), task); err != nil {
			t.Fatal(err)
		}
	}
	c.Advance(time.Minute)
	env.Platform.Target.Configure.Labels = oblivious{}
	if err := last.Do(t.Context(), env); !errors.Is(err, iot.Transient) || !strings.Contains(err.Error(), "direct-0000 label.name") {
		t.Errorf("a platform that forgets: got %v", err)
	}
	o.Carried = func(_ context.Context, _ *migrate.Env, r carry.Result, list []configdiff.DeviceDifference) error {
		if r.Devices != 6 || len(list) != 1 {
			t.Errorf("told of %+v and %v, want another try, and one device", r, list)
		}
		return iot.Transient
	}
	told, err := scenario.Direct(o).Stages(directLane())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a caller who wants another try gets one
		if err := told[len(told)-2].Do(t.Context(), env); !errors.Is(err, iot.Transient) {
			t.Errorf("the caller's error became %v", err)
		}
	}
	env.Platform = cloud.Platform()
	if err := last.Do(t.Context(), env); err != nil {
		t.Errorf("a platform that does not: %v", err)
	}
}

// oblivious says that it was done.
type oblivious struct{}

func (oblivious) SetLabels(context.Context, iot.DeviceID, map[string]string) error { return nil }

// What cannot be carried is told with its reason, and each device counts once.
func TestCarrySaysWhy(t *testing.T) {
	cloud, c := labelled(t)
	stages, err := scenario.Direct(scenario.Options{Carry: &carry.Memory{}}).Stages(directLane())
	if err != nil {
		t.Fatal(err)
	}
	env := &migrate.Env{Campaign: "spring", Lane: lane(product(migratetest.DirectProduct, iot.Direct, iot.AuthPerDevice, iot.Custom)), Platform: cloud.Platform(), Clock: c}
	var keep, give func(context.Context, *migrate.Env) error
	for _, s := range stages {
		switch s.Name {
		case "keep":
			keep = s.Do
		case "carry":
			give = s.Do
		}
	}
	if err := keep(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	task := migrate.ConsoleTask{Target: env.Platform.Target.Info, Products: []migrate.ConsoleProduct{
		{ProductKey: migratetest.DirectProduct, DeviceNames: []string{"direct-0000", "direct-0001"}}}}
	for _, task.Kind = range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray} {
		if err := cloud.Operator().Perform(t.Context(), task); err != nil {
			t.Fatal(err)
		}
	}
	c.Advance(time.Minute)
	full := iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: "direct-0000"}
	target := migratetest.Setup{Labels: map[iot.DeviceID]map[string]string{full: {}}, Members: map[string][]iot.DeviceID{}}
	for n := range 100 {
		target.Labels[full][fmt.Sprint("label", n)] = "x"
	}
	for n := range 10 {
		g := iot.DeviceGroup{ID: fmt.Sprint("full000", n), Name: fmt.Sprint("full_", n)}
		target.DeviceGroups, target.Members[g.ID] = append(target.DeviceGroups, g), []iot.DeviceID{full}
	}
	if err := cloud.SetupTarget(target); err != nil {
		t.Fatal(err)
	}
	err = give(t.Context(), env)
	for _, want := range []string{"1 device lacks", "more than 100", "in 10 groups"} {
		if !errors.Is(err, iot.Transient) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to say %q", err, want)
		}
	}
}
