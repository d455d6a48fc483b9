package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

const (
	// connectTimeout bounds the opening of a connection, and then the TLS handshake on it.
	connectTimeout = 5 * time.Second
	// idleTimeout is how long a connection waits for the next call. It is short, as a write on a connection that the gateway is
	// just closing is an unknown outcome.
	idleTimeout = 15 * time.Second
	// maxIdle is how many connections wait for the next call: as many as calls are expected to be made at once.
	maxIdle = 128
	// maxHeader bounds the header of an answer.
	maxHeader = 64 << 10
)

// newTransport returns a transport that speaks HTTP/1.1: a connection carries one call at a time, so that what became
// of a call can be told from what became of its connection. It does not repeat a POST of which a byte was written.
func newTransport(roots *x509.CertPool) *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    connectTimeout,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
}
