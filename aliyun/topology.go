package aliyun

import (
	"context"
	"iter"
	"strconv"

	"github.com/iotferry/iotferry/iot"
)

func (in *instance) Children(ctx context.Context, gateway iot.DeviceID) iter.Seq2[iot.DeviceID, error] {
	const (
		api  = "GetThingTopo"
		size = 50
	)
	return pages(api, size, func(page string) ([]iot.DeviceID, int, error) {
		if err := named(api, gateway.ProductKey, gateway.DeviceName); err != nil {
			return nil, 0, err
		}
		var out struct {
			Data struct {
				Total int
				List  struct {
					DeviceInfo []deviceRow `json:"deviceInfo"`
				}
			}
		}
		query := device(gateway)
		query["PageNo"], query["PageSize"] = page, strconv.Itoa(size)
		err := in.read(ctx, api, query, &out)
		return ids(out.Data.List.DeviceInfo), out.Data.Total, err
	})
}

func (in *instance) GatewayOf(ctx context.Context, sub iot.DeviceID) (iot.DeviceID, error) {
	const api = "GetGatewayBySubDevice"
	if err := named(api, sub.ProductKey, sub.DeviceName); err != nil {
		return iot.DeviceID{}, err
	}
	var out struct{ Data deviceRow }
	if err := in.read(ctx, api, device(sub), &out); err != nil {
		return iot.DeviceID{}, err
	}
	if out.Data.DeviceName == "" {
		return iot.DeviceID{}, &iot.Error{Kind: iot.NotFound, Op: api, Message: "device " + sub.String() + " has no gateway here"}
	}
	return iot.DeviceID(out.Data), nil
}
