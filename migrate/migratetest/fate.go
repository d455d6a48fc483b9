package migratetest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A fate is what really became of a device.
type fate struct {
	Owner           string
	Moved, Returned int
}

func (w *world) fateOf(id iot.DeviceID) fate {
	owner, _ := w.cloud.Owner(id)
	return fate{Owner: owner, Moved: w.cloud.MovedTimes(id), Returned: w.cloud.ReturnedTimes(id)}
}

// planned yields the devices of the plan.
func (w *world) planned() iter.Seq[iot.DeviceID] {
	return func(yield func(iot.DeviceID) bool) {
		for _, l := range w.plan.Lanes {
			for _, f := range l.Families {
				for _, id := range f.Devices {
					if !yield(id) {
						return
					}
				}
			}
		}
	}
}

// checkFates checks every device of the fleet file that the source had.
func (w *world) checkFates(want func(inPlan bool) fate) error {
	inPlan := map[iot.DeviceID]bool{}
	for id := range w.planned() {
		inPlan[id] = true
	}
	for _, d := range w.cloud.fleet.Devices {
		expected := want(inPlan[d.ID])
		if !inPlan[d.ID] {
			expected.Owner = w.home(d.ID)
		}
		if got := w.fateOf(d.ID); got != expected {
			return fmt.Errorf("device %s is at %q, moved %d times and returned %d times; expected was %q, %d and %d", d.ID,
				got.Owner, got.Moved, got.Returned, expected.Owner, expected.Moved, expected.Returned)
		}
	}
	return nil
}

// home is the instance where a device was created.
func (w *world) home(id iot.DeviceID) string {
	for _, p := range w.cloud.fleet.Products {
		if p.Key == id.ProductKey {
			return p.Instance
		}
	}
	return ""
}

// checkTopology compares what an instance shows with the plan.
func (w *world) checkTopology(ctx context.Context, at iot.View) error {
	for _, l := range w.plan.Lanes {
		for _, f := range l.Families {
			if err := checkFamilyAt(ctx, at, f.Gateway, f.Devices); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkFamilyAt(ctx context.Context, at iot.View, gateway iot.DeviceID, family []iot.DeviceID) error {
	if gateway.IsZero() {
		return nil
	}
	got := []iot.DeviceID{gateway}
	for id, err := range at.Children(ctx, gateway) {
		if err != nil {
			return fmt.Errorf("sub-devices of gateway %s at %s: %w", gateway, at.Info, err)
		}
		got = append(got, id)
	}
	want := slices.SortedFunc(slices.Values(family), iot.DeviceID.Compare)
	slices.SortFunc(got, iot.DeviceID.Compare)
	if !slices.Equal(want, got) {
		diff := cmp.Diff(want, got)
		return fmt.Errorf("the family of gateway %s is not as planned at %s (-plan +there):\n%s", gateway, at.Info, diff)
	}
	return nil
}

// checkReturned checks the lanes after a rollback: every device of theirs is at the source, as often returned as
// moved.
func (w *world) checkReturned(ctx context.Context, report *migrate.Report) error {
	for id := range w.planned() {
		if got := w.fateOf(id); got.Owner != "" || got.Moved != got.Returned || got.Moved > 1 {
			return fmt.Errorf("device %s is at %q, moved %d times and returned %d times:%s", id, got.Owner, got.Moved, got.Returned, stories(report))
		}
	}
	for _, l := range report.Lanes {
		switch {
		case l.Halt != "" && l.Halt != migrate.HaltReturned:
			return fmt.Errorf("lane %s did not come to the end of its way back:%s", l.Lane, stories(report))
		case l.Returned+l.Unmoved != l.Devices:
			return fmt.Errorf("the report does not count all devices as returned or unmoved:%s", stories(report))
		}
	}
	return w.checkTopology(ctx, w.cloud.Platform().Source.View)
}

// A laneEnd is how a lane ended, as far as it has to be the same whatever happened on the way.
type laneEnd struct {
	Lane, Stage, Halt                                                   string
	Finished                                                            bool
	Devices, Moved, Proven, Asleep, Unproven, Failed, Underway, Unmoved int
	Verdicts                                                            []string
}

func endsOf(r *migrate.Report) []laneEnd {
	ends := make([]laneEnd, 0, len(r.Lanes))
	for _, l := range r.Lanes {
		e := laneEnd{
			Lane: l.Lane, Stage: l.Stage, Halt: string(l.Halt), Finished: l.Finished, Devices: l.Devices, Moved: l.Moved,
			Proven: l.Proven, Asleep: l.Asleep, Unproven: l.Unproven, Failed: l.Failed, Underway: l.Underway, Unmoved: l.Unmoved,
		}
		for _, v := range l.Verdicts {
			e.Verdicts = append(e.Verdicts, fmt.Sprintf("%s: %d passed, %d failed", v.Verifier, v.Passed, v.Failed))
		}
		ends = append(ends, e)
	}
	return ends
}

// stories tells in a line per lane what keeps it from its end.
func stories(r *migrate.Report) string {
	var b strings.Builder
	for _, l := range r.Lanes {
		fmt.Fprintf(&b, "\nlane %s, stage %q: %d of %d proven, %d asleep, %d failed, %d returned", l.Lane, l.Stage, l.Proven, l.Devices, l.Asleep, l.Failed, l.Returned)
		if l.Halt != "" {
			fmt.Fprintf(&b, "; halted: %s: %s", l.Halt, l.Note)
		}
		for _, f := range l.Failures[:min(3, len(l.Failures))] {
			fmt.Fprintf(&b, "\n  %s: %s: %s", f.Device, f.Evidence.Source, f.Evidence.Seen)
		}
	}
	return b.String()
}
