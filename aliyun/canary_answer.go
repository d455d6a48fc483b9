package aliyun

import (
	"context"
	"encoding/json"
	"strings"
)

// serve takes what arrives, until the session is over. It never waits for an answer: that would come the same way.
func (c *Canary) serve(ctx context.Context, l *canaryLink) {
	for {
		select {
		case m := <-l.inbox:
			c.handle(ctx, l, m.Topic(), m.Payload())
		case <-ctx.Done():
			return
		}
	}
}

func (c *Canary) handle(ctx context.Context, l *canaryLink, topic string, payload []byte) {
	c.record.add(topic, payload)
	switch {
	case topic == c.errorTopic():
		c.family.cutOff(payload)
	case strings.HasSuffix(topic, replySuffix):
		c.mail.deliver(topic, payload)
	default:
		c.answer(ctx, l, topic, payload)
	}
}

// answer answers RRPC and services, for whichever member they are. QoS 0 is enough: who asks will ask again.
func (c *Canary) answer(ctx context.Context, l *canaryLink, topic string, payload []byte) {
	for _, m := range c.members {
		path, ok := strings.CutPrefix(topic, "/sys/"+m.id.String()+"/")
		if !ok {
			continue
		}
		to, text := m.reply(ctx, path, payload)
		if to == "" {
			return
		}
		if err := l.publish(ctx, m.topic(to), 0, text); err != nil {
			c.log.Warn("answer lost", "device", m.id, "topic", m.topic(to), "error", err)
		}
		return
	}
}

// reply returns what is answered to a request below the member, and where to; an empty topic if nothing is.
func (m *canaryMember) reply(ctx context.Context, path string, payload []byte) (to string, text []byte) {
	if id, ok := strings.CutPrefix(path, "rrpc/request/"); ok {
		to = "rrpc/response/" + id
		if name, ok := m.serviceIn(payload); ok {
			return to, m.serve(ctx, name, payload)
		}
		return to, m.Answer(ctx, payload)
	}
	name, ok := strings.CutPrefix(path, "thing/service/")
	if _, known := m.Services[name]; !ok || !known {
		return "", nil
	}
	return path + replySuffix, m.serve(ctx, name, payload)
}

// serviceIn recognises a synchronous call of a service, which the platform sends as an RRPC request in the form of the
// Alink protocol (InvokeThingService).
func (m *canaryMember) serviceIn(payload []byte) (string, bool) {
	var call struct {
		Method string `json:"method"`
	}
	if json.Unmarshal(payload, &call) != nil {
		return "", false
	}
	method, ok := strings.CutPrefix(call.Method, "thing.service.")
	name := strings.ReplaceAll(method, ".", "/")
	_, known := m.Services[name]
	return name, ok && known
}

// serve calls a service and returns the answer in the form of the Alink protocol.
func (m *canaryMember) serve(ctx context.Context, name string, payload []byte) []byte {
	var call struct {
		ID     json.RawMessage `json:"id"`
		Params json.RawMessage `json:"params"`
	}
	if json.Unmarshal(payload, &call) != nil || call.ID == nil {
		call.ID = json.RawMessage(`""`)
	}
	code, output := 200, json.RawMessage(nil)
	if f := m.Services[name]; f != nil {
		code, output = f(ctx, call.Params)
	}
	if !json.Valid(output) {
		output = json.RawMessage("{}")
	}
	text, err := json.Marshal(struct {
		ID   json.RawMessage `json:"id"`
		Code int             `json:"code"`
		Data json.RawMessage `json:"data"`
	}{call.ID, code, output})
	if err != nil {
		return nil // not reachable: both are valid JSON
	}
	return text
}
