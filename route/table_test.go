package route_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

func learn(t testing.TB, table *route.Table, facts ...route.Fact) {
	t.Helper()
	if err := table.Learn(facts...); err != nil {
		t.Fatal(err)
	}
}

func expectPlace(t testing.TB, what string, got, want route.Place) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// A model is what a table has to know: the facts of the newest time about each device.
type model map[iot.DeviceID]route.Fact

func (m model) learn(f route.Fact) {
	switch known, ok := m[f.Device]; {
	case !ok, f.At.After(known.At):
		m[f.Device] = f
	case f.At.Equal(known.At) && f.Place != known.Place:
		known.Place = route.Unsure
		m[f.Device] = known
	}
}

func (m model) lookup(id iot.DeviceID) route.Place {
	if f, ok := m[id]; ok {
		return f.Place
	}
	if f, ok := m[iot.DeviceID{ProductKey: id.ProductKey}]; ok {
		return f.Place
	}
	return route.Source
}

func (m model) devices() int {
	n := 0
	for id := range m {
		if id.DeviceName != "" {
			n++
		}
	}
	return n
}

// history makes the facts of devices that move there and back, some of the same time.
func history(r *rand.Rand, devices, facts int) []route.Fact {
	out := make([]route.Fact, facts)
	for i := range out {
		f := route.Fact{Place: route.Place(r.IntN(4)), At: begin.Add(time.Duration(r.IntN(facts/2)) * time.Millisecond)}
		f.Device.ProductKey = []string{meter, lamp}[r.IntN(2)]
		if n := r.IntN(devices + 1); n > 0 {
			f.Device.DeviceName = fmt.Sprintf("device-%d", n)
		}
		out[i] = f
	}
	return out
}

// Whatever order facts come in, and however often: the table knows what the newest say.
func TestTableIsItsModel(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 1))
		devices := 1 + r.IntN(400)
		facts := history(r, devices, 20+r.IntN(3000))
		want := model{}
		for _, f := range facts {
			want.learn(f)
		}
		for round := range 3 {
			table := newTable(t)
			again := facts
			if round > 0 {
				again = append(again[:len(again):len(again)], facts[:len(facts)/3]...)
				r.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
			}
			now := model{}
			for i, f := range again {
				learn(t, table, f)
				now.learn(f)
				if got := table.Lookup(f.Device); got != now.lookup(f.Device) {
					t.Fatalf("seed %d, round %d, fact %d %v: %v, want %v", seed, round, i, f, got, now.lookup(f.Device))
				}
			}
			for n := range devices + 2 {
				for _, key := range []string{meter, lamp, "a1Nobody001"} {
					id := iot.DeviceID{ProductKey: key, DeviceName: fmt.Sprintf("device-%d", n)}
					if got := table.Lookup(id); got != want.lookup(id) {
						t.Fatalf("seed %d, round %d: %s is %v, want %v", seed, round, id, got, want.lookup(id))
					}
				}
			}
			if table.Len() != want.devices() {
				t.Errorf("seed %d: %d devices, want %d", seed, table.Len(), want.devices())
			}
		}
	}
}

// A rollback is newer than the move, so a message about the move that comes late changes nothing.
func TestLateNewsAreNoNews(t *testing.T) {
	table := newTable(t)
	id := device("meter-0001")
	expectPlace(t, "before", table.Lookup(id), route.Source)
	learn(t, table, route.Fact{Device: id, Place: route.Target, At: begin.Add(time.Hour)})
	expectPlace(t, "moved", table.Lookup(id), route.Target)
	learn(t, table, route.Fact{Device: id, Place: route.Source, At: begin.Add(2 * time.Hour)})
	learn(t, table, route.Fact{Device: id, Place: route.Target, At: begin.Add(time.Hour)})
	expectPlace(t, "returned", table.Lookup(id), route.Source)
}

