package aliyun

import (
	"context"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// A mover moves devices of the source. The target is that of the product's migration task: the API takes neither.
type mover struct{ client *Client }

// Move refuses names that come twice: the answer could not be told apart.
func (m mover) Move(ctx context.Context, productKey string, names []string) ([]iot.MoveResult, error) {
	const api = "BatchGrayMigrationDevice"
	if err := batch(api, productKey, names, iot.MaxMove); err != nil {
		return nil, err
	}
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, refuse(api, fmt.Sprintf("device %s is named twice", name))
		}
	}
	var out struct {
		Data struct {
			Details struct {
				Item []moveRow `json:"item"`
			}
		}
	}
	call := rpc.Call{API: api, Writes: true, Query: rpc.Params{"ProductKey": productKey}, Body: rpc.Params{}}
	call.Body.Repeat("DeviceNames", names)
	if err := m.client.caller.Do(ctx, call, &out); err != nil {
		return nil, err
	}
	return moveResults(names, out.Data.Details.Item), nil
}

// A moveRow is what the platform says of one device of a call.
type moveRow struct {
	DeviceName, Status, Message string
	Code                        int
}

// result reads a row, and returns false if it says something that is not documented. The documentation spells success in
// two ways.
func (r moveRow) result() (iot.MoveResult, bool) {
	switch r.Status {
	case "DEVICE_SUCCEEDED", "SUCCEEDED":
		return iot.MoveResult{DeviceName: r.DeviceName, Accepted: true}, true
	case "DEVICE_FAILED":
		return iot.MoveResult{DeviceName: r.DeviceName, Code: r.Code, Message: r.Message}, true
	}
	return iot.MoveResult{}, false
}

// moveResults returns the results in the order of names. A device has none, so that its outcome is unknown, unless the answer
// names it once and says something that is documented.
func moveResults(names []string, rows []moveRow) []iot.MoveResult {
	var out []iot.MoveResult
	for _, name := range names {
		var found iot.MoveResult
		clear, times := false, 0
		for _, row := range rows {
			if row.DeviceName == name {
				found, clear = row.result()
				times++
			}
		}
		if clear && times == 1 {
			out = append(out, found)
		}
	}
	return out
}
