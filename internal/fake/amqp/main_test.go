package amqp_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	goamqp "github.com/Azure/go-amqp"
	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/amqp"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	target    = "iot-060a0001"
	tracker   = "a1Tracker01"
	group     = "DEFAULT_GROUP"
	keyID     = "LTAI4TestKey0001"
	keySecret = "Not-A-Real-Secret-0001"
)

// The fake's own clock; connections live in real time, or in that of a bubble.
var start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// A bench is a platform with trackers that report every minute, and a server in front of it.
type bench struct {
	testing.TB
	cloud  *fake.Cloud
	clock  *fake.VirtualClock
	server *amqp.Server
	line   *line
}

// newBench serves n trackers. Quotas do not count, unless change says so.
func newBench(t testing.TB, n int, change func(*amqp.Config)) *bench {
	t.Helper()
	return newBenchOf(t, newFleet(n), change)
}

func newBenchOf(t testing.TB, f *fleet.Fleet, change func(*amqp.Config)) *bench {
	t.Helper()
	clock := fake.NewVirtualClock(start)
	cloud, err := fake.New(f, fake.Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	c := amqp.Config{
		AccessKeyID: keyID, AccessKeySecret: iot.NewSecret(keySecret),
		Clock: clock, Quotas: fake.NoQuotas, Poll: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if change != nil {
		change(&c)
	}
	server, err := amqp.New(cloud, c)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{TB: t, cloud: cloud, clock: clock, server: server, line: newLine()}
	b.serve(b.line)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// newFleet has n trackers on the public instance, and none on the target.
func newFleet(n int) *fleet.Fleet {
	events := []iot.Event{iot.DeviceData, iot.StatusChange}
	f := &fleet.Fleet{
		Account: fleet.Account{UID: "1098765432109876", Region: "cn-shanghai"},
		Instances: []fleet.Instance{
			{Type: iot.PublicLegacy}, {ID: target, Type: iot.EnterpriseStandard, OnlineQuota: 1_000_000},
		},
		Products: []fleet.Product{{
			Key: tracker, Name: "tracker", NodeType: iot.Direct, Auth: iot.AuthPerDevice, Network: iot.WiFi, DataFormat: iot.Custom,
			Forwarding: []fleet.Forwarding{{Type: fleet.AMQP, ConsumerGroup: group, Events: events}},
		}},
	}
	for i := range n {
		name := fmt.Sprintf("t-%05d", i)
		f.Devices = append(f.Devices, fleet.Device{
			ID: iot.DeviceID{ProductKey: tracker, DeviceName: name}, Secret: iot.NewSecret("s-" + name),
			Status: iot.Online, Reconnects: true,
		})
	}
	return f
}

// newWideFleet has one tracker with a thing model of 60 properties, whose reports have about 3,000 bytes.
func newWideFleet() *fleet.Fleet {
	f := newFleet(1)
	var properties []string
	for i := range 60 {
		properties = append(properties, fmt.Sprintf(`{"identifier": "property%02d", "dataType": {"type": "float"}}`, i))
	}
	f.Products[0].DataFormat = iot.Alink
	f.Products[0].TSL = json.RawMessage(`{"properties": [` + strings.Join(properties, ",") + `]}`)
	return f
}

// serve accepts connections of a listener until the test ends.
func (b *bench) serve(l net.Listener) {
	served := make(chan error, 1)
	go func() { served <- b.server.Serve(l) }()
	b.Cleanup(func() {
		_ = b.server.Close()
		if err := <-served; err != nil {
			b.Error(err)
		}
	})
}

// listen serves a loopback socket and returns its address.
func (b *bench) listen() string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.serve(l)
	return l.Addr().String()
}

// backlog counts the messages that nobody has settled or holds.
func (b *bench) backlog() int {
	b.Helper()
	p, err := b.cloud.Platform(target, nil)
	if err != nil {
		b.Fatal(err)
	}
	status, err := p.Source.GroupStatus(b.Context(), group)
	if err != nil {
		b.Fatal(err)
	}
	return status.Backlog
}

// userName returns a valid one, with pairs besides the usual.
func userName(instance, group string) string {
	return fmt.Sprintf("a-client|authMode=aksign,signMethod=hmacsha1,consumerGroupId=%s,authId=%s,iotInstanceId=%s,timestamp=1573489088171|",
		group, keyID, instance)
}

// password returns the one of such a user name.
func password() string {
	mac := hmac.New(sha1.New, []byte(keySecret))
	mac.Write([]byte("authId=" + keyID + "&timestamp=1573489088171"))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// options are those of a client that may come in.
func options() *goamqp.ConnOptions {
	return &goamqp.ConnOptions{SASLType: goamqp.SASLTypePlain(userName("", group), password())}
}

// dial connects a go-amqp client by pipe. It is closed when the test ends.
func (b *bench) dial(o *goamqp.ConnOptions) *goamqp.Conn {
	b.Helper()
	c, err := goamqp.NewConn(b.Context(), b.line.dial(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close() })
	return c
}

// receiver connects a client with a receiver link.
func (b *bench) receiver(o *goamqp.ReceiverOptions) (*goamqp.Conn, *goamqp.Receiver) {
	b.Helper()
	c := b.dial(options())
	return c, b.attach(c, o)
}

func (b *bench) attach(c *goamqp.Conn, o *goamqp.ReceiverOptions) *goamqp.Receiver {
	b.Helper()
	s, err := c.NewSession(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	r, err := s.NewReceiver(b.Context(), "/queue-name", o)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// receive gets n messages.
func (b *bench) receive(r *goamqp.Receiver, n int) []*goamqp.Message {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	list := make([]*goamqp.Message, n)
	for i := range list {
		var err error
		if list[i], err = r.Receive(ctx, nil); err != nil {
			b.Fatalf("message %d of %d: %v", i+1, n, err)
		}
	}
	return list
}

func idOf(m *goamqp.Message) string { return m.ApplicationProperties["messageId"].(string) }

// conditionOf returns the condition of an error that the server has sent.
func conditionOf(err error) string {
	if e, ok := errors.AsType[*goamqp.ConnError](err); ok && e.RemoteErr != nil {
		return string(e.RemoteErr.Condition)
	}
	if e, ok := errors.AsType[*goamqp.Error](err); ok {
		return string(e.Condition)
	}
	return ""
}

// A line is a listener whose connections are pipes: in a bubble they do not keep time from passing.
type line struct {
	calls  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newLine() *line { return &line{calls: make(chan net.Conn), closed: make(chan struct{})} }

func (l *line) dial() net.Conn {
	here, there := net.Pipe()
	select {
	case l.calls <- there:
	case <-l.closed:
		_ = there.Close()
	}
	return here
}

func (l *line) Accept() (net.Conn, error) {
	select {
	case c := <-l.calls:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *line) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *line) Addr() net.Addr { return &net.UnixAddr{Name: "line", Net: "pipe"} }
