package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/topology"
	"github.com/iotferry/iotferry/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// campaign is a campaign on a small fleet in memory, in virtual time.
type campaign struct {
	t      *testing.T
	cloud  *migratetest.Cloud
	config migrate.Config
	runner *migrate.Runner

	declared []topology.Relation // sub-devices whose gateway has moved
}

type setup struct {
	fleet     migratetest.GenerateOptions
	fault     func(migratetest.Op) migratetest.Fault
	limits    migrate.Limits
	approver  migrate.Approver
	strategy  func(*migratetest.Cloud) migrate.Strategy // nil: move and verify everything
	clock     iot.Clock                                 // nil: one that jumps
	watch     func(migrate.Entry, *migrate.State)
	journal   migrate.Journal
	cloud     migratetest.Options // Clock and Fault are set
	file      func([]byte) []byte // changes the fleet file; may be nil
	deadlines migrate.Deadlines
	reports   time.Duration // between two reports of a device; zero is a minute
}

// plain moves everything at once, after the first gray batch, and verifies that it is online and reports.
func plain(cloud *migratetest.Cloud) migrate.Strategy {
	return migrate.NewStrategy("plain",
		func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true, Why: "it takes everything"} },
		func(migrate.Lane) ([]migrate.Stage, error) {
			proof := []migrate.Verifier{
				verify.Online(verify.OnlineConfig{}), verify.Topology(),
				verify.Reporting(verify.ReportingConfig{Sink: cloud.Sink()}),
			}
			return []migrate.Stage{
				{Name: "create-task", Console: migrate.ConsoleCreate},
				{Name: "first-gray", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 3}, Verify: proof},
				{Name: "confirm-gray", Gate: true, Console: migrate.ConsoleConfirm},
				{Name: "rest", Move: &migrate.Move{Rest: true}, Verify: proof},
				{Name: "final-check", Verify: []migrate.Verifier{verify.Absent()}},
			}, nil
		})
}

func approve(_ context.Context, g migrate.Gate) (migrate.Decision, error) {
	return migrate.Decision{Kind: migrate.Approve, By: "the test"}, nil
}

func start(t *testing.T, s setup) *campaign {
	t.Helper()
	if s.clock == nil {
		s.clock = migratetest.NewClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
	}
	if s.strategy == nil {
		s.strategy = plain
	}
	if s.approver == nil {
		s.approver = migrate.ApproverFunc(approve)
	}
	if s.journal == nil {
		s.journal = journal.NewMemory()
	}
	s.cloud.Clock, s.cloud.Fault, s.cloud.ReportEvery = s.clock, s.fault, s.reports
	file := migratetest.Generate(s.fleet)
	if s.file != nil {
		file = s.file(file)
	}
	cloud, err := migratetest.Open(bytes.NewReader(file), s.cloud)
	if err != nil {
		t.Fatal(err)
	}
	survey, err := cloud.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	strategies := []migrate.Strategy{s.strategy(cloud)}
	plan, err := migrate.Planner{Strategies: strategies, Limits: s.limits, Deadlines: s.deadlines}.Plan(survey)
	if err != nil {
		t.Fatal(err)
	}
	c := &campaign{t: t, cloud: cloud, config: migrate.Config{
		Campaign: "c", Plan: plan, Strategies: strategies, Platform: cloud.Platform(), Journal: s.journal,
		Operator: cloud.Operator(), Approver: s.approver, Clock: s.clock, Workers: 1, Watch: s.watch,
	}}
	c.newRunner()
	return c
}

