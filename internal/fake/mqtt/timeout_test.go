package mqtt_test

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/mqtt"
	"github.com/iotferry/iotferry/iot"
)

// A pipes is a listener without sockets, for bubbles.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

func (l *pipes) dial(t testing.TB) *wire {
	client, server := net.Pipe()
	l.conns <- server
	return &wire{client, t}
}

// inBubble runs a test with a server in virtual time. The listener claims to have TLS, so that clients can register.
func inBubble(t *testing.T, c mqtt.Config, test func(t *testing.T, b *bench, l *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, c, nil)
		l := newPipes()
		if err := b.server.Listen(l, mqtt.Domain{Instance: fake.PublicDomain, TLS: true}); err != nil {
			t.Fatal(err)
		}
		test(t, b, l)
		if err := b.server.Close(); err != nil {
			t.Error(err)
		}
	})
}

// expectEndAt tests that the connection ends a while after a moment, and not before.
func (w *wire) expectEndAt(since time.Time, want time.Duration) {
	w.Helper()
	if p, err := packets.ReadPacket(w); !errors.Is(err, io.EOF) {
		w.Fatalf("got %v, %v, want the connection's end", p, err)
	}
	if got := time.Since(since); got != want {
		w.Errorf("the connection ended after %s, want %s", got, want)
	}
}

func TestSilence(t *testing.T) {
	inBubble(t, mqtt.Config{SilentCode: 602, GoneCode: 601}, func(t *testing.T, b *bench, l *pipes) {
		w := l.dial(t)
		p := connectPacket(card{device: first, mode: "2"})
		p.Keepalive = 30
		w.send(p)
		if code := w.code(); code != 0 {
			t.Fatalf("CONNACK %d", code)
		}
		for range 10 { // signs of life
			time.Sleep(44 * time.Second)
			w.ping()
		}
		w.expectEndAt(time.Now(), 45*time.Second)
		synctest.Wait()
		b.expectOffline(first, 602)

		w = l.dial(t)
		w.send(connectPacket(card{device: first, mode: "2"}))
		w.code()
		w.send(packets.NewControlPacket(packets.Disconnect))
		synctest.Wait()
		b.expectOffline(first, 601)
	})
}

// expectOffline tests that a device has gone offline, as the newest status message says, with a code.
func (b *bench) expectOffline(d iot.DeviceID, code int) {
	b.Helper()
	if got := b.truth(d).Status; got != iot.Offline {
		b.Errorf("the device is %s", got)
	}
	var newest struct {
		Status string `json:"status"`
		Code   int    `json:"offlineReasonCode"`
	}
	for _, m := range b.messages("") {
		if m.Topic == "/as/mqtt/status/"+d.String() {
			if err := json.Unmarshal(m.Payload, &newest); err != nil {
				b.Fatal(err)
			}
		}
	}
	if newest.Status != "offline" || newest.Code != code {
		b.Errorf("the newest status message says %+v, want offline with code %d", newest, code)
	}
}

func TestNoConnect(t *testing.T) {
	inBubble(t, mqtt.Config{}, func(t *testing.T, b *bench, l *pipes) {
		since := time.Now()
		silent, slow := l.dial(t), l.dial(t)
		if _, err := slow.Write([]byte("\x10\x10\x00\x04MQ")); err != nil {
			t.Fatal(err)
		}
		silent.expectEndAt(since, 10*time.Second)
		slow.expectEndAt(since, 10*time.Second)
	})
}

// Who registers gets the secret without a subscription, has nothing else to do here, and has to go.
func TestRegistrationEnds(t *testing.T) {
	inBubble(t, mqtt.Config{}, func(t *testing.T, b *bench, l *pipes) {
		w := l.dial(t)
		w.send(connectPacket(card{device: id(plug, "plug-1"), secret: "ps-" + plug, random: "1", mode: "2"}))
		if code := w.code(); code != 0 {
			t.Fatalf("CONNACK %d", code)
		}
		since := time.Now()
		answer := w.nextPublish()
		if answer.TopicName != "/ext/register" {
			t.Errorf("the answer came on %s", answer.TopicName)
		}
		if got := w.subscribe("/a1Plugs0001/plug-1/user/get"); got[0] != refused {
			t.Errorf("subscribing: %v", got)
		}
		w.publish("/a1Plugs0001/plug-1/user/update", "x", 0, 0)
		w.ping()
		if got := b.truth(id(plug, "plug-1")).Status; got != iot.Unactive {
			t.Errorf("the device is %s", got)
		}
		w.expectEndAt(since, 15*time.Second)
	})
}

// Close ends connections of every kind, and the devices are offline.
func TestClose(t *testing.T) {
	inBubble(t, mqtt.Config{}, func(t *testing.T, b *bench, l *pipes) {
		silent := l.dial(t)
		online := l.dial(t)
		online.send(connectPacket(card{device: first, mode: "2"}))
		online.code()
		registers := l.dial(t)
		registers.send(connectPacket(card{device: id(plug, "plug-1"), secret: "ps-" + plug, random: "1", mode: "2"}))
		registers.code()
		registers.nextPublish()
		since := time.Now()
		done := make(chan iot.Status)
		go func() {
			_ = b.server.Close()
			done <- b.truth(first).Status
		}()
		for _, w := range []*wire{silent, online, registers} {
			w.expectEndAt(since, 0)
		}
		if got := <-done; got != iot.Offline {
			t.Errorf("the device is %s", got)
		}
		late := newPipes()
		if err := b.server.Listen(late, mqtt.Domain{Instance: fake.PublicDomain}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Listen after Close: %v", err)
		}
		if _, err := late.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error("the listener that came too late is open")
		}
		if err := b.server.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

// A shaky listener has errors for a while.
type shaky struct {
	*pipes
	errors int
}

func (l *shaky) Accept() (net.Conn, error) {
	if l.errors > 0 {
		l.errors--
		return nil, errors.New("too many open files")
	}
	return l.pipes.Accept()
}

// A connection that cannot be accepted is not the end of its listener; Close is.
func TestAcceptAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, mqtt.Config{}, nil)
		l := &shaky{newPipes(), 2}
		for _, l := range []net.Listener{l, &shaky{newPipes(), math.MaxInt}} {
			if err := b.server.Listen(l, mqtt.Domain{Instance: fake.PublicDomain}); err != nil {
				t.Fatal(err)
			}
		}
		w := l.dial(t)
		w.send(connectPacket(card{device: first}))
		if code := w.code(); code != 0 {
			t.Errorf("CONNACK %d", code)
		}
		if err := b.server.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A slow listener needs a second to notice that it is closed.
type slow struct{ *pipes }

func (slow) Accept() (net.Conn, error) {
	time.Sleep(time.Second)
	return nil, net.ErrClosed
}

func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, mqtt.Config{}, nil)
		if err := b.server.Listen(slow{newPipes()}, mqtt.Domain{Instance: fake.PublicDomain}); err != nil {
			t.Fatal(err)
		}
		since := time.Now()
		if err := b.server.Close(); err != nil || time.Since(since) != time.Second {
			t.Errorf("Close returned %v after %s, while a goroutine was left", err, time.Since(since))
		}
	})
}
