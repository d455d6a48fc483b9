package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// sweep looks once more at what the source holds of the lane's products, after everything was moved: it tells which devices are
// there that should not be. Products of which nothing is left there are not listed.
func (x execution) sweep(ctx context.Context) {
	s := sweeper{execution: x, entry: x.here(EntryAppeared), left: map[iot.DeviceID]bool{}, held: map[iot.DeviceID]bool{}}
	s.entry.Wave = 0
	for _, d := range x.task.Devices {
		s.left[d.ID] = true
	}
	for _, i := range x.r.config.Plan.Issues {
		if i.Severity == Blocker && i.Family != nil {
			s.held[*i.Family] = true
		}
	}
	for _, p := range x.lane().Lane.Products {
		if err := s.product(ctx, p); err != nil {
			s.entry = x.here(EntryAppeared)
			s.entry.Wave, s.entry.Error = 0, err.Error()
			break
		}
	}
	s.entry.End = true
	x.emit(s.entry)
}

type sweeper struct {
	execution
	entry Entry
	left  map[iot.DeviceID]bool // devices of the lane that are to be there
	held  map[iot.DeviceID]bool // families that the preflight held
}

func (s *sweeper) product(ctx context.Context, p Product) error {
	source := s.r.config.Platform.Source
	shown, err := again(ctx, func() (iot.Product, error) { return source.Product(ctx, p.Key) })
	if errors.Is(err, iot.NotFound) || err == nil && shown.Devices == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read product %s at %s: %w", p.Key, source.Info, err)
	}
	for d, err := range source.Devices(ctx, p.Key) {
		if err != nil {
			return fmt.Errorf("read devices of product %s at %s: %w", p.Key, source.Info, err)
		}
		if s.left[d.ID] {
			continue
		}
		if err := s.unexpected(ctx, p.NodeType, d.ID); err != nil {
			return err
		}
	}
	return nil
}

// unexpected records a device that is at the source, unless the preflight has held its family there.
func (s *sweeper) unexpected(ctx context.Context, node iot.NodeType, id iot.DeviceID) error {
	source := s.r.config.Platform.Source
	why := Evidence{Source: "QueryDevice at " + source.Info.String(), At: s.r.config.Clock.Now(), Seen: "the source has it, and the plan does not know it"}
	family := id
	if node == iot.SubDevice {
		gateway, err := again(ctx, func() (iot.DeviceID, error) { return source.GatewayOf(ctx, id) })
		switch {
		case errors.Is(err, iot.NotFound):
			why.Seen += "; no gateway has it there"
		case err != nil:
			return fmt.Errorf("read gateway of %s: %w", id, err)
		default:
			family = gateway
			if why.Seen, err = s.below(ctx, why.Seen, gateway); err != nil {
				return err
			}
		}
	}
	if s.held[family] || s.held[id] {
		return nil
	}
	s.entry.Appeared = append(s.entry.Appeared, Failure{Device: id, Evidence: why})
	if len(s.entry.Appeared) == entryChunk {
		s.emit(s.entry)
		s.entry.Appeared = nil
	}
	return nil
}

// below tells of the gateway of a sub-device, and whether it has left without it.
func (s *sweeper) below(ctx context.Context, seen string, gateway iot.DeviceID) (string, error) {
	moved, err := again(ctx, func() (map[string]iot.DeviceState, error) {
		return statesByName(ctx, s.r.config.Platform.Target.View, gateway.ProductKey, []string{gateway.DeviceName})
	})
	if err != nil {
		return "", err
	}
	if len(moved) > 0 {
		return fmt.Sprintf("%s; its gateway %s is at the target", seen, gateway), nil
	}
	return fmt.Sprintf("%s; its gateway is %s", seen, gateway), nil
}
