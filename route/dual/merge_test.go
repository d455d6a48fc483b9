package dual_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route/dual"
)

// A desk notes what it is given to handle.
type desk struct {
	*testing.T
	merge *dual.Merge
	all   sync.WaitGroup

	mu   sync.Mutex
	got  []string
	busy map[iot.DeviceID]bool
	took time.Duration                 // to handle one
	fail func(m iot.Message) (e error) // may be nil
}

func newDesk(t *testing.T, c dual.MergeConfig) *desk {
	t.Helper()
	d := &desk{T: t, busy: map[iot.DeviceID]bool{}}
	c.Handle = d.handle
	var err error
	if d.merge, err = dual.NewMerge(c); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) handle(_ context.Context, m iot.Message) error {
	id, _ := m.Device()
	d.mu.Lock()
	if d.busy[id] {
		d.Errorf("%s: two of a device are handled at once", m.ID)
	}
	d.busy[id] = true
	d.got = append(d.got, string(m.Payload))
	d.mu.Unlock()
	<-time.After(d.took)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy[id] = false
	if d.fail != nil {
		return d.fail(m)
	}
	return nil
}

// deliver lets the n-th message of a device arrive some time after it was generated.
func (d *desk) deliver(device iot.DeviceID, n int, generated, late time.Duration, instance string) {
	m := message(device, n, time.Now().Add(generated), instance)
	d.all.Go(func() {
		<-time.After(generated + late)
		if err := d.merge.Handle(d.Context(), m); err != nil {
			d.Errorf("%s: %v", m.ID, err)
		}
	})
}

func (d *desk) expect(what string, want ...string) {
	d.Helper()
	d.all.Wait()
	if diff := cmp.Diff(want, d.got); diff != "" {
		d.Errorf("%s (-want +got):\n%s", what, diff)
	}
	if n := d.merge.Lines(); n != 0 {
		d.Errorf("%s: %d lines are left", what, n)
	}
}

const second = time.Second

// The last messages of the source come after the first of the target: they are handled before, if they come in time.
func TestMergeOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, dual.MergeConfig{})
		d.deliver(device(1), 1, 0, 3*second, "")
		d.deliver(device(1), 2, second, 1500*time.Millisecond, "")
		d.deliver(device(1), 3, 2*second, 0, target)
		d.deliver(device(1), 4, 3*second, 0, target)
		d.expect("within two seconds", "1", "2", "3", "4")

		d = newDesk(t, dual.MergeConfig{HoldBack: second})
		d.deliver(device(1), 1, 0, 5*second, "")
		d.deliver(device(1), 2, second, 0, target)
		d.expect("too late", "2", "1")
	})
}

// Whoever a younger one has waited for does not wait any more.
func TestMergeLetsOlderOnesGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, dual.MergeConfig{})
		d.took = 4 * second
		began := time.Now()
		d.deliver(device(1), 1, 0, 0, "")             // handled from 2 s to 6 s
		d.deliver(device(1), 3, 2*second, 0, target)  // may go from 4 s on
		d.deliver(device(1), 2, second, 4*second, "") // comes at 5 s, goes at 6 s
		d.expect("the older one first", "1", "2", "3")
		if took := time.Since(began); took != 14*second {
			t.Errorf("it took %v", took)
		}
	})
}

// A message waits for as long as HoldBack and no longer; those of devices that do not move wait not at all.
func TestMergeHoldsNoLongerThanNeeded(t *testing.T) {
	for name, test := range map[string]struct {
		config dual.MergeConfig
		change func(*iot.Message)
		want   time.Duration
	}{
		"held":             {dual.MergeConfig{}, nil, 2 * second},
		"held for longer":  {dual.MergeConfig{HoldBack: 5 * second}, nil, 5 * second},
		"never":            {dual.MergeConfig{HoldBack: -1}, nil, 0},
		"does not move":    {dual.MergeConfig{Holds: func(iot.DeviceID) bool { return false }}, nil, 0},
		"moves":            {dual.MergeConfig{Holds: func(iot.DeviceID) bool { return true }}, nil, 2 * second},
		"without a time":   {dual.MergeConfig{}, func(m *iot.Message) { m.Generated = time.Time{} }, 0},
		"without a device": {dual.MergeConfig{}, func(m *iot.Message) { m.Topic = "/broadcast" }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(t, test.config)
			m := message(device(1), 1, time.Now(), target)
			if test.change != nil {
				test.change(&m)
			}
			began := time.Now()
			if err := d.merge.Handle(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != test.want {
				t.Errorf("%s: %v, want %v", name, took, test.want)
			}
			d.expect(name, "1")
		})
	}
}

