package rpc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// An authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	a := authority{t: t}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	a.cert, a.key = a.sign(template, nil)
	return a
}

// sign signs a certificate with the authority, or with its own key if the authority has none yet.
func (a authority) sign(template *x509.Certificate, parent *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	signer := a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// serve starts a server with a certificate for 127.0.0.1 that ends at a time.
func (a authority) serve(ends time.Time, change func(*x509.Certificate, *tls.Config)) (url string, requests *int) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: ends,
	}
	config := &tls.Config{}
	if change != nil {
		change(template, config)
	}
	cert, key := a.sign(template, a.cert)
	config.Certificates = []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}
	requests = new(int)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		*requests++
		_, _ = io.WriteString(w, fine)
	}))
	server.TLS, server.Config.ErrorLog = config, log.New(io.Discard, "", 0)
	server.StartTLS()
	a.t.Cleanup(server.Close)
	return server.URL, requests
}

func TestTLS(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	later, earlier := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	named := func(name string) func(*x509.Certificate, *tls.Config) {
		return func(c *x509.Certificate, _ *tls.Config) { c.IPAddresses, c.DNSNames = nil, []string{name} }
	}
	speaking := func(most uint16) func(*x509.Certificate, *tls.Config) {
		return func(_ *x509.Certificate, c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, most }
	}
	tests := map[string]struct {
		ends   time.Time
		change func(*x509.Certificate, *tls.Config)
		roots  *x509.CertPool
		want   iot.Kind // Unclassified if it works
		says   string
	}{
		"as it should be":     {later, nil, ours.pool(), iot.Unclassified, ""},
		"TLS 1.2":             {later, speaking(tls.VersionTLS12), ours.pool(), iot.Unclassified, ""},
		"the system's roots":  {later, nil, nil, iot.Denied, "unknown authority"},
		"another authority":   {later, nil, other.pool(), iot.Denied, "unknown authority"},
		"an empty pool":       {later, nil, x509.NewCertPool(), iot.Denied, "unknown authority"},
		"another host's":      {later, named("iot.cn-shanghai.aliyuncs.com"), ours.pool(), iot.Denied, "127.0.0.1"},
		"expired":             {earlier, nil, ours.pool(), iot.Denied, "expired"},
		"an old version, 1.1": {later, speaking(tls.VersionTLS11), ours.pool(), iot.Transient, "not sent"},
		"a client's, no server's": {later, func(c *x509.Certificate, _ *tls.Config) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, ours.pool(), iot.Denied, "incompatible key usage"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			url, requests := ours.serve(test.ends, test.change)
			c := open(t, rpc.Config{Endpoint: url, RootCAs: test.roots})
			err := c.Do(t.Context(), writing, nil)
			c.Close()
			if test.want == iot.Unclassified {
				if err != nil || *requests != 1 {
					t.Errorf("got %v after %d requests", err, *requests)
				}
				return
			}
			expectError(t, err, writing.API, test.want)
			if !strings.Contains(err.Error(), test.says) || *requests != 0 {
				t.Errorf("got %v after %d requests, want %q after none", err, *requests, test.says)
			}
			_, isVerification := errors.AsType[*tls.CertificateVerificationError](err)
			if isVerification != (test.want == iot.Denied) {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestPlainHTTPWhereTLSIsExpected(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request came in plain text") }))
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	err := open(t, rpc.Config{Endpoint: strings.Replace(server.URL, "http:", "https:", 1)}).Do(t.Context(), writing, nil)
	expectError(t, err, writing.API, iot.Transient)
}
