package subscribe_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/subscribe"
	"github.com/iotferry/iotferry/iot"
)

// TestNothingIsLostWhenConnectionsBreak cuts connections anywhere, refuses some, and drops all clients now and then.
func TestNothingIsLostWhenConnectionsBreak(t *testing.T) {
	for _, connections := range []int{1, 3} {
		t.Run(fmt.Sprint(connections, " connections"), func(t *testing.T) {
			bubble(t, 100, func(t *testing.T, b *bench) {
				seed := rand.Uint64()
				random := rand.New(rand.NewPCG(seed, 1))
				faults := rand.New(rand.NewPCG(seed, 2))
				t.Logf("seed %d", seed)
				b.network.fault = func(dial int, c net.Conn) (net.Conn, error) {
					switch dial % 4 {
					case 1:
						return nil, errors.New("connection reset")
					case 2: // while it logs in, or soon after
						return cutAfter(c, faults.Int64N(1000)), nil
					}
					return cutAfter(c, faults.Int64N(100_000)), nil
				}
				pass(10 * time.Minute)
				c := b.client("", nil)
				defer c.Close()
				box := newInbox()
				r := start(t, subscribe.StreamConfig{Connections: connections, Handlers: 4}, func(ctx context.Context, m iot.Message) error {
					pass(time.Millisecond)
					return box.handle(ctx, m)
				}, subscribe.Group{Client: c, ID: group})
				for range 100 {
					pass(time.Duration(random.Int64N(int64(10 * time.Second))))
					b.server.DropAll()
				}
				b.network.heal()
				wait(3 * time.Minute)
				stats := r.Stats()[0]
				b.awaitDrained()
				if err := r.stop(); err != nil {
					t.Error(err)
				}
				box.expect(t, b.total())
				if stats.Lost < 10 || stats.LastError == nil || stats.Received < stats.Handled+stats.Duplicates {
					t.Errorf("stats %+v", stats)
				}
			})
		})
	}
}

func TestSilentConnectionIsGivenUp(t *testing.T) {
	bubble(t, 10, func(t *testing.T, b *bench) {
		var stuck atomic.Bool
		b.network.fault = func(dial int, c net.Conn) (net.Conn, error) {
			if dial > 1 {
				return c, nil
			}
			return &deaf{c, &stuck}, nil
		}
		c := b.client("", func(c *subscribe.Config) { c.Idle = 30 * time.Second })
		defer c.Close()
		box := newInbox()
		r := start(t, subscribe.StreamConfig{}, box.handle, subscribe.Group{Client: c, ID: group})
		wait(10 * time.Minute)
		if lost := r.Stats()[0].Lost; lost != 0 {
			t.Errorf("%d connections lost before anything happened", lost)
		}
		stuck.Store(true)
		wait(62 * time.Second)
		if s := r.Stats()[0]; s.Lost != 1 || s.Connections != 1 || iot.KindOf(s.LastError) != iot.Transient {
			t.Errorf("a minute after the last sign of life: %+v", s)
		}
		wait(5 * time.Minute)
		b.awaitDrained()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		box.expect(t, b.total())
	})
}

