package migratetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/migrate"
)

func journalEmpty(ctx context.Context, open func() migrate.Journal) error {
	return journalHolds(ctx, open(), journalCampaign)
}

func journalNumbers(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	mine := journalNote("caller's own number")
	mine.Seq = 77
	if err := journalAppend(ctx, j, 0, mine); err != nil {
		return err
	}
	if err := journalAppend(ctx, j, 1, journalNote("b"), mine, journalNote("c")); err != nil {
		return err
	}
	if mine.Seq != 77 {
		return fmt.Errorf("the caller's own entry changed: Seq is %d", mine.Seq)
	}
	return journalHolds(ctx, j, journalCampaign, mine.Note, "b", mine.Note, "c")
}

func journalRoundTrip(ctx context.Context, open func() migrate.Journal) error {
	want := journalSamples()
	if err := journalAppend(ctx, open(), 0, want...); err != nil {
		return err
	}
	got, err := journalRead(ctx, open(), journalCampaign, 0)
	if err != nil {
		return err
	}
	for i := range want {
		want[i].Seq = int64(i + 1)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("entries are not what was appended (-want +got):\n%s", diff)
	}
	return nil
}

func journalAfter(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	if err := journalFill(ctx, j, "a", "b", "c"); err != nil {
		return err
	}
	for after := range int64(5) {
		got, err := journalRead(ctx, j, journalCampaign, after)
		if err != nil {
			return err
		}
		if want := max(0, 3-int(after)); len(got) != want {
			return fmt.Errorf("after %d there are %d entries, want %d", after, len(got), want)
		}
		if len(got) > 0 && got[0].Seq != after+1 {
			return fmt.Errorf("after %d the first entry is %d", after, got[0].Seq)
		}
	}
	return nil
}

// journalLoop leaves a loop, starts it anew, and appends in it.
func journalLoop(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	if err := journalFill(ctx, j, "a", "b", "c"); err != nil {
		return err
	}
	all := j.Entries(ctx, journalCampaign, 0)
	for range 2 {
		n := 0
		for e, err := range all {
			if err != nil {
				return err
			}
			if n++; e.Seq != int64(n) {
				return fmt.Errorf("entry %d of a loop has number %d", n, e.Seq)
			}
			if n == 2 {
				break
			}
		}
		if n != 2 {
			return fmt.Errorf("a loop ended after %d entries", n)
		}
	}
	for _, err := range all {
		if err != nil {
			return err
		}
		if err := journalAppend(ctx, j, 3, journalNote("d")); err != nil {
			return fmt.Errorf("append in a loop: %w", err)
		}
		break
	}
	return journalHolds(ctx, j, journalCampaign, "a", "b", "c", "d")
}

func journalConflict(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	if err := journalRefused(ctx, j, 1, migrate.ErrConflict, journalNote("too early")); err != nil {
		return err
	}
	if err := journalFill(ctx, j, "a", "b"); err != nil {
		return err
	}
	for _, after := range []int64{-1, 0, 1, 3} {
		if err := journalRefused(ctx, j, after, migrate.ErrConflict, journalNote("beside")); err != nil {
			return err
		}
	}
	return journalHolds(ctx, j, journalCampaign, "a", "b")
}

func journalFence(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	for i, fence := range []int64{0, 1, 0, 3, 3, 0} {
		e := journalNote(fmt.Sprint(i))
		e.Fence = fence
		if err := journalAppend(ctx, j, int64(i), e); err != nil {
			return fmt.Errorf("fence %d: %w", fence, err)
		}
	}
	stale := journalNote("stale")
	stale.Fence = 2
	for _, j := range []migrate.Journal{j, open()} {
		if err := journalRefused(ctx, j, 6, migrate.ErrFenced, stale); err != nil {
			return err
		}
	}
	return journalHolds(ctx, j, journalCampaign, "0", "1", "2", "3", "4", "5")
}

func journalFenceOfBatch(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	newer, stale := journalNote("newer"), journalNote("stale")
	newer.Fence, stale.Fence = 2, 1
	if err := journalRefused(ctx, j, 0, migrate.ErrFenced, newer, stale); err != nil {
		return err
	}
	if err := journalAppend(ctx, j, 0, stale, newer); err != nil {
		return err
	}
	return journalHolds(ctx, j, journalCampaign, "stale", "newer")
}

// journalAllOrNone appends entries that cannot be written, or not be read again, after one that can.
func journalAllOrNone(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	late, nameless := journalNote("year 10000"), journalNote("no device name")
	late.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	nameless.Names = migrate.DeviceSet{{ProductKey: "a1Gateway01"}}
	var want []string
	for _, bad := range []migrate.Entry{late, nameless} {
		if err := j.Append(ctx, journalCampaign, int64(len(want)), journalNote("a"), bad); err == nil {
			want = append(want, "a", bad.Note)
		}
		if err := journalHolds(ctx, j, journalCampaign, want...); err != nil {
			return err
		}
	}
	return journalAppend(ctx, j, int64(len(want)), journalNote("b"))
}

