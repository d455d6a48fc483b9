package openapi

import (
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

func pageRequest(p *params) fake.PageRequest {
	p.lacks("Status", "RuleName")
	return fake.PageRequest{IotInstanceId: p.text("IotInstanceId"), CurrentPage: p.number("CurrentPage"), PageSize: p.number("PageSize")}
}

// jobsAnswer puts the list into an object. The vendor's Go client finds no job in it, as it knows one where others know a list; its
// documents show none of both.
func jobsAnswer(a fake.ListJobResponse) members {
	list := rows(a.Data, func(j iot.Job) members {
		return members{"JobId": j.ID, "JobName": j.Name, "Type": j.Type, "Status": j.Status}
	})
	return members{"Total": a.Total, "Data": members{"data": list}}
}

func scenesAnswer(a fake.QuerySceneRuleResponse) members {
	list := rows(a.RuleList, func(s iot.Scene) members {
		status := 0
		if s.Running {
			status = 1
		}
		return members{"RuleId": s.ID, "RuleName": s.Name, "RuleStatus": status}
	})
	return members{"Data": members{"Total": a.Total, "RuleList": list}}
}

func firmwaresRequest(p *params) fake.ListOTAFirmwareRequest {
	p.lacks("DestVersion")
	return fake.ListOTAFirmwareRequest{PageRequest: pageRequest(p), ProductKey: p.required("ProductKey")}
}

func firmwaresAnswer(a fake.ListOTAFirmwareResponse) members {
	list := rows(a.FirmwareInfo, func(f fake.Firmware) members {
		return members{"FirmwareId": f.FirmwareId, "FirmwareName": f.FirmwareName, "DestVersion": f.DestVersion, "ProductKey": f.ProductKey}
	})
	return members{"Total": a.Total, "FirmwareInfo": members{"SimpleFirmwareInfo": list}}
}

func batchesRequest(p *params) fake.ListOTAJobByFirmwareRequest {
	return fake.ListOTAJobByFirmwareRequest{PageRequest: pageRequest(p), FirmwareId: p.required("FirmwareId")}
}

func batchesAnswer(a fake.ListOTAJobByFirmwareResponse) members {
	list := rows(a.SimpleOTAJobInfo, func(j iot.OTAJob) members {
		return members{"JobId": j.ID, "ProductKey": j.ProductKey, "FirmwareId": j.FirmwareID, "JobType": j.Type, "JobStatus": j.Status}
	})
	return members{"Total": a.Total, "Data": members{"SimpleOTAJobInfo": list}}
}

func otaTasksRequest(p *params) fake.ListOTATaskByJobRequest {
	p.lacks("TaskStatus", "DeviceNames")
	return fake.ListOTATaskByJobRequest{PageRequest: pageRequest(p), JobId: p.required("JobId")}
}

func otaTasksAnswer(a fake.ListOTATaskByJobResponse) members {
	list := rows(a.SimpleOTATaskInfo, func(t iot.OTATask) members {
		return members{"ProductKey": t.Device.ProductKey, "DeviceName": t.Device.DeviceName, "TaskStatus": t.Status}
	})
	return members{"Total": a.Total, "Data": members{"SimpleOTATaskInfo": list}}
}