func (c *campaign) newRunner() {
	c.t.Helper()
	runner, err := migrate.NewRunner(c.config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.runner = runner
}

func (c *campaign) run() *migrate.Report {
	c.t.Helper()
	report, err := c.runner.Run(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	return report
}

func (c *campaign) decide(d migrate.Decision) {
	c.t.Helper()
	d.By = "the test"
	if err := c.runner.Decide(c.t.Context(), d); err != nil {
		c.t.Fatal(err)
	}
}

// at returns the devices that live on an instance, in plan order.
func (c *campaign) at(instance string) []iot.DeviceID {
	var out []iot.DeviceID
	for _, l := range c.config.Plan.Lanes {
		for _, f := range l.Families {
			for _, id := range f.Devices {
				if owner, _ := c.cloud.Owner(id); owner == instance {
					out = append(out, id)
				}
			}
		}
	}
	return out
}

func (c *campaign) target() string { return c.config.Plan.Target.ID }

// topologyOf reads which gateways have which sub-devices on an instance.
func (c *campaign) topologyOf(v iot.View) map[iot.DeviceID][]iot.DeviceID {
	c.t.Helper()
	out := map[iot.DeviceID][]iot.DeviceID{}
	for _, l := range c.config.Plan.Lanes {
		for _, f := range l.Families {
			if f.Gateway.IsZero() {
				continue
			}
			for id, err := range v.Children(c.t.Context(), f.Gateway) {
				if errors.Is(err, iot.NotFound) {
					break
				}
				if err != nil {
					c.t.Fatal(err)
				}
				out[f.Gateway] = append(out[f.Gateway], id)
			}
			slices.SortFunc(out[f.Gateway], iot.DeviceID.Compare)
		}
	}
	return out
}

func (c *campaign) movedOnce() {
	c.t.Helper()
	for id := range c.cloud.Devices() {
		if n := c.cloud.MovedTimes(id); n > 1 {
			c.t.Errorf("device %s was moved %d times", id, n)
		}
	}
	for _, call := range c.cloud.Calls() {
		if call.Throttled > 0 {
			c.t.Errorf("%s was throttled %d times", call.Name, call.Throttled)
		}
	}
}

var mixed = migratetest.GenerateOptions{Direct: 24, Gateways: 5, SubDevices: 4, OfflineEvery: 7}

func TestEverythingArrivesWholeAndProven(t *testing.T) {
	c := start(t, setup{fleet: mixed})
	before := c.topologyOf(c.config.Platform.Source.View)
	report := c.run()
	if report.Outcome != migrate.OutcomeProven {
		t.Fatalf("outcome %s: %+v", report.Outcome, report.Lanes)
	}
	if left := c.at(""); len(left) > 0 {
		t.Errorf("still at the source: %v", left)
	}
	if diff := cmp.Diff(before, c.topologyOf(c.config.Platform.Target.View)); diff != "" {
		t.Errorf("the topology has changed:\n%s", diff)
	}
	for _, l := range report.Lanes {
		if l.Asleep == 0 || l.Proven == 0 || l.Proven+l.Asleep != l.Devices {
			t.Errorf("lane %s: %d proven, %d asleep of %d", l.Lane, l.Proven, l.Asleep, l.Devices)
		}
	}
	c.movedOnce()
}

// onMove applies a fault to the calls of the mover.
func onMove(f func(migratetest.Op) migratetest.Fault) func(migratetest.Op) migratetest.Fault {
	return func(op migratetest.Op) migratetest.Fault {
		if op.Name != "BatchGrayMigrationDevice" {
			return migratetest.Fault{}
		}
		return f(op)
	}
}

func TestSuccessWithoutEffectIsNeverDone(t *testing.T) {
	c := start(t, setup{fleet: mixed, limits: migrate.Limits{MaxFailedDevices: 1000, MaxFailedShare: 1},
		fault: onMove(func(migratetest.Op) migratetest.Fault { return migratetest.Fault{Lie: migratetest.Always} })})
	report := c.run()
	if report.Outcome != migrate.OutcomeUnproven {
		t.Errorf("outcome %s, want unproven", report.Outcome)
	}
	moved, failed := 0, 0
	for _, l := range report.Lanes {
		moved += l.Moved
		failed += l.Failed
		for _, f := range l.Failures {
			if f.Evidence.Seen == "" || f.Evidence.At.IsZero() {
				t.Errorf("device %s failed without evidence", f.Device)
			}
		}
	}
	there := len(c.at(c.target()))
	if moved != there || failed != len(c.at("")) {
		t.Errorf("the report says %d moved and %d failed; %d are at the target, %d at the source", moved, failed, there, len(c.at("")))
	}
}

func TestSuccessWithoutEffectStopsAtTheLimit(t *testing.T) {
	c := start(t, setup{fleet: mixed,
		fault: onMove(func(migratetest.Op) migratetest.Fault { return migratetest.Fault{Lie: migratetest.Always} })})
	report := c.run()
	for _, l := range report.Lanes {
		if l.Halt != migrate.HaltLimit {
			t.Errorf("lane %s halted for %q, want the limit", l.Lane, l.Halt)
		}
	}
}

func TestLostAnswersAreLookedUpNeverResentBlindly(t *testing.T) {
	lost, sent := 0, map[string]int{}
	c := start(t, setup{fleet: mixed, fault: onMove(func(op migratetest.Op) migratetest.Fault {
		lost++
		for _, name := range op.Devices {
			if sent[name]++; sent[name] > 1 {
				t.Errorf("device %s was sent again, and it had moved", name)
			}
		}
		return migratetest.Fault{Lost: lost%2 == 0}
	})})
	report := c.run()
	if report.Outcome != migrate.OutcomeProven {
		t.Fatalf("outcome %s: %+v", report.Outcome, report.Lanes)
	}
	if lost < 4 {
		t.Fatalf("only %d calls: the fault was not reached", lost)
	}
	c.movedOnce()
}

func TestThrottledAndTransientCallsAreMadeAgain(t *testing.T) {
	n := 0
	c := start(t, setup{fleet: mixed, fault: onMove(func(migratetest.Op) migratetest.Fault {
		n++
		return migratetest.Fault{Refuse: map[int]error{1: iot.Throttled, 2: iot.Throttled, 4: iot.Transient}[n]}
	})})
	report := c.run()
	if report.Outcome != migrate.OutcomeProven {
		t.Fatalf("outcome %s: %+v", report.Outcome, report.Lanes)
	}
	retried := 0
	for _, l := range report.Lanes {
		retried += l.Retried
	}
	if retried == 0 {
		t.Error("no call was put off: the fault was not reached")
	}
	for id := range c.cloud.Devices() {
		if moved := c.cloud.MovedTimes(id); moved != 1 {
			t.Errorf("device %s was moved %d times", id, moved)
		}
	}
}

func TestDeniedCallsHaltTheLane(t *testing.T) {
	c := start(t, setup{fleet: mixed,
		fault: onMove(func(migratetest.Op) migratetest.Fault { return migratetest.Fault{Refuse: iot.Denied} })})
	for _, l := range c.run().Lanes {
		if l.Halt != migrate.HaltCall || l.Note == "" {
			t.Errorf("lane %s halted for %q (%s), want the call", l.Lane, l.Halt, l.Note)
		}
	}
}

// Devices that do not come back online stop the lane at its limit, and a rollback returns all of the wave with the
// topology as before.
func TestNoReconnectStopsAndRollsBack(t *testing.T) {
	var cloud *migratetest.Cloud
	deaf := false
	c := start(t, setup{
		fleet: migratetest.GenerateOptions{Gateways: 6, SubDevices: 5},
		fault: func(op migratetest.Op) migratetest.Fault {
			if deaf && op.Kind == "device" && op.Name == "Connect" {
				return migratetest.Fault{Refuse: iot.Denied}
			}
			return migratetest.Fault{}
		},
		approver: migrate.ApproverFunc(func(ctx context.Context, g migrate.Gate) (migrate.Decision, error) {
			deaf = true // from now on nothing reconnects
			return approve(ctx, g)
		}),
	})
	cloud = c.cloud
	before := c.topologyOf(c.config.Platform.Source.View)
	first := c.run()
	lane := first.Lanes[0]
	if lane.Halt != migrate.HaltLimit || lane.Failed == 0 {
		t.Fatalf("lane halted for %q with %d failed, want the limit", lane.Halt, lane.Failed)
	}
	gray := len(c.at(c.target()))
	c.decide(migrate.Decision{Kind: migrate.Rollback, Lane: lane.Lane, Stage: "rest", Wave: 1, Note: "they do not come back"})
	deaf = false
	second := c.run().Lanes[0]
	if second.Halt != migrate.HaltReturned || second.Returned == 0 || second.Underway != 0 {
		t.Errorf("after the rollback: %+v", second)
	}
	if there := len(c.at(c.target())); there != gray-second.Returned {
		t.Errorf("%d devices at the target, want %d", there, gray-second.Returned)
	}
	for id := range cloud.Devices() {
		if cloud.ReturnedTimes(id) > 1 {
			t.Errorf("device %s was returned %d times", id, cloud.ReturnedTimes(id))
		}
	}
	c.decide(migrate.Decision{Kind: migrate.Rollback, Lane: lane.Lane, Note: "and the rest of it"})
	if third := c.run().Lanes[0]; third.Moved != 0 || third.Returned == 0 {
		t.Errorf("after the second rollback: %+v", third)
	}
	if diff := cmp.Diff(before, c.topologyOf(c.config.Platform.Source.View)); diff != "" {
		t.Errorf("the topology has changed:\n%s", diff)
	}
}

func TestRefusedGateHaltsAndResumeAsksAgain(t *testing.T) {
	answers := []migrate.DecisionKind{migrate.Refuse, migrate.Approve}
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 12}, approver: migrate.ApproverFunc(
		func(_ context.Context, g migrate.Gate) (migrate.Decision, error) {
			kind := answers[0]
			answers = answers[1:]
			return migrate.Decision{Kind: kind, By: "the boss", Note: "at " + g.Stage}, nil
		})})
	lane := c.run().Lanes[0]
	if lane.Halt != migrate.HaltRefused {
		t.Fatalf("halted for %q, want the refusal", lane.Halt)
	}
	c.decide(migrate.Decision{Kind: migrate.Resume, Lane: lane.Lane})
	if got := c.run().Outcome; got != migrate.OutcomeProven {
		t.Errorf("after the approval: %s", got)
	}
}

