package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

const campaign = "chaos"

// A world is one platform with one campaign. Its processes come and go; journal and platform stay.
type world struct {
	seed    uint64
	dice    dice
	fleet   migratetest.GenerateOptions
	options scenario.Options
	history bool // the history of devices is verified: it costs most of a campaign

	clock    *wall
	cloud    *migratetest.Cloud
	plan     *migrate.Plan
	journal  *journal.Memory
	checker  *checker
	weather  *weather
	operator *careless
	keys     map[iot.DeviceID]iot.Credential
	fate     *fate
	gaveUp   map[string]bool       // lanes that a person has given up, as their report says
	silent   map[iot.DeviceID]bool // they are shown online with nobody behind, or their gateway is

	bad defect

	mu      sync.Mutex
	stories []string
}

// start is when every world begins.
func start() time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) }

// A defect is something that a bad runner, journal or platform does, to see that the checker notices it. All parts may be nil.
type defect struct {
	platform func(*world, iot.Platform) iot.Platform
	journal  func(migrate.Journal) migrate.Journal
	verifier func(migrate.Verifier) migrate.Verifier
	judged   func(migrate.Plan) migrate.Plan // the plan by which the checker judges
	truths   func([]migratetest.Truth) []migratetest.Truth
}

func newWorld(ctx context.Context, seed uint64) (*world, error) {
	return newBadWorld(ctx, seed, defect{})
}

func newBadWorld(ctx context.Context, seed uint64, bad defect) (*world, error) {
	w := &world{bad: bad, seed: seed, dice: newDice(seed, 1), journal: journal.NewMemory(), keys: map[iot.DeviceID]iot.Credential{}, gaveUp: map[string]bool{}, silent: map[iot.DeviceID]bool{}}
	w.fleet, w.options, w.history = w.dice.fleet(), w.dice.options(), w.dice.chance(0.1)
	w.history = w.history && w.fleet.OfflineEvery == 0 // a sample of devices that report nothing proves nothing
	w.clock = &wall{platform: newBubbleClock(start())}
	w.weather = newWeather(seed, w.dice.rates(), w.clock.platform.Now)
	w.fate = newFate(w)
	var err error
	w.cloud, err = migratetest.Open(bytes.NewReader(migratetest.Generate(w.fleet)), migratetest.Options{
		Clock: w.clock.platform, NoQuotas: true, TicketGranted: w.options.TicketGranted, Fault: w.op,
	})
	if err != nil {
		return nil, err
	}
	w.clock.platform.due = func() { w.cloud.Owner(iot.DeviceID{}) }
	w.cloud.Serve("") // the servers read where they always did
	if err := w.makePlan(ctx); err != nil {
		return nil, err
	}
	w.checker = w.newChecker()
	w.operator = &careless{Operator: w.cloud.Operator(), world: w, rate: w.dice.rate(0.3)}
	for id := range w.cloud.Devices() {
		if w.keys[id], err = w.cloud.Credential(ctx, id); err != nil {
			return nil, err
		}
	}
	w.doom()
	w.checker.lies = func(verifier string, id iot.DeviceID) bool {
		return verifier == migrate.OnlineVerifier && w.silent[id]
	}
	return w, nil
}

func (w *world) newChecker() *checker {
	plan, truths := w.plan, w.cloud.Truths
	if w.bad.judged != nil {
		p := w.bad.judged(*plan)
		plan = &p
	}
	if w.bad.truths != nil {
		truths = func() []migratetest.Truth { return w.bad.truths(w.cloud.Truths()) }
	}
	c := newChecker(plan, truths, w.clock.platform.Now, w.cloud.Sink())
	c.fresh = func() *migrate.State { return migrate.NewState(w.plan) }
	c.shadow = c.fresh()
	return c
}

func (w *world) makePlan(ctx context.Context) error {
	survey, err := w.cloud.Survey(ctx)
	if err != nil {
		return err
	}
	limits := []migrate.Limits{{}, {MaxFailedDevices: 2, MaxFailedShare: 0.2, MinSample: 5}, {MaxFailedDevices: 100, MaxFailedShare: 1}}
	w.plan, err = migrate.Planner{
		Strategies: w.strategies(), Limits: limits[w.dice.IntN(len(limits))],
		Deadlines: migrate.Deadlines{Console: 2 * time.Hour, Return: 2 * time.Hour, Gate: 24 * time.Hour},
	}.Plan(survey)
	return err
}

// doom chooses the devices that will not come back, or only seem to.
func (w *world) doom() {
	if !w.dice.chance(0.3) {
		return
	}
	for id := range w.checker.devicesInOrder() {
		if w.dice.chance(0.08) {
			kind := []string{"lost", "silent"}[w.dice.IntN(2)]
			w.weather.gone[id] = kind
			w.hitFamily(id, "its firmware did not come back: "+kind)
			f := w.checker.devices[id]
			for _, member := range f.lane.plan.Families[f.family].Devices {
				w.silent[member] = w.silent[member] || kind == "silent"
			}
		}
	}
}

