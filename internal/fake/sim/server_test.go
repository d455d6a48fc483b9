package sim_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/sim"
	"github.com/iotferry/iotferry/iot"
)

// The line has exactly the members that clients are promised, and is the only text with the secret.
func TestLine(t *testing.T) {
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	s := start(t, newCloud(t, "s1-direct.json", fake.Options{}), sim.Config{CAFile: caFile})
	e := s.Endpoints()
	line := e.Line()
	if strings.Count(string(line), "\n") != 1 || !strings.HasSuffix(string(line), "\n") {
		t.Fatalf("%q is not one line", line)
	}
	var got map[string]string
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatal(err)
	}
	for name, scheme := range map[string]string{
		"openapi": "http", "openapiTLS": "https", "mqtt": "tcp", "mqttTLS": "tls", "mqttTarget": "tcp",
		"amqp": "amqp", "amqpTLS": "amqps", "console": "http",
	} {
		u, err := url.Parse(got[name])
		if err != nil || u.Scheme != scheme || u.Hostname() != "127.0.0.1" || u.Port() == "" || u.Path != "" {
			t.Errorf("%s is %q", name, got[name])
		}
		delete(got, name)
	}
	want := map[string]string{
		"caFile": caFile, "accessKeyId": e.AccessKeyID, "accessKeySecret": e.AccessKeySecret.Reveal(),
		"uid": "1098765432109876", "region": "cn-shanghai", "targetInstanceId": target,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("-want +got:\n" + diff)
	}
	marshalled, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v %#v %s", e, e, marshalled); strings.Contains(text, e.AccessKeySecret.Reveal()) {
		t.Errorf("the secret is in %s", text)
	}
	other := start(t, newCloud(t, "s1-direct.json", fake.Options{}), sim.Config{}).Endpoints()
	if other.AccessKeyID == e.AccessKeyID || other.AccessKeySecret == e.AccessKeySecret {
		t.Error("two servers have the same random key")
	}
}

// probes are what the servers of three protocols say to a client that has not logged in.
func probes(e sim.Endpoints) map[string]struct{ send, want string } {
	const (
		httpAsk = "GET / HTTP/1.0\r\n\r\n"
		// The header of AMQP with SASL. The server repeats it.
		amqpAsk = "AMQP\x03\x01\x00\x00"
		// A CONNECT of MQTT 3.1.1 with an empty client ID, refused with code 2.
		mqttAsk    = "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"
		mqttAnswer = "\x20\x02\x00"
	)
	return map[string]struct{ send, want string }{
		e.OpenAPI: {httpAsk, "HTTP/1.0 400"}, e.OpenAPITLS: {httpAsk, "HTTP/1.0 400"},
		e.MQTT: {mqttAsk, mqttAnswer}, e.MQTTTLS: {mqttAsk, mqttAnswer},
		e.MQTTTarget: {mqttAsk, mqttAnswer}, e.MQTTTargetTLS: {mqttAsk, mqttAnswer},
		e.AMQP: {amqpAsk, amqpAsk}, e.AMQPTLS: {amqpAsk, amqpAsk},
		e.Console: {httpAsk, "HTTP/1.0 404"},
	}
}

// dial connects to an endpoint, with TLS if its scheme says so.
func dial(ctx context.Context, endpoint string, c *tls.Config) (net.Conn, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	if slices.Contains([]string{"https", "tls", "amqps"}, u.Scheme) {
		return (&tls.Dialer{Config: c}).DialContext(ctx, "tcp", u.Host)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", u.Host)
}

func endpoints(e sim.Endpoints) []string { return slices.Sorted(maps.Keys(probes(e))) }

// Each endpoint speaks its protocol, and those with TLS have a certificate of the CA.
func TestProtocols(t *testing.T) {
	s := start(t, newCloud(t, "s1-direct.json", fake.Options{}), sim.Config{})
	all := probes(s.Endpoints())
	if len(all) != 9 {
		t.Fatalf("%d endpoints are different, want 9", len(all))
	}
	for endpoint, p := range all {
		c, err := dial(t.Context(), endpoint, &tls.Config{RootCAs: s.RootCAs()})
		if err != nil {
			t.Errorf("%s: %v", endpoint, err)
			continue
		}
		defer c.Close()
		if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, p.send); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(p.want))
		if _, err := io.ReadFull(c, got); err != nil || string(got) != p.want {
			t.Errorf("%s: got %q and error %v, want %q", endpoint, got, err, p.want)
		}
	}
}

