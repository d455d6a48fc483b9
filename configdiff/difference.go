package configdiff

import (
	"cmp"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// A Kind is what a difference is about.
type Kind string

// The kinds, in the order of a report.
const (
	Product       Kind = "product"
	Rule          Kind = "rule"
	Parser        Kind = "parser"
	ConsumerGroup Kind = "consumer group"
	Subscription  Kind = "subscription"
	ThingModel    Kind = "thing model"
	Script        Kind = "script"
	Label         Kind = "label"
	DeviceGroup   Kind = "device group"
	Member        Kind = "group member" // a device in a group
	Shadow        Kind = "shadow"
	Job           Kind = "job"
	Update        Kind = "update" // an OTA update batch
	Scene         Kind = "scene"
)

// kinds returns all kinds, in the order of a report.
func kinds() []Kind {
	return []Kind{
		Product, Rule, Parser, ConsumerGroup, Subscription, ThingModel, Script, Label, DeviceGroup, Member, Shadow, Job, Update, Scene,
	}
}

// A Change says how the two sides differ.
type Change string

// The changes.
const (
	Missing     Change = "missing"     // the source has it, the target does not
	Extra       Change = "extra"       // the target alone has it
	Changed     Change = "changed"     // both have it, and it is not the same
	NewID       Change = "new-id"      // it is the same, under another ID
	Unsupported Change = "unsupported" // the target cannot have it
)

// A Severity says what a difference means.
type Severity string

// The severities, the worst first.
const (
	Loss Severity = "loss" // something does not work, or will not, unless somebody acts
	Work Severity = "work" // somebody has to do something, or decide that nobody needs it
	Note Severity = "note" // good to know
)

// A Difference is one thing that is not the same on both instances. Names are their owners': they are quoted in Why and Do, and raw in
// the other fields.
type Difference struct {
	Kind     Kind     `json:"kind"`
	Change   Change   `json:"change"`
	Severity Severity `json:"severity"`
	Product  string   `json:"productKey,omitempty"` // empty for what belongs to no product
	Name     string   `json:"name,omitempty"`       // of the rule, group or job; of a subscription its type
	SourceID string   `json:"sourceId,omitempty"`
	TargetID string   `json:"targetId,omitempty"`
	Fields   []Field  `json:"fields,omitempty"` // what is not the same, for Changed

	// Devices are the first of those that the difference is about, in the order in which they were found, and Count is how many there
	// are in all, or of a sample; zero for what is not about devices.
	Devices []iot.DeviceID `json:"devices,omitempty"`
	Count   int            `json:"count,omitempty"`

	Why string `json:"why"` // what it means
	Do  string `json:"do"`  // what can be done; empty if nothing has to be
}

// A Field is one part that differs. A value that may be a secret is hidden: see [Hidden].
type Field struct {
	Path   string `json:"path"`             // such as topic, or actions[0].configuration.tableName
	Source string `json:"source,omitempty"` // empty if the source does not have it
	Target string `json:"target,omitempty"`
}

// Hidden stands for values whose names say that they are secrets.
const Hidden = "(hidden)"

// sortDifferences puts them in the order of a report, which says nothing about how they were found.
func sortDifferences(list []Difference) {
	order := kinds()
	slices.SortStableFunc(list, func(a, b Difference) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)), cmp.Compare(a.Product, b.Product),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Change, b.Change),
			cmp.Compare(a.SourceID, b.SourceID), cmp.Compare(a.TargetID, b.TargetID),
		)
	})
}
