package migrate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/tslsync"
	"github.com/iotferry/iotferry/verify"
)

// BenchmarkCampaign500k migrates 500,000 devices in four lanes, one by each strategy of the guide, in 30 virtual days: with the
// documented quotas, everything that the strategies can verify in memory, history by a sample, and a journal in
// files. The fleet, its survey and its plan are made before. s/op is the time of the whole run; peak-MB the highest heap seen meanwhile,
// looked at each millisecond, with the platform in memory, the survey and the plan; appends is how many times the journal
// was written to, with an fsync each.
func BenchmarkCampaign500k(b *testing.B) {
	const lane = 125_000
	var peak uint64
	var took time.Duration
	var c *longCampaign
	// The platform in memory is most of the heap. Who embeds a runner in so small a process sets GOMEMLIMIT, which is this.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(1500e6))
	for b.Loop() {
		c = newLongCampaign(b, migratetest.GenerateOptions{
			Direct: lane, PreRegistered: lane, ThingModel: lane, Gateways: lane / 10, SubDevices: 9,
		})
		runtime.GC()
		stop := watchHeap(&peak)
		start := time.Now()
		report, err := c.runner.Run(b.Context())
		took += time.Since(start)
		stop()
		if err != nil {
			b.Fatal(err)
		}
		c.check(b, report)
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s/op")
	b.ReportMetric(float64(peak)/1e6, "peak-MB")
	b.ReportMetric(float64(c.journal.entries), "entries")
	b.ReportMetric(float64(c.journal.appends), "appends")
}

// countingJournal counts the appends to a journal in files.
type countingJournal struct {
	*journal.Dir
	entries, appends int
}

func (j *countingJournal) Append(ctx context.Context, campaign string, after int64, entries ...migrate.Entry) error {
	j.entries += len(entries)
	j.appends++
	return j.Dir.Append(ctx, campaign, after, entries...)
}

type longCampaign struct {
	cloud   *migratetest.Cloud
	plan    *migrate.Plan
	journal *countingJournal
	runner  *migrate.Runner
}

func newLongCampaign(b *testing.B, fleet migratetest.GenerateOptions) *longCampaign {
	clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	cloud, err := migratetest.Open(bytes.NewReader(migratetest.Generate(fleet)), migratetest.Options{Clock: clock})
	if err != nil {
		b.Fatal(err)
	}
	survey, err := cloud.Survey(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	strategies := scenario.All(everything(cloud))
	plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
	if err != nil {
		b.Fatal(err)
	}
	dir, err := journal.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { dir.Close() })
	c := &longCampaign{cloud: cloud, plan: plan, journal: &countingJournal{Dir: dir}}
	c.runner, err = migrate.NewRunner(migrate.Config{
		Campaign: "long", Plan: plan, Strategies: strategies, Platform: cloud.Platform(), Journal: c.journal,
		Operator: cloud.Operator(), Approver: migrate.ApproverFunc(approve), Clock: clock, Workers: 1,
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// everything lets the strategies observe all that they can, for 30 days.
func everything(c *migratetest.Cloud) scenario.Options {
	c.Serve("")
	return scenario.Options{
		Sink:       c.Sink(),
		SyncWindow: migrate.Window{Min: 30 * 24 * time.Hour},
		Synchronised: verify.Synchronised(verify.SynchronisedConfig{ // 59 devices, row by row, for 30 days
			Window: tslsync.Window{Min: 30 * 24 * time.Hour, Max: 30 * 24 * time.Hour}, AlwaysSample: true, Bound: 0.05, HiddenPasses: true,
		}),
		Services: func(string, json.RawMessage) ([]verify.Invocation, error) {
			return []verify.Invocation{{Service: "Check", Args: json.RawMessage("{}")}}, nil
		},
		UpdateSubscriber: func(_ context.Context, env *migrate.Env) error {
			c.Serve(env.Platform.Target.Info.ID)
			return nil
		},
		NewDevice: func(ctx context.Context, _ *migrate.Env, cred iot.Credential) error {
			return c.PowerOn(cred)
		},
	}
}

// check sees that everything is proven, and was moved once.
func (c *longCampaign) check(b *testing.B, report *migrate.Report) {
	if report.Outcome != migrate.OutcomeProven || len(report.Lanes) != 4 {
		b.Fatalf("%d lanes, outcome %s: %+v", len(report.Lanes), report.Outcome, report.Lanes)
	}
	if days := report.Latest.Sub(report.Began).Hours() / 24; days < 30 || days > 32 {
		b.Fatalf("the campaign took %.1f days", days)
	}
	devices := 0
	for _, l := range c.plan.Lanes {
		for _, f := range l.Families {
			for _, id := range f.Devices {
				devices++
				if owner, _ := c.cloud.Owner(id); owner != c.plan.Target.ID || c.cloud.MovedTimes(id) != 1 {
					b.Fatalf("device %s is at %q, and was moved %d times", id, owner, c.cloud.MovedTimes(id))
				}
			}
		}
	}
	if devices != 500_000 {
		b.Fatalf("%d devices in the plan", devices)
	}
}
