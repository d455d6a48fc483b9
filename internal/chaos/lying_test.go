package chaos

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

func isModel(id iot.DeviceID) bool { return id.ProductKey == migratetest.ThingModelProduct }

// A fraud is a campaign on a platform that lies about some of its devices, of which some do not work.
type fraud struct {
	fleet   migratetest.GenerateOptions
	tells   lie
	reality string                      // what is wrong with the victims: "stays" at the source, "lost" or "silent" once moved, "" for nothing
	unread  bool                        // the server does not read the target
	keeps   func(migrate.Verifier) bool // which verifiers are asked; nil for all
	canary  bool                        // a device of the caller's own, which is a victim too, says what it sees

	clock *migratetest.Clock
	cloud *migratetest.Cloud
	plan  *migrate.Plan
	liar  *liar
	end   *migrate.Report
	state map[iot.DeviceID]string // of devices that passed the last verifier of a stage: its name
}

// drawFraud draws lies of all kinds, alone and combined. About each device at least one of the three sources (registry,
// messages, commands) tells the truth: a lie that all of them share is TestPerfectLie's.
func drawFraud(seed uint64) *fraud {
	d := newDice(seed, 2)
	f := &fraud{fleet: d.fleet(), reality: []string{"stays", "stays", "lost", "lost", "silent", ""}[d.IntN(6)], unread: d.chance(0.3)}
	f.fleet.OfflineEvery = 0
	if seed%3 == 0 {
		f.tells = 1 << (seed / 3 % lies)
	} else {
		p := 0.2 + 0.6*d.Float64()
		for i := range lies {
			if d.chance(p) {
				f.tells |= 1 << i
			}
		}
	}
	if d.chance(0.5) { // two whole sources, and the third is honest
		f.tells |= []lie{registryLies | messageLies, registryLies | commandLies, messageLies | commandLies}[d.IntN(3)]
	}
	if f.tells.has(messageLies|commandLies) && f.reality == "silent" { // of whom the registry tells by itself that they are online
		f.reality = "lost"
	}
	if f.tells.has(messageLies|commandLies) && f.tells&registryLies != 0 {
		f.tells &^= []lie{registryLies, messageLies, commandLies}[d.IntN(3)]
	}
	if f.unread && f.tells.has(lieGroup) {
		f.tells &^= lieForged // of a server that does not read, messages are the only other source
	}
	return f
}

func (f *fraud) run(ctx context.Context) error {
	f.clock = migratetest.NewClock(start())
	var err error
	f.cloud, err = migratetest.Open(bytes.NewReader(migratetest.Generate(f.fleet)), migratetest.Options{Clock: f.clock, NoQuotas: true, Fault: f.fault})
	if err != nil {
		return err
	}
	f.cloud.Serve("")
	f.clock.Advance(time.Hour)
	survey, err := f.cloud.Survey(ctx)
	if err != nil {
		return err
	}
	f.choose()
	strategies := f.strategies()
	f.plan, err = migrate.Planner{
		Strategies: strategies, Limits: f.limits(),
		Deadlines: migrate.Deadlines{Arrive: 2 * time.Minute, Verify: 4 * time.Minute, Console: 10 * time.Minute, Return: 10 * time.Minute},
	}.Plan(survey)
	if err != nil {
		return err
	}
	runner, err := migrate.NewRunner(migrate.Config{
		Campaign: "fraud", Plan: f.plan, Strategies: strategies, Platform: f.liar.platform(f.cloud.Platform()), Journal: journal.NewMemory(),
		Operator: f.cloud.Operator(), Clock: f.clock, Workers: 1, Watch: f.watch,
		Approver: migrate.ApproverFunc(func(context.Context, migrate.Gate) (migrate.Decision, error) {
			return migrate.Decision{Kind: migrate.Approve, By: "chaos"}, nil
		}),
	})
	if err != nil {
		return err
	}
	f.end, err = runner.Run(ctx)
	f.clock.Advance(3 * time.Minute) // what reports has reported by then
	return err
}

// limits let a campaign go on whatever fails, so that all lies are heard. What a canary says stops it.
func (f *fraud) limits() migrate.Limits {
	if f.canary {
		return migrate.Limits{}
	}
	return migrate.Limits{MaxFailedDevices: 1000, MaxFailedShare: 1}
}

// choose draws the victims: about a third of the devices.
func (f *fraud) choose() {
	f.state = map[iot.DeviceID]string{}
	f.liar = &liar{
		tells: f.tells, victims: map[iot.DeviceID]bool{}, target: f.cloud.Platform().Target.Info.ID, now: f.clock.Now,
		all: slices.Collect(f.cloud.Devices()),
		due: map[iot.DeviceID]bool{},
	}
	for i, id := range f.liar.all {
		f.liar.victims[id] = f.canary || unit(uint64(f.tells), fmt.Sprint(id, i)) < 0.35
	}
}

// fault is what is really wrong with the victims.
func (f *fraud) fault(op migratetest.Op) migratetest.Fault {
	if f.liar == nil {
		return migratetest.Fault{}
	}
	victim := func(name string) bool {
		return f.liar.victims[iot.DeviceID{ProductKey: op.ProductKey, DeviceName: name}]
	}
	moves := op.Name == "BatchGrayMigrationDevice" || op.Name == "Gray"
	switch {
	case moves:
		f.liar.moves(op.ProductKey, op.Devices)
		if f.reality == "stays" {
			return migratetest.Fault{Lie: victim}
		}
	case op.Name == "Connect" && op.Instance == f.liar.target && victim(op.Devices[0]):
		switch f.reality {
		case "lost":
			return migratetest.Fault{Refuse: iot.Denied}
		case "silent":
			return migratetest.Fault{Lie: migratetest.Always}
		}
	case op.Name == "Pub" && f.tells.has(liePub):
		return migratetest.Fault{Lie: migratetest.Always}
	}
	return migratetest.Fault{}
}

