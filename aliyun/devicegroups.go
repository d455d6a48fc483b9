package aliyun

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

const (
	deviceGroupPage = 200 // rows of QueryDeviceGroupList
	groupDevicePage = 50  // of QueryDeviceListByDeviceGroup, whose largest page is not documented
)

// A deviceGroup is a group as the platform has it.
type deviceGroup struct{ GroupId, GroupName, GroupDesc string }

// DeviceGroups goes from level to level. It is not documented whether the list without a parent is of the first level or of all
// groups, so a group that was seen and turns up below another one is that one's; each is yielded once.
func (in *instance) DeviceGroups(ctx context.Context) iter.Seq2[iot.DeviceGroup, error] {
	return func(yield func(iot.DeviceGroup, error) bool) {
		tree, err := in.groupTree(ctx)
		if err != nil {
			yield(iot.DeviceGroup{}, err)
			return
		}
		for _, g := range tree {
			if !yield(g, nil) {
				return
			}
		}
	}
}

// groupTree reads all groups, parents first. Each group costs a call: the one for its children.
func (in *instance) groupTree(ctx context.Context) ([]iot.DeviceGroup, error) {
	var first, below []iot.DeviceGroup
	parents := map[string]string{}
	for g, err := range in.groupsIn(ctx, "") {
		if err != nil {
			return nil, err
		}
		first = append(first, g)
	}
	for next := first; len(next) > 0; next = next[1:] {
		for g, err := range in.groupsIn(ctx, next[0].ID) {
			if errors.Is(err, iot.NotFound) { // the group was deleted meanwhile
				break
			}
			if err != nil {
				return nil, err
			}
			if _, seen := parents[g.ID]; seen || g.ID == next[0].ID {
				continue
			}
			parents[g.ID] = g.Parent
			below, next = append(below, g), append(next, g)
		}
	}
	var tree []iot.DeviceGroup
	for _, g := range first {
		if _, isBelow := parents[g.ID]; !isBelow {
			tree = append(tree, g)
		}
	}
	return parentsFirst(append(tree, below...)), nil
}

// parentsFirst orders groups so that each comes after its parent, and else as they are.
func parentsFirst(groups []iot.DeviceGroup) []iot.DeviceGroup {
	done, out := map[string]bool{"": true}, make([]iot.DeviceGroup, 0, len(groups))
	for len(groups) > 0 {
		var later []iot.DeviceGroup
		for _, g := range groups {
			if !done[g.Parent] {
				later = append(later, g)
				continue
			}
			done[g.ID] = true
			out = append(out, g)
		}
		if len(later) == len(groups) { // parents that are nobody's: not a tree, so let them be seen
			return append(out, later...)
		}
		groups = later
	}
	return out
}

func (in *instance) groupsIn(ctx context.Context, parent string) iter.Seq2[iot.DeviceGroup, error] {
	const api = "QueryDeviceGroupList"
	return pages(api, deviceGroupPage, func(page string) ([]iot.DeviceGroup, int, error) {
		var out struct {
			Total int
			Data  struct{ GroupInfo []deviceGroup }
		}
		query := rpc.Params{"SuperGroupId": parent, "CurrentPage": page, "PageSize": strconv.Itoa(deviceGroupPage)}
		err := in.read(ctx, api, query, &out)
		var list []iot.DeviceGroup
		for _, g := range out.Data.GroupInfo {
			list = append(list, iot.DeviceGroup{ID: g.GroupId, Name: g.GroupName, Description: g.GroupDesc, Parent: parent})
		}
		return list, out.Total, err
	})
}

func (in *instance) GroupDevices(ctx context.Context, groupID string) iter.Seq2[iot.DeviceID, error] {
	const api = "QueryDeviceListByDeviceGroup"
	return pages(api, groupDevicePage, func(page string) ([]iot.DeviceID, int, error) {
		if err := named(api, groupID); err != nil {
			return nil, 0, err
		}
		var out struct {
			Total int
			Data  struct{ SimpleDeviceInfo []deviceRow }
		}
		query := rpc.Params{"GroupId": groupID, "CurrentPage": page, "PageSize": strconv.Itoa(groupDevicePage)}
		err := in.read(ctx, api, query, &out)
		return ids(out.Data.SimpleDeviceInfo), out.Total, err
	})
}

func (in *instance) DeviceGroupsOf(ctx context.Context, id iot.DeviceID) ([]string, error) {
	const api = "QueryDeviceGroupByDevice"
	if err := id.Check(); err != nil {
		return nil, err
	}
	var out struct {
		GroupInfos struct{ GroupInfo []deviceGroup }
	}
	if err := in.read(ctx, api, device(id), &out); err != nil {
		return nil, err
	}
	var list []string
	for _, g := range out.GroupInfos.GroupInfo {
		list = append(list, g.GroupId)
	}
	return list, nil
}

func (in *instance) CreateDeviceGroup(ctx context.Context, g iot.DeviceGroup) (iot.DeviceGroup, error) {
	const api = "CreateDeviceGroup"
	if err := named(api, g.Name); err != nil {
		return iot.DeviceGroup{}, err
	}
	var out struct{ Data deviceGroup }
	query := rpc.Params{"GroupName": g.Name, "GroupDesc": g.Description, "SuperGroupId": g.Parent}
	if err := in.write(ctx, rpc.Call{API: api, Query: query}, &out); err != nil {
		return iot.DeviceGroup{}, err
	}
	g.ID = out.Data.GroupId
	return g, nil
}

func (in *instance) AddToDeviceGroup(ctx context.Context, groupID string, devices []iot.DeviceID) (iot.GroupAdded, error) {
	const api = "BatchAddDeviceGroupRelations"
	if err := named(api, groupID); err != nil {
		return iot.GroupAdded{}, err
	}
	if n := len(devices); n == 0 || n > iot.MaxGroupDevices {
		return iot.GroupAdded{}, refuse(api, fmt.Sprintf("%d devices: 1 to %d are allowed in a call", n, iot.MaxGroupDevices))
	}
	query := rpc.Params{"GroupId": groupID}
	for i, d := range devices {
		if err := d.Check(); err != nil {
			return iot.GroupAdded{}, err
		}
		place := "Device." + strconv.Itoa(i+1)
		query[place+".ProductKey"], query[place+".DeviceName"] = d.ProductKey, d.DeviceName
	}
	var out struct {
		SuccessAddedDeviceCount, AlreadyRelatedGroupDeviceCount, ExceedTenGroupDeviceCount int
	}
	err := in.write(ctx, rpc.Call{API: api, Query: query}, &out)
	return iot.GroupAdded{
		Added: out.SuccessAddedDeviceCount, Already: out.AlreadyRelatedGroupDeviceCount, Full: out.ExceedTenGroupDeviceCount,
	}, err
}
