package openapi

import (
	"strconv"

	"github.com/iotferry/iotferry/internal/fake"
)

func historyRequest(p *params) fake.HistoryRequest {
	p.lacks("IotId", "EventType")
	r := fake.HistoryRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), DeviceName: p.required("DeviceName"),
		Identifier: p.required("Identifier"),
	}
	r.StartTime, r.EndTime, r.Asc, r.PageSize = historyBounds(p)
	return r
}

// historyBounds reads what all history APIs need.
func historyBounds(p *params) (start, end int64, asc, size int) {
	return p.requiredMillis("StartTime"), p.requiredMillis("EndTime"), p.requiredNumber("Asc"), p.requiredNumber("PageSize")
}

// requiredMillis returns a time in milliseconds that must be given.
func (p *params) requiredMillis(name string) int64 {
	n, err := strconv.ParseInt(p.required(name), 10, 64)
	if err != nil {
		p.fail(unreadable(name, "a time in milliseconds"))
	}
	return n
}

func propertiesRequest(p *params) fake.QueryDevicePropertiesDataRequest {
	p.lacks("IotId")
	r := fake.QueryDevicePropertiesDataRequest{
		IotInstanceId: p.text("IotInstanceId"), ProductKey: p.required("ProductKey"), DeviceName: p.required("DeviceName"),
		Identifier: p.requiredList("Identifier"),
	}
	r.StartTime, r.EndTime, r.Asc, r.PageSize = historyBounds(p)
	return r
}

func propertyHistoryAnswer(a fake.QueryDevicePropertyDataResponse) members {
	return historyPage(a.NextValid, a.NextTime, members{"PropertyInfo": rows(a.PropertyInfo, propertyRow)})
}

func historyPage(valid bool, next int64, list members) members {
	return members{"Data": members{"NextValid": valid, "NextTime": next, "List": list}}
}

// propertyRow writes the time as a text, as all history APIs but QueryDevicePropertiesData do.
func propertyRow(r fake.PropertyData) members {
	return members{"Time": strconv.FormatInt(r.Time, 10), "Value": r.Value}
}

func propertiesAnswer(a fake.QueryDevicePropertiesDataResponse) members {
	return members{
		"NextValid": a.NextValid, "NextTime": a.NextTime,
		"PropertyDataInfos": members{"PropertyDataInfo": rows(a.PropertyDataInfos, func(s fake.PropertySeries) members {
			return members{
				"Identifier": s.Identifier, "List": members{"PropertyInfo": rows(s.PropertyInfo, func(r fake.PropertyData) members {
					return members{"Time": r.Time, "Value": r.Value}
				})},
			}
		})},
	}
}

func eventHistoryAnswer(a fake.QueryDeviceEventDataResponse) members {
	return historyPage(a.NextValid, a.NextTime, members{"EventInfo": rows(a.EventInfo, func(r fake.EventData) members {
		return members{
			"Time": strconv.FormatInt(r.Time, 10), "Identifier": r.Identifier, "Name": r.Name, "EventType": r.EventType,
			"OutputData": r.OutputData,
		}
	})})
}

func serviceHistoryAnswer(a fake.QueryDeviceServiceDataResponse) members {
	return historyPage(a.NextValid, a.NextTime, members{"ServiceInfo": rows(a.ServiceInfo, func(r fake.ServiceData) members {
		return members{
			"Time": strconv.FormatInt(r.Time, 10), "Identifier": r.Identifier, "Name": r.Name,
			"InputData": r.InputData, "OutputData": r.OutputData,
		}
	})})
}