// A failed verdict is sticky: running again does not turn it green.
func TestFailedVerdictIsSticky(t *testing.T) {
	failing := true
	strategy := func(*migratetest.Cloud) migrate.Strategy {
		check := migrate.NewVerifier("moody", func(_ context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
			return func(yield func(migrate.Finding, error) bool) {
				for _, d := range s.Devices {
					f := migrate.Finding{Device: d.ID, Verdict: migrate.Pass, Evidence: migrate.Evidence{Source: "test", At: s.Now, Seen: "mood"}}
					if failing {
						f.Verdict = migrate.Fail
					}
					if !yield(f, nil) {
						return
					}
				}
			}
		})
		return migrate.NewStrategy("moody", func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
			func(migrate.Lane) ([]migrate.Stage, error) {
				return []migrate.Stage{
					{Name: "create-task", Console: migrate.ConsoleCreate},
					{Name: "all", Console: migrate.ConsoleGray, Move: &migrate.Move{Rest: true}, Verify: []migrate.Verifier{check}},
				}, nil
			})
	}
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 5}, strategy: strategy})
	if got := c.run().Lanes[0]; got.Halt != migrate.HaltLimit || got.Failed != 5 {
		t.Fatalf("got %+v, want 5 failed", got)
	}
	failing = false
	c.newRunner()
	if got := c.run().Lanes[0]; got.Halt != migrate.HaltLimit || got.Failed != 5 {
		t.Errorf("running again turned %d failures into %+v", 5, got)
	}
	c.decide(migrate.Decision{Kind: migrate.Resume, Lane: c.config.Plan.Lanes[0].Lane.ID})
	if got := c.run(); got.Lanes[0].Failed != 5 || got.Outcome != migrate.OutcomeUnproven {
		t.Errorf("resuming turned 5 failures into %+v", got.Lanes[0])
	}
}

func TestPauseAbortAndResumeWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		c := start(t, setup{fleet: mixed, clock: iot.SystemClock(), approver: migrate.ApproverFunc(
			func(ctx context.Context, g migrate.Gate) (migrate.Decision, error) {
				select {
				case <-gate:
					return approve(ctx, g)
				case <-ctx.Done():
					return migrate.Decision{}, ctx.Err()
				}
			})})
		c.config.Workers = 0
		c.newRunner()
		var wait sync.WaitGroup
		wait.Go(func() { c.run() })
		time.Sleep(30 * time.Minute) // all lanes wait at their gates
		c.decide(migrate.Decision{Kind: migrate.Pause, Note: "lunch"})
		close(gate)
		time.Sleep(time.Hour)
		for _, l := range c.runner.Report(t.Context()).Lanes {
			if !l.Paused || l.Stage != "confirm-gray" {
				t.Errorf("lane %s went on in a pause: stage %s", l.Lane, l.Stage)
			}
		}
		c.decide(migrate.Decision{Kind: migrate.Resume})
		time.Sleep(3 * time.Second)
		c.decide(migrate.Decision{Kind: migrate.Abort, Note: "the pager rings"})
		wait.Wait()
		report := c.runner.Report(t.Context())
		for n, l := range report.Lanes {
			if l.Halt != migrate.HaltAborted || l.Underway != 0 {
				t.Errorf("lane %s after the abort: %+v", l.Lane, l)
			}
			c.whole(n)
		}
		if again := c.run(); again.Outcome != migrate.OutcomeStopped {
			t.Errorf("a run after an abort came to %s: an abort is final until a person resumes", again.Outcome)
		}
		c.decide(migrate.Decision{Kind: migrate.Resume})
		if got := c.run().Outcome; got != migrate.OutcomeProven {
			t.Errorf("after resuming: %s", got)
		}
		c.movedOnce()
	})
}

func (c *campaign) whole(lane int) {
	c.t.Helper()
	for _, f := range c.config.Plan.Lanes[lane].Families {
		first, _ := c.cloud.Owner(f.Devices[0])
		for _, id := range f.Devices {
			if owner, _ := c.cloud.Owner(id); owner != first {
				c.t.Errorf("family %s is split", f.ID())
				break
			}
		}
	}
}

// A scenario 4 campaign with the longest window runs to its end in a bubble, on the clock that everybody uses.
func TestThirtyDaysInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := start(t, setup{
			fleet: migratetest.GenerateOptions{ThingModel: 60, OfflineEvery: 9}, clock: iot.SystemClock(), reports: 25 * time.Minute,
			strategy: func(cloud *migratetest.Cloud) migrate.Strategy {
				return scenario.TSL(scenario.Options{Sink: cloud.Sink(),
					SyncWindow: migrate.Window{Min: 30 * 24 * time.Hour, Max: 30 * 24 * time.Hour}})
			},
		})
		c.config.Workers, c.config.Poll = 0, time.Hour
		c.newRunner()
		report := c.run()
		if report.Outcome != migrate.OutcomeProven {
			t.Errorf("outcome %s: %+v", report.Outcome, report.Lanes)
		}
		if took := time.Since(began); took < 30*24*time.Hour {
			t.Errorf("the campaign took %v, less than its window", took)
		}
		if took := report.Latest.Sub(report.Began); took > 31*24*time.Hour {
			t.Errorf("the campaign took %v", took)
		}
	})
}

func TestCancelledRunEndsAtOnceAndWritesNothing(t *testing.T) {
	entries := 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := start(t, setup{fleet: mixed, watch: func(migrate.Entry, *migrate.State) {
		if entries++; entries == 25 {
			cancel()
		}
	}})
	if _, err := c.runner.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the context's error", err)
	}
	stored := 0
	for _, err := range c.config.Journal.Entries(t.Context(), "c", 0) {
		if err != nil {
			t.Fatal(err)
		}
		stored++
	}
	if stored > entries {
		t.Errorf("%d entries were written, %d of them after the cancellation", stored, stored-entries)
	}
	if got := c.run().Outcome; got != migrate.OutcomeProven {
		t.Errorf("run again: %s", got)
	}
	c.movedOnce()
}

