package migratetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A world is one platform with one campaign: its processes come and go, journal and platform stay.
type world struct {
	bench    *bench
	clock    *Clock
	cloud    *Cloud
	journal  *worldJournal
	operator *worldOperator
	crash    *crash
	record   *record
	fault    func(Op) Fault // what else goes wrong; may be nil
	plan     *migrate.Plan
}

const (
	worldCampaign = "strategy-test"
	downtime      = time.Minute // between a crash and the next process
)

// worldStart is when every world begins.
func worldStart() time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC) }

// newWorld opens a platform on which nothing has happened. It has no plan yet.
func newWorld(b *bench) (*world, error) {
	w := &world{bench: b, clock: NewClock(worldStart()), crash: &crash{}, record: &record{}}
	w.journal = &worldJournal{store: b.newStore(), crash: w.crash, record: w.record, rng: rand.New(rand.NewPCG(b.seed, 1))}
	o := b.options
	o.Clock = w.clock
	o.Fault = func(op Op) Fault {
		w.record.op(op)
		f := w.crash.op(op)
		if w.fault != nil && f.Refuse == nil && !f.Lost {
			f = w.fault(op)
		}
		return f
	}
	var err error
	if w.cloud, err = Open(bytes.NewReader(b.fleet), o); err != nil {
		return nil, err
	}
	w.operator = &worldOperator{Operator: b.newOperator(w.cloud), crash: w.crash}
	return w, nil
}

// planned is newWorld with a plan.
func planned(ctx context.Context, b *bench) (*world, error) {
	w, err := newWorld(b)
	if err != nil {
		return nil, err
	}
	w.plan, err = w.makePlan(ctx, b.make(w.cloud))
	return w, err
}

// makePlan plans the lanes that the strategy fits.
func (w *world) makePlan(ctx context.Context, s migrate.Strategy) (*migrate.Plan, error) {
	survey, err := w.cloud.Survey(ctx)
	if err != nil {
		return nil, err
	}
	if err := keepFitting(survey, s); err != nil {
		return nil, err
	}
	return migrate.Planner{Strategies: []migrate.Strategy{s}}.Plan(survey)
}

// keepFitting takes all products out of a survey that are in no lane for the strategy.
func keepFitting(survey *migrate.Survey, s migrate.Strategy) error {
	lanes, err := lanesOf(survey)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, l := range lanes {
		if s.Match(l).Fits {
			for _, p := range l.Products {
				keep[p.Key] = true
			}
		}
	}
	survey.Products = slices.DeleteFunc(survey.Products, func(p migrate.SurveyProduct) bool { return !keep[p.Product.Key] })
	survey.Gateways = slices.DeleteFunc(survey.Gateways, func(g migrate.SurveyGateway) bool { return !keep[g.ID.ProductKey] })
	survey.Rules = slices.DeleteFunc(survey.Rules, func(r iot.Rule) bool { return !keep[r.ProductKey] })
	maps.DeleteFunc(survey.Declared.Products, func(key string, _ migrate.DeclaredProduct) bool { return !keep[key] })
	return nil
}

// lanesOf returns the lanes of a survey, whatever strategy fits them.
func lanesOf(survey *migrate.Survey) ([]migrate.Lane, error) {
	plan, err := planAny(survey)
	if err != nil {
		return nil, err
	}
	lanes := make([]migrate.Lane, 0, len(plan.Lanes))
	for _, l := range plan.Lanes {
		lanes = append(lanes, l.Lane)
	}
	return lanes, nil
}

// planAny plans with a strategy that fits every lane.
func planAny(survey *migrate.Survey) (*migrate.Plan, error) {
	all := migrate.NewStrategy("any",
		func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
		func(migrate.Lane) ([]migrate.Stage, error) {
			return []migrate.Stage{{Name: "rest", Move: &migrate.Move{Rest: true}}}, nil
		})
	return migrate.Planner{Strategies: []migrate.Strategy{all}}.Plan(survey)
}

// lanes returns those lanes of the bench's fleet that the strategy fits, and the strategy.
func (b *bench) lanes(ctx context.Context) ([]migrate.Lane, migrate.Strategy, error) {
	w, err := newWorld(b)
	if err != nil {
		return nil, nil, err
	}
	survey, err := w.cloud.Survey(ctx)
	if err != nil {
		return nil, nil, err
	}
	lanes, err := lanesOf(survey)
	if err != nil {
		return nil, nil, err
	}
	s := b.make(w.cloud)
	return slices.DeleteFunc(lanes, func(l migrate.Lane) bool { return !s.Match(l).Fits }), s, nil
}

func (b *bench) fits(ctx context.Context) (bool, error) {
	lanes, _, err := b.lanes(ctx)
	return len(lanes) > 0, err
}

// runner returns what a new process makes first.
func (w *world) runner(s migrate.Strategy, p iot.Platform, o migrate.Operator) (*migrate.Runner, error) {
	return migrate.NewRunner(migrate.Config{
		Campaign: worldCampaign, Plan: w.plan, Strategies: []migrate.Strategy{s},
		Platform: p, Operator: o, Clock: w.clock, Workers: 1,
		Journal: w.journal,
		Approver: migrate.ApproverFunc(func(context.Context, migrate.Gate) (migrate.Decision, error) {
			return migrate.Decision{Kind: migrate.Approve, By: "strategy test"}, nil
		}),
	})
}

// run is one process: it runs the campaign until it ends or the process dies.
func (w *world) run(ctx context.Context) (*migrate.Report, error) {
	return w.runOn(ctx, w.cloud.Platform(), w.operator)
}

func (w *world) runOn(ctx context.Context, p iot.Platform, o migrate.Operator) (*migrate.Report, error) {
	r, err := w.runner(w.bench.make(w.cloud), p, o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.crash.begin(cancel)
	return w.patiently(ctx, func() (*migrate.Report, error) { return r.Run(ctx) })
}

var errStuck = errors.New("the run did not return")

// patiently gives up on a run that does not return although its context has ended.
func (w *world) patiently(ctx context.Context, run func() (*migrate.Report, error)) (*migrate.Report, error) {
	type result struct {
		report *migrate.Report
		err    error
	}
	done := make(chan result, 1)
	go func() {
		report, err := run()
		done <- result{report, err}
	}()
	select {
	case r := <-done:
		return r.report, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done:
		return r.report, r.err
	case <-time.After(w.bench.patience):
		return nil, fmt.Errorf("%w within %v after its context had ended", errStuck, w.bench.patience)
	}
}

// restart lets the next process begin.
func (w *world) restart(ctx context.Context) error {
	w.crash.end()
	w.clock.Advance(downtime / 2)
	if err := w.operator.between(ctx); err != nil {
		return fmt.Errorf("while no process lived: %w", err)
	}
	w.clock.Advance(downtime / 2)
	return w.checkJournal(ctx)
}

// checkJournal checks that the journal holds what was acknowledged, and nothing else.
func (w *world) checkJournal(ctx context.Context) error {
	n := 0
	for _, err := range w.journal.store.Entries(ctx, worldCampaign, 0) {
		if err != nil {
			return fmt.Errorf("after the crash: %w", err)
		}
		n++
	}
	if durable := w.record.durable; n != durable {
		return fmt.Errorf("after the crash the journal has %d entries, %d are durable", n, durable)
	}
	return nil
}
