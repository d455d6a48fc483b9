package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/iotferry/iotferry/examples/internal/show"
	"github.com/iotferry/iotferry/migrate"
)

// bars are the progress in a terminal: a bar per lane, and lines above them for what a bar cannot show.
type bars struct {
	all   *mpb.Progress
	lines *show.Lines
	lanes []*laneBar // in the order of the plan
}

// A laneBar is the bar of one lane. Its label is read by the goroutine that draws.
type laneBar struct {
	bar *mpb.Bar

	mu    sync.Mutex
	label string
}

func newBars(w io.Writer, plan *migrate.Plan, options ...mpb.ContainerOption) *bars {
	const width = 30
	b := &bars{all: mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(w)}, options...)...)}
	b.lines = &show.Lines{W: b.all, Plan: plan, Brief: true}
	for _, l := range plan.Lanes {
		lane := &laneBar{label: "waits"}
		lane.bar = b.all.New(0, mpb.BarStyle(), mpb.BarWidth(width),
			mpb.PrependDecorators(decor.Name(l.Lane.ID, decor.WCSyncSpaceR), decor.CountersNoUnit("%d/%d", decor.WCSyncSpace)),
			mpb.AppendDecorators(decor.Any(lane.text)))
		lane.bar.SetTotal(int64(l.Lane.Devices), false) // set like this, a full bar is not taken for a finished one
		b.lanes = append(b.lanes, lane)
	}
	return b
}

// Watch moves the bars on. It is called for every entry, so it looks only at those after which something has changed
// that a bar shows.
func (b *bars) Watch(e migrate.Entry, s *migrate.State) {
	b.lines.Watch(e, s)
	switch e.Kind {
	case migrate.EntryStage, migrate.EntryWave, migrate.EntryLook, migrate.EntryVerdicts, migrate.EntryWaveEnd,
		migrate.EntryWait, migrate.EntryHalt, migrate.EntryLaneEnd, migrate.EntryReturned:
	default:
		return
	}
	report := s.Report("")
	for i, r := range report.Lanes {
		b.lanes[i].show(r, report.Latest)
	}
}

// Close draws the bars for the last time.
func (b *bars) Close() {
	for _, l := range b.lanes {
		l.bar.Abort(false)
	}
	b.all.Wait()
}

func (l *laneBar) show(r migrate.LaneReport, now time.Time) {
	l.mu.Lock()
	l.label = label(r, now)
	l.mu.Unlock()
	l.bar.SetCurrent(int64(r.Proven + r.Asleep + r.Failed))
}

func (l *laneBar) text(decor.Statistics) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.label
}

// label tells where a lane is and how long it will take, in the campaign's own time.
func label(r migrate.LaneReport, now time.Time) string {
	switch {
	case r.Halt != "":
		return "HALTED: " + string(r.Halt)
	case r.Finished:
		return fmt.Sprintf("finished: %d proven, %d asleep", r.Proven, r.Asleep)
	}
	text := r.Stage
	if r.Waves > 0 && r.Wave > 0 {
		text += fmt.Sprintf(" %d/%d", r.Wave, r.Waves)
	}
	return text + ", ETA " + show.Span(r.Remains+max(0, r.Until.Sub(now)))
}
