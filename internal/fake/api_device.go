package fake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// The batch limits of state queries.
const (
	maxStates  = 50
	maxDetails = 100
)

// BatchGetDeviceStateRequest asks for the states of up to 50 devices of one product.
type BatchGetDeviceStateRequest struct {
	IotInstanceId, ProductKey string
	DeviceName                []string
}

// BatchGetDeviceStateResponse holds the states in the order of the request. A device that the instance
// does not have is left out.
type BatchGetDeviceStateResponse struct{ DeviceStatus []DeviceStatus }

// DeviceStatus is the state of a device.
type DeviceStatus struct {
	ProductKey, DeviceName string
	IotId                  string
	Status                 string
	LastOnlineTime         time.Time // zero if it never was; milliseconds
	Timestamp              time.Time // of the newest change of its state
	AsAddress              string
}

// BatchGetDeviceState reads states.
func (c *Cloud) BatchGetDeviceState(
	ctx context.Context, r BatchGetDeviceStateRequest,
) (BatchGetDeviceStateResponse, error) {
	op := Op{
		Name: "BatchGetDeviceState", Instance: r.IotInstanceId, ProductKey: r.ProductKey, Devices: r.DeviceName,
	}
	return call(ctx, c, op, func(Fault) (BatchGetDeviceStateResponse, error) {
		var out BatchGetDeviceStateResponse
		err := c.each(r.IotInstanceId, r.ProductKey, r.DeviceName, maxStates, func(v *view, d *device) {
			out.DeviceStatus = append(out.DeviceStatus, d.state(v.in))
		})
		return out, err
	})
}

// each finds the devices of a batch; those that the instance does not have are left out.
func (c *Cloud) each(instanceID, productKey string, names []string, most int, do func(*view, *device)) error {
	v, err := c.view(instanceID, productKey)
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return refuse(codeNoNames, "there is no device name")
	case len(names) > most:
		return refuse(codeBadName, "%d device names, at most %d are allowed", len(names), most)
	}
	for _, name := range names {
		if d := v.product.byName[name]; d != nil && d.shownOn(v.in) {
			do(v, d)
		}
	}
	return nil
}

func (d *device) state(in *instance) DeviceStatus {
	s := DeviceStatus{
		ProductKey: d.product.key, DeviceName: d.name, IotId: d.iotID(), Status: statusWord(d.statusOn(in)),
		LastOnlineTime: millis(d.lastOnline), Timestamp: millis(d.changedAt()),
	}
	if d.lastOnline != 0 {
		s.AsAddress = d.address()
	}
	return s
}

func (d *device) changedAt() stamp {
	if d.changed != 0 {
		return d.changed
	}
	return max(d.lastOnline, d.created)
}

// BatchQueryDeviceDetailRequest asks for the details of up to 100 devices of one product.
type BatchQueryDeviceDetailRequest struct {
	IotInstanceId, ProductKey string
	DeviceName                []string
}

// BatchQueryDeviceDetailResponse holds the details; devices that the instance does not have are left out.
type BatchQueryDeviceDetailResponse struct{ Data []DeviceDetail }

// DeviceDetail is all that the registry knows of a device.
type DeviceDetail struct {
	ProductKey, ProductName, DeviceName string
	DeviceSecret, IotId                 string
	Status                              string
	NodeType                            int
	Region, IpAddress                   string
	Owner                               bool
	UtcCreate, UtcActive, UtcOnline     time.Time
}

// BatchQueryDeviceDetail reads details.
func (c *Cloud) BatchQueryDeviceDetail(
	ctx context.Context, r BatchQueryDeviceDetailRequest,
) (BatchQueryDeviceDetailResponse, error) {
	op := Op{
		Name: "BatchQueryDeviceDetail", Instance: r.IotInstanceId, ProductKey: r.ProductKey, Devices: r.DeviceName,
	}
	return call(ctx, c, op, func(Fault) (BatchQueryDeviceDetailResponse, error) {
		var out BatchQueryDeviceDetailResponse
		err := c.each(r.IotInstanceId, r.ProductKey, r.DeviceName, maxDetails, func(v *view, d *device) {
			out.Data = append(out.Data, c.detail(v, d))
		})
		return out, err
	})
}

