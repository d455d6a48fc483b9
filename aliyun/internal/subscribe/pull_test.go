package subscribe_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/subscribe"
	"github.com/iotferry/iotferry/iot"
)

var _ iot.Receiver = (*subscribe.Client)(nil)

// drain receives until there is nothing, as users of an iot.Receiver do.
func drain(t *testing.T, r iot.Receiver, box *inbox, limit int) {
	t.Helper()
	for {
		messages, err := r.Receive(t.Context(), group, limit)
		if err != nil {
			t.Error(err)
			return
		}
		if len(messages) > limit {
			t.Errorf("%d messages, and %d were asked for", len(messages), limit)
		}
		for _, m := range messages {
			_ = box.handle(t.Context(), m)
		}
		if len(messages) == 0 {
			return
		}
	}
}

func TestReceiveTakesEachMessageOnce(t *testing.T) {
	for _, limit := range []int{1, 7, 1000} {
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) {
			bubble(t, 20, func(t *testing.T, b *bench) {
				c := b.client("", nil)
				defer c.Close()
				box := newInbox()
				for range 8 {
					time.Sleep(3 * time.Minute) // longer than the platform waits before it sends again
					drain(t, c, box, limit)
				}
				box.expect(t, b.total())
				if status := b.status(""); status.Backlog != 0 || status.Clients != 1 {
					t.Errorf("status %+v", status)
				}
				if dials := b.network.dials.Load(); dials != 1 {
					t.Errorf("%d connections, want one that is kept", dials)
				}
				for _, m := range box.order {
					if _, ok := m.Device(); !ok || m.Generated.IsZero() || len(m.Payload) == 0 {
						t.Fatalf("message %+v", m)
					}
				}
			})
		})
	}
}

func TestReceiveMarksTheInstance(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		c := b.client(target, nil)
		defer c.Close()
		wait(2 * time.Minute)
		messages, err := c.Receive(t.Context(), group, 10)
		if err != nil || len(messages) == 0 || messages[0].Instance != target {
			t.Errorf("%+v: %v", messages, err)
		}
	})
}

// TestReceiveSettlesAtTheNextCall checks that what a caller got and did not come back for goes to somebody else.
func TestReceiveSettlesAtTheNextCall(t *testing.T) {
	bubble(t, 5, func(t *testing.T, b *bench) {
		wait(2 * time.Minute)
		c := b.client("", nil)
		messages, err := c.Receive(t.Context(), group, 3)
		if err != nil || len(messages) == 0 {
			t.Fatalf("%d messages: %v", len(messages), err)
		}
		if got, want := b.status("").Backlog, b.total(); got >= want {
			t.Errorf("backlog %d: nothing is under way", got)
		}
		c.Close()
		synctest.Wait()
		if got, want := b.status("").Backlog, b.total(); got != want {
			t.Errorf("backlog %d after the end, want all %d", got, want)
		}
		if _, err := c.Receive(t.Context(), group, 3); iot.KindOf(err) != iot.Invalid {
			t.Errorf("after Close: %v", err)
		}
	})
}

func TestReceiveWaitsShortly(t *testing.T) {
	for _, limit := range []time.Duration{0, 40 * time.Millisecond} {
		bubble(t, 0, func(t *testing.T, b *bench) {
			c := b.client("", func(c *subscribe.Config) { c.Wait = limit })
			defer c.Close()
			want := limit
			if want == 0 {
				want = 300 * time.Millisecond
			}
			for range 3 {
				began := time.Now()
				messages, err := c.Receive(t.Context(), group, 1)
				if took := time.Since(began); took != want || err != nil || messages != nil {
					t.Errorf("%d messages after %v: %v", len(messages), took, err)
				}
			}
		})
	}
}

func TestReceiveConnectsAgain(t *testing.T) {
	bubble(t, 10, func(t *testing.T, b *bench) {
		c := b.client("", nil)
		defer c.Close()
		box := newInbox()
		for range 10 {
			time.Sleep(time.Minute)
			drain(t, c, box, 4)
			messages, err := c.Receive(t.Context(), group, 4) // held while the connection ends
			if err != nil {
				t.Error(err)
			}
			for _, m := range messages {
				_ = box.handle(t.Context(), m)
			}
			b.server.DropAll()
			synctest.Wait()
		}
		time.Sleep(2 * time.Minute)
		drain(t, c, box, 1000)
		box.expect(t, b.total())
		if dials := b.network.dials.Load(); dials != 11 {
			t.Errorf("%d connections, want 11", dials)
		}
	})
}

