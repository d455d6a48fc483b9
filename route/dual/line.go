package dual

import (
	"slices"
	"time"
)

// A line is who waits to be handled of one device, the oldest message first.
type line struct {
	waiting []*entry
	busy    bool          // one is being handled; it does not wait any more
	changed chan struct{} // closed when somebody's turn may have come
}

type entry struct {
	at       time.Time
	released bool // it has waited for long enough, or a younger one has
}

// insert puts e behind all that are not younger. Whoever stands before one that is released is released as well.
func (l *line) insert(e *entry) {
	i, _ := slices.BinarySearchFunc(l.waiting, e, func(w, e *entry) int {
		if w.at.After(e.at) {
			return 1
		}
		return -1
	})
	l.waiting = slices.Insert(l.waiting, i, e)
	e.released = i+1 < len(l.waiting) && l.waiting[i+1].released
}

// release lets e go, and before it all that are older.
func (l *line) release(e *entry) {
	for _, w := range l.waiting {
		w.released = true
		if w == e {
			break
		}
	}
	l.change()
}

// begin takes e out of the line if it is its turn.
func (l *line) begin(e *entry) bool {
	if l.busy || !e.released || l.waiting[0] != e {
		return false
	}
	l.busy = true
	l.waiting = l.waiting[1:]
	return true
}

func (l *line) remove(e *entry) {
	l.waiting = slices.DeleteFunc(l.waiting, func(w *entry) bool { return w == e })
}

// change wakes all who wait.
func (l *line) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// A ring remembers the newest IDs.
type ring struct {
	size   int
	ids    []string
	oldest int
	known  map[string]struct{}
}

func (r *ring) add(id string) {
	if _, ok := r.known[id]; ok || id == "" {
		return
	}
	r.known[id] = struct{}{}
	if len(r.ids) < r.size {
		r.ids = append(r.ids, id)
		return
	}
	delete(r.known, r.ids[r.oldest])
	r.ids[r.oldest] = id
	r.oldest = (r.oldest + 1) % r.size
}
