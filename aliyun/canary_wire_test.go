package aliyun_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

func TestCanaryProvesItsMove(t *testing.T) {
	s := goodSite(t)
	c := run(t, s.lamp)
	defer c.end(t)
	first := c.session(t, 0)
	v := verify.Canary(verify.CanaryConfig{
		Sink:       s.newest(),
		Services:   []verify.Invocation{{Service: "SelfTest"}, {Service: "Reboot", Async: true}},
		Properties: json.RawMessage(`{"Power":2}`),
	}, c)
	before := time.Now()
	if f := s.look(t, v, s.subject(lamp.ID, before)); f.Verdict != migrate.Inconclusive {
		t.Errorf("before the move: %s: %s", f.Verdict, f.Evidence.Seen)
	}
	s.move(t, lamp.ID)
	s.proves(t, v, s.subject(lamp.ID, before))
	if n, _, err := c.Session(); n != first+1 || err != nil {
		t.Errorf("session %d: %v", n, err)
	}
	if owner, _ := s.Owner(lamp.ID); owner != testTarget {
		t.Errorf("it lives on %q", owner)
	}
}

func TestCanaryProvesItsFamilysMove(t *testing.T) {
	s := goodSite(t)
	c := run(t, func(log io.Writer) aliyun.CanaryConfig {
		config := s.config(hubCredential)(log)
		config.SubDevices = []aliyun.CanarySubDevice{{Credential: bulbA}, {Credential: bulbB}}
		config.ReportEvery = time.Minute
		return config
	})
	defer c.end(t)
	c.session(t, 0)
	v := verify.Canary(verify.CanaryConfig{Sink: s.newest()}, c)
	before := time.Now()
	s.move(t, bulbA.ID, bulbB.ID.DeviceName)
	subject := s.subject(hubCredential.ID, before, bulbA.ID, bulbB.ID)
	if f := s.look(t, v, subject); f.Verdict != migrate.Inconclusive {
		t.Errorf("with a split family: %s: %s", f.Verdict, f.Evidence.Seen)
	}
	s.move(t, hubCredential.ID)
	s.proves(t, v, subject)
	subs := s.subject(bulbA.ID, before)
	s.proves(t, verify.Pub(verify.PubConfig{}), subs)
	s.proves(t, verify.Reporting(verify.ReportingConfig{Sink: s.newest()}), subs)
}

// A canary that does not come back proves nothing, whatever worked before.
func TestCanaryThatStaysAway(t *testing.T) {
	s := goodSite(t)
	var away atomic.Bool
	c := run(t, func(log io.Writer) aliyun.CanaryConfig {
		config := s.lamp(log)
		config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if away.Load() {
				return nil, errors.New("no route to host")
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		return config
	})
	defer c.end(t)
	c.session(t, 0)
	away.Store(true)
	before := time.Now()
	s.move(t, lamp.ID)
	v := verify.Canary(verify.CanaryConfig{Timeout: time.Second}, c)
	for range 3 {
		if f := s.look(t, v, s.subject(lamp.ID, before)); f.Verdict != migrate.Inconclusive {
			t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
		}
	}
}

// A canary whose connection has died, and which has not noticed yet, proves nothing either.
func TestCanaryOnADeadConnection(t *testing.T) {
	s := goodSite(t)
	var dead atomic.Bool
	c := run(t, func(log io.Writer) aliyun.CanaryConfig {
		config := s.lamp(log)
		config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return &dying{Conn: conn, dead: &dead}, err
		}
		return config
	})
	defer c.end(t)
	c.session(t, 0)
	s.move(t, lamp.ID)
	c.session(t, 1)
	dead.Store(true)
	f := s.look(t, verify.Canary(verify.CanaryConfig{Timeout: time.Second}, c), s.subject(lamp.ID, time.Time{}))
	if f.Verdict != migrate.Inconclusive || !strings.Contains(f.Evidence.Seen, "Pub was accepted, but it has not arrived") {
		t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
	}
}

// dying is a connection that brings nothing once it is dead.
type dying struct {
	net.Conn
	dead *atomic.Bool
}

func (d *dying) Read(p []byte) (int, error) {
	for {
		n, err := d.Conn.Read(p)
		if err != nil || !d.dead.Load() {
			return n, err
		}
	}
}

func TestCanaryRefusesWhoItDoesNotKnow(t *testing.T) {
	later := time.Now().Add(time.Minute)
	tests := map[string]struct {
		host  string
		until time.Time
		other bool // CA
		want  func(error) bool
	}{
		"CA":          {"127.0.0.1", later, true, is[x509.UnknownAuthorityError]},
		"host":        {"127.0.0.2", later, false, is[x509.HostnameError]},
		"certificate": {"127.0.0.1", time.Now().Add(-time.Second), false, is[x509.CertificateInvalidError]},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, test.host, test.until)
			if test.other {
				_, s.roots = newCertificate(t, test.host, test.until)
			}
			c := run(t, s.lamp)
			defer c.stop()
			err := <-c.done
			if !errors.Is(err, iot.Denied) || !test.want(err) {
				t.Errorf("got %v", err)
			}
			expectNoSecrets(t, err.Error(), c.log.String())
			if truth, _ := s.Truth(lamp.ID); truth.Status == iot.Online {
				t.Error("it signed in")
			}
		})
	}
}

func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

func TestCanaryRegisters(t *testing.T) {
	s := goodSite(t)
	kept := make(chan iot.Credential, 1)
	c := run(t, func(log io.Writer) aliyun.CanaryConfig {
		config := s.config(plug)(log)
		config.ProductSecret = productSecret
		config.Registered = func(_ context.Context, c iot.Credential) error { kept <- c; return nil }
		return config
	})
	n := c.session(t, 0)
	secret := <-kept
	if want, _ := s.DeviceSecret(plug.ID); n != 1 || secret != (iot.Credential{ID: plug.ID, Secret: want}) {
		t.Errorf("session %d with a secret that the platform does not have", n)
	}
	c.end(t)
	if strings.Contains(c.log.String(), secret.Secret.Reveal()) {
		t.Error("the new secret is logged")
	}

	again := run(t, s.config(secret))
	again.session(t, 0)
	again.end(t)
}

func TestCanaryRegistrationFails(t *testing.T) {
	keep := func(context.Context, iot.Credential) error { return nil }
	full := errors.New("the disk is full")
	tests := map[string]struct {
		product iot.Secret
		keep    func(context.Context, iot.Credential) error
		want    error
	}{
		"wrong product secret": {iot.NewSecret("wrong-5500"), keep, iot.Denied},
		"it cannot be kept":    {productSecret, func(context.Context, iot.Credential) error { return full }, full},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := goodSite(t)
			c := run(t, func(log io.Writer) aliyun.CanaryConfig {
				config := s.config(plug)(log)
				config.ProductSecret, config.Registered = test.product, test.keep
				return config
			})
			defer c.stop()
			if err := <-c.done; !errors.Is(err, test.want) {
				t.Errorf("got %v", err)
			}
			if truth, _ := s.Truth(plug.ID); truth.Status == iot.Online {
				t.Error("it signed in all the same")
			}
		})
	}
}

// The client's own domain, CA and dialer are the canary's, too.
func TestClientNewCanary(t *testing.T) {
	s := goodSite(t)
	config := testConfig("http://127.0.0.1:1")
	config.Endpoints.SourceMQTT, config.RootCAs = s.broker, s.roots
	client := openClient(t, config)
	canary, err := client.NewCanary(aliyun.CanaryConfig{Credential: lamp, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- canary.Run(ctx) }()
	if _, err := canary.AwaitSession(ctx, 0); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