func TestRestOfProduct(t *testing.T) {
	table := newTable(t)
	known, other := device("meter-0001"), device("meter-0002")
	learn(t, table, route.Fact{Device: known, Place: route.Source, At: begin})
	learn(t, table, route.Fact{Device: iot.DeviceID{ProductKey: meter}, Place: route.Target, At: begin})
	expectPlace(t, "a device that is known", table.Lookup(known), route.Source)
	expectPlace(t, "one that is not", table.Lookup(other), route.Target)
	expectPlace(t, "the product", table.Lookup(iot.DeviceID{ProductKey: meter}), route.Target)
	expectPlace(t, "another product", table.Lookup(iot.DeviceID{ProductKey: lamp, DeviceName: "lamp-1"}), route.Source)
}

// Two names that the index cannot tell apart by their hashes are two devices.
func TestCollisionIsNoAnswer(t *testing.T) {
	table := newTable(t)
	seen := map[uint64]string{}
	for i := 0; ; i++ {
		name := fmt.Sprintf("meter-%d", i)
		twin, ok := seen[table.Trace(name)]
		seen[table.Trace(name)] = name
		if !ok {
			continue
		}
		learn(t, table, route.Fact{Device: device(name), Place: route.Target, At: begin})
		expectPlace(t, "the one that is known", table.Lookup(device(name)), route.Target)
		expectPlace(t, "its twin", table.Lookup(device(twin)), route.Source)
		learn(t, table, route.Fact{Device: device(twin), Place: route.Moving, At: begin})
		expectPlace(t, "the one", table.Lookup(device(name)), route.Target)
		expectPlace(t, "its twin, on its way", table.Lookup(device(twin)), route.Moving)
		return
	}
}

func TestLearnRefuses(t *testing.T) {
	table := newTable(t)
	good := route.Fact{Device: device("meter-0001"), Place: route.Target, At: begin}
	for name, f := range map[string]route.Fact{
		"no product":    {Device: iot.DeviceID{DeviceName: "meter-0001"}, Place: route.Target, At: begin},
		"no such name":  {Device: device("a b c d"), Place: route.Target, At: begin},
		"a long name":   {Device: device(fmt.Sprintf("%0300d", 1)), Place: route.Target, At: begin},
		"no time":       {Device: good.Device, Place: route.Target},
		"a future time": {Device: good.Device, Place: route.Target, At: begin.AddDate(500, 0, 0)},
		"no place":      {Device: good.Device, Place: 4, At: begin},
	} {
		if err := table.Learn(good, f); iot.KindOf(err) != iot.Invalid {
			t.Errorf("%s: error %v", name, err)
		}
	}
	expectPlace(t, "what came with them", table.Lookup(good.Device), route.Source)
	if _, err := route.NewTable(""); iot.KindOf(err) != iot.Invalid {
		t.Errorf("no target: error %v", err)
	}
}

// Readers see each device where it was, is, or will be, while a writer moves the fleet and the index grows.
func TestReadersWhileOneWrites(t *testing.T) {
	table := newTable(t)
	const devices = 20_000
	ids := make([]iot.DeviceID, devices)
	for i := range ids {
		ids[i] = device(fmt.Sprintf("meter-%d", i))
	}
	var moved atomic.Int64 // devices below are at the target
	var readers sync.WaitGroup
	for n := range 2 {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(uint64(n), 2))
			for moved.Load() < devices {
				i := r.IntN(devices)
				before := moved.Load()
				got := table.Lookup(ids[i])
				if int64(i) < before && got != route.Target || int64(i) > moved.Load() && got != route.Source {
					t.Errorf("device %d of %d is %v", i, before, got)
					return
				}
				runtime.Gosched()
			}
		})
	}
	for i, id := range ids {
		learn(t, table, route.Fact{Device: id, Place: route.Target, At: begin})
		moved.Store(int64(i + 1))
	}
	readers.Wait()
}

func TestLookupDoesNotAllocate(t *testing.T) {
	table := newTable(t)
	id := device("meter-0001")
	learn(t, table, route.Fact{Device: id, Place: route.Target, At: begin})
	if n := testing.AllocsPerRun(100, func() { table.Lookup(id) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
