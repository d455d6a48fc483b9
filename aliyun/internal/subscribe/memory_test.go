package subscribe

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestMemoryOfOneMessage(t *testing.T) {
	m := newMemory(10)
	first, second, third := delivery{link: new(link)}, delivery{link: new(link)}, delivery{link: new(link)}
	if got := m.enter("a", first); got != fresh {
		t.Fatalf("first: %v", got)
	}
	if got := m.enter("a", second); got != joined {
		t.Errorf("while it is being handled: %v", got)
	}
	if again := m.leave("a", false); len(again) != 1 || again[0] != second {
		t.Errorf("the delivery that came meanwhile: %v", again)
	}
	if got := m.enter("a", third); got != fresh {
		t.Errorf("after its handling failed: %v", got)
	}
	if again := m.leave("a", true); len(again) != 0 {
		t.Errorf("nothing came meanwhile: %v", again)
	}
	if got := m.enter("a", delivery{}); got != repeated {
		t.Errorf("after it was handled: %v", got)
	}
}

func TestMessagesWithoutIDAreFresh(t *testing.T) {
	m := newMemory(10)
	for range 3 {
		if got := m.enter("", delivery{}); got != fresh {
			t.Fatalf("%v", got)
		}
	}
	if again := m.leave("", true); again != nil || m.enter("", delivery{}) != fresh {
		t.Errorf("messages without an ID are remembered")
	}
}

// TestMemoryIsBounded handles random messages and compares with a list of them: the newest limit are known, and no more than
// twice the limit.
func TestMemoryIsBounded(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	for range 50 {
		limit := 1 + random.IntN(20)
		m := newMemory(limit)
		var handled []string // the newest last
		for i := range 300 {
			id := fmt.Sprint(random.IntN(100))
			if m.enter(id, delivery{}) == fresh {
				m.leave(id, true)
				handled = append(handled, id)
			}
			if known := len(m.young) + len(m.old); known > 2*limit {
				t.Fatalf("seed %d, step %d: %d messages are known with a limit of %d", seed, i, known, limit)
			}
			for _, id := range handled[max(0, len(handled)-limit):] {
				if got := m.enter(id, delivery{}); got != repeated {
					t.Fatalf("seed %d, step %d: message %s is one of the newest %d and is not known", seed, i, id, limit)
				}
			}
		}
		if len(m.flying) != 0 {
			t.Errorf("seed %d: %d messages are still being handled", seed, len(m.flying))
		}
	}
}
