package show

import (
	"io"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// Report prints what became of a campaign, lane by lane, with the evidence.
func Report(w io.Writer, r *migrate.Report) {
	line(w, "")
	line(w, "REPORT of campaign %s: %s after %s", Text(r.Campaign), r.Outcome, Span(r.Latest.Sub(r.Began)))
	for _, l := range r.Lanes {
		laneReport(w, l)
	}
}

func laneReport(w io.Writer, l migrate.LaneReport) {
	line(w, "  Lane %s, strategy %s: %s", l.Lane, l.Strategy, standing(l))
	line(w, "    %s: %d moved, %d proven, %d failed, %d returned; %d unproven, %d under way, %d not moved",
		Count(l.Devices, "device"), l.Moved, l.Proven, l.Failed, l.Returned, l.Unproven, l.Underway, l.Unmoved)
	if l.Asleep > 0 {
		line(w, "    asleep: %s, not online before the move: arrived, and will prove themselves when they wake", Count(l.Asleep, "device"))
	}
	line(w, "    %s used, %d put off by the platform", Count(l.Calls, "call"), l.Retried)
	for _, wait := range l.Waits {
		waited(w, wait)
	}
	for _, v := range l.Verdicts {
		line(w, "    %-14s %4d passed, %d failed%s", v.Verifier, v.Passed, v.Failed, sample(v.Sample))
	}
	few(w, "failed", l.Failures)
	drift(w, l)
}

// drift tells what was not as planned, and how long the way back is open.
func drift(w io.Writer, l migrate.LaneReport) {
	if l.Joined+l.ByOthers+l.LeftOut > 0 {
		line(w, "    since the plan: %d joined their gateways, %d moved by others, %d left out", l.Joined, l.ByOthers, l.LeftOut)
	}
	few(w, "left out", l.Drifted)
	few(w, "at the source", l.Appeared)
	if l.Queued != "" {
		line(w, "    waits: %s", l.Queued)
	}
	if len(l.Reversible) == 0 {
		return
	}
	first := l.Reversible[0]
	if first.Until.IsZero() {
		line(w, "    way back: how long devices can be returned is not known; ask support, and declare it (Deadlines.Reverse)")
		return
	}
	line(w, "    way back: wave %d of stage %s can be returned until %s, later ones longer", first.Wave, first.Stage, first.Until.UTC().Format(time.DateTime))
}

// waited tells of the wait of a stage: since when, until when, by whom, and what still has to happen.
func waited(w io.Writer, r migrate.WaitReport) {
	if !r.Begun.IsZero() {
		text := "waits since " + r.Begun.Format(time.DateTime)
		if r.Seen != nil {
			text += " (" + Text(r.Seen.Source) + ": " + Text(r.Seen.Seen) + ")"
		}
		if !r.Least.IsZero() {
			text += ", at least until " + r.Least.Format(time.DateTime)
		}
		if !r.Ends.IsZero() {
			text += ", at most until " + r.Ends.Format(time.DateTime)
		}
		if !r.Ended.IsZero() {
			text += ", ended " + r.Ended.Format(time.DateTime)
		}
		line(w, "    %s: %s", r.Stage, text)
	}
	if r.Early != nil {
		line(w, "    %s: ended early, says %s: %s", r.Stage, Text(r.Early.By), Text(r.Early.Note))
	}
	for _, todo := range r.Todo {
		line(w, "    %s: to do: %s", r.Stage, Text(todo))
	}
}

func standing(l migrate.LaneReport) string {
	switch {
	case l.Halt != "":
		return "halted in stage " + l.Stage + " (" + string(l.Halt) + ") " + Text(l.Note)
	case l.Finished:
		return "finished"
	case l.Gate:
		return "waits for a person at stage " + l.Stage
	}
	return "in stage " + l.Stage
}

func sample(e *migrate.Evidence) string {
	if e == nil {
		return ""
	}
	return ", such as " + seen(*e)
}

func seen(e migrate.Evidence) string {
	return Text(e.Source) + " at " + e.At.UTC().Format(time.DateTime) + ": " + Text(e.Seen)
}

// few lists the first devices of a list.
func few(w io.Writer, what string, list []migrate.Failure) {
	const most = 10
	for _, f := range list[:min(most, len(list))] {
		line(w, "    %s: %s: %s", what, f.Device, seen(f.Evidence))
	}
	if more := len(list) - most; more > 0 {
		line(w, "    %s: and %s more", what, Count(more, "device"))
	}
}
