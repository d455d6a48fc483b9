package configdiff

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// members compares the devices of each group that both instances have. A group of the source still shows devices that have moved. The devices of one group
// at a time are in memory.
func (r *run) members() error {
	if r.source.Config.DeviceGroups == nil || r.target.Config.DeviceGroups == nil || unread(r.from, DeviceGroup) || unread(r.to, DeviceGroup) {
		return nil // that groups were not read says it
	}
	byName := map[string]string{}
	for _, g := range r.to.DeviceGroups {
		byName[g.Name] = g.ID
	}
	cover := Coverage{Kind: Member}
	end := r.o.clock().Now().Add(r.o.budget())
	for _, g := range r.from.DeviceGroups {
		id, ok := byName[g.Name]
		if !ok {
			continue
		}
		if !r.o.clock().Now().Before(end) {
			r.unread(Member, r.source, fmt.Sprintf("group %s and those behind it: the time for it was used up", quoted(g.Name)))
			break
		}
		err := r.group(g, id, &cover)
		if errors.Is(err, iot.Denied) {
			r.unread(Member, r.source, fmt.Sprintf("group %s and those behind it: %s", quoted(g.Name), notAllowed))
			break
		}
		if err != nil {
			return fmt.Errorf("configdiff: compare the devices of group %s: %w", quoted(g.Name), err)
		}
	}
	r.report.Coverage = append(r.report.Coverage, cover)
	return nil
}

func (r *run) group(g iot.DeviceGroup, targetID string, cover *Coverage) error {
	there, err := r.membersOf(r.target, targetID)
	if errors.Is(err, iot.NotFound) { // it was there when the groups were compared
		r.unread(Member, r.target, fmt.Sprintf("group %s is not there any more", quoted(g.Name)))
		return nil
	}
	if err != nil {
		return err
	}
	here, err := r.membersOf(r.source, g.ID)
	if errors.Is(err, iot.NotFound) { // the owner has deleted it already
		r.unread(Member, r.source, fmt.Sprintf("group %s is not there any more", quoted(g.Name)))
		return nil
	}
	if err != nil {
		return err
	}
	var absent []iot.DeviceID
	for _, id := range slices.SortedFunc(maps.Keys(here), iot.DeviceID.Compare) {
		cover.Devices++
		cover.Read++
		if !there[id] {
			absent = append(absent, id)
		}
		delete(there, id)
	}
	if err := r.missingMembers(g, absent, cover); err != nil {
		return err
	}
	for _, id := range slices.SortedFunc(maps.Keys(there), iot.DeviceID.Compare) {
		r.byDevice.add(Member, Extra, "", g.Name, id)
	}
	return nil
}

// missingMembers reports those devices that are at the target and not in the group there; the others have not moved.
func (r *run) missingMembers(g iot.DeviceGroup, absent []iot.DeviceID, cover *Coverage) error {
	for batch := range byProduct(absent) {
		names := make([]string, len(batch))
		for i, id := range batch {
			names[i] = id.DeviceName
		}
		states, err := patiently(r.ctx, r.o.Clock, func() ([]iot.DeviceState, error) {
			return r.target.States(r.ctx, batch[0].ProductKey, names)
		})
		if err != nil {
			return err
		}
		cover.Absent += len(batch) - len(states)
		for _, s := range states {
			r.byDevice.add(Member, Missing, "", g.Name, s.ID)
		}
	}
	return nil
}

// byProduct yields sorted devices in batches of one product that fit into a call.
func byProduct(ids []iot.DeviceID) func(func([]iot.DeviceID) bool) {
	return func(yield func([]iot.DeviceID) bool) {
		for len(ids) > 0 {
			n := 1
			for n < min(len(ids), iot.MaxStates) && ids[n].ProductKey == ids[0].ProductKey {
				n++
			}
			if !yield(ids[:n]) {
				return
			}
			ids = ids[n:]
		}
	}
}

// membersOf reads the devices of a group that are of the products compared.
func (r *run) membersOf(at iot.View, groupID string) (map[iot.DeviceID]bool, error) {
	return patiently(r.ctx, r.o.Clock, func() (map[iot.DeviceID]bool, error) {
		out := map[iot.DeviceID]bool{}
		for id, err := range at.Config.DeviceGroups.GroupDevices(r.ctx, groupID) {
			if err != nil {
				return nil, err
			}
			if slices.Contains(r.from.Products, id.ProductKey) {
				out[id] = true
			}
		}
		return out, nil
	})
}
