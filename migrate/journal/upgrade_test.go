package journal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

// A golden campaign is a campaign over all four scenarios that an older version has left half done: its fleet, its plan and its
// journal, in a folder of testdata/campaigns that has the name of that version. This version has to bring it to its proven end.
//
// At each release add one, and never change or remove one that is there:
//
//	go test ./migrate/journal -run TestUpgrade -write v1.4.0
//
// If a golden campaign is refused or ends otherwise, campaigns of users will be, too: a stage was renamed, a verifier
// added, an entry is read differently. Let the new code accept what the old one wrote. Three are of before the first release: v0
// announces calls one by one, v0-salvos several at once, and in v0-conditions the window of scenario 4 waits for conditions.
var writeCampaign = flag.String("write", "", "write a golden campaign of this name, by the code as it is")

const goldenCampaigns = "testdata/campaigns"

func TestUpgrade(t *testing.T) {
	if *writeCampaign != "" {
		writeGolden(t, filepath.Join(goldenCampaigns, *writeCampaign))
	}
	folders, err := filepath.Glob(goldenCampaigns + "/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no golden campaigns: %v", err)
	}
	for _, folder := range folders {
		for _, made := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/last call made %t", filepath.Base(folder), made), func(t *testing.T) { continueGolden(t, folder, made) })
		}
	}
}

// goldenStart is when golden campaigns begin.
func goldenStart() time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) }

// A goldenWorld is a golden campaign and the platform in memory that it is about.
type goldenWorld struct {
	t          *testing.T
	clock      *migratetest.Clock
	cloud      *migratetest.Cloud
	plan       *migrate.Plan
	strategies []migrate.Strategy
}

func openGolden(t *testing.T, fleet []byte, fault func(migratetest.Op) migratetest.Fault) *goldenWorld {
	t.Helper()
	g := &goldenWorld{t: t, clock: migratetest.NewClock(goldenStart())}
	var err error
	if g.cloud, err = migratetest.Open(bytes.NewReader(fleet), migratetest.Options{Clock: g.clock, Fault: fault}); err != nil {
		t.Fatal(err)
	}
	g.cloud.Serve("")
	g.strategies = scenario.All(scenario.Options{
		Sink: g.cloud.Sink(), Replies: g.cloud.Sink(),
		Services: func(string, json.RawMessage) ([]verify.Invocation, error) {
			return []verify.Invocation{{Service: "Check"}, {Service: "Calibrate", Async: true}}, nil
		},
		UpdateSubscriber: func(_ context.Context, env *migrate.Env) error {
			g.cloud.Serve(env.Platform.Target.Info.ID)
			return nil
		},
		NewDevice: func(_ context.Context, _ *migrate.Env, c iot.Credential) error {
			if c.Secret.Reveal() == "" {
				return nil // an earlier attempt had it
			}
			return g.cloud.PowerOn(c)
		},
	})
	return g
}

// keepStages gives scenario 4 the stage that it had before waits had conditions, if the plan was made with it: a verifier then told
// whether history was copied. Whoever changes a strategy keeps its stages for the campaigns that are under way.
func (g *goldenWorld) keepStages() {
	before := func(p migrate.StagePlan) bool { return p.Console == migrate.ConsoleDataSync && p.Closes == "" }
	for _, l := range g.plan.Lanes {
		if !slices.ContainsFunc(l.Stages, before) {
			continue
		}
		i := slices.IndexFunc(g.strategies, func(s migrate.Strategy) bool { return s.Name() == l.Strategy })
		now := g.strategies[i]
		g.strategies[i] = migrate.NewStrategy(now.Name(), now.Match, func(l migrate.Lane) ([]migrate.Stage, error) {
			stages, err := now.Stages(l)
			for i := range stages {
				if s := &stages[i]; s.Closes != nil {
					s.Opens, s.Closes, s.Verify = nil, nil, []migrate.Verifier{migrate.NewVerifier("synchronised", g.copied)}
				}
			}
			return stages, err
		})
	}
}

