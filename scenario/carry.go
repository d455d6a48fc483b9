package scenario

import (
	"context"
	"fmt"

	"github.com/iotferry/iotferry/carry"
	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// keep returns the stage that keeps what devices would leave behind; none without a store.
func (g *guide) keep() []migrate.Stage {
	if g.Carry == nil {
		return nil
	}
	return []migrate.Stage{{
		Name:  "keep",
		About: "Keep the labels and the groups of all devices: the platform does not migrate them, and shows them no more once a device has moved.",
		Do: func(ctx context.Context, env *migrate.Env) error {
			return carry.Keep(ctx, env.Platform.Source.View, g.Carry, carried(env))
		},
	}}
}

// carry returns the stage that gives it to them; none without a store.
func (g *guide) carry() []migrate.Stage {
	if g.Carry == nil {
		return nil
	}
	return []migrate.Stage{{
		Name:  "carry",
		About: "Give the devices their labels and their groups again, and see that nothing is missing.",
		Do:    g.carryOver,
	}}
}

// carried says what a lane keeps and carries.
func carried(env *migrate.Env) carry.Options {
	o := carry.Options{Name: env.Campaign + "/" + env.Lane.ID, Clock: env.Clock}
	for _, p := range env.Lane.Products {
		o.Products = append(o.Products, p.Key)
	}
	return o
}

// maxDifferences is how many differences a caller is told of.
const maxDifferences = 10_000

func (g *guide) carryOver(ctx context.Context, env *migrate.Env) error {
	o := carried(env)
	result, err := carry.Carry(ctx, env.Platform.Target, g.Carry, o)
	if err != nil {
		return fmt.Errorf("carry: %w", err)
	}
	var list []configdiff.DeviceDifference
	var missing lack
	for d, err := range carry.Check(ctx, env.Platform.Target.View, g.Carry, o) {
		if err != nil {
			return fmt.Errorf("carry: look at what was carried: %w", err)
		}
		if len(list) < maxDifferences {
			list = append(list, d)
		}
		missing.add(d)
	}
	if missing.devices > 0 { // if there is another try, it goes through all devices anew
		if err := carry.Restart(ctx, g.Carry, o); err != nil {
			return fmt.Errorf("carry: %w", err)
		}
	}
	if g.Carried != nil {
		return g.Carried(ctx, env, result, list)
	}
	return missing.err(result)
}

// A lack counts the devices that do not have all that was kept of them.
type lack struct {
	devices int
	first   configdiff.DeviceDifference
	last    iot.DeviceID // those of a device come one after the other
}

func (l *lack) add(d configdiff.DeviceDifference) {
	if d.Change != configdiff.Missing || d.Kind == configdiff.Shadow || d.Device == l.last {
		return
	}
	if l.last = d.Device; l.devices == 0 {
		l.first = d
	}
	l.devices++
}

// err says what is missing, and, as far as it is known, why; nil if nothing is.
func (l *lack) err(r carry.Result) error {
	if l.devices == 0 {
		return nil
	}
	who := fmt.Sprintf("%d devices lack", l.devices)
	if l.devices == 1 {
		who = "1 device lacks"
	}
	text := fmt.Sprintf("%s labels or groups, such as %s %s", who, l.first.Device, l.first.Fields[0].Path)
	if r.TooMany > 0 {
		text += fmt.Sprintf("; of %d the labels would be more than %d with those that they have at the target: remove some there", r.TooMany, iot.MaxLabels)
	}
	if r.Full > 0 {
		text += fmt.Sprintf("; %d times a device is in %d groups at the target already: take it out of some", r.Full, iot.MaxGroupsOfDevice)
	}
	return &iot.Error{Kind: iot.Transient, Op: "carry", Message: text}
}
