package migrate_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

var sequences = flag.Int("sequences", 1000, "how many random sequences TestStateDecisions tries; TestStateModel tries a third of it")

// TestStateDecisions lets people decide everything at every moment, between crashes and answers of every kind, and compares
// the state with the reference after each step: which decisions make sense, where each lane is, what it is given to do.
func TestStateDecisions(t *testing.T) {
	made, most := map[string]int{}, *sequences
	if testing.Short() {
		most /= 5
	}
	for seed := range most {
		newTrial(t, uint64(seed), made).run(100)
	}
	t.Logf("decisions that were made: %v", made)
	for _, d := range []string{
		"approve stage", "refuse stage", "pause lane", "pause everything", "resume lane", "resume everything", "abort lane", "abort everything",
		"rollback lane", "rollback everything", "rollback stage", "rollback wave",
	} {
		if made[d] < most/50 {
			t.Errorf("%s was decided %d times: the test does not reach it", d, made[d])
		}
	}
}

// A trial is one sequence.
type trial struct {
	*world
	seed  uint64
	lanes []*reference
	all   []migrate.Decision // that somebody may make, and some that nobody should
	known int                // entries that the references have seen
	made  map[string]int
}

func newTrial(t *testing.T, seed uint64, made map[string]int) *trial {
	c := &trial{world: newWorld(t, seed), seed: seed, made: made}
	for i := range c.plan.Lanes {
		stages := c.plan.Lanes[i].Stages
		stages[3].OneWay = c.rng.IntN(6) == 0 // nothing has read the plan so far
		c.lanes = append(c.lanes, &reference{begun: map[iot.DeviceID]bool{}, returning: map[iot.DeviceID]bool{}, scope: map[iot.DeviceID]bool{}})
	}
	c.all = c.decisions()
	return c
}

func (c *trial) run(steps int) {
	c.t.Helper()
	for range steps {
		switch n := c.rng.IntN(20); {
		case n == 0:
			c.crash()
		case n < 6:
			c.decide()
		case !c.advance():
			c.now = c.now.Add(time.Duration(c.rng.IntN(90)) * time.Minute) // only a person can go on
		}
		c.compare()
	}
}

// follow shows the references what was recorded.
func (c *trial) follow() {
	for _, e := range c.entries[c.known:] {
		for i, r := range c.lanes {
			lane := c.plan.Lanes[i]
			switch {
			case e.Kind == migrate.EntryDecision && e.Decision.Lane == lane.Lane.ID:
				r.follow(*e.Decision, lane) // the answer to a gate: what decide decides is known already
			case e.Lane == lane.Lane.ID:
				r.fold(e, lane)
			}
		}
	}
	c.known = len(c.entries)
}

// advance does what is to be done next, and reports whether anything was.
func (c *trial) advance() bool {
	step := c.state.Decide(c.now, nil, false)
	for _, e := range step.Entries {
		if r := c.laneOf(e.Lane); r != nil && r.halt != "" && e.Kind != migrate.EntryReverse {
			c.t.Fatalf("%s: lane %s is halted (%s), and decides %s", c, e.Lane, r.halt, e.Kind)
		}
		c.record(e)
	}
	for _, t := range step.Tasks {
		c.admissible(t)
	}
	switch {
	case len(step.Entries) > 0:
	case len(step.Tasks) > 0:
		t := step.Tasks[c.rng.IntN(len(step.Tasks))]
		if t.Kind == migrate.TaskMove && c.rng.IntN(4) == 0 {
			for _, intent := range t.Intents {
				c.record(intent)
			}
			t.Intents = nil
			c.follow()
			c.decide() // while the calls are under way
		}
		c.do(t)
		c.now = c.now.Add(time.Duration(c.rng.IntN(300)) * time.Millisecond)
	case step.Next.IsZero():
		return false
	default:
		c.now = step.Next
	}
	c.follow()
	return true
}

