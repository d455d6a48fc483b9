package migrate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/internal/page"
	"github.com/iotferry/iotferry/iot"
)

// issueDevices is how many of an issue's devices the texts name. JSON has all of them.
const issueDevices = 3

// WriteText writes the report for a terminal. What the platform says is escaped, so that it cannot move the cursor. Of many families
// with the same issue it shows the first; JSON has all.
func (r *PreflightReport) WriteText(w io.Writer) error {
	out := page.New(w)
	out.Printf("PREFLIGHT of account %s: %s -> %s\n", iot.Printable(r.Account), iot.Printable(r.Source.String()), iot.Printable(r.Target.String()))
	out.Printf("  %s\n", r.sums())
	for _, part := range preflightParts() {
		issues, more := r.of(part.severity)
		if len(issues) == 0 {
			out.Printf("  %s\n", r.none(part))
			continue
		}
		out.Printf("  %s:\n", part.head)
		for _, i := range issues {
			out.Printf("    %s\n", iot.Printable(fmt.Sprintf("%s: %s%s%s", r.subject(i), i.Code, i.sample(), i.known())))
			out.Printf("      why: %s\n", iot.Printable(i.Why))
			out.Printf("      do:  %s\n", iot.Printable(i.Remedy))
		}
		for _, m := range more {
			out.Printf("    %s\n", m)
		}
	}
	return out.Flush("preflight")
}

// WriteMarkdown writes the report as a page of Markdown. What the platform says is escaped, so that it is no markup. Families are
// shown as in [PreflightReport.WriteText].
func (r *PreflightReport) WriteMarkdown(w io.Writer) error {
	out := page.New(w)
	out.Printf("# Preflight of account %s\n\n", page.Markdown(r.Account))
	out.Printf("From %s to %s. %s\n", page.Markdown(r.Source.String()), page.Markdown(r.Target.String()), r.sums())
	for _, part := range preflightParts() {
		out.Printf("\n## %s\n\n", part.head)
		issues, more := r.of(part.severity)
		if len(issues) == 0 {
			out.Printf("%s\n", r.none(part))
			continue
		}
		out.Printf("| subject | code | known | why | do |\n| --- | --- | --- | --- | --- |\n")
		for _, i := range issues {
			out.Printf("| %s%s | `%s` | %s | %s | %s |\n",
				page.Markdown(r.subject(i)), page.Markdown(i.sample()), i.Code, i.Basis, page.Markdown(i.Why), page.Markdown(i.Remedy))
		}
		for _, m := range more {
			out.Printf("\n%s\n", m)
		}
	}
	return out.Flush("preflight")
}

// has reports whether there is an issue with a code.
func (r *PreflightReport) has(c Code) bool {
	return slices.ContainsFunc(r.Issues, func(i Issue) bool { return i.Code == c })
}

// sums says how much there is, as far as it could be read.
func (r *PreflightReport) sums() string {
	switch {
	case r.has(CodeSurvey):
		return "What the source has could not be read."
	case r.has(CodeInconsistent):
		return fmt.Sprintf("The source has %d devices in %d products; how many can move is not known.", r.Devices, r.Products)
	}
	return fmt.Sprintf("The source has %d devices in %d products; %d devices can move.", r.Devices, r.Products, r.Movable)
}

// none says that a part is empty, unless nobody knows.
func (r *PreflightReport) none(p preflightPart) string {
	if r.has(CodeSurvey) || r.has(CodeInconsistent) {
		return p.head + ": not known."
	}
	return p.none
}

type preflightPart struct {
	severity   Severity
	head, none string
}

func preflightParts() []preflightPart {
	return []preflightPart{
		{Blocker, "Blocked", "Nothing is blocked."},
		{Warning, "Warnings", "There are no warnings."},
		{Work, "Work for people", "There is no work for people."},
	}
}

// issueFamilies is how many families with the same issue the texts show.
const issueFamilies = 20

// of returns the issues of a severity that the texts show, and a line about each kind of those that they do not.
func (r *PreflightReport) of(s Severity) (shown []Issue, more []string) {
	families := map[Code]int{}
	for _, i := range r.Issues {
		if i.Severity != s {
			continue
		}
		if i.Family != nil {
			families[i.Code]++
		}
		if i.Family == nil || families[i.Code] <= issueFamilies {
			shown = append(shown, i)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(families)) {
		if n := families[c] - issueFamilies; n > 0 {
			more = append(more, fmt.Sprintf("%s: %d more families, %d in all; as JSON the report names them.", c, n, families[c]))
		}
	}
	return shown, more
}

// subject names what an issue is about, a product with its name.
func (r *PreflightReport) subject(i Issue) string {
	switch {
	case i.Family != nil:
		return "family " + i.Family.String()
	case i.Instance != "" && i.Instance == r.Source.String():
		return r.Source.String()
	case i.Instance != "":
		return "instance " + i.Instance
	}
	name := ""
	if r.Survey != nil {
		for j := range r.Survey.Products {
			if p := &r.Survey.Products[j].Product; p.Key == i.ProductKey {
				name = " (" + p.Name + ")"
			}
		}
	}
	return "product " + i.ProductKey + name
}

// sample lists a few of the devices that an issue is about.
func (i Issue) sample() string {
	if len(i.Devices) == 0 {
		return ""
	}
	names := make([]string, 0, issueDevices+1)
	for _, d := range i.Devices[:min(issueDevices, len(i.Devices))] {
		names = append(names, d.DeviceName)
	}
	if more := len(i.Devices) - issueDevices; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	noun := "devices"
	if len(i.Devices) == 1 {
		noun = "device"
	}
	return fmt.Sprintf(", %d %s: %s", len(i.Devices), noun, strings.Join(names, ", "))
}

// known says how it is known what stands in the way. Work is for people whatever is known.
func (i Issue) known() string {
	switch {
	case i.Severity == Work || i.Basis == "":
		return ""
	case i.Basis == BasisUndeclared:
		return " (open question)"
	}
	return " (" + string(i.Basis) + ")"
}