// copied passes the devices that the target shows history of.
func (g *goldenWorld) copied(ctx context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
	return func(yield func(migrate.Finding, error) bool) {
		for _, d := range s.Devices {
			page, err := s.Target.PropertyHistory(ctx, d.ID, []string{"Charge"}, s.Now.Add(-24*time.Hour), s.Now)
			f := migrate.Finding{Device: d.ID, Evidence: migrate.Evidence{Source: "history at the target", At: s.Now, Seen: fmt.Sprint(len(page.Rows), " rows")}}
			if len(page.Rows) > 0 {
				f.Verdict = migrate.Pass
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

func (g *goldenWorld) runner(j migrate.Journal, owner string) *migrate.Runner {
	g.t.Helper()
	runner, err := migrate.NewRunner(migrate.Config{
		Campaign: campaign, Plan: g.plan, Strategies: g.strategies, Platform: g.cloud.Platform(), Journal: j,
		Operator: g.cloud.Operator(), Clock: g.clock, Workers: 1, Owner: owner,
		Approver: migrate.ApproverFunc(func(context.Context, migrate.Gate) (migrate.Decision, error) {
			return migrate.Decision{Kind: migrate.Approve, By: "golden", Note: "all of it is proven"}, nil
		}),
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return runner
}

// continueGolden brings the platform to where the journal says that it was, and the campaign to its end.
func continueGolden(t *testing.T, folder string, lastCallMade bool) {
	file := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	g := openGolden(t, file("fleet.json"), nil)
	plan, err := migrate.ReadPlan(bytes.NewReader(file("plan.json")))
	if err != nil {
		t.Fatal(err)
	}
	g.plan = plan
	g.keepStages()
	dir, lines := t.TempDir(), file("journal.jsonl")
	write(t, dir, lines)
	d := open(t, dir)
	old, err := read(t, d)
	if err != nil {
		t.Fatal(err)
	}
	replay{goldenWorld: g, entries: old, lastCallMade: lastCallMade}.run()
	report, err := g.runner(d, "the new version").Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.Outcome != migrate.OutcomeProven {
		t.Fatalf("outcome %s: %+v", report.Outcome, report.Lanes)
	}
	g.checkEnd()
	all := contents(t, dir)
	if !bytes.HasPrefix(all, lines) {
		t.Error("what the older version wrote was changed")
	}
	if summary, err := journal.Verify(bytes.NewReader(all)); err != nil || summary.Torn > 0 || summary.Entries <= int64(len(old)) {
		t.Errorf("the journal in the end: %+v, %v", summary, err)
	}
}

// checkEnd checks that every device is at the target, was moved once, and has the gateway of the plan.
func (g *goldenWorld) checkEnd() {
	g.t.Helper()
	for _, l := range g.plan.Lanes {
		for _, f := range l.Families {
			for _, id := range f.Devices {
				owner, _ := g.cloud.Owner(id)
				gateway := g.cloud.GatewayOf(id)
				if owner != g.plan.Target.ID || g.cloud.MovedTimes(id) != 1 || id != f.Gateway && gateway != f.Gateway {
					g.t.Errorf("device %s is at %q, was moved %d times and has gateway %s", id, owner, g.cloud.MovedTimes(id), gateway)
				}
			}
		}
	}
}

// writeGolden writes a campaign that two processes worked on. The first died before a call; the second met an answer that was lost,
// and died after the intent of a call, when every lane had moved something. After each a person paused and resumed.
func writeGolden(t *testing.T, folder string) {
	fleet := migratetest.Generate(migratetest.GenerateOptions{
		Direct: 12, PreRegistered: 12, ThingModel: 12, Gateways: 4, SubDevices: 4, OfflineEvery: 6,
	})
	moves := 0
	g := openGolden(t, fleet, func(op migratetest.Op) migratetest.Fault {
		if op.Name != "BatchGrayMigrationDevice" {
			return migratetest.Fault{}
		}
		moves++
		return migratetest.Fault{Lost: moves == 2}
	})
	survey, err := g.cloud.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if g.plan, err = (migrate.Planner{Strategies: g.strategies}).Plan(survey); err != nil {
		t.Fatal(err)
	}
	m := journal.NewMemory()
	for i, intents := range []int{2, 7} {
		if _, err := g.runner(&dying{Journal: m, intents: intents}, fmt.Sprintf("process %d", i+1)).Run(t.Context()); !errors.Is(err, errDied) {
			t.Fatalf("process %d ended with %v: take another moment", i+1, err)
		}
		g.pauseAndResume(m)
		g.clock.Advance(time.Minute)
	}
	var plan bytes.Buffer
	if err := g.plan.Write(&plan); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err) // a golden campaign is never written anew
	}
	for name, text := range map[string][]byte{"fleet.json": fleet, "plan.json": plan.Bytes(), "journal.jsonl": journal.Bytes(m, campaign)} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// pauseAndResume lets a person decide while no process runs.
func (g *goldenWorld) pauseAndResume(j migrate.Journal) {
	g.t.Helper()
	for _, kind := range []migrate.DecisionKind{migrate.Pause, migrate.Resume} {
		if err := g.runner(j, "").Decide(g.t.Context(), migrate.Decision{Kind: kind, By: "golden", Note: "the process died"}); err != nil {
			g.t.Fatal(err)
		}
	}
}

var errDied = errors.New("the process died")

// A dying journal is that of a process that dies when so many intents of calls are durable.
type dying struct {
	migrate.Journal
	intents int
}

func (j *dying) Append(ctx context.Context, name string, after int64, entries ...migrate.Entry) error {
	if j.intents == 0 {
		return errDied
	}
	if err := j.Journal.Append(ctx, name, after, entries...); err != nil {
		return err
	}
	for _, e := range entries {
		if e.Kind != migrate.EntryIntent {
			continue
		}
		if j.intents--; j.intents == 0 {
			return errDied
		}
	}
	return nil
}
