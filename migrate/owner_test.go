package migrate_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// A lens changes what one instance shows of its devices.
type lens struct {
	iot.StateReader
	show func([]iot.DeviceState) []iot.DeviceState
}

func (l lens) States(ctx context.Context, product string, names []string) ([]iot.DeviceState, error) {
	states, err := l.StateReader.States(ctx, product, names)
	return l.show(states), err
}

// without hides a device.
func without(id iot.DeviceID) func([]iot.DeviceState) []iot.DeviceState {
	return func(list []iot.DeviceState) []iot.DeviceState {
		return slices.DeleteFunc(list, func(s iot.DeviceState) bool { return s.ID == id })
	}
}

// A device that both instances show after its move, or none, has not arrived: exactly one must own it. The lane halts with an
// alarm, whether the console moved the device or a call.
func TestExactlyOneOwner(t *testing.T) {
	bends := map[string]func(*campaign, iot.DeviceID){
		"both": func(c *campaign, id iot.DeviceID) {
			c.config.Platform.Source.StateReader = lens{c.config.Platform.Source.StateReader, func(list []iot.DeviceState) []iot.DeviceState {
				if owner, _ := c.cloud.Owner(id); owner != "" {
					list = append(without(id)(list), iot.DeviceState{ID: id, Status: iot.Online})
				}
				return list
			}}
		},
		"none": func(c *campaign, id iot.DeviceID) {
			c.config.Platform.Target.StateReader = lens{c.config.Platform.Target.StateReader, without(id)}
		},
	}
	for name, bend := range bends {
		for family, by := range map[int]string{0: "console", 7: "call"} {
			t.Run(by+" on "+name, func(t *testing.T) {
				c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 8}})
				bend(c, c.config.Plan.Lanes[0].Families[family].ID())
				c.newRunner()
				l := c.run().Lanes[0]
				if there := len(c.at(c.target())); l.Halt != migrate.HaltAlarm || l.Moved != there-1 || (l.Calls > 0) != (by == "call") {
					t.Errorf("halted for %q (%s), %d count as moved of %d at the target; want an alarm, and all but one", l.Halt, l.Note, l.Moved, there)
				}
				c.movedOnce()
			})
		}
	}
}

// A device that both instances show is not back at the source, either.
func TestBothIsNotBack(t *testing.T) {
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 8}})
	c.run()
	c.decide(migrate.Decision{Kind: migrate.Rollback})
	c.config.Platform.Target.StateReader = lens{c.config.Platform.Target.StateReader, func([]iot.DeviceState) []iot.DeviceState {
		var all []iot.DeviceState
		for id := range c.cloud.Devices() {
			all = append(all, iot.DeviceState{ID: id, Status: iot.Online})
		}
		return all
	}}
	c.newRunner()
	if l := c.run().Lanes[0]; l.Halt != migrate.HaltAlarm || l.Returned != 0 {
		t.Errorf("halted for %q, %d returned: want an alarm, and none", l.Halt, l.Returned)
	}
}

// The platform may show an effect late. A device whose answer was lost is not sent again before.
func TestLateEffectsAreWaitedFor(t *testing.T) {
	const late = 25 * time.Second // of the 30 that a plan waits by default
	clock := migratetest.NewClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	sent := map[string]int{}
	var began time.Time
	c := start(t, setup{clock: clock, fleet: migratetest.GenerateOptions{Direct: 8}, fault: onMove(func(op migratetest.Op) migratetest.Fault {
		for _, name := range op.Devices {
			sent[name]++
		}
		if began.IsZero() {
			began = op.At
		}
		return migratetest.Fault{Lost: len(sent) == len(op.Devices)}
	})})
	inTime := func() bool { return began.IsZero() || clock.Now().Sub(began) > late }
	source, target := c.config.Platform.Source.StateReader, c.config.Platform.Target.StateReader
	c.config.Platform.Source.StateReader = lens{source, func(list []iot.DeviceState) []iot.DeviceState {
		for name := range sent {
			if id := (iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: name}); !inTime() {
				list = append(without(id)(list), iot.DeviceState{ID: id, Status: iot.Online})
			}
		}
		return list
	}}
	c.config.Platform.Target.StateReader = lens{target, func(list []iot.DeviceState) []iot.DeviceState {
		for name := range sent {
			if !inTime() {
				list = without(iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: name})(list)
			}
		}
		return list
	}}
	c.newRunner()
	if report := c.run(); report.Outcome != migrate.OutcomeProven {
		t.Errorf("outcome %s: %+v", report.Outcome, report.Lanes)
	}
	for name, n := range sent {
		if n > 1 {
			t.Errorf("device %s was sent %d times", name, n)
		}
	}
	if len(sent) == 0 {
		t.Error("no device was moved by a call: the test does not reach it")
	}
}

