package main

import (
	"context"
	"time"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// The platform in memory ends with the process. What follows brings a new one to where the journals say that the old one
// was. Nobody needs this with a real platform.

// A past is what the journals of all campaigns tell.
type past struct {
	plans  []StoredPlan
	lanes  []*pastLane
	latest time.Time // of the last entry
}

// A pastLane is what became of a lane.
type pastLane struct {
	plan    *migrate.LanePlan
	console map[migrate.ConsoleKind]bool // what the operator has done
	there   map[iot.DeviceID]bool        // what has arrived at the target
	reads   bool                         // the server reads the target
}

// remember reads the journals.
func remember(ctx context.Context, store Store, entries migrate.Journal) (*past, error) {
	plans, err := store.Plans()
	if err != nil {
		return nil, err
	}
	all := &past{plans: plans, latest: town.Begin()}
	for _, p := range plans {
		lanes := map[string]*pastLane{}
		for i := range p.Plan.Lanes {
			l := &pastLane{plan: &p.Plan.Lanes[i], console: map[migrate.ConsoleKind]bool{}, there: map[iot.DeviceID]bool{}}
			lanes[l.plan.Lane.ID] = l
			all.lanes = append(all.lanes, l)
		}
		for e, err := range entries.Entries(ctx, p.Campaign, 0) {
			if err != nil {
				return nil, err
			}
			if e.At.After(all.latest) {
				all.latest = e.At
			}
			if l := lanes[e.Lane]; l != nil {
				l.add(e)
			}
		}
	}
	return all, nil
}

func (l *pastLane) add(e migrate.Entry) {
	switch e.Kind {
	case migrate.EntryPerformed:
		l.console[e.Console] = l.console[e.Console] || e.Error == ""
	case migrate.EntryDone:
		l.reads = l.reads || e.Stage == "update-subscriber" && e.Error == ""
	case migrate.EntryWave, migrate.EntryLook:
		for _, id := range e.Arrived {
			l.there[id] = true
		}
	case migrate.EntryReturned:
		for _, id := range e.Arrived {
			delete(l.there, id)
		}
	}
}

// restore does on a new platform what was done on the old one.
func (p *past) restore(ctx context.Context, owner *customer) error {
	for _, stored := range p.plans {
		town.RunClients(owner, stored.Plan)
	}
	for _, l := range p.lanes {
		if l.reads {
			owner.Serve(owner.Platform().Target.Info.ID)
		}
		for _, kind := range []migrate.ConsoleKind{
			migrate.ConsoleCreate, migrate.ConsoleGray, migrate.ConsoleConfirm, migrate.ConsoleDataSync,
		} {
			if !l.console[kind] {
				continue
			}
			if err := owner.Operator().Perform(ctx, l.task(kind)); err != nil {
				return err
			}
		}
	}
	return nil
}

// task is a console task for all products of the lane that it concerns. The gray batch is everything that has arrived.
func (l *pastLane) task(kind migrate.ConsoleKind) migrate.ConsoleTask {
	t := migrate.ConsoleTask{Lane: l.plan.Lane.ID, Kind: kind, Target: l.plan.Lane.Target}
	for _, p := range l.plan.Lane.Products {
		row := migrate.ConsoleProduct{ProductKey: p.Key, DeviceNames: l.arrived(p.Key)}
		if kind == migrate.ConsoleCreate || len(row.DeviceNames) > 0 {
			t.Products = append(t.Products, row)
		}
	}
	return t
}

func (l *pastLane) arrived(productKey string) []string {
	var names []string
	for _, f := range l.plan.Families {
		for _, id := range f.Devices {
			if id.ProductKey == productKey && l.there[id] {
				names = append(names, id.DeviceName)
			}
		}
	}
	return names
}
