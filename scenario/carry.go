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
	var first *configdiff.DeviceDifference
	missing := 0
	for d, err := range carry.Check(ctx, env.Platform.Target.View, g.Carry, o) {
		if err != nil {
			return fmt.Errorf("carry: look at what was carried: %w", err)
		}
		if len(list) < maxDifferences {
			list = append(list, d)
		}
		if d.Change == configdiff.Missing && d.Kind != configdiff.Shadow {
			if missing++; first == nil {
				first = &d
			}
		}
	}
	if g.Carried != nil {
		return g.Carried(ctx, env, result, list)
	}
	if missing == 0 {
		return nil
	}
	if err := carry.Restart(ctx, g.Carry, o); err != nil {
		return fmt.Errorf("carry: %w", err)
	}
	return &iot.Error{Kind: iot.Transient, Op: "carry", Message: fmt.Sprintf(
		"%d devices lack labels or groups, such as %s %s", missing, first.Device, first.Fields[0].Path)}
}
