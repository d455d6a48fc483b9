package verify

import (
	"context"
	"fmt"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A states is what one instance shows of devices; it has no entry for those that are not there.
type states map[iot.DeviceID]iot.DeviceState

// readStates reads the states of devices of any products at one instance.
func readStates(ctx context.Context, at iot.View, ids []iot.DeviceID) (states, error) {
	all := make(states, len(ids))
	for _, list := range chunks(ids, func(id iot.DeviceID) string { return id.ProductKey }) {
		names := make([]string, len(list))
		for i, id := range list {
			names[i] = id.DeviceName
		}
		got, err := at.States(ctx, list[0].ProductKey, names)
		if err != nil {
			return nil, fmt.Errorf("verify: read states at %s: %w", at.Info, err)
		}
		for _, state := range got {
			all[state.ID] = state
		}
	}
	return all, nil
}

// readBoth reads the target first, then the source: what the target showed and the source does no longer is
// certainly moved.
func readBoth(ctx context.Context, s *migrate.Subject, ids []iot.DeviceID) (target, source states, err error) {
	target, err = readStates(ctx, s.Target.View, ids)
	if err != nil {
		return nil, nil, err
	}
	source, err = readStates(ctx, s.Source.View, ids)
	return target, source, err
}

func idsOf(devices []migrate.SubjectDevice) []iot.DeviceID {
	ids := make([]iot.DeviceID, len(devices))
	for i, d := range devices {
		ids[i] = d.ID
	}
	return ids
}

// gatewaysOf returns the gateways of the sub-devices among devices, each once.
func gatewaysOf(devices []migrate.SubjectDevice) []iot.DeviceID {
	var ids []iot.DeviceID
	known := make(map[iot.DeviceID]bool)
	for _, d := range devices {
		if d.Node == iot.SubDevice && !known[d.Gateway] {
			known[d.Gateway] = true
			ids = append(ids, d.Gateway)
		}
	}
	return ids
}

// api names a call at an instance, as the source of evidence.
func api(name string, at iot.View) string {
	return fmt.Sprintf("%s at %s", name, at.Info)
}

// statesAPI is where states are seen.
const statesAPI = "BatchGetDeviceState"
