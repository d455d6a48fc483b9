package migrate_test

import (
	"testing"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// TestEveryStateHasADeadline stops the world at any moment of a campaign: no task comes to its end any more, no operator
// answers, no call returns. Time alone has to bring every lane to its end or to a person, but those that a person has paused
// and those that have not begun.
func TestEveryStateHasADeadline(t *testing.T) {
	kinds := map[migrate.TaskKind]int{}
	for seed := range uint64(500) {
		c := newTrial(t, seed, map[string]int{})
		c.run(c.rng.IntN(100))
		for _, kind := range []migrate.DecisionKind{migrate.Resume, migrate.Rollback} {
			if d := (migrate.Decision{Kind: kind, By: "model"}); c.rng.IntN(2) == 0 && c.state.Check(d) == nil {
				c.enact(d)
			}
		}
		for range c.rng.IntN(24) {
			c.advance()
		}
		c.stall(kinds)
		for i, r := range c.lanes {
			begun := c.state.Report("c").Lanes[i].Stage != "create" || len(r.begun) > 0
			if !r.finished && r.halt == "" && !r.paused && begun {
				t.Errorf("%s: lane %d waits for ever: %+v", c, i, *r)
			}
		}
	}
	for k := migrate.TaskGate; k <= migrate.TaskHome; k++ {
		if kinds[k] == 0 {
			t.Errorf("no task of kind %d ever hung: the test does not reach it", k)
		}
	}
}

// stall lets time pass while nothing else happens.
func (c *trial) stall(hung map[migrate.TaskKind]int) {
	c.t.Helper()
	for range 2000 {
		step := c.state.Decide(c.now, nil, false)
		for _, e := range step.Entries {
			c.record(e)
		}
		switch {
		case len(step.Entries) > 0:
		case len(step.Tasks) > 0:
			c.hang(step.Tasks[0])
			hung[step.Tasks[0].Kind]++
		case step.Next.IsZero():
			return
		default:
			c.leap(step.Next)
		}
		c.follow()
	}
	c.t.Fatalf("%s: time alone does not bring the campaign to a stop: %+v", c, c.state.Report("c"))
}

// leap lets time pass until then: a deadline that nobody lives to see is none.
func (c *trial) leap(until time.Time) {
	c.t.Helper()
	const longest = 9 * 24 * time.Hour // the waits of the stages take a week
	if until.Sub(c.now) > longest {
		c.t.Fatalf("%s: nothing happens until %v, and it is %v", c, until, c.now)
	}
	c.now = until
}

// hang lets a task that does not return be given up at its deadline. What a call has done is then unknown, a look or a round
// could see nothing, and everything else has told nothing.
func (c *trial) hang(t migrate.Task) {
	c.t.Helper()
	if !t.Deadline.After(c.now) {
		c.t.Fatalf("%s: task %d of lane %d has the deadline %v, and it is %v", c, t.Kind, t.Lane, t.Deadline, c.now)
	}
	for _, intent := range t.Intents {
		c.record(intent)
	}
	c.leap(t.Deadline)
	if t.Stage < 0 {
		return
	}
	lane := c.plan.Lanes[t.Lane]
	e := migrate.Entry{Lane: lane.Lane.ID, Stage: lane.Stages[t.Stage].Name, Wave: t.Wave + 1}
	switch t.Kind {
	case migrate.TaskMove:
		for _, intent := range t.Intents {
			e.Kind, e.Call, e.Unknown = migrate.EntryOutcome, intent.Call, intent.Names
			c.record(e)
		}
		return
	case migrate.TaskLook:
		e.Kind, e.Error, e.End = migrate.EntryLook, "no answer", true
	case migrate.TaskVerify:
		e.Kind, e.Error, e.End = migrate.EntryVerdicts, "no answer", true
	default:
		return
	}
	c.record(e)
}
