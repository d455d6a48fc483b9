package migratetest_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/carry"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

// options lets the strategies observe all that they can.
func options(c *migratetest.Cloud) scenario.Options {
	c.Serve("")
	return scenario.Options{
		FirstGray: 4,
		Sink:      c.Sink(),
		Services: func(string, json.RawMessage) ([]verify.Invocation, error) {
			return []verify.Invocation{{Service: "Check", Args: json.RawMessage("{}")}}, nil
		},
		UpdateSubscriber: func(_ context.Context, env *migrate.Env) error {
			c.Serve(env.Platform.Target.Info.ID)
			return nil
		},
		NewDevice: func(ctx context.Context, _ *migrate.Env, cred iot.Credential) error {
			cred, err := c.Credential(ctx, cred.ID) // after a crash the secret is not known otherwise
			if err != nil {
				return err
			}
			return c.PowerOn(cred)
		},
	}
}

func TestDirect(t *testing.T)        { testScenario(t, scenario.Direct) }
func TestGateway(t *testing.T)       { testScenario(t, scenario.Gateway) }
func TestPreRegistered(t *testing.T) { testScenario(t, scenario.PreRegistered) }

// TestTSL compares a week of history in each of some hundred campaigns: there are few devices, and they report seldom. One that is online has
// to be left for the window, which is seen to begin by its history.
func TestTSL(t *testing.T) {
	test := migratetest.StrategyTest{
		Fleets:   [][]byte{migratetest.Generate(migratetest.GenerateOptions{ThingModel: 7, OfflineEvery: 5})},
		Platform: migratetest.Options{ReportEvery: 29 * time.Minute},
	}
	migratetest.TestStrategy(t, test, func(c *migratetest.Cloud) migrate.Strategy { return scenario.TSL(options(c)) })
}

// moments leaves out some in a quick test: the sweep of all of them takes a minute.
var moments = flag.Int("moments", 5, "how many moments each crash sweep tries")

func testScenario(t *testing.T, strategy func(scenario.Options) migrate.Strategy) {
	migratetest.TestStrategy(t, migratetest.StrategyTest{Most: *moments}, func(c *migratetest.Cloud) migrate.Strategy {
		return strategy(options(c))
	})
}

// TestConditions kills a campaign at every moment of a wait whose conditions keep their place in the journal.
func TestConditions(t *testing.T) {
	count := func(name string, to int) migrate.Condition {
		return migrate.NewCondition(name, func(_ context.Context, w *migrate.Waiting) (migrate.Observation, error) {
			n := len(w.Progress)
			if n > to {
				return migrate.Observation{}, fmt.Errorf("%s went on to %d, after it held", name, n)
			}
			progress := json.RawMessage(strings.Repeat("1", n+1))
			return migrate.Observation{Holds: n+1 >= to, Progress: progress[:min(n+1, to)], Next: w.Clock.Now().Add(5 * time.Hour)}, nil
		})
	}
	test := migratetest.StrategyTest{Fleets: [][]byte{migratetest.Generate(migratetest.GenerateOptions{Direct: 4})}}
	migratetest.TestStrategy(t, test, func(*migratetest.Cloud) migrate.Strategy {
		return migrate.NewStrategy("mine",
			func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true, Why: "it fits all"} },
			func(migrate.Lane) ([]migrate.Stage, error) {
				online := []migrate.Verifier{verify.Online(verify.OnlineConfig{})}
				return []migrate.Stage{
					{Name: "create", Console: migrate.ConsoleCreate},
					{Name: "first", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 2}, Verify: online},
					{Name: "confirm", Console: migrate.ConsoleConfirm},
					{Name: "wait", Wait: migrate.Window{Min: day, Max: 3 * day}, Opens: count("on", 3), Closes: count("copied", 7), Verify: online},
					{Name: "rest", Move: &migrate.Move{Rest: true}, Verify: online},
				}, nil
			})
	})
}

// TestMNS lets a consumer group take the place of an MNS queue first.
func TestMNS(t *testing.T) {
	fleet := migratetest.Generate(migratetest.GenerateOptions{Direct: 3, MNS: true})
	migratetest.TestStrategy(t, migratetest.StrategyTest{Most: *moments, Fleets: [][]byte{fleet}}, func(c *migratetest.Cloud) migrate.Strategy {
		o := options(c)
		o.MNSGroup, o.FirstGray = "instead of mns", 1
		return scenario.Direct(o)
	})
}

// TestCarry lets labels and groups follow their devices.
func TestCarry(t *testing.T) {
	fleet := migratetest.Generate(migratetest.GenerateOptions{Direct: 3})
	var stores sync.Map // of each platform: they outlive its processes
	migratetest.TestStrategy(t, migratetest.StrategyTest{Most: *moments, Fleets: [][]byte{fleet}}, func(c *migratetest.Cloud) migrate.Strategy {
		o := options(c)
		store, known := stores.LoadOrStore(c, &carry.Memory{})
		o.Carry, o.FirstGray = store.(*carry.Memory), 1
		first := iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: "direct-0000"}
		if !known {
			err := c.SetupSource(migratetest.Setup{
				Labels:       map[iot.DeviceID]map[string]string{first: {"site": "hangzhou"}},
				DeviceGroups: []iot.DeviceGroup{{ID: "site0001", Name: "site_1"}}, Members: map[string][]iot.DeviceID{"site0001": {first}},
			})
			if err != nil {
				t.Error(err)
			}
		}
		return scenario.Direct(o)
	})
}

const day = 24 * time.Hour

// TestSmallLane moves a whole lane by its first gray batch: nothing is left for the stages after it.
func TestSmallLane(t *testing.T) {
	test := migratetest.StrategyTest{Most: *moments, Fleets: [][]byte{migratetest.Generate(migratetest.GenerateOptions{Direct: 3})}}
	migratetest.TestStrategy(t, test, func(c *migratetest.Cloud) migrate.Strategy { return scenario.Direct(options(c)) })
}

// TestManyLanes lets several lanes take turns, one of which is moved by full migration.
func TestManyLanes(t *testing.T) {
	test := migratetest.StrategyTest{Most: *moments, Fleets: [][]byte{migratetest.Generate(migratetest.GenerateOptions{
		Direct: 5, ThingModel: 4, Gateways: 2, SubDevices: 2,
	})}}
	migratetest.TestStrategy(t, test, func(*migratetest.Cloud) migrate.Strategy {
		return migrate.NewStrategy("mine",
			func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true, Why: "it fits all"} },
			func(l migrate.Lane) ([]migrate.Stage, error) {
				online := []migrate.Verifier{verify.Online(verify.OnlineConfig{})}
				rest := migrate.Stage{Name: "rest", Gate: true, Move: &migrate.Move{Rest: true}, Verify: online}
				if l.ID == migratetest.DirectProduct {
					rest.Console = migrate.ConsoleFull
				}
				return []migrate.Stage{
					{Name: "create", Console: migrate.ConsoleCreate},
					{Name: "first", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 2}, Verify: online},
					{Name: "confirm", Console: migrate.ConsoleConfirm},
					rest,
				}, nil
			})
	})
}

func approves() migrate.Approver {
	return migrate.ApproverFunc(func(context.Context, migrate.Gate) (migrate.Decision, error) {
		return migrate.Decision{Kind: migrate.Approve, By: "test"}, nil
	})
}
