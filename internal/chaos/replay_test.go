package chaos

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/migrate"
)

// TestSeedsReplay runs seeds twice: the same seed is the same campaign, entry by entry.
func TestSeedsReplay(t *testing.T) {
	for seed := range uint64(6) {
		if diff := cmp.Diff(story(t, seed), story(t, seed)); diff != "" {
			t.Errorf("seed %d differs (-first +second):\n%s", seed, diff)
		}
	}
}

// story returns the entries of a campaign. Evidence holds IDs of messages, which are given out in the order in which they are sent.
func story(t *testing.T, seed uint64) (out []migrate.Entry) {
	t.Helper()
	if err := inBubble(t, func(ctx context.Context) error {
		w, err := newWorld(ctx, seed)
		if err != nil {
			return err
		}
		if err := w.run(ctx); err != nil {
			return err
		}
		for e, err := range w.journal.Entries(ctx, campaign, 0) {
			if err != nil {
				return err
			}
			e.Evidence, e.Open, e.Error = nil, nil, ""
			out = append(out, e)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}
