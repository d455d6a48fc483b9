package fake

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// PubRequest sends a message to a device.
type PubRequest struct {
	IotInstanceId, ProductKey string
	TopicFullName             string // /productKey/deviceName/user/...
	MessageContent            []byte // the front of the API decodes the Base64 text
	Qos                       int    // 1: kept for 7 days while the device is offline
}

// PubResponse tells that the platform took the message.
type PubResponse struct{ MessageId string }

// parkedFor is how long a QoS 1 message waits for its device.
const parkedFor = int64(7 * 24 * time.Hour)

// Pub publishes a message to a device. A simulated device acknowledges by a message of its own, {"ack": messageId}.
func (c *Cloud) Pub(ctx context.Context, r PubRequest) (PubResponse, error) {
	id, ok := userTopic(r.TopicFullName)
	return call(ctx, c, deviceOp("Pub", r.IotInstanceId, id), func(f Fault) (PubResponse, error) {
		if !ok || id.ProductKey != r.ProductKey {
			return PubResponse{}, refuse(codeBadTopic, "%q is not /%s/{deviceName}/user/...", r.TopicFullName, r.ProductKey)
		}
		_, d, err := c.reach(r.IotInstanceId, id, true)
		if err != nil {
			return PubResponse{}, err
		}
		message := c.newID()
		if !f.lies(d.name) {
			err = c.pub(d, parked{Downlink{r.TopicFullName, bytes.Clone(r.MessageContent), r.Qos}, message, c.at + parkedFor})
		}
		return PubResponse{messageID(message)}, err
	})
}

func (c *Cloud) pub(d *device, p parked) error {
	if d.attended() {
		err := c.send(d, p)
		if err == nil {
			c.took("Pub", d, p.Payload)
		}
		return err
	}
	c.took("Pub", d, p.Payload)
	switch {
	case d.simulated():
		c.gave("Pub", d, p.Payload)
		c.acknowledge(d, p.id)
	case p.QoS == 1:
		c.parked[d] = append(c.parked[d], p)
	}
	return nil
}

// userTopic returns the device that a custom topic belongs to.
func userTopic(topic string) (iot.DeviceID, bool) {
	parts := strings.SplitN(topic, "/", 5)
	if len(parts) < 5 || parts[0] != "" || parts[3] != "user" || parts[4] == "" {
		return iot.DeviceID{}, false
	}
	return iot.DeviceID{ProductKey: parts[1], DeviceName: parts[2]}, true
}

// RRpcRequest sends a message to a device and waits for its answer.
type RRpcRequest struct {
	IotInstanceId, ProductKey, DeviceName string
	RequestByte                           []byte // the front of the API decodes the Base64 text
	Timeout                               int    // 1,000 to 8,000 ms
	Topic                                 string // any
}

// RRpcResponse is the device's answer, if there is one.
type RRpcResponse struct {
	RrpcCode    string // UNKNOWN, SUCCESS, TIMEOUT, OFFLINE or HALFCONN
	PayloadByte []byte
	MessageId   uint64
}

// RRpc asks a device. A simulated one answers with the same bytes. It waits on the Cloud's clock, and for a client for as long
// in real time.
func (c *Cloud) RRpc(ctx context.Context, r RRpcRequest) (RRpcResponse, error) {
	id := iot.DeviceID{ProductKey: r.ProductKey, DeviceName: r.DeviceName}
	var wait time.Duration
	var client *pending
	out, err := callThen(ctx, c, deviceOp("RRpc", r.IotInstanceId, id), func(Fault) (RRpcResponse, error) {
		if r.Timeout < 1000 || r.Timeout > 8000 {
			return RRpcResponse{}, refuse(codeBadTimeout, "timeout %d ms: 1000 to 8000 are allowed", r.Timeout)
		}
		_, d, err := c.reach(r.IotInstanceId, id, false)
		if err != nil {
			return RRpcResponse{}, err
		}
		var answer RRpcResponse
		if d.attended() {
			answer, client, err = c.rrpcClient(d, r)
			return answer, err
		}
		answer, wait = c.rrpc(d, r)
		return answer, nil
	}, func(out *RRpcResponse) error { return c.awaitRRpc(ctx, client, r.Timeout, out) })
	if err == nil && wait > 0 {
		if e := c.clock.WaitUntil(ctx, c.clock.Now().Add(wait)); e != nil {
			return RRpcResponse{}, &LostError{"RRpc", e}
		}
	}
	return out, err
}

// rrpc returns the answer, and how long it takes.
func (c *Cloud) rrpc(d *device, r RRpcRequest) (RRpcResponse, time.Duration) {
	out := RRpcResponse{RrpcCode: "SUCCESS", MessageId: c.newID()}
	timeout := time.Duration(r.Timeout) * time.Millisecond
	switch {
	case !d.connected():
		out.RrpcCode = "OFFLINE"
		return out, 0
	case !d.alive():
		out.RrpcCode = "HALFCONN"
		return out, 0
	}
	c.took("RRpc", d, r.RequestByte)
	c.gave("RRpc", d, r.RequestByte)
	if c.quirks.AnswerDelay > timeout {
		out.RrpcCode = "TIMEOUT"
		return out, timeout
	}
	out.PayloadByte = bytes.Clone(r.RequestByte)
	return out, c.quirks.AnswerDelay
}