// admissible checks that a lane may be given a task now, and that only what was to be returned is asked for back.
func (c *trial) admissible(t migrate.Task) {
	c.t.Helper()
	r := c.lanes[t.Lane]
	if !r.may(t.Kind, t.Console) {
		c.t.Fatalf("%s: lane %d is given task %d %s, and it is %+v", c, t.Lane, t.Kind, t.Console, *r)
	}
	if !r.back || t.Console != migrate.ConsoleRollback {
		return
	}
	for _, d := range t.Devices {
		if !r.scope[d.ID] && !c.split(c.plan.Lanes[t.Lane].Families[d.Family]) {
			c.t.Fatalf("%s: lane %d asks for device %s back, which nobody has decided", c, t.Lane, d.ID)
		}
	}
}

func (c *trial) laneOf(id string) *reference {
	for i, l := range c.plan.Lanes {
		if l.Lane.ID == id {
			return c.lanes[i]
		}
	}
	return nil
}

// decide makes a decision of some kind, if any of that kind makes sense.
func (c *trial) decide() {
	kinds := []migrate.DecisionKind{migrate.Approve, migrate.Approve, migrate.Refuse, migrate.Pause, migrate.Resume, migrate.Resume, migrate.Abort, migrate.Rollback}
	kind := kinds[c.rng.IntN(len(kinds))]
	left := slices.DeleteFunc(slices.Clone(c.all), func(d migrate.Decision) bool { return d.Kind != kind || c.state.Check(d) != nil })
	if len(left) > 0 {
		c.enact(left[c.rng.IntN(len(left))])
	}
}

// enact records a decision, and tells the references of the lanes that follow it.
func (c *trial) enact(d migrate.Decision) {
	follows := make([]bool, len(c.lanes))
	for i, l := range c.plan.Lanes {
		own := d
		own.Lane = l.Lane.ID
		follows[i] = (d.Lane == "" || d.Lane == own.Lane) && c.state.Check(own) == nil
	}
	c.record(migrate.Entry{Kind: migrate.EntryDecision, Decision: &d})
	for i, r := range c.lanes {
		switch {
		case follows[i] && d.Kind == migrate.Resume && d.Lane == "" && !c.resumed(i):
		case follows[i]:
			r.follow(d, c.plan.Lanes[i])
		case d.Lane == "" && d.Kind == migrate.Rollback && r.halt == "" && !r.finished:
			r.follow(migrate.Decision{Kind: migrate.Abort}, c.plan.Lanes[i]) // it has moved nothing, and shall not
		}
	}
	c.known = len(c.entries)
	c.made[string(d.Kind)+" "+scopeOf(d)]++
}

// resumed reports whether a resume of everything reached a lane: those before it may have taken the last console tasks.
func (c *trial) resumed(lane int) bool {
	if has := c.tasksFor(lane); has != maybe {
		return has == yes
	}
	l := c.state.Report("c").Lanes[lane]
	return l.Halt == "" && !l.Paused
}

func scopeOf(d migrate.Decision) string {
	switch {
	case d.Lane == "":
		return "everything"
	case d.Wave > 0:
		return "wave"
	case d.Stage != "":
		return "stage"
	}
	return "lane"
}

func (c *trial) decisions() []migrate.Decision {
	var out []migrate.Decision
	add := func(kind migrate.DecisionKind, lane, stage string, wave int) {
		out = append(out, migrate.Decision{Kind: kind, Lane: lane, Stage: stage, Wave: wave, By: "model"})
	}
	for _, lane := range append(c.laneIDs(), "") {
		for _, kind := range []migrate.DecisionKind{migrate.Pause, migrate.Resume, migrate.Abort, migrate.Rollback} {
			add(kind, lane, "", 0)
		}
		if lane == "" {
			continue
		}
		for _, stage := range []string{"confirm", "sync"} {
			add(migrate.Approve, lane, stage, 0)
			add(migrate.Refuse, lane, stage, 0)
		}
		for _, stage := range []string{"gray", "rest", "sync"} {
			for wave := range 3 {
				add(migrate.Rollback, lane, stage, wave)
			}
		}
		add(migrate.Rollback, lane, "", 1)
	}
	return out
}

