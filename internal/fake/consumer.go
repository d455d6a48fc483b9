package fake

import (
	"errors"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// The reasons why a consumer cannot consume.
var (
	ErrNoGroup      = errors.New("there is no such consumer group on this instance")
	ErrTooMany      = errors.New("64 clients consume from this group already")
	ErrDisconnected = errors.New("the consumer was closed")
)

// maxConsumers is the platform's limit of clients per group.
const maxConsumers = 64

// A Consumer is one client's connection to a consumer group. Clients of a group share its messages. What
// a consumer has got and not settled comes again, to any client: after Quirks.RedeliverAfter, or at once when
// the consumer is closed. A consumer that shows no sign of life for Quirks.ConsumerIdle is closed
// by the platform. It is safe for concurrent use.
type Consumer struct {
	cloud    *Cloud
	group    *group
	clientID string
	since    stamp
	alive    stamp
	watched  bool // somebody else closes it
	closed   bool
}

// A Delivery is a message that has to be settled.
type Delivery struct {
	Tag     uint64
	Message iot.Message
}

// Consume connects a client to a consumer group of an instance. Its errors are [ErrNoGroup], [ErrTooMany]
// and that of an unknown instance.
func (c *Cloud) Consume(instanceID, groupID, clientID string) (*Consumer, error) {
	var x *Consumer
	var err error
	c.look(func() { x, err = c.consume(instanceID, groupID, clientID) })
	return x, err
}

func (c *Cloud) consume(instanceID, groupID, clientID string) (*Consumer, error) {
	in, err := c.instance(instanceID)
	if err != nil {
		return nil, err
	}
	g := in.group(groupID)
	if g == nil {
		return nil, fmt.Errorf("group %q: %w", groupID, ErrNoGroup)
	}
	x, err := c.join(g, clientID)
	if err == nil {
		g.start(c.at)
	}
	return x, err
}

func (c *Cloud) join(g *group, clientID string) (*Consumer, error) {
	c.dropIdle(g)
	if len(g.consumers) >= maxConsumers {
		return nil, fmt.Errorf("group %q: %w", g.id, ErrTooMany)
	}
	x := &Consumer{cloud: c, group: g, clientID: clientID, since: c.at, alive: c.at}
	g.consumers = append(g.consumers, x)
	return x, nil
}

// Receive returns up to limit messages that wait in the group, oldest first; those that come again go
// before all others. An empty answer means that there is nothing now. Its error is [ErrDisconnected].
func (x *Consumer) Receive(limit int) ([]Delivery, error) {
	var out []Delivery
	var err error
	x.cloud.look(func() {
		if err = x.awake(); err != nil {
			return
		}
		out = x.cloud.receive(x, limit)
	})
	return out, err
}

// Settle accepts deliveries: they do not come again. Unknown tags are ignored, as the message has gone
// to another client by then. Its error is [ErrDisconnected].
func (x *Consumer) Settle(tags ...uint64) error {
	var err error
	x.cloud.look(func() {
		if err = x.awake(); err != nil {
			return
		}
		for _, tag := range tags {
			delete(x.group.flying, tag)
		}
	})
	return err
}

// accept settles deliveries even if the connection was closed meanwhile, as long as nobody else got them.
func (x *Consumer) accept(tags []uint64) {
	x.cloud.look(func() {
		for _, tag := range tags {
			delete(x.group.flying, tag)
		}
		x.group.again = slices.DeleteFunc(x.group.again, func(d delivery) bool { return slices.Contains(tags, d.tag) })
	})
}

// Alive is a sign of life. Its error is [ErrDisconnected].
func (x *Consumer) Alive() error { return x.Settle() }

// Watched says that from now on somebody else watches the client's connection, in the client's own time, and closes the
// consumer when it ends: the platform never closes it for silence, however far its clock jumps. A consumer that is
// closed stays closed.
func (x *Consumer) Watched() {
	x.cloud.look(func() { x.watched = true })
}

// Close ends the connection. Doing it twice is the same as once.
func (x *Consumer) Close() {
	x.cloud.look(func() { x.cloud.close(x) })
}

func (x *Consumer) awake() error {
	x.cloud.dropIdle(x.group)
	if x.closed {
		return fmt.Errorf("group %q: %w", x.group.id, ErrDisconnected)
	}
	x.alive = x.cloud.at
	return nil
}

// dropIdle closes the consumers that are silent for too long.
func (c *Cloud) dropIdle(g *group) {
	for _, x := range slices.Clone(g.consumers) {
		if !x.watched && c.at-x.alive > int64(c.quirks.ConsumerIdle) {
			c.close(x)
		}
	}
}

func (c *Cloud) close(x *Consumer) {
	x.closed = true
	x.group.consumers = slices.DeleteFunc(x.group.consumers, func(o *Consumer) bool { return o == x })
	x.group.recall(func(d delivery) bool { return d.consumer == x })
}

// recall makes deliveries come again.
func (g *group) recall(which func(delivery) bool) {
	var tags []uint64
	for tag, d := range g.flying {
		if which(d) {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	for _, tag := range tags {
		g.again = append(g.again, g.flying[tag])
		delete(g.flying, tag)
	}
}

func (c *Cloud) receive(x *Consumer, limit int) []Delivery {
	g := x.group
	g.recall(func(d delivery) bool { return d.due <= c.at })
	g.expire(c.at)
	var out []Delivery
	for len(out) < limit {
		r, ok := g.nextRecord(c.at)
		if !ok {
			break
		}
		g.tag++
		g.flying[g.tag] = delivery{tag: g.tag, record: r, consumer: x, due: c.at + int64(c.quirks.RedeliverAfter)}
		out = append(out, Delivery{Tag: g.tag, Message: r.message()})
	}
	if len(out) > 0 {
		g.lastConsumed = c.at
	}
	return out
}

func (g *group) nextRecord(now stamp) (record, bool) {
	if len(g.again) == 0 {
		return g.take(now)
	}
	r := g.again[0].record
	g.again = g.again[1:]
	return r, true
}

// GroupIDs returns the IDs of an instance's consumer groups, in the order of their creation, for those who
// consume them: no API is called. An unknown instance has none.
func (c *Cloud) GroupIDs(instanceID string) []string {
	var ids []string
	c.look(func() {
		in, err := c.instance(instanceID)
		if err != nil {
			return
		}
		for _, g := range in.groups {
			ids = append(ids, g.id)
		}
	})
	return ids
}
