package amqp_test

import (
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/internal/fake/amqp"
	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

// TestConnectionErrors checks what ends a connection, and with which condition.
func TestConnectionErrors(t *testing.T) {
	body := func(channel uint16, b frame.Body) []byte { return frame.Append(nil, frame.AMQP, channel, b, nil) }
	tests := []struct {
		name string
		send []byte
		want string
	}{
		{"a frame that is too large", binary.BigEndian.AppendUint32(nil, 1<<16+1), frame.CondFraming},
		{"a frame that is too small", binary.BigEndian.AppendUint64(nil, 7<<32), frame.CondFraming},
		{"a frame of the login", frame.Append(nil, frame.SASL, 0, &frame.Outcome{}, nil), frame.CondFraming},
		{"nonsense", []byte("\x00\x00\x00\x10\x02\x00\x00\x00nonsense"), frame.CondDecode},
		{"a channel beyond the limit", body(256, &frame.Begin{}), frame.CondFraming},
		{"a channel that is in use", body(0, &frame.Begin{}), frame.CondNotAllowed},
		{"an answer to nothing", body(1, &frame.Begin{RemoteChannel: frame.Some[uint16](1)}), frame.CondNotAllowed},
		{"a link without a session", body(1, receiverLink(0)), frame.CondNotAllowed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newBench(t, 0, nil).peer()
				p.open(512, 1)
				p.write(append(tt.send, make([]byte, 8)...)) // so that the header is whole
				if e := expect[*frame.Close](p).Error; e == nil || e.Condition != tt.want {
					t.Errorf("closed with %v, want %s", e, tt.want)
				}
			})
		})
	}
}

// TestSessionErrors checks what ends a session, and that the connection stays.
func TestSessionErrors(t *testing.T) {
	tests := []struct {
		name string
		send frame.Body
		want string
	}{
		{"a flow for a handle that is not attached", flow(0, 1, 1), frame.CondUnattachedHandle},
		{"a handle that is not attached is detached", &frame.Detach{}, frame.CondUnattachedHandle},
		{"a transfer", &frame.Transfer{}, frame.CondUnattachedHandle},
		{"a handle beyond the client's own limit", receiverLink(8), frame.CondNotAllowed},
		{"a connection is opened within", &frame.Open{}, frame.CondNotAllowed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newBench(t, 0, nil).peer()
				p.open(512, 1)
				p.send(0, tt.send, receiverLink(1)) // what follows is ignored
				if e := expect[*frame.End](p).Error; e == nil || e.Condition != tt.want {
					t.Errorf("ended with %v, want %s", e, tt.want)
				}
				p.send(0, &frame.End{}, &frame.Begin{HandleMax: 1})
				expect[*frame.Begin](p)
				p.attach(1)
				p.send(0, receiverLink(0))
				if e := expect[*frame.End](p).Error; e == nil || e.Condition != frame.CondHandleInUse {
					t.Errorf("a handle in use: %v", e)
				}
			})
		})
	}
}

// TestRefusedLinks checks which links are refused, and that a client that was quick to use one is forgiven.
func TestRefusedLinks(t *testing.T) {
	change := func(f func(*frame.Attach)) *frame.Attach {
		a := receiverLink(0)
		f(a)
		return a
	}
	tests := []struct {
		name   string
		attach *frame.Attach
		want   string
	}{
		{"a sender", change(func(a *frame.Attach) { a.Role = frame.Sender }), frame.CondNotAllowed},
		{"a source on demand", change(func(a *frame.Attach) { a.Source.Dynamic = true }), frame.CondNotImplemented},
		{"an unknown mode", change(func(a *frame.Attach) { a.ReceiverSettles = 2 }), frame.CondInvalidField},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newBench(t, 0, nil).peer()
				p.open(512, 1)
				p.send(0, tt.attach, flow(0, 10, 10))
				a := expect[*frame.Attach](p)
				if own := map[bool]*frame.Terminus{frame.Sender: a.Source, frame.Receiver: a.Target}[a.Role]; own != nil || a.Role == tt.attach.Role {
					t.Errorf("answered with %+v", a)
				}
				if d := expect[*frame.Detach](p); d.Error == nil || d.Error.Condition != tt.want || !d.Closed {
					t.Errorf("detached with %+v, want %s", d, tt.want)
				}
				p.send(0, &frame.Detach{Handle: 0, Closed: true})
				p.attach(1)
			})
		})
	}
}

