package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// facts are what the journal has said of one device: kept apart from the engine's own state, to judge it.
type facts struct {
	lane    *laneFacts
	family  int // index in the lane's plan
	gateway iot.DeviceID
	sent    time.Time // when the newest call with it was announced, by the runner's clock; zero if it never was
	calls   int       // it was in, and that may have moved it
	free    bool      // it may be in a call: it never was, or the last one certainly left it at the source
	arrived bool
	back    bool // it was returned, and so is not to move again
	failed  bool // once
	returns int  // how often the operator was asked to return it
}

// laneFacts are what the journal has said of one lane.
type laneFacts struct {
	plan     *migrate.LanePlan
	calls    []announced    // the salvo under way, in order
	asked    *migrate.Entry // the same of a console task
	doing    bool           // the stage's own code is under way
	forgiven int            // failed devices that a person accepted
	report   migrate.LaneReport
}

// An announced call is one that the journal has the intent of, and no outcome yet.
type announced struct {
	migrate.Entry
	called bool
}

// over reports whether more devices failed than the limits allow.
func (l *laneFacts) over(limits migrate.Limits) bool {
	failed := l.report.Failed - l.forgiven
	decided := l.report.Failed + l.report.Proven + l.report.Asleep
	switch {
	case failed <= 0:
		return false
	case failed > limits.MaxFailedDevices:
		return true
	}
	return decided >= limits.MinSample && float64(failed) > limits.MaxFailedShare*float64(decided)
}

// wave returns the devices of a wave of the plan.
func (l *laneFacts) wave(stage string, wave int) []iot.DeviceID {
	var out []iot.DeviceID
	for _, s := range l.plan.Stages {
		if s.Name != stage || wave < 1 || wave > len(s.Waves) {
			continue
		}
		w := s.Waves[wave-1]
		for _, f := range l.plan.Families[w.First : w.First+w.Count] {
			out = append(out, f.Devices...)
		}
	}
	return out
}

// apply folds one entry into the facts, and checks what has to be so before it.
func (c *checker) apply(e migrate.Entry) {
	l := c.lanes[e.Lane]
	switch e.Kind {
	case migrate.EntryRunner:
		for _, l := range c.lanes {
			l.calls, l.asked, l.doing = nil, nil, false
		}
	case migrate.EntryIntent:
		c.intent(l, e)
	case migrate.EntryOutcome:
		c.outcome(l, e)
	case migrate.EntryAsked:
		l.asked = &e
		if e.Console == migrate.ConsoleRollback {
			c.each(e.Names, func(f *facts) { f.returns++ })
		}
	case migrate.EntryPerformed:
		l.asked = nil
	case migrate.EntryDoing, migrate.EntryUndoing:
		l.doing = true
	case migrate.EntryDone, migrate.EntryUndone:
		l.doing = false
	case migrate.EntryWave:
		c.seenOnly(e.Arrived, c.plan.Target.ID, "")
		c.each(e.Arrived, func(f *facts) { f.arrived = true })
	case migrate.EntryLook:
		c.seenOnly(e.Arrived, c.plan.Target.ID, "")
		c.seenOnly(e.Unmoved, "", c.plan.Target.ID)
		c.each(e.Arrived, func(f *facts) { f.arrived, f.free = true, false })
		c.each(e.Unmoved, func(f *facts) {
			f.free = f.free || !e.At.Before(f.sent.Add(c.plan.Deadlines.Visible))
		})
	case migrate.EntryReturned:
		c.seenOnly(e.Arrived, "", c.plan.Target.ID)
		c.each(e.Arrived, func(f *facts) { f.arrived, f.back = false, true })
	case migrate.EntryVerdicts:
		c.verdicts(e)
	case migrate.EntryExpired:
		c.fail(e.Failed)
	case migrate.EntryDecision:
		c.decision(*e.Decision)
	}
}

func (c *checker) each(set migrate.DeviceSet, f func(*facts)) {
	for _, id := range set {
		if d := c.devices[id]; d != nil {
			f(d)
		}
	}
}

func (c *checker) fail(list []migrate.Failure) {
	for _, f := range list {
		c.each(migrate.DeviceSet{f.Device}, func(d *facts) { d.failed = true })
	}
}

