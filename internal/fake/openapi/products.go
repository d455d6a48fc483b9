package openapi

import "github.com/iotferry/iotferry/internal/fake"

func productListRequest(p *params) fake.QueryProductListRequest {
	p.lacks("ResourceGroupId")
	return fake.QueryProductListRequest{
		IotInstanceId: p.text("IotInstanceId"), CurrentPage: p.number("CurrentPage"), PageSize: p.number("PageSize"),
		AliyunCommodityCode: p.text("AliyunCommodityCode"),
	}
}

func productListAnswer(a fake.QueryProductListResponse) members {
	list := rows(a.ProductInfo, productRow)
	return members{"Data": members{
		"Total": a.Total, "PageCount": a.PageCount, "CurrentPage": a.CurrentPage, "PageSize": a.PageSize,
		"List": members{"ProductInfo": list},
	}}
}

func productRow(r fake.ProductInfo) members {
	return members{
		"ProductKey": r.ProductKey, "ProductName": r.ProductName, "NodeType": r.NodeType, "DataFormat": r.DataFormat,
		"AuthType": r.AuthType, "DeviceCount": r.DeviceCount, "GmtCreate": millis(r.GmtCreate),
	}
}

func productRequest(p *params) fake.QueryProductRequest {
	return fake.QueryProductRequest{IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey")}
}

func productAnswer(a fake.ProductInfo) members {
	data := productRow(a)
	data["Id2"], data["NetType"], data["ProtocolType"] = a.Id2, a.NetType, a.ProtocolType
	data["Owner"], data["ProductStatus"] = a.Owner, a.ProductStatus
	data["ProductSecret"], data["ValidateType"] = a.ProductSecret, a.ValidateType
	return members{"Data": data}
}

func modelRequest(p *params) fake.QueryThingModelPublishedRequest {
	p.lacks("FunctionBlockId", "ResourceGroupId")
	return fake.QueryThingModelPublishedRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), ModelVersion: p.text("ModelVersion"),
	}
}

// modelAnswer puts the model into a text, as the platform does.
func modelAnswer(a fake.QueryThingModelPublishedResponse) members {
	return members{"Data": members{"ThingModelJson": string(a.ThingModelJson)}}
}

func modelVersionsRequest(p *params) fake.ListThingModelVersionRequest {
	return fake.ListThingModelVersionRequest{IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey")}
}

func modelVersionsAnswer(a fake.ListThingModelVersionResponse) members {
	return members{"Data": members{"ModelVersions": rows(a.ModelVersions, func(v fake.ModelVersion) members {
		return members{"ModelVersion": v.ModelVersion, "Description": v.Description, "GmtCreate": millis(v.GmtCreate)}
	})}}
}
