package mqtt

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
)

// No period of the span holds more than the limit, and none is refused while there is room.
func TestWindow(t *testing.T) {
	const limit, span = 5, time.Minute
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	w := newWindow(limit, span)
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	var taken []time.Time
	for range 10_000 {
		now = now.Add(time.Duration(r.Int64N(int64(20 * time.Second))))
		within := 0
		for _, at := range taken[max(0, len(taken)-limit):] {
			if now.Sub(at) < span {
				within++
			}
		}
		got := w.take(now)
		if want := within < limit; got != want {
			t.Fatalf("seed %d: with %d in the window got %v, want %v", seed, within, got, want)
		}
		if got {
			taken = append(taken, now)
		}
	}
}

func TestNoLimit(t *testing.T) {
	clock := fake.NewVirtualClock(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC))
	d := newDoor(clock, &Limits{})
	for range 1000 {
		if d.admit() != nil || d.admitDevice(device) != nil {
			t.Fatal("refused without a limit")
		}
	}
}
