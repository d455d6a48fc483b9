package fake

import (
	"context"
	"iter"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// DeviceGroups goes from level to level: the API lists the groups of the first level, or those in one group.
func (d *driver) DeviceGroups(ctx context.Context) iter.Seq2[iot.DeviceGroup, error] {
	return func(yield func(iot.DeviceGroup, error) bool) {
		for next := []string{""}; len(next) > 0; next = next[1:] {
			for g, err := range d.groupsIn(ctx, next[0]) {
				if !yield(g, err) || err != nil {
					return
				}
				next = append(next, g.ID)
			}
		}
	}
}

func (d *driver) groupsIn(ctx context.Context, parent string) iter.Seq2[iot.DeviceGroup, error] {
	return paged(func(page int) ([]iot.DeviceGroup, bool, error) {
		out, err := read(ctx, d, "QueryDeviceGroupList", func() (QueryDeviceGroupListResponse, error) {
			return d.cloud.QueryDeviceGroupList(ctx, QueryDeviceGroupListRequest{
				IotInstanceId: d.id, CurrentPage: page, PageSize: 200, SuperGroupId: parent,
			})
		})
		var list []iot.DeviceGroup
		for _, row := range out.GroupInfo {
			list = append(list, iot.DeviceGroup{ID: row.GroupId, Name: row.GroupName, Description: row.GroupDesc, Parent: parent})
		}
		return list, page < out.PageCount, err
	})
}

func (d *driver) GroupDevices(ctx context.Context, groupID string) iter.Seq2[iot.DeviceID, error] {
	return paged(func(page int) ([]iot.DeviceID, bool, error) {
		out, err := read(ctx, d, "QueryDeviceListByDeviceGroup", func() (QueryDeviceListByDeviceGroupResponse, error) {
			return d.cloud.QueryDeviceListByDeviceGroup(ctx, QueryDeviceListByDeviceGroupRequest{
				IotInstanceId: d.id, GroupId: groupID, CurrentPage: page, PageSize: 50,
			})
		})
		var list []iot.DeviceID
		for _, row := range out.SimpleDeviceInfo {
			list = append(list, iot.DeviceID{ProductKey: row.ProductKey, DeviceName: row.DeviceName})
		}
		return list, page < out.PageCount, err
	})
}

func (d *driver) DeviceGroupsOf(ctx context.Context, id iot.DeviceID) ([]string, error) {
	out, err := read(ctx, d, "QueryDeviceGroupByDevice", func() (QueryDeviceGroupByDeviceResponse, error) {
		return d.cloud.QueryDeviceGroupByDevice(ctx, DeviceRequest{d.id, id.ProductKey, id.DeviceName})
	})
	var list []string
	for _, row := range out.GroupInfo {
		list = append(list, row.GroupId)
	}
	return list, err
}

func (d *driver) CreateDeviceGroup(ctx context.Context, g iot.DeviceGroup) (iot.DeviceGroup, error) {
	out, err := write(ctx, d, "CreateDeviceGroup", func() (DeviceGroupInfo, error) {
		return d.cloud.CreateDeviceGroup(ctx, CreateDeviceGroupRequest{d.id, g.Name, g.Description, g.Parent})
	})
	if err != nil {
		return iot.DeviceGroup{}, err
	}
	g.ID = out.GroupId
	return g, nil
}

func (d *driver) AddToDeviceGroup(ctx context.Context, groupID string, ids []iot.DeviceID) (iot.GroupAdded, error) {
	const api = "BatchAddDeviceGroupRelations"
	if n := len(ids); n == 0 || n > iot.MaxGroupDevices {
		return iot.GroupAdded{}, tooManyOf(api, "devices", n, iot.MaxGroupDevices)
	}
	out, err := write(ctx, d, api, func() (BatchAddDeviceGroupRelationsResponse, error) {
		return d.cloud.BatchAddDeviceGroupRelations(ctx, BatchAddDeviceGroupRelationsRequest{d.id, groupID, slices.Clone(ids)})
	})
	return iot.GroupAdded{
		Added: out.SuccessAddedDeviceCount, Already: out.AlreadyRelatedGroupDeviceCount, Full: out.ExceedTenGroupDeviceCount,
	}, err
}
