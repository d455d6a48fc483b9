package route_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/route"
)

// A file cut at any byte has all that was saved before the last Save; and the next Save goes on from there.
func TestFileCutAnywhere(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "table")
	table, store := newTable(t), route.NewFile(path)
	var sizes []int
	for i := range 4 {
		learn(t, table, route.Fact{Device: device(fmt.Sprintf("meter-%d", i)), Place: route.Target, At: begin.Add(time.Duration(i))})
		save(t, table, store)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, int(info.Size()))
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		for tail, rest := range map[string][]byte{"cut": nil, "zeros": make([]byte, 700)} {
			if tail == "zeros" && cut < sizes[0] {
				continue // the first save is written beside
			}
			torn := filepath.Join(dir, "torn")
			if err := os.WriteFile(torn, append(whole[:cut:cut], rest...), 0o600); err != nil {
				t.Fatal(err)
			}
			checkTorn(t, torn, fmt.Sprintf("%s at %d of %v", tail, cut, sizes), cut, sizes)
		}
	}
}

func checkTorn(t *testing.T, path, what string, cut int, sizes []int) {
	t.Helper()
	store, table := route.NewFile(path), newTable(t)
	if err := table.Load(t.Context(), store); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	for i, size := range sizes {
		want := route.Source
		if cut >= size {
			want = route.Target
		}
		expectPlace(t, fmt.Sprintf("%s: save %d", what, i), table.Lookup(device(fmt.Sprintf("meter-%d", i))), want)
	}
	learn(t, table, route.Fact{Device: device("meter-new"), Place: route.Target, At: begin})
	save(t, table, store)
	expectPlace(t, what+": the next save", loaded(t, route.NewFile(path)).Lookup(device("meter-new")), route.Target)
}

// What a crash left of a long Save is not taken for a part of the short one that follows.
func TestFileAfterALongTear(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	table, store := newTable(t), route.NewFile(path)
	learn(t, table, route.Fact{Device: device("meter-first"), Place: route.Target, At: begin})
	save(t, table, store)
	for i := range 500 {
		learn(t, table, route.Fact{Device: device(fmt.Sprintf("meter-%d", i)), Place: route.Target, At: begin})
	}
	save(t, table, store)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-1); err != nil {
		t.Fatal(err)
	}
	store = route.NewFile(path)
	table = loaded(t, store)
	learn(t, table, route.Fact{Device: device("meter-last"), Place: route.Target, At: begin})
	save(t, table, store)
	again := loaded(t, route.NewFile(path))
	expectPlace(t, "before the crash", again.Lookup(device("meter-first")), route.Target)
	expectPlace(t, "lost by it", again.Lookup(device("meter-499")), route.Source)
	expectPlace(t, "after it", again.Lookup(device("meter-last")), route.Target)
}

// A byte that changed before the last Save is damage, and is never read as something else.
func TestFileDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	table, store := newTable(t), route.NewFile(path)
	for i := range 3 {
		learn(t, table, route.Fact{Device: device(fmt.Sprintf("meter-%d", i)), Place: route.Target, At: begin.Add(time.Duration(i))})
		save(t, table, store)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := bytes.LastIndex(whole, []byte("meter-2")) - 14
	for i := range last {
		bad := slices.Clone(whole)
		bad[i] ^= 0x10
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := newTable(t).Load(t.Context(), route.NewFile(path)); !errors.Is(err, route.ErrDamaged) {
			t.Fatalf("byte %d of %d: error %v", i, last, err)
		}
		if err := table.Save(t.Context(), route.NewFile(path)); i%20 == 0 && err != nil {
			t.Fatalf("nothing to save: %v", err)
		}
	}
}

// A file does not grow for ever.
func TestFileIsWrittenAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	store, table := route.NewFile(path), newTable(t)
	const devices = 2000
	facts := make([]route.Fact, devices)
	largest := int64(0)
	for round := range 6 * route.CompactFrom / 5 / devices {
		for i := range facts {
			facts[i] = route.Fact{Device: device(fmt.Sprintf("meter-%d", i)), Place: route.Place(1 + round%2), At: begin.Add(time.Duration(round))}
		}
		learn(t, table, facts...)
		save(t, table, store)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	if most := int64(route.CompactFrom * 24); largest > most {
		t.Errorf("the file had %d bytes, want %d at most", largest, most)
	}
	again := loaded(t, route.NewFile(path))
	if again.Len() != devices {
		t.Errorf("%d devices", again.Len())
	}
	for _, f := range facts {
		expectPlace(t, f.Device.String(), again.Lookup(f.Device), f.Place)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("files %v, error %v", files, err)
	}
}

func TestFileErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nowhere", "table")
	store, table := route.NewFile(path), newTable(t)
	learn(t, table, route.Fact{Device: device("meter-0001"), Place: route.Target, At: begin})
	if err := table.Save(t.Context(), store); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	path = filepath.Join(t.TempDir(), "table")
	if err := table.Save(ended, route.NewFile(path)); !errors.Is(err, context.Canceled) {
		t.Errorf("a done context: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a done context has written: %v", err)
	}
	save(t, table, route.NewFile(path))
	if err := newTable(t).Load(ended, route.NewFile(path)); !errors.Is(err, context.Canceled) {
		t.Errorf("a done context: %v", err)
	}
}

// Whatever is in a file, it is read or refused; what was read can be learned, and is read again as it was written.
func FuzzFile(f *testing.F) {
	seed := route.WriteFile(history(rand.New(rand.NewPCG(1, 1)), 5, 9))
	f.Add(seed)
	f.Add(append(seed[:len(seed):len(seed)], seed[17:]...)) // two frames
	f.Add(seed[:len(seed)-3])
	f.Add([]byte("iotferry route 1\n\x04\x00\x00\x00"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		facts, whole, err := route.ReadFile(text)
		if err != nil {
			if !errors.Is(err, route.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if again, n, err := route.ReadFile(text[:whole]); err != nil || n != whole || !cmp.Equal(facts, again) {
			t.Errorf("what is whole is not: %d of %d, error %v", n, whole, err)
		}
		learn(t, newTable(t), facts...)
		if len(facts) == 0 {
			return
		}
		again, _, err := route.ReadFile(route.WriteFile(facts))
		if diff := cmp.Diff(facts, again); diff != "" || err != nil {
			t.Errorf("error %v (-want +got):\n%s", err, diff)
		}
	})
}