func journalNothing(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	if err := journalAppend(ctx, j, 0); err != nil {
		return err
	}
	if err := journalRefused(ctx, j, 1, migrate.ErrConflict); err != nil {
		return err
	}
	return journalHolds(ctx, j, journalCampaign)
}

func journalDone(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	if err := journalFill(ctx, j, "a"); err != nil {
		return err
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := journalRefused(done, j, 1, context.Canceled, journalNote("late")); err != nil {
		return err
	}
	if _, err := journalRead(done, j, journalCampaign, 0); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("with a done context Entries ends with %v, want %v", err, context.Canceled)
	}
	return journalHolds(ctx, j, journalCampaign, "a")
}

func journalCampaigns(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	if err := journalFill(ctx, j, "a", "b"); err != nil {
		return err
	}
	other := journalNote("other")
	if err := j.Append(ctx, "conformance-2", 0, other); err != nil {
		return fmt.Errorf("append to another campaign: %w", err)
	}
	if err := journalHolds(ctx, j, "conformance-2", "other"); err != nil {
		return err
	}
	return journalHolds(ctx, j, journalCampaign, "a", "b")
}

func journalReopened(ctx context.Context, open func() migrate.Journal) error {
	if err := journalFill(ctx, open(), "a", "b"); err != nil {
		return err
	}
	if err := journalAppend(ctx, open(), 2, journalNote("c")); err != nil {
		return err
	}
	return journalHolds(ctx, open(), journalCampaign, "a", "b", "c")
}

// journalTwo lets two runners append in turn.
func journalTwo(ctx context.Context, open func() migrate.Journal) error {
	a, b := open(), open()
	if err := journalFill(ctx, a, "a1"); err != nil {
		return err
	}
	if err := journalRefused(ctx, b, 0, migrate.ErrConflict, journalNote("b1")); err != nil {
		return err
	}
	if err := journalAppend(ctx, b, 1, journalNote("b2")); err != nil {
		return err
	}
	if err := journalRefused(ctx, a, 1, migrate.ErrConflict, journalNote("a2")); err != nil {
		return err
	}
	if err := journalAppend(ctx, a, 2, journalNote("a3")); err != nil {
		return err
	}
	for _, j := range []migrate.Journal{a, b} {
		if err := journalHolds(ctx, j, journalCampaign, "a1", "b2", "a3"); err != nil {
			return err
		}
	}
	return nil
}

// journalDetached changes entries after they were appended and after they were read.
func journalDetached(ctx context.Context, open func() migrate.Journal) error {
	j := open()
	want := journalSamples()
	mine := journalSamples()
	if err := journalAppend(ctx, j, 0, mine...); err != nil {
		return err
	}
	for range 2 {
		journalSpoil(mine)
		got, err := journalRead(ctx, j, journalCampaign, 0)
		if err != nil {
			return err
		}
		for i := range want {
			want[i].Seq = int64(i + 1)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("entries changed with the caller's own (-want +got):\n%s", diff)
		}
		mine = got
	}
	return nil
}

func journalSpoil(entries []migrate.Entry) {
	for _, e := range entries {
		if e.Header != nil {
			e.Header.Account = "spoiled"
		}
		for i := range e.Names {
			e.Names[i].DeviceName = "spoiled"
		}
	}
}

// journalConcurrent lets writers race for each number: exactly one wins it.
func journalConcurrent(ctx context.Context, open func() migrate.Journal) error {
	const writers, rounds = 4, 10
	journals := []migrate.Journal{open(), open()}
	won := make([][]string, rounds)
	for round := range rounds {
		errs := make([]error, writers)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				note := journalNote(fmt.Sprintf("%d.%d", round, w))
				errs[w] = journals[w%2].Append(ctx, journalCampaign, int64(round), note)
			})
		}
		wg.Wait()
		for w, err := range errs {
			if err == nil {
				won[round] = append(won[round], fmt.Sprintf("%d.%d", round, w))
			} else if !errors.Is(err, migrate.ErrConflict) {
				return fmt.Errorf("who lost a race got %w, want %w", err, migrate.ErrConflict)
			}
		}
		if len(won[round]) != 1 {
			return fmt.Errorf("entry %d was appended by %d writers, want 1", round+1, len(won[round]))
		}
	}
	return journalHolds(ctx, open(), journalCampaign, slices.Concat(won...)...)
}
