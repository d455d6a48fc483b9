package subscribe_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/subscribe"
	"github.com/iotferry/iotferry/iot"
)

func TestStreamOfBothInstances(t *testing.T) {
	bubble(t, 20, func(t *testing.T, b *bench) {
		time.Sleep(10 * time.Minute)
		source, target := b.client("", nil), b.client(target, nil)
		defer source.Close()
		defer target.Close()
		box := newInbox()
		r := start(t, subscribe.StreamConfig{}, box.handle, subscribe.Group{Client: source, ID: group}, subscribe.Group{Client: target, ID: group})
		wait(5 * time.Minute)
		stats := r.Stats()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		box.expect(t, 2*20*15)
		for i, instance := range []string{"", "iot-060a0001"} {
			s := stats[i]
			if s.Instance != instance || s.Group != group || s.Connections != 1 || s.Received != 300 || s.Handled != 300 || s.Duplicates+s.Failed+s.Lost != 0 {
				t.Errorf("stats %+v", s)
			}
			if age := time.Since(s.LastReceived); age < 0 || age > time.Minute || s.LastReceived.Location() != time.UTC {
				t.Errorf("last received at %v", s.LastReceived)
			}
			of := slices.DeleteFunc(slices.Clone(box.order), func(m iot.Message) bool { return m.Instance != instance })
			if !slices.IsSortedFunc(of, func(x, y iot.Message) int { return x.Generated.Compare(y.Generated) }) || len(of) != 300 {
				t.Errorf("%d messages of %q, or not in the order in which they came", len(of), instance)
			}
			if status := b.status(instance); status.Backlog != 0 || status.Clients != 0 {
				t.Errorf("after the end: %+v", status)
			}
		}
	})
}

func TestHandlersRunAtOnce(t *testing.T) {
	bubble(t, 50, func(t *testing.T, b *bench) {
		time.Sleep(10 * time.Minute)
		c := b.client("", nil)
		defer c.Close()
		box := newInbox()
		var now, most atomic.Int64
		r := start(t, subscribe.StreamConfig{Handlers: 7, Connections: 3}, func(ctx context.Context, m iot.Message) error {
			most.Store(max(most.Load(), now.Add(1)))
			defer now.Add(-1)
			time.Sleep(10 * time.Millisecond)
			return box.handle(ctx, m)
		}, subscribe.Group{Client: c, ID: group})
		wait(time.Minute)
		if clients := b.status("").Clients; clients != 3 || r.Stats()[0].Connections != 3 {
			t.Errorf("%d connections", clients)
		}
		b.awaitDrained()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		box.expect(t, b.total())
		if most.Load() != 7 {
			t.Errorf("%d handlers at once, want 7", most.Load())
		}
	})
}

// TestErrorMakesTheMessageComeAgain lets each message fail twice.
func TestErrorMakesTheMessageComeAgain(t *testing.T) {
	bubble(t, 5, func(t *testing.T, b *bench) {
		wait(2 * time.Minute)
		c := b.client("", nil)
		defer c.Close()
		failed := map[string]int{}
		box := newInbox()
		r := start(t, subscribe.StreamConfig{}, func(ctx context.Context, m iot.Message) error {
			if failed[m.ID] < 2 {
				failed[m.ID]++
				return errors.New("the database is away")
			}
			return box.handle(ctx, m)
		}, subscribe.Group{Client: c, ID: group})
		wait(10 * time.Second)
		before := r.Stats()[0]
		if before.Failed < 10 || before.Handled != 0 {
			t.Errorf("at once: %+v", before)
		}
		wait(10 * time.Minute)
		stats := r.Stats()[0]
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if stats.Duplicates != 0 || stats.Lost != 0 {
			t.Errorf("what failed was not handled, so that nothing is a duplicate: %+v", stats)
		}
		for id, times := range box.times {
			if times != 1 || failed[id[1:]] != 2 {
				t.Errorf("message %s was handled %d times and failed %d times", id, times, failed[id[1:]])
			}
		}
		if len(box.times) < 5*10 {
			t.Errorf("only %d messages were handled", len(box.times))
		}
	})
}

// TestMessageThatComesAgainWhileItIsHandled handles for longer than the platform waits for an answer.
func TestMessageThatComesAgainWhileItIsHandled(t *testing.T) {
	for name, outcome := range map[string]error{"handled": nil, "failed": errors.New("no")} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, func(t *testing.T, b *bench) {
				wait(61 * time.Second)
				c := b.client("", nil)
				defer c.Close()
				var calls atomic.Int64
				r := start(t, subscribe.StreamConfig{Connections: 2, Handlers: 2}, func(_ context.Context, m iot.Message) error {
					if calls.Add(1) > 1 {
						return nil
					}
					time.Sleep(10 * time.Minute)
					return outcome
				}, subscribe.Group{Client: c, ID: group})
				wait(9 * time.Minute)
				if stats := r.Stats()[0]; stats.Duplicates == 0 {
					t.Errorf("the message did not come again: %+v", stats)
				}
				wait(5 * time.Minute)
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				want := b.total()
				if outcome != nil {
					want++
				}
				if got := int(calls.Load()); got != want {
					t.Errorf("%d calls of the handler, want %d", got, want)
				}
				if backlog := b.status("").Backlog; backlog != 0 {
					t.Errorf("backlog %d", backlog)
				}
			})
		})
	}
}

