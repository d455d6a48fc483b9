package journal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

const maxName = 100

// reserved are the names that Windows keeps for devices, with any extension and in any case.
var reserved = []string{
	"aux", "con", "nul", "prn",
	"com0", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt0", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
}

// checkName accepts what is a safe file name on every system.
func checkName(campaign string) error {
	stem, _, _ := strings.Cut(strings.ToLower(campaign), ".")
	switch {
	case campaign == "":
		return invalid("a campaign needs a name")
	case len(campaign) > maxName:
		return invalid("campaign %q...: the name is longer than %d bytes", campaign[:20], maxName)
	case strings.ContainsFunc(campaign, unsafe):
		return invalid("campaign %q: use only A-Z, a-z, 0-9, '-', '_' and '.' in the name", campaign)
	case campaign[0] == '.' || campaign[0] == '-':
		return invalid("campaign %q: start the name with a letter, a digit or '_'", campaign)
	case slices.Contains(reserved, stem):
		return invalid("campaign %q: Windows keeps that name for a device; use another one", campaign)
	}
	return nil
}

func unsafe(r rune) bool {
	safe := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' ||
		r == '-' || r == '_' || r == '.'
	return !safe
}

func invalid(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Op: "journal", Message: fmt.Sprintf(format, args...)}
}
