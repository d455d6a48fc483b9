package migrate_test

import (
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/topology"
	"github.com/iotferry/iotferry/verify"
)

// reads tells of the operations of which looks are made.
func reads(op migratetest.Op) bool {
	switch op.Name {
	case "BatchGetDeviceState", "GetThingTopo", "GetGatewayBySubDevice":
		return true
	}
	return false
}

// flaky lets every eighth read fail, by what it is about, each other time that it is made: in whatever order they come.
type flaky struct {
	mu     sync.Mutex
	begun  bool
	tries  map[string]int
	failed int
}

func (f *flaky) fault(op migratetest.Op) migratetest.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	about := fmt.Sprint(op.Name, op.Instance, op.ProductKey, op.Devices)
	if !f.begun || !reads(op) || crc32.ChecksumIEEE([]byte(about))%8 != 0 {
		return migratetest.Fault{}
	}
	if f.tries[about]++; f.tries[about]%2 == 0 {
		return migratetest.Fault{}
	}
	f.failed++
	return []migratetest.Fault{{Refuse: iot.Transient}, {Refuse: iot.Throttled}, {Lost: true}}[f.failed%3]
}

// TestLooksEndAlthoughReadsFail lets one read of eight fail, from the first wave to the last device that is back. A look has more
// than a hundred: each comes to its end.
func TestLooksEndAlthoughReadsFail(t *testing.T) {
	weather := flaky{tries: map[string]int{}}
	looks := map[migrate.EntryKind]int{}
	c := start(t, setup{
		fleet: migratetest.GenerateOptions{Gateways: 120, SubDevices: 12, Direct: 900}, cloud: migratetest.Options{NoQuotas: true},
		fault: weather.fault,
		watch: func(e migrate.Entry, _ *migrate.State) {
			switch e.Kind {
			case migrate.EntryWave, migrate.EntryLook, migrate.EntryReturned, migrate.EntryHome:
				if looks[e.Kind]++; e.Error != "" {
					t.Errorf("a look ends with %s: %s", e.Kind, e.Error)
				}
			}
		},
	})
	weather.begun = true
	if r := c.run(); r.Outcome != migrate.OutcomeProven {
		t.Fatalf("the campaign ends %s: %+v", r.Outcome, r.Lanes)
	}
	c.movedOnce()
	c.decide(migrate.Decision{Kind: migrate.Rollback})
	for _, l := range c.run().Lanes {
		if l.Halt != migrate.HaltReturned || l.Returned != l.Devices {
			t.Errorf("returned, lane %s is halted %q: %s, with %d of %d devices back", l.Lane, l.Halt, l.Note, l.Returned, l.Devices)
		}
	}
	if len(looks) != 4 || weather.failed < 50 {
		t.Errorf("looks of the kinds %v, %d reads failed: the test does not reach them", looks, weather.failed)
	}
}

// TestWhatCannotBeReadFailsNobody lets each read about one device fail for good. Those that are read besides it count; of the others of
// its read nothing is known, so the lane halts, and none fails.
func TestWhatCannotBeReadFailsNobody(t *testing.T) {
	var broken atomic.Bool
	var last string
	c := start(t, setup{
		fleet: migratetest.GenerateOptions{Direct: 230}, cloud: migratetest.Options{NoQuotas: true},
		fault: func(op migratetest.Op) migratetest.Fault {
			if broken.Load() && op.Name == "BatchGetDeviceState" && slices.Contains(op.Devices, last) {
				return migratetest.Fault{Refuse: iot.Transient}
			}
			return migratetest.Fault{}
		},
		strategy: func(*migratetest.Cloud) migrate.Strategy { return oneWave() },
		watch: func(e migrate.Entry, _ *migrate.State) {
			if e.Kind == migrate.EntryIntent && e.Stage == "rest" {
				broken.Store(true)
			}
		},
	})
	families := c.config.Plan.Lanes[0].Families
	last = families[len(families)-1].Devices[0].DeviceName
	l := c.run().Lanes[0]
	if l.Halt != migrate.HaltDeadline || !strings.Contains(l.Note, "the instances could not be read") || l.Failed > 0 {
		t.Errorf("the lane is halted %q: %s, with %d failed devices", l.Halt, l.Note, l.Failed)
	}
	if l.Underway == 0 || l.Underway > iot.MaxStates || l.Moved != l.Devices-l.Underway {
		t.Errorf("%d devices are at the target, of %d it is not known, of %d", l.Moved, l.Underway, l.Devices)
	}
	broken.Store(false)
	c.decide(migrate.Decision{Kind: migrate.Resume})
	if r := c.run(); r.Outcome != migrate.OutcomeProven {
		t.Errorf("resumed, the campaign ends %s: %+v", r.Outcome, r.Lanes)
	}
	c.movedOnce()
}

// oneWave moves all that is left in one wave, and asks no verifier.
func oneWave() migrate.Strategy {
	return migrate.NewStrategy("one-wave", func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
		func(migrate.Lane) ([]migrate.Stage, error) {
			return []migrate.Stage{
				{Name: "create-task", Console: migrate.ConsoleCreate},
				{Name: "first-gray", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 1}},
				{Name: "confirm-gray", Console: migrate.ConsoleConfirm},
				{Name: "rest", Move: &migrate.Move{Rest: true, Ramp: topology.Ramp{First: 5000, Max: 5000}}},
				{Name: "check", Verify: []migrate.Verifier{verify.Online(verify.OnlineConfig{})}},
			}, nil
		})
}

// TestOutageCostsFewReads lets all reads fail for a while: a look does not try each of its hundreds.
func TestOutageCostsFewReads(t *testing.T) {
	var out atomic.Bool
	var failed atomic.Int64
	looks := 0
	c := start(t, setup{
		fleet: migratetest.GenerateOptions{Direct: 3000}, cloud: migratetest.Options{NoQuotas: true},
		fault: func(op migratetest.Op) migratetest.Fault {
			if !out.Load() || !reads(op) {
				return migratetest.Fault{}
			}
			failed.Add(1)
			return migratetest.Fault{Refuse: iot.Transient}
		},
		strategy: func(*migratetest.Cloud) migrate.Strategy { return oneWave() },
		watch: func(e migrate.Entry, _ *migrate.State) {
			switch {
			case e.Kind == migrate.EntryIntent && e.Stage == "rest":
				out.Store(true)
			case e.Kind == migrate.EntryLook && e.Error != "":
				if looks++; looks == 4 {
					out.Store(false)
				}
			}
		},
	})
	if r := c.run(); r.Outcome != migrate.OutcomeProven {
		t.Errorf("the campaign ends %s: %+v", r.Outcome, r.Lanes)
	}
	if n := failed.Load(); looks != 4 || n > 40 || n < 4 {
		t.Errorf("%d looks made %d reads in vain", looks, n)
	}
}
