package migrate

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// issueDevices is how many of an issue's devices the texts name. JSON has all of them.
const issueDevices = 3

// WriteText writes the report for a terminal. What the platform says is escaped, so that it cannot move the cursor.
func (r *PreflightReport) WriteText(w io.Writer) error {
	out := &textWriter{out: bufio.NewWriter(w)}
	out.printf("PREFLIGHT of account %s: %s -> %s\n", iot.Printable(r.Account), r.Source, r.Target)
	out.printf("  The source has %d devices in %d products; %d devices can move.\n", r.Devices, r.Products, r.Movable)
	for _, part := range preflightParts() {
		issues := r.of(part.severity)
		if len(issues) == 0 {
			out.printf("  %s\n", part.none)
			continue
		}
		out.printf("  %s:\n", part.head)
		for _, i := range issues {
			out.printf("    %s: %s%s%s\n", r.subject(i), i.Code, i.sample(), i.question())
			out.printf("      why: %s\n", iot.Printable(i.Why))
			out.printf("      do:  %s\n", iot.Printable(i.Remedy))
		}
	}
	if err := out.flush(); err != nil {
		return fmt.Errorf("write preflight: %w", err)
	}
	return nil
}

// WriteMarkdown writes the report as a page of Markdown. What the platform says is escaped, so that it is no markup.
func (r *PreflightReport) WriteMarkdown(w io.Writer) error {
	out := &textWriter{out: bufio.NewWriter(w)}
	out.printf("# Preflight of account %s\n\n", markdown(r.Account))
	out.printf("From %s to %s. The source has %d devices in %d products; %d devices can move.\n",
		markdown(r.Source.String()), markdown(r.Target.String()), r.Devices, r.Products, r.Movable)
	for _, part := range preflightParts() {
		out.printf("\n## %s\n\n", part.head)
		issues := r.of(part.severity)
		if len(issues) == 0 {
			out.printf("%s\n", part.none)
			continue
		}
		out.printf("| subject | code | known | why | do |\n| --- | --- | --- | --- | --- |\n")
		for _, i := range issues {
			out.printf("| %s%s | `%s` | %s | %s | %s |\n",
				markdown(r.subject(i)), markdown(i.sample()), i.Code, i.Basis, markdown(i.Why), markdown(i.Remedy))
		}
	}
	if err := out.flush(); err != nil {
		return fmt.Errorf("write preflight: %w", err)
	}
	return nil
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

func (r *PreflightReport) of(s Severity) []Issue {
	var out []Issue
	for _, i := range r.Issues {
		if i.Severity == s {
			out = append(out, i)
		}
	}
	return out
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
				name = fmt.Sprintf(" (%s)", iot.Printable(p.Name))
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

// question marks what is known of nobody.
func (i Issue) question() string {
	if i.Basis == BasisUndeclared && i.Severity != Work {
		return " (open question)"
	}
	return ""
}

// markdown escapes what would be markup in a cell of a table.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range iot.Printable(s) {
		if strings.ContainsRune("\\`*_{}[]<>#|~&!", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