func TestJournalOfAnotherPlanIsRefused(t *testing.T) {
	shared := journal.NewMemory()
	start(t, setup{fleet: mixed, journal: shared}).run()
	other := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 3}, journal: shared})
	if _, err := other.runner.Run(t.Context()); !errors.Is(err, migrate.ErrMismatch) {
		t.Errorf("got %v, want ErrMismatch", err)
	}
}

// A runner that was taken over can write nothing any more.
func TestSecondRunnerFencesTheFirst(t *testing.T) {
	var c *campaign
	taken := false
	approver := migrate.ApproverFunc(func(ctx context.Context, g migrate.Gate) (migrate.Decision, error) {
		if !taken {
			taken = true
			config := c.config
			config.Lease = migrate.LeaseTakeOver
			second, err := migrate.NewRunner(config)
			if err != nil {
				return migrate.Decision{}, err
			}
			if report, err := second.Run(ctx); err != nil || report.Outcome != migrate.OutcomeProven {
				return migrate.Decision{}, fmt.Errorf("second runner: %v, %w", report.Outcome, err)
			}
		}
		return approve(ctx, g)
	})
	c = start(t, setup{fleet: migratetest.GenerateOptions{Direct: 15}, approver: approver})
	if _, err := c.runner.Run(t.Context()); !errors.Is(err, migrate.ErrFenced) {
		t.Errorf("the first runner ended with %v, want ErrFenced", err)
	}
	c.movedOnce()
}

// Decisions that somebody else appended to the journal are heeded at the next entry.
func TestDecisionsOfOthersAreHeeded(t *testing.T) {
	shared := journal.NewMemory()
	said := false
	c := start(t, setup{fleet: mixed, journal: shared, watch: func(e migrate.Entry, s *migrate.State) {
		if e.Kind == migrate.EntryWave && e.Stage == "rest" && !said {
			said = true
			abort := migrate.Decision{Kind: migrate.Abort, By: "somebody else"}
			err := shared.Append(context.Background(), "c", s.Seq(), migrate.Entry{Kind: migrate.EntryDecision, At: e.At, Decision: &abort})
			if err != nil {
				t.Error(err)
			}
		}
	}})
	for n, l := range c.run().Lanes {
		if l.Halt != migrate.HaltAborted {
			t.Errorf("lane %s halted for %q, want the abort", l.Lane, l.Halt)
		}
		c.whole(n)
	}
}

// A run that waits for weeks hears what another process decided, or that it took over, within Config.Poll.
func TestWaitingRunsFollowTheJournal(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(*migrate.Runner) error
		want      error
	}{
		"decision": {func(other *migrate.Runner) error {
			return other.Decide(context.Background(), migrate.Decision{Kind: migrate.Abort, By: "another process"})
		}, nil},
		"runner": {func(other *migrate.Runner) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if _, err := other.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("the other runner ended with %v", err)
			}
			return nil
		}, migrate.ErrFenced},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := start(t, setup{
					fleet: migratetest.GenerateOptions{ThingModel: 20}, clock: iot.SystemClock(), journal: journal.NewMemory(), reports: 25 * time.Minute,
					strategy: func(cloud *migratetest.Cloud) migrate.Strategy {
						return scenario.TSL(scenario.Options{Sink: cloud.Sink(),
							SyncWindow: migrate.Window{Min: 14 * 24 * time.Hour, Max: 30 * 24 * time.Hour}})
					},
				})
				c.config.Poll = time.Minute
				c.newRunner()
				c.config.Lease = migrate.LeaseTakeOver
				other, err := migrate.NewRunner(c.config)
				if err != nil {
					t.Fatal(err)
				}
				var decided time.Time
				var others sync.WaitGroup
				others.Go(func() {
					time.Sleep(5 * 24 * time.Hour) // the bubble's: the window of 14 days is open
					if err := test.meanwhile(other); err != nil {
						t.Error(err)
					}
					decided = time.Now()
				})
				_, err = c.runner.Run(t.Context())
				ended := time.Now()
				others.Wait()
				if !errors.Is(err, test.want) {
					t.Errorf("the run ended with %v, want %v", err, test.want)
				}
				if late := ended.Sub(decided); late > time.Minute {
					t.Errorf("the run ended %v after the word", late)
				}
			})
		})
	}
}

func TestDecisionsThatMakeNoSenseAreRefused(t *testing.T) {
	c := start(t, setup{fleet: mixed})
	c.run()
	lane := c.config.Plan.Lanes[0].Lane.ID
	for _, d := range []migrate.Decision{
		{Kind: migrate.Approve, Lane: lane, Stage: "confirm-gray", By: "me"},
		{Kind: migrate.Approve, By: "me"},
		{Kind: migrate.Pause, Lane: lane, By: "me"},
		{Kind: migrate.Resume, Lane: lane, By: "me"},
		{Kind: migrate.Abort, Lane: lane, By: "me"},
		{Kind: migrate.Rollback, Lane: lane, Stage: "nothing", By: "me"},
		{Kind: migrate.Rollback, Lane: lane, Stage: "rest", Wave: 99, By: "me"},
		{Kind: migrate.Rollback, Lane: lane, Wave: 1, By: "me"},
		{Kind: migrate.Rollback, Lane: "nowhere", By: "me"},
		{Kind: migrate.Rollback, Lane: lane},
		{Kind: "dance", Lane: lane, By: "me"},
	} {
		if err := c.runner.Decide(t.Context(), d); err == nil {
			t.Errorf("decision %+v was taken", d)
		}
	}
}