// TestQuietGroupKeepsItsConnection checks that heartbeats go both ways when there is nothing to say.
func TestQuietGroupKeepsItsConnection(t *testing.T) {
	for _, idle := range []time.Duration{30 * time.Second, 0, 300 * time.Second} {
		t.Run(idle.String(), func(t *testing.T) {
			bubble(t, 0, func(t *testing.T, b *bench) {
				c := b.client("", func(c *subscribe.Config) { c.Idle = idle })
				defer c.Close()
				r := start(t, subscribe.StreamConfig{}, newInbox().handle, subscribe.Group{Client: c, ID: group})
				wait(time.Hour)
				if dials := b.network.dials.Load(); dials != 1 {
					t.Errorf("%d connections in a quiet hour: %+v", dials, r.Stats())
				}
				if err := r.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestServerThatDoesNotRead checks that nobody waits for long for a peer that takes nothing.
func TestServerThatDoesNotRead(t *testing.T) {
	bubble(t, 10, func(t *testing.T, b *bench) {
		var stuck atomic.Bool
		b.network.fault = func(dial int, c net.Conn) (net.Conn, error) {
			return &mute{Conn: c, stuck: &stuck, closed: make(chan struct{})}, nil
		}
		c := b.client("", nil)
		defer c.Close()
		box := newInbox()
		r := start(t, subscribe.StreamConfig{}, box.handle, subscribe.Group{Client: c, ID: group})
		wait(time.Minute)
		stuck.Store(true)
		wait(2 * time.Minute)
		began := time.Now()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > 7*time.Second {
			t.Errorf("the end took %v", took)
		}
	})
}

// TestPartingIsShort ends a stream whose peer does not take the last words.
func TestPartingIsShort(t *testing.T) {
	bubble(t, 0, func(t *testing.T, b *bench) {
		var stuck atomic.Bool
		b.network.fault = func(_ int, c net.Conn) (net.Conn, error) {
			return &mute{Conn: c, stuck: &stuck, closed: make(chan struct{})}, nil
		}
		c := b.client("", nil)
		defer c.Close()
		r := start(t, subscribe.StreamConfig{}, newInbox().handle, subscribe.Group{Client: c, ID: group})
		wait(time.Second)
		stuck.Store(true)
		began := time.Now()
		if err := r.stop(); err != nil || time.Since(began) > time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestBackOffEndsWithHealth(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		c := b.client("", nil)
		defer c.Close()
		r := start(t, subscribe.StreamConfig{}, newInbox().handle, subscribe.Group{Client: c, ID: group})
		for range 15 {
			wait(30 * time.Second)
			b.server.DropAll()
			wait(50 * time.Millisecond)
			if up := r.Stats()[0].Connections; up != 1 {
				t.Fatalf("%d connections soon after one was lost that was fine for half a minute", up)
			}
		}
		for range 15 {
			wait(time.Second)
			b.server.DropAll()
		}
		if dials := b.network.dials.Load(); dials > 16+10 {
			t.Errorf("%d connects: connections that are lost every second are made again as often", dials)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestMessagesOfALostConnectionAreLeft checks that what nobody could settle any more is not handled.
func TestMessagesOfALostConnectionAreLeft(t *testing.T) {
	bubble(t, 50, func(t *testing.T, b *bench) {
		wait(time.Minute)
		c := b.client("", nil)
		defer c.Close()
		var handled atomic.Int64
		r := start(t, subscribe.StreamConfig{Connections: 2}, func(context.Context, iot.Message) error {
			pass(10 * time.Second)
			handled.Add(1)
			return nil
		}, subscribe.Group{Client: c, ID: group})
		wait(25 * time.Second)
		b.network.mu.Lock()
		b.network.fault = func(int, net.Conn) (net.Conn, error) { return nil, errors.New("connection refused") }
		b.network.mu.Unlock()
		b.server.DropAll()
		wait(time.Hour)
		if got := handled.Load(); got != 3 {
			t.Errorf("%d messages were handled, want the 3 that were begun", got)
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestReceiveFromServerThatDoesNotRead checks that settling obeys the context, and that nothing is lost by that.
func TestReceiveFromServerThatDoesNotRead(t *testing.T) {
	bubble(t, 10, func(t *testing.T, b *bench) {
		var stuck atomic.Bool
		b.network.fault = func(_ int, c net.Conn) (net.Conn, error) {
			return &mute{Conn: c, stuck: &stuck, closed: make(chan struct{})}, nil
		}
		c := b.client("", nil)
		defer c.Close()
		wait(time.Minute)
		box := newInbox()
		messages, err := c.Receive(t.Context(), group, 5)
		if err != nil || len(messages) == 0 {
			t.Fatalf("%d messages: %v", len(messages), err)
		}
		for _, m := range messages {
			_ = box.handle(t.Context(), m)
		}
		stuck.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := c.Receive(ctx, group, 5); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		stuck.Store(false)
		pass(time.Minute)
		drain(t, c, box, 100)
		box.expect(t, b.total())
	})
}

func TestConnectIsBounded(t *testing.T) {
	dials := map[string]func(ctx context.Context, n *network) (net.Conn, error){
		"dial hangs": func(ctx context.Context, _ *network) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"server says nothing": func(context.Context, *network) (net.Conn, error) {
			client, server := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, server) }()
			return client, nil
		},
		"server takes nothing": func(context.Context, *network) (net.Conn, error) {
			client, _ := net.Pipe()
			return client, nil
		},
		"server stops in the login": func(ctx context.Context, n *network) (net.Conn, error) {
			c, err := n.Dial(ctx, "", "")
			stuck := new(atomic.Bool)
			time.AfterFunc(0, func() { stuck.Store(true) })
			return &deaf{c, stuck}, err
		},
	}
	for name, dial := range dials {
		t.Run(name, func(t *testing.T) {
			bubble(t, 1, func(t *testing.T, b *bench) {
				c := b.client("", func(c *subscribe.Config) {
					c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, b.network) }
				})
				defer c.Close()
				began := time.Now()
				_, err := c.Receive(t.Context(), group, 1)
				if took := time.Since(began); iot.KindOf(err) != iot.Transient || took != 15*time.Second || name == "dial hangs" && !strings.Contains(err.Error(), "within 15s") {
					t.Errorf("after %v: %v", took, err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				pass(time.Minute)
				began = time.Now()
				_, err = c.Receive(ctx, group, 1)
				if took := time.Since(began); took > time.Second || iot.KindOf(err) != iot.Transient {
					t.Errorf("with a context of a second: after %v: %v", took, err)
				}
			})
		})
	}
}

// TestConnectsPerMinute lets the platform drop every client at once.
func TestConnectsPerMinute(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		var at []time.Time
		b.network.fault = func(_ int, c net.Conn) (net.Conn, error) {
			at = append(at, time.Now())
			return cutAfter(c, 100), nil
		}
		c := b.client("", nil)
		defer c.Close()
		r := start(t, subscribe.StreamConfig{Connections: 64}, newInbox().handle, subscribe.Group{Client: c, ID: group})
		wait(3 * time.Minute)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		for i := 100; i < len(at); i++ {
			if at[i].Sub(at[i-100]) < time.Minute {
				t.Fatalf("connects %d to %d within %v", i-100, i, at[i].Sub(at[i-100]))
			}
		}
		if len(at) < 250 {
			t.Errorf("%d connects in three minutes", len(at))
		}
	})
}

func TestRefusedLoginEndsTheStream(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		wrong := iot.NewSecret("wrong-secret")
		b.secret.Store(&wrong)
		c := b.client("", nil)
		defer c.Close()
		stream, err := subscribe.NewStream(subscribe.StreamConfig{}, subscribe.Group{Client: c, ID: group})
		if err != nil {
			t.Fatal(err)
		}
		err = stream.Run(t.Context(), newInbox().handle)
		if iot.KindOf(err) != iot.Denied || b.network.dials.Load() != 1 {
			t.Errorf("after %d connects: %v", b.network.dials.Load(), err)
		}
		for _, word := range []string{"access key", "clock", group, "public instance"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("the error does not name %s: %v", word, err)
			}
		}
		for _, hidden := range []string{"wrong-secret", secret.Reveal()} {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), hidden) {
				t.Errorf("the error shows a secret: %v", err)
			}
		}
	})
}

// TestCredentialsRotate lets the key of a running stream be replaced: first at the platform, later at the client.
func TestCredentialsRotate(t *testing.T) {
	bubble(t, 10, func(t *testing.T, b *bench) {
		c := b.client("", nil)
		defer c.Close()
		box := newInbox()
		r := start(t, subscribe.StreamConfig{}, box.handle, subscribe.Group{Client: c, ID: group})
		wait(time.Minute)
		old := iot.NewSecret("not-valid-any-more")
		b.secret.Store(&old)
		b.server.DropAll()
		wait(10 * time.Minute)
		if dials := b.network.dials.Load(); dials < 9 || dials > 13 {
			t.Errorf("%d connects: want about one a minute", dials)
		}
		if s := r.Stats()[0]; iot.KindOf(s.LastError) != iot.Denied || s.Connections != 0 || s.Lost != 1 {
			t.Errorf("stats %+v", s)
		}
		b.secret.Store(&secret)
		wait(2 * time.Minute)
		b.awaitDrained()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		box.expect(t, b.total())
		if b.logins.Load() != b.network.dials.Load() {
			t.Errorf("%d credentials for %d connects", b.logins.Load(), b.network.dials.Load())
		}
	})
}

func TestUnknownGroup(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		c := b.client(target, nil)
		defer c.Close()
		stream, err := subscribe.NewStream(subscribe.StreamConfig{}, subscribe.Group{Client: c, ID: "nobody"})
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Run(t.Context(), newInbox().handle); iot.KindOf(err) != iot.NotFound {
			t.Errorf("Run: %v", err)
		}
		if _, err := c.Receive(t.Context(), "nobody", 1); iot.KindOf(err) != iot.NotFound || !strings.Contains(err.Error(), target) {
			t.Errorf("Receive: %v", err)
		}
	})
}

func TestTooManyClients(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		for i := range 64 {
			consumer, err := b.cloud.Consume("", group, fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			consumer.Watched()
		}
		c := b.client("", nil)
		defer c.Close()
		if _, err := c.Receive(t.Context(), group, 1); iot.KindOf(err) != iot.Throttled {
			t.Errorf("Receive: %v", err)
		}
	})
}

func TestNoCredential(t *testing.T) {
	bubble(t, 1, func(t *testing.T, b *bench) {
		for name, test := range map[string]struct {
			err  error
			want iot.Kind
		}{
			"none":       {errors.New("no file"), iot.Denied},
			"classified": {&iot.Error{Kind: iot.Throttled, Message: "slowly"}, iot.Throttled},
			"empty":      {nil, iot.Denied},
		} {
			c := b.client("", func(c *subscribe.Config) {
				c.Credentials = func(context.Context) (subscribe.Credential, error) { return subscribe.Credential{}, test.err }
			})
			if _, err := c.Receive(t.Context(), group, 1); iot.KindOf(err) != test.want || test.err != nil && !errors.Is(err, test.err) {
				t.Errorf("%s: %v", name, err)
			}
			c.Close()
		}
		if dials := b.network.dials.Load(); dials != 0 {
			t.Errorf("%d connects without a credential", dials)
		}
	})
}
