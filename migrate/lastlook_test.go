package migrate_test

import (
	"context"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// TestDecisionsBeforeTheBeginning are refused: as the first entry of a journal they would spoil it.
func TestDecisionsBeforeTheBeginning(t *testing.T) {
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 3}})
	for _, kind := range []migrate.DecisionKind{migrate.Pause, migrate.Abort} {
		err := c.runner.Decide(t.Context(), migrate.Decision{Kind: kind, By: "the test"})
		if err == nil || !strings.Contains(err.Error(), "has not begun") {
			t.Errorf("%s before the first run: %v", kind, err)
		}
	}
	if r := c.run(); r.Outcome != migrate.OutcomeProven {
		t.Errorf("the campaign ends %s", r.Outcome)
	}
}

// TestDowntimeFailsNobody stops a campaign in the middle of a wave for longer than every deadline of its devices. They
// fail by what is seen after that, never because nobody looked.
func TestDowntimeFailsNobody(t *testing.T) {
	for name, stops := range map[string]func(migrate.Entry) bool{
		"arriving": func(e migrate.Entry) bool {
			return e.Kind == migrate.EntryOutcome && e.Product == migratetest.GatewayProduct
		},
		"verifying": func(e migrate.Entry) bool { return e.Kind == migrate.EntryVerdicts && e.End },
	} {
		t.Run(name, func(t *testing.T) {
			clock := migratetest.NewClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			c := start(t, setup{
				fleet: migratetest.GenerateOptions{Gateways: 3, SubDevices: 3}, clock: clock,
				watch: func(e migrate.Entry, _ *migrate.State) {
					if e.Stage == "rest" && stops(e) {
						stop()
					}
				},
			})
			if _, err := c.runner.Run(ctx); err == nil {
				t.Fatal("the run was not stopped")
			}
			clock.Advance(12 * time.Hour)
			c.newRunner()
			if r := c.run(); r.Outcome != migrate.OutcomeProven {
				t.Errorf("the campaign ends %s, after a night in which nobody looked: %+v", r.Outcome, r.Lanes)
			}
		})
	}
}

// TestHangingLooksFailNobody lets looks and rounds hang until they are given up: their lane halts, and no device fails for
// what nobody could see.
func TestHangingLooksFailNobody(t *testing.T) {
	for _, kind := range []migrate.EntryKind{migrate.EntryIntent, migrate.EntryLook} { // the task after it hangs
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var hangs atomic.Bool
				var once sync.Once
				c := start(t, setup{
					fleet: migratetest.GenerateOptions{Direct: 8}, clock: iot.SystemClock(),
					watch: func(e migrate.Entry, _ *migrate.State) {
						if e.Kind == kind && e.Stage == "rest" && (e.End || kind == migrate.EntryIntent) {
							once.Do(func() { hangs.Store(true) })
						}
					},
				})
				c.config.Platform.Target.StateReader = mayHang{c.config.Platform.Target.StateReader, &hangs}
				c.newRunner()
				l := c.run().Lanes[0]
				if l.Halt != migrate.HaltDeadline || l.Failed > 0 || !strings.Contains(l.Note, "no answer came") {
					t.Errorf("halted for %q (%s) with %d failed devices", l.Halt, l.Note, l.Failed)
				}
				hangs.Store(false)
				c.decide(migrate.Decision{Kind: migrate.Resume})
				if r := c.run(); r.Outcome != migrate.OutcomeProven {
					t.Errorf("resumed, the campaign ends %s: %+v", r.Outcome, r.Lanes)
				}
				c.movedOnce()
			})
		})
	}
}

