package route

// Trace returns all of a name's hash that an index of the least size looks at.
func (t *Table) Trace(name string) uint64 {
	h := t.hash(name)
	return h>>tagShift<<tagShift | h&(minSlots-1)
}

// Without are the APIs that take no instance.
func Without() []string { return without }

// CompactFrom is from how many facts on a file is written anew.
const CompactFrom = compactFrom
