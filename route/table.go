package route

import (
	"hash/maphash"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Table knows which instance serves a device. It is safe for concurrent use: lookups take no lock, allocate nothing, and never wait
// for who learns. It needs the length of a device's name and about 30 bytes for each device that it was told of, and forgets none.
// Names are compared, not only hashed, so no device is taken for another. Make one with [NewTable].
type Table struct {
	target string
	seed   maphash.Seed
	names  arena
	// products by key. The map that it points to never changes.
	products atomic.Pointer[map[string]*product]

	mu       sync.Mutex // held by who writes
	tracking bool       // changes are noted for the store

	saving sync.Mutex // held by who saves
}

// A product is what is known of the devices of one product.
type product struct {
	index atomic.Pointer[index]
	rest  atomic.Uint32 // the Place of devices that are not in the index

	restAt  int64    // when the rest was there; 0 if nobody told. Guarded by Table.mu, like all below
	changed []uint32 // records of devices that changed since they were saved
	restNew bool     // the rest changed since it was saved
}

// NewTable returns a table that knows nothing: every device is at the source. Target is the ID of the Enterprise instance, such as
// iot-060a0001: a table is about one source and one target.
func NewTable(target string) (*Table, error) {
	if target == "" {
		return nil, invalid("route: a table needs the ID of the target instance")
	}
	return newTable(target), nil
}

func newTable(target string) *Table {
	t := &Table{target: target, seed: maphash.MakeSeed()}
	t.products.Store(&map[string]*product{})
	return t
}

// Target returns the ID of the Enterprise instance.
func (t *Table) Target() string { return t.target }

// Lookup returns where a device is. A device that the table was not told of is where the rest of its product is, and that is
// the source if nobody said otherwise. Without a device name it returns where the rest is.
func (t *Table) Lookup(id iot.DeviceID) Place {
	p := (*t.products.Load())[id.ProductKey]
	if p == nil {
		return Source
	}
	if id.DeviceName != "" {
		if s, _ := p.index.Load().find(&t.names, t.hash(id.DeviceName), id.DeviceName); s != 0 {
			return s.place()
		}
	}
	return Place(p.rest.Load())
}

// Len returns how many devices the table was told of.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, p := range *t.products.Load() {
		n += p.index.Load().used
	}
	return n
}

// Learn adds facts. Of two facts about a device the newer counts, in whatever order they are learned, and as often as they
// come; two of the same time that contradict each other make it [Unsure]. If a fact is [iot.Invalid], none is
// learned. A table takes tens of millions of devices; when it is
// full, the error is [iot.Conflict].
func (t *Table) Learn(facts ...Fact) error {
	for _, f := range facts {
		if err := f.check(); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range facts {
		if err := t.learn(f); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) learn(f Fact) error {
	p := t.product(f.Device.ProductKey)
	at := f.At.UnixNano()
	if f.Device.DeviceName == "" {
		p.learnRest(f.Place, at)
		return nil
	}
	name := f.Device.DeviceName
	hash := t.hash(name)
	ix := p.index.Load()
	s, i := ix.find(&t.names, hash, name)
	if s == 0 {
		ref, ok := t.names.add(name, at)
		if !ok {
			return &iot.Error{Kind: iot.Conflict, Message: "route: the table is full"}
		}
		p.index.Store(ix.insert(t, hash, newSlot(hash, ref, f.Place, Place(p.rest.Load()))))
		t.note(p, ref)
		return nil
	}
	known := t.names.at(s.ref())
	place, at, news := merge(s.place(), known, f.Place, at)
	if news {
		t.names.setAt(s.ref(), at)
		ix.slots[i].Store(uint64(s.with(place)))
		t.note(p, s.ref())
	}
	return nil
}

func (t *Table) hash(name string) uint64 { return maphash.String(t.seed, name) }

// merge returns what is known after a fact, and whether that is news.
func merge(known Place, knownAt int64, place Place, at int64) (Place, int64, bool) {
	switch {
	case at < knownAt, at == knownAt && place == known:
		return known, knownAt, false
	case at == knownAt:
		return Unsure, at, known != Unsure
	}
	return place, at, true
}

func (p *product) learnRest(place Place, at int64) {
	place, at, news := merge(Place(p.rest.Load()), p.restAt, place, at)
	if news {
		p.rest.Store(uint32(place))
		p.restAt, p.restNew = at, true
	}
}

// product returns a product, and begins it if there is none.
func (t *Table) product(key string) *product {
	known := *t.products.Load()
	if p := known[key]; p != nil {
		return p
	}
	p := &product{}
	p.rest.Store(uint32(Source))
	p.index.Store(newIndex(minSlots))
	all := maps.Clone(known)
	all[key] = p
	t.products.Store(&all)
	return p
}

// A state is all that the table knows of a device.
type state struct {
	place Place
	last  Place // the instance where it was known to be last
	since time.Time
}

// state returns what is known of a device. It waits for who writes.
func (t *Table) state(id iot.DeviceID) state {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := (*t.products.Load())[id.ProductKey]
	if p == nil {
		return state{place: Source, last: Source}
	}
	if s, _ := p.index.Load().find(&t.names, t.hash(id.DeviceName), id.DeviceName); s != 0 {
		return state{s.place(), s.last(), time.Unix(0, t.names.at(s.ref()))}
	}
	rest := Place(p.rest.Load())
	last := rest
	if !rest.Known() {
		last = Source
	}
	return state{place: rest, last: last, since: time.Unix(0, p.restAt)}
}
