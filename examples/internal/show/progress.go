package show

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// Lines prints a line for everything in a campaign that a person wants to see. Its Watch fits [migrate.Config].
type Lines struct {
	// W is where the lines go.
	W io.Writer
	// Plan is that of the campaign.
	Plan *migrate.Plan
	// Brief leaves out what a progress bar shows: stages and waves.
	Brief bool

	began  time.Time
	lacked string // what a condition lacked when a line last said so
}

// Watch prints the line of an entry, if it has one.
func (l *Lines) Watch(e migrate.Entry, s *migrate.State) {
	if l.began.IsZero() {
		l.began = e.At
	}
	text := l.text(e, s)
	if text == "" {
		return
	}
	lane := e.Lane
	if e.Decision != nil {
		lane = e.Decision.Lane
	}
	line(l.W, "  %s  %-12s %s", elapsed(e.At.Sub(l.began)), lane, text)
}

// elapsed is the campaign's own time, such as 7d 00:05:01.
func elapsed(d time.Duration) string {
	d = d.Truncate(time.Second)
	const day = 24 * time.Hour
	return fmt.Sprintf("%2dd %02d:%02d:%02d", d/day, d%day/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second)
}

func (l *Lines) text(e migrate.Entry, s *migrate.State) string {
	switch e.Kind {
	case migrate.EntryDecision:
		return decision(*e.Decision)
	case migrate.EntryWait:
		return fmt.Sprintf("%s: waits %s, until %s (virtual time: they pass at once)", e.Stage, Span(e.Until.Sub(e.At)), e.Until.Format(time.DateTime))
	case migrate.EntryCondition:
		return l.condition(e)
	case migrate.EntryHalt:
		return fmt.Sprintf("HALT (%s) %s", e.Reason, Text(e.Note))
	case migrate.EntryAlarm:
		return fmt.Sprintf("ALARM: %s: %s", e.Stage, Text(e.Note))
	case migrate.EntryExpired:
		return fmt.Sprintf("%s: %s failed at the deadline", e.Stage, Count(len(e.Failed), "device"))
	case migrate.EntryPerformed, migrate.EntryDone, migrate.EntryUndone:
		return failed(e)
	case migrate.EntryHome:
		return "all devices are back at the source" + failed(e)
	case migrate.EntryLaneEnd:
		return "the lane is finished"
	}
	if l.Brief {
		return ""
	}
	return l.step(e, s)
}

// condition tells what a stage waits for: when it holds, and what it lacks when that is something else than before. That a look goes on
// in a moment is left out.
func (l *Lines) condition(e migrate.Entry) string {
	if e.Evidence == nil || !e.Holds && e.Until.Before(e.At.Add(time.Hour)) {
		return ""
	}
	seen := Text(e.Evidence.Seen)
	if e.Holds {
		return fmt.Sprintf("%s: condition %s holds: %s", e.Stage, e.Condition, seen)
	}
	if seen == l.lacked {
		return ""
	}
	l.lacked = seen
	return fmt.Sprintf("%s: condition %s does not hold yet: %s", e.Stage, e.Condition, seen)
}

// step is what progress bars show as well.
func (l *Lines) step(e migrate.Entry, s *migrate.State) string {
	switch e.Kind {
	case migrate.EntryStage:
		return e.Stage + ": " + Text(l.about(e))
	case migrate.EntryAsked:
		return fmt.Sprintf("%s: the operator is asked for console task %s", e.Stage, e.Console)
	case migrate.EntryWave:
		return fmt.Sprintf("%s: wave %d starts", e.Stage, e.Wave)
	case migrate.EntryWaveEnd:
		return fmt.Sprintf("%s: wave %d is over: %s", e.Stage, e.Wave, laneSoFar(s, e.Lane))
	}
	return ""
}

func (l *Lines) about(e migrate.Entry) string {
	for _, lane := range l.Plan.Lanes {
		for _, s := range lane.Stages {
			if lane.Lane.ID == e.Lane && s.Name == e.Stage {
				return s.About
			}
		}
	}
	return ""
}

func laneSoFar(s *migrate.State, id string) string {
	for _, r := range s.Report("").Lanes {
		if r.Lane == id {
			return soFar(r)
		}
	}
	return ""
}

// soFar counts the devices of a lane.
func soFar(r migrate.LaneReport) string {
	text := fmt.Sprintf("%d of %d moved, %d proven", r.Moved, r.Devices, r.Proven)
	for _, part := range []struct {
		n    int
		what string
	}{{r.Asleep, "asleep"}, {r.Unproven, "unproven"}, {r.Failed, "failed"}, {r.Returned, "returned"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return text
}

func decision(d migrate.Decision) string {
	text := string(d.Kind)
	if d.Stage != "" {
		text = d.Stage + ": " + text
	}
	text += ", says " + Text(d.By)
	if d.Note != "" {
		text += ": " + Text(d.Note)
	}
	return text
}

// failed tells what went wrong; it is empty for what went well, and for what is simply tried again.
func failed(e migrate.Entry) string {
	if e.Error == "" || e.Retry {
		return ""
	}
	return strings.TrimPrefix(e.Stage+": ", ": ") + Text(e.Error)
}
