package migrate

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// before looks at a wave just before its move: who is asleep, who is not where the plan thinks, and which families are not
// what the plan thinks.
func (x execution) before(ctx context.Context) {
	b := beforeLook{execution: x, entry: x.here(EntryWave), seen: make(map[iot.DeviceID]sighting)}
	if err := b.look(ctx); err != nil {
		b.entry = x.here(EntryWave)
		b.entry.Error = err.Error()
	}
	x.emit(b.entry)
}

// A beforeLook collects what is seen before a wave. The instances are read first, and then the topology at the source.
type beforeLook struct {
	execution
	entry Entry
	seen  map[iot.DeviceID]sighting // members of families with a gateway
}

func (b *beforeLook) look(ctx context.Context) error {
	for s, err := range b.locate(ctx) {
		if err != nil {
			return err
		}
		b.sort(s)
	}
	if err := b.lookAtFollowers(ctx); err != nil {
		return err
	}
	gateways := b.gateways()
	children, err := b.readChildren(ctx, gateways)
	if err != nil {
		return err
	}
	var fresh []TaskDevice
	for i, g := range gateways {
		added, err := b.compare(ctx, g, children[i])
		if err != nil {
			return err
		}
		fresh = append(fresh, added...)
	}
	return b.lookAtFresh(ctx, fresh)
}

// sort records where a planned device was seen.
func (b *beforeLook) sort(s sighting) {
	id := s.device.ID
	switch e := &b.entry; {
	case s.atSource && s.atTarget:
		e.Both = append(e.Both, id)
	case s.atTarget:
		e.Arrived = append(e.Arrived, id)
	case !s.atSource:
		e.Gone = append(e.Gone, id)
	}
	if !b.task.Family(s.device).Gateway.IsZero() {
		b.seen[id] = s
	}
	if s.atSource && s.status != iot.Online && b.lane().follows(id).IsZero() {
		b.entry.Asleep = append(b.entry.Asleep, id)
	}
}

// lookAtFollowers looks at the gateways of sub-devices that follow them. Such a sub-device is offline because its gateway has
// left it behind; it is asleep only if the gateway is offline as well.
func (b *beforeLook) lookAtFollowers(ctx context.Context) error {
	for _, d := range b.task.Devices {
		gateway := b.lane().follows(d.ID)
		if gateway.IsZero() {
			continue
		}
		target := b.r.config.Platform.Target.View
		states, err := again(ctx, func() (map[string]iot.DeviceState, error) {
			return statesByName(ctx, target, gateway.ProductKey, []string{gateway.DeviceName})
		})
		if err != nil {
			return err
		}
		switch state, there := states[gateway.DeviceName]; {
		case !there:
			b.drifted(d.ID, "BatchGetDeviceState at "+target.Info.String(), fmt.Sprintf("its gateway %s, which it was to follow, is not there", gateway))
		case state.Status != iot.Online:
			b.entry.Asleep = append(b.entry.Asleep, d.ID)
		}
	}
	return nil
}

func (b *beforeLook) drifted(id iot.DeviceID, source, seen string) {
	b.entry.Drifted = append(b.entry.Drifted, Failure{Device: id, Evidence: Evidence{Source: source, At: b.r.config.Clock.Now(), Seen: seen}})
}

// gateways returns a device of each family of the wave that has a gateway.
func (b *beforeLook) gateways() []TaskDevice {
	var out []TaskDevice
	last := -1
	for _, d := range b.task.Devices {
		if d.Family != last && !b.task.Family(d).Gateway.IsZero() {
			out = append(out, d)
		}
		last = d.Family
	}
	return out
}

// readChildren reads what sub-devices the families' gateways have where they are, several gateways at once: somebody may have moved a
// gateway with sub-devices that the plan does not know.
func (b *beforeLook) readChildren(ctx context.Context, families []TaskDevice) ([][]iot.DeviceID, error) {
	out := make([][]iot.DeviceID, len(families))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(surveyReaders)
	for i, d := range families {
		gateway := b.task.Family(d).Gateway
		at := b.r.config.Platform.Source.View
		switch s := b.seen[gateway]; {
		case s.atSource:
		case s.atTarget:
			at = b.r.config.Platform.Target.View
		default:
			continue
		}
		group.Go(func() (err error) {
			if out[i], err = children(ctx, at, gateway); err != nil {
				return fmt.Errorf("read sub-devices of gateway %s: %w", gateway, err)
			}
			return nil
		})
	}
	return out, group.Wait()
}

// compare compares a family with what its gateway has, and returns the sub-devices that are new.
func (b *beforeLook) compare(ctx context.Context, d TaskDevice, children []iot.DeviceID) (fresh []TaskDevice, err error) {
	family := b.task.Family(d)
	has := make(map[iot.DeviceID]bool, len(children))
	for _, id := range children {
		has[id] = true
	}
	for _, id := range family.Devices {
		s, asked := b.seen[id]
		if id != family.Gateway && asked && s.atSource && !s.atTarget && !has[id] {
			if err := b.strayed(ctx, id, family.Gateway); err != nil {
				return nil, err
			}
		}
		delete(has, id)
	}
	for _, id := range children {
		switch {
		case !has[id]:
		case b.takes(id.ProductKey):
			fresh = append(fresh, TaskDevice{ID: id, Family: d.Family})
		default:
			b.drifted(family.Gateway, b.topo(), fmt.Sprintf("it has a new sub-device %s, of a product that is not in the lane", id))
		}
		delete(has, id)
	}
	return fresh, nil
}

func (b *beforeLook) topo() string {
	return "GetThingTopo at " + b.r.config.Platform.Source.Info.String()
}

// strayed finds out which gateway a sub-device has at the source, when it is not the planned one. If that has left the source, the
// platform may not show that they belong together.
func (b *beforeLook) strayed(ctx context.Context, id, planned iot.DeviceID) error {
	source := b.r.config.Platform.Source
	gateway, err := again(ctx, func() (iot.DeviceID, error) { return source.GatewayOf(ctx, id) })
	switch {
	case errors.Is(err, iot.NotFound) && !b.seen[planned].atSource, gateway == planned:
		return nil
	case errors.Is(err, iot.NotFound):
		b.drifted(id, b.topo(), fmt.Sprintf("it is no sub-device of gateway %s any more, nor of another one", planned))
	case err != nil:
		return fmt.Errorf("read gateway of %s: %w", id, err)
	default:
		b.drifted(id, "GetGatewayBySubDevice at "+source.Info.String(), fmt.Sprintf("its gateway is %s, planned is %s", gateway, planned))
	}
	return nil
}

// takes reports whether sub-devices of a product move in this lane.
func (b *beforeLook) takes(productKey string) bool {
	for _, p := range b.lane().Lane.Products {
		if p.Key == productKey {
			return p.NodeType == iot.SubDevice
		}
	}
	return false
}

// lookAtFresh records new sub-devices, where they are and how.
func (b *beforeLook) lookAtFresh(ctx context.Context, fresh []TaskDevice) error {
	x := b.execution
	x.task.Devices = fresh
	for s, err := range x.locate(ctx) {
		if err != nil {
			return err
		}
		gateway := b.task.Family(s.device).Gateway
		if !s.atSource && !s.atTarget {
			return fmt.Errorf("sub-device %s of gateway %s is on neither instance: look again", s.device.ID, gateway)
		}
		b.entry.Joined = append(b.entry.Joined, topology.Relation{Gateway: gateway, Sub: s.device.ID})
		b.sort(s)
	}
	return nil
}
