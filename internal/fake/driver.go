package fake

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// Platform returns the account as a campaign works on it: the legacy public instance as the source and
// the instance targetID as the target. Every API call is asked of p first; nil means no
// pacing. Its error is [iot.NotFound] for an instance that does not exist or is not an Enterprise one.
func (c *Cloud) Platform(targetID string, p iot.Pacer) (iot.Platform, error) {
	target, err := c.instance(targetID)
	if err != nil || target.kind != iot.EnterpriseStandard {
		return iot.Platform{}, &iot.Error{
			Kind: iot.NotFound, Op: "Platform", Code: codeNoInstance,
			Message: "there is no standard-type Enterprise instance " + targetID,
		}
	}
	if p == nil {
		p = unpaced{}
	}
	source := &driver{c, "", p}
	return iot.Platform{
		Account: c.account.UID,
		Source:  source.instance(c.instances[0]),
		Target:  (&driver{c, targetID, p}).instance(target),
		Mover:   source,
	}, nil
}

// A driver reaches one instance through its APIs, with their pages and batches.
type driver struct {
	cloud *Cloud
	id    string
	pacer iot.Pacer
}

func (d *driver) instance(in *instance) iot.Instance {
	return iot.Instance{
		View: iot.View{
			Info:     iot.InstanceInfo{ID: in.id, Type: in.kind, Region: d.cloud.account.Region},
			Registry: d, StateReader: d, TopologyReader: d, ForwardingReader: d, ModelReader: d,
			ModelVersionReader: d, HistoryReader: d,
			Config: iot.ConfigReaders{Rules: d, Parsers: d, Scripts: d, Labels: d, DeviceGroups: d, Shadows: d, Jobs: d},
		},
		Commander: d, Registrar: d, Subscriber: d,
		Configure: iot.ConfigWriters{Labels: d, DeviceGroups: d},
	}
}

type unpaced struct{}

func (unpaced) Wait(context.Context, string) error { return nil }
func (unpaced) Throttled(string)                   {}

// Products yields the instance's products. Their list does not tell the network and the gateway
// protocol, so that each is read by itself.
func (d *driver) Products(ctx context.Context) iter.Seq2[iot.Product, error] {
	return paged(func(page int) ([]iot.Product, bool, error) {
		out, err := read(ctx, d, "QueryProductList", func() (QueryProductListResponse, error) {
			return d.cloud.QueryProductList(ctx, QueryProductListRequest{IotInstanceId: d.id, CurrentPage: page, PageSize: 200})
		})
		if err != nil {
			return nil, false, err
		}
		list := make([]iot.Product, 0, len(out.ProductInfo))
		for _, row := range out.ProductInfo {
			p, err := d.Product(ctx, row.ProductKey)
			if errors.Is(err, iot.NotFound) { // deleted meanwhile
				continue
			}
			if err != nil {
				return nil, false, err
			}
			list = append(list, p)
		}
		return list, page < out.PageCount, nil
	})
}

func (d *driver) Product(ctx context.Context, productKey string) (iot.Product, error) {
	out, err := read(ctx, d, "QueryProduct", func() (ProductInfo, error) {
		return d.cloud.QueryProduct(ctx, QueryProductRequest{d.id, productKey})
	})
	if err != nil {
		return iot.Product{}, err
	}
	return productOf(out), nil
}

func productOf(info ProductInfo) iot.Product {
	p := iot.Product{
		Key: info.ProductKey, Name: info.ProductName, NodeType: iot.Direct, Auth: iot.AuthSecret,
		DataFormat: iot.Custom, Network: iot.OtherNet, Devices: info.DeviceCount,
	}
	switch {
	case info.NodeType == 1:
		p.NodeType = iot.Gateway
	case info.ProtocolType != "":
		p.NodeType = iot.SubDevice
	}
	if info.DataFormat == 1 {
		p.DataFormat = iot.Alink
	}
	if info.AuthType == string(iot.AuthID2) || info.AuthType == string(iot.AuthX509) {
		p.Auth = iot.Auth(info.AuthType)
	}
	switch info.NetType {
	case 3:
		p.Network = iot.WiFi
	case 6:
		p.Network = iot.Cellular
	case 7:
		p.Network = iot.Ethernet
	}
	return p
}

// deepShare is how much of QueryDevice's quota a page costs from the hundred thousandth row on: 50 calls
// are allowed per second before, 2 after.
const deepShare = 25

// Devices yields a product's devices. It goes on by NextToken, so that devices which leave the
// instance meanwhile do not shift the pages.
func (d *driver) Devices(ctx context.Context, productKey string) iter.Seq2[iot.Device, error] {
	return func(yield func(iot.Device, error) bool) {
		token := ""
		list := paged(func(page int) ([]iot.Device, bool, error) {
			if err := d.payDeep(ctx, page*maxDevicePage); err != nil {
				return nil, false, err
			}
			out, err := read(ctx, d, "QueryDevice", func() (QueryDeviceResponse, error) {
				return d.cloud.QueryDevice(ctx, QueryDeviceRequest{
					IotInstanceId: d.id, ProductKey: productKey, CurrentPage: page, PageSize: maxDevicePage, NextToken: token,
				})
			})
			token = out.NextToken
			return devicesOf(out.DeviceInfo), token != "", err
		})
		list(yield)
	}
}

