package route_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

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
