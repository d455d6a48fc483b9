package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

func (d *driver) PropertyHistory(
	ctx context.Context, id iot.DeviceID, identifiers []string, from, to time.Time,
) (iot.HistoryPage, error) {
	const api = "QueryDevicePropertiesData"
	t, err := historyTimes(api, from, to)
	if err != nil {
		return iot.HistoryPage{}, err
	}
	if n := len(identifiers); n < 1 || n > iot.MaxHistoryProperties {
		return iot.HistoryPage{}, &iot.Error{
			Kind: iot.Invalid, Op: api, Message: fmt.Sprintf("%d identifiers: 1 to %d are allowed", n, iot.MaxHistoryProperties),
		}
	}
	out, err := read(ctx, d, api, func() (QueryDevicePropertiesDataResponse, error) {
		return d.cloud.QueryDevicePropertiesData(ctx, QueryDevicePropertiesDataRequest{
			IotInstanceId: d.id, ProductKey: id.ProductKey, DeviceName: id.DeviceName, Identifier: identifiers,
			StartTime: t.from, EndTime: t.to, Asc: 1, PageSize: iot.MaxHistoryRows,
		})
	})
	page := iot.HistoryPage{Next: t.next(out.NextValid, out.NextTime)}
	for _, series := range out.PropertyDataInfos {
		for _, x := range series.PropertyInfo {
			page.Rows = t.add(page.Rows, series.Identifier, x.Time, jsonText(x.Value), nil)
		}
	}
	return page, err
}

func (d *driver) EventHistory(
	ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time,
) (iot.HistoryPage, error) {
	const api = "QueryDeviceEventData"
	t, err := historyTimes(api, from, to)
	if err != nil {
		return iot.HistoryPage{}, err
	}
	out, err := read(ctx, d, api, func() (QueryDeviceEventDataResponse, error) {
		return d.cloud.QueryDeviceEventData(ctx, d.historyRequest(id, identifier, t))
	})
	page := iot.HistoryPage{Next: t.next(out.NextValid, out.NextTime)}
	for _, x := range out.EventInfo {
		page.Rows = t.add(page.Rows, identifier, x.Time, jsonText(x.OutputData), nil)
	}
	return page, err
}

func (d *driver) ServiceHistory(
	ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time,
) (iot.HistoryPage, error) {
	const api = "QueryDeviceServiceData"
	t, err := historyTimes(api, from, to)
	if err != nil {
		return iot.HistoryPage{}, err
	}
	out, err := read(ctx, d, api, func() (QueryDeviceServiceDataResponse, error) {
		return d.cloud.QueryDeviceServiceData(ctx, d.historyRequest(id, identifier, t))
	})
	page := iot.HistoryPage{Next: t.next(out.NextValid, out.NextTime)}
	for _, x := range out.ServiceInfo {
		page.Rows = t.add(page.Rows, identifier, x.Time, jsonText(x.OutputData), jsonText(x.InputData))
	}
	return page, err
}

func (d *driver) historyRequest(id iot.DeviceID, identifier string, t readTimes) HistoryRequest {
	return HistoryRequest{
		IotInstanceId: d.id, ProductKey: id.ProductKey, DeviceName: id.DeviceName, Identifier: identifier,
		StartTime: t.from, EndTime: t.to, Asc: 1, PageSize: iot.MaxHistoryRecords,
	}
}

// readTimes are the bounds of a read in whole milliseconds: from is in, to is out.
type readTimes struct{ from, to int64 }

func historyTimes(api string, from, to time.Time) (readTimes, error) {
	if !from.Before(to) {
		return readTimes{}, &iot.Error{
			Kind: iot.Invalid, Op: api, Message: fmt.Sprintf("from %v to %v: the end has to be later than the start", from, to),
		}
	}
	return readTimes{max(wholeMillis(from), 0), max(wholeMillis(to), 0)}, nil
}

// wholeMillis is the first whole millisecond that is not before t.
func wholeMillis(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// next is where the next page begins; the zero time for none.
func (t readTimes) next(valid bool, next int64) time.Time {
	if !valid || next >= t.to {
		return time.Time{}
	}
	return time.UnixMilli(next).UTC()
}

// add appends a row, unless it is of the bound itself.
func (t readTimes) add(list []iot.HistoryRow, identifier string, at int64, value, input json.RawMessage) []iot.HistoryRow {
	if at < t.from || at >= t.to {
		return list
	}
	return append(list, iot.HistoryRow{Identifier: identifier, At: time.UnixMilli(at).UTC(), Value: value, Input: input})
}

// jsonText is a text as the platform's answer holds it.
func jsonText(text string) json.RawMessage { return marshal(text) }

func (d *driver) ModelVersions(ctx context.Context, productKey string) ([]iot.ModelVersion, error) {
	out, err := read(ctx, d, "ListThingModelVersion", func() (ListThingModelVersionResponse, error) {
		return d.cloud.ListThingModelVersion(ctx, ListThingModelVersionRequest{d.id, productKey})
	})
	if hasCode(err, codeNotTSL) {
		return nil, nil
	}
	var list []iot.ModelVersion
	for _, v := range out.ModelVersions {
		list = append(list, iot.ModelVersion{Version: v.ModelVersion, Published: v.GmtCreate})
	}
	return list, err
}

func (d *driver) ThingModelVersion(ctx context.Context, productKey, version string) (json.RawMessage, error) {
	const api = "QueryThingModelPublished"
	if version == "" { // it would be the newest
		return nil, &iot.Error{Kind: iot.Invalid, Op: api, Message: "the version is empty"}
	}
	out, err := read(ctx, d, api, func() (QueryThingModelPublishedResponse, error) {
		return d.cloud.QueryThingModelPublished(ctx, QueryThingModelPublishedRequest{d.id, productKey, version})
	})
	return out.ThingModelJson, err
}