// TestUselessDispositions checks that those about nothing, or of nobody, do nothing.
func TestUselessDispositions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3, nil)
		b.clock.Advance(time.Minute)
		p := b.peer()
		p.open(512, 10)
		p.send(0, &frame.Disposition{Role: frame.Receiver, First: 7, Settled: true, State: frame.Accepted})
		p.attach(3)
		for range 3 {
			expect[*frame.Transfer](p)
		}
		p.send(0,
			&frame.Disposition{Role: frame.Sender, Last: frame.Some[uint32](2), Settled: true, State: frame.Accepted},
			&frame.Disposition{Role: frame.Receiver, Last: frame.Some[uint32](2), State: frame.Received},
			&frame.Disposition{Role: frame.Receiver, First: 3, Last: frame.Some[uint32](1 << 30), Settled: true, State: frame.Accepted},
			&frame.Disposition{Role: frame.Receiver, First: 2, Last: frame.Some[uint32](0), Settled: true, State: frame.Accepted},
			&frame.Disposition{Role: frame.Receiver, First: 0, Last: frame.Some[uint32](1<<32 - 1), Settled: true, State: frame.Accepted},
		)
		if !p.silent() {
			t.Error("the server answers")
		}
		_ = p.nc.Close()
		synctest.Wait()
		if n := b.backlog(); n != 3 {
			t.Errorf("%d messages come again, want 3", n)
		}
	})
}

// TestFlood checks that a client that asks and never listens is cut off before its answers fill the memory.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newBench(t, 0, nil).peer()
		p.open(512, 1)
		ask := frame.Append(nil, frame.AMQP, 0, &frame.Flow{NextIncomingID: frame.Some[uint32](0), Echo: true}, nil)
		asked := 0
		for err := error(nil); err == nil; asked++ {
			_, err = p.nc.Write(ask)
			if asked > 1<<17 {
				t.Fatal("the client asks and asks")
			}
		}
	})
}

// TestNoise checks that random bytes, at any stage, harm nobody else.
func TestNoise(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 3, nil)
		stages := []func(*peer){
			func(*peer) {},
			func(p *peer) { p.header(frame.ProtocolSASL, frame.ProtocolSASL) },
			func(p *peer) {
				p.login(userName("", group), password(), frame.LoginOK)
				p.header(frame.ProtocolAMQP, frame.ProtocolAMQP)
			},
			func(p *peer) { p.open(512, 1) },
			func(p *peer) { p.open(512, 1); p.attach(1) },
		}
		for i := range 200 {
			p := b.peer()
			stages[i%len(stages)](p)
			go func() { _, _ = io.Copy(io.Discard, p.nc) }()
			for range 50 {
				if _, err := p.nc.Write(noise(rnd)); err != nil {
					break
				}
			}
			_ = p.nc.Close()
		}
		b.clock.Advance(time.Minute)
		_, r := b.receiver(nil)
		b.receive(r, 1)
	})
}

// noise is a frame with a random body, or a real one of which a byte has changed.
func noise(rnd *rand.Rand) []byte {
	bodies := []frame.Body{
		&frame.Begin{IncomingWindow: 1}, receiverLink(0), flow(0, 1, 1), &frame.Detach{}, &frame.End{},
		&frame.Disposition{Role: frame.Receiver, Last: frame.Some[uint32](1 << 31), State: frame.Accepted},
	}
	b := frame.Append(nil, frame.AMQP, 0, bodies[rnd.IntN(len(bodies))], nil)
	switch rnd.IntN(3) {
	case 0:
		for i := 8; i < len(b); i++ {
			b[i] = byte(rnd.Uint32())
		}
	case 1:
		b[rnd.IntN(len(b))] = byte(rnd.Uint32())
	}
	return b
}

// TestErrorsHaveNoSecrets logs in with the wrong password and the right one, and looks for it in all that the server logs.
func TestErrorsHaveNoSecrets(t *testing.T) {
	var logged strings.Builder
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 0, func(c *amqp.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		b.peer().login(userName("", group), keySecret, frame.LoginDenied)
		b.peer().login("a|authMode=ststoken,securityToken=A-Token|", keySecret, frame.LoginDenied)
		b.peer().open(512, 1)
		if err := b.server.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, secret := range []string{keySecret, password(), "A-Token"} {
		if strings.Contains(logged.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, logged.String())
		}
	}
	if !strings.Contains(logged.String(), "a-client") {
		t.Errorf("nothing of the clients is in the log:\n%s", logged.String())
	}
}