// TestHangingLookDoesNotLastAWindow lets one look at a condition, or one round of a check, hang in a window of weeks: it is given up after a
// day, the journal says so, and the next one ends the wait.
func TestHangingLookDoesNotLastAWindow(t *testing.T) {
	for _, hung := range []migrate.EntryKind{migrate.EntryCondition, migrate.EntryVerdicts} {
		t.Run(string(hung), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hangs := map[migrate.EntryKind]bool{hung: true}
				hang := func(ctx context.Context, kind migrate.EntryKind) {
					if hangs[kind] {
						hangs[kind] = false
						<-ctx.Done()
					}
				}
				var given []string
				c := start(t, setup{
					fleet: migratetest.GenerateOptions{Direct: 4}, clock: iot.SystemClock(),
					strategy: func(cloud *migratetest.Cloud) migrate.Strategy { return window(plain(cloud), hang) },
					watch: func(e migrate.Entry, _ *migrate.State) {
						if e.Stage == "window" && e.Error != "" {
							given = append(given, string(e.Kind)+": "+e.Error)
						}
					},
				})
				c.config.Poll = time.Hour
				c.newRunner()
				r := c.run()
				if r.Outcome != migrate.OutcomeProven {
					t.Fatalf("the campaign ends %s: %+v", r.Outcome, r.Lanes)
				}
				w := r.Lanes[0].Waits[0]
				if took := w.Ended.Sub(w.Begun); took < 24*time.Hour || took > 27*time.Hour {
					t.Errorf("the wait took %v", took)
				}
				if len(given) != 1 || given[0] != string(hung)+": no answer came until the deadline" {
					t.Errorf("given up: %q", given)
				}
			})
		})
	}
}

// window adds a stage to a strategy that waits for an hour at least and three weeks at most, for a condition and for a verifier.
func window(base migrate.Strategy, hang func(context.Context, migrate.EntryKind)) migrate.Strategy {
	seen := migrate.Evidence{Source: "test", Seen: "it is so"}
	holds := migrate.NewCondition("holds", func(ctx context.Context, _ *migrate.Waiting) (migrate.Observation, error) {
		hang(ctx, migrate.EntryCondition)
		return migrate.Observation{Holds: true, Evidence: seen}, ctx.Err()
	})
	passes := migrate.NewVerifier("passes", func(ctx context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
		return func(yield func(migrate.Finding, error) bool) {
			hang(ctx, migrate.EntryVerdicts)
			for _, d := range s.Devices {
				if ctx.Err() != nil || !yield(migrate.Finding{Device: d.ID, Verdict: migrate.Pass, Evidence: seen}, nil) {
					return
				}
			}
		}
	})
	return migrate.NewStrategy(base.Name(), base.Match, func(l migrate.Lane) ([]migrate.Stage, error) {
		stages, err := base.Stages(l)
		return append(stages, migrate.Stage{
			Name: "window", Wait: migrate.Window{Min: time.Hour, Max: 21 * 24 * time.Hour}, Closes: holds, Verify: []migrate.Verifier{passes},
		}), err
	})
}

type mayHang struct {
	iot.StateReader
	hangs *atomic.Bool
}

func (m mayHang) States(ctx context.Context, product string, names []string) ([]iot.DeviceState, error) {
	if m.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return m.StateReader.States(ctx, product, names)
}

// TestDowntimeLeavesVerifiersTheirTime restarts a campaign long after the deadline of a wave with a verifier that, as those
// do that wait for an answer, passes no device in its first look. The time in which no runner was there does not count.
func TestDowntimeLeavesVerifiersTheirTime(t *testing.T) {
	clock := migratetest.NewClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	c := start(t, setup{
		fleet: migratetest.GenerateOptions{Direct: 6}, clock: clock, strategy: func(*migratetest.Cloud) migrate.Strategy { return patient(2) },
		watch: func(e migrate.Entry, _ *migrate.State) {
			if e.Stage == "rest" && e.Kind == migrate.EntryVerdicts && e.End {
				stop()
			}
		},
	})
	if _, err := c.runner.Run(ctx); err == nil {
		t.Fatal("the run was not stopped")
	}
	clock.Advance(12 * time.Hour)
	c.config.Strategies = []migrate.Strategy{patient(2)}
	c.newRunner()
	if r := c.run(); r.Outcome != migrate.OutcomeProven {
		t.Errorf("the campaign ends %s: %+v", r.Outcome, r.Lanes)
	}
}

