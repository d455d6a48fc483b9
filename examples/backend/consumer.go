package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// group is the consumer group, at either instance, whose messages are the backend's. Those of others are for servers that only read.
const group = "DEFAULT_GROUP"

// A consumer reads the consumer groups of the platform in memory, as the stream of package aliyun reads those of the real one: it
// hands on what they deliver. Other than that stream, it settles what it has read, and not what was handled: with
// the process the platform in memory ends as well. Make one with newConsumer.
type consumer struct {
	instances []*readInstance
	clock     iot.Clock
	handle    func(context.Context, iot.Message) error
	log       *slog.Logger

	mu sync.Mutex // of whoever reads
}

// A readInstance is what the consumer knows of one instance.
type readInstance struct {
	id       string
	groups   iot.ForwardingReader
	receiver iot.Receiver
	served   bool
	known    []string // IDs of groups
	listed   time.Time
}

func newConsumer(
	cloud *migratetest.Cloud, clock iot.Clock, handle func(context.Context, iot.Message) error, log *slog.Logger,
) *consumer {
	p := cloud.Platform()
	return &consumer{clock: clock, handle: handle, log: log, instances: []*readInstance{
		{id: p.Source.Info.ID, groups: p.Source, receiver: cloud.SourceReceiver()},
		{id: p.Target.Info.ID, groups: p.Target, receiver: cloud.TargetReceiver()},
	}}
}

func (c *consumer) serve(instanceID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, in := range c.instances {
		in.served = in.served || in.id == instanceID
	}
}

const (
	readEvery = 200 * time.Millisecond
	listEvery = time.Minute // new groups are looked for
	readMost  = 10_000      // messages of a group at once

	handlersAtOnce = 1000 // in real time, where messages wait for older ones
)

// run reads until ctx ends, and returns when all that it has read is handled. It goes on to read while messages wait for older ones, as
// far as there are handlers.
func (c *consumer) run(ctx context.Context) {
	next := make(chan iot.Message)
	var handlers sync.WaitGroup
	defer handlers.Wait()
	defer close(next)
	for range handlersAtOnce {
		handlers.Go(func() {
			for m := range next {
				c.handleOne(ctx, m)
			}
		})
	}
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		c.read(ctx, func(m iot.Message) { next <- m })
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// drain reads until nothing waits, and has each message handled.
func (c *consumer) drain(ctx context.Context) {
	for c.read(ctx, func(m iot.Message) { c.handleOne(ctx, m) }) > 0 {
	}
}

// read hands on what waits, and returns how much that was. It goes on when ctx ends: a runner ends its waits whenever somebody asks it
// something.
func (c *consumer) read(ctx context.Context, hand func(iot.Message)) int {
	ctx = context.WithoutCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	var got []iot.Message
	waiting := 0
	for _, in := range c.instances {
		messages, n, err := c.receive(ctx, in)
		if err != nil {
			c.log.Warn("consumer groups cannot be read", "instance", in.id, "error", err)
		}
		got, waiting = append(got, messages...), waiting+n
	}
	slices.SortStableFunc(got, func(a, b iot.Message) int { return a.Generated.Compare(b.Generated) })
	for _, m := range got {
		hand(m)
	}
	return waiting
}

// handleOne has a message handled, also if ctx has ended.
func (c *consumer) handleOne(ctx context.Context, m iot.Message) {
	if err := c.handle(context.WithoutCancel(ctx), m); err != nil {
		c.log.Warn("a message was not handled", "topic", m.Topic, "error", err)
	}
}

// receive returns what waits in the backend's group of an instance, and how much was taken from all groups.
func (c *consumer) receive(ctx context.Context, in *readInstance) (got []iot.Message, all int, err error) {
	if !in.served {
		return nil, 0, nil
	}
	if now := c.clock.Now(); now.Sub(in.listed) >= listEvery {
		if err := in.list(ctx); err != nil {
			return nil, 0, err
		}
		in.listed = now
	}
	for _, id := range in.known {
		messages, err := in.receiver.Receive(ctx, id, readMost)
		if err != nil {
			return got, all, err
		}
		if all += len(messages); id == group {
			got = messages
		}
	}
	return got, all, nil
}

func (in *readInstance) list(ctx context.Context) error {
	var ids []string
	for g, err := range in.groups.Groups(ctx) {
		if err != nil {
			return err
		}
		ids = append(ids, g.ID)
	}
	in.known = ids
	return nil
}

// A readingClock belongs to a runner whose waits take no time: what devices send in such a wait is read as time passes, as the platform
// keeps it for a day.
type readingClock struct {
	iot.Clock
	consumer *consumer
}

const readAtLeast = time.Hour

// WaitUntil implements [iot.Clock].
func (c readingClock) WaitUntil(ctx context.Context, t time.Time) error {
	for {
		next := c.Now().Add(readAtLeast)
		if next.After(t) {
			next = t
		}
		if err := c.Clock.WaitUntil(ctx, next); err != nil {
			return err
		}
		c.consumer.drain(ctx)
		if !next.Before(t) {
			return nil
		}
	}
}
