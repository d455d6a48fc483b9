package route_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

// A database is a store as a backend would write one over a table with the device as its key.
type database struct {
	rows  map[iot.DeviceID]route.Fact
	saved int
	fail  error
}

func (d *database) Load(context.Context) iter.Seq2[route.Fact, error] {
	return func(yield func(route.Fact, error) bool) {
		for f := range maps.Values(d.rows) {
			if !yield(f, d.fail) {
				return
			}
		}
	}
}

func (d *database) Save(_ context.Context, facts []route.Fact) error {
	for i, f := range facts {
		if d.fail != nil && i == len(facts)/2 { // half of it is there
			return d.fail
		}
		d.rows[f.Device] = f
		d.saved++
	}
	return nil
}

func newDatabase() *database { return &database{rows: map[iot.DeviceID]route.Fact{}} }

func save(t testing.TB, table *route.Table, s route.Store) {
	t.Helper()
	if err := table.Save(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func loaded(t testing.TB, s route.Store) *route.Table {
	t.Helper()
	table := newTable(t)
	if err := table.Load(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return table
}

func expectModel(t testing.TB, what string, table *route.Table, want model, devices int) {
	t.Helper()
	for n := range devices + 1 {
		for _, key := range []string{meter, lamp} {
			id := iot.DeviceID{ProductKey: key, DeviceName: fmt.Sprintf("device-%d", n)}
			if got := table.Lookup(id); got != want.lookup(id) {
				t.Fatalf("%s: %s is %v, want %v", what, id, got, want.lookup(id))
			}
		}
	}
}

// What was saved comes back, whatever the store, and only what has changed is saved again.
func TestStores(t *testing.T) {
	for name, open := range map[string]func() route.Store{
		"database": func() route.Store { return newDatabase() },
		"file":     func() route.Store { return route.NewFile(filepath.Join(t.TempDir(), "table")) },
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 7))
			store, want, table := open(), model{}, newTable(t)
			for round := range 20 {
				for _, f := range history(r, 300, 500) {
					f.At = f.At.Add(time.Duration(round) * 100 * time.Millisecond)
					want.learn(f)
					learn(t, table, f)
				}
				save(t, table, store)
				again := loaded(t, store)
				expectModel(t, fmt.Sprint("loaded in round ", round), again, want, 300)
				if round%3 == 2 {
					table = again // another process
				}
			}
		})
	}
}

func TestOnlyChangesAreSaved(t *testing.T) {
	store, table := newDatabase(), newTable(t)
	for i := range 100 {
		learn(t, table, route.Fact{Device: device(fmt.Sprintf("device-%d", i)), Place: route.Target, At: begin})
	}
	for _, step := range []struct {
		what  string
		facts []route.Fact
		want  int
	}{
		{"all", nil, 100},
		{"nothing new", nil, 0},
		{"news of two", []route.Fact{
			{Device: device("device-1"), Place: route.Source, At: begin.Add(1)},
			{Device: device("device-1"), Place: route.Moving, At: begin.Add(2)},
			{Device: device("device-2"), Place: route.Target, At: begin.Add(1)},
		}, 2},
		{"no news", []route.Fact{{Device: device("device-1"), Place: route.Source, At: begin}}, 0},
		{"the rest", []route.Fact{{Device: iot.DeviceID{ProductKey: meter}, Place: route.Target, At: begin}}, 1},
	} {
		learn(t, table, step.facts...)
		store.saved = 0
		save(t, table, store)
		if store.saved != step.want {
			t.Errorf("%s: %d facts were saved, want %d", step.what, store.saved, step.want)
		}
	}
	again := loaded(t, store)
	store.saved = 0
	save(t, again, store)
	if store.saved != 0 {
		t.Errorf("%d facts were saved that the store had", store.saved)
	}
}

// A busyStore is one of a table that learns something whenever it is saved.
type busyStore struct {
	*database
	saving func()
	saves  int
}

func (b *busyStore) Save(ctx context.Context, facts []route.Fact) error {
	b.saves++
	b.saving()
	return b.database.Save(ctx, facts)
}

// Save comes to its end also while devices move all the time. What it leaves is for the next one, and nothing is left for ever.
func TestSaveOfABusyTable(t *testing.T) {
	table := newTable(t)
	store, n := &busyStore{database: newDatabase()}, 0
	store.saving = func() {
		if n++; n > 50 {
			t.Fatal("Save does not end")
		}
		for i := range 1000 {
			learn(t, table, route.Fact{Device: device(fmt.Sprintf("meter-%d-%d", n, i)), Place: route.Target, At: begin})
		}
	}
	const devices = 25_000
	for i := range devices {
		learn(t, table, route.Fact{Device: device(fmt.Sprintf("first-%d", i)), Place: route.Target, At: begin})
	}
	save(t, table, store)
	if store.saves != 3 {
		t.Errorf("%d calls of Save, want 3", store.saves)
	}
	for i := range devices {
		if name := fmt.Sprintf("first-%d", i); store.rows[device(name)].Place != route.Target {
			t.Fatalf("%s is not saved", name)
		}
	}
	store.saving = func() {}
	save(t, table, store)
	if len(store.rows) != table.Len() {
		t.Errorf("%d of %d are saved", len(store.rows), table.Len())
	}
}

func TestSaveAgainAfterError(t *testing.T) {
	store, table, want := newDatabase(), newTable(t), model{}
	for _, f := range history(rand.New(rand.NewPCG(3, 3)), 300, 900) {
		want.learn(f)
		learn(t, table, f)
	}
	store.fail = errors.New("the disk is full")
	if err := table.Save(t.Context(), store); !errors.Is(err, store.fail) {
		t.Errorf("error %v", err)
	}
	if err := newTable(t).Load(t.Context(), store); !errors.Is(err, store.fail) {
		t.Errorf("load: error %v", err)
	}
	store.fail = nil
	save(t, table, store)
	expectModel(t, "after the second try", loaded(t, store), want, 300)
}

// What is learned before Load is kept where it is newer, and saved.
func TestLoadIntoWhatIsKnown(t *testing.T) {
	store, table := newDatabase(), newTable(t)
	known, stale := device("meter-0001"), device("meter-0002")
	store.rows[known] = route.Fact{Device: known, Place: route.Source, At: begin}
	store.rows[stale] = route.Fact{Device: stale, Place: route.Target, At: begin.Add(time.Hour)}
	learn(t, table, route.Fact{Device: known, Place: route.Target, At: begin.Add(time.Minute)},
		route.Fact{Device: stale, Place: route.Source, At: begin})
	if err := table.Load(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	expectPlace(t, "newer than the store", table.Lookup(known), route.Target)
	expectPlace(t, "older than the store", table.Lookup(stale), route.Target)
	save(t, table, store)
	if got := store.rows[known].Place; got != route.Target {
		t.Errorf("the store has %v", got)
	}
}

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
			if tail == "zeros" && cut > 0 && !slices.Contains(sizes, cut) && cut < sizes[0] {
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
	err := table.Load(t.Context(), store)
	if errors.Is(err, route.ErrDamaged) && !slices.Contains(sizes, cut) {
		return // a head of which some bytes are there, then zeros: it says so
	}
	if err != nil {
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