func (c *Cloud) detail(v *view, d *device) DeviceDetail {
	row := v.row()
	out := DeviceDetail{
		ProductKey: row.ProductKey, ProductName: row.ProductName, DeviceName: d.name,
		DeviceSecret: d.secret.Reveal(), IotId: d.iotID(), Status: statusWord(d.statusOn(v.in)),
		NodeType: row.NodeType, Region: c.account.Region, Owner: true,
		UtcCreate: millis(d.created), UtcOnline: millis(d.lastOnline),
	}
	if d.activated {
		out.UtcActive = out.UtcCreate
	}
	if d.lastOnline != 0 {
		out.IpAddress = d.address()
	}
	return out
}

// DeviceRequest asks for one device.
type DeviceRequest struct{ IotInstanceId, ProductKey, DeviceName string }

func (r DeviceRequest) id() iot.DeviceID {
	return iot.DeviceID{ProductKey: r.ProductKey, DeviceName: r.DeviceName}
}

// QueryDeviceDetail reads the details of one device.
func (c *Cloud) QueryDeviceDetail(ctx context.Context, r DeviceRequest) (DeviceDetail, error) {
	op := deviceOp("QueryDeviceDetail", r.IotInstanceId, r.id())
	return call(ctx, c, op, func(Fault) (DeviceDetail, error) {
		v, d, err := c.find(r.IotInstanceId, r.id())
		if err != nil {
			return DeviceDetail{}, err
		}
		return c.detail(v, d), nil
	})
}

// GetDeviceStatus reads the state of one device.
func (c *Cloud) GetDeviceStatus(ctx context.Context, r DeviceRequest) (DeviceStatus, error) {
	op := deviceOp("GetDeviceStatus", r.IotInstanceId, r.id())
	return call(ctx, c, op, func(Fault) (DeviceStatus, error) {
		v, d, err := c.find(r.IotInstanceId, r.id())
		if err != nil {
			return DeviceStatus{}, err
		}
		return d.state(v.in), nil
	})
}

// QueryDeviceStatisticsRequest asks for the counts of a product, or of the instance if ProductKey is empty.
type QueryDeviceStatisticsRequest struct{ IotInstanceId, ProductKey string }

// QueryDeviceStatisticsResponse holds the counts.
type QueryDeviceStatisticsResponse struct{ DeviceCount, OnlineCount, ActiveCount int }

// QueryDeviceStatistics counts devices.
func (c *Cloud) QueryDeviceStatistics(
	ctx context.Context, r QueryDeviceStatisticsRequest,
) (QueryDeviceStatisticsResponse, error) {
	op := Op{Name: "QueryDeviceStatistics", Instance: r.IotInstanceId, ProductKey: r.ProductKey}
	return call(ctx, c, op, func(Fault) (QueryDeviceStatisticsResponse, error) {
		var out QueryDeviceStatisticsResponse
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return out, err
		}
		list := in.list
		if r.ProductKey != "" {
			v, err := c.view(r.IotInstanceId, r.ProductKey)
			if err != nil {
				return out, err
			}
			list = []*view{v}
		}
		for _, v := range list {
			out.DeviceCount += v.index.size
			out.OnlineCount += v.online
			out.ActiveCount += v.active
		}
		return out, nil
	})
}

// RegisterDeviceResponse is the identity of a new device.
type RegisterDeviceResponse struct{ ProductKey, DeviceName, DeviceSecret, IotId string }

