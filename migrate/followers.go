package migrate

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// readFollowers asks for the gateways of sub-devices that no gateway of the source has. Those whose gateway is at the target can follow it.
func (s *Survey) readFollowers(ctx context.Context, source iot.View) error {
	loose := s.loose()
	gateways := make([]iot.DeviceID, len(loose))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(surveyReaders)
	for i, id := range loose {
		group.Go(func() error {
			gateway, err := patiently(ctx, func() (iot.DeviceID, error) { return source.GatewayOf(ctx, id) })
			if err != nil && !errors.Is(err, iot.NotFound) {
				return fmt.Errorf("read gateway of %s: %w", id, err)
			}
			gateways[i] = gateway
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	moved := s.movedGateways()
	for i, id := range loose {
		if moved[gateways[i]] {
			s.Followers = append(s.Followers, topology.Relation{Gateway: gateways[i], Sub: id})
		}
	}
	return nil
}

// loose returns the sub-devices of the source that no gateway of it has, in order.
func (s *Survey) loose() []iot.DeviceID {
	bound := map[iot.DeviceID]bool{}
	for _, g := range s.Gateways {
		for _, id := range g.Subs {
			bound[id] = true
		}
	}
	var out []iot.DeviceID
	for _, p := range s.Products {
		if p.Product.NodeType != iot.SubDevice {
			continue
		}
		for _, d := range p.Devices {
			if !bound[d.ID] {
				out = append(out, d.ID)
			}
		}
	}
	slices.SortFunc(out, iot.DeviceID.Compare)
	return out
}

// movedGateways returns the gateways that only the target has.
func (s *Survey) movedGateways() map[iot.DeviceID]bool {
	moved := map[iot.DeviceID]bool{}
	for _, p := range s.Products {
		if p.Product.NodeType != iot.Gateway {
			continue
		}
		for _, id := range p.TargetDevices {
			moved[id] = true
		}
		for _, d := range p.Devices {
			delete(moved, d.ID)
		}
	}
	return moved
}

// findFollowers finds the sub-devices that can follow their gateway: seen or declared, and without a gateway at the source. bound are
// the sub-devices that have one there, in order.
func (in *inspection) findFollowers(bound []iot.DeviceID) {
	moved := in.survey.movedGateways()
	for _, r := range slices.Concat(in.survey.Followers, in.survey.Declared.Followers) {
		_, stays := slices.BinarySearchFunc(bound, r.Sub, iot.DeviceID.Compare)
		if moved[r.Gateway] && !stays {
			in.followers = append(in.followers, r)
		}
	}
	slices.SortStableFunc(in.followers, func(a, b topology.Relation) int { return a.Sub.Compare(b.Sub) })
	in.followers = slices.CompactFunc(in.followers, func(a, b topology.Relation) bool { return a.Sub == b.Sub })
}

// gatewayOf returns the gateway that a sub-device can follow; the zero ID for every other device.
func (in *inspection) gatewayOf(id iot.DeviceID) iot.DeviceID {
	i, ok := slices.BinarySearchFunc(in.followers, id, func(r topology.Relation, id iot.DeviceID) int { return r.Sub.Compare(id) })
	if !ok {
		return iot.DeviceID{}
	}
	return in.followers[i].Gateway
}

// withFollowers adds a family for each sub-device of the source that can follow its gateway.
func (in *inspection) withFollowers(families []topology.Family) []topology.Family {
	for m := range in.survey.members() {
		if m.Node == iot.SubDevice && !in.gatewayOf(m.ID).IsZero() {
			families = append(families, topology.Family{Devices: []iot.DeviceID{m.ID}})
		}
	}
	slices.SortFunc(families, func(a, b topology.Family) int { return a.ID().Compare(b.ID()) })
	return families
}

// isHash reports whether s is empty, or what [Plan.Hash] returns.
func isHash(s string) bool {
	sum, err := hex.DecodeString(s)
	return err == nil && (len(s) == 0 || len(sum) == 32)
}