func (f *fraud) strategies() []migrate.Strategy {
	sink := lyingSink{f.cloud.Sink(), sourceSink(), f.liar}
	o := scenario.Options{
		Sink: sink, Replies: sink, Services: verify.ServicesWithoutInput, FirstGray: 4,
		Synchronising: verify.Assumed("not-seen", "windows have tests of their own"),
		Synchronised:  verify.Assumed("not-compared", "windows have tests of their own"),
		UpdateSubscriber: func(context.Context, *migrate.Env) error {
			if !f.unread {
				f.cloud.Serve(f.liar.target)
			}
			return nil
		},
		Wrap: func(v migrate.Verifier) migrate.Verifier {
			if name := v.Name(); len(name) >= 7 && name[:7] == "history" || f.keeps != nil && !f.keeps(v) {
				return nil
			}
			return v
		},
	}
	if f.canary {
		for _, id := range f.liar.all {
			if id.DeviceName[len(id.DeviceName)-4:] == "0000" { // one of each product
				o.Canaries = append(o.Canaries, canary{id, f.cloud, f.liar.target})
			}
		}
	}
	return scenario.All(o)
}

// sourceSink has what the source's rules forwarded before the moves: a report of each device.
func sourceSink() verify.Sink {
	return verify.SinkFunc(func(_ context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
		return func(yield func(iot.Message, error) bool) {
			for i, id := range ids {
				m := iot.Message{ID: fmt.Sprint("old-", i), Topic: reportTopic(id), Generated: start(), Payload: []byte(`{}`)}
				if !yield(m, nil) {
					return
				}
			}
		}
	})
}

// watch keeps which devices have passed all verifiers of a stage.
func (f *fraud) watch(e migrate.Entry, _ *migrate.State) {
	for _, l := range f.plan.Lanes {
		for _, s := range l.Stages {
			if l.Lane.ID == e.Lane && s.Name == e.Stage && len(s.Verifiers) > 0 && s.Name != "check" && e.Verifier == s.Verifiers[len(s.Verifiers)-1] {
				for _, id := range e.Passed {
					f.state[id] = s.Name
				}
			}
		}
	}
	for _, list := range [][]migrate.Failure{e.Failed, e.Refused} {
		for _, x := range list {
			delete(f.state, x.Device)
		}
	}
	if e.Kind == migrate.EntryReturned {
		for _, id := range e.Arrived {
			delete(f.state, id)
		}
	}
}

// judge counts the devices that are proven, and tells of those that should not be.
func (f *fraud) judge() (greens int, falsely []string) {
	truth := map[iot.DeviceID]migratetest.Truth{}
	for _, t := range f.cloud.Truths() {
		truth[t.Device] = t
	}
	c := newChecker(f.plan, f.cloud.Truths, f.clock.Now, f.cloud.Sink())
	c.truth = truth
	failed := map[iot.DeviceID]bool{}
	proven := 0
	for _, l := range f.end.Lanes {
		proven += l.Proven
		for _, x := range l.Failures {
			failed[x.Device] = true
		}
	}
	for _, id := range c.ids() {
		if f.state[id] == "" || failed[id] {
			continue
		}
		greens++
		for _, v := range []string{migrate.OnlineVerifier, "reporting", "topology"} {
			if why := c.untrue(v, id); why != "" {
				falsely = append(falsely, fmt.Sprintf("device %s is proven, but %s", id, why))
				break
			}
		}
		if !truth[id].Online {
			falsely = append(falsely, fmt.Sprintf("device %s is proven, but nobody is behind its connection", id))
		}
	}
	if greens < proven {
		falsely = append(falsely, fmt.Sprintf("the report counts %d devices as proven; %d have passed their verifiers", proven, greens))
	}
	if f.end.Outcome == migrate.OutcomeProven {
		for _, id := range c.ids() {
			if truth[id].Owner != f.liar.target {
				falsely = append(falsely, fmt.Sprintf("the campaign ends proven, and device %s is at the source", id))
			}
		}
	}
	return greens, falsely
}

// TestLyingPlatform counts devices that are proven and should not be, on platforms that lie in all ways, alone and combined.
func TestLyingPlatform(t *testing.T) {
	var campaigns, devices, victims, greens, falsely atomic.Int64
	each(t, *liars, func(seed uint64) error {
		f := drawFraud(seed)
		if err := f.run(t.Context()); err != nil {
			return err
		}
		n, wrong := f.judge()
		campaigns.Add(1)
		devices.Add(int64(len(f.liar.all)))
		greens.Add(int64(n))
		falsely.Add(int64(len(wrong)))
		for _, v := range f.liar.victims {
			if v {
				victims.Add(1)
			}
		}
		if len(wrong) > 0 {
			return fmt.Errorf("lies: %s; the victims: %q, unread: %v, fleet %+v: %s", f.tells, f.reality, f.unread, f.fleet, wrong[0])
		}
		return nil
	})
	t.Logf("%d campaigns, %d devices, lies about %d of them: %d proven, %d of them falsely",
		campaigns.Load(), devices.Load(), victims.Load(), greens.Load(), falsely.Load())
}