// TestReceiveWhenTheConnectionBreaks cuts connections at any byte: a call fails or not, and nothing is lost.
func TestReceiveWhenTheConnectionBreaks(t *testing.T) {
	bubble(t, 50, func(t *testing.T, b *bench) {
		b.network.fault = func(dial int, c net.Conn) (net.Conn, error) { return cutAfter(c, int64(dial*61)), nil }
		c := b.client("", nil)
		defer c.Close()
		box := newInbox()
		receive := func() error {
			messages, err := c.Receive(t.Context(), group, 10)
			for _, m := range messages {
				_ = box.handle(t.Context(), m)
			}
			if err != nil && (iot.KindOf(err) != iot.Transient || messages != nil) {
				t.Errorf("%d messages: %v", len(messages), err)
			}
			return err
		}
		failed := 0
		for range 500 {
			time.Sleep(time.Second)
			if receive() != nil {
				failed++
			}
		}
		b.network.heal()
		for range 500 { // the last broken connection may show here
			time.Sleep(time.Second)
			_ = receive()
		}
		box.expect(t, b.total())
		if failed < 10 {
			t.Errorf("only %d calls failed", failed)
		}
	})
}

// TestReceiveDoesNotHammer checks that a failure is not repeated at once, however often somebody asks.
func TestReceiveDoesNotHammer(t *testing.T) {
	tests := map[string]struct {
		credential iot.Secret
		dial       error
		want       iot.Kind
		most       int64 // connects within three minutes
	}{
		"refused": {iot.NewSecret("wrong"), nil, iot.Denied, 3},
		"away":    {secret, errors.New("connection refused"), iot.Transient, 11 + 3*6},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, func(t *testing.T, b *bench) {
				b.secret.Store(&test.credential)
				b.network.fault = func(_ int, c net.Conn) (net.Conn, error) { return c, test.dial }
				c := b.client("", nil)
				defer c.Close()
				for range 3 * 60 * 100 {
					if _, err := c.Receive(t.Context(), group, 1); iot.KindOf(err) != test.want {
						t.Fatal(err)
					}
					time.Sleep(10 * time.Millisecond)
				}
				if dials := b.network.dials.Load(); dials > test.most || dials < 2 {
					t.Errorf("%d connects, want at most %d", dials, test.most)
				}
				b.secret.Store(&secret)
				b.network.heal()
				time.Sleep(time.Minute)
				if _, err := c.Receive(t.Context(), group, 1); err != nil {
					t.Errorf("when all is well again: %v", err)
				}
			})
		})
	}
}

func TestReceiveObeysItsContext(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		c := b.client("", func(c *subscribe.Config) { c.Wait = time.Hour })
		defer c.Close()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Receive(ended, group, 1); !errors.Is(err, context.Canceled) || b.network.dials.Load() != 0 {
			t.Errorf("with an ended context: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		var wg sync.WaitGroup
		for range 3 { // one receives, the others wait for their turn
			wg.Go(func() {
				if _, err := c.Receive(ctx, group, 1); !errors.Is(err, context.DeadlineExceeded) || iot.KindOf(err) != iot.Transient {
					t.Errorf("a second later: %v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
		if dials := b.network.dials.Load(); dials != 1 {
			t.Errorf("%d connections", dials)
		}
	})
}

func TestCloseEndsReceive(t *testing.T) {
	bubble(t, 0, func(t *testing.T, b *bench) {
		c := b.client("", func(c *subscribe.Config) { c.Wait = time.Hour })
		time.AfterFunc(time.Minute, c.Close)
		began := time.Now()
		_, err := c.Receive(t.Context(), group, 1)
		if took := time.Since(began); took != time.Minute || iot.KindOf(err) != iot.Invalid {
			t.Errorf("after %v: %v", took, err)
		}
		synctest.Wait() // until Close has returned
	})
}

func TestReceiveRefuses(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		c := b.client("", nil)
		defer c.Close()
		for _, call := range []struct {
			group string
			limit int
		}{{group, 0}, {group, -1}, {"", 1}, {"a|b", 1}} {
			if _, err := c.Receive(t.Context(), call.group, call.limit); iot.KindOf(err) != iot.Invalid {
				t.Errorf("%+v: %v", call, err)
			}
		}
	})
}
