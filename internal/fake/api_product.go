package fake

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// QueryProductListRequest asks for a page of products. PageSize is 1 to 200, 10 by default.
type QueryProductListRequest struct {
	IotInstanceId         string
	CurrentPage, PageSize int
	AliyunCommodityCode   string // iothub_senior: with a thing model; iothub: without; empty: all
}

// QueryProductListResponse is a page of products, newest first.
type QueryProductListResponse struct {
	Total, PageCount, CurrentPage, PageSize int
	ProductInfo                             []ProductInfo // Data.List.ProductInfo
}

// ProductInfo is what the registry shows of a product. How its devices authenticate apart from ID² and
// X.509, narrow networks and the features that block a migration are not shown.
type ProductInfo struct {
	ProductKey    string
	ProductName   string
	NodeType      int    // 0 device, 1 gateway
	DataFormat    int    // 0 custom, 1 Alink
	AuthType      string // secret, id2 or x509
	DeviceCount   int
	GmtCreate     time.Time
	Id2           bool   // QueryProduct only, like all that follows
	NetType       int    // 3 Wi-Fi, 6 cellular, 7 Ethernet, 8 other
	ProtocolType  string // of a sub-device to its gateway; empty for others
	Owner         bool
	ProductStatus string
	ProductSecret string
	ValidateType  int
}

// QueryProductList lists the products of an instance.
func (c *Cloud) QueryProductList(ctx context.Context, r QueryProductListRequest) (QueryProductListResponse, error) {
	op := Op{Name: "QueryProductList", Instance: r.IotInstanceId, deep: r.CurrentPage*r.PageSize >= deepRows}
	return call(ctx, c, op, func(Fault) (QueryProductListResponse, error) {
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return QueryProductListResponse{}, err
		}
		page, size, err := pageOf(r.CurrentPage, r.PageSize, 10, 200)
		if err != nil {
			return QueryProductListResponse{}, err
		}
		list := in.ofCommodity(r.AliyunCommodityCode)
		out := QueryProductListResponse{
			Total: len(list), PageCount: pages(len(list), size), CurrentPage: page, PageSize: size,
		}
		for _, v := range cut(list, page, size) {
			out.ProductInfo = append(out.ProductInfo, v.row())
		}
		return out, nil
	})
}

func (in *instance) ofCommodity(code string) []*view {
	var list []*view
	for _, v := range slices.Backward(in.list) {
		if code == "" || (code == "iothub_senior") == (v.product.tsl != nil) {
			list = append(list, v)
		}
	}
	return list
}

// QueryProductRequest asks for one product.
type QueryProductRequest struct{ IotInstanceId, ProductKey string }

// QueryProduct reads one product.
func (c *Cloud) QueryProduct(ctx context.Context, r QueryProductRequest) (ProductInfo, error) {
	op := Op{Name: "QueryProduct", Instance: r.IotInstanceId, ProductKey: r.ProductKey}
	return call(ctx, c, op, func(Fault) (ProductInfo, error) {
		v, err := c.view(r.IotInstanceId, r.ProductKey)
		if err != nil {
			return ProductInfo{}, err
		}
		return v.detail(), nil
	})
}

// row is what the list of products shows.
func (v *view) row() ProductInfo {
	p := v.product
	info := ProductInfo{
		ProductKey: p.key, ProductName: p.name, AuthType: "secret", DeviceCount: v.index.size, GmtCreate: millis(p.created),
	}
	if p.node == iot.Gateway {
		info.NodeType = 1
	}
	if p.format == iot.Alink {
		info.DataFormat = 1
	}
	if p.auth == iot.AuthID2 || p.auth == iot.AuthX509 {
		info.AuthType = string(p.auth)
	}
	return info
}

func (v *view) detail() ProductInfo {
	info := v.row()
	info.Id2 = v.product.auth == iot.AuthID2
	info.NetType = netType(v.product.network)
	if v.product.node == iot.SubDevice {
		info.ProtocolType = "customize"
	}
	info.Owner, info.ProductStatus = true, "RELEASE_STATUS"
	info.ProductSecret = v.product.secret.Reveal()
	return info
}

// netType is what the registry knows of a network: NB-IoT is cellular, LoRaWAN is other.
func netType(n iot.Network) int {
	switch n {
	case iot.WiFi:
		return 3
	case iot.Cellular, iot.NBIoT:
		return 6
	case iot.Ethernet:
		return 7
	}
	return 8
}

// QueryThingModelPublishedRequest asks for the published thing model of a product.
type QueryThingModelPublishedRequest struct {
	IotInstanceId, ProductKey string
	ModelVersion              string // empty for the newest
}

// QueryThingModelPublishedResponse holds the model. Unlike on the platform it is in the form of
// GetThingModelTslPublished, as in fleet files.
type QueryThingModelPublishedResponse struct{ ThingModelJson json.RawMessage }

// QueryThingModelPublished reads the thing model. A product without one is refused with
// iot.prod.NotSeniorProduct, and a version that it does not have with a code of the fake's own.
func (c *Cloud) QueryThingModelPublished(
	ctx context.Context, r QueryThingModelPublishedRequest,
) (QueryThingModelPublishedResponse, error) {
	op := Op{Name: "QueryThingModelPublished", Instance: r.IotInstanceId, ProductKey: r.ProductKey}
	return call(ctx, c, op, func(Fault) (QueryThingModelPublishedResponse, error) {
		var out QueryThingModelPublishedResponse
		v, err := c.view(r.IotInstanceId, r.ProductKey)
		if err != nil {
			return out, err
		}
		if v.product.tsl == nil {
			return out, refuse(codeNotTSL, "product %s has no thing model", r.ProductKey)
		}
		if r.ModelVersion != "" && r.ModelVersion != modelVersion {
			return out, refuse(codeNoVersion, "the thing model of product %s has no version %q", r.ProductKey, r.ModelVersion)
		}
		out.ThingModelJson = slices.Clone(v.tsl())
		return out, nil
	})
}

// modelVersion is the only version of a thing model: that of the fleet.
const modelVersion = "v1.0.0"

// ListThingModelVersionRequest asks for the published versions of a product's thing model.
type ListThingModelVersionRequest struct{ IotInstanceId, ProductKey string }

// A ModelVersion is a published version of a thing model.
type ModelVersion struct {
	ModelVersion string
	Description  string
	GmtCreate    time.Time
}

// ListThingModelVersionResponse holds the versions.
type ListThingModelVersionResponse struct{ ModelVersions []ModelVersion }

// ListThingModelVersion lists the published versions: one, as fleet files have no more. A product without a thing
// model is refused with iot.prod.NotSeniorProduct.
func (c *Cloud) ListThingModelVersion(
	ctx context.Context, r ListThingModelVersionRequest,
) (ListThingModelVersionResponse, error) {
	op := Op{Name: "ListThingModelVersion", Instance: r.IotInstanceId, ProductKey: r.ProductKey}
	return call(ctx, c, op, func(Fault) (ListThingModelVersionResponse, error) {
		v, err := c.view(r.IotInstanceId, r.ProductKey)
		if err != nil {
			return ListThingModelVersionResponse{}, err
		}
		if v.product.tsl == nil {
			return ListThingModelVersionResponse{}, refuse(codeNotTSL, "product %s has no thing model", r.ProductKey)
		}
		return ListThingModelVersionResponse{[]ModelVersion{
			{ModelVersion: modelVersion, GmtCreate: millis(v.product.created)},
		}}, nil
	})
}
