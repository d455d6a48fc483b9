package chaos

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

const (
	stormyRuns = 8  // after so many, the weather clears
	calmRuns   = 12 // within so many more, a campaign has to come to its end
)

// run lets the campaign come to its end, through all processes and weather.
func (w *world) run(ctx context.Context) error {
	for n := range stormyRuns + calmRuns {
		if n == stormyRuns {
			w.clearUp()
		}
		err := w.process(ctx)
		switch {
		case err == nil && w.attend(ctx):
		case err == nil && !w.weather.bad():
			return w.settled(ctx)
		case err == nil:
			w.clearUp()
			if !w.attend(ctx) {
				return w.settled(ctx)
			}
		case errors.Is(err, errDead), errors.Is(err, context.Canceled):
			w.clock.platform.Advance(w.dice.span(time.Second, w.dice.span(time.Second, 90*time.Minute)))
		default:
			return fmt.Errorf("the run ends with an error: %w", err)
		}
		if len(w.checker.breaches) > 0 {
			break
		}
	}
	if err := w.checker.verdict(); err != nil {
		return err
	}
	return errors.New("liveness: the campaign does not come to its end although the weather is fine and a person resumes it")
}

// clearUp ends the weather, and lets the devices work that can.
func (w *world) clearUp() {
	if !w.weather.bad() {
		return
	}
	w.story("the weather clears")
	ids := w.checker.ids()
	gone := map[iot.DeviceID]bool{}
	for id := range w.weather.gone {
		gone[id] = true
	}
	w.weather.clear()
	w.clock.set(0)
	for _, id := range ids {
		if gone[id] {
			_ = w.cloud.PowerOff(id)
			_ = w.cloud.PowerOn(w.keys[id])
		}
	}
	w.power()
}

// process runs the campaign until it ends, or this process does.
func (w *world) process(ctx context.Context) error {
	var stored migrate.Journal = w.journal
	if w.bad.journal != nil {
		stored = w.bad.journal(stored)
	}
	r, err := w.runner(fatefulJournal{stored, w})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.fate.begin(cancel)
	_, err = r.Run(ctx)
	w.checker.look()
	w.checker.anew(context.Background(), stored, campaign)
	if w.alive() != nil {
		return errDead
	}
	return err
}

// settled checks the end: all that can work is proven, nothing was moved in vain.
func (w *world) settled(context.Context) error {
	if err := w.checker.verdict(); err != nil {
		return err
	}
	for _, l := range w.plan.Lanes {
		if err := w.laneSettled(l); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) laneSettled(l migrate.LanePlan) error {
	r := w.report(l.Lane.ID)
	for _, f := range r.Failures {
		if w.weather.why(f.Device) == "" && w.checker.devices[f.Device].calls < 3 {
			return fmt.Errorf("liveness: device %s failed, and nothing kept it from working: %s: %s", f.Device, f.Evidence.Source, f.Evidence.Seen)
		}
	}
	if !r.Finished {
		if r.Halt != migrate.HaltReturned && !w.gaveUp[r.Lane] {
			return fmt.Errorf("liveness: lane %s ends halted: %s: %s", r.Lane, r.Halt, r.Note)
		}
		return nil
	}
	if r.Unproven+r.Underway > 0 || r.Proven+r.Asleep+r.Failed+r.Returned+r.LeftOut+r.Unmoved != r.Devices {
		return fmt.Errorf("liveness: lane %s ends with %d devices unproven, %d underway, %d unmoved", r.Lane, r.Unproven, r.Underway, r.Unmoved)
	}
	there := 0
	for _, f := range l.Families {
		if _, split := w.checker.split[f.Gateway]; split && !w.checker.excused[f.Gateway] {
			return fmt.Errorf("split: lane %s is finished, and leaves the family of gateway %s split", r.Lane, f.Gateway)
		}
		for _, id := range f.Devices {
			if owner, _ := w.cloud.Owner(id); owner == w.plan.Target.ID {
				there++
			}
		}
	}
	if there < r.Proven+r.Asleep {
		return fmt.Errorf("liveness: lane %s counts %d devices at the target, and has %d there", r.Lane, r.Proven+r.Asleep, there)
	}
	return nil
}

// verdict returns the breaches that were found.
func (c *checker) verdict() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.breaches) == 0 {
		return nil
	}
	return errors.New(strings.Join(c.breaches, "\n"))
}

// ids returns the devices of the plan in its order.
func (c *checker) ids() []iot.DeviceID {
	var out []iot.DeviceID
	for _, l := range c.plan.Lanes {
		for _, f := range l.Families {
			out = append(out, f.Devices...)
		}
	}
	return out
}

func (c *checker) devicesInOrder() iter.Seq[iot.DeviceID] { return slices.Values(c.ids()) }

// A tolerant sink takes a group that does not exist yet for an empty one.
type tolerant struct{ verify.Sink }

func (t tolerant) Latest(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return func(yield func(iot.Message, error) bool) {
		for m, err := range t.Sink.Latest(ctx, ids) {
			if errors.Is(err, iot.NotFound) {
				return
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// explain tells what is needed to understand a seed, and the last entries of its journal.
func (w *world) explain(most int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "fleet %+v\nrates %+v\noptions %+v\n", w.fleet, w.weather.rates, w.options)
	b.WriteString(strings.Join(w.stories, "\n"))
	var entries []migrate.Entry
	for e, err := range w.journal.Entries(context.Background(), campaign, 0) {
		if err == nil {
			entries = append(entries, e)
		}
	}
	for _, e := range entries[max(0, len(entries)-most):] {
		fmt.Fprintf(&b, "\n%d %s %s %s/%s/%d", e.Seq, e.At.Format(time.RFC3339), e.Kind, e.Lane, e.Stage, e.Wave)
		if e.Error+e.Note != "" {
			fmt.Fprintf(&b, " %q %q", e.Error, e.Note)
		}
		for word, set := range map[string]migrate.DeviceSet{"names": e.Names, "arrived": e.Arrived, "unmoved": e.Unmoved, "unknown": e.Unknown, "gone": e.Gone, "both": e.Both, "passed": e.Passed} {
			if len(set) > 0 {
				fmt.Fprintf(&b, " %s %v", word, set)
			}
		}
		if e.Verifier != "" {
			fmt.Fprintf(&b, " %s: %d open", e.Verifier, len(e.Open))
		}
		for _, f := range append(slices.Clone(e.Failed), e.Refused...) {
			fmt.Fprintf(&b, " failed %s", f.Device)
		}
	}
	for _, l := range w.plan.Lanes {
		fmt.Fprintf(&b, "\n%+v", w.report(l.Lane.ID))
	}
	return b.String()
}
