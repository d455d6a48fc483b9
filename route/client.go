package route

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Client sends to devices wherever they are: it takes the place of an instance's [iot.Commander] in a backend. It is safe for
// concurrent use.
//
// It calls the instance that the router names. If that one refuses with [iot.NotFound], so that nothing has happened, it calls the
// other one, once, and tells the table what it found. Every other error is the caller's, as it came: above all [iot.UnknownOutcome], after which
// the device may have got the command, so that sending it again is the caller's decision.
//
// A device in the middle of its move, on both instances or on none, is waited for, for as long as Config.Patience and the context
// allow. Then the error is [iot.Transient]: nothing was sent, the same call may work later. So it is as long as no look finds the
// device: count the tries. Where the table is sure and neither instance has the device, the error is [iot.NotFound], with
// what both have said; for a moment that may be a device whose move nobody has told the table of. A device that is moved is offline until it
// has connected again: calls that wait for its answer are [iot.NotConnected] for these seconds, on either instance.
type Client struct {
	router         *Router
	source, target iot.Commander
}

var _ iot.Commander = (*Client)(nil)

// Client returns a client that sends through the commanders of the two instances.
func (r *Router) Client(source, target iot.Commander) (*Client, error) {
	if source == nil || target == nil {
		return nil, invalid("route: a client needs the commanders of both instances")
	}
	return &Client{router: r, source: source, target: target}, nil
}

// Publish implements [iot.Commander] for topics that name a device; others are [iot.Invalid].
func (c *Client) Publish(ctx context.Context, topic string, payload []byte) (string, error) {
	id, ok := iot.Message{Topic: topic}.Device()
	if !ok {
		return "", &iot.Error{Kind: iot.Invalid, Op: "Pub", Message: fmt.Sprintf("topic %q names no device", topic)}
	}
	return send(ctx, c, id, func(to iot.Commander) (string, error) { return to.Publish(ctx, topic, payload) })
}

// Call implements [iot.Commander].
func (c *Client) Call(ctx context.Context, id iot.DeviceID, payload []byte, timeout time.Duration) ([]byte, error) {
	return send(ctx, c, id, func(to iot.Commander) ([]byte, error) { return to.Call(ctx, id, payload, timeout) })
}

// Invoke implements [iot.Commander].
func (c *Client) Invoke(ctx context.Context, id iot.DeviceID, service string, args json.RawMessage) (iot.ServiceReply, error) {
	return send(ctx, c, id, func(to iot.Commander) (iot.ServiceReply, error) { return to.Invoke(ctx, id, service, args) })
}

// SetProperties implements [iot.Commander].
func (c *Client) SetProperties(ctx context.Context, id iot.DeviceID, items json.RawMessage) (string, error) {
	return send(ctx, c, id, func(to iot.Commander) (string, error) { return to.SetProperties(ctx, id, items) })
}

func (c *Client) at(p Place) iot.Commander {
	if p == Target {
		return c.target
	}
	return c.source
}

// send makes a call where the device is, and once more at the other instance if it is not there.
func send[T any](ctx context.Context, c *Client, id iot.DeviceID, call func(iot.Commander) (T, error)) (T, error) {
	var none T
	first, err := c.router.choose(ctx, id, c.router.patience())
	if err != nil {
		return none, err
	}
	out, err := call(c.at(first))
	if iot.KindOf(err) != iot.NotFound {
		return out, err
	}
	began := c.router.config.Clock.Now()
	out, again := call(c.at(first.other()))
	switch {
	case again == nil:
		c.router.found(id, first.other(), began)
	case iot.KindOf(again) == iot.NotFound:
		return none, c.router.nowhere(id, first, err, again)
	}
	return out, again
}

// nowhere is the error of a call that both instances have refused: of what they lack, the device need not be all. Where the table is
// not sure, or has learned meanwhile, the device was in the middle of its move.
func (r *Router) nowhere(id iot.DeviceID, at Place, first, second error) error {
	if r.config.Table.Lookup(id) != at {
		return inMove(id)
	}
	return &iot.Error{Kind: iot.NotFound, Message: "neither instance has " + id.String(), Err: fmt.Errorf("%w; %w", first, second)}
}
