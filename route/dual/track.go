package dual

import (
	"slices"
	"time"
)

// A track is what is remembered of one device.
type track struct {
	lastFrom             time.Time // at the one instance
	firstTo, lastTo      time.Time // at the other, not before lastFrom; zero if there is none
	messages, duplicates int
	ids                  []uint64 // hashes of those of the newest messages, in a ring
	oldest               int
	numbers              numbers
}

// remembered is how many IDs of messages a device's track holds: one that comes again comes within a few.
const remembered = 32

// again reports whether a message whose ID has this hash came before, and remembers it.
func (t *track) again(id uint64) bool {
	switch {
	case slices.Contains(t.ids, id):
		return true
	case len(t.ids) < remembered:
		t.ids = append(t.ids, id)
	default:
		t.ids[t.oldest] = id
		t.oldest = (t.oldest + 1) % remembered
	}
	return false
}

// seen notes when a message was generated. A device that has come back is measured by its next move.
func (t *track) seen(at time.Time, there bool) {
	switch {
	case at.IsZero():
	case !there && at.After(t.lastFrom):
		t.lastFrom = at
		if t.firstTo.Before(at) {
			t.firstTo = t.lastTo // the first of this stay is not known if there are several
		}
		if t.lastTo.Before(at) {
			t.firstTo, t.lastTo = time.Time{}, time.Time{}
		}
	case there && !at.Before(t.lastFrom):
		if t.firstTo.IsZero() || at.Before(t.firstTo) {
			t.firstTo = at
		}
		if at.After(t.lastTo) {
			t.lastTo = at
		}
	}
}

// A span is the numbers from the first to the last, both included.
type span struct{ first, last uint64 }

// numbers are those that came: spans in order, none next to another.
type numbers struct {
	spans []span
	gone  uint64 // that were missing below the spans when there were too many of these
}

// maxSpans bounds the spans of a device. With more, what is missing between the two lowest counts as lost for good, and
// comes twice if it comes later.
const maxSpans = 64

// add adds a number, and reports whether it is new.
func (n *numbers) add(x uint64) bool {
	i, _ := slices.BinarySearchFunc(n.spans, x, func(s span, x uint64) int {
		if s.last < x {
			return -1
		}
		return 1
	})
	// Span i is the first that ends at x or above.
	if i < len(n.spans) && n.spans[i].first <= x {
		return false
	}
	n.spans = slices.Insert(n.spans, i, span{x, x})
	n.join(i)
	n.join(i - 1)
	if len(n.spans) > maxSpans {
		n.gone += n.spans[1].first - n.spans[0].last - 1
		n.spans[1].first = n.spans[0].first
		n.spans = slices.Delete(n.spans, 0, 1)
	}
	return true
}

// join makes one of span i and the next, if nothing is between them.
func (n *numbers) join(i int) {
	if i >= 0 && i+1 < len(n.spans) && n.spans[i].last+1 == n.spans[i+1].first {
		n.spans[i].last = n.spans[i+1].last
		n.spans = slices.Delete(n.spans, i+1, i+2)
	}
}

// missing returns how many numbers are missing between the lowest and the highest that came.
func (n *numbers) missing() uint64 {
	sum := n.gone
	for i := 1; i < len(n.spans); i++ {
		sum += n.spans[i].first - n.spans[i-1].last - 1
	}
	return sum
}
