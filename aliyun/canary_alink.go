package aliyun

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"

	"github.com/iotferry/iotferry/iot"
)

const replySuffix = "_reply"

// isAlink reports whether a topic below a device belongs to the Alink protocol: the platform answers on it.
func isAlink(path string) bool { return strings.HasPrefix(path, "thing/") }

// alinkRequest writes a request of the Alink protocol.
func alinkRequest(id, method string, params json.RawMessage) []byte {
	if params == nil {
		params = json.RawMessage("{}")
	}
	text, err := json.Marshal(struct {
		ID      string          `json:"id"`
		Version string          `json:"version"`
		Params  json.RawMessage `json:"params"`
		Method  string          `json:"method,omitempty"`
	}{id, "1.0", params, method})
	if err != nil {
		return nil // params is no JSON: the platform will say so
	}
	return text
}

// newID returns an ID for a request: a number of 32 bits, as the platform wants.
func newID() string { return strconv.FormatUint(uint64(rand.Uint32()), 10) }

// newNonce returns a nonce for a report: see [CanaryBehaviour].
func newNonce() string { return strconv.FormatUint(uint64(rand.Uint32N(1<<24)), 10) }

// alinkID returns the ID of a message, which may be a text or a number; empty if there is none.
func alinkID(payload []byte) string {
	var m struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(payload, &m) != nil {
		return ""
	}
	return strings.Trim(string(m.ID), `"`)
}

// An alinkReply is the platform's answer to a request.
type alinkReply struct {
	Code    json.Number     `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"`
}

// refusal returns nil for code 200, or an error that has the code.
func (r alinkReply) refusal() error {
	if r.Code == "200" {
		return nil
	}
	const longest = 200
	return &iot.Error{
		Kind: alinkKind(r.Code), Code: r.Code.String(), Message: fmt.Sprintf("the platform refuses it: %.*q", longest, r.Message),
	}
}

// alinkKind classifies the codes that the platform documents for what devices ask.
func alinkKind(code json.Number) iot.Kind {
	switch code {
	case "460", "6106", "6402": // parameters; more than 200 properties; a gateway as its own sub-device
		return iot.Invalid
	case "401", "6287": // signatures
		return iot.Denied
	case "429":
		return iot.Throttled
	case "521", "6100", "6401": // deleted; no such device; no such relation
		return iot.NotFound
	case "520", "427": // no session; another login
		return iot.NotConnected
	case "428", "522", "6204", "6400": // too many sub-devices logged in; disabled; too many in the topology
		return iot.Conflict
	}
	return iot.Unclassified
}

// A mailbox brings the platform's answers to those who wait for them. The zero value is ready for use.
type mailbox struct {
	mu      sync.Mutex
	waiting map[address]chan alinkReply
}

// An address is where an answer goes to: the topic that it comes on, and the ID of its request.
type address struct{ topic, id string }

func (b *mailbox) open(at address) <-chan alinkReply {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting == nil {
		b.waiting = make(map[address]chan alinkReply)
	}
	reply := make(chan alinkReply, 1)
	b.waiting[at] = reply
	return reply
}

func (b *mailbox) close(at address) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.waiting, at)
}

// deliver drops an answer that nobody waits for, or that cannot be read.
func (b *mailbox) deliver(topic string, payload []byte) {
	var reply alinkReply
	if json.Unmarshal(payload, &reply) != nil || reply.Code == "" {
		return
	}
	at := address{topic, alinkID(payload)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if waiting, ok := b.waiting[at]; ok {
		waiting <- reply // there is room for one
		delete(b.waiting, at)
	}
}

// ask publishes a request and waits for the answer with its ID. An answer that refuses is an error.
func (c *Canary) ask(ctx context.Context, l *canaryLink, topic string, qos byte, payload []byte) (alinkReply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, errNoAnswer)
	defer cancel()
	at := address{topic + replySuffix, alinkID(payload)}
	replies := c.mail.open(at)
	defer c.mail.close(at)
	if err := l.publish(ctx, topic, qos, payload); err != nil {
		return alinkReply{}, err
	}
	select {
	case reply := <-replies:
		return reply, reply.refusal()
	case <-l.conn.dying:
		return alinkReply{}, l.gone()
	case <-ctx.Done():
		return alinkReply{}, late(ctx)
	}
}

var errNoAnswer = errors.New("the platform did not answer in time")

// late is the error of what was sent and had no answer when its context ended.
func late(ctx context.Context) error {
	if cause := context.Cause(ctx); errors.Is(cause, errNoAnswer) {
		return &iot.Error{Kind: iot.UnknownOutcome, Message: cause.Error()}
	}
	return ctx.Err()
}