func secure(e sim.Endpoints) []string {
	return []string{e.OpenAPITLS, e.MQTTTLS, e.MQTTTargetTLS, e.AMQPTLS}
}

// A client that checks certificates refuses what is not right about them, on every protocol.
func TestCertificates(t *testing.T) {
	cloud := newCloud(t, "s1-direct.json", fake.Options{})
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	s := start(t, cloud, sim.Config{CAFile: caFile})
	text, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	fromFile := x509.NewCertPool()
	if !fromFile.AppendCertsFromPEM(text) || !fromFile.Equal(s.RootCAs()) {
		t.Errorf("the file has another CA: %s", text)
	}
	expired := start(t, cloud, sim.Config{CertExpires: time.Now().Add(-time.Second)})
	elsewhere := start(t, cloud, sim.Config{CertHosts: []string{"iot.example.com", "192.0.2.1"}})
	for _, test := range []struct {
		name   string
		server *sim.Server
		config *tls.Config
		refuse func(error) bool
	}{
		{"127.0.0.1", s, &tls.Config{RootCAs: fromFile}, nil},
		{"localhost", s, &tls.Config{RootCAs: fromFile, ServerName: "localhost"}, nil},
		{"the CA of another server", s, &tls.Config{RootCAs: expired.RootCAs()}, is[x509.UnknownAuthorityError]},
		{"the CAs of the system", s, nil, is[x509.UnknownAuthorityError]},
		{"another name", s, &tls.Config{RootCAs: fromFile, ServerName: "iot.example.com"}, is[x509.HostnameError]},
		{"TLS 1.1", s, &tls.Config{RootCAs: fromFile, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS11}, is[error]},
		{"expired", expired, &tls.Config{RootCAs: expired.RootCAs()}, is[x509.CertificateInvalidError]},
		{"the address is not in it", elsewhere, &tls.Config{RootCAs: elsewhere.RootCAs()}, is[x509.HostnameError]},
		{"the name is in it", elsewhere, &tls.Config{RootCAs: elsewhere.RootCAs(), ServerName: "iot.example.com"}, nil},
	} {
		for _, endpoint := range secure(test.server.Endpoints()) {
			c, err := dial(t.Context(), endpoint, test.config)
			switch {
			case err == nil:
				c.Close()
				if test.refuse != nil {
					t.Errorf("%s: %s was accepted", test.name, endpoint)
				}
			case test.refuse == nil || !test.refuse(err):
				t.Errorf("%s: %s: got %v", test.name, endpoint, err)
			}
		}
	}
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// A config that makes no sense is refused before anything listens, or is written.
func TestStartRefuses(t *testing.T) {
	cloud := newCloud(t, "s1-direct.json", fake.Options{})
	taken := start(t, cloud, sim.Config{}).Endpoints().AMQP
	_, port, err := net.SplitHostPort(strings.TrimPrefix(taken, "amqp://"))
	if err != nil {
		t.Fatal(err)
	}
	caFile := filepath.Join(t.TempDir(), "no-such-folder", "ca.pem")
	for _, test := range []struct {
		name   string
		config sim.Config
		kind   iot.Kind
		want   string
	}{
		{"no target", sim.Config{}, iot.NotFound, "there is no standard-type Enterprise instance"},
		{"another target", sim.Config{Target: "iot-1"}, iot.NotFound, "iot-1"},
		{"half a key", sim.Config{Target: target, AccessKeyID: "LTAI"}, iot.Invalid, "or neither"},
		{"the other half", sim.Config{Target: target, AccessKeySecret: iot.NewSecret("x")}, iot.Invalid, "or neither"},
		{"all addresses", sim.Config{Target: target, Addr: "0.0.0.0"}, iot.Invalid, "set the host"},
		{"no ports", sim.Config{Target: target, Port: 65530}, iot.Invalid, "no room for 9 ports"},
		{"a negative port", sim.Config{Target: target, Port: -1}, iot.Invalid, "no room"},
		{"a port that is taken", sim.Config{Target: target, Port: atoi(t, port)}, iot.Unclassified, "address already in use"},
		{"an address of others", sim.Config{Target: target, Addr: "192.0.2.1"}, iot.Unclassified, "192.0.2.1"},
		{"no place for the CA", sim.Config{Target: target, CAFile: caFile}, iot.Unclassified, caFile},
	} {
		s, err := sim.Start(t.Context(), cloud, test.config)
		if err == nil {
			s.Close()
			t.Errorf("%s: it has started", test.name)
		} else if iot.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v of kind %q, want %q of kind %q", test.name, err, iot.KindOf(err), test.want, test.kind)
		}
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// The end comes by Close, and by the context, at once: whatever is connected and whatever is under way. That nothing is left
// is what goleak sees.
func TestEnd(t *testing.T) {
	for name, end := range map[string]func(s *sim.Server, cancel func()){
		"close":   func(s *sim.Server, _ func()) { _ = s.Close() },
		"context": func(_ *sim.Server, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			faults := new(sim.Faults)
			entered := make(chan struct{})
			cloud := newCloud(t, "s1-direct.json", fake.Options{Hook: func(op fake.Op) fake.Fault {
				defer close(entered)
				return faults.Hook(op)
			}})
			if err := faults.Set([]sim.Rule{{Kind: fake.ConsoleOp, Delay: sim.Duration(time.Hour)}}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s, err := sim.Start(ctx, cloud, sim.Config{Target: target})
			if err != nil {
				t.Fatal(err)
			}
			for _, endpoint := range endpoints(s.Endpoints()) {
				c, err := dial(ctx, endpoint, &tls.Config{RootCAs: s.RootCAs()})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
			}
			answered := make(chan error, 1)
			go func() {
				body := strings.NewReader(`{"productKey":"` + meter + `","targetInstanceId":"` + target + `"}`)
				r, err := http.Post(s.Endpoints().Console+"/tasks", "application/json", body)
				if err == nil {
					r.Body.Close()
				}
				answered <- err
			}()
			<-entered
			before := time.Now()
			end(s, cancel)
			if err := s.Wait(); err != nil {
				t.Error(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if err := <-answered; err == nil {
				t.Error("a call that takes an hour was answered")
			}
			if took := time.Since(before); took > 3*time.Second {
				t.Errorf("the end took %v", took)
			}
			for _, endpoint := range endpoints(s.Endpoints()) {
				if c, err := dial(t.Context(), endpoint, nil); err == nil {
					c.Close()
					t.Errorf("%s still listens", endpoint)
				}
			}
		})
	}
}

// Ports that were asked for follow each other.
func TestPorts(t *testing.T) {
	cloud := newCloud(t, "s1-direct.json", fake.Options{})
	var last error
	for first := 42000; first < 60000; first += 1000 {
		s, err := sim.Start(t.Context(), cloud, sim.Config{Target: target, Port: first})
		if err != nil {
			last = err // somebody else has one of them
			continue
		}
		e := s.Endpoints()
		got := []string{e.OpenAPI, e.OpenAPITLS, e.MQTT, e.MQTTTLS, e.MQTTTarget, e.AMQP, e.AMQPTLS, e.Console, e.MQTTTargetTLS}
		for i, endpoint := range got {
			if want := fmt.Sprintf("://127.0.0.1:%d", first+i); !strings.HasSuffix(endpoint, want) {
				t.Errorf("endpoint %d is %s, want %s", i, endpoint, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		return
	}
	t.Fatal(last)
}

// What time brings happens although nobody asks, also when the server that saw to it has ended.
func TestFollow(t *testing.T) {
	clock, connects := new(sim.Clock), make(chan string, 10)
	cloud := newCloud(t, "s1-direct.json", fake.Options{Clock: clock, Hook: func(op fake.Op) fake.Fault {
		if op.Name == fake.Connect {
			connects <- op.Devices[0]
		}
		return fake.Fault{}
	}})
	first, err := sim.Start(t.Context(), cloud, sim.Config{Target: target})
	if err != nil {
		t.Fatal(err)
	}
	start(t, cloud, sim.Config{Clock: clock})
	console := cloud.Console()
	task, err := console.CreateTask(t.Context(), meter, target)
	if err != nil {
		t.Fatal(err)
	}
	reconnects := func(name string) {
		t.Helper()
		if _, err := console.Gray(t.Context(), task, []string{name}); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Minute)
		select {
		case got := <-connects:
			if got != name {
				t.Errorf("device %s has connected, not %s", got, name)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("device %s does not connect", name)
		}
	}
	reconnects("meter-0001")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	reconnects("meter-0002")
}
