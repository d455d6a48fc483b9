package fake

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// InvokeThingServiceRequest calls a service of a device's thing model.
type InvokeThingServiceRequest struct {
	IotInstanceId, ProductKey, DeviceName string
	Identifier                            string
	Args                                  string // a JSON object
}

// InvokeThingServiceResponse is the answer. Result is empty for an asynchronous service, whose answer is a
// message with the same ID.
type InvokeThingServiceResponse struct {
	MessageId string
	Result    string // JSON
}

const invokeAPI = "InvokeThingService"

// serviceTimeout is how long the platform waits for a synchronous service.
const serviceTimeout = 8 * time.Second

// InvokeThingService calls a service. The thing model says whether it is synchronous. It waits on the Cloud's
// clock, and for a client for as long in real time.
func (c *Cloud) InvokeThingService(
	ctx context.Context, r InvokeThingServiceRequest,
) (InvokeThingServiceResponse, error) {
	id := iot.DeviceID{ProductKey: r.ProductKey, DeviceName: r.DeviceName}
	op := deviceOp(invokeAPI, r.IotInstanceId, id)
	var wait time.Duration
	var client *pending
	out, err := callThen(ctx, c, op, func(f Fault) (InvokeThingServiceResponse, error) {
		_, d, err := c.reach(r.IotInstanceId, id, true)
		if err != nil {
			return InvokeThingServiceResponse{}, err
		}
		s, err := d.product.callable(r.Identifier, r.Args)
		var answer InvokeThingServiceResponse
		switch {
		case err != nil:
		case d.attended() && (s.CallType == "sync" || !f.lies(d.name)):
			answer, client, err = c.invokeClient(d, s, r.Args)
		case s.CallType == "sync":
			answer, wait, err = c.invokeSync(d, s, r.Args)
		default:
			answer = c.invokeAsync(d, s, r.Args, f)
		}
		return answer, err
	}, func(out *InvokeThingServiceResponse) error { return c.awaitService(ctx, client, out) })
	if wait > 0 {
		if e := c.clock.WaitUntil(ctx, c.clock.Now().Add(wait)); e != nil {
			return InvokeThingServiceResponse{}, &LostError{op.Name, e}
		}
	}
	return out, err
}

func (p *product) callable(identifier, args string) (*tslService, error) {
	if p.tsl == nil {
		return nil, refuse(codeNotTSL, "product %s has no thing model", p.key)
	}
	s := p.model.service(identifier)
	if s == nil {
		return nil, refuse(codeInvokeFailed, "the thing model has no service %q", identifier)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(args), &object) != nil || object == nil {
		return nil, refuse(codeInvokeFailed, "the arguments are not a JSON object")
	}
	return s, nil
}

func (c *Cloud) invokeSync(d *device, s *tslService, args string) (InvokeThingServiceResponse, time.Duration, error) {
	var none InvokeThingServiceResponse
	switch {
	case !d.connected():
		return none, 0, refuse(codeOffline, "device %s is offline", d.id())
	case !d.alive():
		return none, 0, refuse(codeHalfConn, "device %s is half connected", d.id())
	}
	c.took(invokeAPI, d, []byte(args))
	c.gave(invokeAPI, d, []byte(args))
	if c.quirks.AnswerDelay > serviceTimeout {
		return none, serviceTimeout, refuse(codeTimeout, "device %s did not answer", d.id())
	}
	id := c.newID()
	result := marshal(d.output(s, id))
	c.called(d, s, messageID(id), args, string(result))
	return InvokeThingServiceResponse{messageID(id), string(result)}, c.quirks.AnswerDelay, nil
}

// output makes what a service answers, as the thing model says.
func (d *device) output(s *tslService, id uint64) map[string]any {
	return values(s.Output, rand.New(rand.NewPCG(d.seed, id)))
}

// invokeAsync sends a service to a device, which answers later. If the device is offline, the
// platform itself answers, with code 9201.
func (c *Cloud) invokeAsync(d *device, s *tslService, args string, f Fault) InvokeThingServiceResponse {
	id := c.newID()
	out := InvokeThingServiceResponse{MessageId: messageID(id)}
	topic := d.topic(replyTopic)
	if f.lies(d.name) {
		return out
	}
	c.took(invokeAPI, d, []byte(args))
	switch {
	case !d.connected():
		body := replyBody(d, c.at, out.MessageId, 9201, "device offline", struct{}{})
		c.forward(d, record{id: id, text: &text{topic, body}})
	default:
		c.gave(invokeAPI, d, []byte(args))
		c.called(d, s, out.MessageId, args, "")
		at := c.at + int64(c.quirks.ReplyDelay)
		body := replyBody(d, at, out.MessageId, 200, "success", d.output(s, id))
		c.after(c.quirks.ReplyDelay, event{kind: publishEvent, dev: d, rec: &record{id: id, text: &text{topic, body}}})
	}
	return out
}

// SetDevicePropertyRequest sets properties of a device.
type SetDevicePropertyRequest struct {
	IotInstanceId, ProductKey, DeviceName string
	Items                                 string // a JSON object: identifier to value
}

// SetDevicePropertyResponse tells that the command was sent.
type SetDevicePropertyResponse struct{ MessageId string }

// SetDeviceProperty sets properties. A simulated device that is online then posts them.
func (c *Cloud) SetDeviceProperty(
	ctx context.Context, r SetDevicePropertyRequest,
) (SetDevicePropertyResponse, error) {
	id := iot.DeviceID{ProductKey: r.ProductKey, DeviceName: r.DeviceName}
	op := deviceOp("SetDeviceProperty", r.IotInstanceId, id)
	return call(ctx, c, op, func(f Fault) (SetDevicePropertyResponse, error) {
		_, d, err := c.reach(r.IotInstanceId, id, false)
		if err != nil {
			return SetDevicePropertyResponse{}, err
		}
		items, err := d.product.settable(r.Items)
		if err != nil {
			return SetDevicePropertyResponse{}, err
		}
		message := c.newID()
		switch {
		case f.lies(d.name):
		case d.simulated():
			c.took(op.Name, d, []byte(r.Items))
			c.gave(op.Name, d, []byte(r.Items))
			body := propertyPost(d, c.at+int64(c.quirks.ReplyDelay), items)
			c.after(c.quirks.ReplyDelay, event{
				kind: publishEvent, dev: d, rec: &record{text: &text{d.topic(propertyTopic), string(body)}},
			})
		case d.attended():
			if err = c.request(d, messageID(message), "thing.service.property.set", json.RawMessage(r.Items)); err == nil {
				c.took(op.Name, d, []byte(r.Items))
			}
		default: // nobody gets it
			c.took(op.Name, d, []byte(r.Items))
		}
		return SetDevicePropertyResponse{messageID(message)}, err
	})
}

func (p *product) settable(text string) (map[string]any, error) {
	if p.tsl == nil {
		return nil, refuse(codeNotTSL, "product %s has no thing model", p.key)
	}
	var items map[string]any
	if json.Unmarshal([]byte(text), &items) != nil || len(items) == 0 {
		return nil, refuse(codeSetFailed, "the items are not a JSON object with members")
	}
	for identifier := range items {
		if !p.model.property(identifier) {
			return nil, refuse(codeSetFailed, "the thing model has no such property")
		}
	}
	return items, nil
}
