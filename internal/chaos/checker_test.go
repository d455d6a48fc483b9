package chaos

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/verify"
)

// A checker judges a campaign after every entry of its journal and every call of its platform. It knows the truth, and
// what became durable, and believes nothing else.
type checker struct {
	plan   *migrate.Plan
	truths func() []migratetest.Truth
	now    func() time.Time                            // by the platform's clock
	sink   verify.Sink                                 // what the target really forwarded
	bound  time.Duration                               // how long a family may be split: see splitBound
	lies   func(verifier string, id iot.DeviceID) bool // a pass that no verifier could know to be false; nil for none

	fresh func() *migrate.State

	mu       sync.Mutex
	shadow   *migrate.State // folds what became durable
	lanes    map[string]*laneFacts
	devices  map[iot.DeviceID]*facts
	truth    map[iot.DeviceID]migratetest.Truth
	looked   time.Time
	moved    map[iot.DeviceID]time.Time // a time when it was still elsewhere
	split    map[iot.DeviceID]time.Time // since when a family is split, by its gateway
	excused  map[iot.DeviceID]bool      // families that a person split
	longest  time.Duration              // that a family was split
	steps    int
	breaches []string

	answering sync.Mutex // apart, as a device may answer while somebody looks
	answered  map[iot.DeviceID]time.Time
	shown     map[string]map[iot.DeviceID]bool // by the last answer of each instance
}

func newChecker(p *migrate.Plan, truths func() []migratetest.Truth, now func() time.Time, sink verify.Sink) *checker {
	c := &checker{
		plan: p, truths: truths, now: now, sink: sink, bound: splitBound(p), shadow: migrate.NewState(p), fresh: func() *migrate.State { return migrate.NewState(p) },
		lanes: map[string]*laneFacts{}, devices: map[iot.DeviceID]*facts{},
		truth: map[iot.DeviceID]migratetest.Truth{}, moved: map[iot.DeviceID]time.Time{}, answered: map[iot.DeviceID]time.Time{},
		shown: map[string]map[iot.DeviceID]bool{"": {}, p.Target.ID: {}},
		split: map[iot.DeviceID]time.Time{}, excused: map[iot.DeviceID]bool{},
	}
	for i := range p.Lanes {
		l := &laneFacts{plan: &p.Lanes[i]}
		c.lanes[l.plan.Lane.ID] = l
		for n, f := range l.plan.Families {
			for _, id := range f.Devices {
				c.devices[id] = &facts{lane: l, family: n, free: true, gateway: f.Gateway}
				if id == f.Gateway {
					c.devices[id].gateway = iot.DeviceID{}
				}
			}
		}
	}
	return c
}

// splitBound is how long a family may be split while its lane runs and nobody has to decide: three calls of each of its
// devices, each with the ten minutes that retries last at most and the looks after it, a console wave, and the console task
// that makes it whole again.
func splitBound(p *migrate.Plan) time.Duration {
	const (
		calls   = 3
		retries = 12 * time.Minute
	)
	d := p.Deadlines
	return calls*(retries+d.Arrive+d.Visible) + d.Console + d.Return
}

// breach keeps what must never be. The lock is held.
func (c *checker) breach(kind, format string, args ...any) {
	if len(c.breaches) < 20 {
		c.breaches = append(c.breaches, kind+": "+fmt.Sprintf(format, args...))
	}
}

// look reads the truth, and checks what must be so at every moment.
func (c *checker) look() {
	now, list := c.now(), c.truths() // without the lock: devices may come online by it, and ask the weather
	c.mu.Lock()
	defer c.mu.Unlock()
	c.steps++
	for _, t := range list {
		before, known := c.truth[t.Device]
		if !known || before.Owner != t.Owner {
			c.moved[t.Device] = c.looked
		}
		c.truth[t.Device] = t
		if c.devices[t.Device] != nil {
			c.owned(t)
		}
	}
	c.looked = now
	c.families(now)
}

// endless reports whether a campaign does not come to its end, and makes it a breach: small ones take a few thousand steps.
func (c *checker) endless() bool {
	const most = 60_000
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.steps < most {
		return false
	}
	c.breach("liveness", "the campaign is not over after %d steps", c.steps)
	return true
}

// owned checks that exactly one instance owns a device, and that each return was asked for.
func (c *checker) owned(t migratetest.Truth) {
	f := c.devices[t.Device]
	switch {
	case t.Owner != "" && t.Owner != c.plan.Target.ID:
		c.breach("owner", "device %s is at %q, which is neither the source nor the target", t.Device, t.Owner)
	case t.Owner == "" && t.Moved != t.Returned, t.Owner != "" && t.Moved != t.Returned+1:
		c.breach("owner", "device %s is at %q, moved %d times and returned %d times", t.Device, t.Owner, t.Moved, t.Returned)
	case t.Returned > f.returns:
		c.breach("moved", "device %s was returned %d times; the journal has %d tasks for that", t.Device, t.Returned, f.returns)
	case t.Moved > 1+t.Returned:
		c.breach("moved", "device %s was moved %d times and returned %d times", t.Device, t.Moved, t.Returned)
	}
}

