package aliyun

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// The time that RRpc can be told to wait for the device, and that InvokeThingService waits for a synchronous service.
const (
	minWait     = time.Second
	maxWait     = 8 * time.Second
	serviceWait = 8 * time.Second
)

// Publish sends with QoS 1: the platform keeps the message for 7 days if the device is offline. An empty
// payload is Invalid, as the platform takes none.
func (in *instance) Publish(ctx context.Context, topic string, payload []byte) (string, error) {
	const api = "Pub"
	productKey, ok := productOf(topic)
	switch {
	case !ok:
		return "", refuse(api, fmt.Sprintf("topic %q is not /productKey/deviceName/user/...", topic))
	case len(payload) == 0:
		return "", refuse(api, "the payload is empty")
	}
	var out struct{ MessageId string }
	err := in.write(ctx, rpc.Call{
		API:   api,
		Query: rpc.Params{"ProductKey": productKey, "TopicFullName": topic, "Qos": "1"},
		Body:  rpc.Params{"MessageContent": base64.StdEncoding.EncodeToString(payload)},
	}, &out)
	return out.MessageId, err
}

// productOf returns the key of the product that a device's custom topic belongs to.
func productOf(topic string) (string, bool) {
	parts := strings.SplitN(topic, "/", 5)
	if len(parts) < 5 || parts[0] != "" || parts[1] == "" || parts[2] == "" || parts[3] != "user" || parts[4] == "" {
		return "", false
	}
	return parts[1], true
}

// Call refuses an empty payload, as the platform takes none.
func (in *instance) Call(ctx context.Context, id iot.DeviceID, payload []byte, timeout time.Duration) ([]byte, error) {
	const api = "RRpc"
	switch {
	case timeout < minWait || timeout > maxWait:
		return nil, refuse(api, fmt.Sprintf("timeout %v: %v to %v are allowed", timeout, minWait, maxWait))
	case len(payload) == 0:
		return nil, refuse(api, "the payload is empty")
	}
	if err := named(api, id.ProductKey, id.DeviceName); err != nil {
		return nil, err
	}
	var out struct{ RrpcCode, PayloadBase64Byte string }
	query := device(id)
	query["Timeout"] = strconv.FormatInt(timeout.Milliseconds(), 10)
	err := in.write(ctx, rpc.Call{
		API: api, Query: query, Timeout: in.client.longer(timeout),
		Body: rpc.Params{"RequestBase64Byte": base64.StdEncoding.EncodeToString(payload)},
	}, &out)
	if err != nil {
		return nil, reached(err)
	}
	if err := rrpcError(out.RrpcCode); err != nil {
		return nil, err
	}
	answer, err := base64.StdEncoding.DecodeString(out.PayloadBase64Byte)
	if err != nil {
		return nil, &iot.Error{Kind: iot.UnknownOutcome, Op: api, Message: "the device answered, and the platform garbled it", Err: err}
	}
	return answer, nil
}

// longer returns the time-out of a call that waits for a device.
func (c *Client) longer(wait time.Duration) time.Duration {
	if c.config.Timeout == 0 {
		return wait + rpc.DefaultTimeout
	}
	return wait + c.config.Timeout
}

// rrpcError reads what became of a call. A device that is half connected was not reached: its connection is gone, only not
// yet noticed.
func rrpcError(code string) error {
	switch code {
	case "SUCCESS":
		return nil
	case "OFFLINE", "HALFCONN":
		return &iot.Error{Kind: iot.NotConnected, Op: "RRpc", Code: code, Message: "the device is not connected"}
	}
	return &iot.Error{Kind: iot.UnknownOutcome, Op: "RRpc", Code: code, Message: "the device did not answer"}
}

// reached reads the same codes where the platform has them as errors.
func reached(err error) error {
	e, ok := errors.AsType[*iot.Error](err)
	if !ok {
		return err
	}
	if code, ok := strings.CutPrefix(e.Code, "iot.messagebroker."); ok && (code == "OFFLINE" || code == "HALFCONN" || code == "TIMEOUT") {
		return rrpcError(code)
	}
	return err
}

func (in *instance) Invoke(ctx context.Context, id iot.DeviceID, service string, args json.RawMessage) (iot.ServiceReply, error) {
	const api = "InvokeThingService"
	text, err := object(api, args)
	if err != nil {
		return iot.ServiceReply{}, err
	}
	if err := named(api, id.ProductKey, id.DeviceName, service); err != nil {
		return iot.ServiceReply{}, err
	}
	var out struct {
		Data struct{ Result, MessageId string }
	}
	query := device(id)
	query["Identifier"], query["Args"] = service, text
	if err := in.write(ctx, rpc.Call{API: api, Query: query, Timeout: in.client.longer(serviceWait)}, &out); err != nil {
		return iot.ServiceReply{}, err
	}
	return iot.ServiceReply{MessageID: out.Data.MessageId, Result: result(out.Data.Result)}, nil
}

// result returns what a service answered: JSON, or a text as a JSON string; nil for nothing.
func result(text string) json.RawMessage {
	switch {
	case text == "":
		return nil
	case json.Valid([]byte(text)):
		return json.RawMessage(text)
	}
	quoted, err := json.Marshal(text)
	if err != nil { // a text has none
		return nil
	}
	return quoted
}

func (in *instance) SetProperties(ctx context.Context, id iot.DeviceID, items json.RawMessage) (string, error) {
	const api = "SetDeviceProperty"
	text, err := object(api, items)
	if err != nil {
		return "", err
	}
	if err := named(api, id.ProductKey, id.DeviceName); err != nil {
		return "", err
	}
	var out struct{ Data struct{ MessageId string } }
	query := device(id)
	query["Items"] = text
	err = in.write(ctx, rpc.Call{API: api, Query: query}, &out)
	return out.Data.MessageId, err
}

// object returns a JSON object as the platform takes it; nil is an empty one.
func object(api string, text json.RawMessage) (string, error) {
	if len(text) == 0 {
		return "{}", nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil || fields == nil {
		return "", refuse(api, "the arguments are not a JSON object")
	}
	return string(text), nil
}
