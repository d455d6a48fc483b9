package migratetest

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// A flaw is one way in which a badJournal breaks its promises.
type flaw string

// A badJournal keeps entries in memory, as promised but for its flaw.
type badJournal struct {
	flaw flaw

	mu      sync.Mutex
	reading int
	entries map[string][]migrate.Entry
	leases  map[string]*migrate.Holder
}

func (j *badJournal) Append(ctx context.Context, campaign string, after int64, entries ...migrate.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := ctx.Err(); err != nil && j.flaw != "writes when done" {
		return err
	}
	if j.reading > 0 && (j.flaw == "busy while read" || j.flaw == "busy while leased") {
		return errors.New("busy")
	}
	if j.flaw == "one campaign" {
		campaign = ""
	}
	if last := int64(len(j.entries[campaign])); after != last {
		switch {
		case j.flaw == "ignores conflicts", j.flaw == "ignores gaps" && after > last, j.flaw == "nothing is no conflict" && len(entries) == 0:
		case j.flaw == "own conflict":
			return errors.New("somebody was faster")
		default:
			return migrate.ErrConflict
		}
	}
	return j.add(campaign, entries)
}

func (j *badJournal) add(campaign string, entries []migrate.Entry) error {
	old := j.entries[campaign]
	list := slices.Clone(old)
	for _, e := range entries {
		against := list
		if j.flaw == "batch unfenced" {
			against = old
		}
		if j.fenced(against, e) {
			return migrate.ErrFenced
		}
		if _, err := j.copy(e); err != nil && j.flaw != "reads back nothing" {
			return err
		}
		if j.flaw != "keeps numbers" {
			e.Seq = int64(len(list) + 1)
		}
		list = append(list, e)
		if j.flaw != "shares memory" {
			list[len(list)-1], _ = j.copy(e)
		}
		if j.flaw == "one by one" {
			j.entries[campaign] = list
		}
	}
	j.entries[campaign] = list
	return nil
}

func (j *badJournal) fenced(list []migrate.Entry, e migrate.Entry) bool {
	var highest int64
	for _, e := range list {
		highest = max(highest, e.Fence)
	}
	switch {
	case j.flaw == "no fence":
		return false
	case j.flaw == "fences people" && e.Fence == 0:
		return highest > 0
	}
	return e.Fence != 0 && e.Fence < highest
}

func (j *badJournal) copy(e migrate.Entry) (migrate.Entry, error) {
	if j.flaw == "drops a field" {
		e.Until = time.Time{}
	}
	data, err := json.Marshal(e)
	if err != nil {
		return migrate.Entry{}, err
	}
	var out migrate.Entry
	err = json.Unmarshal(data, &out)
	return out, err
}

func (j *badJournal) Entries(ctx context.Context, campaign string, after int64) iter.Seq2[migrate.Entry, error] {
	return func(yield func(migrate.Entry, error) bool) {
		if err := ctx.Err(); err != nil && j.flaw != "reads when done" {
			yield(migrate.Entry{}, err)
			return
		}
		for _, e := range j.list(campaign, after) {
			if j.flaw != "shares memory" {
				e, _ = j.copy(e)
			}
			if !yield(e, nil) {
				break
			}
		}
		j.mu.Lock()
		j.reading--
		j.mu.Unlock()
	}
}

func (j *badJournal) list(campaign string, after int64) []migrate.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.reading++
	if j.flaw == "one campaign" {
		campaign = ""
	}
	list := slices.Clone(j.entries[campaign])
	if j.flaw == "off by one" && after > 0 {
		after--
	}
	if j.flaw == "never empty" && len(list) == 0 {
		return []migrate.Entry{{Seq: 1}}
	}
	return list[min(after, int64(len(list))):]
}

func (j *badJournal) Lease(ctx context.Context, campaign string, h migrate.Holder, takeOver bool) (func(), error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := ctx.Err(); err != nil && j.flaw != "leases when done" {
		return nil, err
	}
	if j.flaw == "one lease" {
		campaign = ""
	}
	switch other := j.leases[campaign]; {
	case other == nil, takeOver && j.flaw != "no take-over", j.flaw == "leases to all":
	case j.flaw == "own refusal":
		return nil, errors.New("it is taken")
	case j.flaw == "nobody has it":
		return nil, &migrate.HeldError{}
	default:
		return nil, &migrate.HeldError{Holder: *other}
	}
	if j.leases == nil {
		j.leases = map[string]*migrate.Holder{}
	}
	mine := &h
	j.leases[campaign] = mine
	if j.flaw == "busy while leased" {
		j.reading++
	}
	return func() { j.free(campaign, mine) }, nil
}

func (j *badJournal) free(campaign string, mine *migrate.Holder) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.flaw == "keeps leases":
	case j.leases[campaign] == mine, j.flaw == "frees any lease":
		delete(j.leases, campaign)
	}
}

// TestJournalCases proves that each promise is tested: a journal without a flaw passes all cases, and every
// flaw is caught by the case made for it.
func TestJournalCases(t *testing.T) {
	caught := map[flaw]string{
		"never empty":            "empty",
		"keeps numbers":          "numbers",
		"drops a field":          "round trip",
		"off by one":             "after",
		"busy while read":        "loop",
		"ignores conflicts":      "conflict",
		"ignores gaps":           "conflict",
		"no fence":               "fence",
		"fences people":          "fence",
		"batch unfenced":         "fence of a batch",
		"one by one":             "all or none",
		"reads back nothing":     "all or none",
		"nothing is no conflict": "nothing to append",
		"writes when done":       "done context",
		"reads when done":        "done context",
		"one campaign":           "campaigns",
		"forgets":                "reopened",
		"each its own":           "two at once",
		"shares memory":          "detached",
		"own conflict":           "concurrent",
		"nobody has it":          "lease",
		"keeps leases":           "lease of the dead",
		"one lease":              "leases of campaigns",
		"no take-over":           "lease taken over",
		"frees any lease":        "void lease",
		"busy while leased":      "lease and people",
		"leases when done":       "lease with a done context",
		"leases to all":          "race for a lease",
		"own refusal":            "race for a lease",
	}
	for _, c := range slices.Concat(journalCases, leaseCases) {
		t.Run(c.name, func(t *testing.T) {
			if err := c.run(t.Context(), badStorage("")); err != nil {
				t.Errorf("a good journal: %v", err)
			}
			tested := false
			for flaw, name := range caught {
				if name != c.name {
					continue
				}
				tested = true
				if err := c.run(t.Context(), badStorage(flaw)); err == nil {
					t.Errorf("a journal that %q passes", flaw)
				}
			}
			if !tested {
				t.Error("no flaw proves this case")
			}
		})
	}
}

func badStorage(f flaw) func() migrate.Journal {
	shared := &badJournal{flaw: f, entries: map[string][]migrate.Entry{}}
	return func() migrate.Journal {
		if f == "forgets" || f == "each its own" {
			return &badJournal{flaw: f, entries: map[string][]migrate.Entry{}}
		}
		return shared
	}
}
