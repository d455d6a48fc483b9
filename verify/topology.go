package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// Topology proves that a family is at the target what it was planned to be: a gateway has exactly the planned
// sub-devices, and a sub-device has its planned gateway. A direct device has no topology and passes.
// Its name is "topology".
//
// A device fails if the topology has changed: a gateway that has a sub-device too many, or a sub-device
// of another gateway. What is missing is inconclusive: it may not be visible yet.
func Topology() migrate.Verifier {
	return migrate.NewVerifier("topology", func(ctx context.Context, s *migrate.Subject) findings {
		look := func(family []migrate.SubjectDevice) judged { return judgeFamily(ctx, s, family) }
		return func(yield func(migrate.Finding, error) bool) {
			for got := range inOrder(batchesAtOnce, relatives(s.Devices), look) {
				if !got.yield(yield) || got.err != nil && hopeless(ctx, got.err) {
					return
				}
			}
		}
	})
}

// relatives splits devices into runs of one family, so that its gateway is read once.
func relatives(devices []migrate.SubjectDevice) [][]migrate.SubjectDevice {
	var runs [][]migrate.SubjectDevice
	for i, d := range devices {
		if i == 0 || head(d) != head(devices[i-1]) {
			runs = append(runs, nil)
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], d)
	}
	return runs
}

// head returns the device that names the family.
func head(d migrate.SubjectDevice) iot.DeviceID {
	if d.Node == iot.SubDevice {
		return d.Gateway
	}
	return d.ID
}

func judgeFamily(ctx context.Context, s *migrate.Subject, family []migrate.SubjectDevice) judged {
	if err := ctx.Err(); err != nil {
		return judged{err: fmt.Errorf("verify: %w", err)}
	}
	if d := family[0]; d.Node == iot.Direct {
		return judged{findings: []migrate.Finding{finding(d, migrate.Pass, "plan", s.Now, "direct device")}}
	}
	children, err := childrenAt(ctx, s.Target.View, head(family[0]))
	if err == nil {
		children, err = present(ctx, s, family[0], children)
	}
	if err != nil {
		return judged{err: err}
	}
	var got judged
	for _, d := range family {
		f, err := judgeMember(ctx, s, d, children)
		if err != nil {
			got.err = err
			return got
		}
		got.findings = append(got.findings, f)
	}
	return got
}

// childrenAt returns the sub-devices that a gateway has at an instance; none if the instance does not know it.
func childrenAt(ctx context.Context, at iot.View, gateway iot.DeviceID) ([]iot.DeviceID, error) {
	var children []iot.DeviceID
	for id, err := range at.Children(ctx, gateway) {
		if errors.Is(err, iot.NotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("verify: read sub-devices of %s at %s: %w", gateway, at.Info, err)
		}
		children = append(children, id)
	}
	return children, nil
}

// present leaves out the sub-devices that the family does not know and only the source has: a gateway that has left new ones behind may
// still show them, and they can follow it.
func present(ctx context.Context, s *migrate.Subject, d migrate.SubjectDevice, children []iot.DeviceID) ([]iot.DeviceID, error) {
	known := make(map[iot.DeviceID]bool, len(d.Family))
	for _, id := range d.Family {
		known[id] = true
	}
	var unknown []iot.DeviceID
	for _, id := range children {
		if !known[id] {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) == 0 {
		return children, nil
	}
	target, source, err := readBoth(ctx, s, unknown)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(children, func(id iot.DeviceID) bool {
		_, atTarget := target[id]
		_, atSource := source[id]
		return !known[id] && atSource && !atTarget
	}), nil
}

func judgeMember(ctx context.Context, s *migrate.Subject, d migrate.SubjectDevice, children []iot.DeviceID) (migrate.Finding, error) {
	if d.Node == iot.Gateway {
		return judgeGateway(s, d, children), nil
	}
	for _, id := range children {
		if id == d.ID {
			return sameGateway(s, d), nil
		}
	}
	source := api("GetGatewayBySubDevice", s.Target.View)
	gateway, err := s.Target.GatewayOf(ctx, d.ID)
	switch {
	case errors.Is(err, iot.NotFound):
		return open(d, s, source, "the sub-device has no gateway yet; planned is %s", d.Gateway), nil
	case err != nil:
		return migrate.Finding{}, fmt.Errorf("verify: read gateway of %s at %s: %w", d.ID, s.Target.Info, err)
	case gateway != d.Gateway:
		seen := fmt.Sprintf("the gateway is %s, planned is %s", gateway, d.Gateway)
		return finding(d, migrate.Fail, source, s.Now, seen), nil
	}
	return sameGateway(s, d), nil
}

func sameGateway(s *migrate.Subject, d migrate.SubjectDevice) migrate.Finding {
	return finding(d, migrate.Pass, api("GetThingTopo", s.Target.View), s.Now, fmt.Sprintf("the gateway is %s, as planned", d.Gateway))
}

func judgeGateway(s *migrate.Subject, d migrate.SubjectDevice, children []iot.DeviceID) migrate.Finding {
	source := api("GetThingTopo", s.Target.View)
	missing := make(map[iot.DeviceID]bool, len(d.Family))
	for _, id := range d.Family {
		missing[id] = id != d.ID
	}
	left := len(d.Family) - 1
	for _, id := range children {
		due, planned := missing[id]
		if !planned {
			return finding(d, migrate.Fail, source, s.Now, fmt.Sprintf("%s is a sub-device here, but not in the plan", id))
		}
		if due {
			missing[id] = false
			left--
		}
	}
	if left > 0 {
		return open(d, s, source, "%d of %d planned sub-devices are missing", left, len(d.Family)-1)
	}
	return finding(d, migrate.Pass, source, s.Now, fmt.Sprintf("all %d sub-devices, as planned", len(d.Family)-1))
}
