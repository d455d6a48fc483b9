package journal_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// TestModel runs random appends through two handles of one directory and through a memory journal: all three
// agree on every answer and every entry.
func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	dirs := []*journal.Dir{unsynced(t, dir), unsynced(t, dir)}
	model := journal.NewMemory()
	last := int64(0)
	for step := range 400 {
		batch := make([]migrate.Entry, rng.IntN(4))
		for i := range batch {
			batch[i] = note("%d", step)
			batch[i].Fence = max(0, int64(step/50+rng.IntN(4)-2))
		}
		after := max(0, last-int64(rng.IntN(2)*rng.IntN(2)))
		got := dirs[rng.IntN(2)].Append(t.Context(), campaign, after, batch...)
		want := model.Append(t.Context(), campaign, after, batch...)
		for _, kind := range []error{nil, migrate.ErrConflict, migrate.ErrFenced} {
			if errors.Is(got, kind) != errors.Is(want, kind) {
				t.Fatalf("step %d: the file says %v, the memory %v", step, got, want)
			}
		}
		if want == nil {
			last += int64(len(batch))
		}
		if step%20 == 0 {
			from := rng.Int64N(last + 2)
			compare(t, dirs[rng.IntN(2)], model, from)
		}
	}
	compare(t, dirs[0], model, 0)
	if diff := cmp.Diff(string(journal.Bytes(model, campaign)), string(contents(t, dir))); diff != "" {
		t.Errorf("lines (-memory +file):\n%s", diff)
	}
}

func compare(t *testing.T, got, want migrate.Journal, after int64) {
	t.Helper()
	var lists [2][]migrate.Entry
	for i, j := range []migrate.Journal{want, got} {
		for e, err := range j.Entries(t.Context(), campaign, after) {
			if err != nil {
				t.Fatal(err)
			}
			lists[i] = append(lists[i], e)
		}
	}
	if diff := cmp.Diff(lists[0], lists[1]); diff != "" {
		t.Fatalf("entries after %d (-memory +file):\n%s", after, diff)
	}
}

// TestManyAtOnce lets writers at two handles race until each has won its share, while readers poll: they only
// ever see a growing prefix.
func TestManyAtOnce(t *testing.T) {
	const writers, wins = 4, 50
	dir := t.TempDir()
	dirs := []*journal.Dir{unsynced(t, dir), unsynced(t, dir)}
	var wg, reading sync.WaitGroup
	stop := make(chan struct{})
	for w := range writers {
		wg.Go(func() { race(t, dirs[w%2], w, wins) })
	}
	for _, d := range []*journal.Dir{dirs[0], unsynced(t, dir)} {
		reading.Go(func() { poll(t, d, stop) })
	}
	wg.Wait()
	close(stop)
	reading.Wait()
	mustHold(t, open(t, dir), 2*writers*wins)
}

func race(t *testing.T, d *journal.Dir, w, wins int) {
	for last := int64(0); wins > 0; {
		err := d.Append(t.Context(), campaign, last, note("%d a", w), note("%d b", w))
		if err == nil {
			last += 2
			wins--
			continue
		}
		if !errors.Is(err, migrate.ErrConflict) {
			t.Error(err)
			return
		}
		for e, err := range d.Entries(t.Context(), campaign, last) {
			if err != nil {
				t.Error(err)
				return
			}
			last = e.Seq
		}
	}
}

func poll(t *testing.T, d *journal.Dir, stop chan struct{}) {
	for last := int64(0); ; {
		for e, err := range d.Entries(t.Context(), campaign, last) {
			if err != nil || e.Seq != last+1 {
				t.Errorf("after entry %d: entry %d, %v", last, e.Seq, err)
				return
			}
			last = e.Seq
		}
		if last%2 != 0 {
			t.Errorf("half of an append was seen, up to entry %d", last)
		}
		select {
		case <-stop:
			return
		default:
		}
	}
}

// TestFollowing reads what was appended last, again and again, as somebody who follows a campaign does: what was there before is not read again.
func TestFollowing(t *testing.T) {
	const appends = 2000
	d := unsynced(t, t.TempDir())
	var read int64
	journal.Wrap(d, func(f journal.File) journal.File { return countedReads{f, &read} })
	for n := range appends {
		mustAppend(t, d, 2*n, note("%0500d", n), note("%0500d", n))
		for late := range min(n, 3) { // a follower may be some appends behind
			after, got := int64(2*(n-late)), 0
			for _, err := range d.Entries(t.Context(), campaign, after) {
				if err != nil {
					t.Fatal(err)
				}
				got++
			}
			if got != 2*(late+1) {
				t.Fatalf("%d appends behind: %d entries, want %d", late, got, 2*(late+1))
			}
		}
	}
	if most := int64(appends * 10 * 1000); read > most {
		t.Errorf("%d bytes were read, want at most %d", read, most)
	}
}

// countedReads counts the bytes that are read from a file.
type countedReads struct {
	journal.File
	n *int64
}

func (c countedReads) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.File.ReadAt(p, off)
	*c.n += int64(n)
	return n, err
}

// TestFarBack reads from every part of a journal long enough to have marks.
func TestFarBack(t *testing.T) {
	const entries = 4000
	dir := t.TempDir()
	d, m := unsynced(t, dir), journal.NewMemory()
	for n := range entries / 200 {
		batch := make([]migrate.Entry, 200)
		for i := range batch {
			batch[i] = note("%0500d", i)
		}
		mustAppend(t, d, n*200, batch...)
		mustAppend(t, m, n*200, batch...)
	}
	other := open(t, dir)
	mustHold(t, other, entries)
	for _, j := range []migrate.Journal{d, m, other} {
		for after := int64(0); after <= entries; after += 611 {
			want := after
			for e, err := range j.Entries(t.Context(), campaign, after) {
				if want++; err != nil || e.Seq != want {
					t.Fatalf("%T after %d: entry %d, want %d (%v)", j, after, e.Seq, want, err)
				}
			}
			if want != entries {
				t.Fatalf("%T after %d: the last entry is %d", j, after, want)
			}
		}
	}
}