// hitFamily excuses a device and those that move with it.
func (w *world) hitFamily(id iot.DeviceID, why string) {
	if f := w.checker.devices[id]; f != nil {
		w.weather.hits(why, f.lane.plan.Families[f.family].Devices...)
	}
}

// hitLane excuses all devices of a product's lane.
func (w *world) hitLane(product, why string) {
	for id, f := range w.checker.devices {
		for _, p := range f.lane.plan.Lane.Products {
			if p.Key == product {
				w.weather.hits(why, id)
			}
		}
	}
}

// op sees each operation of the platform before it happens.
func (w *world) op(op migratetest.Op) migratetest.Fault {
	if w.checker == nil {
		return migratetest.Fault{} // the survey was undisturbed
	}
	if op.Kind == "device" {
		f := w.weather.device(op, w.plan.Target.ID)
		if op.Name == "Answer" && f.Refuse == nil {
			w.checker.answers(iot.DeviceID{ProductKey: op.ProductKey, DeviceName: op.Devices[0]})
		}
		return f
	}
	if op.Name == "QueryDeviceDetail" {
		return migratetest.Fault{} // the owner looks a credential up
	}
	if f, dead := w.fate.op(op); dead {
		return f
	}
	w.checker.op(op)
	if op.Kind == "console" {
		return migratetest.Fault{}
	}
	f := w.weather.op(op)
	if w.fate.after(op) {
		f = migratetest.Fault{Lost: true}
	}
	return f
}

// strategies are made anew by each process, with an inbox that remembers nothing.
func (w *world) strategies() []migrate.Strategy {
	o := w.options
	o.Group = "campaign"
	if w.cloud != nil {
		target := w.cloud.Platform().Target
		box, err := verify.NewInbox(verify.InboxConfig{
			Receiver: stormyReceiver{w.cloud.TargetReceiver(), w.weather}, Group: verify.GroupNamed(target, o.Group),
		})
		if err != nil {
			return nil
		}
		o.Sink = verify.Sinks(stormySink{w.cloud.Sink(), w.weather}, tolerant{box})
		o.Replies = o.Sink
	}
	o.Services = verify.ServicesWithoutInput
	o.UpdateSubscriber = func(context.Context, *migrate.Env) error {
		w.cloud.Serve(w.plan.Target.ID)
		return nil
	}
	o.NewDevice = func(ctx context.Context, _ *migrate.Env, cred iot.Credential) error {
		cred, err := w.cloud.Credential(ctx, cred.ID)
		if err != nil {
			return err
		}
		return w.cloud.PowerOn(cred)
	}
	o.Wrap = func(v migrate.Verifier) migrate.Verifier {
		if name := v.Name(); !w.history && (name == "synchronised" || strings.HasPrefix(name, "history")) {
			return nil
		}
		if w.bad.verifier != nil {
			return w.bad.verifier(v)
		}
		return v
	}
	return scenario.All(o)
}

// platform is the platform as a process reaches it.
func (w *world) platform() iot.Platform {
	p := w.cloud.Platform()
	p.Mover = stormyMover{p.Mover, w}
	p.Source.Commander, p.Target.Commander = witness{p.Source.Commander, w.checker}, witness{p.Target.Commander, w.checker}
	for _, i := range []*iot.Instance{&p.Source, &p.Target} {
		i.StateReader = staleReader{i.StateReader, w.weather, w.checker, i.Info.ID, &sync.Mutex{}, map[string]staleAnswer{}}
	}
	if w.bad.platform != nil {
		p = w.bad.platform(w, p)
	}
	return p
}

// runner is what a new process makes first.
func (w *world) runner(j migrate.Journal) (*migrate.Runner, error) {
	return migrate.NewRunner(migrate.Config{
		Campaign: campaign, Plan: w.plan, Strategies: w.strategies(), Platform: w.platform(), Journal: j, Operator: w.operator,
		Clock: w.clock, Workers: 1, Poll: time.Hour, Approver: migrate.ApproverFunc(w.approve),
		Watch: func(e migrate.Entry, s *migrate.State) {
			if e.Seq == s.Seq() {
				w.checker.same(s, w.clock.Now())
			}
		},
	})
}

// approve is a person who is asked at gates.
func (w *world) approve(_ context.Context, g migrate.Gate) (migrate.Decision, error) {
	d := migrate.Decision{Kind: migrate.Approve, By: "chaos"}
	if !w.weather.bad() {
		return d, nil
	}
	switch u := w.weather.roll("gate", g.Lane, g.Stage)("answer"); {
	case u < 0.05:
		return migrate.Decision{}, errors.New("nobody is there")
	case u < 0.08:
		d.Kind = migrate.Refuse
	}
	return d, nil
}

// story keeps what happened, for people.
func (w *world) story(format string, args ...any) {
	line := w.clock.platform.Now().Format(time.RFC3339) + " " + fmt.Sprintf(format, args...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stories = append(w.stories, line)
}
