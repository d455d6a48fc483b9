package mqtt_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/mqtt"
	"github.com/iotferry/iotferry/iot"
)

// Clients that do not trust the server do not get as far as its CONNACK, nor do those that speak TCP to TLS.
func TestTLS(t *testing.T) {
	b := newBench(t, noQuotas(), nil)
	address := b.listen(mqtt.Domain{Instance: fake.PublicDomain, TLS: true})
	c := card{device: first, mode: "2"}
	for name, config := range map[string]*tls.Config{
		"nobody vouches":    {RootCAs: x509.NewCertPool()},
		"another host name": {RootCAs: b.roots, ServerName: "iot-as-mqtt.cn-shanghai.aliyuncs.com"},
		"it has expired":    {RootCAs: b.roots, Time: func() time.Time { return time.Now().Add(24 * time.Hour) }},
	} {
		token := newClient(b, "ssl://"+address, c, func(o *paho.ClientOptions) { o.SetTLSConfig(config) }).Connect()
		if !token.WaitTimeout(patience) || token.Error() == nil {
			t.Errorf("%s: the client has connected", name)
		}
	}
	w := dial(b, address, false)
	w.send(connectPacket(c))
	_, _ = io.Copy(io.Discard, w) // an alert of TLS
	w.expectClosed()
	if got := b.truth(first).Status; got != iot.Offline {
		t.Errorf("the device is %s", got)
	}
	connect(b, "ssl://"+address, c, nil)
}

// A safeBuffer is a bytes.Buffer that several goroutines can write to.
type safeBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// However much is logged, and whatever happens: no secret, no signature, and nothing of what messages carry.
func TestNothingSecretIsLogged(t *testing.T) {
	out := &safeBuffer{}
	b := newBench(t, mqtt.Config{
		Logger: slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})), OnBreach: mqtt.Disconnect,
	}, nil)
	address := b.listen(mqtt.Domain{Instance: fake.PublicDomain, TLS: true})
	registers := card{device: id(plug, "plug-1"), secret: "ps-" + plug, random: "1", mode: "2"}
	answer := string(signIn(b, address, registers).nextPublish().Payload)
	_, registered, _ := strings.Cut(answer, `"deviceSecret":"`)
	registered = strings.TrimSuffix(registered, `"}`)

	good, bad := card{device: first, mode: "2"}, card{device: first, mode: "2", secret: "wrong"}
	w := dial(b, address, true)
	w.send(connectPacket(bad))
	w.code()
	w = signIn(b, address, good)
	w.send(connectPacket(good)) // a second one
	w.expectClosed()
	w = signIn(b, address, good)
	w.publish("/a1Tracker01/tracker-001/user/update", "carried", 1, 1)
	w.expectClosed()
	w = signIn(b, address, good)
	w.publish(update, "carried", 2, 1)
	w.expectClosed()
	w = signIn(b, address, good)
	if _, err := w.Write([]byte("\x30\x09\x00\x02/+carried")); err != nil { // no topic
		t.Fatal(err)
	}
	w.expectClosed()
	if err := b.server.Close(); err != nil {
		t.Fatal(err)
	}
	log := out.String()
	if n := strings.Count(log, "\n"); n < 10 {
		t.Fatalf("only %d lines are logged", n)
	}
	for _, secret := range []string{
		registered, registers.secret, registers.password(), secretOf(first), good.password(), bad.password(), "carried",
	} {
		if len(secret) < 6 || strings.Contains(log, secret) || strings.Contains(log, numbers(secret)) {
			t.Errorf("%q is in the log", secret)
		}
	}
	if t.Failed() {
		t.Log(log)
	}
}

// numbers is how a slice of bytes is printed by mistake.
func numbers(text string) string {
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("", "x", struct{ B []byte }{[]byte(text)})
	_, list, _ := strings.Cut(b.String(), "[")
	list, _, _ = strings.Cut(list, "]")
	return list
}

// FuzzBytes sends any bytes, before or after a device has signed in. The server closes the connection in the end, and
// stays alive.
func FuzzBytes(f *testing.F) {
	b := newBench(f, noQuotas(), nil)
	l := newPipes()
	if err := b.server.Listen(l, mqtt.Domain{Instance: fake.PublicDomain}); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = b.server.Close() })
	var signIn bytes.Buffer
	if err := connectPacket(card{device: first}).Write(&signIn); err != nil {
		f.Fatal(err)
	}
	f.Add(false, signIn.Bytes())
	f.Add(false, []byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add(true, []byte("\x30\x04\x00\x01/x"))
	f.Add(true, []byte("\x32\x06\x00\x01/\x00\x01x"))
	f.Add(true, []byte("\x82\x06\x00\x07\x00\x01#\x01\xa2\x05\x00\x08\x00\x01#\xc0\x00\xe0\x00"))
	f.Add(true, []byte("\x40\x02\x00\x01\x50\x02\x00\x01\x62\x02\x00\x01\x70\x02\x00\x01"))
	f.Add(true, []byte("\x20\x02\x00\x00\x90\x03\x00\x01\x00\xb0\x02\x00\x01\xd0\x00\xf0\x00"))
	f.Fuzz(func(t *testing.T, signedIn bool, text []byte) {
		client, server := net.Pipe()
		l.conns <- server
		go func() {
			if signedIn {
				_, _ = client.Write(signIn.Bytes())
			}
			_, _ = client.Write(text)
			_, _ = client.Write([]byte("\x00\x00")) // no packet begins so
			_ = client.Close()
		}()
		got, _ := io.ReadAll(client)
		if signedIn && !bytes.HasPrefix(got, []byte("\x20\x02\x00\x00")) {
			t.Errorf("got %x, want a CONNACK first", got)
		}
	})
}
