package migrate_test

import (
	"context"
	"testing"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/verify"
)

// TestRollbackUndoesTheLastStage returns a lane that has come to its end, and whose last stage has code of its own.
func TestRollbackUndoesTheLastStage(t *testing.T) {
	var calls []string
	note := func(what string) func(context.Context, *migrate.Env) error {
		return func(context.Context, *migrate.Env) error {
			calls = append(calls, what)
			return nil
		}
	}
	c := start(t, setup{
		fleet: migratetest.GenerateOptions{Direct: 6},
		strategy: func(*migratetest.Cloud) migrate.Strategy {
			online := []migrate.Verifier{verify.Online(verify.OnlineConfig{})}
			return migrate.NewStrategy("told",
				func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true, Why: "it takes every lane"} },
				func(migrate.Lane) ([]migrate.Stage, error) {
					return []migrate.Stage{
						{Name: "create-task", Console: migrate.ConsoleCreate},
						{Name: "first-gray", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 3}, Verify: online},
						{Name: "confirm-gray", Console: migrate.ConsoleConfirm},
						{Name: "rest", Move: &migrate.Move{Rest: true}, Verify: online},
						{Name: "tell", Do: note("tell"), Undo: note("withdraw")},
					}, nil
				})
		},
	})
	if r := c.run(); r.Outcome != migrate.OutcomeProven {
		t.Fatalf("the campaign ends %s: %+v", r.Outcome, r.Lanes)
	}
	c.decide(migrate.Decision{Kind: migrate.Rollback})
	if l := c.run().Lanes[0]; l.Returned != 6 || l.Halt != migrate.HaltReturned {
		t.Errorf("%d devices are returned, halted for %q: %s", l.Returned, l.Halt, l.Note)
	}
	if len(calls) != 2 || calls[1] != "withdraw" {
		t.Errorf("called: %q", calls)
	}
}
