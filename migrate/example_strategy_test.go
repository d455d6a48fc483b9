package migrate_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/verify"
)

// announced moves products that a server reads by AMQP. It tells the support desk first, and goes on when the server
// reads the target.
func announced(d *desk, bills ledger) migrate.Strategy {
	match := func(l migrate.Lane) migrate.Match {
		for _, p := range l.Products {
			if p.NodeType != iot.Direct || len(p.Subscriptions) == 0 {
				return migrate.Match{Why: fmt.Sprintf("product %s is not read by a subscription", p.Key)}
			}
		}
		return migrate.Match{Fits: true, Why: "the devices are direct, and a server reads all of their products"}
	}
	stages := func(migrate.Lane) ([]migrate.Stage, error) {
		online := verify.Online(verify.OnlineConfig{})
		return []migrate.Stage{
			{Name: "tell-support", Do: d.tell, Undo: d.withdraw, About: "Tell the support desk which devices go offline for a moment."},
			{Name: "create-task", Console: migrate.ConsoleCreate, About: "Create the migration task."},
			{Name: "gray", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 4}, Verify: []migrate.Verifier{online},
				About: "Move a few devices; the subscription comes along."},
			{Name: "server", Do: consumed, About: "See that the server reads the target."},
			{Name: "prove", Verify: []migrate.Verifier{billed(bills)}, About: "See the first devices' readings in the bills."},
			{Name: "confirm", Gate: true, Console: migrate.ConsoleConfirm, About: "Confirm the gray batch."},
			{Name: "rest", Move: &migrate.Move{Rest: true}, Verify: []migrate.Verifier{online, billed(bills)},
				About: "Move all others."},
		}, nil
	}
	return migrate.NewStrategy("announced", match, stages)
}

// consumed sees that every consumer group of the lane has a client at the target. Until then nothing fails: the runner
// asks again.
func consumed(ctx context.Context, env *migrate.Env) error {
	target := env.Platform.Target
	for _, p := range env.Lane.Products {
		subscriptions, err := target.Subscriptions(ctx, p.Key)
		if err != nil {
			return err
		}
		for _, s := range subscriptions {
			for _, group := range s.Groups {
				status, err := target.GroupStatus(ctx, group)
				if err != nil {
					return err
				}
				if status.Clients == 0 {
					return fmt.Errorf("nobody reads %s at %s yet: %w", group, target.Info, iot.Transient)
				}
			}
		}
	}
	return nil
}

// A desk is the customer's support desk.
type desk struct {
	mu      sync.Mutex
	notices map[string]int // devices by campaign and lane
}

// tell sets the notice rather than adding one: after a crash it may be called again.
func (d *desk) tell(_ context.Context, env *migrate.Env) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notices[env.Campaign+"/"+env.Lane.ID] = env.Lane.Devices
	return nil
}

// withdraw takes the notice back when the whole lane was returned. There may be none.
func (d *desk) withdraw(_ context.Context, env *migrate.Env) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.notices, env.Campaign+"/"+env.Lane.ID)
	return nil
}

// A ledger answers when the customer's billing last got a reading of a device by way of the target; the zero time is never.
type ledger func(context.Context, iot.DeviceID) (time.Time, error)

// billed passes a device when a reading that it sent after its move has reached the bills.
func billed(last ledger) migrate.Verifier {
	return migrate.NewVerifier("billed", func(ctx context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
		return func(yield func(migrate.Finding, error) bool) {
			for _, d := range s.Devices {
				at, err := last(ctx, d.ID)
				if err != nil {
					yield(migrate.Finding{}, fmt.Errorf("ask the ledger about %s: %w", d.ID, err))
					return // it could not look: no device's failure
				}
				f := migrate.Finding{Device: d.ID, Verdict: migrate.Inconclusive}
				f.Evidence = migrate.Evidence{Source: "the ledger", At: s.Now, Seen: "no reading since the move"}
				if at.After(d.Moved) {
					f.Verdict, f.Evidence.At, f.Evidence.Seen = migrate.Pass, at, "a reading since the move"
				}
				if !yield(f, nil) {
					return
				}
			}
		}
	})
}

// ledgerOf is a billing service that lives on what the target forwards.
func ledgerOf(cloud *migratetest.Cloud) ledger {
	return func(ctx context.Context, id iot.DeviceID) (newest time.Time, err error) {
		for m, err := range cloud.Sink().Latest(ctx, []iot.DeviceID{id}) {
			if err != nil {
				return time.Time{}, err
			}
			if m.Generated.After(newest) {
				newest = m.Generated
			}
		}
		return newest, nil
	}
}

func TestAnnounced(t *testing.T) {
	fleet := migratetest.Generate(migratetest.GenerateOptions{PreRegistered: 12, OfflineEvery: 5})
	migratetest.TestStrategy(t, migratetest.StrategyTest{Fleets: [][]byte{fleet}}, func(c *migratetest.Cloud) migrate.Strategy {
		c.Serve("iot-060a0001") // the server is there from the start
		return announced(&desk{notices: map[string]int{}}, ledgerOf(c))
	})
}

func TestBilled(t *testing.T) {
	migratetest.TestVerifier(t, migratetest.VerifierTest{}, func(c *migratetest.Cloud) migrate.Verifier {
		return billed(ledgerOf(c))
	})
}

func ExampleNewStrategy() {
	ctx := context.Background()
	clock := migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))
	fleet := migratetest.Generate(migratetest.GenerateOptions{PreRegistered: 30})
	cloud, err := migratetest.Open(bytes.NewReader(fleet), migratetest.Options{Clock: clock})
	if err != nil {
		fmt.Println(err)
		return
	}
	support := &desk{notices: map[string]int{}}
	strategies := []migrate.Strategy{announced(support, ledgerOf(cloud))}
	survey, err := cloud.Survey(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
	if err != nil {
		fmt.Println(err)
		return
	}
	runner, err := migrate.NewRunner(migrate.Config{
		Campaign: "trackers", Plan: plan, Strategies: strategies,
		Platform: cloud.Platform(), Journal: journal.NewMemory(), Operator: cloud.Operator(),
		Approver: migrate.ApproverFunc(func(context.Context, migrate.Gate) (migrate.Decision, error) {
			return migrate.Decision{Kind: migrate.Approve, By: "ann"}, nil
		}),
		Clock: clock, Workers: 1,
		Watch: func(e migrate.Entry, _ *migrate.State) {
			switch {
			case e.Kind == migrate.EntryStage:
				fmt.Println(e.Stage)
			case e.Error != "":
				fmt.Println(" ", e.Error)
				cloud.Serve(plan.Target.ID) // the server's new version is deployed
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	report, err := runner.Run(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s: %d of %d devices\n", report.Outcome, report.Lanes[0].Proven, support.notices["trackers/a1PreReg001"])
	// Output:
	// tell-support
	// create-task
	// gray
	// server
	//   nobody reads DEFAULT_GROUP at iot-060a0001 yet: transient
	// prove
	// confirm
	// rest
	// proven: 30 of 30 devices
}
