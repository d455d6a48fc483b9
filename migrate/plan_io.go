package migrate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/iotferry/iotferry/internal/page"
)

// Blocked returns the blockers that are about the whole campaign. A plan that has any cannot be run.
func (p *Plan) Blocked() []Issue {
	var blocked []Issue
	for _, i := range p.Issues {
		if i.Severity == Blocker && i.Instance != "" {
			blocked = append(blocked, i)
		}
	}
	return blocked
}

// Hash returns the SHA-256 of what [Plan.Write] writes, in hexadecimal. Journals are bound to it.
func (p *Plan) Hash() string {
	h := sha256.New()
	_ = p.Write(h) // a hash takes everything, and every plan of a Planner or of ReadPlan can be written
	return hex.EncodeToString(h.Sum(nil))
}

// Write writes the plan as JSON in its one canonical form, which [ReadPlan] reads: a line for each issue,
// stage and family, so that two plans can be compared line by line. It does not build the text in memory.
func (p *Plan) Write(w io.Writer) error {
	out := &planWriter{Writer: page.New(w)}
	out.Text("{\n")
	out.field(" ", "version", p.Version)
	out.field(" ", "account", p.Account)
	out.field(" ", "source", p.Source)
	out.field(" ", "target", p.Target)
	out.field(" ", "limits", p.Limits)
	out.field(" ", "deadlines", p.Deadlines)
	if p.Follows != "" {
		out.field(" ", "follows", p.Follows)
	}
	writeLines(out, " ", "issues", p.Issues)
	out.Text(",\n \"lanes\": [")
	for i := range p.Lanes {
		out.Text(separator(i))
		out.lane(&p.Lanes[i])
	}
	out.Text("\n ]\n}\n")
	if out.err != nil {
		return fmt.Errorf("write plan: %w", out.err)
	}
	return out.Flush("plan")
}

// A planWriter writes the parts of a plan.
type planWriter struct {
	*page.Writer
	err error // of what is no JSON
}

func (w *planWriter) lane(l *LanePlan) {
	w.Text("\n  {\n")
	w.field("   ", "lane", l.Lane)
	w.field("   ", "strategy", l.Strategy)
	w.field("   ", "why", l.Why)
	w.field("   ", "forecast", l.Forecast)
	if len(l.Followers) > 0 {
		writeLines(w, "   ", "followers", l.Followers)
		w.Text(",\n")
	}
	writeLines(w, "   ", "stages", l.Stages)
	w.Text(",\n")
	writeLines(w, "   ", "families", l.Families)
	w.Text("\n  }")
}

// writeLines writes a field that is a list, each item on a line of its own.
func writeLines[T any](w *planWriter, indent, name string, items []T) {
	w.Text(indent + `"` + name + `": [`)
	for i := range items {
		w.Text(separator(i) + "\n" + indent + " ")
		w.value(&items[i])
	}
	if len(items) > 0 {
		w.Text("\n" + indent)
	}
	w.Text("]")
}

func separator(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

// field writes a field that others follow.
func (w *planWriter) field(indent, name string, v any) {
	w.Text(indent + `"` + name + `": `)
	w.value(v)
	w.Text(",\n")
}

func (w *planWriter) value(v any) {
	text, err := json.Marshal(v)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.Text(string(text))
}
