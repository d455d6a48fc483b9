package subscribe

import (
	"context"
	"crypto/tls"
	"errors"

	"github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/iot"
)

// op is the operation that errors name.
const op = "AMQP subscription"

var (
	errSlow   = errors.New("no answer within " + connectWithin.String())
	errLost   = errors.New("the connection was lost")
	errClosed = errors.New("the client is closed")
)

// fault classifies what ended a step on the way to a group, or a connection to it. It wraps once.
func (c *Client) fault(ctx context.Context, group, step string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	where := "group " + group + " of the public instance: "
	if c.config.Instance != "" {
		where = "group " + group + " of " + c.config.Instance + ": "
	}
	return &iot.Error{Kind: kindOf(err), Op: op, Message: where + step, Err: err}
}

// kindOf returns the kind of what a connection ended with. What nothing is known of may work later.
func kindOf(err error) iot.Kind {
	if k := iot.KindOf(err); k != iot.Unclassified {
		return k
	}
	if errors.Is(err, errClosed) {
		return iot.Invalid
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return iot.Denied
	}
	remote, ok := errors.AsType[*amqp.Error](err)
	if !ok {
		return iot.Transient
	}
	switch remote.Condition {
	case amqp.ErrCondNotFound, amqp.ErrCondResourceDeleted:
		return iot.NotFound
	case amqp.ErrCondUnauthorizedAccess:
		return iot.Denied
	case amqp.ErrCondResourceLimitExceeded:
		return iot.Throttled
	}
	return iot.Transient
}

// lasting reports whether the same would happen at once again, until a person has done something.
func lasting(err error) bool {
	switch iot.KindOf(err) {
	case iot.Denied, iot.NotFound, iot.Invalid:
		return true
	}
	return false
}
