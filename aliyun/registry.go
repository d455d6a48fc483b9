package aliyun

import (
	"context"
	"iter"
	"strconv"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

const (
	productPage     = 200 // rows of QueryProductList
	distributedPage = 200 // of ListDistributedDevice
)

// A product is QueryProduct's Data, and a row of QueryProductList as far as that goes.
type product struct {
	ProductKey, ProductName, AuthType, ProtocolType string
	NodeType, DataFormat, NetType, DeviceCount      int
	Id2                                             bool
}

// Products reads each product of the list by itself as well: the list does not tell the network and the gateway protocol.
func (in *instance) Products(ctx context.Context) iter.Seq2[iot.Product, error] {
	const api = "QueryProductList"
	keys := pages(api, productPage, func(page string) ([]product, int, error) {
		var out struct {
			Data struct {
				Total int
				List  struct{ ProductInfo []product }
			}
		}
		err := in.read(ctx, api, rpc.Params{"CurrentPage": page, "PageSize": strconv.Itoa(productPage)}, &out)
		return out.Data.List.ProductInfo, out.Data.Total, err
	})
	return eachOf(keys, func(row product) (iot.Product, error) { return in.Product(ctx, row.ProductKey) })
}

func (in *instance) Product(ctx context.Context, productKey string) (iot.Product, error) {
	const api = "QueryProduct"
	if err := named(api, productKey); err != nil {
		return iot.Product{}, err
	}
	var out struct{ Data product }
	if err := in.read(ctx, api, rpc.Params{"ProductKey": productKey}, &out); err != nil {
		return iot.Product{}, err
	}
	out.Data.ProductKey = productKey
	return out.Data.product(), nil
}

func (p product) product() iot.Product {
	out := iot.Product{
		Key: p.ProductKey, Name: p.ProductName, NodeType: iot.Direct, Auth: iot.AuthSecret,
		DataFormat: iot.Custom, Network: iot.OtherNet, Devices: p.DeviceCount,
	}
	switch {
	case p.NodeType == 1:
		out.NodeType = iot.Gateway
	case p.ProtocolType != "": // the protocol between a gateway and its sub-devices
		out.NodeType = iot.SubDevice
	}
	if p.DataFormat == 1 {
		out.DataFormat = iot.Alink
	}
	switch {
	case p.Id2, p.AuthType == "id2":
		out.Auth = iot.AuthID2
	case p.AuthType == "x509":
		out.Auth = iot.AuthX509
	}
	switch p.NetType {
	case 3:
		out.Network = iot.WiFi
	case 6:
		out.Network = iot.Cellular
	case 7:
		out.Network = iot.Ethernet
	}
	return out
}

func (in *instance) Distributed(ctx context.Context, productKey string) iter.Seq2[iot.DeviceID, error] {
	const api = "ListDistributedDevice"
	return pages(api, distributedPage, func(page string) ([]iot.DeviceID, int, error) {
		if in.placed == "" {
			return nil, 0, refuse(api, "the public instance's ID in device distribution is not known for this region: set Config.PublicInstance")
		}
		if err := named(api, productKey); err != nil {
			return nil, 0, err
		}
		var out struct {
			Data struct {
				Total int
				Info  struct {
					Items []deviceRow `json:"items"`
				}
			}
		}
		// The API takes no IotInstanceId.
		err := in.client.distributor.Do(ctx, rpc.Call{API: api, Query: rpc.Params{
			"ProductKey": productKey, "TargetInstanceId": in.placed,
			"CurrentPage": page, "PageSize": strconv.Itoa(distributedPage),
		}}, &out)
		return ids(out.Data.Info.Items), out.Data.Total, err
	})
}

// A deviceRow is a device in a list.
type deviceRow struct{ ProductKey, DeviceName string }

func ids(rows []deviceRow) []iot.DeviceID {
	out := make([]iot.DeviceID, 0, len(rows))
	for _, row := range rows {
		out = append(out, iot.DeviceID(row))
	}
	return out
}

func (in *instance) Register(ctx context.Context, id iot.DeviceID) (iot.Credential, error) {
	if err := id.Check(); err != nil { // an empty name would make the platform think of one
		return iot.Credential{}, err
	}
	var out struct{ Data struct{ DeviceSecret string } }
	if err := in.write(ctx, rpc.Call{API: "RegisterDevice", Query: device(id)}, &out); err != nil {
		return iot.Credential{}, err
	}
	return iot.Credential{ID: id, Secret: iot.NewSecret(out.Data.DeviceSecret)}, nil
}
