package amqp_test

import (
	"net"
	"testing"
	"time"

	"github.com/iotferry/iotferry/internal/fake/amqp/frame"
)

// A peer is a client that says exactly what a test wants.
type peer struct {
	testing.TB
	nc net.Conn
	r  *frame.Reader
}

// peer connects one by pipe.
func (b *bench) peer() *peer { return newPeer(b, b.line.dial()) }

func newPeer(t testing.TB, nc net.Conn) *peer {
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(time.Hour)) // of a bubble; else the test's own time-out is sooner
	return &peer{TB: t, nc: nc, r: frame.NewReader(nc, 1<<16)}
}

// write sends bytes.
func (p *peer) write(b []byte) {
	p.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.Fatal(err)
	}
}

// send sends performatives.
func (p *peer) send(channel uint16, bodies ...frame.Body) {
	p.Helper()
	var b []byte
	for _, body := range bodies {
		b = frame.Append(b, frame.AMQP, channel, body, nil)
	}
	p.write(b)
}

// next reads a frame that is not a mere sign of life.
func (p *peer) next() (frame.Body, []byte) {
	p.Helper()
	for {
		f, err := p.r.Next()
		if err != nil {
			p.Fatal(err)
		}
		body, payload, err := frame.Decode(f.Body)
		if err != nil {
			p.Fatal(err)
		}
		if body != nil {
			return body, payload
		}
	}
}

// expect reads a frame of a type.
func expect[T frame.Body](p *peer) T {
	p.Helper()
	body, _ := p.next()
	got, ok := body.(T)
	if !ok {
		p.Fatalf("got %T %+v, want %T", body, body, got)
	}
	return got
}

// header sends a protocol header and expects one.
func (p *peer) header(send, want frame.Protocol) {
	p.Helper()
	p.write(frame.AppendHeader(nil, send))
	if got, ok, err := p.r.Header(); got != want || !ok || err != nil {
		p.Fatalf("header %v, %v, %v", got, ok, err)
	}
}

// login logs in with a user name and expects an outcome.
func (p *peer) login(user, password string, want uint8) {
	p.Helper()
	p.header(frame.ProtocolSASL, frame.ProtocolSASL)
	expect[*frame.Mechanisms](p)
	response := []byte("\x00" + user + "\x00" + password)
	p.write(frame.Append(nil, frame.SASL, 0, &frame.Init{Mechanism: "PLAIN", Response: response}, nil))
	if got := expect[*frame.Outcome](p).Code; got != want {
		p.Fatalf("login: outcome %d, want %d", got, want)
	}
}

// open opens a connection, and begins a session on channel 0.
func (p *peer) open(maxFrame, window uint32) *frame.Open {
	p.Helper()
	p.login(userName("", group), password(), frame.LoginOK)
	p.header(frame.ProtocolAMQP, frame.ProtocolAMQP)
	p.send(0, &frame.Open{ContainerID: "peer", MaxFrameSize: maxFrame, IdleTimeout: 300_000})
	open := expect[*frame.Open](p)
	p.send(0, &frame.Begin{IncomingWindow: window, HandleMax: 7})
	expect[*frame.Begin](p)
	return open
}

// attach attaches a receiver link with handle 0 and gives credit.
func (p *peer) attach(credit uint32) {
	p.Helper()
	p.send(0, receiverLink(0))
	if a := expect[*frame.Attach](p); a.Source == nil {
		p.Fatalf("the link is refused: %+v", expect[*frame.Detach](p).Error)
	}
	p.send(0, flow(0, credit, 1<<20))
}

func receiverLink(handle uint32) *frame.Attach {
	return &frame.Attach{
		Name: "link", Handle: handle, Role: frame.Receiver, SenderSettles: frame.Mixed,
		Source: &frame.Terminus{Address: "default"}, Target: &frame.Terminus{},
	}
}

// flow gives credit on handle 0 after so many deliveries, all of which came in one transfer each.
func flow(deliveries, credit, window uint32) *frame.Flow {
	return &frame.Flow{
		NextIncomingID: frame.Some(deliveries), IncomingWindow: window, OutgoingWindow: 1,
		Handle: frame.Some[uint32](0), DeliveryCount: frame.Some(deliveries), LinkCredit: frame.Some(credit),
	}
}

// silent reports whether nothing comes for a second but signs of life.
func (p *peer) silent() bool {
	p.Helper()
	_ = p.nc.SetReadDeadline(time.Now().Add(time.Second))
	defer func() { _ = p.nc.SetReadDeadline(time.Now().Add(time.Hour)) }()
	for {
		f, err := p.r.Next()
		if err != nil {
			return true
		}
		if len(f.Body) > 0 {
			return false
		}
	}
}
