package fake

import (
	"context"
	"regexp"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// QueryDeviceGroupListRequest asks for a page of the static groups: those of the first level, or those in SuperGroupId.
// PageSize is 1 to 200, 10 by default.
type QueryDeviceGroupListRequest struct {
	IotInstanceId         string
	CurrentPage, PageSize int
	SuperGroupId          string
}

// DeviceGroupInfo is one group.
type DeviceGroupInfo struct{ GroupId, GroupName, GroupDesc string }

// QueryDeviceGroupListResponse is a page of groups, newest first.
type QueryDeviceGroupListResponse struct {
	Total, PageCount, CurrentPage, PageSize int
	GroupInfo                               []DeviceGroupInfo
}

// QueryDeviceGroupList lists groups of devices.
func (c *Cloud) QueryDeviceGroupList(
	ctx context.Context, r QueryDeviceGroupListRequest,
) (QueryDeviceGroupListResponse, error) {
	op := Op{Name: "QueryDeviceGroupList", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (QueryDeviceGroupListResponse, error) {
		var out QueryDeviceGroupListResponse
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return out, err
		}
		page, size, err := pageOf(r.CurrentPage, r.PageSize, 10, 200)
		if err != nil {
			return out, err
		}
		list := slices.DeleteFunc(slices.Clone(in.deviceGroups), func(g *deviceGroup) bool { return g.Parent != r.SuperGroupId })
		slices.Reverse(list)
		out = QueryDeviceGroupListResponse{Total: len(list), PageCount: pages(len(list), size), CurrentPage: page, PageSize: size}
		for _, g := range cut(list, page, size) {
			out.GroupInfo = append(out.GroupInfo, g.info())
		}
		return out, nil
	})
}

func (g *deviceGroup) info() DeviceGroupInfo { return DeviceGroupInfo{g.ID, g.Name, g.Description} }

// QueryDeviceGroupByDeviceResponse holds the groups of a device.
type QueryDeviceGroupByDeviceResponse struct{ GroupInfo []DeviceGroupInfo }

// QueryDeviceGroupByDevice lists the groups that a device is in.
func (c *Cloud) QueryDeviceGroupByDevice(
	ctx context.Context, r DeviceRequest,
) (QueryDeviceGroupByDeviceResponse, error) {
	return call(ctx, c, deviceOp("QueryDeviceGroupByDevice", r.IotInstanceId, r.id()), func(Fault) (QueryDeviceGroupByDeviceResponse, error) {
		var out QueryDeviceGroupByDeviceResponse
		v, d, err := c.find(r.IotInstanceId, r.id())
		if err != nil {
			return out, err
		}
		for _, g := range d.groupsOn(v.in) {
			out.GroupInfo = append(out.GroupInfo, g.info())
		}
		return out, nil
	})
}

// QueryDeviceListByDeviceGroupRequest asks for a page of a group's devices. PageSize is 1 to 50, 10 by default: the platform documents no
// largest one.
type QueryDeviceListByDeviceGroupRequest struct {
	IotInstanceId, GroupId string
	CurrentPage, PageSize  int
}

// QueryDeviceListByDeviceGroupResponse is a page of devices.
type QueryDeviceListByDeviceGroupResponse struct {
	Total, PageCount, Page, PageSize int
	SimpleDeviceInfo                 []TopoDevice
}

// QueryDeviceListByDeviceGroup lists the devices of a group, those that have moved away included.
func (c *Cloud) QueryDeviceListByDeviceGroup(
	ctx context.Context, r QueryDeviceListByDeviceGroupRequest,
) (QueryDeviceListByDeviceGroupResponse, error) {
	op := Op{Name: "QueryDeviceListByDeviceGroup", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (QueryDeviceListByDeviceGroupResponse, error) {
		var out QueryDeviceListByDeviceGroupResponse
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return out, err
		}
		g, err := in.deviceGroup(r.GroupId)
		if err != nil {
			return out, err
		}
		page, size, err := pageOf(r.CurrentPage, r.PageSize, 10, 50)
		if err != nil {
			return out, err
		}
		out = QueryDeviceListByDeviceGroupResponse{
			Total: len(g.devices), PageCount: pages(len(g.devices), size), Page: page, PageSize: size,
		}
		for _, d := range cut(g.devices, page, size) {
			out.SimpleDeviceInfo = append(out.SimpleDeviceInfo, TopoDevice{d.product.key, d.name, d.iotID()})
		}
		return out, nil
	})
}