func TestBlockedPlanDoesNotStart(t *testing.T) {
	file, err := fleets.Open("mixed.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cloud, err := migratetest.Open(file, migratetest.Options{NoQuotas: true})
	if err != nil {
		t.Fatal(err)
	}
	survey, err := cloud.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	strategies := []migrate.Strategy{plain(cloud)}
	plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
	if err != nil {
		t.Fatal(err)
	}
	_, err = migrate.NewRunner(migrate.Config{Campaign: "c", Plan: plan, Strategies: strategies, Platform: cloud.Platform(),
		Journal: journal.NewMemory(), Operator: cloud.Operator()})
	if blocked, ok := errors.AsType[*migrate.BlockedError](err); !ok || blocked.Issues[0].Code != migrate.CodeOnlineQuota {
		t.Errorf("got %v, want the online quota", err)
	}
}

func TestChangedStrategyIsRefused(t *testing.T) {
	c := start(t, setup{fleet: mixed})
	c.config.Strategies = []migrate.Strategy{migrate.NewStrategy("plain",
		func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
		func(migrate.Lane) ([]migrate.Stage, error) {
			return []migrate.Stage{{Name: "other", Gate: true}}, nil
		})}
	if _, err := migrate.NewRunner(c.config); !errors.Is(err, migrate.ErrMismatch) {
		t.Errorf("got %v, want ErrMismatch", err)
	}
}

// What cannot be proven says what was seen last; a gateway whose sub-device is not proven says that it was not asked.
func TestUnprovenDevicesSayWhatIsMissing(t *testing.T) {
	silent := iot.DeviceID{}
	c := start(t, setup{fleet: migratetest.GenerateOptions{Gateways: 2, SubDevices: 3},
		limits: migrate.Limits{MaxFailedDevices: 100, MaxFailedShare: 1},
		fault: func(op migratetest.Op) migratetest.Fault {
			stays := op.Kind == "device" && op.ProductKey == silent.ProductKey && slices.Contains(op.Devices, silent.DeviceName)
			if stays && op.Name == "Connect" {
				return migratetest.Fault{Refuse: iot.Denied}
			}
			return migratetest.Fault{}
		}})
	family := c.config.Plan.Lanes[0].Families[0]
	silent = family.Devices[0]
	lane := c.run().Lanes[0]
	got := map[iot.DeviceID]string{}
	for _, f := range lane.Failures {
		got[f.Device] = f.Evidence.Seen
	}
	if len(got) != 2 || !strings.Contains(got[silent], "last seen: ") || !strings.Contains(got[family.Gateway], "not asked") {
		t.Errorf("failures: %v", got)
	}
}

// The time that families are split is measured, and is what the plan foretold.
func TestSplitIsMeasured(t *testing.T) {
	c := start(t, setup{fleet: migratetest.GenerateOptions{Gateways: 8, SubDevices: 25}})
	lane := c.run().Lanes[0]
	forecast := c.config.Plan.Lanes[0].Forecast
	if lane.Split == 0 || lane.Split > forecast.SplitMax+time.Second {
		t.Errorf("a family was split for %v, the plan foretold %v at most", lane.Split, forecast.SplitMax)
	}
}

func TestLanesWaitForFreeConsoleTasks(t *testing.T) {
	open, most := map[string]int{}, 0
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 5, PreRegistered: 5, ThingModel: 5, Gateways: 2, SubDevices: 2},
		limits: migrate.Limits{MaxTasks: 3},
		watch: func(e migrate.Entry, s *migrate.State) {
			switch e.Kind {
			case migrate.EntryStage:
				open[e.Lane] = 1
			case migrate.EntryLaneEnd:
				delete(open, e.Lane)
			}
			most = max(most, len(open))
		},
		strategy: func(cloud *migratetest.Cloud) migrate.Strategy {
			proof := []migrate.Verifier{verify.Online(verify.OnlineConfig{})}
			return migrate.NewStrategy("bare", func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
				func(migrate.Lane) ([]migrate.Stage, error) {
					return []migrate.Stage{
						{Name: "create-task", Console: migrate.ConsoleCreate},
						{Name: "all", Console: migrate.ConsoleGray, Move: &migrate.Move{Rest: true}, Verify: proof},
						{Name: "confirm-gray", Console: migrate.ConsoleConfirm},
					}, nil
				})
		}})
	if report := c.run(); report.Outcome != migrate.OutcomeProven {
		t.Fatalf("outcome %s: %+v", report.Outcome, report.Lanes)
	}
	if n := len(c.config.Plan.Lanes); n < 4 || most > 3 || most < 2 {
		t.Errorf("of %d lanes, %d were open at once; 3 console tasks are allowed", n, most)
	}
}

