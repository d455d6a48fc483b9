package fake

import "math/bits"

// A rankedSet is a set of small numbers that can be asked for its k-th member (a Fenwick tree). An
// instance's device list is one, over the devices of a product in the order of their creation: a page is
// found at once, however many devices have moved away.
type rankedSet struct {
	tree []int32 // tree[0] is unused
	size int
}

// grow makes room for the numbers below n.
func (r *rankedSet) grow(n int) {
	for i := max(len(r.tree), 1); i <= n; i++ {
		if len(r.tree) == 0 {
			r.tree = append(r.tree, 0)
		}
		r.tree = append(r.tree, int32(r.below(i-1)-r.below(i-i&-i)))
	}
}

// add counts the number i by delta, 1 or -1.
func (r *rankedSet) add(i, delta int) {
	r.size += delta
	for j := i + 1; j < len(r.tree); j += j & -j {
		r.tree[j] += int32(delta)
	}
}

// below tells how many members are less than i.
func (r *rankedSet) below(i int) int {
	n := 0
	for j := min(i, len(r.tree)-1); j > 0; j -= j & -j {
		n += int(r.tree[j])
	}
	return n
}

// at returns the member of rank k, from 0; k must be less than size.
func (r *rankedSet) at(k int) int {
	i := 0
	for step := 1 << bits.Len(uint(len(r.tree))); step > 0; step >>= 1 {
		if next := i + step; next < len(r.tree) && int(r.tree[next]) <= k {
			i, k = next, k-int(r.tree[next])
		}
	}
	return i
}
