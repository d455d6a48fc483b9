package aliyun_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

func TestCanaryConnectsAndReconnects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(broker)
		c := run(t, b.config)
		defer c.end(t)
		if n := c.session(t, 0); n != 1 {
			t.Errorf("the first session is number %d", n)
		}
		begun := time.Now()
		time.Sleep(time.Hour)
		if _, since, err := c.Session(); err != nil || since.After(begun) {
			t.Errorf("connected since %v: %v", since, err)
		}
		_ = b.last().Close() // a move
		if n := c.session(t, 1); n != 2 {
			t.Errorf("the second session is number %d", n)
		}
		if took := time.Since(begun.Add(time.Hour)); took > 2*time.Second {
			t.Errorf("it took %v to come back", took)
		}
		all := c.Sessions()
		if len(all) != 2 || all[0].Number != 1 || all[0].Why == nil || all[0].Until.Sub(all[0].Since) < time.Hour || all[1].Why != nil {
			t.Errorf("sessions: %+v", all)
		}
	})
}

// A good connection makes up for bad ones before it.
func TestCanaryForgivesAGoodConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{settled: func(p *peer) {
			if p.n < 8 {
				_ = p.Close()
			}
		}}
		c := run(t, b.config)
		defer c.end(t)
		for n := 0; n < 8; {
			n = c.session(t, n)
		}
		time.Sleep(time.Hour)
		begun := time.Now()
		_ = b.last().Close()
		c.session(t, 8)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("it took %v to come back", took)
		}
	})
}

// most counts the connections of the busiest minute.
func most(times []time.Time) int {
	most := 0
	for i := range times {
		n := 0
		for _, at := range times[i:] {
			if at.Sub(times[i]) < time.Minute {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// However connections end, the canary stays within what the platform allows, and the longer it goes on the less it tries:
// else two clients with one certificate would fight for ever.
func TestCanaryDoesNotFight(t *testing.T) {
	tests := map[string]*broker{
		"thrown out at once":        {connected: func(p *peer) { _ = p.Close() }},
		"thrown out when connected": {settled: func(p *peer) { _ = p.Close() }},
		"the server is unavailable": {connack: func(int) (byte, bool) { return 3, true }},
		"no CONNACK":                {connack: func(int) (byte, bool) { return 0, false }},
		"no answer":                 {wrap: func(c net.Conn) net.Conn { return &broken{Conn: c, silent: true} }},
		"reset in the CONNACK":      {wrap: func(c net.Conn) net.Conn { return &broken{Conn: c, after: 2} }},
		"reset in the SUBACK":       {wrap: func(c net.Conn) net.Conn { return &broken{Conn: c, after: 6} }},
		"not MQTT":                  {connected: func(p *peer) { _, _ = p.Write([]byte("HTTP/1.1 200 OK\r\n\r\n")) }},
		"a CONNACK nobody knows":    {connack: func(int) (byte, bool) { return 77, true }},
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := run(t, b.config)
				defer c.end(t)
				time.Sleep(time.Hour)
				times := b.connections()
				if n := most(times); n > 5 {
					t.Errorf("%d connections in a minute", n)
				}
				if len(times) < 10 || len(times) > 40 {
					t.Errorf("%d connections in an hour", len(times))
				}
				if last := times[len(times)-1].Sub(times[len(times)-2]); last < 2*time.Minute {
					t.Errorf("the last pause was %v", last)
				}
				if _, _, err := c.Session(); name != "thrown out when connected" && !errors.Is(err, iot.NotConnected) {
					t.Errorf("it counts as connected: %v", err)
				}
			})
		})
	}
}

// broken is a connection that brings nothing, or is reset after some bytes.
type broken struct {
	net.Conn
	silent bool
	after  int // bytes until the reset, if it is not silent
}

func (b *broken) Read(p []byte) (int, error) {
	if b.silent {
		return b.drop(p)
	}
	if b.after == 0 {
		return 0, syscall.ECONNRESET
	}
	n, err := b.Conn.Read(p[:min(len(p), b.after)])
	b.after -= n
	return n, err
}

// drop reads what comes, and keeps it for itself.
func (b *broken) drop(p []byte) (int, error) {
	for {
		if _, err := b.Conn.Read(p); err != nil {
			return 0, err
		}
	}
}

func TestCanaryRunReturnsWhatTimeDoesNotHeal(t *testing.T) {
	for code, want := range map[byte]iot.Kind{1: iot.Invalid, 2: iot.Invalid, 4: iot.Denied, 5: iot.Denied} {
		t.Run(fmt.Sprintf("CONNACK %d", code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &broker{connack: func(int) (byte, bool) { return code, true }}
				c := run(t, b.config)
				err := <-c.done
				if iot.KindOf(err) != want || !strings.Contains(err.Error(), lamp.ID.String()) {
					t.Errorf("got %v", err)
				}
				expectNoSecrets(t, err.Error(), c.log.String())
				c.stop()
			})
		})
	}
	t.Run("a subscription", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &broker{suback: func(filter string) byte {
				if strings.HasSuffix(filter, "/user/get") {
					return 0x80
				}
				return 1
			}}
			c := run(t, b.config)
			if err := <-c.done; !errors.Is(err, iot.Denied) || !strings.Contains(err.Error(), "/a1Lamp00001/lamp-0001/user/get") {
				t.Errorf("got %v", err)
			}
			if _, _, err := c.Session(); !errors.Is(err, iot.NotConnected) {
				t.Errorf("it counts as connected: %v", err)
			}
			c.stop()
		})
	})
}

