package aliyun

import (
	"context"
	"fmt"
	"strings"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// A stateRow is a device in the answers that tell states.
type stateRow struct{ DeviceName, Status, LastOnlineTime string }

// States brings the answer into the order of names, as the platform's own order is not documented.
func (in *instance) States(ctx context.Context, productKey string, names []string) ([]iot.DeviceState, error) {
	const api = "BatchGetDeviceState"
	if len(names) == 0 {
		return nil, ctx.Err()
	}
	if err := batch(api, productKey, names, iot.MaxStates); err != nil {
		return nil, err
	}
	rows, err := in.states(ctx, productKey, names)
	if codeOf(err) == noProduct {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	byName := make(map[string]stateRow, len(rows))
	for _, row := range rows {
		byName[row.DeviceName] = row
	}
	list := make([]iot.DeviceState, 0, len(rows))
	for _, name := range names {
		row, ok := byName[name]
		if !ok {
			continue
		}
		list = append(list, iot.DeviceState{
			ID:     iot.DeviceID{ProductKey: productKey, DeviceName: name},
			Status: statusOf(row.Status), LastOnline: instant(row.LastOnlineTime),
		})
	}
	return list, nil
}

// states reads one batch. That the platform leaves a device out which it does not have is documented for
// BatchQueryDeviceDetail alone: should it refuse the whole batch instead, the batch is halved until the device is found.
func (in *instance) states(ctx context.Context, productKey string, names []string) ([]stateRow, error) {
	var out struct {
		DeviceStatusList struct{ DeviceStatus []stateRow }
	}
	query := rpc.Params{"ProductKey": productKey}
	query.Repeat("DeviceName", names)
	err := in.read(ctx, "BatchGetDeviceState", query, &out)
	if codeOf(err) != noDevice {
		return out.DeviceStatusList.DeviceStatus, err
	}
	if len(names) == 1 {
		return nil, nil
	}
	half := len(names) / 2
	rows, err := in.states(ctx, productKey, names[:half])
	if err != nil {
		return nil, err
	}
	more, err := in.states(ctx, productKey, names[half:])
	return append(rows, more...), err
}

// batch refuses a batch that the platform would refuse, or cut without a word, or that the SDK would send with a gap.
func batch(api, productKey string, names []string, most int) error {
	if n := len(names); n < 1 || n > most {
		return refuse(api, fmt.Sprintf("%d device names: 1 to %d are allowed in a call", n, most))
	}
	if err := named(api, productKey); err != nil {
		return err
	}
	return named(api, names...)
}

// statusOf reads the platform's word for a status. One that is not documented stays as it is, in lower case.
func statusOf(word string) iot.Status {
	if word = strings.ToLower(word); word != "disable" {
		return iot.Status(word)
	}
	return iot.Disabled
}
