package amqp_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	goamqp "github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

// TestDropAll checks that a client that was dropped can come again and then gets what it has not accepted, each message
// once, and nothing that it has.
func TestDropAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const trackers, minutes, accepted = 100, 20, 300
		b := newBench(t, trackers, nil)
		b.clock.Advance(minutes * time.Minute)
		c, r := b.receiver(&goamqp.ReceiverOptions{Credit: 500})
		seen := map[string]int{}
		for _, m := range b.receive(r, 500)[:accepted] {
			seen[idOf(m)]++
			if err := r.AcceptMessage(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		b.server.DropAll()
		<-c.Done()
		if err := c.Err(); err == nil || conditionOf(err) != "" {
			t.Errorf("the client was told: %v", err)
		}
		_, r = b.receiver(&goamqp.ReceiverOptions{Credit: 5000})
		for _, m := range b.receive(r, trackers*minutes-accepted) {
			seen[idOf(m)]++
		}
		if len(seen) != trackers*minutes {
			t.Errorf("%d messages, want %d", len(seen), trackers*minutes)
		}
		for message, times := range seen {
			if times > 1 {
				t.Errorf("message %s came %d times", message, times)
			}
		}
	})
}

// TestDropMidTransfer checks that a message of which a client has got a part comes again as a whole.
func TestDropMidTransfer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBenchOf(t, newWideFleet(), nil)
		b.clock.Advance(time.Minute)
		p := b.peer()
		p.open(512, 3)
		p.send(0, receiverLink(0))
		expect[*frame.Attach](p)
		p.send(0, flow(0, 1, 3))
		for range 3 {
			if !expect[*frame.Transfer](p).More {
				t.Fatal("the message has no more than three parts")
			}
		}
		b.server.DropAll()
		if _, err := p.r.Next(); err != io.EOF {
			t.Error(err)
		}
		_, r := b.receiver(nil)
		if m := b.receive(r, 1)[0]; len(m.GetData()) < 3*512 {
			t.Errorf("%d bytes", len(m.GetData()))
		}
	})
}

// TestCloseWhileSending checks that clients in the midst of a backlog are told, that everything ends, and that the server
// stays closed.
func TestCloseWhileSending(t *testing.T) {
	b := newBench(t, 2000, nil)
	b.clock.Advance(time.Hour)
	address := b.listen()
	clients := make([]*goamqp.Conn, 4)
	for i := range clients {
		var err error
		if clients[i], err = goamqp.Dial(t.Context(), "amqp://"+address, options()); err != nil {
			t.Fatal(err)
		}
		b.receive(b.attach(clients[i], &goamqp.ReceiverOptions{Credit: 5000}), 100)
	}
	if err := b.server.Close(); err != nil {
		t.Error(err)
	}
	for _, c := range clients {
		<-c.Done()
		if conditionOf(c.Err()) != frame.CondForced {
			t.Errorf("the client was told %v", c.Err())
		}
	}
	if n := b.backlog(); n != 2000*60 {
		t.Errorf("%d messages come again, want all %d", n, 2000*60)
	}
	if err := b.server.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.server.Serve(l); err != nil {
		t.Errorf("served after the end: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open after the end: %v", err)
	}
}

// TestCloseWithoutAgreement checks that clients that neither read nor agree delay the end by a second only, in whichever
// step they are.
func TestCloseWithoutAgreement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 100, nil)
		b.clock.Advance(time.Hour)
		b.peer() // says nothing
		b.peer().login(userName("", group), password(), frame.LoginOK)
		b.peer().open(512, 1)
		busy := b.peer()
		busy.open(512, 1<<20)
		busy.attach(1 << 20)
		expect[*frame.Transfer](busy)
		began := time.Now()
		if err := b.server.Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("closing took %v", d)
		}
	})
}

// TestServeFails checks that a listener that breaks is reported, and connections stay.
func TestServeFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, 1, nil)
		_, r := b.receiver(nil)
		broken := newLine()
		_ = broken.Close()
		if err := b.server.Serve(broken); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		b.clock.Advance(time.Minute)
		b.receive(r, 1)
	})
}
