package rpc_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// raw lets a handler speak for itself on the connection of a request that it has read.
func raw(t *testing.T, speak func(*net.TCPConn)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		c, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.Close() }()
		speak(c.(*net.TCPConn))
	}
}

func saying(t *testing.T, text string) http.HandlerFunc {
	return raw(t, func(c *net.TCPConn) { _, _ = io.WriteString(c, text) })
}

const header = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// lasting writes until the client has had enough.
func lasting(w http.ResponseWriter, r *http.Request) {
	chunk := []byte(strings.Repeat(" ", 1<<16))
	for r.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// stuck answers a part and then nothing until the client is gone.
func stuck(part string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the server notices that the client is gone
		if part != "" {
			_, _ = io.WriteString(w, part)
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	}
}

// After the request has come to the server, whatever breaks leaves a write unknown, and never hangs.
func TestAnswersThatAreLost(t *testing.T) {
	const short = 50 * time.Millisecond // for what only a time-out ends
	tests := map[string]struct {
		serve   http.HandlerFunc
		timeout time.Duration
		is      error // in the error's tree
		says    string
	}{
		"closed":          {raw(t, func(*net.TCPConn) {}), 0, io.EOF, "no answer"},
		"reset":           {raw(t, func(c *net.TCPConn) { _ = c.SetLinger(0) }), 0, syscall.ECONNRESET, "no answer"},
		"half a header":   {saying(t, "HTTP/1.1 200 OK\r\nContent-Le"), 0, nil, "no answer"},
		"no HTTP":         {saying(t, "Signature=Real\r\n\r\n"), 0, nil, "no answer"},
		"a broken header": {saying(t, "HTTP/1.1 Real OK\r\n\r\n"), 0, nil, "no answer"},
		"a long header":   {saying(t, header+"X: "+strings.Repeat("Real", 1<<16)), 0, nil, "no answer"},
		"half a body":     {saying(t, header+"Content-Length: 100\r\n\r\n"+fine), 0, io.ErrUnexpectedEOF, "no answer"},
		"half a chunk":    {saying(t, header+"Transfer-Encoding: chunked\r\n\r\n64\r\n"+fine), 0, io.ErrUnexpectedEOF, "no answer"},
		"no chunk":        {saying(t, header+"Transfer-Encoding: chunked\r\n\r\nReal\r\n"), 0, nil, "no answer"},
		"cut JSON":        {saying(t, header+"Content-Length: 20\r\n\r\n"+fine[:20]), 0, nil, "not the platform's"},
		"HTML":            {saying(t, header+"Content-Length: 20\r\n\r\n<html>Real</html>   "), 0, nil, "not the platform's"},
		"compressed":      {saying(t, header+"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"), 0, nil, "not the platform's"},
		"reset in a body": {raw(t, func(c *net.TCPConn) {
			_, _ = io.WriteString(c, header+"Content-Length: 9\r\n\r\n{")
			_ = c.SetLinger(0)
		}), 0, nil, "no answer"},
		"endless":            {lasting, 0, nil, "larger than 8 MiB"},
		"announced too much": {saying(t, header+"Content-Length: 99999999999\r\n\r\n{}"), 0, io.ErrUnexpectedEOF, "no answer"},
		"no answer":          {stuck(""), short, os.ErrDeadlineExceeded, "the time-out of 50ms is over"},
		"half an answer":     {stuck(fine[:10]), short, os.ErrDeadlineExceeded, "the time-out of 50ms is over"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.serve)
			defer server.Close()
			c := open(t, rpc.Config{Endpoint: server.URL, Timeout: test.timeout})
			defer c.Close()
			err := c.Do(t.Context(), writing, &answer{})
			expectError(t, err, writing.API, iot.UnknownOutcome)
			if test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q and %v in it", err, test.says, test.is)
			}
			expectError(t, c.Do(t.Context(), reading, &answer{}), reading.API, iot.Transient)
		})
	}
}

// A redirect is an answer like any other: nothing is sent to where it leads.
func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, status))
		c := open(t, rpc.Config{Endpoint: server.URL})
		expectError(t, c.Do(t.Context(), reading, nil), reading.API, iot.Transient)
		err := c.Do(t.Context(), writing, nil)
		if expectError(t, err, writing.API, iot.UnknownOutcome); !strings.Contains(err.Error(), "check the endpoint") {
			t.Errorf("got %v, want the remedy", err)
		}
		c.Close()
		server.Close()
	}
}

