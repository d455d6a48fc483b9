package topology

import "github.com/iotferry/iotferry/iot"

// A registry holds the devices that were read, and finds them by ID. Inside, a device is its number in the
// stream: smaller than an ID, and quicker to follow.
type registry struct {
	chunks   [][]node // all full but the last: growing one slice would leave several times its size behind
	len      int
	heads    int // how many devices are no sub-devices
	products map[string]int32
	keys     []string // of the products, by number: the one copy that all devices share
	recent   int32    // the product that was asked for last: the next device is often of the same
	table    table
}

// A node is one device.
type node struct {
	name    string
	product int32
	hash    uint32
	gateway int32 // of a sub-device; or none
	count   int32 // of a gateway: how many sub-devices it has
	place   int32 // of a gateway: where its next sub-device goes
	kind    kind
}

type kind uint8

const (
	isDirect kind = iota
	isGateway
	isSub
)

const (
	none     = int32(-1)
	chunkLen = 1 << 13
)

func newRegistry() *registry {
	return &registry{products: map[string]int32{}, table: newTable()}
}

func (r *registry) at(i int32) *node { return &r.chunks[i/chunkLen][i%chunkLen] }

func (r *registry) id(n *node) iot.DeviceID {
	return iot.DeviceID{ProductKey: r.keys[n.product], DeviceName: n.name}
}

// add takes a device in. It is not found before index has run.
func (r *registry) add(m Member) error {
	n := node{name: m.ID.DeviceName, gateway: none}
	switch m.Node {
	case iot.Direct:
		r.heads++
	case iot.Gateway:
		r.heads++
		n.kind = isGateway
	case iot.SubDevice:
		n.kind = isSub
	default:
		return &Error{Reason: UnknownNodeType, Device: m.ID}
	}
	n.product = r.product(m.ID.ProductKey)
	if n.product == none {
		n.product = r.addProduct(m.ID.ProductKey)
	}
	r.push(n)
	return nil
}

func (r *registry) addProduct(key string) int32 {
	number := int32(len(r.keys))
	r.keys = append(r.keys, key)
	r.products[key] = number
	return number
}

func (r *registry) push(n node) {
	if r.len%chunkLen == 0 {
		r.chunks = append(r.chunks, make([]node, 0, chunkLen))
	}
	last := &r.chunks[len(r.chunks)-1]
	*last = append(*last, n)
	r.len++
}

// index makes the devices findable. Only now is it known how many there are. As with a batch, the
// loops are short so that the processor can look ahead.
func (r *registry) index() error {
	r.table.grow(r.len)
	for _, chunk := range r.chunks {
		for i := range chunk {
			chunk[i].hash = r.table.hash(chunk[i].product, chunk[i].name)
		}
	}
	for i := range int32(r.len) {
		n := r.at(i)
		s := r.slot(n.product, n.name, n.hash)
		if s.node != 0 {
			return &Error{Reason: DuplicateDevice, Device: r.id(n)}
		}
		*s = slot{hash: n.hash, node: i + 1}
	}
	return nil
}

// product returns the number of a product, or none.
func (r *registry) product(key string) int32 {
	if int(r.recent) < len(r.keys) && r.keys[r.recent] == key {
		return r.recent
	}
	number, ok := r.products[key]
	if !ok {
		return none
	}
	r.recent = number
	return number
}

// A batch finds many devices at a time. In a large fleet nearly every look into the table and at a node waits for
// memory. The looks of one round do not depend on each other, so that the processor makes many at once.
type batch struct {
	ids      []iot.DeviceID
	products [batchLen]int32
	hashes   [batchLen]uint32
	likely   [batchLen]bool
	found    [batchLen]int32 // the numbers of ids, or none
}

const batchLen = 256

// find sets b.found.
func (r *registry) find(b *batch) {
	for i := range b.ids {
		b.products[i] = r.product(b.ids[i].ProductKey)
		b.hashes[i] = r.table.hash(b.products[i], b.ids[i].DeviceName)
	}
	for i := range b.ids {
		b.found[i] = r.table.guess(b.hashes[i])
	}
	for i := range b.ids {
		b.likely[i] = b.found[i] != none && r.at(b.found[i]).hash == b.hashes[i]
	}
	for i := range b.ids {
		product, name := b.products[i], b.ids[i].DeviceName
		if !b.likely[i] || !r.is(b.found[i], product, name) {
			b.found[i] = r.slot(product, name, b.hashes[i]).node - 1
		}
	}
}

// is reports whether a node is that device.
func (r *registry) is(i, product int32, name string) bool {
	n := r.at(i)
	return n.product == product && n.name == name
}
