package verify

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A reply is the answer to an asynchronous service, as the platform forwards it on the device's topic
// thing/downlink/reply/message.
type reply struct {
	RequestID json.RawMessage `json:"requestId"` // text or number
	Code      json.Number     `json:"code"`
}

// passing reports whether the code is of the platform's own making and may be gone soon.
func (r reply) passing() bool {
	return r.Code == "429" || r.Code == "9200" || r.Code == "9201"
}

// findReply finds the reply to a call among a device's messages.
func findReply(messages []iot.Message, instance, messageID string) (reply, bool) {
	for _, m := range messages {
		if m.Instance != instance || !IsReply(m) {
			continue
		}
		var r reply
		if json.Unmarshal(m.Payload, &r) != nil || r.Code == "" {
			continue
		}
		if m.ID == messageID || strings.Trim(string(r.RequestID), `"`) == messageID {
			return r, true
		}
	}
	return reply{}, false
}

// ServicesWithoutInput chooses all services of a thing model that take no input, synchronous and asynchronous
// ones, in the order of the model. It fits [ServiceConfig.Choose]. Without input does not mean without effect: such
// a service may restart the device or clear its alarms. Use it only where all of them are harmless.
//
// It reads the platform's two forms of a thing model, and returns an [iot.Invalid] error for what is neither.
func ServicesWithoutInput(productKey string, model json.RawMessage) ([]Invocation, error) {
	var m struct {
		Services []struct {
			Identifier  string            `json:"identifier"`
			CallType    string            `json:"callType"`
			InputData   []json.RawMessage `json:"inputData"`
			InputParams []json.RawMessage `json:"inputParams"`
		} `json:"services"`
	}
	if err := json.Unmarshal(model, &m); err != nil {
		return nil, &iot.Error{Kind: iot.Invalid, Op: "read thing model", Message: fmt.Sprintf("the model of %s is not in a known form", productKey), Err: err}
	}
	var chosen []Invocation
	for _, s := range m.Services {
		standard := s.Identifier == "set" || s.Identifier == "get" // of properties: not called by InvokeThingService
		if !standard && len(s.InputData)+len(s.InputParams) == 0 {
			chosen = append(chosen, Invocation{Service: s.Identifier, Async: s.CallType == "async"})
		}
	}
	return chosen, nil
}
