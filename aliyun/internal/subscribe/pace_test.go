package subscribe

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackOffDoublesUpToItsBound(t *testing.T) {
	var p pace
	for want := firstPause; want < 4*longestPause; want *= 2 {
		full := min(want, longestPause)
		if got := p.next(); got < full/2 || got >= full {
			t.Errorf("pause of %v, want %v to %v", got, full/2, full)
		}
	}
	p.reset()
	if got := p.next(); got >= firstPause {
		t.Errorf("pause after a reset: %v", got)
	}
}

func TestBackOffsDiffer(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 20 {
		seen[new(pace).next()] = true
	}
	if len(seen) < 2 {
		t.Error("all connections come back at the same moment")
	}
}

// TestGate lets many pass, and looks at every window of a minute.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		var at []time.Time
		for i := range 350 {
			if i == 120 {
				time.Sleep(90 * time.Second) // a quiet time allows no burst later
			}
			if err := g.pass(t.Context()); err != nil {
				t.Fatal(err)
			}
			at = append(at, time.Now())
			if i >= maxConnects && at[i].Sub(at[i-maxConnects]) < time.Minute {
				t.Fatalf("connects %d and %d are only %v apart", i-maxConnects, i, at[i].Sub(at[i-maxConnects]))
			}
		}
		if took := at[len(at)-1].Sub(at[0]); took != 270*time.Second {
			t.Errorf("350 connects took %v, and could take 4m30s", took)
		}
	})
}

func TestGateObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var err error
		for err == nil {
			err = g.pass(ctx)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := g.pass(ctx); err == nil {
			t.Error("passed with a context that had ended")
		}
	})
}
