package route

import "bytes"

// Trace returns all of a name's hash that an index of the least size looks at.
func (t *Table) Trace(name string) uint64 {
	h := t.hash(name)
	return h>>tagShift<<tagShift | h&(minSlots-1)
}

// Without are the APIs that take no instance.
func Without() []string { return without }

// CompactFrom is from how many facts on a file is written anew.
const CompactFrom = compactFrom

// ReadFile returns the facts in the text of a file, and how much of it is whole.
func ReadFile(text []byte) (facts []Fact, whole int64, err error) {
	whole, err = readFrames(bytes.NewReader(text), func(f []Fact) error {
		facts = append(facts, f...)
		return nil
	})
	return facts, whole, err
}

// WriteFile returns the text of a file with these facts.
func WriteFile(facts []Fact) []byte { return appendFrame([]byte(fileHeader), facts) }
