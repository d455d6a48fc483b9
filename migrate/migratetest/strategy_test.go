package migratetest_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"

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
		// Comparing history only reads, and much: package scenario tests it, while here campaigns are run a thousand times.
		Wrap: func(v migrate.Verifier) migrate.Verifier {
			if v.Name() == "synchronised" {
				return nil
			}
			return v
		},
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
func TestTSL(t *testing.T)           { testScenario(t, scenario.TSL) }

func testScenario(t *testing.T, strategy func(scenario.Options) migrate.Strategy) {
	migratetest.TestStrategy(t, migratetest.StrategyTest{}, func(c *migratetest.Cloud) migrate.Strategy {
		return strategy(options(c))
	})
}

// TestMNS lets a consumer group take the place of an MNS queue first.
func TestMNS(t *testing.T) {
	fleet := migratetest.Generate(migratetest.GenerateOptions{Direct: 3, MNS: true})
	migratetest.TestStrategy(t, migratetest.StrategyTest{Fleets: [][]byte{fleet}}, func(c *migratetest.Cloud) migrate.Strategy {
		o := options(c)
		o.MNSGroup, o.FirstGray = "instead of mns", 1
		return scenario.Direct(o)
	})
}

// TestCarry lets labels and groups follow their devices.
func TestCarry(t *testing.T) {
	fleet := migratetest.Generate(migratetest.GenerateOptions{Direct: 3})
	var stores sync.Map // of each platform: they outlive its processes
	migratetest.TestStrategy(t, migratetest.StrategyTest{Fleets: [][]byte{fleet}}, func(c *migratetest.Cloud) migrate.Strategy {
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

// TestSmallLane moves a whole lane by its first gray batch: nothing is left for the stages after it.
func TestSmallLane(t *testing.T) {
	test := migratetest.StrategyTest{Fleets: [][]byte{migratetest.Generate(migratetest.GenerateOptions{Direct: 3})}}
	migratetest.TestStrategy(t, test, func(c *migratetest.Cloud) migrate.Strategy { return scenario.Direct(options(c)) })
}

// TestManyLanes lets several lanes take turns, one of which is moved by full migration.
func TestManyLanes(t *testing.T) {
	test := migratetest.StrategyTest{Fleets: [][]byte{migratetest.Generate(migratetest.GenerateOptions{
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
