package tslsync

import "strings"

// A Change is one difference between the models of a source and a target.
type Change struct {
	// Path leads to it by identifiers, such as properties.Voltage.max, events.Alarm.output.Code.values.3 or
	// blocks.engine.services.Stop.
	Path string     `json:"path"`
	Kind ChangeKind `json:"kind"`
	// From and To are what stands there at source and target: the value of a field, of a whole feature its type.
	From   string `json:"from,omitempty"`
	To     string `json:"to,omitempty"`
	Breaks Breaks `json:"breaks"`
	Why    string `json:"why"` // for people
}

// A ChangeKind says what happened on the way from the source to the target.
type ChangeKind string

// The kinds of changes.
const (
	Added   ChangeKind = "added"   // only the target has it
	Removed ChangeKind = "removed" // only the source has it
	Changed ChangeKind = "changed"
)

// Breaks says who is no longer served as before, if nobody changes devices and callers. The zero value is nobody.
type Breaks uint8

// What a change breaks. Both may be set.
const (
	BreaksDevice Breaks = 1 << iota // what devices report or answer may be refused
	BreaksCaller                    // calls of servers may be refused, or they misread what devices report
)

// String returns "nothing", "device", "caller" or "device and caller".
func (b Breaks) String() string {
	var names []string
	if b&BreaksDevice != 0 {
		names = append(names, "device")
	}
	if b&BreaksCaller != 0 {
		names = append(names, "caller")
	}
	if names == nil {
		return "nothing"
	}
	return strings.Join(names, " and ")
}

// MarshalText writes what String returns.
func (b Breaks) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// Broken returns what a list of changes breaks in all.
func Broken(changes []Change) Breaks {
	var all Breaks
	for _, c := range changes {
		all |= c.Breaks
	}
	return all
}
