package fake

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/iotferry/iotferry/iot"
)

// Receiver returns a client that consumes from groups of an instance, one connection per group. It connects
// when it is first asked for a group, and again when the platform has closed an idle connection. Until then
// QueryConsumerGroupStatus shows it.
func (c *Cloud) Receiver(instanceID string) iot.Receiver {
	return &receiver{cloud: c, id: instanceID, groups: map[string]*connection{}}
}

type receiver struct {
	cloud *Cloud
	id    string

	mu     sync.Mutex
	groups map[string]*connection
}

// A connection remembers what it got last, to settle it at the next call.
type connection struct {
	consumer *Consumer
	got      []uint64
}

func (r *receiver) Receive(ctx context.Context, groupID string, limit int) ([]iot.Message, error) {
	if err := ctx.Err(); err != nil {
		return nil, waitError("Receive", err)
	}
	if limit < 1 {
		return nil, &iot.Error{Kind: iot.Invalid, Op: "Receive", Message: fmt.Sprintf("limit %d: at least 1 is needed", limit)}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	x, err := r.connect(groupID)
	if err != nil {
		return nil, err
	}
	deliveries, err := x.consumer.Receive(limit)
	if err != nil {
		return nil, receiveError(groupID, err)
	}
	x.got = x.got[:0]
	messages := make([]iot.Message, 0, len(deliveries))
	for _, d := range deliveries {
		x.got = append(x.got, d.Tag)
		messages = append(messages, d.Message)
	}
	return messages, nil
}

// connect returns a live connection that has settled what the call before returned.
func (r *receiver) connect(groupID string) (*connection, error) {
	if x := r.groups[groupID]; x != nil {
		x.consumer.accept(x.got)
		if x.consumer.Alive() == nil {
			return x, nil
		}
	}
	consumer, err := r.cloud.Consume(r.id, groupID, "iotferry")
	if err != nil {
		return nil, receiveError(groupID, err)
	}
	x := &connection{consumer: consumer}
	r.groups[groupID] = x
	return x, nil
}

func receiveError(groupID string, err error) error {
	e := &iot.Error{Kind: iot.Transient, Op: "Receive", Message: "group " + groupID, Err: err}
	if errors.Is(err, ErrNoGroup) {
		e.Kind = iot.NotFound
	}
	if refused, ok := errors.AsType[*APIError](err); ok {
		e.Kind, e.Code = kindOf(refused, false), refused.Code
	}
	return e
}
