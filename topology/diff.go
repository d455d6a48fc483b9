package topology

import (
	"cmp"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// A Change is a sub-device whose gateway differs between two topologies.
type Change struct {
	Sub    iot.DeviceID `json:"sub"`
	Before iot.DeviceID `json:"before,omitzero"` // its gateway before; zero if it had none: it appeared
	After  iot.DeviceID `json:"after,omitzero"`  // its gateway after; zero if it has none: it vanished
}

// Diff returns what changed between two topologies, in the order of Sub, Before and After. Neither the order of relations
// nor a repeated one matters. Equal topologies have no changes.
//
// A sub-device that has several gateways, which [Families] refuses, may have several changes: the
// gateways that it lost are paired with those that it got, both in order.
func Diff(before, after []Relation) []Change {
	before, after = sortedRelations(before), sortedRelations(after)
	var changes []Change
	for len(before) > 0 || len(after) > 0 {
		sub := firstSub(before, after)
		var lost, got []Relation
		lost, before = cut(before, sub)
		got, after = cut(after, sub)
		changes = appendChanges(changes, sub, lost, got)
	}
	return changes
}

// sortedRelations returns a copy in order, without repetitions.
func sortedRelations(relations []Relation) []Relation {
	sorted := slices.Clone(relations)
	slices.SortFunc(sorted, func(a, b Relation) int {
		return cmp.Or(a.Sub.Compare(b.Sub), a.Gateway.Compare(b.Gateway))
	})
	return slices.Compact(sorted)
}

func firstSub(a, b []Relation) iot.DeviceID {
	if len(b) == 0 || len(a) > 0 && a[0].Sub.Compare(b[0].Sub) < 0 {
		return a[0].Sub
	}
	return b[0].Sub
}

// cut cuts the relations of sub off the front of relations.
func cut(relations []Relation, sub iot.DeviceID) (of, rest []Relation) {
	n := 0
	for n < len(relations) && relations[n].Sub == sub {
		n++
	}
	return relations[:n], relations[n:]
}

func appendChanges(changes []Change, sub iot.DeviceID, before, after []Relation) []Change {
	lost, got := without(before, after), without(after, before)
	for i := range max(len(lost), len(got)) {
		c := Change{Sub: sub}
		if i < len(lost) {
			c.Before = lost[i].Gateway
		}
		if i < len(got) {
			c.After = got[i].Gateway
		}
		changes = append(changes, c)
	}
	return changes
}

// without returns the relations of a that are not in b.
func without(a, b []Relation) []Relation {
	var rest []Relation
	for _, r := range a {
		if !slices.Contains(b, r) {
			rest = append(rest, r)
		}
	}
	return rest
}
