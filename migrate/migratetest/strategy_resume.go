package migratetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/migrate"
)

// A baseline is what a campaign comes to when nothing disturbs it.
type baseline struct {
	bench           *bench
	plan            *migrate.Plan
	report          *migrate.Report
	entries, writes int // how often the process came to append, and to write on the platform
}

func undisturbed(ctx context.Context, b *bench) (*baseline, error) {
	w, err := planned(ctx, b)
	if err != nil {
		return nil, err
	}
	report, err := w.run(ctx)
	if err != nil {
		return nil, fmt.Errorf("undisturbed run: %w", err)
	}
	base := &baseline{bench: b, plan: w.plan, report: report}
	base.entries, base.writes = w.crash.counts()
	return base, nil
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
		last := base.entries
		if p == beforeWrite || p == afterWrite {
			last = base.writes
		}
		for n := 1; n <= last; n += b.step {
			m := moment{place: p, n: n}
			if err := base.resume(ctx, m); err != nil {
				return fmt.Errorf("killed at %s of %d: %w", m, last, err)
			}
		}
		return nil
	}
}

// resume runs a campaign that is killed at a moment, and then to its end.
func (b *baseline) resume(ctx context.Context, m moment) error {
	w, err := b.world()
	if err != nil {
		return err
	}
	w.crash.arm(m)
	report, err := w.run(ctx)
	if errors.Is(err, errStuck) {
		return err
	}
	if !w.crash.came() {
		if err != nil {
			return err
		}
		return b.same(ctx, w, report)
	}
	w.restart()
	if report, err = w.run(ctx); err != nil {
		return err
	}
	return b.same(ctx, w, report)
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
			{place: afterEntry, n: 1 + i*base.entries/each, gentle: true},
			{place: beforeWrite, n: 1 + i*base.writes/each, gentle: true},
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
	_, err = w.runOn(ctx, g.platform(w.cloud.Platform()), g.operator(w.cloud.Operator()))
	switch {
	case !w.crash.came():
		return err
	case !errors.Is(err, context.Canceled):
		return fmt.Errorf("the run returned %v, want %w", err, context.Canceled)
	case g.late.Load() > 0:
		return fmt.Errorf("%d calls that write were made with another context after the run's had ended", g.late.Load())
	}
	w.restart()
	report, err := w.run(ctx)
	if err != nil {
		return err
	}
	return b.same(ctx, w, report)
}
