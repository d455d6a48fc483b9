package topology_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

func TestDiff(t *testing.T) {
	zero := iot.DeviceID{}
	for _, tt := range []struct {
		name          string
		before, after []string // pairs of gateway and sub-device
		want          []topology.Change
	}{
		{"nothing", nil, nil, nil},
		{"equal", []string{gw1, sub1, gw1, sub2}, []string{gw1, sub2, gw1, sub1}, nil},
		{"repeated", []string{gw1, sub1, gw1, sub1}, []string{gw1, sub1}, nil},
		{"repeated and vanished", []string{gw1, sub1, gw1, sub1}, nil, []topology.Change{{id(t, sub1), id(t, gw1), zero}}},
		{"appeared", nil, []string{gw1, sub1}, []topology.Change{{id(t, sub1), zero, id(t, gw1)}}},
		{"vanished", []string{gw1, sub1}, nil, []topology.Change{{id(t, sub1), id(t, gw1), zero}}},
		{"changed", []string{gw1, sub1}, []string{gw2, sub1}, []topology.Change{{id(t, sub1), id(t, gw1), id(t, gw2)}}},
		{"sorted", []string{gw1, sub2}, []string{gw1, sub1},
			[]topology.Change{{id(t, sub1), zero, id(t, gw1)}, {id(t, sub2), id(t, gw1), zero}}},
		{"second gateway", []string{gw1, sub1}, []string{gw2, sub1, gw1, sub1},
			[]topology.Change{{id(t, sub1), zero, id(t, gw2)}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := topology.Diff(relations(t, tt.before...), relations(t, tt.after...))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDiffOfAnyTopologies(t *testing.T) {
	forSeeds(t, 100, func(t *testing.T, rnd *rand.Rand) {
		before, after := randomRelations(rnd), randomRelations(rnd)
		changes := topology.Diff(before, after)
		if diff := cmp.Diff(asSet(after), apply(asSet(before), changes)); diff != "" {
			t.Errorf("applying the changes leads elsewhere: %s", diff)
		}
		if got := topology.Diff(before, before); len(got) != 0 {
			t.Errorf("a topology differs from itself: %v", got)
		}
		if !slices.IsSortedFunc(changes, func(a, b topology.Change) int { return a.Sub.Compare(b.Sub) }) {
			t.Errorf("not sorted: %v", changes)
		}
		shuffle(rnd, before)
		shuffle(rnd, after)
		kept := slices.Clone(before)
		if diff := cmp.Diff(changes, topology.Diff(before, after)); diff != "" {
			t.Errorf("order matters: %s", diff)
		}
		if !slices.Equal(kept, before) {
			t.Error("the argument was changed")
		}
		for i, c := range topology.Diff(after, before) {
			if c.Before != changes[i].After || c.After != changes[i].Before {
				t.Errorf("backwards, change %d is %v, forwards it is %v", i, c, changes[i])
			}
		}
	})
}

func shuffle[T any](rnd *rand.Rand, s []T) {
	rnd.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

func randomRelations(rnd *rand.Rand) []topology.Relation {
	relations := make([]topology.Relation, rnd.IntN(60))
	for i := range relations {
		relations[i].Gateway = device(gatewayProduct, rnd.IntN(4))
		relations[i].Sub = device(subProducts[rnd.IntN(2)], rnd.IntN(20))
	}
	return relations
}

func asSet(relations []topology.Relation) map[topology.Relation]bool {
	set := map[topology.Relation]bool{}
	for _, r := range relations {
		set[r] = true
	}
	return set
}

func apply(set map[topology.Relation]bool, changes []topology.Change) map[topology.Relation]bool {
	for _, c := range changes {
		delete(set, topology.Relation{Gateway: c.Before, Sub: c.Sub})
		if !c.After.IsZero() {
			set[topology.Relation{Gateway: c.After, Sub: c.Sub}] = true
		}
	}
	return set
}

func ExampleDiff() {
	before := []topology.Relation{
		{Gateway: device("a1Gatewy001", 1), Sub: device("a1Sensor001", 1)},
		{Gateway: device("a1Gatewy001", 1), Sub: device("a1Sensor001", 2)},
	}
	after := []topology.Relation{
		{Gateway: device("a1Gatewy001", 2), Sub: device("a1Sensor001", 1)},
	}
	for _, c := range topology.Diff(before, after) {
		if c.After.IsZero() {
			fmt.Println(c.Sub, "lost its gateway", c.Before)
		} else {
			fmt.Println(c.Sub, "is now below", c.After)
		}
	}
	// Output:
	// a1Sensor001/device-0000001 is now below a1Gatewy001/device-0000002
	// a1Sensor001/device-0000002 lost its gateway a1Gatewy001/device-0000001
}
