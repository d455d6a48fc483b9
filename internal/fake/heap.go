package fake

// An ordered value knows whether it comes before another one.
type ordered[T any] interface{ before(T) bool }

// A heap keeps the value that comes before all others at index 0.
type heap[T ordered[T]] []T

func (h *heap[T]) push(v T) {
	*h = append(*h, v)
	h.up(len(*h) - 1)
}

func (h *heap[T]) pop() T {
	s := *h
	first, last := s[0], len(s)-1
	s[0] = s[last]
	var none T
	s[last] = none
	*h = s[:last]
	h.down(0)
	return first
}

// replace puts v where the first value was.
func (h heap[T]) replace(v T) {
	h[0] = v
	h.down(0)
}

// order makes a heap of values in any order.
func (h heap[T]) order() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

func (h heap[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h[i].before(h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (h heap[T]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if right := child + 1; right < len(h) && h[right].before(h[child]) {
			child = right
		}
		if !h[child].before(h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
