package rpc_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
)

// counted returns a server that counts its connections.
func counted(t *testing.T, h http.HandlerFunc) (server *httptest.Server, opened *atomic.Int32) {
	opened = new(atomic.Int32)
	server = httptest.NewUnstartedServer(h)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server, opened
}

func TestConnectionsAreReused(t *testing.T) {
	bodies := map[string]string{"QueryProduct": fine, "GetDeviceStatus": refusal("iot.prod.NotExistedProduct", ""), "ListRule": ""}
	server, opened := counted(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, bodies[r.URL.Query().Get("Action")])
	})
	c := open(t, rpc.Config{Endpoint: server.URL})
	defer c.Close()
	for range 30 {
		for _, api := range []string{"QueryProduct", "GetDeviceStatus", "ListRule"} {
			if err := c.Do(t.Context(), rpc.Call{API: api}, nil); (err == nil) != (api == "QueryProduct") {
				t.Fatal(err)
			}
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("90 calls in a row took %d connections, want 1", n)
	}
}

func TestCloseClosesIdleConnections(t *testing.T) {
	closed := make(chan struct{}, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, fine) }))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	c := open(t, rpc.Config{Endpoint: server.URL})
	if err := c.Do(t.Context(), reading, nil); err != nil {
		t.Fatal(err)
	}
	c.Close()
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		t.Error("the connection is still open")
	}
}

// Calls that are made at once get each its own answer, and connections are kept for the next ones. net/http may open one
// that it does not need in the end.
func TestConcurrentCalls(t *testing.T) {
	const callers, each = 64, 20
	server, opened := counted(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"Success":true,"Text":%q}`, r.URL.Query().Get("DeviceName"))
	})
	c := open(t, rpc.Config{Endpoint: server.URL})
	defer c.Close()
	var all sync.WaitGroup
	for caller := range callers {
		all.Go(func() {
			for i := range each {
				name := fmt.Sprintf("d-%d-%d", caller, i)
				var got answer
				if err := c.Do(t.Context(), rpc.Call{API: "GetDeviceStatus", Query: rpc.Params{"DeviceName": name}}, &got); err != nil {
					t.Error(err)
				} else if got.Text != name {
					t.Errorf("got the answer of %s, want that of %s", got.Text, name)
				}
			}
		})
	}
	all.Wait()
	if n := opened.Load(); n > 2*callers {
		t.Errorf("%d calls, %d of them at once, took %d connections", callers*each, callers, n)
	}
}
