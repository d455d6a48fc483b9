package configdiff

import (
	"fmt"
	"io"
	"strings"

	"github.com/iotferry/iotferry/internal/page"
	"github.com/iotferry/iotferry/iot"
)

// namedDevices is how many devices of a difference the texts name; JSON has all that the report has.
const namedDevices = 3

// WriteText writes the report for a terminal. What the platform says is escaped, so that it cannot move the cursor.
func (r *Report) WriteText(w io.Writer) error {
	p := page.New(w)
	p.Printf("CONFIGURATION %s the move: %s -> %s, %s\n", r.Moment, iot.Printable(r.Source.String()), iot.Printable(r.Target.String()), counted(len(r.Products), "product"))
	for _, part := range parts() {
		list := r.of(part.severity)
		if len(list) == 0 {
			p.Printf("  %s\n", r.none(part))
			continue
		}
		p.Printf("  %s:\n", part.head)
		for _, d := range list {
			p.Printf("    %s, %s: %s%s\n", d.Kind, d.Change, iot.Printable(d.Why), iot.Printable(d.sample()))
			for _, f := range d.Fields {
				source, target := f.values()
				p.Printf("      %s: %s -> %s\n", iot.Printable(clip(f.Path)), source, target)
			}
			if d.Do != "" {
				p.Printf("      do: %s\n", iot.Printable(d.Do))
			}
		}
	}
	for _, c := range r.Coverage {
		p.Printf("  %s\n", c)
	}
	for _, u := range r.Unread {
		p.Printf("  Not compared: %s at %s, as %s.\n", u.Kind, iot.Printable(u.Instance), iot.Printable(u.Why))
	}
	return p.Flush("configuration difference")
}

// WriteMarkdown writes the report as a page of Markdown. What the platform says is escaped, so that it is no markup.
func (r *Report) WriteMarkdown(w io.Writer) error {
	p := page.New(w)
	p.Printf("# Configuration %s the move\n\nFrom %s to %s, %s.\n", r.Moment, page.Markdown(r.Source.String()), page.Markdown(r.Target.String()), counted(len(r.Products), "product"))
	for _, part := range parts() {
		p.Printf("\n## %s\n\n", part.head)
		list := r.of(part.severity)
		if len(list) == 0 {
			p.Printf("%s\n", r.none(part))
			continue
		}
		p.Printf("| what | change | why | fields | do |\n| --- | --- | --- | --- | --- |\n")
		for _, d := range list {
			var fields []string
			for _, f := range d.Fields {
				source, target := f.values()
				fields = append(fields, fmt.Sprintf("%s: %s → %s", page.Markdown(clip(f.Path)), page.Markdown(source), page.Markdown(target)))
			}
			p.Printf("| %s | %s | %s | %s | %s |\n", d.Kind, d.Change, page.Markdown(d.Why+d.sample()), strings.Join(fields, "; "), page.Markdown(d.Do))
		}
	}
	if len(r.Coverage)+len(r.Unread) > 0 {
		p.Printf("\n## How much was compared\n\n")
	}
	for _, c := range r.Coverage {
		p.Printf("- %s\n", c)
	}
	for _, u := range r.Unread {
		p.Printf("- Not compared: %s at %s, as %s.\n", u.Kind, page.Markdown(u.Instance), page.Markdown(u.Why))
	}
	return p.Flush("configuration difference")
}

// String says how much was read, and of a sample its size.
func (c Coverage) String() string {
	s := fmt.Sprintf("%ss: all %d devices were read", c.Kind, c.Devices)
	if c.Read < c.Devices {
		s = fmt.Sprintf("%ss: a sample of %d of %d devices was read", c.Kind, c.Read, c.Devices)
	}
	if c.Absent > 0 {
		s += fmt.Sprintf("; %d of them are not at the target", c.Absent)
	}
	return s + "."
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

type part struct {
	severity   Severity
	head, none string
}

func parts() []part {
	return []part{
		{Loss, "Lost unless somebody acts", "Nothing is lost."},
		{Work, "Work for people", "There is no work for people."},
		{Note, "Good to know", "There is nothing else to know."},
	}
}

// none says that a part is empty, as far as that is known.
func (r *Report) none(p part) string {
	if len(r.Unread) > 0 {
		return strings.TrimSuffix(p.none, ".") + " in what was compared, and that is not all: see below."
	}
	return p.none
}

func (r *Report) of(s Severity) (out []Difference) {
	for _, d := range r.Differences {
		if d.Severity == s {
			out = append(out, d)
		}
	}
	return out
}

// sample lists a few of the devices that a difference is about.
func (d Difference) sample() string {
	if len(d.Devices) == 0 {
		return ""
	}
	var names []string
	for _, id := range d.Devices[:min(namedDevices, len(d.Devices))] {
		names = append(names, id.String())
	}
	if d.Count > len(names) {
		names = append(names, fmt.Sprintf("and %d more", d.Count-len(names)))
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// mostShown is how many characters of a text are shown, and leadShown how many before the place where two long ones differ.
const mostShown, leadShown = 120, 20

// values shows what stands on both sides; of long texts, such as scripts, from where they differ.
func (f Field) values() (source, target string) {
	a, b := []rune(f.Source), []rune(f.Target)
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	if skip := same - leadShown; skip > 0 && max(len(a), len(b)) > mostShown {
		return shown("..."+string(a[skip:]), f.Source), shown("..."+string(b[skip:]), f.Target)
	}
	return shown(f.Source, f.Source), shown(f.Target, f.Target)
}

// shown is a part of what stands on one side.
func shown(part, of string) string {
	if of == "" {
		return "nothing"
	}
	return quoted(clip(part))
}

// clip keeps a script or a long query from flooding a report.
func clip(s string) string {
	if r := []rune(s); len(r) > mostShown {
		return string(r[:mostShown]) + "..."
	}
	return s
}
