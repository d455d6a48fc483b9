package route

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Store keeps what a table knows between two processes: a table of the caller's own database, with the device as its key, or
// a [File]. It must be safe for concurrent use if it is used by several tables.
type Store interface {
	// Load yields all facts that were saved, in any order. Of a device it may yield older ones as well.
	Load(ctx context.Context) iter.Seq2[Fact, error]
	// Save keeps facts. Each replaces what was saved of its device; a device whose name is empty is one as well. In a store that several
	// tables share it must not replace what is newer. Facts are durable when it returns nil; after an error, any of them may be.
	Save(ctx context.Context, facts []Fact) error
}

// saveBatch is how many facts a store gets at once.
const saveBatch = 10_000

// loadBatch is how many facts are learned at once.
const loadBatch = 1000

// Load learns all that a store has. What the table knows already stays, where it is newer. Its errors are those of the store, and
// [iot.Invalid] for a fact that cannot be; what came before the error was learned, and the table can be used.
func (t *Table) Load(ctx context.Context, s Store) error {
	t.track()
	batch := make([]Fact, 0, loadBatch)
	learn := func() error {
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, f := range batch {
			if err := t.restore(f); err != nil {
				return fmt.Errorf("load what is known of devices: %w", err)
			}
		}
		batch = batch[:0]
		return nil
	}
	for f, err := range s.Load(ctx) {
		if err == nil {
			err = f.check()
		}
		if err != nil {
			return fmt.Errorf("load what is known of devices: %w", err)
		}
		if batch = append(batch, f); len(batch) == loadBatch {
			if err := learn(); err != nil {
				return err
			}
		}
	}
	return learn()
}

// restore learns a fact that the store has. Where it was news, it need not be saved again.
func (t *Table) restore(f Fact) error {
	p := t.product(f.Device.ProductKey)
	before := len(p.changed)
	restNew := p.restNew
	if err := t.learn(f); err != nil {
		return err
	}
	if f.Device.DeviceName == "" {
		p.restNew = restNew
	}
	if len(p.changed) > before {
		last := len(p.changed) - 1
		t.names.setChanged(p.changed[last], false)
		p.changed = p.changed[:last]
	}
	return nil
}

// Save gives a store what has changed since the last Save, or all if none was: call it every few seconds, and once more when
// the process ends. What changes meanwhile is left for the next Save. After an error the next Save tries the same again. Use one store
// for a table.
func (t *Table) Save(ctx context.Context, s Store) error {
	t.saving.Lock()
	defer t.saving.Unlock()
	t.track()
	for left := t.unsaved(); len(left) > 0; {
		facts := t.takeChanged(left)
		if err := s.Save(ctx, facts); err != nil {
			t.putBack(facts)
			return fmt.Errorf("save what is known of devices: %w", err)
		}
	}
	return nil
}

// track begins to note changes, and notes everything that is there.
func (t *Table) track() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tracking {
		return
	}
	t.tracking = true
	for _, p := range *t.products.Load() {
		ix := p.index.Load()
		for i := range ix.slots {
			if s := slot(ix.slots[i].Load()); s != 0 {
				t.note(p, s.ref())
			}
		}
	}
}

// note remembers that a record has to be saved.
func (t *Table) note(p *product, ref uint32) {
	if t.tracking && t.names.setChanged(ref, true) {
		p.changed = append(p.changed, ref)
	}
}

// unsaved returns how many devices of each product have changed. A product is there with none if only its rest has.
func (t *Table) unsaved() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := map[string]int{}
	for key, p := range *t.products.Load() {
		if len(p.changed) > 0 || p.restNew {
			left[key] = len(p.changed)
		}
	}
	return left
}

// takeChanged returns a batch of what is left to be saved, products in the order of their keys, and what changed first before the others.
func (t *Table) takeChanged(left map[string]int) []Fact {
	t.mu.Lock()
	defer t.mu.Unlock()
	var facts []Fact
	for _, key := range slices.Sorted(maps.Keys(left)) {
		p := (*t.products.Load())[key]
		if p.restNew {
			p.restNew = false
			facts = append(facts, Fact{iot.DeviceID{ProductKey: key}, Place(p.rest.Load()), time.Unix(0, p.restAt).UTC()})
		}
		n := max(0, min(left[key], saveBatch-len(facts)))
		for _, ref := range p.changed[:n] {
			facts = append(facts, t.saved(key, p, ref))
		}
		if p.changed = p.changed[n:]; len(p.changed) == 0 {
			p.changed = nil
		}
		if left[key] -= n; left[key] == 0 {
			delete(left, key)
		}
	}
	return facts
}

// saved returns the fact in a record that is not marked any more.
func (t *Table) saved(key string, p *product, ref uint32) Fact {
	t.names.setChanged(ref, false)
	name := string(t.names.name(ref))
	s, _ := p.index.Load().find(&t.names, t.hash(name), name)
	return Fact{iot.DeviceID{ProductKey: key, DeviceName: name}, s.place(), time.Unix(0, t.names.at(ref)).UTC()}
}

// putBack notes that facts were not saved.
func (t *Table) putBack(facts []Fact) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range facts {
		p := t.product(f.Device.ProductKey)
		if f.Device.DeviceName == "" {
			p.restNew = true
			continue
		}
		if s, _ := p.index.Load().find(&t.names, t.hash(f.Device.DeviceName), f.Device.DeviceName); s != 0 {
			t.note(p, s.ref())
		}
	}
}
