package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/iotferry/iotferry/examples/internal/show"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

// A result is what -json writes.
type result struct {
	Proven    bool            `json:"proven"` // everything eligible is: the exit code is 0
	Preflight preflight       `json:"preflight"`
	PlanHash  string          `json:"planHash"`
	Report    *migrate.Report `json:"report"`
	Topology  *comparison     `json:"topology,omitempty"` // missing if the campaign was interrupted
}

// A comparison counts the relations of sub-devices to gateways.
type comparison struct {
	Before  int               `json:"before"` // at the source, before
	Target  int               `json:"target"` // at the target, after
	Source  int               `json:"source"` // still at the source, after
	Changes []topology.Change `json:"changes"`
}

// migrate runs the campaign and shows it.
func (p program) migrate(ctx context.Context, f flags, j *journey) int {
	approver, end := p.approver(f)
	defer end()
	bar := p.progress(f, j.plan)
	r, err := j.run(ctx, approver, bar.Watch)
	bar.Close()
	if r != nil && f.json {
		p.writeJSON(r, exitUnproven)
	} else if r != nil {
		p.report(r, j.plan)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return p.fail(errInterrupted, exitUnproven)
	case err != nil:
		return p.fail(err, exitUnproven)
	case !r.Proven:
		return exitUnproven
	}
	return exitProven
}

func (p program) report(r *result, plan *migrate.Plan) {
	show.Report(p.stdout, r.Report)
	used, predicted := 0, 0
	for i, l := range r.Report.Lanes {
		used += l.Calls
		predicted += plan.Lanes[i].Forecast.Calls
	}
	fmt.Fprintf(p.stdout, "  Calls used: %d of BatchGrayMigrationDevice; the plan predicted %d.\n", used, predicted)
	if t := r.Topology; t != nil {
		fmt.Fprintln(p.stdout, "  "+t.text())
		for _, c := range t.Changes {
			fmt.Fprintf(p.stdout, "    %s: gateway %s before, %s after\n", c.Sub, name(c.Before), name(c.After))
		}
	}
	if r.Proven {
		fmt.Fprintln(p.stdout, "  Everything eligible is proven.")
		return
	}
	fmt.Fprintln(p.stdout, "  NOT everything eligible is proven.")
}

func (c *comparison) text() string {
	head := "Topology unchanged"
	if len(c.Changes) > 0 {
		head = fmt.Sprintf("Topology CHANGED in %d places", len(c.Changes))
	}
	text := fmt.Sprintf("%s: %d sub-devices below their gateways at the source before, %d at the target after", head, c.Before, c.Target)
	if c.Source > 0 {
		text += fmt.Sprintf(", %d still at the source", c.Source)
	}
	return text + "."
}

func name(gateway interface {
	IsZero() bool
	String() string
}) string {
	if gateway.IsZero() {
		return "none"
	}
	return gateway.String()
}

// writeJSON writes to stdout and returns the exit code.
func (p program) writeJSON(value any, code int) int {
	out := json.NewEncoder(p.stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(value); err != nil {
		return p.fail(err, exitUnproven)
	}
	return code
}
