package dual

import (
	"context"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A MergeConfig says how a [Merge] hands messages on. Handle is needed.
type MergeConfig struct {
	// Handle gets each message. While it handles one of a device, the device's others wait: it has to end, with its context at the latest.
	Handle func(context.Context, iot.Message) error
	// HoldBack is how long a message waits for older ones of its device. Zero is 2 s; negative is not at all.
	HoldBack time.Duration
	// Holds tells which devices' messages are held back: those that move, as order gets lost where two consumer groups deliver. Nil is
	// all of them.
	Holds func(iot.DeviceID) bool
	// Remember is of how many messages, the newest ones, the IDs are remembered. Zero is 100,000, about 10 MB.
	Remember int
}

const (
	holdBack = 2 * time.Second
	remember = 100_000
)

// A Merge makes one of the messages of two consumer groups: each is handled once, and those of a device one after another, in the order of
// the times at which they were generated, as far as the older ones come within HoldBack. One that comes later is handled when it
// comes, and one without an ID as often as it comes. Its memory is that of the IDs and of what is being handled, and ends with the process: what was
// handled just before may come once more to the next one. It is safe for concurrent use. Make one with [NewMerge].
type Merge struct {
	config MergeConfig

	mu    sync.Mutex
	lines map[lineKey]*line
	done  ring
}

// A lineKey names who waits in one line: the messages of a device; or those with one ID, of messages without a device.
type lineKey struct {
	device iot.DeviceID
	id     string
}

// NewMerge returns a merge that has seen nothing. Its error is [iot.Invalid].
func NewMerge(c MergeConfig) (*Merge, error) {
	switch {
	case c.Handle == nil:
		return nil, invalid("MergeConfig.Handle is nil: nobody would get the messages")
	case c.Remember < 0:
		return nil, invalid("MergeConfig.Remember is negative")
	}
	if c.HoldBack == 0 {
		c.HoldBack = holdBack
	}
	if c.Remember == 0 {
		c.Remember = remember
	}
	return &Merge{config: c, lines: map[lineKey]*line{}, done: ring{size: c.Remember, known: map[string]struct{}{}}}, nil
}

// Handle takes a message that one of the groups has delivered, and returns when it has been handled, with the error of
// MergeConfig.Handle; nil for one that was handled before. So it is what the stream of package aliyun runs with: a message that failed is
// delivered again, without its place in the order. Let the stream have as many handlers as messages come within HoldBack. If ctx
// ends while the message waits, it was not handled, and the error is that of ctx.
func (m *Merge) Handle(ctx context.Context, msg iot.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	id, ok := msg.Device()
	if !ok && msg.ID == "" { // nothing tells it from others: there is no line for it
		return m.config.Handle(ctx, msg)
	}
	key, hold := lineKey{device: id}, m.config.HoldBack
	if !ok {
		key = lineKey{id: msg.ID}
	}
	if !ok || msg.Generated.IsZero() || m.config.Holds != nil && !m.config.Holds(id) {
		hold = 0
	}
	l, e := m.enter(key, msg, hold)
	if err := m.await(ctx, l, e, hold); err != nil {
		m.leave(key, l, func() { l.remove(e) })
		return err
	}
	defer m.leave(key, l, func() { l.busy = false })
	return m.handle(ctx, msg)
}

// enter puts a message in its line.
func (m *Merge) enter(key lineKey, msg iot.Message, hold time.Duration) (*line, *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.lines[key]
	if l == nil {
		l = &line{changed: make(chan struct{})}
		m.lines[key] = l
	}
	e := &entry{at: msg.Generated}
	l.insert(e)
	if hold <= 0 {
		l.release(e)
	}
	return l, e
}

// await returns when it is a message's turn.
func (m *Merge) await(ctx context.Context, l *line, e *entry, hold time.Duration) error {
	timer := time.NewTimer(max(hold, 0))
	defer timer.Stop()
	for {
		m.mu.Lock()
		turn, changed := l.begin(e), l.changed
		m.mu.Unlock()
		if turn {
			return nil
		}
		select {
		case <-changed:
		case <-timer.C:
			m.mu.Lock()
			l.release(e)
			m.mu.Unlock()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leave lets the next in line go on, and forgets a line that is empty.
func (m *Merge) leave(key lineKey, l *line, out func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out()
	l.change()
	if !l.busy && len(l.waiting) == 0 {
		delete(m.lines, key)
	}
}

// handle hands a message on unless that was done before.
func (m *Merge) handle(ctx context.Context, msg iot.Message) error {
	m.mu.Lock()
	_, again := m.done.known[msg.ID]
	m.mu.Unlock()
	if again {
		return nil
	}
	if err := m.config.Handle(ctx, msg); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done.add(msg.ID)
	return nil
}
