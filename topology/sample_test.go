package topology_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/topology"
)

// products names the set of products of a family.
func products(f topology.Family) string {
	set := map[string]bool{}
	for _, id := range f.Devices {
		set[id.ProductKey] = true
	}
	keys := []string{}
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return fmt.Sprint(keys)
}

func TestSample(t *testing.T) {
	sensor, valve := subProducts[0], subProducts[1]
	sensors := func(i, n int) topology.Family { return family(i, slices.Repeat([]string{sensor}, n)...) }
	families := []topology.Family{
		sensors(0, 9), sensors(1, 1), sensors(2, 3), sensors(3, 5), sensors(4, 7),
		family(5, sensor, valve), direct(6), direct(7), direct(8),
	}
	for _, tt := range []struct {
		n    int
		want []int
	}{
		{-1, nil},
		{0, nil},
		{1, []int{6}},                            // one device is one direct device
		{3, []int{1, 6}},                         // two sets of products
		{6, []int{1, 5, 6}},                      // all three, each by its smallest family
		{7, []int{1, 5, 6, 8}},                   // and by turns: the direct device at the other end
		{17, []int{0, 1, 5, 6, 8}},               // the largest family
		{24, []int{0, 1, 3, 5, 6, 7, 8}},         // the family of middle size
		{1000, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}}, // everything
	} {
		t.Run(fmt.Sprint(tt.n), func(t *testing.T) {
			if diff := cmp.Diff(tt.want, topology.Sample(families, tt.n)); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := topology.Sample(families[:1], 5); !slices.Equal(got, []int{0}) {
		t.Errorf("of one family that is too large: got %v, want it all the same", got)
	}
	if got := topology.Sample(make([]topology.Family, 3), 5); len(got) != 0 {
		t.Errorf("of families without devices: got %v", got)
	}
	if got := topology.Sample(nil, 5); len(got) != 0 {
		t.Errorf("of nothing: got %v", got)
	}
}

func TestSampleOfAnyFleet(t *testing.T) {
	forSeeds(t, 200, func(t *testing.T, rnd *rand.Rand) {
		families := randomFleet(rnd)
		n := 1 + rnd.IntN(300)
		got := topology.Sample(families, n)
		if !slices.Equal(got, topology.Sample(families, n)) {
			t.Error("the second time is different")
		}
		devices, have := 0, map[string]bool{}
		for i, at := range got {
			if i > 0 && got[i-1] >= at {
				t.Fatalf("not ascending: %v", got)
			}
			devices += families[at].Len()
			have[products(families[at])] = true
		}
		if devices > n && len(got) > 1 || len(got) == 0 && len(families) > 0 {
			t.Errorf("%d families with %d devices, want at most %d", len(got), devices, n)
		}
		smallest := map[string]int{}
		for _, f := range families {
			key := products(f)
			if size, ok := smallest[key]; !ok || f.Len() < size {
				smallest[key] = f.Len()
			}
		}
		if want := representable(smallest, n); len(have) < want {
			t.Errorf("%d sets of products are there, %d are possible", len(have), want)
		}
	})
}

// representable returns how many sets of products n devices can represent, each by its smallest family.
func representable(smallest map[string]int, n int) int {
	sizes := []int{}
	for _, size := range smallest {
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	sets := 0
	for _, size := range sizes {
		if n -= size; n < 0 {
			break
		}
		sets++
	}
	return sets
}

func ExampleSample() {
	families := []topology.Family{
		family(0, "a1Sensor001"),
		family(1, "a1Sensor001", "a1Sensor001", "a1Sensor001"),
		family(2, "a1Sensor001", "a1Valve0001"),
		direct(3),
		direct(4),
	}
	fmt.Println(topology.Sample(families, 6))
	// Output: [0 2 3]
}
