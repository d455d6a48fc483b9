package mqtt_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math/big"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/internal/fake/mqtt"
	"github.com/iotferry/iotferry/iot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	target  = "iot-060a0001"
	meter   = "a1Meter0001" // Alink, direct
	tracker = "a1Tracker01" // custom, direct
	gateway = "a1Gateway01"
	climate = "a1Climate01" // Alink, sub-devices
	plug    = "a1Plugs0001" // registered by the product's certificate
)

const model = `{
	"properties": [{"identifier": "Power", "dataType": {"type": "float", "specs": {"min": "0", "max": "30"}}}],
	"services": [
		{"identifier": "Ping", "callType": "sync", "outputData": [{"identifier": "ok", "dataType": {"type": "bool"}}]},
		{"identifier": "Reboot", "callType": "async"}
	]
}`

func id(key, name string) iot.DeviceID { return iot.DeviceID{ProductKey: key, DeviceName: name} }

// secretOf is the secret of every device in these tests but the registered ones.
func secretOf(d iot.DeviceID) string { return "s-" + d.DeviceName }

// newFleet is an account with devices of every kind.
func newFleet() *fleet.Fleet {
	product := func(key string, node iot.NodeType, format iot.DataFormat) fleet.Product {
		p := fleet.Product{
			Key: key, Name: key, NodeType: node, Auth: iot.AuthPerDevice, Network: iot.WiFi,
			Secret: iot.NewSecret("ps-" + key), DataFormat: format,
		}
		if format == iot.Alink {
			p.TSL = json.RawMessage(model)
		}
		return p
	}
	f := &fleet.Fleet{
		Account: fleet.Account{UID: "1098765432109876", Region: "cn-shanghai"},
		Instances: []fleet.Instance{
			{Type: iot.PublicLegacy}, {ID: target, Type: iot.EnterpriseStandard, OnlineQuota: 1_000_000},
		},
		Products: []fleet.Product{
			product(meter, iot.Direct, iot.Alink), product(tracker, iot.Direct, iot.Custom),
			product(gateway, iot.Gateway, iot.Alink), product(climate, iot.SubDevice, iot.Alink),
			product(plug, iot.Direct, iot.Custom),
		},
	}
	f.Products[1].Forwarding = []fleet.Forwarding{
		{Type: fleet.Rule, Name: "to_ots", Topic: "/+/user/update", Actions: []string{"OTS"}},
	}
	for i := range f.Products {
		f.Products[i].Forwarding = append(f.Products[i].Forwarding, fleet.Forwarding{
			Type: fleet.AMQP, ConsumerGroup: "DEFAULT_GROUP", Events: []iot.Event{iot.DeviceData, iot.StatusChange},
		})
	}
	f.Products[4].Auth = iot.AuthPerProductPreregistered
	add := func(key, name string, status iot.Status, gw iot.DeviceID) {
		d := id(key, name)
		f.Devices = append(f.Devices, fleet.Device{
			ID: d, Secret: iot.NewSecret(secretOf(d)), Status: status, Reconnects: true, Gateway: gw,
		})
	}
	for i := range 200 {
		add(tracker, fmt.Sprintf("tracker-%03d", i), iot.Offline, iot.DeviceID{})
	}
	add(meter, "meter-1", iot.Offline, iot.DeviceID{})
	add(meter, "meter-off", iot.Disabled, iot.DeviceID{})
	add(gateway, "gateway-1", iot.Offline, iot.DeviceID{})
	add(climate, "climate-1", iot.Offline, id(gateway, "gateway-1"))
	add(climate, "climate-2", iot.Offline, id(gateway, "gateway-1"))
	add(plug, "plug-1", iot.Unactive, iot.DeviceID{})
	add(plug, "plug-2", iot.Offline, iot.DeviceID{})
	return f
}

// A bench is a platform with an MQTT front, in real time.
type bench struct {
	*fake.Cloud
	testing.TB
	server      *mqtt.Server
	certificate *tls.Config
	roots       *x509.CertPool
}

// newBench returns one without simulated devices. The caller has to close the server, or to let listen do it.
func newBench(t testing.TB, c mqtt.Config, hook func(fake.Op) fake.Fault) *bench {
	t.Helper()
	quirks := fake.DefaultQuirks()
	quirks.VisibilityLag, quirks.StatusLag = 0, 0
	cloud, err := fake.New(newFleet(), fake.Options{Quirks: quirks, Hook: hook, NoDevices: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := mqtt.New(cloud, c)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Cloud: cloud, TB: t, server: s}
	b.certificate, b.roots = newCertificate()
	return b
}

// in returns the bench for a subtest.
func (b *bench) in(t testing.TB) *bench {
	own := *b
	own.TB = t
	return &own
}

// listen opens a domain on a loopback socket, until the end of the test.
func (b *bench) listen(d mqtt.Domain) (address string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	address = l.Addr().String()
	if d.TLS {
		l = tls.NewListener(l, b.certificate)
	}
	if err := b.server.Listen(l, d); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = b.server.Close() })
	return address
}

// newCertificate returns the configuration of a server on this machine, and what vouches for it.
func newCertificate() (*tls.Config, *x509.CertPool) {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	roots := x509.NewCertPool()
	roots.AddCert(must(x509.ParseCertificate(der)))
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// messages returns what has come for the default group of an instance since the last time, oldest first.
func (b *bench) messages(instance string) (list []iot.Message) {
	b.Helper()
	x := must(b.Consume(instance, "DEFAULT_GROUP", "test"))
	defer x.Close()
	for _, d := range must(x.Receive(10_000)) {
		list = append(list, d.Message)
		if err := x.Settle(d.Tag); err != nil {
			b.Fatal(err)
		}
	}
	return list
}

func (b *bench) truth(d iot.DeviceID) fake.Truth {
	b.Helper()
	x, ok := b.Truth(d)
	if !ok {
		b.Fatalf("there is no device %s", d)
	}
	return x
}

// A card is what a device signs in with. The zero values of its fields are the usual ones.
type card struct {
	device    iot.DeviceID
	client    string // "client"
	mode      string // "3"
	method    string // left out: hmacmd5
	timestamp string // left out
	more      string // other extensions of the clientId
	secret    string // secretOf the device
	random    string // for a registration
}

func (c card) clientID() string {
	text := c.clientPart() + "|securemode=" + or(c.mode, "3")
	for _, pair := range [...][2]string{{"signmethod", c.method}, {"timestamp", c.timestamp}, {"random", c.random}} {
		if pair[1] != "" {
			text += "," + pair[0] + "=" + pair[1]
		}
	}
	if c.random != "" {
		text += ",authType=register"
	}
	return text + c.more + "|"
}

func (c card) clientPart() string { return or(c.client, "client") }

func (c card) username() string { return c.device.DeviceName + "&" + c.device.ProductKey }

func (c card) password() string {
	content := "clientId" + c.clientPart() + "deviceName" + c.device.DeviceName + "productKey" + c.device.ProductKey
	if c.timestamp != "" {
		content += "timestamp" + c.timestamp
	}
	if c.random != "" {
		content = "deviceName" + c.device.DeviceName + "productKey" + c.device.ProductKey + "random" + c.random
	}
	hashes := map[string]func() hash.Hash{"": md5.New, "hmacmd5": md5.New, "hmacsha1": sha1.New, "hmacsha256": sha256.New}
	mac := hmac.New(hashes[c.method], []byte(or(c.secret, secretOf(c.device))))
	mac.Write([]byte(content))
	return hex.EncodeToString(mac.Sum(nil))
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
