package subscribe

import "sync"

// A memory knows the messages of one group by their IDs: those that are being handled, and the newest of those that have
// been. It is safe for concurrent use.
//
// Handled messages are kept in two generations. A full one becomes the older, and the one that was older is forgotten: at
// least the newest limit messages are known, and at most twice as many, at the price of a map's entry each.
type memory struct {
	limit int

	mu     sync.Mutex
	flying map[string][]delivery // being handled; what came again meanwhile
	joined int                   // how many deliveries flying has
	young  map[string]struct{}   // handled
	old    map[string]struct{}
}

func newMemory(limit int) *memory {
	return &memory{limit: limit, flying: make(map[string][]delivery), young: make(map[string]struct{})}
}

// A fate is what becomes of a delivery.
type fate int

const (
	fresh    fate = iota // to be handled; leave has to be called then
	repeated             // it was handled before: to be accepted
	joined               // it is being handled: leave returns it
)

// enter decides about a delivery. A message without an ID is always fresh.
func (m *memory) enter(id string, d delivery) fate {
	if id == "" {
		return fresh
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if again, ok := m.flying[id]; ok {
		m.flying[id] = append(again, d)
		m.joined++
		return joined
	}
	if m.knows(id) {
		return repeated
	}
	m.flying[id] = nil
	return fresh
}

func (m *memory) knows(id string) bool {
	if _, ok := m.young[id]; ok {
		return true
	}
	_, ok := m.old[id]
	return ok
}

// leave ends the handling of a message and returns what came again meanwhile, to be settled in the same way. A
// message that was not handled is not remembered.
func (m *memory) leave(id string, handled bool) []delivery {
	if id == "" {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var again []delivery
	if m.joined > 0 {
		again = m.flying[id]
		m.joined -= len(again)
	}
	delete(m.flying, id)
	if handled {
		m.remember(id)
	}
	return again
}

func (m *memory) remember(id string) {
	if len(m.young) >= m.limit {
		m.old, m.young = m.young, make(map[string]struct{}, m.limit)
	}
	m.young[id] = struct{}{}
}
