package amqp_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	goamqp "github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/amqp"
	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
	"github.com/iotferry/iotferry/iot"
)

func TestConfig(t *testing.T) {
	cloud, err := fake.New(newFleet(0), fake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	valid := amqp.Config{AccessKeyID: keyID, AccessKeySecret: iot.NewSecret(keySecret)}
	limited := func(change func(*amqp.Limits)) func(*amqp.Config) {
		return func(c *amqp.Config) {
			c.Limits = amqp.DocumentedLimits()
			change(c.Limits)
		}
	}
	for name, change := range map[string]func(*amqp.Config){
		"no key":              func(c *amqp.Config) { c.AccessKeyID = "" },
		"no secret":           func(c *amqp.Config) { c.AccessKeySecret = iot.Secret{} },
		"a negative interval": func(c *amqp.Config) { c.Poll = -1 },
		"a negative time":     limited(func(l *amqp.Limits) { l.Link = -1 }),
		"a negative quota":    limited(func(l *amqp.Limits) { l.BacklogPerSecond = -1 }),
		"an empty range":      limited(func(l *amqp.Limits) { l.IdleMin = l.IdleMax + 1 }),
	} {
		t.Run(name, func(t *testing.T) {
			c := valid
			change(&c)
			if _, err := amqp.New(cloud, c); !errors.Is(err, iot.Invalid) {
				t.Error(err)
			}
		})
	}
	if _, err := amqp.New(nil, valid); !errors.Is(err, iot.Invalid) {
		t.Error(err)
	}
	if _, err := amqp.New(cloud, valid); err != nil {
		t.Error(err)
	}
}

// ends expects the connection's end at a time after since, to the second.
func (p *peer) ends(since time.Time, after time.Duration) {
	p.Helper()
	for {
		f, err := p.r.Next()
		if err != nil {
			if got := time.Since(since).Truncate(time.Second); err != io.EOF || got != after {
				p.Errorf("%v after %v, want the end after %v", err, got, after)
			}
			return
		}
		if len(f.Body) > 0 {
			p.Fatalf("%x before the end", f.Body)
		}
	}
}

// TestLoginTakesTooLong checks that nobody can sit at the door, in whichever step.
func TestLoginTakesTooLong(t *testing.T) {
	steps := map[string]func(*peer){
		"says nothing":    func(*peer) {},
		"half a header":   func(p *peer) { p.write([]byte("AMQP")) },
		"does not log in": func(p *peer) { p.header(frame.ProtocolSASL, frame.ProtocolSASL); expect[*frame.Mechanisms](p) },
		"does not go on":  func(p *peer) { p.login(userName("", group), password(), frame.LoginOK) },
		"does not open":   func(p *peer) { p.login(userName("", group), password(), frame.LoginOK); p.header(0, 0) },
		"empty frames are no way": func(p *peer) {
			p.login(userName("", group), password(), frame.LoginOK)
			p.write(frame.AppendHeader(nil, frame.ProtocolAMQP)[:7])
		},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newBench(t, 0, nil).peer()
				began := time.Now()
				step(p)
				p.ends(began, 15*time.Second)
			})
		})
	}
}

// TestLinkTakesTooLong checks that a connection needs a link after 15 seconds, whatever else its client does.
func TestLinkTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newBench(t, 0, nil).peer()
		p.open(512, 1)
		began := time.Now()
		for range 14 {
			time.Sleep(time.Second)
			p.send(0, nil)
		}
		if e := expect[*frame.Close](p).Error; e == nil || e.Condition != frame.CondForced {
			t.Error(e)
		}
		p.ends(began, 16*time.Second) // it had a moment to agree
	})
}

// TestIdle checks the idle time-out in both directions: the server gives signs of life at twice the rate that is asked for,
// and wants one within the time-out.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newBench(t, 0, func(c *amqp.Config) { c.Poll = time.Second }).peer()
		if open := p.open(512, 1); open.IdleTimeout != 150_000 {
			t.Errorf("the server asks for a frame every %d ms", open.IdleTimeout)
		}
		p.attach(1)
		began := time.Now()
		if f, err := p.r.Next(); err != nil || len(f.Body) > 0 || time.Since(began) != 150*time.Second {
			t.Fatalf("%+v, %v after %v", f, err, time.Since(began))
		}
		if e := expect[*frame.Close](p).Error; e == nil || e.Condition != frame.CondLimit || time.Since(began) != 300*time.Second {
			t.Errorf("%v after %v", e, time.Since(began))
		}
		p.ends(began, 301*time.Second)
	})
}

// TestClientStays checks that a client of the shortest idle time-out stays for as long as it likes, while the platform's own
// clock jumps.
func TestClientStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, func(c *amqp.Config) { c.Poll = time.Second })
		o := options()
		o.IdleTimeout = time.Minute // of which go-amqp tells the server half
		r := b.attach(b.dial(o), nil)
		time.Sleep(time.Hour)
		b.clock.Advance(time.Hour)
		b.receive(r, 1)
	})
}

