package route_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/route"
	"github.com/iotferry/iotferry/scenario"
)

// A voyage is a campaign on the platform in memory, and a backend that sends commands after every entry of its journal.
type voyage struct {
	*testing.T
	fate     *rand.Rand // of the backend
	mu       sync.Mutex
	weather  *rand.Rand // of the platform, which is asked by several goroutines
	cloud    *migratetest.Cloud
	runner   *migrate.Runner
	follower *route.Follower
	table    *route.Table
	client   *route.Client
	devices  []iot.DeviceID
	moving   int // answers that were not sure
	results  map[iot.Kind]int
}

func newVoyage(t *testing.T, seed uint64) *voyage {
	t.Helper()
	v := &voyage{T: t, fate: rand.New(rand.NewPCG(seed, 4)), weather: rand.New(rand.NewPCG(seed, 5)), results: map[iot.Kind]int{}, table: newTable(t)}
	clock := migratetest.NewClock(begin)
	fleet := migratetest.Generate(migratetest.GenerateOptions{Direct: 24, Gateways: 2, SubDevices: 5, OfflineEvery: 9})
	var err error
	if v.cloud, err = migratetest.Open(bytes.NewReader(fleet), migratetest.Options{Clock: clock, NoQuotas: true, Fault: v.fault}); err != nil {
		t.Fatal(err)
	}
	for id := range v.cloud.Devices() {
		v.devices = append(v.devices, id)
	}
	platform := v.cloud.Platform()
	router := newRouter(t, newPlatform(), func(c *route.Config) {
		*c = route.Config{Table: v.table, Source: platform.Source, Target: platform.Target, Clock: clock, LookEvery: 1, Patience: -1}
	})
	if v.client, err = router.Client(platform.Source, platform.Target); err != nil {
		t.Fatal(err)
	}
	v.embark(clock)
	return v
}

func (v *voyage) embark(clock iot.Clock) {
	v.Helper()
	strategies := scenario.All(scenario.Options{Sink: v.cloud.Sink()})
	survey, err := v.cloud.Survey(v.Context())
	if err != nil {
		v.Fatal(err)
	}
	plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
	if err != nil {
		v.Fatal(err)
	}
	entries := journal.NewMemory()
	if v.follower, err = route.NewFollower(v.table, entries, campaign, plan); err != nil {
		v.Fatal(err)
	}
	v.runner, err = migrate.NewRunner(migrate.Config{
		Campaign: campaign, Plan: plan, Strategies: strategies, Platform: v.cloud.Platform(), Journal: entries,
		Operator: v.cloud.Operator(), Clock: clock, Workers: 1, Watch: v.watch,
		Approver: migrate.ApproverFunc(func(context.Context, migrate.Gate) (migrate.Decision, error) {
			return migrate.Decision{Kind: migrate.Approve, By: "ann"}, nil
		}),
	})
	if err != nil {
		v.Fatal(err)
	}
}

// fault loses the answers of some moves and commands, and refuses some.
func (v *voyage) fault(op migratetest.Op) migratetest.Fault {
	switch op.Name {
	case "BatchGrayMigrationDevice", "Pub":
		v.mu.Lock()
		defer v.mu.Unlock()
		switch v.weather.IntN(6) {
		case 0:
			return migratetest.Fault{Lost: true}
		case 1:
			return migratetest.Fault{Refuse: iot.Throttled}
		}
	}
	return migratetest.Fault{}
}

// watch is the backend: what the table is sure of is so, and commands find their device.
func (v *voyage) watch(e migrate.Entry, _ *migrate.State) {
	if err := v.follower.CatchUp(v.Context()); err != nil {
		v.Fatal(err)
	}
	if e.Kind != migrate.EntryVerdicts { // these are many, and move nothing
		for _, id := range v.devices {
			v.check(fmt.Sprintf("after entry %d, %s", e.Seq, e.Kind), id)
		}
	}
	id := v.devices[v.fate.IntN(len(v.devices))]
	_, err := v.client.Publish(v.Context(), "/"+id.String()+"/user/get", []byte("on"))
	kind := iot.KindOf(err)
	v.results[kind]++
	if err != nil && kind != iot.UnknownOutcome && kind != iot.Throttled {
		v.Errorf("after entry %d, %s: %v", e.Seq, e.Kind, err)
	}
}

func (v *voyage) check(what string, id iot.DeviceID) {
	owner, _ := v.cloud.Owner(id)
	at := route.Source
	if owner == target {
		at = route.Target
	}
	switch got := v.table.Lookup(id); {
	case !got.Known():
		v.moving++
	case got != at:
		v.Errorf("%s: %s is at the %v, and the table says %v", what, id, at, got)
	}
}

// In a whole campaign, with lost answers and a rollback, the table is never wrong where it is sure, and in the end it is sure.
func TestCampaign(t *testing.T) {
	seeds := uint64(2)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		v := newVoyage(t, seed)
		report, err := v.runner.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if report.Outcome != migrate.OutcomeProven {
			t.Errorf("seed %d: outcome %s", seed, report.Outcome)
		}
		v.arrive("moved", route.Target)
		if err := v.runner.Decide(t.Context(), migrate.Decision{Kind: migrate.Rollback, By: "ann"}); err != nil {
			t.Fatal(err)
		}
		if _, err := v.runner.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		v.arrive("returned", route.Source)
		if v.moving == 0 || v.results[iot.Unclassified] == 0 || v.results[iot.UnknownOutcome] == 0 {
			t.Errorf("seed %d: %d answers were unsure, commands %v: that is no campaign", seed, v.moving, v.results)
		}
	}
}

func (v *voyage) arrive(what string, want route.Place) {
	v.Helper()
	for _, id := range v.devices {
		expectPlace(v, what+": "+id.String(), v.table.Lookup(id), want)
	}
}