// What worked once can work again: a device that was just moved may be refused for a while.
func TestCanaryGoesOnOnceItWorked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broker{connack: func(n int) (byte, bool) {
			if n > 1 && n < 5 {
				return 4, true
			}
			return 0, true
		}}
		c := run(t, b.config)
		defer c.end(t)
		c.session(t, 0)
		_ = b.last().Close()
		if n := c.session(t, 1); n != 2 || len(b.connections()) != 5 {
			t.Errorf("session %d after %d connections", n, len(b.connections()))
		}
	})
}

// A connection that died without a word is found out by the ping, and one that takes nothing by the write.
func TestCanaryFindsOutDeadConnections(t *testing.T) {
	t.Run("no answer to pings", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &broker{deaf: true}
			c := run(t, b.config)
			defer c.end(t)
			c.session(t, 0)
			begun := time.Now()
			c.session(t, 1)
			if took := time.Since(begun); took < time.Minute || took > 80*time.Second {
				t.Errorf("found out after %v", took)
			}
			if why := c.Sessions()[0].Why; why == nil || !strings.Contains(why.Error(), "ping") {
				t.Errorf("why: %v", why)
			}
		})
	})
	t.Run("takes nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &broker{published: func(*peer, *packets.PublishPacket) { time.Sleep(time.Minute) }}
			defer b.done.Wait()
			c := run(t, b.config)
			defer c.end(t)
			c.session(t, 0)
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_ = c.Publish(t.Context(), "/a1Lamp00001/lamp-0001/user/update", nil)
			if err := c.Publish(ctx, "/a1Lamp00001/lamp-0001/user/update", nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the context's error", err)
			}
			if took := time.Since(begun); took != time.Second {
				t.Errorf("it took %v to obey", took)
			}
			if err := c.Publish(t.Context(), "/a1Lamp00001/lamp-0001/user/update", nil); !errors.Is(err, iot.NotConnected) {
				t.Errorf("got %v", err)
			}
			c.session(t, 1)
			if took := time.Since(begun); took > 15*time.Second {
				t.Errorf("found out after %v", took)
			}
			if why := c.Sessions()[0].Why; why == nil || !strings.Contains(why.Error(), "does not take") {
				t.Errorf("why: %v", why)
			}
		})
	})
	t.Run("takes no pings", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := &broker{settled: func(p *peer) {
				if p.n == 1 {
					time.Sleep(10 * time.Minute)
				}
			}}
			defer b.done.Wait()
			c := run(t, func(log io.Writer) aliyun.CanaryConfig {
				config := b.config(log)
				config.Behaviour.Topics = []string{}
				return config
			})
			defer c.end(t)
			c.session(t, 0)
			begun := time.Now()
			c.session(t, 1)
			if took := time.Since(begun); took < time.Minute || took > 80*time.Second {
				t.Errorf("found out after %v", took)
			}
		})
	})
}

func TestCanaryEndsWithItsContext(t *testing.T) {
	block := make(chan struct{})
	tests := map[string]*broker{
		"connected":     {},
		"signing in":    {connack: func(int) (byte, bool) { return 0, false }},
		"in a pause":    {connack: func(int) (byte, bool) { return 3, true }},
		"nothing taken": {settled: func(*peer) { <-block }},
	}
	for name, b := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				block = make(chan struct{})
				c := run(t, b.config)
				time.Sleep(5 * time.Second)
				begun := time.Now()
				c.end(t)
				if took := time.Since(begun); took > 3*time.Second {
					t.Errorf("it took %v", took)
				}
				close(block)
				b.done.Wait()
				if name == "connected" && b.goodbyes != 1 {
					t.Errorf("it said goodbye %d times", b.goodbyes)
				}
				if _, err := c.AwaitSession(canceled(t), math.MaxInt); err == nil {
					t.Error("waiting has no end")
				}
			})
		})
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestCanaryRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(broker)
		c := run(t, b.config)
		c.session(t, 0)
		if err := c.Run(t.Context()); !errors.Is(err, iot.Conflict) {
			t.Errorf("a second Run: %v", err)
		}
		c.end(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }()
		if n := c.session(t, 1); n != 2 {
			t.Errorf("session %d", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestCanarySignsIn(t *testing.T) {
	tests := map[aliyun.SignMethod]string{ // echo -n clientIda1Lamp00001.lamp-0001deviceNamelamp-0001productKeya1Lamp00001 | openssl dgst -md5 -hmac lampSecret-7731
		aliyun.SignMD5:    "e2b0f6f5f7debbd471bc79a191a42a62",
		aliyun.SignSHA1:   "c2e84052de6b6b251e0f0cee92dcfd094baf4d01",
		aliyun.SignSHA256: "66d329a1a9d8b32c631b81bfc8f3467fbd20d07d1413fbf9b4b03d0196bbdd8c",
	}
	for method, want := range tests {
		t.Run(string(method), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := new(broker)
				c := run(t, func(log io.Writer) aliyun.CanaryConfig {
					config := b.config(log)
					config.Sign = method
					return config
				})
				c.session(t, 0)
				c.end(t)
				got := b.logins[0]
				if want := "a1Lamp00001.lamp-0001|securemode=3,signmethod=" + string(method) + "|"; got.ClientIdentifier != want {
					t.Errorf("clientId %s", got.ClientIdentifier)
				}
				if got.Username != "lamp-0001&a1Lamp00001" || string(got.Password) != want || got.Keepalive != 60 {
					t.Errorf("username %s, password %s, keep-alive %d", got.Username, got.Password, got.Keepalive)
				}
				if strings.Contains(c.log.String(), string(got.Password)) {
					t.Error("the password is logged")
				}
			})
		})
	}
}