// intent checks that a call may be made.
func (c *checker) intent(l *laneFacts, e migrate.Entry) {
	over := l.over(c.plan.Limits)
	begun := map[int]bool{}
	for _, f := range c.devices {
		if f.lane == l && (!f.sent.IsZero() || f.arrived) {
			begun[f.family] = true
		}
	}
	for _, id := range e.Names {
		f := c.devices[id]
		switch {
		case f == nil || f.lane != l || id.ProductKey != e.Product:
			c.breach("intent", "device %s of the call is not in lane %s, product %s", id, e.Lane, e.Product)
			continue
		case f.back:
			c.breach("resent", "device %s is to be moved after it was returned", id)
		case !f.free:
			c.breach("resent", "device %s is to be sent again, and no look has shown it at the source %v after its last call", id, c.plan.Deadlines.Visible)
		case over && !begun[f.family]:
			c.breach("limit", "device %s is to be moved although %d devices of its lane failed", id, l.report.Failed)
		}
		f.sent, f.free = e.At, false
		f.calls++
	}
	l.calls = append(l.calls, announced{Entry: e})
}

// verdicts checks that what passed is true.
func (c *checker) verdicts(e migrate.Entry) {
	c.fail(e.Failed)
	for _, id := range e.Passed {
		f := c.devices[id]
		switch {
		case f == nil:
			c.breach("evidence", "device %s passed %s, and is not in the plan", id, e.Verifier)
		case f.failed:
			c.breach("sticky", "device %s passed %s after it had failed", id, e.Verifier)
		default:
			if why := c.untrue(e.Verifier, id); why != "" {
				c.falsePass(e.Verifier, id, why)
			}
		}
	}
}

// decision keeps what a resume accepts.
func (c *checker) decision(d migrate.Decision) {
	for id, l := range c.lanes {
		if d.Kind == migrate.Resume && (d.Lane == "" || d.Lane == id) && l.report.Halt == migrate.HaltLimit {
			l.forgiven = l.report.Failed
		}
	}
}

// notCalled takes back that a call was announced: it certainly moved nothing.
func (f *facts) notCalled() {
	f.free = true
	f.calls--
}

// outcome ends a call. One that is known to have moved nothing ends its salvo, too.
func (c *checker) outcome(l *laneFacts, e migrate.Entry) {
	for len(l.calls) > 0 && l.calls[0].Call <= e.Call {
		if e.Error != "" {
			c.each(l.calls[0].Names, (*facts).notCalled)
		}
		l.calls = l.calls[1:]
	}
	if e.Error == "" {
		return
	}
	for _, call := range l.calls {
		if call.called {
			c.breach("intent", "call %d was made after one that ends its salvo", call.Call)
		}
		c.each(call.Names, (*facts).notCalled)
	}
	l.calls = nil
}

// callAnnounced says what is wrong with a call of the mover; empty if it is the next of those that the journal has announced.
func (c *checker) callAnnounced(product string, names []string) string {
	for _, l := range c.lanes {
		i := slices.IndexFunc(l.calls, func(a announced) bool { return !a.called })
		if i < 0 || l.calls[i].Product != product {
			continue
		}
		var want []string
		for _, id := range l.calls[i].Names {
			want = append(want, id.DeviceName)
		}
		if !slices.Equal(want, names) {
			return fmt.Sprintf("a call moves %v; the journal has announced %v", names, want)
		}
		l.calls[i].called = true
		return ""
	}
	return fmt.Sprintf("a call moves %v of %s, which no entry of the journal has announced, or which was made already", names, product)
}

// taskAnnounced is callAnnounced for the operator.
func (c *checker) taskAnnounced(t migrate.ConsoleTask) string {
	l := c.lanes[t.Lane]
	if l == nil || l.asked == nil || l.asked.Console != t.Kind {
		return fmt.Sprintf("the operator is asked for %s of lane %s, which no entry of the journal has announced", t.Kind, t.Lane)
	}
	allowed := []iot.DeviceID(l.asked.Names)
	if t.Kind != migrate.ConsoleRollback {
		allowed = l.wave(t.Stage, t.Wave)
	}
	for _, p := range t.Products {
		for _, name := range p.DeviceNames {
			if id := (iot.DeviceID{ProductKey: p.ProductKey, DeviceName: name}); !slices.Contains(allowed, id) {
				return fmt.Sprintf("the operator is asked for %s of device %s, which no entry of the journal has announced", t.Kind, id)
			}
		}
	}
	return ""
}