// TestNoLimits checks that limits of 0 are none.
func TestNoLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, func(c *amqp.Config) {
			c.Limits = &amqp.Limits{}
			c.Quotas = fake.DocumentedQuotas
			c.Poll = time.Second
		})
		p := b.peer()
		time.Sleep(time.Minute)
		p.login(userName("", group), password(), frame.LoginOK)
		p.header(frame.ProtocolAMQP, frame.ProtocolAMQP)
		p.send(0, &frame.Open{MaxFrameSize: 512})
		if open := expect[*frame.Open](p); open.IdleTimeout != 0 {
			t.Errorf("the server asks for a frame every %d ms", open.IdleTimeout)
		}
		time.Sleep(10 * time.Minute)
		p.send(0, &frame.Begin{IncomingWindow: 1})
		expect[*frame.Begin](p)
		p.attach(1)
		b.clock.Advance(time.Minute)
		expect[*frame.Transfer](p)
	})
}

// TestGroupTakes64Clients checks that the 65th link is refused, until another one has gone.
func TestGroupTakes64Clients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 200, nil)
		b.clock.Advance(time.Minute)
		receivers := make([]*goamqp.Receiver, 64)
		for i := range receivers {
			_, receivers[i] = b.receiver(&goamqp.ReceiverOptions{Credit: 3})
		}
		s, err := b.dial(options()).NewSession(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.NewReceiver(t.Context(), "q", nil); conditionOf(err) != frame.CondLimit {
			t.Errorf("the 65th client: %v", err)
		}
		got := map[string]bool{}
		for _, r := range receivers {
			for _, m := range b.receive(r, 3) {
				got[idOf(m)] = true
			}
		}
		if len(got) != 64*3 {
			t.Errorf("64 clients share %d messages, want %d", len(got), 64*3)
		}
		if err := receivers[7].Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.NewReceiver(t.Context(), "q", nil); err != nil {
			t.Errorf("a client instead of another: %v", err)
		}
	})
}

// TestConnectRequests checks that a group takes 100 connect requests within any minute.
func TestConnectRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, func(c *amqp.Config) { c.Quotas = fake.DocumentedQuotas })
		connect := func() error {
			c := b.dial(options())
			defer c.Close()
			s, err := c.NewSession(t.Context(), nil)
			if err == nil {
				err = s.Close(t.Context())
			}
			return err
		}
		for range 100 {
			if err := connect(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(59 * time.Second)
		if err := connect(); conditionOf(err) != frame.CondLimit {
			t.Errorf("the 101st connection within a minute: %v", err)
		}
		o := options()
		o.SASLType = goamqp.SASLTypePlain(userName(target, group), password())
		if _, err := b.dial(o).NewSession(t.Context(), nil); err != nil {
			t.Errorf("another group: %v", err)
		}
		time.Sleep(time.Second)
		if err := connect(); err != nil {
			t.Errorf("after a minute: %v", err)
		}
	})
}

// TestPushRates counts what a group with two clients is pushed in four seconds.
func TestPushRates(t *testing.T) {
	tests := []struct {
		name   string
		age    time.Duration
		quotas fake.QuotaMode
		want   int
	}{
		{"in real time", 0, fake.DocumentedQuotas, 4000},
		{"of the backlog", time.Hour, fake.DocumentedQuotas, 800},
		{"without quotas", time.Hour, fake.NoQuotas, 5000}, // all that there is
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, 5000, func(c *amqp.Config) {
					c.Quotas = tt.quotas
					c.Clock = ahead{c.Clock, tt.age}
				})
				b.clock.Advance(time.Minute)
				settled := goamqp.SenderSettleModeSettled
				o := &goamqp.ReceiverOptions{Credit: 10_000, RequestedSenderSettleMode: &settled}
				_, one := b.receiver(o)
				_, two := b.receiver(o)
				time.Sleep(4 * time.Second)
				synctest.Wait()
				got := 0
				for _, r := range []*goamqp.Receiver{one, two} {
					for r.Prefetched() != nil {
						got++
					}
				}
				if got < tt.want || got > tt.want+60 { // what is pushed at once
					t.Errorf("%d messages, want %d", got, tt.want)
				}
			})
		})
	}
}

// ahead is a clock that is ahead of another: messages look older.
type ahead struct {
	iot.Clock
	by time.Duration
}

func (a ahead) Now() time.Time { return a.Clock.Now().Add(a.by) }

func (a ahead) WaitUntil(ctx context.Context, t time.Time) error {
	return a.Clock.WaitUntil(ctx, t.Add(-a.by))
}
