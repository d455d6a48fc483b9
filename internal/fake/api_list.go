package fake

import (
	"context"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// The limits of a device list.
const (
	maxDevicePage = 50
	tokenRows     = 10_000    // beyond, a NextToken is needed
	maxRows       = 1_000_000 // beyond, nothing can be reached
)

// QueryDeviceRequest asks for a page of a product's devices. PageSize is 1 to 50, 10 by default.
// NextToken, from the page before, is needed when PageSize × CurrentPage exceeds 10,000; it
// says where to go on, and CurrentPage does not count then.
type QueryDeviceRequest struct {
	IotInstanceId, ProductKey string
	CurrentPage, PageSize     int
	NextToken                 string
}

// QueryDeviceResponse is a page of devices, newest first.
type QueryDeviceResponse struct {
	Total, PageCount, Page, PageSize int
	NextToken                        string // empty on the last page
	DeviceInfo                       []DeviceInfo
}

// DeviceInfo is a row of a device list.
type DeviceInfo struct {
	ProductKey, DeviceName string
	DeviceSecret           string
	IotId                  string
	DeviceStatus           string // ONLINE, OFFLINE, UNACTIVE or DISABLE
	UtcCreate              time.Time
}

// A place is where in a device list a page begins.
type place struct {
	below int // only ordinals below this one
	rows  int // how many rows went before
}

// token writes a place so that it stays valid when devices come and go.
func (p place) token() string { return fmt.Sprintf("%x-%x", p.below, p.rows) }

func readToken(s string) (place, bool) {
	var p place
	n, err := fmt.Sscanf(s, "%x-%x", &p.below, &p.rows)
	return p, err == nil && n == 2 && p.below >= 0 && p.rows >= 0 && p.token() == s
}

// QueryDevice lists the devices of a product. Devices that leave the instance between two pages shift
// the pages by number, not those by NextToken.
func (c *Cloud) QueryDevice(ctx context.Context, r QueryDeviceRequest) (QueryDeviceResponse, error) {
	op := Op{Name: "QueryDevice", Instance: r.IotInstanceId, ProductKey: r.ProductKey, deep: r.isDeep()}
	return call(ctx, c, op, func(Fault) (QueryDeviceResponse, error) {
		v, err := c.view(r.IotInstanceId, r.ProductKey)
		if err != nil {
			return QueryDeviceResponse{}, err
		}
		page, size, err := pageOf(r.CurrentPage, r.PageSize, 10, maxDevicePage)
		if err != nil {
			return QueryDeviceResponse{}, err
		}
		from, err := r.place(v, page, size)
		if err != nil {
			return QueryDeviceResponse{}, err
		}
		return v.page(from, size), nil
	})
}

func (r QueryDeviceRequest) isDeep() bool {
	rows := r.CurrentPage * r.PageSize
	if p, ok := readToken(r.NextToken); ok {
		rows = p.rows + r.PageSize
	}
	return rows >= deepRows
}

func (r QueryDeviceRequest) place(v *view, page, size int) (place, error) {
	if r.NextToken == "" {
		if page*size > tokenRows {
			return place{}, refuse(codeBadPage, "NextToken is needed beyond %d rows", tokenRows)
		}
		return v.place((page - 1) * size), nil
	}
	p, ok := readToken(r.NextToken)
	switch {
	case !ok:
		return place{}, refuse(codeBadPage, "NextToken is not one of this API")
	case v.index.size >= maxRows || p.rows+size > maxRows:
		return place{}, refuse(codeBadPage, "at most %d devices can be reached", maxRows)
	}
	return p, nil
}

// place returns where the page begins that follows so many rows.
func (v *view) place(rows int) place {
	if rows >= v.index.size {
		return place{below: 0, rows: rows}
	}
	return place{below: v.index.at(v.index.size-1-rows) + 1, rows: rows}
}

func (v *view) page(from place, size int) QueryDeviceResponse {
	out := QueryDeviceResponse{
		Total: v.index.size, PageCount: pages(v.index.size, size), Page: from.rows/size + 1, PageSize: size,
	}
	rank := v.index.below(from.below) - 1
	for ; rank >= 0 && len(out.DeviceInfo) < size; rank-- {
		d := v.product.devices[v.index.at(rank)]
		from.below = int(d.ordinal)
		out.DeviceInfo = append(out.DeviceInfo, d.info(v.in))
	}
	if rank >= 0 {
		from.rows += size
		out.NextToken = from.token()
	}
	return out
}

func (d *device) info(in *instance) DeviceInfo {
	return DeviceInfo{
		ProductKey: d.product.key, DeviceName: d.name, DeviceSecret: d.secret.Reveal(), IotId: d.iotID(),
		DeviceStatus: statusWord(d.statusOn(in)), UtcCreate: millis(d.created),
	}
}

// QueryDeviceByStatusRequest asks for a page of the devices with a status: 0 inactive, 1 online, 3 offline,
// 8 disabled. PageSize is 1 to 50, 10 by default.
type QueryDeviceByStatusRequest struct {
	IotInstanceId, ProductKey     string
	Status, CurrentPage, PageSize int
}

// QueryDeviceByStatusResponse is a page of devices, newest first.
type QueryDeviceByStatusResponse struct {
	Total, PageCount, Page, PageSize int
	SimpleDeviceInfo                 []DeviceInfo
}

// QueryDeviceByStatus lists devices by an index that runs up to Quirks.StatusLag behind.
func (c *Cloud) QueryDeviceByStatus(
	ctx context.Context, r QueryDeviceByStatusRequest,
) (QueryDeviceByStatusResponse, error) {
	op := Op{Name: "QueryDeviceByStatus", Instance: r.IotInstanceId, ProductKey: r.ProductKey}
	return call(ctx, c, op, func(Fault) (QueryDeviceByStatusResponse, error) {
		v, err := c.view(r.IotInstanceId, r.ProductKey)
		if err != nil {
			return QueryDeviceByStatusResponse{}, err
		}
		page, size, err := pageOf(r.CurrentPage, r.PageSize, 10, maxDevicePage)
		if err != nil {
			return QueryDeviceByStatusResponse{}, err
		}
		status, ok := statusOf(r.Status)
		if !ok {
			return QueryDeviceByStatusResponse{}, refuse(codeBadPage, "status %d is none of 0, 1, 3, 8", r.Status)
		}
		list := c.withStatus(v, status)
		out := QueryDeviceByStatusResponse{Total: len(list), PageCount: pages(len(list), size), Page: page, PageSize: size}
		for _, d := range cut(list, page, size) {
			row := d.info(v.in)
			row.DeviceStatus = statusWord(status)
			out.SimpleDeviceInfo = append(out.SimpleDeviceInfo, row)
		}
		return out, nil
	})
}

func statusOf(number int) (iot.Status, bool) {
	switch number {
	case 0:
		return iot.Unactive, true
	case 1:
		return iot.Online, true
	case 3:
		return iot.Offline, true
	case 8:
		return iot.Disabled, true
	}
	return "", false
}