// TestEndWaitsForHandlers checks that what was being handled when the context ended is still accepted, and what
// was not is given back.
func TestEndWaitsForHandlers(t *testing.T) {
	bubble(t, 30, func(t *testing.T, b *bench) {
		wait(2 * time.Minute)
		c := b.client("", nil)
		defer c.Close()
		ended := 0
		r := start(t, subscribe.StreamConfig{}, func(ctx context.Context, _ iot.Message) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended++
			return nil
		}, subscribe.Group{Client: c, ID: group})
		wait(time.Second)
		if err := r.stop(); err != nil || ended != 1 {
			t.Errorf("%d handlers have ended: %v", ended, err)
		}
		if got, want := b.status("").Backlog, b.total()-1; got != want {
			t.Errorf("backlog %d, want %d: all but the message that was handled", got, want)
		}
	})
}

// TestEndWaitsForOtherConnections checks that a delivery is settled at the end too, if another connection's goroutine handles
// the message: credit for one message each lets it come again on the other connection.
func TestEndWaitsForOtherConnections(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		wait(61 * time.Second)
		if err := b.cloud.PowerOff(iot.DeviceID{ProductKey: "a1Source001", DeviceName: "d-00000"}); err != nil {
			t.Fatal(err)
		}
		c := b.client("", func(c *subscribe.Config) { c.Credit = 1 })
		defer c.Close()
		r := start(t, subscribe.StreamConfig{Connections: 2, Handlers: 2}, func(ctx context.Context, _ iot.Message) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			return nil
		}, subscribe.Group{Client: c, ID: group})
		wait(2 * time.Minute)
		if duplicates := r.Stats()[0].Duplicates; duplicates == 0 {
			t.Error("nothing came again")
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		stats := r.Stats()[0]
		if got, want := b.status("").Backlog, b.total()-int(stats.Handled); got != want || stats.Handled == 0 {
			t.Errorf("backlog %d, want %d: all but what was handled", got, want)
		}
	})
}

func TestStreamRunsOnceAtATimeAndRemembers(t *testing.T) {
	bubble(t, 5, func(t *testing.T, b *bench) {
		wait(2 * time.Minute)
		c := b.client("", nil)
		box := newInbox()
		r := start(t, subscribe.StreamConfig{}, box.handle, subscribe.Group{Client: c, ID: group})
		wait(time.Second)
		if err := r.Run(t.Context(), box.handle); iot.KindOf(err) != iot.Conflict {
			t.Errorf("a second Run: %v", err)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		if err := r.Run(ctx, box.handle); err != nil {
			t.Error(err)
		}
		box.expect(t, b.total())
		c.Close()
		if err := r.Run(t.Context(), box.handle); iot.KindOf(err) != iot.Invalid {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestCloseEndsStreams(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		c := b.client("", nil)
		r := start(t, subscribe.StreamConfig{Connections: 2}, newInbox().handle, subscribe.Group{Client: c, ID: group})
		wait(time.Minute)
		c.Close()
		c.Close()
		synctest.Wait()
		select {
		case err := <-r.done:
			if iot.KindOf(err) != iot.Invalid {
				t.Error(err)
			}
		default:
			t.Error("the stream runs on")
			_ = r.stop()
		}
	})
}

func TestNewStreamRefuses(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		c := b.client("", nil)
		good := subscribe.Group{Client: c, ID: group}
		for name, test := range map[string]struct {
			config subscribe.StreamConfig
			groups []subscribe.Group
		}{
			"no group":             {subscribe.StreamConfig{}, nil},
			"no ID":                {subscribe.StreamConfig{}, []subscribe.Group{good, {Client: c}}},
			"an ID with a comma":   {subscribe.StreamConfig{}, []subscribe.Group{{Client: c, ID: "g,authId=x"}}},
			"negative handlers":    {subscribe.StreamConfig{Handlers: -1}, []subscribe.Group{good}},
			"negative connections": {subscribe.StreamConfig{Connections: -1}, []subscribe.Group{good}},
		} {
			if _, err := subscribe.NewStream(test.config, test.groups...); iot.KindOf(err) != iot.Invalid {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
