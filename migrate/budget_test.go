package migrate_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/topology"
	"github.com/iotferry/iotferry/verify"
)

// gray moves everything in growing waves after the first gray batch.
func gray(cloud *migratetest.Cloud) migrate.Strategy {
	return migrate.NewStrategy("gray",
		func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true, Why: "it takes everything"} },
		func(migrate.Lane) ([]migrate.Stage, error) {
			proof := []migrate.Verifier{verify.Online(verify.OnlineConfig{}), verify.Reporting(verify.ReportingConfig{Sink: cloud.Sink()})}
			return []migrate.Stage{
				{Name: "create-task", Console: migrate.ConsoleCreate},
				{Name: "first-gray", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 4}, Verify: proof},
				{Name: "confirm-gray", Console: migrate.ConsoleConfirm},
				{Name: "rest", Move: &migrate.Move{Rest: true, Ramp: topology.Ramp{First: 4}}, Verify: proof},
			}, nil
		})
}

// offline counts the devices at the target that were online before and are not now.
func (c *campaign) offline() int {
	n := 0
	for _, id := range c.at(c.target()) {
		if !c.cloud.Online(id) {
			n++
		}
	}
	return n
}

// However many lanes there are, no more devices than MaxOffline are offline at once, to the last one.
func TestOfflineBudget(t *testing.T) {
	const most = 9
	var c *campaign
	worst, waited := 0, false
	var mu sync.Mutex // operations come from several goroutines
	c = start(t, setup{
		fleet:    migratetest.GenerateOptions{Direct: 30, ThingModel: 30, Gateways: 6, SubDevices: 4},
		limits:   migrate.Limits{MaxOffline: most},
		strategy: gray,
		fault: func(op migratetest.Op) migratetest.Fault {
			if c != nil && op.Kind == "api" {
				n := c.offline()
				mu.Lock()
				defer mu.Unlock()
				worst = max(worst, n)
			}
			return migratetest.Fault{}
		},
		watch: func(_ migrate.Entry, s *migrate.State) {
			r := s.Report("c")
			if r.Offline > most || r.MaxOffline != most {
				t.Errorf("the report counts %d of %d devices as offline", r.Offline, r.MaxOffline)
			}
			for _, l := range r.Lanes {
				waited = waited || strings.Contains(l.Queued, "of the 9 devices")
			}
		},
	})
	if got := c.run().Outcome; got != migrate.OutcomeProven {
		t.Fatalf("outcome %s: %+v", got, c.runner.Report(t.Context()))
	}
	if worst == 0 || worst > most {
		t.Errorf("%d devices were offline at once, %d may be", worst, most)
	}
	if !waited {
		t.Error("no lane ever waited for another one: the budget was not reached")
	}
}

// Failed devices that stay offline use the budget up, until a person accepts them.
func TestOfflineBudgetOfFailedDevices(t *testing.T) {
	deaf := map[string]bool{"direct-0003": true, "direct-0004": true, "direct-0005": true, "direct-0006": true}
	c := start(t, setup{
		fleet:    migratetest.GenerateOptions{Direct: 30},
		limits:   migrate.Limits{MaxOffline: 6, MaxFailedDevices: 30, MaxFailedShare: 1},
		strategy: gray,
		fault: func(op migratetest.Op) migratetest.Fault {
			if op.Kind == "device" && op.Name == "Connect" && deaf[op.Devices[0]] {
				return migratetest.Fault{Refuse: iot.Denied}
			}
			return migratetest.Fault{}
		},
	})
	halts := 0
	for {
		report := c.run()
		lane := report.Lanes[0]
		if lane.Halt == "" {
			break
		}
		if lane.Halt != migrate.HaltLimit || !strings.Contains(lane.Note, "failed devices were not seen online") || lane.Offline == 0 {
			t.Fatalf("halted for %q: %s; %d offline", lane.Halt, lane.Note, lane.Offline)
		}
		halts++
		c.decide(migrate.Decision{Kind: migrate.Resume, Lane: lane.Lane})
	}
	lane := c.runner.Report(t.Context()).Lanes[0]
	if halts == 0 || lane.Failed != len(deaf) || lane.Proven != 30-len(deaf) {
		t.Errorf("after %d halts %d failed and %d are proven", halts, lane.Failed, lane.Proven)
	}
}

// The planner makes no wave that the offline budget has no room for.
func TestPlanWithinOfflineBudget(t *testing.T) {
	plan := func(strategy func(*migratetest.Cloud) migrate.Strategy, most int) (*migrate.Plan, error) {
		c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 40, Gateways: 4, SubDevices: 5}, strategy: gray})
		survey, err := c.cloud.Survey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return migrate.Planner{Strategies: []migrate.Strategy{strategy(c.cloud)}, Limits: migrate.Limits{MaxOffline: most}}.Plan(survey)
	}
	p, err := plan(gray, 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range p.Lanes {
		for _, s := range l.Stages {
			for _, w := range s.Waves {
				if w.Devices > 7 {
					t.Errorf("stage %s of lane %s has a wave of %d devices", s.Name, l.Lane.ID, w.Devices)
				}
			}
		}
	}
	if p, err = plan(gray, 5); err != nil {
		t.Fatal(err)
	}
	if got := budgetIssues(p, migrate.Blocker); got != 4 {
		t.Errorf("%d families are too large for the budget, want 4", got)
	}
	if p, err = plan(full, 7); err != nil {
		t.Fatal(err)
	}
	if got := budgetIssues(p, migrate.Warning); got != 4 {
		t.Errorf("%d products are warned of, want 4", got)
	}
	if _, err = plan(unproven, 7); err == nil || !strings.Contains(err.Error(), "nobody would see its devices online again") {
		t.Errorf("a stage without verifiers: %v", err)
	}
	if p, err = plan(unproven, 0); err != nil || budgetIssues(p, migrate.Blocker) > 0 {
		t.Errorf("without a budget: %v", err)
	}
}

func budgetIssues(p *migrate.Plan, s migrate.Severity) int {
	n := 0
	for _, i := range p.Issues {
		if i.Code == migrate.CodeOfflineBudget && i.Severity == s && i.Why != "" && i.Remedy != "" {
			n++
		}
	}
	return n
}

// with changes the last stage of a strategy.
func with(s migrate.Strategy, change func(*migrate.Stage)) migrate.Strategy {
	return migrate.NewStrategy(s.Name(), s.Match, func(l migrate.Lane) ([]migrate.Stage, error) {
		stages, err := s.Stages(l)
		change(&stages[len(stages)-1])
		return stages, err
	})
}

func full(c *migratetest.Cloud) migrate.Strategy {
	return with(gray(c), func(s *migrate.Stage) { s.Console = migrate.ConsoleFull })
}

func unproven(c *migratetest.Cloud) migrate.Strategy {
	return with(gray(c), func(s *migrate.Stage) { s.Verify = nil })
}