// A message that comes twice is handled once; one that failed is handled again, also if its twin waits already.
func TestMergeHandlesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, dual.MergeConfig{Remember: 2})
		d.took = second
		for n, late := range []time.Duration{0, 0, second, 9 * second} {
			d.deliver(device(1), 1, 0, late, []string{"", target}[n%2])
		}
		d.expect("four times", "1")
		for n := 2; n < 5; n++ {
			d.deliver(device(1), n, time.Duration(n)*time.Millisecond, 0, "")
		}
		d.expect("others", "1", "2", "3", "4")
		d.deliver(device(1), 4, 0, 0, "")
		d.deliver(device(1), 1, 0, 0, "")
		d.expect("only the newest two are remembered", "1", "2", "3", "4", "1")

		d = newDesk(t, dual.MergeConfig{})
		d.took = second
		failures := 1
		d.fail = func(iot.Message) error {
			if failures--; failures == 0 {
				return errors.New("no database")
			}
			return nil
		}
		m := message(device(1), 1, time.Now(), "")
		var failed, fine int
		for range 3 {
			d.all.Go(func() {
				err := d.merge.Handle(t.Context(), m)
				d.mu.Lock()
				defer d.mu.Unlock()
				if err != nil {
					failed++
				} else {
					fine++
				}
			})
		}
		d.expect("the first failed", "1", "1")
		if failed != 1 || fine != 2 {
			t.Errorf("%d failed, %d did not", failed, fine)
		}
	})
}

// What has no ID is handled as often as it comes; what names no device either waits for nobody.
func TestMergeWithoutIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, dual.MergeConfig{HoldBack: -1})
		d.took = second
		m := message(device(1), 1, time.Now(), "")
		m.ID = ""
		began := time.Now()
		for range 2 {
			d.all.Go(func() {
				if err := d.merge.Handle(t.Context(), m); err != nil {
					t.Error(err)
				}
			})
		}
		d.expect("of a device, one after another", "1", "1")
		if took := time.Since(began); took != 2*second {
			t.Errorf("it took %v", took)
		}
		took := make(chan time.Duration, 2)
		merge, err := dual.NewMerge(dual.MergeConfig{Handle: func(context.Context, iot.Message) error {
			<-time.After(second)
			took <- time.Since(began) - 2*second
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			d.all.Go(func() {
				if err := merge.Handle(t.Context(), iot.Message{Topic: "/broadcast"}); err != nil {
					t.Error(err)
				}
			})
		}
		d.all.Wait()
		if a, b := <-took, <-took; a != second || b != second {
			t.Errorf("of no device: after %v and %v", a, b)
		}
	})
}

// Who gives up leaves the line; the others go on.
func TestMergeObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, dual.MergeConfig{})
		ctx, cancel := context.WithTimeout(t.Context(), second)
		defer cancel()
		d.all.Go(func() {
			if err := d.merge.Handle(ctx, message(device(1), 1, begin, "")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
		})
		d.deliver(device(1), 2, 0, 0, "")
		d.expect("without the first", "2")
		if err := d.merge.Handle(ctx, message(device(1), 3, begin, "")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a done context: error %v", err)
		}
		d.expect("a done context", "2")
	})
}

// Messages of many devices come from both instances, twice and in a jumble, but none later than HoldBack: each is handled once, and
// those of a device in order.
func TestMergeInAJumble(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			d := newDesk(t, dual.MergeConfig{})
			d.took = time.Millisecond
			const devices, each = 15, 30
			for i := range devices {
				at := time.Duration(r.IntN(1000)) * time.Millisecond
				for n := range each {
					at += time.Duration(1+r.IntN(1000)) * time.Millisecond
					for range 1 + r.IntN(2) {
						instance := []string{"", target}[r.IntN(2)]
						m := message(device(i), n, time.Now().Add(at), instance)
						m.Payload = fmt.Appendf(nil, "%d %d", i, n)
						late := time.Duration(r.IntN(2000)) * time.Millisecond
						wait := at + late
						d.all.Go(func() {
							<-time.After(wait)
							if err := d.merge.Handle(t.Context(), m); err != nil {
								t.Error(err)
							}
						})
					}
				}
			}
			d.all.Wait()
			next := map[string]int{}
			for _, text := range d.got {
				i, n, _ := strings.Cut(text, " ")
				if n != fmt.Sprint(next[i]) {
					t.Fatalf("seed %d: message %s of device %s after %d", seed, n, i, next[i]-1)
				}
				next[i]++
			}
			if len(d.got) != devices*each {
				t.Errorf("seed %d: %d handled, want %d", seed, len(d.got), devices*each)
			}
		})
	}
}

func TestNewMergeRefuses(t *testing.T) {
	handle := func(context.Context, iot.Message) error { return nil }
	for name, config := range map[string]dual.MergeConfig{"no handler": {}, "a negative memory": {Handle: handle, Remember: -1}} {
		if _, err := dual.NewMerge(config); iot.KindOf(err) != iot.Invalid {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