// RegisterDevice creates a device. A name is taken if any instance of the account has a device of that
// product and name, as certificates stay unique.
func (c *Cloud) RegisterDevice(ctx context.Context, r DeviceRequest) (RegisterDeviceResponse, error) {
	op := deviceOp("RegisterDevice", r.IotInstanceId, r.id())
	return call(ctx, c, op, func(Fault) (RegisterDeviceResponse, error) {
		v, err := c.view(r.IotInstanceId, r.ProductKey)
		switch {
		case err != nil:
			return RegisterDeviceResponse{}, err
		case iot.CheckDeviceName(r.DeviceName) != nil:
			return RegisterDeviceResponse{}, refuse(codeBadName, "%v", iot.CheckDeviceName(r.DeviceName))
		case v.product.byName[r.DeviceName] != nil:
			return RegisterDeviceResponse{}, refuse(codeNameTaken, "there is a device %s already", r.id())
		}
		d := c.register(v, r.DeviceName)
		return RegisterDeviceResponse{v.product.key, d.name, d.secret.Reveal(), d.iotID()}, nil
	})
}

func (c *Cloud) register(v *view, name string) *device {
	seed := seedOf(v.product.key, name)
	secret := fmt.Sprintf("%016x%016x", mix(seed, 3), mix(seed, 4))
	d := v.product.newDevice(name, iot.NewSecret(secret), v.in, c.at)
	d.reconnects = true
	c.show(d, v.in)
	c.emitLifecycle(d, "create")
	return d
}

// ListDistributedDeviceRequest asks for a page of the devices that device distribution has placed.
// PageSize is 1 to 200. The API takes no instance; the other fields filter.
type ListDistributedDeviceRequest struct {
	CurrentPage, PageSize        int
	ProductKey, TargetInstanceId string
}

// ListDistributedDeviceResponse is a page of them.
type ListDistributedDeviceResponse struct {
	Total int
	Items []DistributedDevice // Data.Info.items
}

// DistributedDevice is one device that was distributed.
type DistributedDevice struct{ ProductKey, DeviceName, TargetInstanceId, TargetRegion string }

// ListDistributedDevice lists what device distribution has placed, the public instance by the ID that the
// platform uses for it here.
func (c *Cloud) ListDistributedDevice(
	ctx context.Context, r ListDistributedDeviceRequest,
) (ListDistributedDeviceResponse, error) {
	op := Op{Name: "ListDistributedDevice", ProductKey: r.ProductKey}
	return call(ctx, c, op, func(Fault) (ListDistributedDeviceResponse, error) {
		page, size, err := pageOf(r.CurrentPage, r.PageSize, 10, 200)
		if err != nil {
			return ListDistributedDeviceResponse{}, err
		}
		list := c.distributed(r)
		return ListDistributedDeviceResponse{Total: len(list), Items: cut(list, page, size)}, nil
	})
}

func (c *Cloud) distributed(r ListDistributedDeviceRequest) []DistributedDevice {
	var list []DistributedDevice
	for _, p := range c.products {
		if r.ProductKey != "" && r.ProductKey != p.key {
			continue
		}
		for _, d := range p.devices {
			placed := c.placedID(d.home)
			if d.distributed && (r.TargetInstanceId == "" || r.TargetInstanceId == placed) {
				list = append(list, DistributedDevice{p.key, d.name, placed, c.account.Region})
			}
		}
	}
	slices.SortFunc(list, func(a, b DistributedDevice) int {
		return strings.Compare(a.ProductKey+"/"+a.DeviceName, b.ProductKey+"/"+b.DeviceName)
	})
	return list
}

// placedID is the ID of an instance in device distribution, where the public one has an ID too.
func (c *Cloud) placedID(in *instance) string {
	if in.id != "" {
		return in.id
	}
	number := map[string]string{
		"cn-shanghai": "200", "ap-northeast-1": "300", "ap-southeast-1": "400",
		"us-west-1": "500", "us-east-1": "600", "eu-central-1": "700",
	}[c.account.Region]
	return "iotx-oxssharez" + number
}
