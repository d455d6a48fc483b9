package verify

import (
	"context"
	"fmt"
	"iter"

	"github.com/iotferry/iotferry/iot"
)

// An InboxConfig configures an [Inbox].
type InboxConfig struct {
	// Receiver consumes the group. It is required.
	Receiver iot.Receiver
	// Group finds the ID of the consumer group: see [GroupID] and [GroupNamed]. It is required, and
	// asked until it answers without an error.
	Group func(context.Context) (string, error)
	// Keep tells which messages are kept beside each device's newest report, such as acknowledgements on a
	// custom topic. Answers to services are always kept. Nil keeps none.
	Keep func(iot.Message) bool
	// MaxMessages bounds how many messages one look takes from the group. Zero means 10,000.
	MaxMessages int
}

// GroupID returns a group that is known by its ID.
func GroupID(id string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return id, nil }
}

// GroupNamed finds a group of an instance by its name. Its error is [iot.NotFound] as long as there is none.
func GroupNamed(at iot.ForwardingReader, name string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		for g, err := range at.Groups(ctx) {
			if err != nil {
				return "", fmt.Errorf("verify: find consumer group %q: %w", name, err)
			}
			if g.Name == name {
				return g.ID, nil
			}
		}
		return "", &iot.Error{Kind: iot.NotFound, Op: "find consumer group", Message: fmt.Sprintf("there is no group named %q: create it at the target", name)}
	}
}

// An Inbox is a [Sink] over a consumer group. Each look first takes what waits in the group, then answers from
// memory.
//
// It takes messages away from all other clients of its group. Give it a group of its own that is subscribed
// to the products, never the group of a server.
//
// It remembers, of each device that the group carries: the newest report, and the newest eight of the answers to
// services and of what [InboxConfig.Keep] selects. A message that is delivered again changes nothing. A new process
// starts with an empty Inbox: devices prove themselves by what they send from then on.
//
// An Inbox is safe for concurrent use.
type Inbox struct {
	config InboxConfig
	turn   chan struct{} // holds one token: who has it owns the fields below
	group  string
	kept   map[iot.DeviceID]*kept
}

// A kept is what an Inbox remembers of one device.
type kept struct {
	report  iot.Message
	answers []iot.Message // oldest arrival first
}

const (
	receiveBatch   = 100
	maxAnswers     = 8
	defaultMessage = 10_000
)

// NewInbox returns an empty inbox. Its error is [iot.Invalid], if the configuration cannot work.
func NewInbox(c InboxConfig) (*Inbox, error) {
	switch {
	case c.Receiver == nil:
		return nil, &iot.Error{Kind: iot.Invalid, Op: "new inbox", Message: "InboxConfig.Receiver is nil"}
	case c.Group == nil:
		return nil, &iot.Error{Kind: iot.Invalid, Op: "new inbox", Message: "InboxConfig.Group is nil: set GroupID or GroupNamed"}
	case c.MaxMessages < 0:
		return nil, &iot.Error{Kind: iot.Invalid, Op: "new inbox", Message: "InboxConfig.MaxMessages is negative"}
	}
	if c.MaxMessages == 0 {
		c.MaxMessages = defaultMessage
	}
	box := &Inbox{config: c, turn: make(chan struct{}, 1), kept: make(map[iot.DeviceID]*kept)}
	box.turn <- struct{}{}
	return box, nil
}

// Latest takes what waits in the group and yields what is remembered of the devices, in their order: the newest
// report, then the kept answers. If the group cannot be read, it yields what is remembered, then the error.
func (b *Inbox) Latest(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return func(yield func(iot.Message, error) bool) {
		messages, err := b.take(ctx, ids)
		for _, m := range messages {
			if !yield(m, nil) {
				return
			}
		}
		if err != nil {
			yield(iot.Message{}, err)
		}
	}
}

// take is one look. It waits for its turn, but no longer than the context allows.
func (b *Inbox) take(ctx context.Context, ids []iot.DeviceID) ([]iot.Message, error) {
	select {
	case <-b.turn:
		defer func() { b.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, fmt.Errorf("inbox: %w", ctx.Err())
	}
	err := b.drain(ctx)
	var messages []iot.Message
	for _, id := range ids {
		k := b.kept[id]
		if k == nil {
			continue
		}
		if !k.report.Generated.IsZero() {
			messages = append(messages, k.report)
		}
		messages = append(messages, k.answers...)
	}
	return messages, err
}

// drain receives until the group is empty. The last call settles what the one before it returned.
func (b *Inbox) drain(ctx context.Context) error {
	if b.group == "" {
		group, err := b.config.Group(ctx)
		if err != nil {
			return err
		}
		b.group = group
	}
	for taken := 0; taken < b.config.MaxMessages; {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("inbox: %w", err)
		}
		messages, err := b.config.Receiver.Receive(ctx, b.group, min(receiveBatch, b.config.MaxMessages-taken))
		if err != nil {
			return fmt.Errorf("inbox: receive from group %s: %w", b.group, err)
		}
		if len(messages) == 0 {
			return nil
		}
		for _, m := range messages {
			b.remember(m)
		}
		taken += len(messages)
	}
	return nil
}

func (b *Inbox) remember(m iot.Message) {
	id, ok := m.Device()
	if !ok {
		return
	}
	answer := IsReply(m) || b.config.Keep != nil && b.config.Keep(m)
	report := IsReport(m)
	if !answer && !report {
		return
	}
	k := b.kept[id]
	if k == nil {
		k = new(kept)
		b.kept[id] = k
	}
	if report && m.Generated.After(k.report.Generated) {
		k.report = m
	}
	if answer {
		k.keep(m)
	}
}

// keep drops the oldest answer for a new one. The same message, delivered again, is none.
func (k *kept) keep(m iot.Message) {
	for _, known := range k.answers {
		if known.ID == m.ID && known.Topic == m.Topic {
			return
		}
	}
	if len(k.answers) == maxAnswers {
		k.answers = append(k.answers[:0], k.answers[1:]...)
	}
	k.answers = append(k.answers, m)
}
