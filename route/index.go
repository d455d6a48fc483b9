package route

import (
	"hash/maphash"
	"sync/atomic"
)

// A slot is one device in an index, in 64 bits: two for its place, one for the instance where it was last, 31 that refer to
// its record, and 30 of its name's hash. The zero slot is empty.
type slot uint64

const (
	placeBits = 2
	lastBit   = 1 << placeBits // it was at the target last
	refShift  = placeBits + 1
	refBits   = 31
	tagShift  = refShift + refBits
)

func newSlot(hash uint64, ref uint32, place, rest Place) slot {
	s := slot(hash>>tagShift<<tagShift | uint64(ref)<<refShift)
	if rest == Target {
		s |= lastBit
	}
	return s.with(place)
}

// with returns the slot after the device has come to another place.
func (s slot) with(place Place) slot {
	s = s&^(1<<placeBits-1) | slot(place)
	switch place {
	case Target:
		s |= lastBit
	case Source:
		s &^= lastBit
	}
	return s
}

func (s slot) place() Place { return Place(s & (1<<placeBits - 1)) }
func (s slot) ref() uint32  { return uint32(s >> refShift & (1<<refBits - 1)) }

func (s slot) last() Place {
	if s&lastBit != 0 {
		return Target
	}
	return Source
}

// An index finds devices of one product by name: a hash table with linear probing that is at most three quarters full. Its slots change,
// its size does not: who outgrows it makes a new one, so readers never wait.
type index struct {
	slots []atomic.Uint64 // a power of two
	used  int             // of the writer
}

const minSlots = 8

func newIndex(slots int) *index { return &index{slots: make([]atomic.Uint64, slots)} }

// find returns the slot of a device and where it is; the zero slot if there is none.
func (x *index) find(names *arena, hash uint64, name string) (slot, uint64) {
	mask := uint64(len(x.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := slot(x.slots[i].Load())
		if s == 0 || uint64(s)>>tagShift == hash>>tagShift && names.is(s.ref(), name) {
			return s, i
		}
	}
}

// insert adds a device that is not there, and returns the index that holds it: this one, or a larger one.
func (x *index) insert(t *Table, hash uint64, s slot) *index {
	if 4*(x.used+1) > 3*len(x.slots) {
		x = x.grown(t)
	}
	x.put(hash, s)
	return x
}

func (x *index) grown(t *Table) *index {
	larger := newIndex(2 * len(x.slots))
	for i := range x.slots {
		if s := slot(x.slots[i].Load()); s != 0 {
			larger.put(maphash.Bytes(t.seed, t.names.name(s.ref())), s)
		}
	}
	return larger
}

func (x *index) put(hash uint64, s slot) {
	mask := uint64(len(x.slots) - 1)
	i := hash & mask
	for x.slots[i].Load() != 0 {
		i = (i + 1) & mask
	}
	x.slots[i].Store(uint64(s))
	x.used++
}
