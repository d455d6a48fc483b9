package subscribe

import (
	"context"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/iotferry/iotferry/iot"
)

// A pull is the one connection by which Receive consumes a group.
type pull struct {
	client *Client
	group  string
	turn   chan struct{} // holds one token: who has it owns the fields below

	memory *memory
	link   *link  // nil if there is none
	held   []held // returned, and to be settled by the next call

	pace    pace
	refused error     // why the last connect failed
	retry   time.Time // not before then is another one tried
}

// A held is a message that a caller has got.
type held struct {
	id       string
	delivery delivery
}

// Receive implements [iot.Receiver] with one connection for each group, which it keeps. It waits for the first message no
// longer than [Config.Wait]. When the connection is lost it returns what it has got; the next call connects again.
//
// It never retries: errors are [iot.Denied] for a refused login or an untrusted certificate, [iot.NotFound] for a group
// that the platform does not know, [iot.Throttled] for too many connections, else [iot.Transient]. After a failed connect it
// returns the same error without connecting, for 10 ms at first, doubling up to 20 s; for a minute after a refusal.
func (c *Client) Receive(ctx context.Context, groupID string, limit int) ([]iot.Message, error) {
	if limit < 1 {
		return nil, invalid("limit %d: at least 1 is wanted", limit)
	}
	if err := checkGroup(groupID); err != nil {
		return nil, err
	}
	p, err := c.pull(groupID)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.during(ctx)
	defer cancel()
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	defer p.leave()
	p.settle(ctx)
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	return p.gather(ctx, limit)
}

func (c *Client) pull(group string) (*pull, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pulls == nil {
		return nil, invalid("%v", errClosed)
	}
	p := c.pulls[group]
	if p == nil {
		p = &pull{client: c, group: group, turn: make(chan struct{}, 1), memory: newMemory(c.config.Remember)}
		p.turn <- struct{}{}
		c.pulls[group] = p
	}
	return p, nil
}

// enter waits for the caller's turn. With a context that has ended nothing is done.
func (p *pull) enter(ctx context.Context) error {
	select {
	case <-p.turn:
		if ctx.Err() == nil {
			return nil
		}
		p.leave()
	case <-ctx.Done():
	}
	return p.client.fault(ctx, p.group, "receive", ctx.Err())
}

func (p *pull) leave() { p.turn <- struct{}{} }

// settle accepts what the call before returned. If the context ends before the platform has taken that, the link is given up:
// then it sends the messages again, and memory drops them.
func (p *pull) settle(ctx context.Context) {
	if p.link != nil {
		defer context.AfterFunc(ctx, p.link.cut)()
	}
	for _, h := range p.held {
		h.delivery.settle(true)
		for _, d := range p.memory.leave(h.id, true) {
			d.settle(true)
		}
	}
	p.held = p.held[:0]
}

// connect makes sure that there is a link which was alive a moment ago.
func (p *pull) connect(ctx context.Context) error {
	if p.link != nil && p.link.alive() {
		return nil
	}
	p.drop()
	if p.refused != nil && time.Now().Before(p.retry) {
		return p.refused
	}
	l, err := p.client.connect(ctx, p.group)
	if err != nil {
		if ctx.Err() == nil {
			p.refused, p.retry = err, time.Now().Add(pause(&p.pace, err))
		}
		return err
	}
	p.link, p.refused = l, nil
	p.pace.reset()
	return nil
}

// pause returns how long to wait after an error.
func pause(p *pace, err error) time.Duration {
	if lasting(err) {
		return refusedPause
	}
	return p.next()
}

// gather returns what waits, up to limit messages. It waits for the first.
func (p *pull) gather(ctx context.Context, limit int) ([]iot.Message, error) {
	wait, cancel := context.WithTimeout(ctx, p.client.config.Wait)
	defer cancel()
	var messages []iot.Message
	for len(messages) < limit {
		m, err := p.next(wait, len(messages) == 0)
		if err != nil {
			return nil, p.nothing(ctx, wait, err)
		}
		if m == nil {
			break
		}
		if message, ok := p.take(m); ok {
			messages = append(messages, message)
		}
	}
	return messages, nil
}

// nothing returns why there is no message: nil if there is none now.
func (p *pull) nothing(ctx, wait context.Context, err error) error {
	if ctx.Err() == nil && wait.Err() != nil {
		return nil
	}
	if ctx.Err() == nil {
		p.drop()
	}
	return p.client.fault(ctx, p.group, "receive", err)
}

// next returns the next message, or nil if there is none and wait is false.
func (p *pull) next(ctx context.Context, wait bool) (*amqp.Message, error) {
	if wait {
		return p.link.receiver.Receive(ctx, nil)
	}
	return p.link.receiver.Prefetched(), nil
}

// take returns a message that has not been seen.
func (p *pull) take(m *amqp.Message) (iot.Message, bool) {
	message, d := read(m, p.client.config.Instance), p.link.take(m)
	switch p.memory.enter(message.ID, d) {
	case repeated:
		d.settle(true)
	case fresh:
		p.held = append(p.held, held{message.ID, d})
		return message, true
	}
	return iot.Message{}, false
}

// drop ends the link, if there is one.
func (p *pull) drop() {
	if p.link != nil {
		p.link.close()
		p.link = nil
	}
}

// close ends the link for good.
func (p *pull) close() {
	<-p.turn
	defer p.leave()
	p.drop()
}