// MaxFailedDevices is the number of devices that may fail, zero is none, and it holds to the last device of the last stage.
func TestLimitsMeanWhatTheySay(t *testing.T) {
	for most := range 3 {
		for failing := range 4 {
			t.Run(fmt.Sprintf("%d of %d", failing, most), func(t *testing.T) {
				c := start(t, setup{
					fleet: migratetest.GenerateOptions{Direct: 8}, limits: migrate.Limits{MaxFailedDevices: most, MaxFailedShare: 1},
					strategy: func(*migratetest.Cloud) migrate.Strategy { return failsAtTheEnd(failing) },
				})
				l := c.run().Lanes[0]
				if over := failing > most; l.Failed != failing || (l.Halt == migrate.HaltLimit) != over || l.Finished == over {
					t.Errorf("%d devices failed, and the lane halted for %q, finished %v", l.Failed, l.Halt, l.Finished)
				}
			})
		}
	}
}

// failsAtTheEnd moves everything, and then fails so many devices in its last check.
func failsAtTheEnd(n int) migrate.Strategy {
	check := migrate.NewVerifier("last", func(_ context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
		return func(yield func(migrate.Finding, error) bool) {
			for i, d := range s.Devices {
				f := migrate.Finding{Device: d.ID, Verdict: migrate.Pass, Evidence: migrate.Evidence{Source: "test", At: s.Now, Seen: "its number"}}
				if i < n {
					f.Verdict = migrate.Fail
				}
				if !yield(f, nil) {
					return
				}
			}
		}
	})
	return migrate.NewStrategy("last", func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
		func(migrate.Lane) ([]migrate.Stage, error) {
			return []migrate.Stage{
				{Name: "create-task", Console: migrate.ConsoleCreate},
				{Name: "all", Console: migrate.ConsoleGray, Move: &migrate.Move{Rest: true}},
				{Name: "check", Verify: []migrate.Verifier{check}},
			}, nil
		})
}

// That verifiers cannot look is no device's failure: the lane halts, and nothing has failed.
func TestVerifiersThatCannotLookFailNothing(t *testing.T) {
	blind := migrate.NewVerifier("blind", func(context.Context, *migrate.Subject) iter.Seq2[migrate.Finding, error] {
		return func(yield func(migrate.Finding, error) bool) { yield(migrate.Finding{}, iot.Denied) }
	})
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 8}, strategy: func(*migratetest.Cloud) migrate.Strategy {
		return migrate.NewStrategy("blind", func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
			func(migrate.Lane) ([]migrate.Stage, error) {
				return []migrate.Stage{
					{Name: "create-task", Console: migrate.ConsoleCreate},
					{Name: "all", Console: migrate.ConsoleGray, Move: &migrate.Move{Rest: true}, Verify: []migrate.Verifier{blind}},
				}, nil
			})
	}})
	if l := c.run().Lanes[0]; l.Halt != migrate.HaltDeadline || l.Failed != 0 {
		t.Errorf("halted for %q, %d failed: want the deadline, and none", l.Halt, l.Failed)
	}
}
