package migratetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/iotferry/iotferry/migrate"
)

// strategyWayBack rolls back from the middle and from the end.
func strategyWayBack(ctx context.Context, b *bench) error {
	base, err := undisturbed(ctx, b)
	if err != nil || base.oneWay() {
		return err
	}
	last := base.counts[anEntry]
	for _, n := range []int{last / 2, last} {
		w, err := base.stopped(ctx, n)
		if err != nil {
			return err
		}
		if _, err := w.rollBack(ctx); err != nil {
			return fmt.Errorf("rollback after append %d of %d: %w", n, last, err)
		}
	}
	return nil
}

// strategyWayBackResumed kills the process each time that it comes to a place on the way back from the end.
func strategyWayBackResumed(ctx context.Context, b *bench) error {
	base, err := undisturbed(ctx, b)
	if err != nil || base.oneWay() {
		return err
	}
	w, err := base.stopped(ctx, 0)
	if err != nil {
		return err
	}
	back, err := w.rollBack(ctx)
	if err != nil {
		return err
	}
	for p := beforeEntry; p < places; p++ {
		for n := range b.chosen(back[p.occasion()]) {
			m := moment{place: p, n: n}
			w, err := base.stopped(ctx, 0)
			if err != nil {
				return err
			}
			if _, err := w.rollBack(ctx, m); err != nil {
				return fmt.Errorf("seed %d: killed %s of %d on the way back: %w", b.seed, m, back[p.occasion()], err)
			}
		}
	}
	return nil
}

// stopped returns a platform whose campaign was stopped after its n-th append; 0 means that it came to its end.
func (b *baseline) stopped(ctx context.Context, n int) (*world, error) {
	w, err := b.world()
	if err != nil {
		return nil, err
	}
	w.crash.arm(moment{place: afterEntry, n: n, gentle: true})
	if _, err := w.run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return w, w.restart(ctx)
}

// rollBack returns everything, by a process that is killed at each of the moments. It tells how often the last process
// came to each occasion to die.
func (w *world) rollBack(ctx context.Context, moments ...moment) (counts, error) {
	away := false
	for id := range w.planned() {
		away = away || w.fateOf(id).Moved > 0
	}
	r, err := w.runner(w.bench.make(w.cloud), w.cloud.Platform(), w.operator)
	if err != nil || !away {
		return counts{}, err
	}
	if err := r.Decide(ctx, migrate.Decision{Kind: migrate.Rollback, By: "strategy test"}); err != nil {
		return counts{}, err
	}
	w.crash.arm(moment{})
	report, err := w.runKilled(ctx, moments...)
	if err != nil {
		return counts{}, err
	}
	back := w.crash.counted()
	return back, w.checkReturned(ctx, report)
}