// CreateDeviceGroupRequest creates a group: GroupName has 4 to 30 letters, digits and underscores.
type CreateDeviceGroupRequest struct{ IotInstanceId, GroupName, GroupDesc, SuperGroupId string }

// CreateDeviceGroup creates a group of devices.
func (c *Cloud) CreateDeviceGroup(ctx context.Context, r CreateDeviceGroupRequest) (DeviceGroupInfo, error) {
	op := Op{Name: "CreateDeviceGroup", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (DeviceGroupInfo, error) {
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return DeviceGroupInfo{}, err
		}
		if !regexp.MustCompile(`^[A-Za-z0-9_]{4,30}$`).MatchString(r.GroupName) {
			return DeviceGroupInfo{}, refuse(codeBadDeviceGroup, "a group's name has 4 to 30 letters, digits and underscores")
		}
		if slices.ContainsFunc(in.deviceGroups, func(g *deviceGroup) bool { return g.Name == r.GroupName }) {
			return DeviceGroupInfo{}, refuse(codeDeviceGroupTaken, "there is a group %q already", r.GroupName)
		}
		if r.SuperGroupId != "" {
			if _, err := in.deviceGroup(r.SuperGroupId); err != nil {
				return DeviceGroupInfo{}, err
			}
		}
		g := in.addDeviceGroup(iot.DeviceGroup{Name: r.GroupName, Description: r.GroupDesc, Parent: r.SuperGroupId})
		return g.info(), nil
	})
}

// BatchAddDeviceGroupRelationsRequest puts up to 200 devices into a group.
type BatchAddDeviceGroupRelationsRequest struct {
	IotInstanceId, GroupId string
	Device                 []iot.DeviceID
}

// BatchAddDeviceGroupRelationsResponse counts what became of them.
type BatchAddDeviceGroupRelationsResponse struct {
	ValidDeviceCount, ExceedTenGroupDeviceCount, AlreadyRelatedGroupDeviceCount, SuccessAddedDeviceCount int
}

// BatchAddDeviceGroupRelations puts devices into a group. Those that the instance does not have are not valid, and left out.
func (c *Cloud) BatchAddDeviceGroupRelations(
	ctx context.Context, r BatchAddDeviceGroupRelationsRequest,
) (BatchAddDeviceGroupRelationsResponse, error) {
	op := Op{Name: "BatchAddDeviceGroupRelations", Instance: r.IotInstanceId}
	return call(ctx, c, op, func(Fault) (BatchAddDeviceGroupRelationsResponse, error) {
		var out BatchAddDeviceGroupRelationsResponse
		in, err := c.instance(r.IotInstanceId)
		if err != nil {
			return out, err
		}
		g, err := in.deviceGroup(r.GroupId)
		switch {
		case err != nil:
			return out, err
		case len(r.Device) == 0 || len(r.Device) > iot.MaxGroupDevices:
			return out, refuse(codeBadDeviceGroup, "%d devices: 1 to %d are allowed", len(r.Device), iot.MaxGroupDevices)
		}
		for _, id := range r.Device {
			_, d, err := c.find(in.id, id)
			if err != nil {
				continue
			}
			out.ValidDeviceCount++
			there := d.groupsOn(in)
			switch {
			case slices.Contains(there, g):
				out.AlreadyRelatedGroupDeviceCount++
			case len(there) >= iot.MaxGroupsOfDevice:
				out.ExceedTenGroupDeviceCount++
			default:
				g.add(d)
				out.SuccessAddedDeviceCount++
			}
		}
		return out, nil
	})
}
