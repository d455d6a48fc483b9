package mqtt_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// patience is how long a test waits for what has to come, before it gives up.
const patience = 20 * time.Second

// A wire is a connection on which a test says what it wants, packet by packet.
type wire struct {
	net.Conn
	testing.TB
}

// dial connects to an address; over TLS if secure.
func dial(b *bench, address string, secure bool) *wire {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	if secure {
		conn = tls.Client(conn, &tls.Config{RootCAs: b.roots, ServerName: "127.0.0.1"})
	}
	b.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		b.Fatal(err)
	}
	return &wire{conn, b}
}

// connectPacket is the CONNECT of a card.
func connectPacket(c card) *packets.ConnectPacket {
	p := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	p.ProtocolName, p.ProtocolVersion, p.CleanSession, p.Keepalive = "MQTT", 4, true, 60
	p.ClientIdentifier = c.clientID()
	p.UsernameFlag, p.Username = true, c.username()
	p.PasswordFlag, p.Password = true, []byte(c.password())
	return p
}

func (w *wire) send(p packets.ControlPacket) {
	w.Helper()
	var b bytes.Buffer // one write per packet
	if err := p.Write(&b); err != nil {
		w.Fatal(err)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		w.Fatal(err)
	}
}

func (w *wire) receive() packets.ControlPacket {
	w.Helper()
	p, err := packets.ReadPacket(w)
	if err != nil {
		w.Fatal(err)
	}
	return p
}

// code returns the code of the CONNACK that comes next; closed if the connection ends without one.
func (w *wire) code() int {
	w.Helper()
	p, err := packets.ReadPacket(w)
	if err != nil {
		w.mustBeClosed(err)
		return closed
	}
	ack, ok := p.(*packets.ConnackPacket)
	if !ok {
		w.Fatalf("got %v, want a CONNACK", p)
	}
	if ack.SessionPresent {
		w.Error("a session is present")
	}
	return int(ack.ReturnCode)
}

const closed = -1

// expectClosed tests that the server sends nothing more and closes.
func (w *wire) expectClosed() {
	w.Helper()
	p, err := packets.ReadPacket(w)
	if err == nil {
		w.Fatalf("got %v, want the connection's end", p)
	}
	w.mustBeClosed(err)
}

func (w *wire) mustBeClosed(err error) {
	w.Helper()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.Fatal("the connection is still open")
	}
}

// signIn connects a device.
func signIn(b *bench, address string, c card) *wire {
	b.Helper()
	w := dial(b, address, c.mode == "2")
	w.send(connectPacket(c))
	if code := w.code(); code != 0 {
		b.Fatalf("%s: CONNACK %d", c.device, code)
	}
	return w
}

func (w *wire) publish(topic, payload string, qos byte, identifier uint16) {
	w.Helper()
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload, p.Qos, p.MessageID = topic, []byte(payload), qos, identifier
	w.send(p)
}

// ping waits until the server has handled all that was sent before, and returns the PUBLISH packets that came meanwhile.
func (w *wire) ping() []*packets.PublishPacket {
	w.Helper()
	w.send(packets.NewControlPacket(packets.Pingreq))
	var got []*packets.PublishPacket
	for {
		switch p := w.receive().(type) {
		case *packets.PingrespPacket:
			return got
		case *packets.PublishPacket:
			got = append(got, p)
		}
	}
}

// subscribe asks for filters with QoS 1 and returns the codes of the answer.
func (w *wire) subscribe(filters ...string) []byte {
	w.Helper()
	p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	p.MessageID = 7
	for _, f := range filters {
		p.Topics, p.Qoss = append(p.Topics, f), append(p.Qoss, 1)
	}
	w.send(p)
	ack, ok := w.receive().(*packets.SubackPacket)
	if !ok || ack.MessageID != 7 {
		w.Fatalf("got %v, want a SUBACK", ack)
	}
	return ack.ReturnCodes
}

func (w *wire) nextPublish() *packets.PublishPacket {
	w.Helper()
	p, ok := w.receive().(*packets.PublishPacket)
	if !ok {
		w.Fatalf("got %v, want a PUBLISH", p)
	}
	return p
}