// TestSleepLeavesVerifiersTheirTime is the same for a machine that slept while the runner was waiting.
func TestSleepLeavesVerifiersTheirTime(t *testing.T) {
	clock := migratetest.NewClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	var once sync.Once
	c := start(t, setup{
		fleet: migratetest.GenerateOptions{Direct: 6}, clock: clock, strategy: func(*migratetest.Cloud) migrate.Strategy { return patient(4) },
		watch: func(e migrate.Entry, _ *migrate.State) {
			if e.Stage == "rest" && e.Kind == migrate.EntryVerdicts && e.End {
				once.Do(func() { clock.Advance(12 * time.Hour) })
			}
		},
	})
	if r := c.run(); r.Outcome != migrate.OutcomeProven {
		t.Errorf("the campaign ends %s: %+v", r.Outcome, r.Lanes)
	}
}

// TestRoundThatCouldNotLookDoesNotCount lets a verifier be unable to look until the deadline has passed. Then it asks once, and sees the
// answers in its next round: the two rounds that decide after a deadline are two that could look.
func TestRoundThatCouldNotLookDoesNotCount(t *testing.T) {
	clock := migratetest.NewClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	var since time.Time
	out := func() bool { return !since.IsZero() && clock.Now().Before(since.Add(30*time.Minute+10*time.Second)) }
	c := start(t, setup{
		fleet: migratetest.GenerateOptions{Direct: 6}, clock: clock,
		strategy: func(*migratetest.Cloud) migrate.Strategy { return unable(2, out) },
		watch: func(e migrate.Entry, _ *migrate.State) {
			if e.Stage == "rest" && e.Kind == migrate.EntryIntent && since.IsZero() {
				since = e.At
			}
		},
	})
	if r := c.run(); r.Outcome != migrate.OutcomeProven {
		t.Errorf("the campaign ends %s: %+v", r.Outcome, r.Lanes)
	}
}

// patient has a verifier that needs so many looks, and that a new process has to begin anew.
func patient(looks int) migrate.Strategy { return unable(looks, func() bool { return false }) }

// unable is the same, and cannot look while out says so.
func unable(looks int, out func() bool) migrate.Strategy {
	asked := map[iot.DeviceID]int{}
	twice := migrate.NewVerifier("twice", func(_ context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
		return func(yield func(migrate.Finding, error) bool) {
			if out() {
				yield(migrate.Finding{}, iot.Transient)
				return
			}
			for _, d := range s.Devices {
				asked[d.ID]++
				f := migrate.Finding{Device: d.ID, Verdict: migrate.Inconclusive, Evidence: migrate.Evidence{Source: "test", At: s.Now, Seen: "asked"}}
				if asked[d.ID] >= looks {
					f.Verdict = migrate.Pass
				}
				if !yield(f, nil) {
					return
				}
			}
		}
	})
	return migrate.NewStrategy("patient",
		func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
		func(migrate.Lane) ([]migrate.Stage, error) {
			return []migrate.Stage{
				{Name: "create-task", Console: migrate.ConsoleCreate},
				{Name: "first-gray", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 1}, Verify: []migrate.Verifier{twice}},
				{Name: "confirm-gray", Console: migrate.ConsoleConfirm},
				{Name: "rest", Move: &migrate.Move{Rest: true}, Verify: []migrate.Verifier{twice}},
			}, nil
		})
}

// TestOneLookIsNotBelieved leaves devices out of a single answer before their wave: they are not gone.
func TestOneLookIsNotBelieved(t *testing.T) {
	asked := 0
	c := start(t, setup{
		fleet: migratetest.GenerateOptions{Direct: 8},
		fault: func(op migratetest.Op) migratetest.Fault {
			if op.Name != "BatchGetDeviceState" {
				return migratetest.Fault{}
			}
			if asked++; asked > 1 {
				return migratetest.Fault{}
			}
			return migratetest.Fault{Drop: func(name string) bool { return name == op.Devices[0] }}
		},
	})
	if r := c.run(); r.Outcome != migrate.OutcomeProven || asked < 2 {
		t.Errorf("the campaign ends %s: %+v", r.Outcome, r.Lanes)
	}
}
