package topology

import "hash/maphash"

// A table finds nodes: a hash table with linear probing that holds numbers instead of IDs. A map keyed by
// ID would take several times its memory, and as long as all the rest of building families.
type table struct {
	seed  maphash.Seed
	slots []slot // a power of two, at most half of them used
}

type slot struct {
	hash uint32
	node int32 // number plus one; 0 is an empty slot
}

func newTable() table { return table{seed: maphash.MakeSeed()} }

// grow makes room for n nodes.
func (t *table) grow(n int) {
	size := 8
	for size < 2*n {
		size *= 2
	}
	t.slots = make([]slot, size)
}

// hash mixes the product in, as products often use the same names.
func (t *table) hash(product int32, name string) uint32 {
	const golden = 0x9e3779b97f4a7c15 // odd, and spreads neighbouring numbers far apart
	h := maphash.String(t.seed, name) ^ uint64(product+1)*golden
	return uint32(h>>32) ^ uint32(h)
}

// guess returns the node whose place is the first for hash, or none.
func (t *table) guess(hash uint32) int32 {
	return t.slots[hash&uint32(len(t.slots)-1)].node - 1
}

// slot returns the slot of a device: its own, or the empty one where it belongs.
func (r *registry) slot(product int32, name string, hash uint32) *slot {
	slots := r.table.slots
	mask := uint32(len(slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &slots[i]
		if s.node == 0 || s.hash == hash && r.is(s.node-1, product, name) {
			return s
		}
	}
}
