package rpc

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Call is one request to the platform.
type Call struct {
	// API is the name of the API, such as QueryDevice.
	API string
	// Writes says that the call changes something, so that a lost answer is [iot.UnknownOutcome]. The lost answer of a
	// call that only reads is [iot.Transient]: it may be made again.
	Writes bool
	// Query and Body are the parameters, by the place where the vendor's SDK puts them. Empty ones are left out.
	Query, Body Params
	// Timeout bounds this call, from sending it to the last byte of its answer; waiting for the pacer and for a
	// credential is not part of it. Zero is [Config.Timeout].
	Timeout time.Duration
}

// A Caller makes calls for one account and region. It is safe for concurrent use.
type Caller struct {
	config   Config
	endpoint *url.URL
	own      *http.Transport // nil if the transport is the user's
	decoder  decoder
}

// New returns a caller. It connects to nobody. A configuration that cannot work is [iot.Invalid].
func New(config Config) (*Caller, error) {
	config, endpoint, err := config.complete()
	if err != nil {
		return nil, err
	}
	c := &Caller{config: config, endpoint: endpoint}
	if config.Transport == nil {
		c.own = newTransport(config.RootCAs)
		c.config.Transport = c.own
	}
	return c, nil
}

// Close closes the connections that no call uses now. Calls that are being made go on; make no new ones. A transport
// that was given is left alone.
func (c *Caller) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Do makes a call once and decodes its answer into the struct that out points to; nil ignores the answer. Keys are
// matched by their exact case with the fields' json names. Numbers and booleans may come as strings, null and "" are zero
// values, as in the vendor's SDK. Supported are strings, booleans, numbers, structs, slices, pointers to these and
// [encoding/json.RawMessage].
//
// An error is an [iot.Error] with the platform's code, if there is one. Its kind says what has happened:
//
//   - Throttled, NotFound, Conflict, Denied, Invalid, NotConnected: the platform refused, nothing happened;
//   - Unclassified: the platform refused with a code that has no class;
//   - UnknownOutcome, only of a call that writes: the request may have been sent and no answer came, or none that says
//     what was done;
//   - Transient: the same of a call that only reads, or the request was not sent;
//   - Denied, without a code: no credential, or a server that could not prove to be the endpoint; nothing was sent.
//
// If ctx ended, errors.Is finds its error, and with a done context nothing is sent. Errors and logs show no secret: not the
// credential's, no signature, and nothing of an answer but its code, its message for people and its request ID.
func (c *Caller) Do(ctx context.Context, call Call, out any) error {
	began := time.Now()
	requestID, e := c.do(ctx, call, out)
	if c.config.Logger.Enabled(ctx, slog.LevelDebug) {
		c.log(ctx, call.API, requestID, time.Since(began), e)
	}
	if e == nil {
		return nil
	}
	return e
}

func (c *Caller) log(ctx context.Context, api, requestID string, took time.Duration, e *iot.Error) {
	attrs := []slog.Attr{slog.String("call", api), slog.Duration("took", took), slog.String("request", requestID)}
	if e != nil {
		attrs = append(attrs, slog.String("kind", e.Kind.String()), slog.String("error", e.Error()))
	}
	c.config.Logger.LogAttrs(ctx, slog.LevelDebug, "openapi call", attrs...)
}

func (c *Caller) do(ctx context.Context, call Call, out any) (requestID string, e *iot.Error) {
	switch {
	case call.Timeout < 0:
		return "", notSent(call.API, iot.Invalid, "the time-out of the call is negative", nil)
	case call.Timeout == 0:
		call.Timeout = c.config.Timeout
	}
	if err := c.config.Pacer.Wait(ctx, call.API); err != nil {
		return "", notSent(call.API, iot.Transient, "not sent", err)
	}
	credential, e := c.credential(ctx, call.API)
	if e != nil {
		return "", e
	}
	if err := ctx.Err(); err != nil {
		return "", notSent(call.API, iot.Transient, "not sent", err)
	}
	request, secrets, e := c.sign(call, credential)
	if e != nil {
		return "", e
	}
	x := c.send(ctx, request, call.Timeout)
	if x.err != nil {
		return "", unanswered(ctx, call, x)
	}
	answer, e := c.judge(call, x, secrets)
	if e == nil && out != nil {
		if err := c.decoder.decodeValid(x.body, out); err != nil {
			e = lost(call, "the answer is not as documented", err)
		}
	}
	return answer.RequestID, e
}

// credential gets the credential of a call and checks that it can sign.
func (c *Caller) credential(ctx context.Context, api string) (Credential, *iot.Error) {
	got, err := c.config.Credentials.Credential(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return got, notSent(api, iot.Transient, "not sent", ctx.Err())
	case err != nil:
		return got, notSent(api, iot.Denied, "no credential", err)
	case got.AccessKeyID == "" || got.AccessKeySecret == iot.Secret{}:
		return got, notSent(api, iot.Denied, "the credential has no access key ID or no secret", nil)
	case !got.Expires.IsZero() && !time.Now().Before(got.Expires):
		return got, notSent(api, iot.Denied, "the credential has expired", nil)
	}
	return got, nil
}

// notSent is an error of before the request.
func notSent(api string, kind iot.Kind, message string, err error) *iot.Error {
	return &iot.Error{Kind: kind, Op: api, Message: message, Err: err}
}

// unpaced lets every call through at once.
type unpaced struct{}

func (unpaced) Wait(ctx context.Context, _ string) error { return ctx.Err() }
func (unpaced) Throttled(string)                         {}
