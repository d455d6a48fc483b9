package migrate

import (
	"context"
	"fmt"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// home compares the topology of the families that were returned with the plan.
func (x execution) home(ctx context.Context) {
	e := x.here(EntryHome)
	e.Wave = 0
	for devices := x.task.Devices; len(devices) > 0; {
		n := 1
		for n < len(devices) && devices[n].Family == devices[0].Family {
			n++
		}
		if err := familyIsHome(ctx, x.r.config.Platform.Source.View, x.task.Family(devices[0]), devices[:n]); err != nil {
			e.Error = err.Error()
			break
		}
		devices = devices[n:]
	}
	x.emit(e)
}

// familyIsHome compares what the gateway of a family has at the source with those of the family that were returned. Others of it may
// have been deleted, or given another gateway, while they were not ours.
func familyIsHome(ctx context.Context, source iot.View, family topology.Family, returned []TaskDevice) error {
	if family.Gateway.IsZero() {
		return nil
	}
	member, missing := make(map[iot.DeviceID]bool, family.Len()), make(map[iot.DeviceID]bool, len(returned))
	for _, id := range family.Devices {
		member[id] = true
	}
	whole := false
	for _, d := range returned {
		missing[d.ID] = d.ID != family.Gateway
		whole = whole || d.ID == family.Gateway
	}
	if !whole {
		return nil // the gateway was deleted
	}
	has, err := children(ctx, source, family.Gateway)
	if err != nil {
		return fmt.Errorf("topology of gateway %s: %w", family.Gateway, err)
	}
	for _, id := range has {
		if !member[id] {
			return fmt.Errorf("topology of gateway %s: it has sub-device %s, which was not in the plan", family.Gateway, id)
		}
		missing[id] = false
	}
	for _, id := range family.Devices {
		if missing[id] {
			return fmt.Errorf("topology of gateway %s: sub-device %s is missing", family.Gateway, id)
		}
	}
	return nil
}
