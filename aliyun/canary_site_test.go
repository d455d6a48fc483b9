package aliyun_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"iter"
	"log/slog"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/internal/fake/mqtt"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

const lampModel = `{
	"properties": [{"identifier": "Power", "accessMode": "rw", "dataType": {"type": "float", "specs": {"min": "0", "max": "30"}}},
		{"identifier": "Energy", "accessMode": "r", "dataType": {"type": "float", "specs": {"min": "0", "max": "1000000000"}}}],
	"services": [
		{"identifier": "SelfTest", "callType": "sync", "outputData": [{"identifier": "ok", "dataType": {"type": "bool"}}]},
		{"identifier": "Reboot", "callType": "async"}
	]
}`

var plug = iot.Credential{ID: iot.DeviceID{ProductKey: "a1Plugs0001", DeviceName: "plug-0001"}}

// canaryFleet has a lamp with a thing model, a gateway with two bulbs, and a plug that registers itself.
func canaryFleet() *fleet.Fleet {
	f := &fleet.Fleet{
		Account:   fleet.Account{UID: testAccount, Region: testRegion},
		Instances: []fleet.Instance{{Type: iot.PublicLegacy}, {ID: testTarget, Type: iot.EnterpriseStandard, OnlineQuota: 1_000_000}},
	}
	add := func(c iot.Credential, node iot.NodeType, gateway iot.DeviceID, status iot.Status) {
		if n := len(f.Products); n == 0 || f.Products[n-1].Key != c.ID.ProductKey {
			f.Products = append(f.Products, fleet.Product{
				Key: c.ID.ProductKey, Name: c.ID.ProductKey, NodeType: node, Auth: iot.AuthPerDevice, Network: iot.WiFi,
				DataFormat: iot.Custom, Forwarding: []fleet.Forwarding{{Type: fleet.Rule, Name: "r", Topic: "/+/user/update", Actions: []string{"OTS"}}},
			})
		}
		f.Devices = append(f.Devices, fleet.Device{ID: c.ID, Secret: c.Secret, Status: status, Reconnects: true, Gateway: gateway})
	}
	add(lamp, iot.Direct, iot.DeviceID{}, iot.Offline)
	add(hubCredential, iot.Gateway, iot.DeviceID{}, iot.Offline)
	add(bulbA, iot.SubDevice, hubCredential.ID, iot.Offline)
	add(bulbB, iot.SubDevice, hubCredential.ID, iot.Offline)
	add(plug, iot.Direct, iot.DeviceID{}, iot.Unactive)
	f.Products[0].DataFormat, f.Products[0].TSL = iot.Alink, json.RawMessage(lampModel)
	f.Products[0].Forwarding = []fleet.Forwarding{{Type: fleet.Rule, Name: "posts", Topic: "/+/thing/event/property/post", Actions: []string{"OTS"}}}
	f.Products[3].Auth, f.Products[3].Secret = iot.AuthPerProductPreregistered, productSecret
	return f
}

var hubCredential = iot.Credential{ID: iot.DeviceID{ProductKey: "a1Hubs00001", DeviceName: "hub-0001"}, Secret: iot.NewSecret("hubSecret-3301")}

// A site is the platform in memory, in real time, with its public domain on a socket with TLS.
type site struct {
	*fake.Cloud
	platform iot.Platform
	broker   string
	roots    *x509.CertPool
}

// newSite has a certificate for a host that is valid until a time.
func newSite(t *testing.T, host string, until time.Time) *site {
	t.Helper()
	quirks := fake.DefaultQuirks()
	quirks.VisibilityLag, quirks.StatusLag = 0, 0
	cloud, err := fake.New(canaryFleet(), fake.Options{Quirks: quirks, NoDevices: true})
	if err != nil {
		t.Fatal(err)
	}
	platform, err := cloud.Platform(testTarget, noPace{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := mqtt.New(cloud, mqtt.Config{})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	certificate, roots := newCertificate(t, host, until)
	if err := server.Listen(tls.NewListener(listener, certificate), mqtt.Domain{Instance: fake.PublicDomain, TLS: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return &site{Cloud: cloud, platform: platform, broker: "tls://" + listener.Addr().String(), roots: roots}
}

func newCertificate(t *testing.T, host string, until time.Time) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-48 * time.Hour), NotAfter: until, IPAddresses: []net.IP{net.ParseIP(host)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}

func goodSite(t *testing.T) *site { return newSite(t, "127.0.0.1", time.Now().Add(time.Minute)) }

// config is a canary at the site's public domain.
func (s *site) config(c iot.Credential) func(io.Writer) aliyun.CanaryConfig {
	return func(log io.Writer) aliyun.CanaryConfig {
		return aliyun.CanaryConfig{
			Credential: c, Broker: s.broker, RootCAs: s.roots,
			Logger: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		}
	}
}

// lamp is a canary with a thing model.
func (s *site) lamp(log io.Writer) aliyun.CanaryConfig {
	config := s.config(lamp)(log)
	config.Behaviour = aliyun.CanaryBehaviour{
		Services: map[string]aliyun.CanaryService{
			"SelfTest": func(context.Context, json.RawMessage) (int, json.RawMessage) {
				return 200, json.RawMessage(`{"ok":true}`)
			},
			"Reboot": nil, aliyun.PropertySet: nil,
		},
		Report: aliyun.PropertyReport(func(nonce string) json.RawMessage { return json.RawMessage(`{"Energy":` + nonce + `}`) }),
	}
	return config
}

// move moves devices of a product, as the console does with the first batch.
func (s *site) move(t *testing.T, id iot.DeviceID, more ...string) {
	t.Helper()
	console := s.Console()
	task, err := console.CreateTask(t.Context(), id.ProductKey, testTarget)
	if err == nil {
		_, err = console.Gray(t.Context(), task, append(more, id.DeviceName))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// subject asks about one device, whose family stands before it.
func (s *site) subject(id iot.DeviceID, moved time.Time, subs ...iot.DeviceID) *migrate.Subject {
	node := iot.Direct
	if len(subs) > 0 {
		node = iot.Gateway
	}
	return &migrate.Subject{
		Campaign: "test", Stage: "first", Now: time.Now(), Source: s.platform.Source, Target: s.platform.Target,
		Devices: []migrate.SubjectDevice{{ID: id, Node: node, Family: append(subs, id), Moved: moved}},
	}
}

// look asks a verifier about the one device once.
func (s *site) look(t *testing.T, v migrate.Verifier, subject *migrate.Subject) migrate.Finding {
	t.Helper()
	subject.Now = time.Now()
	for f, err := range v.Verify(t.Context(), subject) {
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	t.Fatal("no finding")
	return migrate.Finding{}
}

// proves looks until the verdict is not inconclusive any more, and wants a pass.
func (s *site) proves(t *testing.T, v migrate.Verifier, subject *migrate.Subject) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond) // the platform takes 10 messages a second from a device
	defer tick.Stop()
	f := s.look(t, v, subject)
	for deadline := time.Now().Add(20 * time.Second); f.Verdict == migrate.Inconclusive && time.Now().Before(deadline); {
		<-tick.C
		f = s.look(t, v, subject)
	}
	if f.Verdict != migrate.Pass {
		t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
	}
}

// newest is a sink that has the newest report of a device that the target forwarded.
func (s *site) newest() verify.Sink {
	sink := s.Sink(testTarget)
	return verify.SinkFunc(func(_ context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
		return func(yield func(iot.Message, error) bool) {
			for _, id := range ids {
				if m, ok := sink.Newest(id); ok && !yield(m, nil) {
					return
				}
			}
		}
	})
}
