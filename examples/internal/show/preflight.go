package show

import (
	"fmt"
	"io"
	"strings"

	"github.com/iotferry/iotferry/migrate"
)

// Preflight prints what cannot move, why and what to do, and what a person should know of the rest.
func Preflight(w io.Writer, s *migrate.Survey, issues []migrate.Issue) {
	line(w, "PREFLIGHT of account %s: %s -> %s", Text(s.Account), s.Source, s.Target)
	line(w, "  The source has %s in %s.", Count(s.Devices(), "device"), Count(len(s.Products), "product"))
	names := make(map[string]string, len(s.Products))
	for _, p := range s.Products {
		names[p.Product.Key] = p.Product.Name
	}
	for _, part := range []struct {
		severity  migrate.Severity
		head, not string
	}{
		{migrate.Blocker, "Blocked:", "Nothing is blocked."},
		{migrate.Warning, "Warnings:", "There are no warnings."},
	} {
		head := part.not
		for _, i := range issues {
			if i.Severity != part.severity {
				continue
			}
			if head == part.not {
				head = part.head
				line(w, "  %s", head)
			}
			issue(w, i, names)
		}
		if head == part.not {
			line(w, "  %s", head)
		}
	}
	line(w, "")
}

func issue(w io.Writer, i migrate.Issue, names map[string]string) {
	line(w, "    %s: %s%s", subject(i, names), i.Code, devices(i))
	line(w, "      why: %s", Text(i.Why))
	line(w, "      do:  %s", Text(i.Remedy))
}

func subject(i migrate.Issue, names map[string]string) string {
	switch {
	case i.Family != nil:
		return "family " + i.Family.String()
	case i.Instance != "":
		return "instance " + i.Instance
	}
	return "product " + named(i.ProductKey, names[i.ProductKey])
}

func named(key, name string) string { return fmt.Sprintf("%s (%s)", key, Text(name)) }

// devices lists a few of the devices that an issue is about.
func devices(i migrate.Issue) string {
	if len(i.Devices) == 0 {
		return ""
	}
	const most = 3
	var names []string
	for _, d := range i.Devices[:min(most, len(i.Devices))] {
		names = append(names, d.DeviceName)
	}
	if more := len(i.Devices) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf(", %s: %s", Count(len(i.Devices), "device"), strings.Join(names, ", "))
}
