package openapi_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	vendor "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"

	"github.com/iotferry/iotferry/internal/fake"
)

func integer(n int64) requests.Integer { return requests.Integer(strconv.FormatInt(n, 10)) }

// history reads pages in both directions, full and not.
func (p *pair) history() {
	p.advance(3 * time.Hour)
	now := start.Add(3 * time.Hour).UnixMilli()
	for _, asc := range []int{0, 1} {
		for _, since := range []int64{now - 20*60_000, now - 40*3_600_000} {
			from, to := since, now
			if asc == 0 {
				from, to = now, since
			}
			p.properties(from, to, asc)
			p.rows(from, to, asc)
		}
	}
	versions := vendor.CreateListThingModelVersionRequest()
	versions.ProductKey = climate
	expect(p, "ListThingModelVersion", p.client.ListThingModelVersion, versions, (*fake.Cloud).ListThingModelVersion,
		fake.ListThingModelVersionRequest{ProductKey: climate},
		func(a fake.ListThingModelVersionResponse, want *vendor.ListThingModelVersionResponse) {
			want.Data.ModelVersions = list(a.ModelVersions, func(x fake.ModelVersion) vendor.ModelVersion {
				return vendor.ModelVersion{ModelVersion: x.ModelVersion, Description: x.Description, GmtCreate: millis(x.GmtCreate)}
			})
		})
}

func (p *pair) properties(from, to int64, asc int) {
	identifiers := []string{"Setpoint", "Nothing"}
	r := vendor.CreateQueryDevicePropertiesDataRequest()
	r.ProductKey, r.DeviceName, r.Identifier = climate, "c-1", &identifiers
	r.StartTime, r.EndTime, r.Asc, r.PageSize = integer(from), integer(to), integer(int64(asc)), "100"
	answer := expect(p, "QueryDevicePropertiesData", p.client.QueryDevicePropertiesData, r, (*fake.Cloud).QueryDevicePropertiesData,
		fake.QueryDevicePropertiesDataRequest{
			ProductKey: climate, DeviceName: "c-1", Identifier: identifiers, StartTime: from, EndTime: to, Asc: asc, PageSize: 100,
		},
		func(a fake.QueryDevicePropertiesDataResponse, want *vendor.QueryDevicePropertiesDataResponse) {
			want.NextValid, want.NextTime = a.NextValid, a.NextTime
			want.PropertyDataInfos.PropertyDataInfo = list(a.PropertyDataInfos, func(s fake.PropertySeries) (out vendor.PropertyDataInfo) {
				out.Identifier = s.Identifier
				out.List.PropertyInfo = list(s.PropertyInfo, func(x fake.PropertyData) (row vendor.PropertyInfoInQueryDevicePropertiesData) {
					row.Time, row.Value = x.Time, x.Value
					return row
				})
				return out
			})
		})
	if n := len(answer.PropertyDataInfos[0].PropertyInfo); n == 0 {
		p.Error("there is no history to compare")
	}
}

func (p *pair) rows(from, to int64, asc int) {
	direct := func(identifier string) fake.HistoryRequest {
		return fake.HistoryRequest{
			ProductKey: climate, DeviceName: "c-1", Identifier: identifier, StartTime: from, EndTime: to, Asc: asc, PageSize: 50,
		}
	}
	property := vendor.CreateQueryDevicePropertyDataRequest()
	property.ProductKey, property.DeviceName, property.Identifier = climate, "c-1", "Setpoint"
	property.StartTime, property.EndTime, property.Asc, property.PageSize = integer(from), integer(to), integer(int64(asc)), "50"
	expect(p, "QueryDevicePropertyData", p.client.QueryDevicePropertyData, property, (*fake.Cloud).QueryDevicePropertyData, direct("Setpoint"),
		func(a fake.QueryDevicePropertyDataResponse, want *vendor.QueryDevicePropertyDataResponse) {
			want.Data.NextValid, want.Data.NextTime = a.NextValid, a.NextTime
			want.Data.List.PropertyInfo = list(a.PropertyInfo, func(x fake.PropertyData) vendor.PropertyInfo {
				return vendor.PropertyInfo{Time: strconv.FormatInt(x.Time, 10), Value: x.Value}
			})
		})
	event := vendor.CreateQueryDeviceEventDataRequest()
	event.ProductKey, event.DeviceName, event.Identifier = climate, "c-1", "Alarm"
	event.StartTime, event.EndTime, event.Asc, event.PageSize = integer(from), integer(to), integer(int64(asc)), "50"
	expect(p, "QueryDeviceEventData", p.client.QueryDeviceEventData, event, (*fake.Cloud).QueryDeviceEventData, direct("Alarm"),
		func(a fake.QueryDeviceEventDataResponse, want *vendor.QueryDeviceEventDataResponse) {
			want.Data.NextValid, want.Data.NextTime = a.NextValid, a.NextTime
			want.Data.List.EventInfo = list(a.EventInfo, func(x fake.EventData) vendor.EventInfo {
				return vendor.EventInfo{
					Time: strconv.FormatInt(x.Time, 10), Identifier: x.Identifier, Name: x.Name, EventType: x.EventType, OutputData: x.OutputData,
				}
			})
		})
	service := vendor.CreateQueryDeviceServiceDataRequest()
	service.ProductKey, service.DeviceName, service.Identifier = climate, "c-1", "Ping"
	service.StartTime, service.EndTime, service.Asc, service.PageSize = integer(from), integer(to), integer(int64(asc)), "50"
	expect(p, "QueryDeviceServiceData", p.client.QueryDeviceServiceData, service, (*fake.Cloud).QueryDeviceServiceData, direct("Ping"),
		func(a fake.QueryDeviceServiceDataResponse, want *vendor.QueryDeviceServiceDataResponse) {
			want.Data.NextValid, want.Data.NextTime = a.NextValid, a.NextTime
			want.Data.List.ServiceInfo = list(a.ServiceInfo, func(x fake.ServiceData) vendor.ServiceInfo {
				return vendor.ServiceInfo{
					Time: strconv.FormatInt(x.Time, 10), Identifier: x.Identifier, Name: x.Name, InputData: x.InputData, OutputData: x.OutputData,
				}
			})
		})
}

// What cannot be read in a request for history is refused before the platform is asked.
func TestHistoryParameters(t *testing.T) {
	c, _ := newCloud(t, fake.Options{})
	client := dial(t, serve(t, c, nil), keySecret)
	for name, change := range map[string]func(*vendor.QueryDeviceEventDataRequest){
		"MissingIdentifier":    func(r *vendor.QueryDeviceEventDataRequest) { r.Identifier = "" },
		"MissingStartTime":     func(r *vendor.QueryDeviceEventDataRequest) { r.StartTime = "" },
		"InvalidEndTime":       func(r *vendor.QueryDeviceEventDataRequest) { r.EndTime = "today" },
		"MissingAsc":           func(r *vendor.QueryDeviceEventDataRequest) { r.Asc = "" },
		"MissingPageSize":      func(r *vendor.QueryDeviceEventDataRequest) { r.PageSize = "" },
		"UnsupportedEventType": func(r *vendor.QueryDeviceEventDataRequest) { r.EventType = "alert" },
	} {
		r := vendor.CreateQueryDeviceEventDataRequest()
		r.ProductKey, r.DeviceName, r.Identifier = climate, "c-1", "Alarm"
		r.StartTime, r.EndTime, r.Asc, r.PageSize = "1", "2", "1", "50"
		change(r)
		_, err := client.QueryDeviceEventData(r)
		if e, ok := errors.AsType[*sdkerrors.ServerError](err); !ok || e.ErrorCode() != name {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}
