package topology

import (
	"cmp"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// patience is for how many calls a family waits, beyond those that its own devices need, so that calls are full.
// With families of 1 to 50 devices, 14 costs 3 % more calls than there must be, and splits of 4 s at 5 calls per
// second (95th percentile); 18 costs 1.5 % and 4.8 s; 20 costs 1 % and 5 s.
const patience = 18

// A packer fills calls. A family is waiting until its first device is in a call, open until its gateway is, then done.
// The gateway joins a buffer when the last of its sub-devices is in a call, never before.
type packer struct {
	families []Family
	progress []progress
	buffers  map[string]*buffer // by product key
	order    []*buffer          // the same, in the order of their first use
	open     []int32            // families, by their first calls; done ones are dropped when they come to the front
	calls    []Call
}

// A buffer is the next call of a product.
type buffer struct {
	productKey string
	names      []string
	owners     [iot.MaxMove]int32 // the family of each name
}

type progress struct {
	left     int32 // sub-devices that are in no call yet
	due      int32 // the number of calls at which an open family must not wait longer
	started  bool
	buffered bool // all sub-devices are in calls or buffers
	done     bool
}

func newPacker(families []Family) *packer {
	return &packer{
		families: families,
		progress: make([]progress, len(families)),
		buffers:  map[string]*buffer{},
	}
}

// packingOrder returns the indexes of families in the order in which to pack them: those of the same products
// together, as what one of them leaves over fills up with its neighbour's, and otherwise as they come.
// Larger sets of products go first, so that single devices are last, and hold up no gateway.
func packingOrder(families []Family) []int32 {
	products := make([][]string, len(families))
	order := make([]int32, len(families))
	for i, f := range families {
		products[i], order[i] = f.products(), int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		return cmp.Or(
			cmp.Compare(len(products[b]), len(products[a])),
			slices.Compare(products[a], products[b]))
	})
	return order
}

// add puts a family's devices into buffers, and makes the calls that get full or must not wait.
func (p *packer) add(i int32) {
	f := p.families[i]
	if f.Len() == 0 {
		return
	}
	g := &p.progress[i]
	g.left = int32(len(f.children()))
	p.buffer(f.ID().ProductKey) // takes its place in the order, before those of single devices
	for _, id := range f.children() {
		p.put(id, i)
		p.relieve()
	}
	g.buffered = true
	if len(f.children()) == 0 {
		p.put(f.ID(), i)
	}
	p.relieve()
}

// put adds a device of family i to the buffer of its product.
func (p *packer) put(id iot.DeviceID, i int32) {
	b := p.buffer(id.ProductKey)
	if b.names == nil {
		b.names = make([]string, 0, iot.MaxMove)
	}
	b.owners[len(b.names)] = i
	b.names = append(b.names, id.DeviceName)
	if len(b.names) == iot.MaxMove {
		p.call(b)
	}
}

func (p *packer) buffer(productKey string) *buffer {
	b := p.buffers[productKey]
	if b == nil {
		b = &buffer{productKey: productKey}
		p.buffers[productKey] = b
		p.order = append(p.order, b)
	}
	return b
}

// call makes the call of a buffer, full or not.
func (p *packer) call(b *buffer) {
	owners := b.owners // a copy: gateways may go to the same buffer
	n := len(b.names)
	p.calls = append(p.calls, Call{ProductKey: b.productKey, Names: slices.Clip(b.names)})
	b.names = nil
	for _, i := range owners[:n] {
		p.called(i)
	}
}

// called notes that a device of family i is in the call just made.
func (p *packer) called(i int32) {
	f, g := p.families[i], &p.progress[i]
	if g.left == 0 {
		g.done = true
		return
	}
	if !g.started {
		g.started = true
		g.due = int32(len(p.calls) + f.calls() + patience)
		p.open = append(p.open, i)
	}
	if g.left--; g.left == 0 {
		p.put(f.ID(), i)
	}
}

// relieve makes the calls for which an open family has waited too long.
func (p *packer) relieve() {
	for i, ok := p.oldest(); ok; i, ok = p.oldest() {
		if g := &p.progress[i]; !g.buffered || int(g.due) > len(p.calls) {
			return
		}
		p.complete(i)
	}
}

// oldest returns the family that has been open for the longest time.
func (p *packer) oldest() (int32, bool) {
	for len(p.open) > 0 {
		if i := p.open[0]; !p.progress[i].done {
			return i, true
		}
		p.open = p.open[1:]
	}
	return 0, false
}

// complete makes the calls that family i still needs: those of its sub-devices, then that of its gateway.
func (p *packer) complete(i int32) {
	f := p.families[i]
	for _, product := range f.products()[1:] {
		if b := p.buffers[product]; b.holds(i) {
			p.call(b)
		}
	}
	if b := p.buffers[f.ID().ProductKey]; b.holds(i) {
		p.call(b)
	}
}

func (b *buffer) holds(i int32) bool {
	return slices.Contains(b.owners[:len(b.names)], i)
}

// finish makes the calls that are left: first those with sub-devices, then those of the gateways that waited for them.
func (p *packer) finish() {
	for _, b := range p.order {
		if slices.ContainsFunc(b.owners[:len(b.names)], func(i int32) bool { return p.progress[i].left > 0 }) {
			p.call(b)
		}
	}
	for _, b := range p.order {
		if len(b.names) > 0 {
			p.call(b)
		}
	}
}

// products returns the family's product keys, each once: the gateway's, then the sub-devices' in order.
func (f Family) products() []string {
	keys := []string{f.ID().ProductKey}
	for _, id := range f.children() {
		if key := id.ProductKey; len(keys) == 1 || keys[len(keys)-1] != key {
			keys = append(keys, key)
		}
	}
	return keys
}

// calls returns how many calls the family's sub-devices fill at least.
func (f Family) calls() int {
	calls, run := 0, 0
	last := ""
	for _, id := range f.children() {
		if id.ProductKey != last {
			last, run = id.ProductKey, 0
		}
		if run%iot.MaxMove == 0 {
			calls++
		}
		run++
	}
	return calls
}
