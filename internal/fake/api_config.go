package fake

import (
	"context"
	"maps"

	"github.com/iotferry/iotferry/iot"
)

// QueryDevicePropResponse holds a device's labels.
type QueryDevicePropResponse struct{ Props map[string]string }

// QueryDeviceProp reads the labels of a device. They do not move with it, and are there again when it
// returns.
func (c *Cloud) QueryDeviceProp(ctx context.Context, r DeviceRequest) (QueryDevicePropResponse, error) {
	op := deviceOp("QueryDeviceProp", r.IotInstanceId, r.id())
	return call(ctx, c, op, func(Fault) (QueryDevicePropResponse, error) {
		out := QueryDevicePropResponse{Props: map[string]string{}}
		v, d, err := c.find(r.IotInstanceId, r.id())
		if err == nil {
			maps.Copy(out.Props, d.labels[v.in])
		}
		return out, err
	})
}

// SaveDevicePropRequest adds labels to a device.
type SaveDevicePropRequest struct {
	DeviceRequest
	Props map[string]string
}

// SaveDeviceProp adds labels to a device; those that it has get the new value. More than 100 in all are refused.
func (c *Cloud) SaveDeviceProp(ctx context.Context, r SaveDevicePropRequest) error {
	op := deviceOp("SaveDeviceProp", r.IotInstanceId, r.id())
	_, err := call(ctx, c, op, func(Fault) (struct{}, error) {
		v, d, err := c.find(r.IotInstanceId, r.id())
		if err != nil {
			return struct{}{}, err
		}
		all := maps.Clone(d.labels[v.in])
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, r.Props)
		if len(r.Props) == 0 || len(all) > iot.MaxLabels {
			return struct{}{}, refuse(codeBadLabels, "%d labels, and %d with those that are there: 1 to %d are allowed", len(r.Props), len(all), iot.MaxLabels)
		}
		if d.labels == nil {
			d.labels = map[*instance]map[string]string{}
		}
		d.labels[v.in] = all
		return struct{}{}, nil
	})
	return err
}

// GetDeviceShadowResponse is a shadow, as JSON; empty for none.
type GetDeviceShadowResponse struct{ ShadowMessage string }

// GetDeviceShadow reads the shadow of a device. It goes with the device.
func (c *Cloud) GetDeviceShadow(ctx context.Context, r DeviceRequest) (GetDeviceShadowResponse, error) {
	return call(ctx, c, deviceOp("GetDeviceShadow", r.IotInstanceId, r.id()), func(Fault) (GetDeviceShadowResponse, error) {
		_, d, err := c.find(r.IotInstanceId, r.id())
		if err != nil {
			return GetDeviceShadowResponse{}, err
		}
		return GetDeviceShadowResponse{string(d.shadow)}, nil
	})
}

// GetThingScriptRequest asks for the data-parsing script of a product.
type GetThingScriptRequest struct{ IotInstanceId, ProductKey string }

// GetThingScriptResponse tells where the script is. There is nothing behind the address.
type GetThingScriptResponse struct{ ScriptType, ScriptUrl string }

// GetThingScript tells of a product's script.
func (c *Cloud) GetThingScript(ctx context.Context, r GetThingScriptRequest) (GetThingScriptResponse, error) {
	op := Op{Name: "GetThingScript", Instance: r.IotInstanceId, ProductKey: r.ProductKey}
	return call(ctx, c, op, func(Fault) (GetThingScriptResponse, error) {
		v, err := c.view(r.IotInstanceId, r.ProductKey)
		if err != nil {
			return GetThingScriptResponse{}, err
		}
		if v.script == "" {
			return GetThingScriptResponse{}, refuse(codeNoScript, "product %s has no script", r.ProductKey)
		}
		return GetThingScriptResponse{v.script, "https://scripts.invalid/" + r.ProductKey}, nil
	})
}
