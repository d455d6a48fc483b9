package town

import (
	"context"
	"errors"
	"fmt"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

// Relations reads the topology of all gateways of a plan as an instance shows it. A gateway that the instance does not
// have has no relations there.
func Relations(ctx context.Context, at iot.View, plan *migrate.Plan) ([]topology.Relation, error) {
	var all []topology.Relation
	for _, lane := range plan.Lanes {
		for _, f := range lane.Families {
			if f.Gateway.IsZero() {
				continue
			}
			subs, err := children(ctx, at, f.Gateway)
			if err != nil {
				return nil, err
			}
			all = append(all, subs...)
		}
	}
	return all, nil
}

func children(ctx context.Context, at iot.View, gateway iot.DeviceID) ([]topology.Relation, error) {
	var subs []topology.Relation
	for sub, err := range at.Children(ctx, gateway) {
		if errors.Is(err, iot.NotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read sub-devices of %s at %s: %w", gateway, at.Info, err)
		}
		subs = append(subs, topology.Relation{Gateway: gateway, Sub: sub})
	}
	return subs, nil
}
