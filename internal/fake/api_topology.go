package fake

import (
	"context"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// GetThingTopoRequest asks for a page of a gateway's sub-devices. PageSize is 1 to 50; PageNo is from 1.
type GetThingTopoRequest struct {
	IotInstanceId, ProductKey, DeviceName string
	PageNo, PageSize                      int
}

// GetThingTopoResponse is a page of sub-devices, in the order in which they were added.
type GetThingTopoResponse struct {
	Total, PageCount, CurrentPage, PageSize int
	DeviceInfo                              []TopoDevice // Data.List.deviceInfo
}

// TopoDevice is one sub-device.
type TopoDevice struct{ ProductKey, DeviceName, IotId string }

// GetThingTopo reads the topology below a gateway; a device that is none has no sub-devices.
func (c *Cloud) GetThingTopo(ctx context.Context, r GetThingTopoRequest) (GetThingTopoResponse, error) {
	id := iot.DeviceID{ProductKey: r.ProductKey, DeviceName: r.DeviceName}
	return call(ctx, c, deviceOp("GetThingTopo", r.IotInstanceId, id), func(Fault) (GetThingTopoResponse, error) {
		v, d, err := c.find(r.IotInstanceId, id)
		if err != nil {
			return GetThingTopoResponse{}, err
		}
		page, size, err := pageOf(r.PageNo, r.PageSize, 10, 50)
		if err != nil {
			return GetThingTopoResponse{}, refuse(codeTopology, "%v", err)
		}
		subs := c.subsOn(d, v.in)
		out := GetThingTopoResponse{
			Total: len(subs), PageCount: pages(len(subs), size), CurrentPage: page, PageSize: size,
		}
		for _, sub := range cut(subs, page, size) {
			out.DeviceInfo = append(out.DeviceInfo, TopoDevice{sub.product.key, sub.name, sub.iotID()})
		}
		return out, nil
	})
}

func (c *Cloud) subsOn(gateway *device, in *instance) []*device {
	if c.quirks.SplitTopology {
		return gateway.subs
	}
	return slices.DeleteFunc(slices.Clone(gateway.subs), func(d *device) bool { return !d.shownOn(in) })
}

// GetGatewayBySubDeviceResponse names the gateway of a sub-device; all is empty if it has none.
type GetGatewayBySubDeviceResponse struct {
	ProductKey, DeviceName, IotId string
	Status                        string // lower case: online, offline, unactive or disable
}

// GetGatewayBySubDevice reads the gateway of a sub-device. What the platform answers for a device
// without a gateway is not documented; here the answer is empty.
func (c *Cloud) GetGatewayBySubDevice(ctx context.Context, r DeviceRequest) (GetGatewayBySubDeviceResponse, error) {
	op := deviceOp("GetGatewayBySubDevice", r.IotInstanceId, r.id())
	return call(ctx, c, op, func(Fault) (GetGatewayBySubDeviceResponse, error) {
		v, d, err := c.find(r.IotInstanceId, r.id())
		if err != nil || d.gateway == nil || !d.gateway.shownOn(v.in) && !c.quirks.SplitTopology {
			return GetGatewayBySubDeviceResponse{}, err
		}
		g := d.gateway
		return GetGatewayBySubDeviceResponse{g.product.key, g.name, g.iotID(), lowerStatus(g.statusOn(v.in))}, nil
	})
}

func lowerStatus(s iot.Status) string {
	if s == iot.Disabled {
		return "disable"
	}
	return string(s)
}
