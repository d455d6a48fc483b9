package aliyun

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A CanarySession is one connection of a [Canary] to the platform. Its times are those of this machine's clock, UTC.
type CanarySession struct {
	Number int       // counted from 1 in a Canary's life
	Since  time.Time // when the platform let the device in
	Until  time.Time // when it was lost; zero if it is up
	Why    error     // why it was lost; nil if it is up
}

// A CanaryMessage is what reached a [Canary] or one of its sub-devices.
type CanaryMessage struct {
	Session int // its number
	At      time.Time
	Topic   string
	Payload []byte
}

// What a canary remembers: enough for every verifier to find what it has just sent.
const (
	keptSessions = 64
	keptMessages = 256
	keptBytes    = 1 << 20
)

// A canaryRecord is what a canary has seen. It is safe for concurrent use.
type canaryRecord struct {
	mu       sync.Mutex
	changed  chan struct{}   // closed at the next change; nil if nobody waits for it
	number   int             // of the last session
	open     bool            // it has not ended
	ready    bool            // and the platform has acknowledged its subscriptions
	worked   bool            // one was ready, once
	why      error           // there is none
	sessions []CanarySession // the newest last
	messages []CanaryMessage // the newest last
	arrived  int             // messages ever
	bytes    int             // of the payloads in messages
}

// change tells those who wait. The lock is held.
func (r *canaryRecord) change() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// next is closed at the next change. The lock is held.
func (r *canaryRecord) next() <-chan struct{} {
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

// begin records that the platform let the device in, and returns the number of the session.
func (r *canaryRecord) begin() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.number, r.open = r.number+1, true
	r.sessions = append(r.sessions, CanarySession{Number: r.number, Since: time.Now().UTC().Round(0)})
	if len(r.sessions) > keptSessions {
		r.sessions = slices.Delete(r.sessions, 0, 1)
	}
	return r.number
}

// settled records that the session works.
func (r *canaryRecord) settled() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ready, r.worked = true, true
	r.change()
}

func (r *canaryRecord) hasWorked() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.worked
}

// end records that there is no session, and why. It returns how long the last one lasted; zero if there was none.
func (r *canaryRecord) end(why error) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.change()
	r.why, r.ready = why, false
	if !r.open {
		return 0
	}
	r.open = false
	last := &r.sessions[len(r.sessions)-1]
	last.Until, last.Why = time.Now().UTC().Round(0), why
	return last.Until.Sub(last.Since)
}

// add keeps a message of the session that is open.
func (r *canaryRecord) add(topic string, payload []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, CanaryMessage{
		Session: r.number, At: time.Now().UTC().Round(0), Topic: topic, Payload: payload,
	})
	r.arrived++
	r.bytes += len(payload)
	for len(r.messages) > keptMessages || r.bytes > keptBytes {
		r.bytes -= len(r.messages[0].Payload)
		r.messages = slices.Delete(r.messages, 0, 1)
	}
	r.change()
}

// news returns the messages of a session that arrived after the first seen ones, how many have arrived by now, and when
// to ask again. Its error says that the session is over.
func (r *canaryRecord) news(session, seen int) (messages []CanaryMessage, arrived int, changed <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh := min(r.arrived-seen, len(r.messages))
	for _, m := range r.messages[len(r.messages)-fresh:] {
		if m.Session == session {
			messages = append(messages, m)
		}
	}
	if session < r.number || session == r.number && !r.open {
		err = &iot.Error{Kind: iot.NotConnected, Message: fmt.Sprintf("connection %d is over", session), Err: r.why}
	}
	return messages, r.arrived, r.next(), err
}

// ID returns the device that the canary is.
func (c *Canary) ID() iot.DeviceID { return c.config.Credential.ID }

// String returns what the canary is, and nothing of its configuration.
func (c *Canary) String() string { return "canary " + c.ID().String() }

// GoString returns what String returns: a Canary does not show its fields for any verb.
func (c *Canary) GoString() string { return c.String() }

// Session returns the number of the connection that is up, and since when it is, by this machine's clock. If none is, err
// says why, and number is that of the last one; zero if there was none. A connection that died without a word counts as
// up until the device finds out: that something works shows only by doing it.
func (c *Canary) Session() (number int, since time.Time, err error) {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	if !c.record.ready {
		return c.record.number, time.Time{}, c.record.down()
	}
	return c.record.number, c.record.sessions[len(c.record.sessions)-1].Since, nil
}

// down is the error of what needs a connection. The lock is held.
func (r *canaryRecord) down() error {
	return &iot.Error{Kind: iot.NotConnected, Message: "the device is not connected", Err: r.why}
}

// Sessions returns the last 64 connections, the newest last.
func (c *Canary) Sessions() []CanarySession {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	return slices.Clone(c.record.sessions)
}

// Received returns what reached the device and its sub-devices lately, the newest last: 256 messages at most, and no more
// than 1 MiB of payloads. Do not write to the payloads.
func (c *Canary) Received() []CanaryMessage {
	c.record.mu.Lock()
	defer c.record.mu.Unlock()
	return slices.Clone(c.record.messages)
}

// AwaitSession waits until a connection is up whose number is higher than after, and returns its number. Its error is the
// context's, with the reason why there is none.
func (c *Canary) AwaitSession(ctx context.Context, after int) (int, error) {
	for {
		c.record.mu.Lock()
		number, ready, why, changed := c.record.number, c.record.ready, c.record.why, c.record.next()
		c.record.mu.Unlock()
		if ready && number > after {
			return number, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for connection %d of canary %s: %w", after+1, c.ID(), errors.Join(ctx.Err(), why))
		}
	}
}

// Await waits until a message that match accepts has reached the device in a session; one that is there already counts. Its
// error is [iot.NotConnected] once the session is over, or the context's.
func (c *Canary) Await(ctx context.Context, session int, match func(topic string, payload []byte) bool) error {
	for seen := 0; ; {
		messages, arrived, changed, err := c.record.news(session, seen)
		for _, m := range messages {
			if match(m.Topic, m.Payload) {
				return nil
			}
		}
		if err != nil {
			return err
		}
		seen = arrived
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for a message to canary %s: %w", c.ID(), ctx.Err())
		}
	}
}
