package openapi

import "github.com/iotferry/iotferry/internal/fake"

func moveRequest(p *params) fake.BatchGrayMigrationDeviceRequest {
	return fake.BatchGrayMigrationDeviceRequest{
		ProductKey: p.required("ProductKey"), DeviceNames: p.requiredList("DeviceNames"),
	}
}

func moveAnswer(a fake.BatchGrayMigrationDeviceResponse) members {
	list := rows(a.Details, func(r fake.MigrationResult) members {
		return members{"DeviceName": r.DeviceName, "Status": r.Status, "Code": r.Code, "Message": r.Message}
	})
	return members{"Data": members{"Details": members{"item": list}}}
}