func TestFullMigrationSparesBlockedDevices(t *testing.T) {
	cloud, err := migratetest.Open(fleets.Demo(), migratetest.Options{NoQuotas: true})
	if err != nil {
		t.Fatal(err)
	}
	survey, err := cloud.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	full := migrate.NewStrategy("full", func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
		func(migrate.Lane) ([]migrate.Stage, error) {
			return []migrate.Stage{{Name: "all", Console: migrate.ConsoleFull, Move: &migrate.Move{Rest: true}}}, nil
		})
	planner := migrate.Planner{Strategies: []migrate.Strategy{full}}
	if _, err := planner.Plan(survey); err != nil {
		t.Errorf("nothing of the lanes' products is blocked, yet: %v", err)
	}
	for i := range survey.Products {
		if p := &survey.Products[i]; p.Product.Key == "a1Meter0001" {
			p.Distributed = append(p.Distributed, p.Devices[0].ID)
		}
	}
	if _, err := planner.Plan(survey); !errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), "1 blocked devices of product a1Meter0001") {
		t.Errorf("got %v, want a refusal that names the product", err)
	}
}

// An operator may take hours. What a device did between being asked for and being moved proves nothing, so the time of
// its move is narrowed down by the looks.
func TestMovedIsNarrowedDownForLateOperators(t *testing.T) {
	var pending *migrate.ConsoleTask
	var c *campaign
	var moved, asked time.Time
	c = start(t, setup{fleet: migratetest.GenerateOptions{Direct: 3},
		watch: func(e migrate.Entry, _ *migrate.State) {
			if e.Kind == migrate.EntryLook && pending != nil && e.At.Sub(asked) > 5*time.Hour {
				if err := c.cloud.Operator().Perform(context.Background(), *pending); err != nil {
					t.Error(err)
				}
				pending = nil
			}
		},
		strategy: func(cloud *migratetest.Cloud) migrate.Strategy {
			note := migrate.NewVerifier("note", func(_ context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
				return func(yield func(migrate.Finding, error) bool) {
					for _, d := range s.Devices {
						moved = d.Moved
						if !yield(migrate.Finding{Device: d.ID, Verdict: migrate.Pass}, nil) {
							return
						}
					}
				}
			})
			return migrate.NewStrategy("late", func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
				func(migrate.Lane) ([]migrate.Stage, error) {
					return []migrate.Stage{
						{Name: "create-task", Console: migrate.ConsoleCreate},
						{Name: "all", Console: migrate.ConsoleGray, Move: &migrate.Move{Rest: true}, Verify: []migrate.Verifier{note}},
					}, nil
				})
		}})
	c.config.Operator = migrate.OperatorFunc(func(ctx context.Context, task migrate.ConsoleTask) error {
		if task.Kind == migrate.ConsoleGray {
			pending, asked = &task, c.config.Clock.Now()
			return nil
		}
		return c.cloud.Operator().Perform(ctx, task)
	})
	c.newRunner()
	if got := c.run().Outcome; got != migrate.OutcomeProven {
		t.Fatalf("outcome %s", got)
	}
	if late := moved.Sub(asked); late < 4*time.Hour+55*time.Minute || late > 5*time.Hour+5*time.Minute {
		t.Errorf("the device moved 5 hours after the operator was asked, the verifier was told %v", late)
	}
}

// A campaign that has ended can still be taken back, as long as no stage without a way back was passed.
func TestRollbackAfterTheEnd(t *testing.T) {
	c := start(t, setup{fleet: mixed})
	before := c.topologyOf(c.config.Platform.Source.View)
	if got := c.run().Outcome; got != migrate.OutcomeProven {
		t.Fatalf("outcome %s", got)
	}
	c.decide(migrate.Decision{Kind: migrate.Rollback, Note: "all of it"})
	report := c.run()
	for _, l := range report.Lanes {
		if l.Halt != migrate.HaltReturned || l.Returned != l.Devices || l.Moved != 0 {
			t.Errorf("lane %s after the rollback: %+v", l.Lane, l)
		}
	}
	if report.Outcome != migrate.OutcomeStopped || len(c.at(c.target())) > 0 {
		t.Errorf("outcome %s, %d devices still at the target", report.Outcome, len(c.at(c.target())))
	}
	if diff := cmp.Diff(before, c.topologyOf(c.config.Platform.Source.View)); diff != "" {
		t.Errorf("the topology has changed:\n%s", diff)
	}
}

