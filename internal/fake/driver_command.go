package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

func (d *driver) Move(ctx context.Context, productKey string, names []string) ([]iot.MoveResult, error) {
	const api = "BatchGrayMigrationDevice"
	if err := tooMany(api, len(names), iot.MaxMove); err != nil {
		return nil, err
	}
	out, err := write(ctx, d, api, func() (BatchGrayMigrationDeviceResponse, error) {
		return d.cloud.BatchGrayMigrationDevice(ctx, BatchGrayMigrationDeviceRequest{productKey, slices.Clone(names)})
	})
	var results []iot.MoveResult
	for _, item := range out.Details {
		results = append(results, iot.MoveResult{
			DeviceName: item.DeviceName, Code: item.Code, Message: item.Message,
			Accepted: item.Status == statusSucceeded || item.Status == "SUCCEEDED",
		})
	}
	return results, err
}

// Publish sends with QoS 1: the platform keeps the message for a device that is offline.
func (d *driver) Publish(ctx context.Context, topic string, payload []byte) (string, error) {
	id, ok := userTopic(topic)
	if !ok {
		return "", &iot.Error{
			Kind: iot.Invalid, Op: "Pub", Message: fmt.Sprintf("topic %q is not /productKey/deviceName/user/...", topic),
		}
	}
	out, err := write(ctx, d, "Pub", func() (PubResponse, error) {
		return d.cloud.Pub(ctx, PubRequest{d.id, id.ProductKey, topic, slices.Clone(payload), 1})
	})
	return out.MessageId, err
}

func (d *driver) Call(ctx context.Context, id iot.DeviceID, payload []byte, timeout time.Duration) ([]byte, error) {
	const api = "RRpc"
	if timeout < time.Second || timeout > 8*time.Second {
		return nil, &iot.Error{Kind: iot.Invalid, Op: api, Message: fmt.Sprintf("timeout %v: 1s to 8s are allowed", timeout)}
	}
	out, err := write(ctx, d, api, func() (RRpcResponse, error) {
		return d.cloud.RRpc(ctx, RRpcRequest{
			IotInstanceId: d.id, ProductKey: id.ProductKey, DeviceName: id.DeviceName,
			RequestByte: slices.Clone(payload), Timeout: int(timeout.Milliseconds()),
		})
	})
	if err != nil {
		return nil, err
	}
	return out.PayloadByte, rrpcError(out.RrpcCode)
}

// rrpcError reads what became of a call. A device that is half connected was not reached: its
// connection is gone, only not yet noticed.
func rrpcError(code string) error {
	switch code {
	case "SUCCESS":
		return nil
	case "OFFLINE", "HALFCONN":
		return &iot.Error{Kind: iot.NotConnected, Op: "RRpc", Code: code, Message: "the device is not connected"}
	}
	return &iot.Error{Kind: iot.UnknownOutcome, Op: "RRpc", Code: code, Message: "the device did not answer"}
}

func (d *driver) Invoke(ctx context.Context, id iot.DeviceID, service string, args json.RawMessage) (iot.ServiceReply, error) {
	out, err := write(ctx, d, "InvokeThingService", func() (InvokeThingServiceResponse, error) {
		return d.cloud.InvokeThingService(ctx, InvokeThingServiceRequest{
			d.id, id.ProductKey, id.DeviceName, service, string(args),
		})
	})
	reply := iot.ServiceReply{MessageID: out.MessageId}
	if out.Result != "" {
		reply.Result = json.RawMessage(out.Result)
	}
	return reply, err
}

func (d *driver) SetProperties(ctx context.Context, id iot.DeviceID, items json.RawMessage) (string, error) {
	out, err := write(ctx, d, "SetDeviceProperty", func() (SetDevicePropertyResponse, error) {
		return d.cloud.SetDeviceProperty(ctx, SetDevicePropertyRequest{d.id, id.ProductKey, id.DeviceName, string(items)})
	})
	return out.MessageId, err
}

func (d *driver) Register(ctx context.Context, id iot.DeviceID) (iot.Credential, error) {
	out, err := write(ctx, d, "RegisterDevice", func() (RegisterDeviceResponse, error) {
		return d.cloud.RegisterDevice(ctx, DeviceRequest{d.id, id.ProductKey, id.DeviceName})
	})
	if err != nil {
		return iot.Credential{}, err
	}
	return iot.Credential{ID: id, Secret: iot.NewSecret(out.DeviceSecret)}, nil
}
