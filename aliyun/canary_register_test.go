package aliyun_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

// registering is a canary that has no secret, at a broker that pushes a payload to it.
func registering(t *testing.T, payload string, keep func(*broker, iot.Credential) error) (*broker, *running) {
	t.Helper()
	certificate, roots := newCertificate(t, "127.0.0.1", time.Now().Add(24*time.Hour))
	b := &broker{tls: certificate, connected: func(p *peer) {
		if p.n == 1 && payload != "" {
			p.publish("/a1Lamp00001/lamp-0001/user/get", "not the answer")
			p.publish("/ext/register", payload)
		}
	}}
	return b, run(t, func(log io.Writer) aliyun.CanaryConfig {
		config := b.config(log)
		config.Broker, config.RootCAs = "tls://127.0.0.1", roots
		config.Credential.Secret, config.ProductSecret, config.Registered = iot.Secret{}, productSecret, func(_ context.Context, c iot.Credential) error {
			return keep(b, c)
		}
		return config
	})
}

func TestCanaryTakesItsOwnCertificateOnly(t *testing.T) {
	for name, payload := range map[string]string{
		"of another device": `{"productKey":"a1Lamp00001","deviceName":"lamp-0002","deviceSecret":"newSecret-1188"}`,
		"without a secret":  `{"productKey":"a1Lamp00001","deviceName":"lamp-0001","deviceSecret":""}`,
		"no JSON":           `newSecret-1188`,
		"none":              ``,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, c := registering(t, payload, func(_ *broker, c iot.Credential) error {
					t.Errorf("it keeps a certificate of %s", c.ID)
					return nil
				})
				time.Sleep(time.Hour)
				_, _, err := c.Session()
				if n := len(b.connections()); !errors.Is(err, iot.NotConnected) || n < 5 || n > 40 {
					t.Errorf("after %d connections: %v", n, err)
				}
				expectNoSecrets(t, err.Error())
				c.end(t)
			})
		})
	}
}

// A secret is handed over before it is used, and is in nothing that is remembered.
func TestCanaryKeepsItsSecretFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const payload = `{"productKey":"a1Lamp00001","deviceName":"lamp-0001","deviceSecret":"newSecret-1188"}`
		connections := make(chan int, 1)
		b, c := registering(t, payload, func(b *broker, got iot.Credential) error {
			if got != (iot.Credential{ID: lamp.ID, Secret: newSecret}) {
				t.Errorf("it keeps %s", got.Secret.Reveal())
			}
			connections <- len(b.connections())
			return nil
		})
		if n := c.session(t, 0); n != 1 || <-connections != 1 {
			t.Errorf("session %d", n)
		}
		for _, m := range c.Received() {
			expectNoSecrets(t, string(m.Payload))
		}
		c.end(t)
		first, second := b.logins[0], b.logins[1]
		if !strings.Contains(first.ClientIdentifier, "|securemode=2,authType=register,random=") || strings.Contains(second.ClientIdentifier, "register") {
			t.Errorf("clientIds %s and %s", first.ClientIdentifier, second.ClientIdentifier)
		}
	})
}
