package subscribe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/aliyun/internal/words"
	"github.com/iotferry/iotferry/iot"
)

// op is the operation that errors name.
const op = "AMQP subscription"

var (
	errSlow   = errors.New("no answer within " + connectWithin.String())
	errClosed = errors.New("the client is closed")
	errBroken = errors.New("the connection failed or was refused")
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
	return &iot.Error{Kind: kindOf(err), Op: op, Message: where + step, Err: told(err)}
}

// told returns an error without the words of the server, but for the name of its condition: whatever else it writes may
// repeat the user name, which can hold a token.
func told(err error) error {
	if remote, ok := errors.AsType[*amqp.Error](err); ok {
		condition := cmp.Or(words.Identifier(string(remote.Condition), "._-:", 64), "unknown")
		return fmt.Errorf("the platform answered with condition %s", condition)
	}
	if own(err) {
		return err
	}
	return errBroken
}

// own reports whether an error was made on this side: by this package, the context, or the network.
func own(err error) bool {
	if iot.KindOf(err) != iot.Unclassified {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, known := range []error{errSlow, errClosed, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// kindOf returns the kind of what a connection ended with. What nothing is known of may work later.
func kindOf(err error) iot.Kind {
	if k := iot.KindOf(err); k != iot.Unclassified {
		return k
	}
	if errors.Is(err, errClosed) {
		return iot.Invalid
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
