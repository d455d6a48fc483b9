package fake

import (
	"encoding/json"
	"strings"
)

// The codes of the Alink protocol and of sub-devices' sessions.
const (
	codeOK            = 200
	codeBadSign       = 401 // topology
	codeBadRequest    = 460
	codeTooManyOnline = 428
	codeTooFast       = 429
	codeNoSession     = 520
	codeDeleted       = 521
	codeDisabled      = 522
	codeTooManyProps  = 6106
	codeUnknownDevice = 6100
	codeSubDisabled   = 6204 // topology
	codeBadSubSign    = 6287
	codeTooManySubs   = 6400
	codeNoTopology    = 6401
	codeIsItself      = 6402
)

// codeWords explains a code in the platform's answers.
func codeWords(code int) string {
	switch code {
	case codeOK:
		return "success"
	case codeBadSign, codeBadSubSign:
		return "invalid sign"
	case codeTooManyOnline:
		return "too many subdevices under gateway"
	case codeTooFast:
		return "rate limit"
	case codeBadRequest:
		return "request parameter error"
	case codeNoSession:
		return "device no session"
	case CodeDuplicate:
		return "device connect in elsewhere"
	case codeDisabled, codeSubDisabled:
		return "device forbidden"
	case codeTooManyProps:
		return "too many properties"
	case codeUnknownDevice:
		return "device not found"
	case codeTooManySubs:
		return "too many subdevices"
	case codeNoTopology:
		return "topo relation not exist"
	case codeIsItself:
		return "a gateway cannot be its own subdevice"
	}
	return "error"
}

// A query is a request of a device in the Alink protocol.
type query struct {
	id     string
	params json.RawMessage
}

// readQuery is lenient: an identifier may be a text or a number, and what else is in the message does not matter.
func readQuery(payload []byte) (query, bool) {
	var m struct {
		ID     json.RawMessage `json:"id"`
		Params json.RawMessage `json:"params"`
	}
	if json.Unmarshal(payload, &m) != nil {
		return query{}, false
	}
	return query{scalar(m.ID), m.Params}, true
}

// scalar returns a JSON text, number or truth value as a text; empty for what is none.
func scalar(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	if s := string(raw); s != "null" && !strings.HasPrefix(s, "{") && !strings.HasPrefix(s, "[") {
		return s
	}
	return ""
}

// A reply is a device's answer in the Alink protocol.
type reply struct {
	id      string
	code    int
	message string
	data    json.RawMessage
}

func readReply(payload []byte) (reply, bool) {
	var m struct {
		ID      json.RawMessage `json:"id"`
		Code    *int            `json:"code"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if json.Unmarshal(payload, &m) != nil || m.Code == nil || scalar(m.ID) == "" {
		return reply{}, false
	}
	if len(m.Data) == 0 {
		m.Data = json.RawMessage("{}")
	}
	if m.Message == "" {
		m.Message = codeWords(*m.Code)
	}
	return reply{scalar(m.ID), *m.Code, m.Message, m.Data}, true
}

// A verdict is what the platform answers to a query.
type verdict struct {
	code int
	data any // nil: an empty object
}

func denied(code int) verdict { return verdict{code: code} }

// answer sends the answer to a query on the _reply of its topic.
func (c *Cloud) answer(u *uplink, id string, v verdict) {
	if v.data == nil {
		v.data = struct{}{}
	}
	c.tell(u.session, u.topic+"_reply", u.qos, map[string]any{
		"id": id, "code": v.code, "message": codeWords(v.code), "data": v.data,
	})
}