// payDeep asks for the rest of what a page costs that is deep in the list.
func (d *driver) payDeep(ctx context.Context, rows int) error {
	if rows < deepRows {
		return nil
	}
	for range deepShare - 1 {
		if err := d.pacer.Wait(ctx, "QueryDevice"); err != nil {
			return waitError("QueryDevice", err)
		}
	}
	return nil
}

func devicesOf(rows []DeviceInfo) []iot.Device {
	list := make([]iot.Device, 0, len(rows))
	for _, row := range rows {
		list = append(list, iot.Device{
			ID:     iot.DeviceID{ProductKey: row.ProductKey, DeviceName: row.DeviceName},
			Status: statusFrom(row.DeviceStatus),
		})
	}
	return list
}

func statusFrom(word string) iot.Status {
	switch word {
	case "ONLINE":
		return iot.Online
	case "UNACTIVE":
		return iot.Unactive
	case "DISABLE":
		return iot.Disabled
	}
	return iot.Offline
}

// Distributed yields what device distribution placed here. The API takes no instance, and knows the
// public one by an ID of its own.
func (d *driver) Distributed(ctx context.Context, productKey string) iter.Seq2[iot.DeviceID, error] {
	const size = 200
	in, err := d.cloud.instance(d.id)
	if err != nil {
		return paged(func(int) ([]iot.DeviceID, bool, error) {
			return nil, false, classify("ListDistributedDevice", false, err)
		})
	}
	placed := d.cloud.placedID(in)
	return paged(func(page int) ([]iot.DeviceID, bool, error) {
		out, err := read(ctx, d, "ListDistributedDevice", func() (ListDistributedDeviceResponse, error) {
			return d.cloud.ListDistributedDevice(ctx, ListDistributedDeviceRequest{
				CurrentPage: page, PageSize: size, ProductKey: productKey, TargetInstanceId: placed,
			})
		})
		var list []iot.DeviceID
		for _, row := range out.Items {
			list = append(list, iot.DeviceID{ProductKey: row.ProductKey, DeviceName: row.DeviceName})
		}
		return list, page*size < out.Total, err
	})
}

func (d *driver) States(ctx context.Context, productKey string, names []string) ([]iot.DeviceState, error) {
	const api = "BatchGetDeviceState"
	if len(names) == 0 {
		return nil, nil
	}
	if err := tooMany(api, len(names), iot.MaxStates); err != nil {
		return nil, err
	}
	out, err := read(ctx, d, api, func() (BatchGetDeviceStateResponse, error) {
		return d.cloud.BatchGetDeviceState(ctx, BatchGetDeviceStateRequest{d.id, productKey, slices.Clone(names)})
	})
	if absentProduct(err) {
		return nil, nil
	}
	var list []iot.DeviceState
	for _, row := range out.DeviceStatus {
		list = append(list, iot.DeviceState{
			ID:     iot.DeviceID{ProductKey: row.ProductKey, DeviceName: row.DeviceName},
			Status: statusFrom(row.Status), LastOnline: row.LastOnlineTime,
		})
	}
	return list, err
}

func (d *driver) Children(ctx context.Context, gateway iot.DeviceID) iter.Seq2[iot.DeviceID, error] {
	return paged(func(page int) ([]iot.DeviceID, bool, error) {
		out, err := read(ctx, d, "GetThingTopo", func() (GetThingTopoResponse, error) {
			return d.cloud.GetThingTopo(ctx, GetThingTopoRequest{
				IotInstanceId: d.id, ProductKey: gateway.ProductKey, DeviceName: gateway.DeviceName, PageNo: page, PageSize: 50,
			})
		})
		var list []iot.DeviceID
		for _, row := range out.DeviceInfo {
			list = append(list, iot.DeviceID{ProductKey: row.ProductKey, DeviceName: row.DeviceName})
		}
		return list, page < out.PageCount, err
	})
}

func (d *driver) GatewayOf(ctx context.Context, sub iot.DeviceID) (iot.DeviceID, error) {
	const api = "GetGatewayBySubDevice"
	out, err := read(ctx, d, api, func() (GetGatewayBySubDeviceResponse, error) {
		return d.cloud.GetGatewayBySubDevice(ctx, DeviceRequest{d.id, sub.ProductKey, sub.DeviceName})
	})
	if err == nil && out.DeviceName == "" {
		err = &iot.Error{Kind: iot.NotFound, Op: api, Message: "device " + sub.String() + " has no gateway here"}
	}
	return iot.DeviceID{ProductKey: out.ProductKey, DeviceName: out.DeviceName}, err
}

func (d *driver) ThingModel(ctx context.Context, productKey string) (json.RawMessage, error) {
	const api = "QueryThingModelPublished"
	out, err := read(ctx, d, api, func() (QueryThingModelPublishedResponse, error) {
		return d.cloud.QueryThingModelPublished(ctx, QueryThingModelPublishedRequest{IotInstanceId: d.id, ProductKey: productKey})
	})
	return out.ThingModelJson, err
}
