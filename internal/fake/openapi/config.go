package openapi

import (
	"encoding/json"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// labelsAnswer puts the labels into a text, as the platform does.
func labelsAnswer(a fake.QueryDevicePropResponse) members {
	text, err := json.Marshal(a.Props)
	if err != nil { // a map of texts has none
		text = []byte("{}")
	}
	return members{"Props": string(text)}
}

func saveLabelsRequest(p *params) fake.SaveDevicePropRequest {
	r := fake.SaveDevicePropRequest{DeviceRequest: deviceRequest(p)}
	if text := p.required("Props"); text != "" && json.Unmarshal([]byte(text), &r.Props) != nil {
		p.fail(unreadable("Props", "a JSON object of texts"))
	}
	return r
}

func shadowAnswer(a fake.GetDeviceShadowResponse) members {
	return members{"ShadowMessage": a.ShadowMessage}
}

func scriptRequest(p *params) fake.GetThingScriptRequest {
	return fake.GetThingScriptRequest{IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey")}
}

func scriptAnswer(a fake.GetThingScriptResponse) members {
	return members{"Data": members{"ScriptType": a.ScriptType, "ScriptUrl": a.ScriptUrl}}
}

func deviceGroupsRequest(p *params) fake.QueryDeviceGroupListRequest {
	p.lacks("GroupTypes", "GroupName")
	return fake.QueryDeviceGroupListRequest{
		IotInstanceId: p.text("IotInstanceId"), CurrentPage: p.number("CurrentPage"), PageSize: p.number("PageSize"),
		SuperGroupId: p.text("SuperGroupId"),
	}
}

func deviceGroupsAnswer(a fake.QueryDeviceGroupListResponse) members {
	return members{
		"Total": a.Total, "PageCount": a.PageCount, "CurrentPage": a.CurrentPage, "PageSize": a.PageSize,
		"Data": members{"GroupInfo": rows(a.GroupInfo, deviceGroupRow)},
	}
}

func deviceGroupRow(g fake.DeviceGroupInfo) members {
	return members{"GroupId": g.GroupId, "GroupName": g.GroupName, "GroupDesc": g.GroupDesc}
}

func groupsOfDeviceAnswer(a fake.QueryDeviceGroupByDeviceResponse) members {
	return members{"GroupInfos": members{"GroupInfo": rows(a.GroupInfo, deviceGroupRow)}}
}

func groupDevicesRequest(p *params) fake.QueryDeviceListByDeviceGroupRequest {
	return fake.QueryDeviceListByDeviceGroupRequest{
		IotInstanceId: p.text("IotInstanceId"), GroupId: p.required("GroupId"),
		CurrentPage: p.number("CurrentPage"), PageSize: p.number("PageSize"),
	}
}

func groupDevicesAnswer(a fake.QueryDeviceListByDeviceGroupResponse) members {
	list := rows(a.SimpleDeviceInfo, func(d fake.TopoDevice) members {
		return members{"ProductKey": d.ProductKey, "DeviceName": d.DeviceName, "IotId": d.IotId}
	})
	return members{
		"Total": a.Total, "PageCount": a.PageCount, "Page": a.Page, "PageSize": a.PageSize,
		"Data": members{"SimpleDeviceInfo": list},
	}
}

func newDeviceGroupRequest(p *params) fake.CreateDeviceGroupRequest {
	return fake.CreateDeviceGroupRequest{
		IotInstanceId: p.text("IotInstanceId"), GroupName: p.required("GroupName"), GroupDesc: p.text("GroupDesc"),
		SuperGroupId: p.text("SuperGroupId"),
	}
}

func newDeviceGroupAnswer(a fake.DeviceGroupInfo) members { return members{"Data": deviceGroupRow(a)} }

func addDevicesRequest(p *params) fake.BatchAddDeviceGroupRelationsRequest {
	r := fake.BatchAddDeviceGroupRelationsRequest{IotInstanceId: p.text("IotInstanceId"), GroupId: p.required("GroupId")}
	for _, d := range p.structs("Device", "ProductKey", "DeviceName") {
		r.Device = append(r.Device, iot.DeviceID{ProductKey: d["ProductKey"], DeviceName: d["DeviceName"]})
	}
	return r
}

func addDevicesAnswer(a fake.BatchAddDeviceGroupRelationsResponse) members {
	return members{
		"ValidDeviceCount": a.ValidDeviceCount, "ExceedTenGroupDeviceCount": a.ExceedTenGroupDeviceCount,
		"AlreadyRelatedGroupDeviceCount": a.AlreadyRelatedGroupDeviceCount, "SuccessAddedDeviceCount": a.SuccessAddedDeviceCount,
	}
}
