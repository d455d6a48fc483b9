package openapi

import "github.com/iotferry/iotferry/internal/fake"

func newGroupRequest(p *params) fake.CreateConsumerGroupRequest {
	p.lacks("SubBizCode")
	return fake.CreateConsumerGroupRequest{IotInstanceId: p.text("IotInstanceId"), GroupName: p.required("GroupName")}
}

func newGroupAnswer(a fake.CreateConsumerGroupResponse) members { return members{"GroupId": a.GroupId} }

func groupListRequest(p *params) fake.QueryConsumerGroupListRequest {
	p.lacks("SubBizCode")
	return fake.QueryConsumerGroupListRequest{
		IotInstanceId: p.text("IotInstanceId"), CurrentPage: p.number("CurrentPage"), PageSize: p.number("PageSize"),
		GroupName: p.text("GroupName"), Fuzzy: p.flag("Fuzzy"),
	}
}

func groupListAnswer(a fake.QueryConsumerGroupListResponse) members {
	list := rows(a.ConsumerGroupDTO, func(g fake.ConsumerGroupInfo) members {
		return members{"GroupId": g.GroupId, "GroupName": g.GroupName, "CreateTime": utc(g.CreateTime)}
	})
	return members{
		"Total": a.Total, "PageCount": a.PageCount, "CurrentPage": a.CurrentPage, "PageSize": a.PageSize,
		"Data": members{"ConsumerGroupDTO": list},
	}
}

func groupRequest(p *params) fake.QueryConsumerGroupStatusRequest {
	return fake.QueryConsumerGroupStatusRequest{IotInstanceId: p.text("IotInstanceId"), GroupId: p.required("GroupId")}
}

func groupAnswer(a fake.QueryConsumerGroupStatusResponse) members {
	list := rows(a.ConsumerGroupClientConnectionInfos, func(c fake.ConsumerConnection) members {
		return members{"ClientId": c.ClientId, "ClientIpPort": c.ClientIpPort, "OnlineTime": millis(c.OnlineTime)}
	})
	return members{
		"AccumulationCount": a.AccumulationCount, "LastConsumerTime": utc(a.LastConsumerTime),
		"ClientConnectionStatusList": members{"ConsumerGroupClientConnectionInfo": list},
	}
}

func relationQuery(p *params) fake.QuerySubscribeRelationRequest {
	return fake.QuerySubscribeRelationRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), Type: p.required("Type"),
	}
}

func relationAnswer(a fake.SubscribeRelation) members {
	return members{
		"ProductKey": a.ProductKey, "Type": a.Type, "ConsumerGroupIds": rows(a.ConsumerGroupIds, same),
		"MnsConfiguration": a.MnsConfiguration, "DeviceDataFlag": a.DeviceDataFlag,
		"DeviceStatusChangeFlag": a.DeviceStatusChangeFlag, "DeviceLifeCycleFlag": a.DeviceLifeCycleFlag,
		"DeviceTopoLifeCycleFlag": a.DeviceTopoLifeCycleFlag,
		"FoundDeviceListFlag":     a.FoundDeviceListFlag, "ThingHistoryFlag": a.ThingHistoryFlag, "DeviceTagFlag": a.DeviceTagFlag,
		"OtaEventFlag": a.OtaEventFlag, "OtaVersionFlag": a.OtaVersionFlag, "OtaJobFlag": a.OtaJobFlag,
	}
}

func relationRequest(p *params) fake.SubscribeRelation {
	p.lacks("SubscribeFlags")
	return fake.SubscribeRelation{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), Type: p.required("Type"),
		ConsumerGroupIds: p.list("ConsumerGroupIds"), MnsConfiguration: p.text("MnsConfiguration"),
		DeviceDataFlag: p.flag("DeviceDataFlag"), DeviceStatusChangeFlag: p.flag("DeviceStatusChangeFlag"),
		DeviceLifeCycleFlag: p.flag("DeviceLifeCycleFlag"), DeviceTopoLifeCycleFlag: p.flag("DeviceTopoLifeCycleFlag"),
		FoundDeviceListFlag: p.flag("FoundDeviceListFlag"), ThingHistoryFlag: p.flag("ThingHistoryFlag"), DeviceTagFlag: p.flag("DeviceTagFlag"),
		OtaEventFlag: p.flag("OtaEventFlag"), OtaVersionFlag: p.flag("OtaVersionFlag"), OtaJobFlag: p.flag("OtaJobFlag"),
	}
}
