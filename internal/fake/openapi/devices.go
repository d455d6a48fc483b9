package openapi

import "github.com/iotferry/iotferry/internal/fake"

func deviceListRequest(p *params) fake.QueryDeviceRequest {
	return fake.QueryDeviceRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"),
		CurrentPage: p.number("CurrentPage"), PageSize: p.number("PageSize"), NextToken: p.text("NextToken"),
	}
}

func deviceListAnswer(a fake.QueryDeviceResponse) members {
	list := rows(a.DeviceInfo, func(d fake.DeviceInfo) members { return deviceRow(d, "DeviceStatus") })
	return members{
		"Total": a.Total, "PageCount": a.PageCount, "Page": a.Page, "PageSize": a.PageSize, "NextToken": a.NextToken,
		"Data": members{"DeviceInfo": list},
	}
}

// deviceRow is a device in a list; the two lists have different names for its status.
func deviceRow(d fake.DeviceInfo, status string) members {
	return members{
		"ProductKey": d.ProductKey, "DeviceName": d.DeviceName, "DeviceSecret": d.DeviceSecret, "IotId": d.IotId,
		status: d.DeviceStatus, "UtcCreate": utc(d.UtcCreate),
	}
}

func byStatusRequest(p *params) fake.QueryDeviceByStatusRequest {
	p.lacks("ResourceGroupId", "BizTenantId")
	return fake.QueryDeviceByStatusRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), Status: p.requiredNumber("Status"),
		CurrentPage: p.number("CurrentPage"), PageSize: p.number("PageSize"),
	}
}

func byStatusAnswer(a fake.QueryDeviceByStatusResponse) members {
	list := rows(a.SimpleDeviceInfo, func(d fake.DeviceInfo) members { return deviceRow(d, "Status") })
	return members{
		"Total": a.Total, "PageCount": a.PageCount, "Page": a.Page, "PageSize": a.PageSize,
		"Data": members{"SimpleDeviceInfo": list},
	}
}

func statesRequest(p *params) fake.BatchGetDeviceStateRequest {
	p.lacks("IotId")
	return fake.BatchGetDeviceStateRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), DeviceName: p.list("DeviceName"),
	}
}

func statesAnswer(a fake.BatchGetDeviceStateResponse) members {
	list := rows(a.DeviceStatus, func(d fake.DeviceStatus) members {
		return members{
			"DeviceName": d.DeviceName, "IotId": d.IotId, "Status": d.Status, "AsAddress": d.AsAddress,
			"LastOnlineTime": utc(d.LastOnlineTime), "Timestamp": millis(d.Timestamp),
		}
	})
	return members{"DeviceStatusList": members{"DeviceStatus": list}}
}

func detailsRequest(p *params) fake.BatchQueryDeviceDetailRequest {
	return fake.BatchQueryDeviceDetailRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), DeviceName: p.list("DeviceName"),
	}
}

func detailsAnswer(a fake.BatchQueryDeviceDetailResponse) members {
	return members{"Data": members{"Data": rows(a.Data, detailRow)}}
}

// detailRow is what both APIs tell of a device.
func detailRow(d fake.DeviceDetail) members {
	return members{
		"ProductKey": d.ProductKey, "ProductName": d.ProductName, "DeviceName": d.DeviceName,
		"DeviceSecret": d.DeviceSecret, "IotId": d.IotId, "Status": d.Status, "NodeType": d.NodeType, "Region": d.Region,
		"UtcCreate": utc(d.UtcCreate), "UtcActive": utc(d.UtcActive),
	}
}

func deviceRequest(p *params) fake.DeviceRequest {
	p.lacks("IotId")
	return fake.DeviceRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), DeviceName: p.required("DeviceName"),
	}
}

func detailAnswer(d fake.DeviceDetail) members {
	data := detailRow(d)
	data["UtcOnline"], data["IpAddress"], data["Owner"] = utc(d.UtcOnline), d.IpAddress, d.Owner
	return members{"Data": data}
}

func statusAnswer(d fake.DeviceStatus) members {
	return members{"Data": members{"Status": d.Status, "Timestamp": millis(d.Timestamp)}}
}

func statisticsRequest(p *params) fake.QueryDeviceStatisticsRequest {
	p.lacks("GroupId")
	return fake.QueryDeviceStatisticsRequest{IotInstanceId: p.text("IotInstanceId"), ProductKey: p.text("ProductKey")}
}

func statisticsAnswer(a fake.QueryDeviceStatisticsResponse) members {
	return members{"Data": members{
		"deviceCount": a.DeviceCount, "onlineCount": a.OnlineCount, "activeCount": a.ActiveCount,
	}}
}

func registerAnswer(a fake.RegisterDeviceResponse) members {
	return members{"Data": members{
		"ProductKey": a.ProductKey, "DeviceName": a.DeviceName, "DeviceSecret": a.DeviceSecret, "IotId": a.IotId,
	}}
}

func distributedRequest(p *params) fake.ListDistributedDeviceRequest {
	p.lacks("SourceInstanceId", "TargetUid", "DeviceName")
	return fake.ListDistributedDeviceRequest{
		CurrentPage: p.number("CurrentPage"), PageSize: p.number("PageSize"),
		ProductKey: p.text("ProductKey"), TargetInstanceId: p.text("TargetInstanceId"),
	}
}

func distributedAnswer(a fake.ListDistributedDeviceResponse) members {
	list := rows(a.Items, func(d fake.DistributedDevice) members {
		return members{
			"ProductKey": d.ProductKey, "DeviceName": d.DeviceName,
			"TargetInstanceId": d.TargetInstanceId, "TargetRegion": d.TargetRegion,
		}
	})
	return members{"Data": members{"Total": a.Total, "Info": members{"items": list}}}
}
