package journal_test

import (
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A replay does to the platform in memory what a campaign has done to its own, as its journal tells: console tasks that were
// performed, own code of stages that was called, and calls that moved devices. What moved is what a look saw.
type replay struct {
	*goldenWorld
	entries      []migrate.Entry
	lastCallMade bool // the journal does not tell of a call whose intent is its end
}

func (r replay) run() {
	r.t.Helper()
	state := migrate.NewState(r.plan)
	for i, e := range r.entries {
		if err := state.Apply(e); err != nil {
			r.t.Fatal(err)
		}
		if err := r.clock.WaitUntil(r.t.Context(), e.At); err != nil {
			r.t.Fatal(err)
		}
		switch e.Kind {
		case migrate.EntryPerformed:
			r.perform(i)
		case migrate.EntryDone:
			r.do(e)
		case migrate.EntryIntent:
			r.move(i)
		case migrate.EntryReturned, migrate.EntryUndone:
			r.t.Fatalf("entry %d is %s: a way back is not replayed so far", e.Seq, e.Kind)
		}
	}
	r.checkState(state)
}

// perform performs the console task that the operator was asked for last in the lane.
func (r replay) perform(i int) {
	r.t.Helper()
	done := r.entries[i]
	if done.Error != "" {
		r.t.Fatalf("entry %d: a console task that failed is not replayed so far", done.Seq)
	}
	for _, asked := range slices.Backward(r.entries[:i]) {
		if asked.Kind != migrate.EntryAsked || asked.Lane != done.Lane {
			continue
		}
		task := migrate.ConsoleTask{Campaign: campaign, Lane: asked.Lane, Stage: asked.Stage, Wave: asked.Wave, Kind: asked.Console, Target: r.plan.Target}
		wave := r.wave(asked)
		for _, p := range r.lane(asked.Lane).Lane.Products {
			names := namesOf(wave, p.Key)
			if len(names) > 0 || !task.Kind.Moves() {
				task.Products = append(task.Products, migrate.ConsoleProduct{ProductKey: p.Key, DeviceNames: names})
			}
		}
		if err := r.cloud.Operator().Perform(r.t.Context(), task); err != nil {
			r.t.Fatalf("entry %d: %v", done.Seq, err)
		}
		return
	}
	r.t.Fatalf("entry %d: nobody was asked", done.Seq)
}

// wave returns the devices of an entry's wave; none if it is about no wave.
func (r replay) wave(e migrate.Entry) []iot.DeviceID {
	r.t.Helper()
	if e.Wave == 0 {
		return nil
	}
	lane := r.lane(e.Lane)
	at := slices.IndexFunc(lane.Stages, func(s migrate.StagePlan) bool { return s.Name == e.Stage })
	if at < 0 || e.Wave > len(lane.Stages[at].Waves) {
		r.t.Fatalf("entry %d: the plan has no wave %d of stage %q", e.Seq, e.Wave, e.Stage)
	}
	wave := lane.Stages[at].Waves[e.Wave-1]
	var out []iot.DeviceID
	for _, f := range lane.Families[wave.First : wave.First+wave.Count] {
		out = append(out, f.Devices...)
	}
	return out
}

func namesOf(set []iot.DeviceID, product string) []string {
	var names []string
	for _, id := range set {
		if id.ProductKey == product {
			names = append(names, id.DeviceName)
		}
	}
	return names
}

// do calls a stage's own code, as the strategy of this version has it. A call that was to be made again may have done a part of
// its work.
func (r replay) do(e migrate.Entry) {
	r.t.Helper()
	lane := r.lane(e.Lane)
	env := &migrate.Env{Campaign: campaign, Lane: lane.Lane, Stage: e.Stage, Platform: r.cloud.Platform(), Clock: r.clock}
	for _, s := range r.strategies {
		if s.Name() != lane.Strategy {
			continue
		}
		stages, err := s.Stages(lane.Lane)
		if err != nil {
			r.t.Fatal(err)
		}
		at := slices.IndexFunc(stages, func(s migrate.Stage) bool { return s.Name == e.Stage })
		if at < 0 || stages[at].Do == nil {
			r.t.Fatalf("entry %d: strategy %s has no code for stage %s any more", e.Seq, lane.Strategy, e.Stage)
		}
		if err := stages[at].Do(r.t.Context(), env); err != nil && e.Error == "" {
			r.t.Fatalf("entry %d: %v", e.Seq, err)
		}
	}
}

// move makes a call for those of its devices that it moved.
func (r replay) move(i int) {
	r.t.Helper()
	call := r.entries[i]
	var names []string
	for _, id := range call.Names {
		if r.moved(i, id) {
			names = append(names, id.DeviceName)
		}
	}
	if len(names) == 0 {
		return
	}
	results, err := r.cloud.Platform().Mover.Move(r.t.Context(), call.Product, names)
	if err != nil {
		r.t.Fatalf("entry %d: %v", call.Seq, err)
	}
	for _, result := range results {
		if !result.Accepted {
			r.t.Errorf("entry %d: device %s is refused with %q: it was moved before", call.Seq, result.DeviceName, result.Message)
		}
	}
}

// moved reports whether the call of entry i moved a device: looks tell, up to the one after which it was sent again, or else its outcome.
// That a look does not see it at the target yet says nothing before the visibility delay has passed.
func (r replay) moved(i int, id iot.DeviceID) bool {
	call, answered, seen := r.entries[i], false, false
	for _, e := range r.entries[i+1:] {
		if e.Lane != call.Lane {
			continue
		}
		switch {
		case e.Kind == migrate.EntryOutcome && e.Error != "" && e.Call <= call.Call:
			return false // nor were those made that were announced after it
		case e.Kind == migrate.EntryOutcome && e.Call == call.Call:
			answered = true
			if slices.ContainsFunc(e.Refused, func(f migrate.Failure) bool { return f.Device == id }) {
				return false
			}
		case e.Kind == migrate.EntryIntent && slices.Contains(e.Names, id):
			return false
		case e.Kind == migrate.EntryLook && slices.Contains(e.Arrived, id):
			return true
		case e.Kind == migrate.EntryLook && slices.Contains(e.Unmoved, id):
			seen = true
		}
	}
	return !seen && (answered || r.lastCallMade)
}

func (r replay) lane(id string) *migrate.LanePlan {
	r.t.Helper()
	at := slices.IndexFunc(r.plan.Lanes, func(l migrate.LanePlan) bool { return l.Lane.ID == id })
	if at < 0 {
		r.t.Fatalf("the plan has no lane %s", id)
	}
	return &r.plan.Lanes[at]
}

// checkState compares what the journal says with the platform, and that the campaign is half done: every lane has moved something, and
// most are not finished.
func (r replay) checkState(state *migrate.State) {
	r.t.Helper()
	finished := 0
	for n, l := range state.Report(campaign).Lanes {
		if l.Finished {
			finished++
		}
		there := 0
		for _, f := range r.plan.Lanes[n].Families {
			for _, id := range f.Devices {
				if owner, _ := r.cloud.Owner(id); owner == r.plan.Target.ID {
					there++
				}
			}
		}
		if there < l.Moved || there > l.Moved+l.Underway {
			r.t.Errorf("lane %s: %d devices are at the target, the journal knows of %d and %d under way", l.Lane, there, l.Moved, l.Underway)
		}
		if l.Moved == 0 {
			r.t.Errorf("lane %s has not moved anything", l.Lane)
		}
	}
	if finished > 1 || len(r.plan.Lanes) != 4 {
		r.t.Errorf("%d of %d lanes are finished: that is no half of all four scenarios", finished, len(r.plan.Lanes))
	}
}
