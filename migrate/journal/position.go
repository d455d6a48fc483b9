package journal

import (
	"fmt"
	"sort"

	"github.com/iotferry/iotferry/migrate"
)

// A position is a place between two lines, and what is known of all lines before it. The zero value is the start.
type position struct {
	off   int64  // in bytes
	seq   int64  // of the entry before, which is also its line number
	fence int64  // the highest one so far
	sum   string // of the line before
}

// after returns the position after an entry, but for its offset.
func (p position) after(e *migrate.Entry, sum string) position {
	return position{off: p.off, seq: e.Seq, fence: max(p.fence, e.Fence), sum: sum}
}

// admit reports why entries must not be appended at p. Being fenced comes first: it is final, while a
// conflict asks to try again.
func (p position) admit(after int64, entries []migrate.Entry) error {
	fence := p.fence
	for _, e := range entries {
		if e.Fence != 0 && e.Fence < fence {
			return fmt.Errorf("fence %d, but %d was there: leave the campaign to the newer runner: %w", e.Fence, fence, migrate.ErrFenced)
		}
		fence = max(fence, e.Fence)
	}
	if after != p.seq {
		return fmt.Errorf("append after entry %d, but the last is %d: read the entries since and decide again: %w", after, p.seq, migrate.ErrConflict)
	}
	return nil
}

// An index knows the verified positions of a journal that reading can start from.
type index struct {
	end   position
	marks []position // in order, at least markEvery bytes apart
	tail  []position // the newest, in order, for those who follow what is appended
}

const (
	markEvery = 256 << 10
	tailLen   = 64 // at least, once there are so many
)

// reach records that the journal is verified up to p.
func (x *index) reach(p position) {
	if p.off <= x.end.off {
		return
	}
	x.end = p
	if n := len(x.marks); n == 0 || p.off >= x.marks[n-1].off+markEvery {
		x.marks = append(x.marks, p)
	}
	if len(x.tail) == 2*tailLen {
		x.tail = x.tail[:copy(x.tail, x.tail[tailLen:])]
	}
	x.tail = append(x.tail, p)
}

// learn takes over what a scanner has verified.
func (x *index) learn(from index) {
	for _, p := range from.marks {
		x.reach(p)
	}
	for _, p := range from.tail {
		x.reach(p)
	}
	x.reach(from.end)
}

// start returns the last known position that is not past entry seq.
func (x *index) start(seq int64) position {
	if x.end.seq <= seq {
		return x.end
	}
	if p, ok := lastBefore(x.tail, seq); ok {
		return p
	}
	p, _ := lastBefore(x.marks, seq)
	return p
}

// lastBefore returns the last of some positions in order that is not past entry seq.
func lastBefore(list []position, seq int64) (position, bool) {
	n := sort.Search(len(list), func(i int) bool { return list[i].seq > seq })
	if n == 0 {
		return position{}, false
	}
	return list[n-1], true
}
