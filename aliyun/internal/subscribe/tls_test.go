package subscribe_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/subscribe"
	"github.com/iotferry/iotferry/iot"
)

// An authority issues certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t)}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue returns a certificate for a host that ends after some time.
func (a *authority) issue(host string, valid time.Duration) tls.Certificate {
	a.t.Helper()
	key := newKey(a.t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(valid), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestTLS(t *testing.T) {
	tests := map[string]struct {
		host    string
		valid   time.Duration
		version uint16
		trusts  func(right, wrong *authority) *x509.CertPool
		want    iot.Kind
	}{
		"right":        {host: "broker", valid: time.Hour},
		"wrong CA":     {host: "broker", valid: time.Hour, trusts: func(_, wrong *authority) *x509.CertPool { return wrong.pool() }, want: iot.Denied},
		"system's CAs": {host: "broker", valid: time.Hour, trusts: func(_, _ *authority) *x509.CertPool { return nil }, want: iot.Denied},
		"wrong host":   {host: "other", valid: time.Hour, want: iot.Denied},
		"expired":      {host: "broker", valid: -time.Minute, want: iot.Denied},
		"TLS 1.1":      {host: "broker", valid: time.Hour, version: tls.VersionTLS11, want: iot.Transient},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			right, wrong := newAuthority(t), newAuthority(t)
			roots := right.pool()
			if test.trusts != nil {
				roots = test.trusts(right, wrong)
			}
			b := newBench(t, 1)
			defer b.close()
			dial := b.listen(&tls.Config{
				Certificates: []tls.Certificate{right.issue(test.host, test.valid)}, MinVersion: tls.VersionTLS10, MaxVersion: test.version,
			})
			c := b.client("", func(c *subscribe.Config) {
				c.Endpoint, c.PlainText, c.Dial, c.RootCAs = "amqps://broker", false, dial, roots
			})
			_, err := c.Receive(t.Context(), group, 1)
			if iot.KindOf(err) != test.want || (err == nil) != (test.want == iot.Unclassified) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if clients := b.status("").Clients; (clients == 1) != (err == nil) {
				t.Errorf("the platform has %d clients, and the error is %v", clients, err)
			}
			c.Close()
		})
	}
}

// listen serves TLS on a socket: net.Pipe has no room for an alert that crosses the server's words. It returns what connects
// to it, whatever the address.
func (b *bench) listen(config *tls.Config) func(ctx context.Context, network, address string) (net.Conn, error) {
	b.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		if err := b.server.Serve(listener); err != nil {
			b.Error(err)
		}
	}()
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "broker:5671" {
			b.Errorf("dials %s", address)
		}
		c, err := new(net.Dialer).DialContext(ctx, network, listener.Addr().String())
		if err != nil {
			return nil, err
		}
		return b.network.count(c), nil
	}
}
