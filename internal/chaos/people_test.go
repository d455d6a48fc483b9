package chaos

import (
	"context"
	"strings"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// decide lets a person decide something, from another process. What makes no sense now is refused, and nothing happens.
func (w *world) decide(i incident) {
	lane := w.plan.Lanes[int(i.pick*float64(len(w.plan.Lanes)))]
	d := migrate.Decision{Kind: i.kind, By: "chaos", Lane: lane.Lane.ID}
	if i.span%3 == 0 {
		d.Lane = ""
	}
	if d.Lane != "" && d.Kind == migrate.Rollback && i.span%2 == 0 {
		for _, s := range lane.Stages {
			if len(s.Waves) > 0 {
				d.Stage, d.Wave = s.Name, 1
			}
		}
	}
	w.record(d)
}

func (w *world) record(d migrate.Decision) error {
	r, err := w.runner(plainJournal{w.journal, w})
	if err == nil {
		err = r.Decide(context.Background(), d)
	}
	w.story("decision %s %q %s %d: %v", d.Kind, d.Lane, d.Stage, d.Wave, err)
	return err
}

// wake lets somebody resume a campaign of which all that could go on is paused.
func (w *world) wake() {
	c := w.checker
	c.mu.Lock()
	step := c.shadow.Decide(w.clock.Now(), nil, false)
	paused := false
	for _, l := range c.lanes {
		paused = paused || l.report.Paused && l.report.Halt == ""
	}
	c.mu.Unlock()
	if !paused || len(step.Entries) > 0 || len(step.Tasks) > 0 || !step.Next.IsZero() {
		return
	}
	w.clock.platform.Advance(time.Minute)
	for _, l := range w.plan.Lanes {
		if w.report(l.Lane.ID).Paused {
			w.record(migrate.Decision{Kind: migrate.Resume, By: "chaos", Lane: l.Lane.ID})
		}
	}
}

func (w *world) report(lane string) migrate.LaneReport {
	w.checker.mu.Lock()
	defer w.checker.mu.Unlock()
	return w.checker.lanes[lane].report
}

// attend resumes the lanes that have halted, and makes good what the operator owes; those of which the report says that they cannot go
// on are given up. It reports whether anything is left that could go on.
func (w *world) attend(ctx context.Context) bool {
	w.operator.amends(ctx)
	left := false
	for _, l := range w.plan.Lanes {
		r := w.report(l.Lane.ID)
		switch {
		case r.Finished:
		case r.Halt == "":
			left = true
		case w.gaveUp[r.Lane]:
		case strings.Contains(r.Note, "abort this lane") && !w.weather.bad():
			left = w.giveUp(ctx, l) == nil || left
		default:
			left = w.record(migrate.Decision{Kind: migrate.Resume, By: "chaos", Lane: l.Lane.ID}) == nil || left
		}
	}
	return left
}

// giveUp does what the report says of a lane whose first gray batch is lost: it is aborted, and its tasks are closed in the console.
func (w *world) giveUp(ctx context.Context, l migrate.LanePlan) error {
	w.gaveUp[l.Lane.ID] = true
	for _, p := range l.Lane.Products {
		if err := w.cloud.CloseTask(ctx, p.Key); err != nil {
			w.story("%v", err)
		}
	}
	if w.report(l.Lane.ID).Halt == migrate.HaltAborted {
		return nil
	}
	return w.record(migrate.Decision{Kind: migrate.Abort, By: "chaos", Lane: l.Lane.ID})
}