// families checks that no family is split for longer than its bound.
func (c *checker) families(now time.Time) {
	for _, l := range c.lanes {
		for _, f := range l.plan.Families {
			if f.Gateway.IsZero() {
				continue
			}
			whole := true
			for _, id := range f.Devices {
				whole = whole && c.truth[id].Owner == c.truth[f.Gateway].Owner
			}
			since, was := c.split[f.Gateway]
			switch {
			case whole:
				delete(c.split, f.Gateway)
				delete(c.excused, f.Gateway)
			case !was || c.excused[f.Gateway] || l.report.Halt != "" || l.report.Paused: // a person knows
				c.split[f.Gateway] = now
			default:
				c.longest = max(c.longest, now.Sub(since))
				if now.Sub(since) > c.bound {
					c.breach("split", "the family of gateway %s is split for %v, more than %v", f.Gateway, now.Sub(since), c.bound)
				}
			}
		}
	}
}

// excuse leaves the family of a device out of the check until it is whole again: a person split it.
func (c *checker) excuse(id iot.DeviceID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.devices[id]
	if f == nil {
		return
	}
	if gateway := f.lane.plan.Families[f.family].Gateway; !gateway.IsZero() {
		c.excused[gateway] = true
	}
}

// durable takes in entries that a journal has acknowledged.
func (c *checker) durable(entries []migrate.Entry) {
	c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range entries {
		if err := c.shadow.Apply(e); err != nil {
			c.breach("fold", "what is durable cannot be folded: %v", err)
			return
		}
		c.apply(e)
		c.report()
	}
}

// report takes in how lanes stand by what is durable.
func (c *checker) report() {
	for _, l := range c.shadow.Report("").Lanes {
		c.lanes[l.Lane].report = l
		for _, f := range l.Failures {
			c.devices[f.Device].failed = true
		}
	}
}

// same checks that a runner has come to the state to which the journal leads.
func (c *checker) same(state *migrate.State, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if state.Seq() != c.shadow.Seq() {
		return // the journal is ahead: others have appended
	}
	if !reflect.DeepEqual(state.Report(""), c.shadow.Report("")) {
		c.breach("fold", "after entry %d the runner's report is not that of its journal", state.Seq())
	}
	if got, want := state.Decide(at, nil, false), c.shadow.Decide(at, nil, false); !reflect.DeepEqual(got, want) {
		c.breach("fold", "after entry %d the runner decides %+v, its journal leads to %+v", state.Seq(), got, want)
	}
}

// anew folds a journal from its beginning.
func (c *checker) anew(ctx context.Context, j migrate.Journal, campaign string) {
	state := c.fresh()
	for e, err := range j.Entries(ctx, campaign, 0) {
		if err == nil {
			err = state.Apply(e)
		}
		if err != nil {
			c.mu.Lock()
			c.breach("fold", "the journal cannot be folded anew: %v", err)
			c.mu.Unlock()
			return
		}
	}
	c.same(state, c.now())
}

// answers keeps that a device has really answered.
func (c *checker) answers(id iot.DeviceID) {
	now := c.now()
	c.answering.Lock()
	defer c.answering.Unlock()
	c.answered[id] = now
}

// op checks a call before the platform does it.
func (c *checker) op(op migratetest.Op) {
	c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch op.Name {
	case "BatchGrayMigrationDevice":
		if why := c.callAnnounced(op.ProductKey, op.Devices); why != "" {
			c.breach("intent", "%s", why)
		}
	case "CreateConsumerGroup", "CreateSubscribeRelation", "UpdateSubscribeRelation", "RegisterDevice":
		doing := false
		for _, l := range c.lanes {
			doing = doing || l.doing
		}
		if !doing {
			c.breach("intent", "%s is called while no own code of a stage is announced", op.Name)
		}
	case "Pub", "RRpc", "InvokeThingService", "SetDeviceProperty":
		for _, name := range op.Devices {
			id := iot.DeviceID{ProductKey: op.ProductKey, DeviceName: name}
			if f := c.devices[id]; f != nil && !f.arrived {
				c.breach("intent", "%s is sent to device %s, which has not arrived", op.Name, id)
			}
		}
	}
}

// task checks a console task before the operator begins it.
func (c *checker) task(t migrate.ConsoleTask) {
	c.look()
	c.mu.Lock()
	defer c.mu.Unlock()
	if why := c.taskAnnounced(t); why != "" {
		c.breach("intent", "%s", why)
	}
}
