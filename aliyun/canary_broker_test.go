package aliyun_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

var (
	lamp  = iot.Credential{ID: iot.DeviceID{ProductKey: "a1Lamp00001", DeviceName: "lamp-0001"}, Secret: iot.NewSecret("lampSecret-7731")}
	bulbA = iot.Credential{ID: iot.DeviceID{ProductKey: "a1Bulb00001", DeviceName: "bulb-0001"}, Secret: iot.NewSecret("bulbSecret-4410")}
	bulbB = iot.Credential{ID: iot.DeviceID{ProductKey: "a1Bulb00001", DeviceName: "bulb-0002"}, Secret: iot.NewSecret("bulbSecret-4411")}
)

// A broker is the platform's end of MQTT, as bad as a test wants it. Its hooks are set before the canary runs, and called by
// the goroutine of the connection that they are about. What a hook leaves out is done as the platform does it.
type broker struct {
	connack   func(n int) (code byte, answer bool) // of connection n, counted from 1
	connected func(*peer)                          // after the CONNACK
	suback    func(filter string) byte
	settled   func(*peer) // after the SUBACK for the first filter
	published func(*peer, *packets.PublishPacket)
	deaf      bool                    // no answer to pings
	wrap      func(net.Conn) net.Conn // the canary's end
	tls       *tls.Config

	mu     sync.Mutex
	peers  []*peer
	times  []time.Time // of connections
	logins []*packets.ConnectPacket
	done   sync.WaitGroup

	goodbyes int
}

// A peer is the broker's end of one connection.
type peer struct {
	net.Conn
	b  *broker
	n  int // counted from 1
	mu sync.Mutex
}

// dial is the Dial of a canary's configuration.
func (b *broker) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	if b.tls != nil {
		far = tls.Server(far, b.tls)
	}
	b.mu.Lock()
	p := &peer{Conn: far, b: b, n: len(b.peers) + 1}
	b.peers = append(b.peers, p)
	b.times = append(b.times, time.Now())
	b.mu.Unlock()
	b.done.Go(p.serve)
	if b.wrap != nil {
		return b.wrap(near), nil
	}
	return near, nil
}

func (b *broker) connections() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]time.Time(nil), b.times...)
}

// last is the newest connection.
func (b *broker) last() *peer {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.peers[len(b.peers)-1]
}

func (p *peer) serve() {
	defer func() { _ = p.Close() }()
	for {
		packet, err := packets.ReadPacket(p)
		if err != nil || !p.take(packet) {
			return
		}
	}
}

func (p *peer) take(packet packets.ControlPacket) bool {
	switch packet := packet.(type) {
	case *packets.ConnectPacket:
		return p.takeConnect(packet)
	case *packets.SubscribePacket:
		p.takeSubscribe(packet)
	case *packets.PublishPacket:
		p.takePublish(packet)
	case *packets.PingreqPacket:
		if !p.b.deaf {
			p.send(packets.NewControlPacket(packets.Pingresp))
		}
	case *packets.DisconnectPacket:
		p.b.mu.Lock()
		defer p.b.mu.Unlock()
		p.b.goodbyes++
		return false
	}
	return true
}

func (p *peer) takeConnect(packet *packets.ConnectPacket) bool {
	p.b.mu.Lock()
	p.b.logins = append(p.b.logins, packet)
	p.b.mu.Unlock()
	code, answer := byte(0), true
	if p.b.connack != nil {
		code, answer = p.b.connack(p.n)
	}
	if !answer {
		return true
	}
	ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	ack.ReturnCode = code
	p.send(ack)
	if code == 0 && p.b.connected != nil {
		p.b.connected(p)
	}
	return code == 0
}

func (p *peer) takeSubscribe(packet *packets.SubscribePacket) {
	ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	ack.MessageID = packet.MessageID
	for _, filter := range packet.Topics {
		code := byte(1)
		if p.b.suback != nil {
			code = p.b.suback(filter)
		}
		ack.ReturnCodes = append(ack.ReturnCodes, code)
	}
	p.send(ack)
	if p.b.settled != nil && strings.Contains(packet.Topics[0], "/rrpc/") {
		p.b.settled(p)
	}
}

func (p *peer) takePublish(packet *packets.PublishPacket) {
	if packet.Qos == 1 {
		ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
		ack.MessageID = packet.MessageID
		p.send(ack)
	}
	if p.b.published != nil {
		p.b.published(p, packet)
	}
}

// send writes one packet; a connection that is gone takes none.
func (p *peer) send(packet packets.ControlPacket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var text bytes.Buffer
	_ = packet.Write(&text)
	_, _ = p.Write(text.Bytes())
}

func (p *peer) publish(topic, payload string) {
	m := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	m.TopicName, m.Payload = topic, []byte(payload)
	p.send(m)
}

// reply answers a request of the Alink protocol.
func (p *peer) reply(request *packets.PublishPacket, code int, data string) {
	var m struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(request.Payload, &m) == nil {
		p.publish(request.TopicName+"_reply", fmt.Sprintf(`{"id":%s,"code":%d,"message":"said the platform","data":%s}`, m.ID, code, data))
	}
}

// config is a canary at the broker.
func (b *broker) config(log io.Writer) aliyun.CanaryConfig {
	return aliyun.CanaryConfig{
		Credential: lamp, Broker: "tcp://broker.test", PlainText: true, Dial: b.dial,
		Logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

// A running canary: what it logged, and the end of its Run.
type running struct {
	*aliyun.Canary
	log  *journal
	stop context.CancelFunc
	done chan error
}

// A journal is a log that several goroutines write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// run lets a canary live until end is called.
func run(t *testing.T, config func(io.Writer) aliyun.CanaryConfig) *running {
	t.Helper()
	log := new(journal)
	canary, err := aliyun.NewCanary(config(log))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	r := &running{Canary: canary, log: log, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- canary.Run(ctx) }()
	return r
}

// end ends Run, which has to be glad about it.
func (r *running) end(t *testing.T) {
	t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	expectNoSecrets(t, r.log.String())
}

// session waits for a session after another one.
func (r *running) session(t *testing.T, after int) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	number, err := r.AwaitSession(ctx, after)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// expectNoSecrets looks for everything that must not be shown.
func expectNoSecrets(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for _, secret := range []iot.Secret{lamp.Secret, bulbA.Secret, bulbB.Secret, productSecret, newSecret} {
			if strings.Contains(text, secret.Reveal()) {
				t.Errorf("a secret is shown: %s", text)
			}
		}
	}
}

var (
	productSecret = iot.NewSecret("productSecret-9920")
	newSecret     = iot.NewSecret("newSecret-1188")
)
