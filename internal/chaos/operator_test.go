package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A careless operator does half of a task, or that of another product, or nothing, and says that it is done; or does it, and
// says that it was not. What was left undone the person makes good before resuming.
type careless struct {
	migrate.Operator
	world *world
	rate  float64

	mu   sync.Mutex
	owed []migrate.ConsoleTask
}

func (o *careless) Perform(ctx context.Context, t migrate.ConsoleTask) error {
	w := o.world
	w.checker.task(t)
	if err := w.alive(); err != nil {
		return err
	}
	r := w.weather.roll("operator", t.Lane, t.Stage, string(t.Kind), fmt.Sprint(t.Wave))
	if w.history && t.Kind == migrate.ConsoleDataSync {
		return o.whole(ctx, t) // else the window stays open for 30 days
	}
	if !w.weather.bad() || r("careless") >= o.rate {
		return o.whole(ctx, t)
	}
	w.story("the operator is careless about %s of %s", t.Kind, t.Lane)
	if t.Kind == migrate.ConsoleConfirm || t.Kind == migrate.ConsoleDataSync {
		w.hitLane(t.Products[0].ProductKey, "the operator did not "+string(t.Kind))
	}
	switch u := r("how"); {
	case u < 0.3:
		o.owe(t)
		return o.whole(ctx, half(t))
	case u < 0.5:
		o.owe(t)
		return nil
	case u < 0.65:
		o.owe(t)
		return o.wrong(ctx, t)
	case u < 0.85:
		err := o.whole(ctx, t)
		return errors.Join(err, errors.New("the browser was closed"))
	default:
		w.clock.platform.Advance(time.Duration(r("late") * float64(time.Hour)))
		return o.whole(ctx, t)
	}
}

// whole does the task as told.
func (o *careless) whole(ctx context.Context, t migrate.ConsoleTask) error {
	err := o.Operator.Perform(ctx, t)
	if err != nil {
		o.owe(t)
	}
	return err
}

func (o *careless) owe(t migrate.ConsoleTask) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !t.Kind.Moves() { // whoever moves devices is asked again for what is missing
		o.owed = append(o.owed, t)
	}
}

// amends does what was left undone.
func (o *careless) amends(ctx context.Context) {
	o.mu.Lock()
	owed := o.owed
	o.owed = nil
	o.mu.Unlock()
	for _, t := range owed {
		if o.Operator.Perform(ctx, t) != nil {
			o.owe(t)
		}
	}
}

func half(t migrate.ConsoleTask) migrate.ConsoleTask {
	products := t.Products
	t.Products = nil
	for i, p := range products {
		if t.Kind.Moves() {
			p.DeviceNames = p.DeviceNames[:(len(p.DeviceNames)+1)/2]
		} else if i > 0 {
			continue
		}
		t.Products = append(t.Products, p)
	}
	return t
}

// wrong does the task to another product of the plan. What concerns whole products is left out, and what returns devices.
func (o *careless) wrong(ctx context.Context, t migrate.ConsoleTask) error {
	lanes := o.world.plan.Lanes
	for i, l := range lanes {
		if l.Lane.ID != t.Lane {
			continue
		}
		other := lanes[(i+1)%len(lanes)]
		if other.Lane.ID == t.Lane || t.Kind == migrate.ConsoleRollback || t.Kind == migrate.ConsoleFull {
			return nil
		}
		p := migrate.ConsoleProduct{ProductKey: other.Lane.Products[0].Key}
		if t.Kind.Moves() {
			p.DeviceNames = namesOf(other, p.ProductKey, 2)
			for _, name := range p.DeviceNames {
				id := iot.DeviceID{ProductKey: p.ProductKey, DeviceName: name}
				o.world.checker.excuse(id)
				o.world.hitFamily(id, "it was moved by mistake, before anybody saw whether it was awake")
			}
		}
		t.Products = []migrate.ConsoleProduct{p}
		_ = o.Operator.Perform(ctx, t) // whether the console lets it is not the point
		return nil
	}
	return nil
}

func namesOf(l migrate.LanePlan, product string, most int) []string {
	var names []string
	for _, f := range l.Families {
		for _, id := range f.Devices {
			if id.ProductKey == product && len(names) < most {
				names = append(names, id.DeviceName)
			}
		}
	}
	return names
}