// The console confirms a task only if its gray batch moved a device: the first batch has one of every product, however
// small it was asked to be.
func TestFirstGrayBatchCoversEveryProduct(t *testing.T) {
	c := start(t, setup{fleet: migratetest.GenerateOptions{Gateways: 6, SubDevices: 1},
		strategy: func(cloud *migratetest.Cloud) migrate.Strategy {
			proof := []migrate.Verifier{verify.Online(verify.OnlineConfig{})}
			return migrate.NewStrategy("tiny", func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
				func(migrate.Lane) ([]migrate.Stage, error) {
					return []migrate.Stage{
						{Name: "create-task", Console: migrate.ConsoleCreate},
						{Name: "first-gray", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 1}, Verify: proof},
						{Name: "confirm-gray", Console: migrate.ConsoleConfirm},
						{Name: "rest", Move: &migrate.Move{Rest: true}, Verify: proof},
					}, nil
				})
		}})
	for _, l := range c.config.Plan.Lanes {
		if n := len(l.Lane.Products); n < 2 || l.Stages[1].Waves[0].Count >= l.Lane.Families {
			t.Fatalf("lane %s has %d products and a first batch of %d families: the test needs other numbers", l.Lane.ID, n, l.Stages[1].Waves[0].Count)
		}
	}
	if report := c.run(); report.Outcome != migrate.OutcomeProven {
		t.Errorf("outcome %s: %+v", report.Outcome, report.Lanes)
	}
}

// A decision may come in the very moment in which a run ends.
func TestDecisionMeetsTheEndOfARun(t *testing.T) {
	for range 50 {
		halted := make(chan struct{})
		c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 5},
			watch: func(e migrate.Entry, _ *migrate.State) {
				if e.Kind == migrate.EntryDecision && e.Decision.Kind == migrate.Refuse {
					close(halted)
				}
			},
			approver: migrate.ApproverFunc(func(ctx context.Context, g migrate.Gate) (migrate.Decision, error) {
				select {
				case <-halted:
					return approve(ctx, g)
				default:
					return migrate.Decision{Kind: migrate.Refuse, By: "the boss"}, nil
				}
			})})
		var run sync.WaitGroup
		run.Go(func() { c.run() })
		<-halted
		if err := c.runner.Decide(t.Context(), migrate.Decision{Kind: migrate.Resume, By: "the test"}); err != nil {
			t.Error(err)
		}
		run.Wait()
		decisions := 0
		for e, err := range c.config.Journal.Entries(t.Context(), "c", 0) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == migrate.EntryDecision && e.Decision.Kind == migrate.Resume {
				decisions++
			}
		}
		if decisions != 1 {
			t.Errorf("%d decisions are in the journal, want 1", decisions)
		}
	}
}

// When the platform refuses the calls in the middle of a family, what was moved of it is returned before the lane halts.
func TestCallsRefusedInTheMiddleOfAFamily(t *testing.T) {
	n := 0
	c := start(t, setup{fleet: migratetest.GenerateOptions{Gateways: 4, SubDevices: 3}, fault: onMove(func(migratetest.Op) migratetest.Fault {
		if n++; n > 1 {
			return migratetest.Fault{Refuse: iot.Denied}
		}
		return migratetest.Fault{}
	})})
	for n, l := range c.run().Lanes {
		if l.Halt != migrate.HaltCall || l.Underway != 0 || l.Failed == 0 || l.Returned == 0 {
			t.Errorf("lane %s: %+v", l.Lane, l)
		}
		c.whole(n)
	}
}

// An operator, an approver or a call that hangs is given up at the deadline.
func TestHangingTasksAreGivenUp(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for name, test := range map[string]struct {
		config func(*campaign)
		want   migrate.HaltReason
	}{
		"operator": {func(c *campaign) {
			c.config.Operator = migrate.OperatorFunc(func(ctx context.Context, _ migrate.ConsoleTask) error { return hang(ctx) })
		}, migrate.HaltDeadline},
		"approver": {func(c *campaign) {
			c.config.Approver = migrate.ApproverFunc(func(ctx context.Context, _ migrate.Gate) (migrate.Decision, error) {
				return migrate.Decision{}, hang(ctx)
			})
		}, migrate.HaltDeadline},
		"mover": {func(c *campaign) { c.config.Platform.Mover = hangingMover{hang} }, migrate.HaltLimit},
		"look before a wave": {func(c *campaign) {
			c.config.Platform.Source.StateReader = hangingStates{hang}
		}, migrate.HaltDeadline},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 8}, clock: iot.SystemClock()})
				c.config.Poll = time.Minute // days pass, and nobody else appends
				test.config(c)
				c.newRunner()
				if l := c.run().Lanes[0]; l.Halt != test.want {
					t.Errorf("halted for %q (%s), want %q", l.Halt, l.Note, test.want)
				}
				c.movedOnce()
			})
		})
	}
}

type hangingStates struct{ hang func(context.Context) error }

func (s hangingStates) States(ctx context.Context, _ string, _ []string) ([]iot.DeviceState, error) {
	return nil, s.hang(ctx)
}

type hangingMover struct{ hang func(context.Context) error }

func (m hangingMover) Move(ctx context.Context, _ string, _ []string) ([]iot.MoveResult, error) {
	return nil, m.hang(ctx)
}

func TestRemainsOfAHugeLane(t *testing.T) {
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 4}})
	c.config.Plan.Lanes[0].Forecast.Moving = 1 << 61 // times the devices, it is more than a Duration holds
	got := migrate.NewState(c.config.Plan).Report("c").Lanes[0].Remains
	if want := c.config.Plan.Lanes[0].Forecast.Moving; got != want {
		t.Errorf("remains %v, want %v", got, want)
	}
}
