package migratetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/migrate"
)

// leaser opens a journal that has leases.
func leaser(open func() migrate.Journal) migrate.Leaser { return open().(migrate.Leaser) }

func holder(owner string) migrate.Holder {
	return migrate.Holder{Owner: owner, Host: "host \"of\" " + owner, PID: 4711, Since: journalTime}
}

func leaseTaken(ctx context.Context, j migrate.Leaser, owner string, takeOver bool) (release func(), err error) {
	release, err = j.Lease(ctx, journalCampaign, holder(owner), takeOver)
	if err != nil {
		return nil, fmt.Errorf("lease for %s, take over %t: %w", owner, takeOver, err)
	}
	return release, nil
}

// leaseRefused checks that nobody else gets a lease, and is told who has it.
func leaseRefused(ctx context.Context, j migrate.Leaser, by string) error {
	release, err := j.Lease(ctx, journalCampaign, holder("another"), false)
	if err == nil {
		release()
		return fmt.Errorf("another gets the lease that %s has", by)
	}
	held, ok := errors.AsType[*migrate.HeldError](err)
	if !ok || !errors.Is(err, migrate.ErrHeld) {
		return fmt.Errorf("another gets %w, want %w", err, migrate.ErrHeld)
	}
	if diff := cmp.Diff(holder(by), held.Holder); diff != "" {
		return fmt.Errorf("another is told of the wrong holder (-want +got):\n%s", diff)
	}
	return nil
}

// leaseHeld lets nobody else have a lease, whichever journal is asked.
func leaseHeld(ctx context.Context, open func() migrate.Journal) error {
	a, b := leaser(open), leaser(open)
	if _, err := leaseTaken(ctx, a, "a", false); err != nil {
		return err
	}
	for _, j := range []migrate.Leaser{a, b, leaser(open)} {
		if err := leaseRefused(ctx, j, "a"); err != nil {
			return err
		}
	}
	return nil
}

// leaseReleased gives leases back, more than once.
func leaseReleased(ctx context.Context, open func() migrate.Journal) error {
	a, b := leaser(open), leaser(open)
	var last func()
	for range 3 {
		for i, j := range []migrate.Leaser{a, b} {
			owner := "ab"[i : i+1]
			release, err := leaseTaken(ctx, j, owner, false)
			if err != nil {
				return err
			}
			if last != nil {
				last() // the one before, once more: it must not free this one
			}
			if err := leaseRefused(ctx, a, owner); err != nil {
				return err
			}
			release()
			last = release
		}
	}
	return nil
}

func leaseCampaigns(ctx context.Context, open func() migrate.Journal) error {
	j := leaser(open)
	if _, err := leaseTaken(ctx, j, "a", false); err != nil {
		return err
	}
	if _, err := j.Lease(ctx, "conformance-2", holder("b"), false); err != nil {
		return fmt.Errorf("lease of another campaign: %w", err)
	}
	return leaseRefused(ctx, j, "a")
}

// leaseTakenOver takes a lease over twice, from a holder who does not let go.
func leaseTakenOver(ctx context.Context, open func() migrate.Journal) error {
	j := leaser(open)
	for _, owner := range []string{"a", "b", "c"} {
		if _, err := leaseTaken(ctx, leaser(open), owner, true); err != nil {
			return err
		}
		if err := leaseRefused(ctx, j, owner); err != nil {
			return err
		}
	}
	return nil
}

// leaseVoid releases a lease that was taken over: it frees nothing. The one that took over does.
func leaseVoid(ctx context.Context, open func() migrate.Journal) error {
	a, b := leaser(open), leaser(open)
	void, err := leaseTaken(ctx, a, "a", false)
	if err != nil {
		return err
	}
	release, err := leaseTaken(ctx, b, "b", true)
	if err != nil {
		return err
	}
	void()
	if err := leaseRefused(ctx, a, "b"); err != nil {
		return err
	}
	release()
	_, err = leaseTaken(ctx, a, "a", false)
	return err
}

// leasePeople reads and appends while a runner has the campaign: people decide without a lease.
func leasePeople(ctx context.Context, open func() migrate.Journal) error {
	a, b := leaser(open), leaser(open)
	if _, err := leaseTaken(ctx, a, "a", false); err != nil {
		return err
	}
	if err := journalFill(ctx, b, "decided"); err != nil {
		return err
	}
	if err := journalHolds(ctx, a, journalCampaign, "decided"); err != nil {
		return err
	}
	return leaseRefused(ctx, b, "a")
}

func leaseDone(ctx context.Context, open func() migrate.Journal) error {
	j := leaser(open)
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := j.Lease(done, journalCampaign, holder("late"), false); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("with a done context Lease returns %v, want %v", err, context.Canceled)
	}
	_, err := leaseTaken(ctx, j, "a", false)
	return err
}

// leaseRace lets runners race for a lease: exactly one gets it.
func leaseRace(ctx context.Context, open func() migrate.Journal) error {
	const runners, rounds = 4, 5
	journals := []migrate.Leaser{leaser(open), leaser(open)}
	for range rounds {
		var wg sync.WaitGroup
		releases, errs := make([]func(), runners), make([]error, runners)
		for r := range runners {
			wg.Go(func() {
				releases[r], errs[r] = journals[r%2].Lease(ctx, journalCampaign, holder(fmt.Sprint(r)), false)
			})
		}
		wg.Wait()
		won := 0
		for r, err := range errs {
			switch {
			case err == nil:
				won++
				releases[r]()
			case !errors.Is(err, migrate.ErrHeld):
				return fmt.Errorf("who lost a race for the lease got %w, want %w", err, migrate.ErrHeld)
			}
		}
		if won != 1 {
			return fmt.Errorf("%d runners got the lease, want 1", won)
		}
	}
	return nil
}
