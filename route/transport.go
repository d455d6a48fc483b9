package route

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A Transport lets a backend keep the vendor's SDK: it is the [http.RoundTripper] of its client (SetTransport, or Transport of its
// configuration). It adds IotInstanceId where a call's device is at the target, and signs again. It is safe for concurrent use.
//
// It reads the parameters of the RPC style, of GET and of POST: ProductKey with DeviceName, also as a list, or with a topic, or
// GwProductKey with GwDeviceName. A call that names no device but a product goes where the rest of the product is: learn
// that by a [Fact] without a device name. Left alone, byte for byte, are calls that go to the source, that name an instance already, that
// name neither device nor product, and that take no instance: BatchGrayMigrationDevice and device distribution.
//
// If the platform answers that the instance does not have the device or the product, the call is made once at the other
// instance, with a nonce of its own. Nothing else is sent twice, also not by net/http, which sends a GET again when a connection breaks;
// errors of the connection come back as they are. The SDK's own AutoRetry repeats calls of unknown outcome: leave it off.
//
// A list of devices of both instances is refused, as no answer could be put together from two: ask for each instance's
// devices. The table learns from calls about one device only. Answers are read if they are JSON, as is the SDK's default. As with a [Client], a device in the middle of its move is waited for. Errors are [iot.Error]; they and the Transport
// show no secret.
type Transport struct {
	router *Router
	secret SecretFunc
	next   http.RoundTripper
}

// A SecretFunc returns the secret of an access key, to sign with. Its errors must hold no secrets. It is called for each
// request that is signed, from several goroutines.
type SecretFunc func(ctx context.Context, accessKeyID string) (iot.Secret, error)

// Transport returns a transport that signs with the secrets of the caller's access keys and sends by next; nil
// is [http.DefaultTransport]. Time-outs of connecting, proxies and TLS are the business of next: the SDK's settings do not reach it.
func (r *Router) Transport(secret SecretFunc, next http.RoundTripper) (*Transport, error) {
	if secret == nil {
		return nil, invalid("route: a transport needs the secrets of access keys, to sign again")
	}
	if next == nil {
		next = http.DefaultTransport
	}
	return &Transport{router: r, secret: secret, next: next}, nil
}

// maxRefusal bounds the answers in which a refusal is looked for. Longer ones are data.
const maxRefusal = 64 << 10

// RoundTrip implements [http.RoundTripper].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c, err := readCall(r)
	if err != nil {
		return nil, err
	}
	switch {
	case c == nil:
		return t.next.RoundTrip(r)
	case !c.movable():
		return t.next.RoundTrip(c.unchanged())
	}
	first, err := t.choose(r.Context(), c)
	if err != nil {
		return nil, err
	}
	answer, err := t.send(c, first, false)
	if err != nil || !refused(answer) {
		return answer, err
	}
	began := t.router.config.Clock.Now()
	again, err := t.send(c, first.other(), true)
	if err != nil {
		_ = answer.Body.Close()
		return nil, err
	}
	_ = answer.Body.Close() // what it said is known
	if len(c.devices) == 1 && succeeded(again) {
		t.router.found(c.devices[0], first.other(), began)
	}
	return again, nil
}

// choose returns the instance where all devices of a call are.
func (t *Transport) choose(ctx context.Context, c *call) (Place, error) {
	if len(c.devices) == 0 {
		if p := t.router.config.Table.Lookup(iot.DeviceID{ProductKey: c.product}); p.Known() {
			return p, nil
		}
		return Source, nil
	}
	t.router.wantAll(c.devices)
	until := t.router.patience()
	first, err := t.router.choose(ctx, c.devices[0], until)
	for _, id := range c.devices[1:] {
		var p Place
		if err == nil {
			p, err = t.router.choose(ctx, id, until)
		}
		if err == nil && p != first {
			err = &iot.Error{Kind: iot.Invalid, Op: c.action, Message: "not sent: " + c.devices[0].String() + " is at the " + first.String() +
				" and " + id.String() + " at the " + p.String() + ": ask for each instance's devices"}
		}
	}
	return first, err
}

// send makes a call at an instance. The first call at the source is what the SDK has made.
func (t *Transport) send(c *call, to Place, again bool) (*http.Response, error) {
	ctx := c.request.Context()
	if to == Source && !again {
		return t.next.RoundTrip(c.unchanged())
	}
	instance := ""
	if to == Target {
		instance = t.router.config.Table.target
	}
	secret, err := t.secret(ctx, c.get("AccessKeyId"))
	if err != nil {
		return nil, &iot.Error{Kind: iot.Denied, Op: c.action, Message: "not sent: no secret to sign with", Err: err}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	signed, err := c.signed(instance, secret, again)
	if err != nil {
		return nil, err
	}
	return t.next.RoundTrip(signed)
}

// refused reports whether the platform says that the instance does not have what a call is about. The answer can still be read.
func refused(answer *http.Response) bool {
	_, code := verdict(answer)
	return strings.HasSuffix(code, ".NotExistedDevice") || strings.HasSuffix(code, ".NotExistedProduct")
}

// succeeded reports whether the platform did what a call asked for. The answer can still be read.
func succeeded(answer *http.Response) bool {
	success, _ := verdict(answer)
	return success
}

// verdict reads what an answer says, if it is short and JSON.
func verdict(answer *http.Response) (success bool, code string) {
	begin, err := io.ReadAll(io.LimitReader(answer.Body, maxRefusal+1))
	rest := answer.Body
	if err != nil { // whoever reads it gets the same error
		answer.Body = body{io.MultiReader(bytes.NewReader(begin), failing{err}), rest}
		return false, ""
	}
	answer.Body = body{io.MultiReader(bytes.NewReader(begin), rest), rest}
	if len(begin) > maxRefusal {
		return false, ""
	}
	var said struct {
		Success any // true, or in words
		Code    string
	}
	if json.Unmarshal(begin, &said) != nil {
		return false, ""
	}
	return said.Success == true || said.Success == "true", said.Code
}

// A body reads what was read before, then the rest.
type body struct {
	io.Reader
	io.Closer
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
