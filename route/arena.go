package route

import (
	"encoding/binary"
	"sync/atomic"
)

// An arena holds the records of devices: when the device was where it is, the length of its name, and the name. What readers look at,
// the name, never changes; the time is the writer's. Memory without pointers costs the garbage collector nothing.
type arena struct {
	// chunks that are there. Those that the slice holds never change their place.
	chunks atomic.Pointer[[]*chunk]
	free   int // where the next record begins, in the last chunk
}

const (
	chunkBits = 16
	maxChunks = 1 << (refBits - chunkBits)
	nameAt    = 8 // the time is before it
	changed   = 1 << 63
)

type chunk [1 << chunkBits]byte

// add makes a record and returns what refers to it, or false if there is no more room.
func (a *arena) add(name string, at int64) (ref uint32, ok bool) {
	size := nameAt + 1 + len(name)
	var chunks []*chunk
	if all := a.chunks.Load(); all != nil {
		chunks = *all
	}
	if len(chunks) == 0 || a.free+size > len(chunk{}) {
		if len(chunks) == maxChunks {
			return 0, false
		}
		chunks = append(chunks, new(chunk))
		a.chunks.Store(&chunks)
		a.free = 0
		if len(chunks) == 1 {
			a.free = 1 // no reference is zero
		}
	}
	record := chunks[len(chunks)-1][a.free : a.free+size]
	record[nameAt] = byte(len(name))
	copy(record[nameAt+1:], name)
	ref = uint32(len(chunks)-1)<<chunkBits | uint32(a.free)
	a.free += size
	a.setAt(ref, at)
	return ref, true
}

// is reports whether a record is that of a name.
func (a *arena) is(ref uint32, name string) bool { return string(a.name(ref)) == name }

// name returns the name in a record, which must not be changed.
func (a *arena) name(ref uint32) []byte {
	c := (*a.chunks.Load())[ref>>chunkBits]
	i := int(ref & (1<<chunkBits - 1))
	n := int(c[i+nameAt])
	return c[i+nameAt+1 : i+nameAt+1+n]
}

func (a *arena) time(ref uint32) []byte {
	i := int(ref & (1<<chunkBits - 1))
	return (*a.chunks.Load())[ref>>chunkBits][i : i+nameAt]
}

// at returns the time in a record, in nanoseconds since 1970.
func (a *arena) at(ref uint32) int64 {
	return int64(binary.LittleEndian.Uint64(a.time(ref)) &^ changed)
}

func (a *arena) setAt(ref uint32, at int64) {
	t := a.time(ref)
	binary.LittleEndian.PutUint64(t, uint64(at)|binary.LittleEndian.Uint64(t)&changed)
}

// setChanged marks a record as changed since it was saved, or not, and reports whether that is news.
func (a *arena) setChanged(ref uint32, is bool) bool {
	t := a.time(ref)
	was := binary.LittleEndian.Uint64(t)
	now := was &^ changed
	if is {
		now |= changed
	}
	binary.LittleEndian.PutUint64(t, now)
	return was != now
}
