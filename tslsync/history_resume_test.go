package tslsync_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/tslsync"
)

// world is two shelves of random rows, and a span to compare.
type world struct {
	source, target *shelf
	from, to       time.Time
}

// randomWorld makes up to size rows of each identifier: of different density, in clusters, with duplicates, and with
// rows missing, added and changed on the way to the target. Pages are small.
func randomWorld(seed uint64, size int) world {
	rng := rand.New(rand.NewPCG(seed, uint64(size)))
	span := time.Duration(1+rng.IntN(6)) * time.Hour
	w := world{source: newShelf(), target: newShelf(), to: today, from: today.Add(-span).Truncate(time.Hour)}
	for _, s := range []*shelf{w.source, w.target} {
		s.maxRows, s.maxRecords, s.repeat = 5+rng.IntN(5), 4+rng.IntN(3), rng.IntN(2) == 0
	}
	for p := range 12 {
		w.fill(rng, series{lamp, tslsync.PropertyReport, fmt.Sprintf("p%02d", p)}, rng.IntN(size+1))
	}
	w.fill(rng, series{lamp, tslsync.EventReport, "alarm"}, rng.IntN(size+1))
	w.fill(rng, series{lamp, tslsync.ServiceReport, "reset"}, rng.IntN(size+1))
	return w
}

func (w world) fill(rng *rand.Rand, k series, n int) {
	w.source.rows[k], w.target.rows[k] = nil, nil
	span := w.to.Sub(w.from).Milliseconds()
	used := map[int64]bool{}
	for range n {
		offset := rng.Int64N(span)
		if rng.IntN(3) == 0 {
			offset = rng.Int64N(span/3600_000+1)*3600_000 - rng.Int64N(2) // at the edge of an hour
		}
		if offset < 0 || offset >= span || used[offset] {
			continue
		}
		used[offset] = true
		w.fate(rng, k, w.from.Add(time.Duration(offset)*time.Millisecond))
	}
}

// fate puts one row where chance wants it.
func (w world) fate(rng *rand.Rand, k series, at time.Time) {
	value := fmt.Sprint(rng.IntN(3))
	lot := rng.IntN(10)
	if lot != 0 {
		w.source.put(k, at, value)
	}
	switch lot {
	case 1: // missing
	case 2:
		w.target.put(k, at, "9") // different
	case 3:
		w.source.put(k, at, value)
		w.target.put(k, at, value)
	default:
		w.target.put(k, at, value)
	}
	if lot == 4 {
		w.target.put(k, at, value)
	}
}

// interrupted runs a comparison that ends after every so many steps, forgets all but the stored cursor, and goes on.
func interrupted(t *testing.T, w world, steps int) (out result) {
	t.Helper()
	cursor := tslsync.NewCursor(lamp, w.from, w.to)
	for !cursor.Done {
		left := steps
		for step, err := range tslsync.Compare(t.Context(), comparison(w.source, w.target, 12), slices.Values([]tslsync.Cursor{cursor})) {
			if err != nil {
				t.Fatal(err)
			}
			out.add(step)
			cursor = stored(t, step.Cursor)
			if left--; left == 0 {
				break
			}
		}
	}
	sortHours(out.hours)
	return out
}

func stored(t *testing.T, c tslsync.Cursor) (out tslsync.Cursor) {
	t.Helper()
	text, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// resumes says what is wrong with a world: empty if a comparison of it finds what a plain one finds, at once and interrupted
// after every one, two or three steps.
func resumes(t *testing.T, seed uint64, size int) string {
	w := randomWorld(seed, size)
	want := plain(w.source, w.target, w.from, w.to, iot.HistoryKept)
	for _, steps := range []int{1 << 30, 1, 2, 3} {
		got := interrupted(t, w, steps)
		if diff := cmp.Diff(want, got.hours, nilIsEmpty); diff != "" {
			return fmt.Sprintf("interrupted after every %d steps (-want +got):\n%s", steps, diff)
		}
	}
	return ""
}

// TestCompareResumes is a property test. When it fails it prints the smallest size at which the same seed fails.
func TestCompareResumes(t *testing.T) {
	const size = 40
	first := rand.Uint64()
	for seed := first; seed < first+40; seed++ {
		if resumes(t, seed, size) == "" {
			continue
		}
		for smaller := range size + 1 {
			if wrong := resumes(t, seed, smaller); wrong != "" {
				t.Fatalf("seed %d, size %d: %s", seed, smaller, wrong)
			}
		}
	}
}

// TestCompareResumesInAnHourLongerThanPages goes on although no page reaches the end of the hour.
func TestCompareResumesInAnHourLongerThanPages(t *testing.T) {
	from := today.Add(-time.Hour).Truncate(time.Hour)
	k := series{lamp, tslsync.PropertyReport, "p00"}
	w := world{source: newShelf(), from: from, to: today}
	fillSeries(w.source, k, from, today, 5*time.Second)
	w.target = w.source.without(func(_ series, r iot.HistoryRow) bool { return r.At.Equal(from.Add(35 * time.Minute)) })
	got := interrupted(t, w, 1)
	if diff := cmp.Diff(plain(w.source, w.target, from, today, iot.HistoryKept), got.hours); diff != "" {
		t.Errorf("hours (-want +got):\n%s", diff)
	}
	if got.hours[0].First != from.Add(35*time.Minute) {
		t.Errorf("the first missing row is at %v", got.hours[0].First)
	}
}

// FuzzHistoryMerge merges rows that the fuzzer places. Every four bytes are a row: which identifier, when, its value,
// and on which sides it is.
func FuzzHistoryMerge(f *testing.F) {
	f.Add([]byte{0, 1, 1, 3, 0, 1, 1, 1, 0, 2, 1, 2, 1, 255, 2, 3}, uint8(3))
	f.Add([]byte{3, 60, 0, 1, 3, 60, 1, 2, 2, 59, 0, 3}, uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, most uint8) {
		w := world{source: newShelf(), target: newShelf(), from: today.Add(-5 * time.Hour).Truncate(time.Hour), to: today}
		keys := []series{
			{lamp, tslsync.PropertyReport, "p00"}, {lamp, tslsync.PropertyReport, "p01"},
			{lamp, tslsync.EventReport, "alarm"}, {lamp, tslsync.ServiceReport, "reset"},
		}
		for _, s := range []*shelf{w.source, w.target} {
			s.maxRows, s.maxRecords = 12+int(most%20), 12+int(most%7) // more than a row has duplicates
			for _, k := range keys {
				s.rows[k] = nil
			}
		}
		seen := map[string]int{}
		for row := range slices.Chunk(data, 4) {
			if len(row) < 4 {
				break
			}
			k, at := keys[row[0]%4], w.from.Add(time.Duration(row[1])*time.Minute)
			if place := fmt.Sprint(k, at); seen[place] > 10 || !at.Before(w.to) {
				continue
			} else {
				seen[place]++
			}
			for side, s := range []*shelf{w.source, w.target} {
				if row[3]>>side&1 == 1 {
					s.put(k, at, fmt.Sprint(row[2]%4))
				}
			}
		}
		got := gather(t, comparison(w.source, w.target, 12), tslsync.NewCursor(lamp, w.from, w.to))
		if diff := cmp.Diff(plain(w.source, w.target, w.from, w.to, iot.HistoryKept), got.hours, nilIsEmpty); diff != "" {
			t.Errorf("hours (-want +got):\n%s", diff)
		}
	})
}
