package rpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

const (
	// maxAnswer bounds the body of an answer. The longest that the platform documents, a page of 1,000 consumer groups or a large
	// thing model, is far below it.
	maxAnswer = 8 << 20
	// maxTrust is how much memory the announced length of an answer gets before the answer is there.
	maxTrust = 64 << 10
)

// An exchange is what came of one request: an answer, or the error that was in its way.
type exchange struct {
	status int
	body   []byte

	err      error
	timedOut bool // the call's own time-out ended it

	// What the transport tells of a request. It may do so after it has returned, for it writes in a goroutine of its own.
	ours                           bool // the transport is one of newTransport
	connecting, connected, written atomic.Bool
}

var (
	errTooLarge = errors.New("the answer is larger than 8 MiB")
	errNoAnswer = errors.New("the transport returned neither answer nor error")
)

// send sends a request once and reads its answer.
func (c *Caller) send(ctx context.Context, r *http.Request, timeout time.Duration) *exchange {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	x := &exchange{ours: c.own != nil}
	answer, err := c.config.Transport.RoundTrip(r.WithContext(x.traced(ctx)))
	switch {
	case err != nil:
		x.err = err
	case answer == nil:
		x.err = errNoAnswer
	default:
		x.status = answer.StatusCode
		x.body, x.err = readBody(answer)
	}
	x.timedOut = x.err != nil && ctx.Err() != nil
	return x
}

func (x *exchange) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { x.connecting.Store(true) },
		GotConn:      func(httptrace.GotConnInfo) { x.connected.Store(true) },
		WroteHeaders: func() { x.written.Store(true) },
	})
}

// unsent reports whether the platform cannot have seen the request. Over HTTP/1.1, net/http tells that a header was written
// before it flushes it, so what it did not tell did not happen. Over HTTP/2 it tells later, in another goroutine: the transport
// of a user has sent nothing for sure only as long as it looks for a connection and has none.
func (x *exchange) unsent() bool {
	if x.ours {
		return !x.written.Load()
	}
	return x.connecting.Load() && !x.connected.Load()
}

func readBody(answer *http.Response) ([]byte, error) {
	defer func() { _ = answer.Body.Close() }() // the answer is what was read
	var body bytes.Buffer
	body.Grow(int(min(max(answer.ContentLength, 0), maxTrust)) + bytes.MinRead)
	switch n, err := body.ReadFrom(io.LimitReader(answer.Body, maxAnswer+1)); {
	case err != nil:
		return nil, err
	case n > maxAnswer:
		return nil, errTooLarge
	}
	return body.Bytes(), nil
}
