package fake

import (
	"encoding/json"
	"slices"
)

// maxPosted is how many properties one post can have.
const maxPosted = 200

// A posted value is one that a device gives with or without its time.
type posted struct {
	Value json.RawMessage `json:"value"`
	Time  int64           `json:"time"` // ms
}

// readPosted reads {"value": ..., "time": ...} or a bare value, which is of now.
func readPosted(raw json.RawMessage, now stamp) posted {
	p := posted{raw, now / 1e6}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil || fields["value"] == nil || !timed(fields) {
		return p
	}
	p.Value = fields["value"]
	if at := fields["time"]; at != nil {
		_ = json.Unmarshal(at, &p.Time) // timed has seen that it is a number
	}
	return p
}

// timed reports whether fields are value and time alone: otherwise they are those of a bare structure.
func timed(fields map[string]json.RawMessage) bool {
	var at int64
	for name, raw := range fields {
		if name != "value" && (name != "time" || json.Unmarshal(raw, &at) != nil) {
			return false
		}
	}
	return true
}

// postProperties takes what a device reports of its properties. The thing model's names are checked, not its types.
func (c *Cloud) postProperties(u *uplink, q query) verdict {
	var params map[string]json.RawMessage
	p := u.dev.product
	switch {
	case p.tsl == nil || json.Unmarshal(q.params, &params) != nil || params == nil:
		return denied(codeBadRequest)
	case len(params) > maxPosted:
		return denied(codeTooManyProps)
	}
	items, failed := map[string]posted{}, map[string]posted{}
	for identifier, raw := range params {
		if p.model.property(identifier) {
			items[identifier] = readPosted(raw, c.at)
		} else {
			failed[identifier] = readPosted(raw, c.at)
		}
	}
	body := u.dev.header(c.at)
	body["items"], body["checkFailedData"] = items, failed
	c.forward(u.dev, record{text: &text{u.dev.topic(propertyTopic), string(marshal(body))}})
	return verdict{code: codeOK}
}

// postEvent takes an event of the thing model.
func (c *Cloud) postEvent(u *uplink, q query) verdict {
	identifier, _ := u.event()
	events := u.dev.product.model.events
	i := slices.IndexFunc(events, func(e tslEvent) bool { return e.Identifier == identifier })
	if i < 0 || len(q.params) == 0 {
		return denied(codeBadRequest)
	}
	x := readPosted(q.params, c.at)
	body := u.dev.header(c.at)
	body["identifier"], body["name"], body["type"] = identifier, events[i].Name, events[i].Type
	body["value"], body["time"] = x.Value, x.Time
	c.forward(u.dev, record{text: &text{u.dev.topic(eventTopic(identifier)), string(marshal(body))}})
	return verdict{code: codeOK}
}
