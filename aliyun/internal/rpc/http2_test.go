package rpc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// A heldConn sends what is written and then, once it is held, does not return.
type heldConn struct {
	net.Conn
	held    *atomic.Bool
	release <-chan struct{}
}

func (c heldConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if c.held.Load() {
		<-c.release
	}
	return n, err
}

// A transport that speaks HTTP/2 tells that a header was written only after that, so the platform may act on a request of which
// nothing was told. Such a write is not said to be unsent.
func TestHTTP2TellsTooLate(t *testing.T) {
	came := make(chan int, 2)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came <- r.ProtoMajor
		_, _ = io.WriteString(w, fine)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	var held atomic.Bool
	release := make(chan struct{})
	inner := &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return heldConn{conn, &held, release}, err
		},
	}
	defer inner.CloseIdleConnections()
	defer close(release)
	c := open(t, rpc.Config{Endpoint: server.URL, Transport: inner})
	if err := c.Do(t.Context(), writing, nil); err != nil {
		t.Fatal(err)
	}
	if major := <-came; major != 2 {
		t.Fatalf("HTTP/%d is spoken", major)
	}
	held.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Do(ctx, writing, nil) }()
	<-came
	cancel()
	err := <-ended
	if expectError(t, err, writing.API, iot.UnknownOutcome); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}