// dialing returns a transport of net/http whose connections come from dial.
func dialing(t *testing.T, dial func(context.Context) (net.Conn, error)) *http.Transport {
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// What ends before a connection is there has not been sent.
func TestRequestsThatAreNotSent(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	noHost := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "iot.example", IsNotFound: true}}
	tests := map[string]struct {
		config rpc.Config
		says   string
	}{
		"nobody listens": {rpc.Config{Endpoint: refusing}, "connection refused"},
		"no such host":   {rpc.Config{Endpoint: "http://iot.example", Transport: dialing(t, func(context.Context) (net.Conn, error) { return nil, noHost })}, "no such host"},
		"a dialer's own": {rpc.Config{Endpoint: "http://iot.example", Transport: dialing(t, func(context.Context) (net.Conn, error) { return nil, errors.New("Real") })}, "not sent"},
		"never connected": {rpc.Config{
			Endpoint: "http://iot.example", Timeout: 20 * time.Millisecond,
			Transport: dialing(t, func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }),
		}, "the time-out of 20ms is over"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := open(t, test.config).Do(t.Context(), writing, nil)
			if expectError(t, err, writing.API, iot.Transient); !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

// brokenConn is a connection on which writing fails, or else all reading after the first write.
type brokenConn struct {
	net.Conn
	write, read error
	wrote       chan struct{} // closed by the first write
	once        sync.Once
}

func (c *brokenConn) Write(b []byte) (int, error) {
	if c.write != nil {
		return 0, c.write
	}
	defer c.once.Do(func() { close(c.wrote) })
	return c.Conn.Write(b)
}

func (c *brokenConn) Read(b []byte) (int, error) {
	if c.read == nil {
		return c.Conn.Read(b)
	}
	<-c.wrote
	return 0, c.read
}

// Once a connection is there, nobody can tell a request that the platform did not get from one that it did.
func TestConnectionsThatBreak(t *testing.T) {
	var came atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		came.Add(1)
		_, _ = io.WriteString(w, fine)
	}))
	defer server.Close()
	broke := &net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}
	for name, fault := range map[string]struct{ write, read error }{"before": {write: broke}, "after": {read: broke}} {
		t.Run(name, func(t *testing.T) {
			c := open(t, rpc.Config{Endpoint: server.URL, Transport: dialing(t, func(ctx context.Context) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
				return &brokenConn{Conn: conn, write: fault.write, read: fault.read, wrote: make(chan struct{})}, err
			})})
			err := c.Do(t.Context(), writing, nil)
			if expectError(t, err, writing.API, iot.UnknownOutcome); !errors.Is(err, syscall.EPIPE) {
				t.Errorf("got %v, want what broke it", err)
			}
			expectError(t, c.Do(t.Context(), reading, nil), reading.API, iot.Transient)
		})
	}
	if n := came.Load(); n > 2 {
		t.Errorf("%d requests came of two calls that could be sent: something has repeated them", n)
	}
}

// The gateway closes a connection that waits for the next call: the call is made on a new one, or was not sent, or its
// outcome is unknown, and never is it made twice.
func TestConnectionsThatWentStale(t *testing.T) {
	var came atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		came.Add(1)
		_, _ = io.WriteString(w, fine)
	}))
	defer server.Close()
	c := open(t, rpc.Config{Endpoint: server.URL})
	for range 50 {
		before := came.Load()
		err := c.Do(t.Context(), writing, nil)
		most := before + 1
		if errors.Is(err, iot.Transient) {
			most = before // it says that nothing was sent
		} else if err != nil {
			expectError(t, err, writing.API, iot.UnknownOutcome)
		}
		if n := came.Load(); n > most {
			t.Fatalf("a call came as %d requests and ended with %v", n-before, err)
		}
		server.CloseClientConnections()
	}
}

// A transport that says nothing about what it does may have sent the request.
func TestTransportsOfOthers(t *testing.T) {
	boom := errors.New("boom")
	for name, faulty := range map[string]transport{
		"an error":                 func(*http.Request) (*http.Response, error) { return nil, boom },
		"neither answer nor error": func(*http.Request) (*http.Response, error) { return nil, nil },
		"a server's certificate, later": func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: errors.Join(boom)}
		},
		"an error before it looks for a connection": (&http.Transport{
			Proxy: func(*http.Request) (*url.URL, error) { return nil, boom },
		}).RoundTrip,
		"lost after the effect": func(r *http.Request) (*http.Response, error) {
			got, err := answering(200, fine)(r)
			if err == nil {
				err = got.Body.Close()
			}
			return nil, errors.Join(err, boom)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, rpc.Config{Transport: faulty})
			err := c.Do(t.Context(), writing, nil)
			if expectError(t, err, writing.API, iot.UnknownOutcome); errors.Is(err, boom) != (name != "neither answer nor error") {
				t.Errorf("got %v, want the transport's error in its tree", err)
			}
			expectError(t, c.Do(t.Context(), reading, nil), reading.API, iot.Transient)
		})
	}
}

// A call ends when its context does, wherever it is, and says whether it may have had an effect.
func TestCancellationWorksAtOnce(t *testing.T) {
	for name, part := range map[string]string{"before the header": "", "in the body": fine[:10]} {
		t.Run(name, func(t *testing.T) {
			came := make(chan struct{}, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				came <- struct{}{}
				stuck(part)(w, r)
			}))
			defer server.Close()
			c := open(t, rpc.Config{Endpoint: server.URL, Timeout: time.Hour})
			defer c.Close()
			for _, made := range []struct {
				rpc.Call
				want iot.Kind
			}{{reading, iot.Transient}, {writing, iot.UnknownOutcome}} {
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- c.Do(ctx, made.Call, nil) }()
				<-came
				cancel()
				err := <-ended
				if expectError(t, err, made.API, made.want); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want the context's error", err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := c.Do(ctx, reading, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the context's error", err)
			}
		})
	}
}

// A call's own time-out counts before the caller's.
func TestTimeoutOfOneCall(t *testing.T) {
	server := httptest.NewServer(stuck(""))
	defer server.Close()
	c := open(t, rpc.Config{Endpoint: server.URL, Timeout: time.Hour})
	call := reading
	call.Timeout = 20 * time.Millisecond
	err := c.Do(t.Context(), call, nil)
	expectError(t, err, call.API, iot.Transient)
	if !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a time-out that is not the context's", err)
	}
	if want := fmt.Sprint(call.Timeout); !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s in it", err, want)
	}
}
