package migratetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/migrate"
)

// A baseline is what a campaign comes to when nothing disturbs it.
type baseline struct {
	bench  *bench
	plan   *migrate.Plan
	report *migrate.Report
	counts counts // how often the process came to each occasion to die
}

func undisturbed(ctx context.Context, b *bench) (*baseline, error) {
	w, err := planned(ctx, b)
	if err != nil {
		return nil, err
	}
	w.crash.arm(moment{}) // what planning has read does not count
	report, err := w.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("undisturbed run: %w", err)
	}
	return &baseline{bench: b, plan: w.plan, report: report, counts: w.crash.counted()}, nil
}

// world returns a fresh platform for the baseline's plan.
func (b *baseline) world() (*world, error) {
	w, err := newWorld(b.bench)
	if err == nil {
		w.plan = b.plan
	}
	return w, err
}

func (b *baseline) oneWay() bool {
	for _, l := range b.plan.Lanes {
		for _, s := range l.Stages {
			if s.OneWay {
				return true
			}
		}
	}
	return false
}

// same compares the end of another run with the baseline.
func (b *baseline) same(ctx context.Context, w *world, report *migrate.Report) error {
	if report.Outcome != b.report.Outcome {
		return fmt.Errorf("the campaign ends %s instead of %s:%s", report.Outcome, b.report.Outcome, stories(report))
	}
	if diff := cmp.Diff(endsOf(b.report), endsOf(report)); diff != "" {
		return fmt.Errorf("the campaign ends otherwise than undisturbed (-undisturbed +resumed):\n%s", diff)
	}
	if b.report.Outcome != migrate.OutcomeProven {
		return nil // what was not proven may be anywhere
	}
	if err := w.checkFates(func(moved bool) fate {
		if moved {
			return fate{Owner: w.plan.Target.ID, Moved: 1}
		}
		return fate{}
	}); err != nil {
		return err
	}
	if err := w.record.check(w.plan); err != nil {
		return err
	}
	return w.checkTopology(ctx, w.cloud.Platform().Target.View)
}

// strategyResumed kills the process each time that it comes to a place, once in each of as many runs.
func strategyResumed(p place) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		base, err := undisturbed(ctx, b)
		if err != nil {
			return err
		}
		last := base.counts[p.occasion()]
		for n := range b.chosen(last) {
			m := moment{place: p, n: n}
			if err := base.resume(ctx, m); err != nil {
				return fmt.Errorf("seed %d: killed %s of %d: %w", b.seed, m, last, err)
			}
		}
		return nil
	}
}

// strategyResumedTwice kills the process at random, and the next one as well.
func strategyResumedTwice(ctx context.Context, b *bench) error {
	const pairs = 40
	base, err := undisturbed(ctx, b)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(b.seed, 3))
	for range min(pairs, b.most) {
		first, second := base.random(rng, 1), base.random(rng, 4)
		if err := base.resume(ctx, first, second); err != nil {
			return fmt.Errorf("seed %d: killed %s, and then %s: %w", b.seed, first, second, err)
		}
	}
	return nil
}

// random returns a moment, of the first part of a run alone if part is more than 1.
func (b *baseline) random(rng *rand.Rand, part int) moment {
	for {
		p := beforeEntry + place(rng.IntN(int(places-beforeEntry)))
		if n := b.counts[p.occasion()]; n > 0 {
			return moment{place: p, n: 1 + rng.IntN((n+part-1)/part)}
		}
	}
}

// resume runs a campaign that is killed at each of the moments, and then to its end.
func (b *baseline) resume(ctx context.Context, moments ...moment) error {
	w, err := b.world()
	if err != nil {
		return err
	}
	report, err := w.runKilled(ctx, moments...)
	if err != nil {
		return err
	}
	return b.same(ctx, w, report)
}

// runKilled lets a process die at each of the moments that it comes to, and the last one live.
func (w *world) runKilled(ctx context.Context, moments ...moment) (*migrate.Report, error) {
	for _, m := range moments {
		w.crash.arm(m)
		report, err := w.run(ctx)
		if !w.crash.came() || errors.Is(err, errStuck) {
			w.crash.end() // or who checks the end would come to the moment
			return report, err
		}
		if err := w.restart(ctx); err != nil {
			return nil, err
		}
	}
	return w.run(ctx)
}

// strategyCancelled ends the context at moments spread over the run.
func strategyCancelled(ctx context.Context, b *bench) error {
	base, err := undisturbed(ctx, b)
	if err != nil {
		return err
	}
	const each = 8
	for i := range each {
		for _, m := range []moment{
			{place: afterEntry, n: 1 + i*base.counts[anEntry]/each, gentle: true},
			{place: beforeWrite, n: 1 + i*base.counts[aWrite]/each, gentle: true},
		} {
			if err := base.cancel(ctx, m); err != nil {
				return fmt.Errorf("cancelled at %s: %w", m, err)
			}
		}
	}
	return nil
}

func (b *baseline) cancel(ctx context.Context, m moment) error {
	w, err := b.world()
	if err != nil {
		return err
	}
	w.crash.arm(m)
	g := &guard{over: w.crash.came}
	_, err = w.runOn(ctx, g.platform(w.cloud.Platform()), g.operator(w.operator))
	switch {
	case !w.crash.came():
		return err
	case !errors.Is(err, context.Canceled):
		return fmt.Errorf("the run returned %v, want %w", err, context.Canceled)
	case g.late.Load() > 0:
		return fmt.Errorf("%d calls that write were made with another context after the run's had ended", g.late.Load())
	}
	if err := w.restart(ctx); err != nil {
		return err
	}
	report, err := w.run(ctx)
	if err != nil {
		return err
	}
	return b.same(ctx, w, report)
}
