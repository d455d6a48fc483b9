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
func story(t *testing.T, seed uint64) []migrate.Entry {
	t.Helper()
	w, err := newWorld(t.Context(), seed)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out []migrate.Entry
	for e, err := range w.journal.Entries(context.Background(), campaign, 0) {
		if err != nil {
			t.Fatal(err)
		}
		e.Evidence, e.Open, e.Error = nil, nil, ""
		out = append(out, e)
	}
	return out
}
