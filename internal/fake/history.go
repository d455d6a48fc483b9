package fake

import (
	"encoding/json"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A HistoryKind tells what a row of history is of.
type HistoryKind string

// The kinds of history.
const (
	PropertyHistory HistoryKind = "property"
	EventHistory    HistoryKind = "event"
	ServiceHistory  HistoryKind = "service"
)

// A HistoryRow is one row of a device's history that an instance is about to show.
type HistoryRow struct {
	Instance   string // the ID of the instance that is asked
	Device     iot.DeviceID
	Kind       HistoryKind
	Identifier string
	At         time.Time // in whole milliseconds, UTC
	Copied     bool      // by data synchronisation, or by the device's move: it was reported through another instance
}

// A RowFault changes how an instance shows a row of history. The zero value changes nothing; fields combine.
type RowFault struct {
	Gap    bool            // it is not there
	Late   time.Duration   // it is there only so much later
	Copies int             // how many times it is there besides the first
	Value  json.RawMessage // what it shows in place of what was reported; nil for no change
}

// A reported row is one that has to be remembered, as no arithmetic can make it again: what a client posted, what was set, and
// calls of services.
type reported struct {
	kind       HistoryKind
	identifier string
	at         int64 // ms, by the device's clock if it tells
	got        stamp
	in         *instance
	value      json.RawMessage
	input      json.RawMessage // of a service
	call       string          // of a service: the message ID
}

// maxReported is how many rows of a device are remembered.
const maxReported = 100_000

// remember keeps a row for as long as the platform does.
func (c *Cloud) remember(d *device, r reported) {
	r.got, r.in = c.at, d.home
	list := c.reported[d]
	gone := max(0, len(list)+1-maxReported)
	for oldest := c.at - int64(iot.HistoryKept); gone < len(list) && list[gone].got < oldest; {
		gone++
	}
	c.reported[d] = append(list[gone:], r)
}

// learn takes from a message of a device what belongs into its history: properties, an event or the answer to a call.
func (c *Cloud) learn(d *device, suffix string, body string) {
	if d.product.tsl == nil {
		return
	}
	switch event, isEvent := between(suffix, "/thing/event/", "/post"); {
	case suffix == propertyTopic:
		c.learnProperties(d, body)
	case isEvent:
		var x posted
		if json.Unmarshal([]byte(body), &x) == nil {
			c.remember(d, reported{kind: EventHistory, identifier: event, at: x.Time, value: x.Value})
		}
	case suffix == replyTopic:
		var x struct {
			RequestID string          `json:"requestId"`
			Data      json.RawMessage `json:"data"`
		}
		if json.Unmarshal([]byte(body), &x) == nil {
			c.answered(d, x.RequestID, x.Data)
		}
	}
}

func (c *Cloud) learnProperties(d *device, body string) {
	var x struct {
		Items map[string]posted `json:"items"`
	}
	if json.Unmarshal([]byte(body), &x) != nil {
		return
	}
	for i := range d.product.model.Properties {
		identifier := d.product.model.Properties[i].Identifier
		if p, ok := x.Items[identifier]; ok {
			c.remember(d, reported{kind: PropertyHistory, identifier: identifier, at: p.Time, value: p.Value})
		}
	}
}

// called keeps a call of a service. Its output is empty until the device answers.
func (c *Cloud) called(d *device, s *tslService, messageID, input, output string) {
	c.remember(d, reported{
		kind: ServiceHistory, identifier: s.Identifier, at: c.at / 1e6, call: messageID,
		input: json.RawMessage(input), value: json.RawMessage(output),
	})
}

// answered completes a call that was kept.
func (c *Cloud) answered(d *device, messageID string, output json.RawMessage) {
	list := c.reported[d]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].kind == ServiceHistory && list[i].call == messageID {
			list[i].value = output
			return
		}
	}
}
