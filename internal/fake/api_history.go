package fake

import (
	"context"

	"github.com/iotferry/iotferry/iot"
)

// HistoryRequest is the request of the APIs that read the history of one property, event or service. Times are in
// milliseconds since 1970.
type HistoryRequest struct {
	IotInstanceId, ProductKey, DeviceName string
	Identifier                            string
	StartTime, EndTime                    int64
	Asc                                   int // 1 ascending, 0 descending
	PageSize                              int // 1 to 50
}

// QueryDevicePropertiesDataRequest asks for up to 10 properties of a device, and PageSize rows of each, at most 100.
type QueryDevicePropertiesDataRequest struct {
	IotInstanceId, ProductKey, DeviceName string
	Identifier                            []string
	StartTime, EndTime                    int64
	Asc                                   int
	PageSize                              int
}

// A PropertyData is one value of a property.
type PropertyData struct {
	Time  int64 // ms
	Value string
}

// An EventData is one occurrence of an event.
type EventData struct {
	Time                        int64 // ms
	Identifier, Name, EventType string
	OutputData                  string // JSON
}

// A ServiceData is one call of a service.
type ServiceData struct {
	Time             int64 // ms
	Identifier, Name string
	InputData        string // JSON
	OutputData       string // JSON; empty while the device has not answered
}

// A PropertySeries is the values of one property.
type PropertySeries struct {
	Identifier   string
	PropertyInfo []PropertyData
}

// QueryDevicePropertyDataResponse is a page. If NextValid, the next one begins at NextTime.
type QueryDevicePropertyDataResponse struct {
	NextValid    bool
	NextTime     int64
	PropertyInfo []PropertyData
}

// QueryDevicePropertiesDataResponse is a page of each property, in the order of the request. If NextValid, the next one
// begins at NextTime: the first time at which one of the properties has a row that is not in the page. Of the others rows from
// there on are in it nevertheless, and come again.
type QueryDevicePropertiesDataResponse struct {
	NextValid         bool
	NextTime          int64
	PropertyDataInfos []PropertySeries
}

// QueryDeviceEventDataResponse is a page. If NextValid, the next one begins at NextTime.
type QueryDeviceEventDataResponse struct {
	NextValid bool
	NextTime  int64
	EventInfo []EventData
}

// QueryDeviceServiceDataResponse is a page. If NextValid, the next one begins at NextTime.
type QueryDeviceServiceDataResponse struct {
	NextValid   bool
	NextTime    int64
	ServiceInfo []ServiceData
}

// QueryDevicePropertyData reads the history of a property, 30 days back. Both bounds are inclusive; a row at NextTime is on the
// next page.
func (c *Cloud) QueryDevicePropertyData(
	ctx context.Context, r HistoryRequest,
) (QueryDevicePropertyDataResponse, error) {
	op := r.op("QueryDevicePropertyData")
	return call(ctx, c, op, func(Fault) (QueryDevicePropertyDataResponse, error) {
		list, next, err := c.historyPage(r, PropertyHistory)
		return QueryDevicePropertyDataResponse{next != 0, next, propertyData(list)}, err
	})
}

// QueryDevicePropertiesData reads the history of several properties, 30 days back. In descending order StartTime has
// to be after EndTime, in ascending order before it.
func (c *Cloud) QueryDevicePropertiesData(
	ctx context.Context, r QueryDevicePropertiesDataRequest,
) (QueryDevicePropertiesDataResponse, error) {
	id := iot.DeviceID{ProductKey: r.ProductKey, DeviceName: r.DeviceName}
	op := deviceOp("QueryDevicePropertiesData", r.IotInstanceId, id)
	return call(ctx, c, op, func(Fault) (QueryDevicePropertiesDataResponse, error) {
		var out QueryDevicePropertiesDataResponse
		n := len(r.Identifier)
		b := bounds{r.StartTime, r.EndTime, r.Asc}
		q, err := c.openHistory(r.IotInstanceId, id, PropertyHistory, b, r.PageSize, iot.MaxHistoryRows)
		switch {
		case err != nil:
			return out, err
		case n < 1 || n > iot.MaxHistoryProperties:
			return out, refuse(codeNoProperties, "%d identifiers: 1 to %d are allowed", n, iot.MaxHistoryProperties)
		case b.reversed():
			return out, refuse(codeBadTime, "the start is on the wrong side of the end")
		}
		out.read(q, r.Identifier, r.PageSize)
		return out, nil
	})
}

