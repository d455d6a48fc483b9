package openapi

import "github.com/iotferry/iotferry/internal/fake"

func topologyRequest(p *params) fake.GetThingTopoRequest {
	p.lacks("IotId")
	return fake.GetThingTopoRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), DeviceName: p.required("DeviceName"),
		PageNo: p.number("PageNo"), PageSize: p.number("PageSize"),
	}
}

func topologyAnswer(a fake.GetThingTopoResponse) members {
	list := rows(a.DeviceInfo, func(d fake.TopoDevice) members {
		return members{"ProductKey": d.ProductKey, "DeviceName": d.DeviceName, "IotId": d.IotId}
	})
	return members{"Data": members{
		"Total": a.Total, "PageCount": a.PageCount, "CurrentPage": a.CurrentPage, "PageSize": a.PageSize,
		"List": members{"deviceInfo": list},
	}}
}

// gatewayAnswer has a small letter where the vendor has one.
func gatewayAnswer(a fake.GetGatewayBySubDeviceResponse) members {
	return members{"Data": members{
		"ProductKey": a.ProductKey, "DeviceName": a.DeviceName, "iotId": a.IotId, "Status": a.Status,
	}}
}
