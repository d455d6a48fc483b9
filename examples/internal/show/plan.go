package show

import (
	"fmt"
	"io"
	"strings"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/topology"
)

// Plan prints what a campaign will do, lane by lane and stage by stage.
func Plan(w io.Writer, p *migrate.Plan) {
	line(w, "PLAN %.12s: %s", p.Hash(), Count(len(p.Lanes), "lane"))
	for i := range p.Lanes {
		lane(w, &p.Lanes[i])
	}
	line(w, "")
}

func lane(w io.Writer, l *migrate.LanePlan) {
	line(w, "  Lane %s by strategy %s%s, as %s.", l.Lane.ID, l.Strategy, page(l.Strategy), Text(l.Why))
	for _, p := range l.Lane.Products {
		line(w, "    product %s: %s", named(p.Key, p.Name), Count(p.Devices, "device"))
	}
	line(w, "    %s in %s, the largest of %d.", Count(l.Lane.Devices, "device"), Count(l.Lane.Families, "family"), l.Lane.LargestFamily)
	for i, s := range l.Stages {
		line(w, "    %d. %-18s %s", i+1, s.Name, parts(s))
	}
	line(w, "    predicted: %s", forecast(l.Forecast))
}

// page names the page of the guide that a strategy implements.
func page(strategy string) string {
	if n := scenario.Number(strategy); n > 0 {
		return fmt.Sprintf(" (scenario %d)", n)
	}
	return ""
}

// parts tells what a stage is made of, in the order in which it happens.
func parts(s migrate.StagePlan) string {
	var list []string
	add := func(ok bool, format string, args ...any) {
		if ok {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(s.Gate, "gate")
	add(s.OneWay, "no way back")
	add(s.Console != "", "console task %s", s.Console)
	add(s.Does, "own code")
	add(s.Moves, "%s", waves(s.Waves))
	add(s.Wait.Min > 0, "wait %s", Span(s.Wait.Min))
	add(len(s.Verifiers) > 0, "verify %s", strings.Join(s.Verifiers, ", "))
	return strings.Join(list, "; ")
}

func waves(list []topology.Wave) string {
	if len(list) == 0 {
		return "nothing is left to move"
	}
	total, least, most := 0, list[0].Devices, 0
	for _, w := range list {
		total += w.Devices
		least, most = min(least, w.Devices), max(most, w.Devices)
	}
	text := fmt.Sprintf("%s in %s", Count(total, "device"), Count(len(list), "wave"))
	if least != most {
		text += fmt.Sprintf(" of %d to %d", least, most)
	}
	return text
}

func forecast(f migrate.Forecast) string {
	text := fmt.Sprintf("%s in %s", Count(f.Calls, "call"), Span(f.Moving))
	if f.Waiting > 0 {
		text += ", and " + Span(f.Waiting) + " of waiting"
	}
	if f.SplitMax == 0 {
		return text + "; no family is ever split"
	}
	return fmt.Sprintf("%s; a family is split for %s at most (95%%: %s)", text, Span(f.SplitMax), Span(f.SplitP95))
}

func named(key, name string) string { return fmt.Sprintf("%s (%s)", key, Text(name)) }
