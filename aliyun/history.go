package aliyun

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// A historyRow is a row of the history APIs: Value is of a property, OutputData of an event or a service.
type historyRow struct {
	Time                         string
	Value, OutputData, InputData json.RawMessage
}

// A historyNext tells where the next page begins.
type historyNext struct {
	NextValid bool
	NextTime  int64
}

func (in *instance) PropertyHistory(
	ctx context.Context, id iot.DeviceID, identifiers []string, from, to time.Time,
) (iot.HistoryPage, error) {
	const api = "QueryDevicePropertiesData"
	if n := len(identifiers); n < 1 || n > iot.MaxHistoryProperties {
		return iot.HistoryPage{}, refuse(api, fmt.Sprintf("%d identifiers: 1 to %d are allowed", n, iot.MaxHistoryProperties))
	}
	r, err := newHistoryRead(api, id, identifiers, from, to, iot.MaxHistoryRows)
	if err != nil {
		return iot.HistoryPage{}, err
	}
	r.query.Repeat("Identifier", identifiers)
	var out struct {
		NextValid         bool
		NextTime          int64
		PropertyDataInfos struct {
			PropertyDataInfo []struct {
				Identifier string
				List       struct{ PropertyInfo []historyRow }
			}
		}
	}
	if err := in.read(ctx, api, r.query, &out); err != nil {
		return iot.HistoryPage{}, err
	}
	byIdentifier := map[string][]historyRow{} // the platform's own order is not documented
	for _, series := range out.PropertyDataInfos.PropertyDataInfo {
		byIdentifier[series.Identifier] = series.List.PropertyInfo
	}
	var page iot.HistoryPage
	for _, identifier := range identifiers {
		for _, row := range byIdentifier[identifier] {
			if err := r.add(&page, identifier, row, row.Value, nil); err != nil {
				return iot.HistoryPage{}, err
			}
		}
	}
	return r.end(page, historyNext{out.NextValid, out.NextTime})
}

func (in *instance) EventHistory(
	ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time,
) (iot.HistoryPage, error) {
	return in.records(ctx, "QueryDeviceEventData", id, identifier, from, to)
}

func (in *instance) ServiceHistory(
	ctx context.Context, id iot.DeviceID, identifier string, from, to time.Time,
) (iot.HistoryPage, error) {
	return in.records(ctx, "QueryDeviceServiceData", id, identifier, from, to)
}

// records reads one event or service. The two APIs differ in the name of their list, and an event has no input.
func (in *instance) records(
	ctx context.Context, api string, id iot.DeviceID, identifier string, from, to time.Time,
) (iot.HistoryPage, error) {
	r, err := newHistoryRead(api, id, []string{identifier}, from, to, iot.MaxHistoryRecords)
	if err != nil {
		return iot.HistoryPage{}, err
	}
	r.query["Identifier"] = identifier
	var out struct {
		Data struct {
			NextValid bool
			NextTime  int64
			List      struct{ EventInfo, ServiceInfo []historyRow }
		}
	}
	if err := in.read(ctx, api, r.query, &out); err != nil {
		return iot.HistoryPage{}, err
	}
	var page iot.HistoryPage
	for _, row := range slices.Concat(out.Data.List.EventInfo, out.Data.List.ServiceInfo) {
		if err := r.add(&page, identifier, row, row.OutputData, row.InputData); err != nil {
			return iot.HistoryPage{}, err
		}
	}
	return r.end(page, historyNext{out.Data.NextValid, out.Data.NextTime})
}

// A historyRead is one read of history. Its bounds are whole milliseconds: from is in it, to is not.
type historyRead struct {
	api      string
	query    rpc.Params
	from, to int64
}

// newHistoryRead asks for the end as well, and leaves it out of the answer: whether the platform takes it in is
// not documented.
func newHistoryRead(
	api string, id iot.DeviceID, identifiers []string, from, to time.Time, size int,
) (historyRead, error) {
	r := historyRead{api: api, query: device(id), from: max(0, wholeMillis(from)), to: max(0, wholeMillis(to))}
	if !from.Before(to) {
		return r, refuse(api, fmt.Sprintf("from %v to %v: the end has to be later than the start", from, to))
	}
	if err := named(api, append(slices.Clip(identifiers), id.ProductKey, id.DeviceName)...); err != nil {
		return r, err
	}
	r.query["StartTime"], r.query["EndTime"] = strconv.FormatInt(r.from, 10), strconv.FormatInt(r.to, 10)
	r.query["Asc"], r.query["PageSize"] = "1", strconv.Itoa(size)
	return r, nil
}

// wholeMillis is the first whole millisecond that is not before t.
func wholeMillis(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// add puts a row into a page, unless it is of the bound itself.
func (r historyRead) add(page *iot.HistoryPage, identifier string, row historyRow, value, input json.RawMessage) error {
	at := instant(row.Time)
	if at.IsZero() {
		return strange(r.api, "a row has no time that can be read")
	}
	if ms := at.UnixMilli(); ms >= r.from && ms < r.to {
		page.Rows = append(page.Rows, iot.HistoryRow{Identifier: identifier, At: at, Value: value, Input: input})
	}
	return nil
}

// end says where the next page begins. A next page that is not later than this one would be read for ever.
func (r historyRead) end(page iot.HistoryPage, next historyNext) (iot.HistoryPage, error) {
	switch {
	case !next.NextValid || next.NextTime >= r.to:
		return page, nil
	case next.NextTime <= r.from:
		return iot.HistoryPage{}, strange(r.api, "the next page would begin where this one does")
	}
	page.Next = time.UnixMilli(next.NextTime).UTC()
	return page, nil
}
