package aliyun

import (
	"context"
	"fmt"
	"iter"
	"strconv"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

// The documented limits of QueryDevice.
const (
	devicePage = 50        // rows
	deepRows   = 100_000   // 2 calls/s from page × rows on, 50 before
	deepShare  = 25        // so that such a page costs as much as this many others
	reach      = 1_000_000 // a product must have fewer devices
)

// Devices lists a product's devices in the fastest way that is documented. Up to 100,000 it reads QueryDevice, newest first, page
// by page with NextToken. Devices that leave the instance meanwhile do not let others be skipped, as far as a token says where to go
// on; the platform does not document more of it. Larger products are read by status: see rounds. From 1,000,000 on there
// is no documented way.
func (in *instance) Devices(ctx context.Context, productKey string) iter.Seq2[iot.Device, error] {
	return func(yield func(iot.Device, error) bool) {
		first, err := in.devicePage(ctx, productKey, 1, "")
		if err == nil && first.Total >= reach {
			err = &iot.Error{Kind: iot.Invalid, Op: "QueryDevice", Message: fmt.Sprintf(
				"product %s has %d devices, of which only %d can be listed: bring a device list, see WithDeviceLists",
				productKey, first.Total, reach)}
		}
		switch {
		case err != nil:
			yield(iot.Device{}, err)
		case first.Total < deepRows:
			in.walk(ctx, productKey, first, yield)
		default:
			in.rounds(ctx, productKey, first, yield)
		}
	}
}

// walk yields the rows of a page and of all that follow. A list that is not whole, or has no end, fails.
func (in *instance) walk(ctx context.Context, productKey string, page deviceList, yield func(iot.Device, error) bool) {
	sum := tally{total: page.Total, due: page.Total, tokens: map[string]bool{}}
	for number := 2; ; number++ {
		if err := sum.add(page); err != nil {
			yield(iot.Device{}, err)
			return
		}
		for _, row := range page.Data.DeviceInfo {
			if !yield(row.device(productKey), nil) {
				return
			}
		}
		if page.NextToken == "" {
			return
		}
		var err error
		if page, err = in.devicePage(ctx, productKey, number, page.NextToken); err != nil {
			yield(iot.Device{}, err)
			return
		}
	}
}

// A tally checks that the pages of a walk make a whole list.
type tally struct {
	rows   int
	total  int // as the page before said
	due    int // how many rows there must be in the end
	tokens map[string]bool
}

// add counts a page. Devices that left since the page before may be missing; those that were created since are newer than where
// the list began, so it has none of them.
func (t *tally) add(page deviceList) error {
	const api = "QueryDevice"
	t.rows += len(page.Data.DeviceInfo)
	t.due -= max(0, t.total-page.Total)
	t.total = page.Total
	switch token := page.NextToken; {
	case token == "" && t.rows < t.due:
		return strange(api, fmt.Sprintf("the list ends after %d of %d devices", t.rows, t.due))
	case token != "" && len(page.Data.DeviceInfo) == 0:
		return strange(api, "a page is empty, and has a token for another")
	case token != "" && t.tokens[token]:
		return strange(api, "a token came twice: the list has no end")
	default:
		t.tokens[token] = true
		return nil
	}
}

// A deviceList is a page of QueryDevice.
type deviceList struct {
	Total     int
	NextToken string // empty on the last page
	Data      struct{ DeviceInfo []listRow }
}

// A listRow is a device in a list; the two lists have different names for its status.
type listRow struct{ DeviceName, DeviceStatus, Status string }

func (r listRow) device(productKey string) iot.Device {
	return iot.Device{
		ID:     iot.DeviceID{ProductKey: productKey, DeviceName: r.DeviceName},
		Status: statusOf(r.DeviceStatus + r.Status),
	}
}

// devicePage reads a page of QueryDevice. Its number counts for the quota, and where there is no token.
func (in *instance) devicePage(ctx context.Context, productKey string, number int, token string) (deviceList, error) {
	const api = "QueryDevice"
	if err := named(api, productKey); err != nil {
		return deviceList{}, err
	}
	if err := in.payDeep(ctx, api, number*devicePage); err != nil {
		return deviceList{}, err
	}
	var out deviceList
	err := in.read(ctx, api, rpc.Params{
		"ProductKey": productKey, "CurrentPage": strconv.Itoa(number), "PageSize": strconv.Itoa(devicePage), "NextToken": token,
	}, &out)
	return out, err
}

// payDeep asks the pacer for the rest of what a page costs that is deep in a list. It is not documented that a token
// spares it.
func (in *instance) payDeep(ctx context.Context, api string, rows int) error {
	if rows < deepRows {
		return nil
	}
	for range deepShare - 1 {
		if err := in.client.config.Pacer.Wait(ctx, api); err != nil {
			return &iot.Error{Kind: iot.Transient, Op: api, Message: "not sent", Err: err}
		}
	}
	return nil
}
