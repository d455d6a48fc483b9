package fake

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// A pending command waits for a client's answer.
type pending struct {
	id     string
	dev    *device
	answer chan answer // has room for one
}

// An answer is what a client's device said to a command.
type answer struct {
	code int
	data []byte
}

// command sends a device's client a message that it is to answer.
func (c *Cloud) command(d *device, topic string, payload []byte) error {
	return c.send(d, parked{Downlink: Downlink{Topic: topic, Payload: payload}})
}

// request sends a device's client a request of the Alink protocol.
func (c *Cloud) request(d *device, id, method string, params any) error {
	topic := "/sys" + d.topic("/"+strings.ReplaceAll(method, ".", "/"))
	return c.command(d, topic, marshal(map[string]any{"id": id, "version": "1.0", "method": method, "params": params}))
}

// expect makes a note that a device is to answer. It ends with await.
func (c *Cloud) expect(d *device, id string) *pending {
	p := &pending{id, d, make(chan answer, 1)}
	c.pending[id] = p
	return p
}

// resolve hands an answer to the command that waits for it, and reports whether there was one.
func (c *Cloud) resolve(d *device, id string, a answer) bool {
	p := c.pending[id]
	if p == nil || p.dev != d {
		return false
	}
	delete(c.pending, id)
	p.answer <- a
	return true
}

// await waits for a client's answer, and reports whether it came in time. Clients answer in real time: so long they are waited
// for, even if the Cloud's clock has jumped, and then until the time is up by the Cloud's clock as well.
func (c *Cloud) await(ctx context.Context, op string, p *pending, timeout time.Duration) (answer, bool, error) {
	began := c.clock.Now()
	patience, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case a := <-p.answer:
		return a, true, nil
	case <-patience.Done():
	}
	err := c.clock.WaitUntil(ctx, began.Add(timeout))
	c.look(func() { delete(c.pending, p.id) })
	select {
	case a := <-p.answer:
		return a, true, nil
	default:
	}
	if err != nil {
		return answer{}, false, &LostError{op, err}
	}
	return answer{}, false, nil
}

// rrpcClient sends a client's device a message of RRpc.
func (c *Cloud) rrpcClient(d *device, r RRpcRequest) (RRpcResponse, *pending, error) {
	out := RRpcResponse{MessageId: c.newID()}
	id := strconv.FormatUint(out.MessageId, 10)
	if err := c.command(d, "/sys"+d.topic("/rrpc/request/"+id), r.RequestByte); err != nil {
		return out, nil, err
	}
	c.took("RRpc", d, r.RequestByte)
	return out, c.expect(d, id), nil
}

// awaitRRpc completes the answer of RRpc.
func (c *Cloud) awaitRRpc(ctx context.Context, p *pending, timeout int, out *RRpcResponse) error {
	if p == nil {
		return nil
	}
	a, ok, err := c.await(ctx, "RRpc", p, time.Duration(timeout)*time.Millisecond)
	out.RrpcCode, out.PayloadByte = "SUCCESS", a.data
	if !ok {
		out.RrpcCode = "TIMEOUT"
	}
	return err
}

// invokeClient sends a client's device a call of a service. The answer to an asynchronous one comes as a message.
func (c *Cloud) invokeClient(d *device, s *tslService, args string) (InvokeThingServiceResponse, *pending, error) {
	out := InvokeThingServiceResponse{MessageId: messageID(c.newID())}
	err := c.request(d, out.MessageId, "thing.service."+s.Identifier, json.RawMessage(args))
	if err == nil {
		c.took(invokeAPI, d, []byte(args))
		c.called(d, s, out.MessageId, args, "")
	}
	if err != nil || s.CallType != "sync" {
		return out, nil, err
	}
	return out, c.expect(d, out.MessageId), nil
}

// awaitService completes the answer of a synchronous service.
func (c *Cloud) awaitService(ctx context.Context, p *pending, out *InvokeThingServiceResponse) error {
	if p == nil {
		return nil
	}
	a, ok, err := c.await(ctx, "InvokeThingService", p, serviceTimeout)
	switch {
	case err != nil:
		return err
	case !ok:
		return refuse(codeTimeout, "device %s did not answer", p.dev.id())
	case a.code != codeOK:
		return refuse(codeInvokeFailed, "device %s answered with code %d", p.dev.id(), a.code)
	}
	out.Result = string(a.data)
	return nil
}