func (c *trial) laneIDs() []string {
	var out []string
	for _, l := range c.plan.Lanes {
		out = append(out, l.Lane.ID)
	}
	return out
}

// compare compares the state with the references.
func (c *trial) compare() {
	c.t.Helper()
	for i, l := range c.state.Report("c").Lanes {
		r := c.lanes[i]
		over := r.finished && !r.back
		if l.Halt != r.halt || l.Paused != r.paused || l.Gate != (r.gate != "") || l.Finished != over {
			c.t.Fatalf("%s: lane %d is halted %q, paused %v, at a gate %v, finished %v; the reference is %+v", c, i, l.Halt, l.Paused, l.Gate, l.Finished, *r)
		}
		c.placed(i)
	}
	for range 10 { // of the decisions: in the end, all of them in all situations
		d := c.all[c.rng.IntN(len(c.all))]
		want := c.opinion(d)
		if err := c.state.Check(d); want != maybe && (err == nil) != (want == yes) {
			c.t.Fatalf("%s: %+v: the state says %v, the reference %d", c, d, err, want)
		}
	}
}

func (c *trial) opinion(d migrate.Decision) opinion {
	result := no
	for i, l := range c.plan.Lanes {
		if d.Lane == "" || d.Lane == l.Lane.ID {
			own := c.lanes[i].allows(d, l, c.there)
			if own == yes && d.Kind == migrate.Resume {
				own = c.tasksFor(i)
			}
			result = max(result, own)
		}
	}
	return result
}

// tasksFor tells whether a lane that is resumed still has its console tasks, or can have them again.
func (c *trial) tasksFor(lane int) opinion {
	all := c.plan.Limits.MaxTasks
	most, least := all, all // that may be free
	for i, r := range c.lanes {
		n := len(c.plan.Lanes[i].Lane.Products)
		if holds := r.holds(c.there); i != lane && holds != no {
			if least -= n; holds == yes {
				most -= n
			}
		}
	}
	r, n := c.lanes[lane], len(c.plan.Lanes[lane].Lane.Products)
	fits := func(free int) bool { return n <= free || n > all && free == all }
	switch holds := r.holds(c.there); {
	case holds == yes, !r.started, r.finished, fits(least):
		return yes
	case holds == no && !fits(most):
		return no
	}
	return maybe
}

func (c *trial) there(id iot.DeviceID) bool { return c.at[id] == target }

// placed checks the families of a lane that has stopped in good order: each is at the source or at the target, and those that
// were to be returned are at the source.
func (c *trial) placed(i int) {
	c.t.Helper()
	l, r := c.state.Report("c").Lanes[i], c.lanes[i]
	switch r.halt {
	case migrate.HaltLimit, migrate.HaltAborted, migrate.HaltCall, migrate.HaltRefused, migrate.HaltReturned:
	default:
		return
	}
	for id := range r.returning {
		if r.halt == migrate.HaltReturned && c.there(id) {
			c.t.Fatalf("%s: lane %d is returned, and device %s is at the target", c, i, id)
		}
	}
	for _, f := range c.plan.Lanes[i].Families {
		if l.Underway == 0 && c.split(f) {
			c.t.Fatalf("%s: lane %d has halted (%s), and family %s is split", c, i, r.halt, f.ID())
		}
	}
}

func (c *trial) split(f topology.Family) bool {
	for _, id := range f.Devices {
		if c.at[id] != c.at[f.Devices[0]] {
			return true
		}
	}
	return false
}

func (c *trial) String() string { return fmt.Sprintf("sequence %d, entry %d", c.seed, len(c.entries)) }