// read reads a page of each property.
func (a *QueryDevicePropertiesDataResponse) read(q *historyQuery, identifiers []string, size int) {
	for _, identifier := range identifiers {
		list, next := q.page(identifier, size)
		a.PropertyDataInfos = append(a.PropertyDataInfos, PropertySeries{identifier, propertyData(list)})
		if next != 0 && (!a.NextValid || next > a.NextTime == q.descending) {
			a.NextValid, a.NextTime = true, next
		}
	}
}

// QueryDeviceEventData reads the history of an event, 30 days back, as QueryDevicePropertyData that of a property.
func (c *Cloud) QueryDeviceEventData(ctx context.Context, r HistoryRequest) (QueryDeviceEventDataResponse, error) {
	return call(ctx, c, r.op("QueryDeviceEventData"), func(Fault) (QueryDeviceEventDataResponse, error) {
		list, next, err := c.historyPage(r, EventHistory)
		out := QueryDeviceEventDataResponse{NextValid: next != 0, NextTime: next}
		if err != nil || len(list) == 0 {
			return out, err
		}
		var e tslEvent
		for _, known := range c.products[r.ProductKey].model.events {
			if known.Identifier == r.Identifier {
				e = known
			}
		}
		for _, x := range list {
			out.EventInfo = append(out.EventInfo, EventData{x.at, r.Identifier, e.Name, e.Type, x.value})
		}
		return out, nil
	})
}

// QueryDeviceServiceData reads the history of a service, 30 days back, as QueryDevicePropertyData that of a property.
func (c *Cloud) QueryDeviceServiceData(ctx context.Context, r HistoryRequest) (QueryDeviceServiceDataResponse, error) {
	return call(ctx, c, r.op("QueryDeviceServiceData"), func(Fault) (QueryDeviceServiceDataResponse, error) {
		list, next, err := c.historyPage(r, ServiceHistory)
		out := QueryDeviceServiceDataResponse{NextValid: next != 0, NextTime: next}
		if err != nil || len(list) == 0 {
			return out, err
		}
		var name string
		if s := c.products[r.ProductKey].model.service(r.Identifier); s != nil {
			name = s.Name
		}
		for _, x := range list {
			out.ServiceInfo = append(out.ServiceInfo, ServiceData{x.at, r.Identifier, name, x.input, x.value})
		}
		return out, nil
	})
}

func (r HistoryRequest) id() iot.DeviceID {
	return iot.DeviceID{ProductKey: r.ProductKey, DeviceName: r.DeviceName}
}

func (r HistoryRequest) op(name string) Op { return deviceOp(name, r.IotInstanceId, r.id()) }

// historyPage reads a page of one property, event or service.
func (c *Cloud) historyPage(r HistoryRequest, kind HistoryKind) (list []shownRow, next int64, err error) {
	b := bounds{r.StartTime, r.EndTime, r.Asc}
	q, err := c.openHistory(r.IotInstanceId, r.id(), kind, b, r.PageSize, iot.MaxHistoryRecords)
	if err != nil {
		return nil, 0, err
	}
	list, next = q.page(r.Identifier, r.PageSize)
	return list, next, nil
}

// bounds are the times of a request.
type bounds struct {
	start, end int64 // ms
	asc        int
}

// reversed reports whether the bounds do not go with the order.
func (b bounds) reversed() bool {
	if b.asc == 1 {
		return b.start > b.end
	}
	return b.start <= b.end
}

// openHistory checks what the history APIs have in common.
func (c *Cloud) openHistory(
	instanceID string, id iot.DeviceID, kind HistoryKind, b bounds, size, most int,
) (*historyQuery, error) {
	v, err := c.view(instanceID, id.ProductKey)
	if err != nil {
		return nil, err
	}
	d := v.product.byName[id.DeviceName]
	switch {
	case d == nil || !c.historyAt(v.in, d):
		return nil, noDevice(id)
	case size < 1 || size > most:
		return nil, refuse(codeBadPage, "a page of %d rows: 1 to %d are allowed", size, most)
	case b.start < 0 || b.end < 0 || b.asc != 0 && b.asc != 1:
		return nil, refuse(codeBadTime, "times are in milliseconds since 1970, and the order is 0 or 1")
	}
	return c.historyQuery(d, v.in, kind, b), nil
}

func propertyData(list []shownRow) []PropertyData {
	out := make([]PropertyData, 0, len(list))
	for _, x := range list {
		out = append(out, PropertyData{x.at, x.value})
	}
	return out
}
