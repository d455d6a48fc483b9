package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// Figures tell what became of commands. Each is counted once in Delivered, Unknown, Offline or Failed.
type Figures struct {
	Sent      int `json:"sent"`
	Delivered int `json:"delivered"` // the device has answered
	Elsewhere int `json:"elsewhere"` // of these: at the other instance, after the first one did not have the device
	Unknown   int `json:"unknown"`   // the answer was lost
	Offline   int `json:"offline"`   // the device is not connected
	Failed    int `json:"failed"`    // for any other reason, with no effect

	// Latencies are those of the newest commands, tries and pauses included.
	P50 time.Duration `json:"p50Nanoseconds"`
	P95 time.Duration `json:"p95Nanoseconds"`
}

// String returns the figures as one line.
func (f Figures) String() string {
	return fmt.Sprintf("%d commands: %d delivered, %d of them at the other instance; %d unknown, %d offline, %d failed; p50 %v, p95 %v",
		f.Sent, f.Delivered, f.Elsewhere, f.Unknown, f.Offline, f.Failed, f.P50.Round(time.Microsecond), f.P95.Round(time.Microsecond))
}

// figures count commands. The zero value is ready to use.
type figures struct {
	mu     sync.Mutex
	counts Figures
	newest []time.Duration // a ring
}

const keptLatencies = 10_000

func (f *figures) add(err error, elsewhere bool, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := &f.counts
	if len(f.newest) < keptLatencies {
		f.newest = append(f.newest, took)
	} else {
		f.newest[n.Sent%keptLatencies] = took
	}
	n.Sent++
	switch kind := iot.KindOf(err); {
	case err == nil:
		n.Delivered++
		if elsewhere {
			n.Elsewhere++
		}
	case kind == iot.UnknownOutcome:
		n.Unknown++
	case kind == iot.NotConnected:
		n.Offline++
	default:
		n.Failed++
	}
}

// Figures returns what became of all commands so far.
func (c *Commands) Figures() Figures {
	c.figures.mu.Lock()
	defer c.figures.mu.Unlock()
	out := c.figures.counts
	if sorted := slices.Sorted(slices.Values(c.figures.newest)); len(sorted) > 0 {
		out.P50, out.P95 = sorted[len(sorted)/2], sorted[len(sorted)*95/100]
	}
	return out
}

// A trace is what happened to one command on its way.
type trace struct{ elsewhere atomic.Bool } // an instance did not have the device

type traceKey struct{}

func traced(ctx context.Context) (context.Context, *trace) {
	t := new(trace)
	return context.WithValue(ctx, traceKey{}, t), t
}

// A watched commander is that of one instance. For the figures alone, it notes in the command's trace that its instance does not
// have the device: the router then asks the other one.
type watched struct{ iot.Commander }

func (w watched) Call(ctx context.Context, id iot.DeviceID, payload []byte, timeout time.Duration) ([]byte, error) {
	answer, err := w.Commander.Call(ctx, id, payload, timeout)
	if t, ok := ctx.Value(traceKey{}).(*trace); ok && iot.KindOf(err) == iot.NotFound {
		t.elsewhere.Store(true)
	}
	return answer, err
}
