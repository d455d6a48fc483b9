package topology_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// checkCalls checks what holds for the calls of all families: size, product, each device once, sub-devices
// before their gateway.
func checkCalls(t *testing.T, families []topology.Family, calls []topology.Call) {
	t.Helper()
	at := map[iot.DeviceID]int{}
	for i, c := range calls {
		if n := len(c.Names); n < 1 || n > iot.MaxMove {
			t.Errorf("call %d has %d names", i, n)
		}
		for _, name := range c.Names {
			id := iot.DeviceID{ProductKey: c.ProductKey, DeviceName: name}
			if before, twice := at[id]; twice {
				t.Errorf("%v is in calls %d and %d", id, before, i)
			}
			at[id] = i
		}
	}
	devices := 0
	for _, f := range families {
		devices += f.Len()
		for _, id := range f.Devices {
			switch call, ok := at[id]; {
			case !ok:
				t.Errorf("%v is in no call", id)
			case id != f.ID() && call >= at[f.ID()]:
				t.Errorf("%v is in call %d, its gateway %v in call %d", id, call, f.Gateway, at[f.ID()])
			}
		}
	}
	if len(at) != devices {
		t.Errorf("the calls have %d devices, the families %d", len(at), devices)
	}
}

// ownCalls is the number of calls that the sub-devices of a family need.
func ownCalls(f topology.Family) int {
	return bound([]topology.Family{f}) - 1
}

func TestCalls(t *testing.T) {
	sensor, valve := subProducts[0], subProducts[1]
	got := topology.Calls([]topology.Family{direct(1), family(1, sensor, valve), family(2, sensor), direct(2)})
	want := []topology.Call{
		{ProductKey: sensor, Names: []string{"device-0002000", "device-0004000"}},
		{ProductKey: valve, Names: []string{"device-0002001"}},
		{ProductKey: gatewayProduct, Names: []string{"device-0000002", "device-0000001"}},
		{ProductKey: directProduct, Names: []string{"device-0000001", "device-0000002"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if calls := topology.Calls(nil); len(calls) != 0 {
		t.Errorf("no families have the calls %v", calls)
	}
	if calls := topology.Calls(make([]topology.Family, 2)); len(calls) != 0 {
		t.Errorf("families without devices have the calls %v", calls)
	}
}

func TestCallsOfAnyFleet(t *testing.T) {
	forSeeds(t, 200, func(t *testing.T, rnd *rand.Rand) {
		families := randomFleet(rnd)
		calls := topology.Calls(families)
		checkCalls(t, families, calls)
		if diff := cmp.Diff(calls, topology.Calls(families)); diff != "" {
			t.Errorf("the second time is different: %s", diff)
		}
		// A family waits for 18 calls, and then for those that it is in: at most one per product.
		const wait, products = 18, 5
		for i, split := range topology.Splits(families, calls) {
			if most := ownCalls(families[i]) + wait + products; split > most {
				t.Errorf("family %v of %d devices has the split %d, at most %d is due",
					families[i].ID(), families[i].Len(), split, most)
			}
		}
	})
}

// In few calls nothing waits for too long, so that there is no reason to make one that is not full.
func TestCallsOfFewFamiliesReachTheBound(t *testing.T) {
	forSeeds(t, 200, func(t *testing.T, rnd *rand.Rand) {
		families := randomFleet(rnd)
		for len(families) > 0 && bound(families) > 20 {
			families = families[1:]
		}
		calls := topology.Calls(families)
		checkCalls(t, families, calls)
		if len(calls) != bound(families) {
			t.Errorf("%d calls for %d families, %d are enough", len(calls), len(families), bound(families))
		}
	})
}

func TestCallsOfDirectDevicesReachTheBound(t *testing.T) {
	for _, n := range []int{1, 9, 10, 11, 12_345} {
		var families []topology.Family
		for i := range n {
			families = append(families, direct(i))
		}
		calls := topology.Calls(families)
		checkCalls(t, families, calls)
		if len(calls) != bound(families) {
			t.Errorf("%d calls for %d devices", len(calls), n)
		}
	}
}

// The same limits as the benchmark's, for several ways to spread products over families.
func TestCallsAreFewAndSplitsShort(t *testing.T) {
	for name, product := range map[string]func(*rand.Rand, int) string{
		"mixed families":         func(rnd *rand.Rand, _ int) string { return subProducts[rnd.IntN(2)] },
		"one product per family": func(_ *rand.Rand, i int) string { return subProducts[i%2] },
		"a rare product": func(rnd *rand.Rand, _ int) string {
			return subProducts[max(0, rnd.IntN(20)-18)]
		},
	} {
		t.Run(name, func(t *testing.T) {
			families := fleetOf(100_000, product)
			calls := topology.Calls(families)
			checkCalls(t, families, calls)
			if ratio := float64(len(calls)) / float64(bound(families)); ratio > 1.03 {
				t.Errorf("%d calls, %.3f of the bound", len(calls), ratio)
			}
			if p95 := splitP95(families, calls); p95 > 6 {
				t.Errorf("95 %% of the families are split for up to %.1f s", p95)
			}
		})
	}
}

// A family of the largest size, among small ones, is split hardly longer than alone, and holds up no other.
func TestCallsOfTheLargestFamily(t *testing.T) {
	largest := make([]string, topology.DefaultMaxSubDevices)
	for i := range largest {
		largest[i] = subProducts[0]
	}
	families := mixedFleet(2000)
	at := len(families) / 2
	families[at] = family(at, largest...)
	calls := topology.Calls(families)
	checkCalls(t, families, calls)
	for i, split := range topology.Splits(families, calls) {
		if most := ownCalls(families[i]) + 22; split > most {
			t.Errorf("family %d of %d devices has the split %d, want at most %d", i, families[i].Len(), split, most)
		}
	}
	alone := families[at : at+1]
	if split := topology.Splits(alone, topology.Calls(alone))[0]; split != 150 {
		t.Errorf("alone, it has the split %d, want 150", split)
	}
}

func TestSplits(t *testing.T) {
	sensor := subProducts[0]
	families := []topology.Family{direct(1), family(1, sensor, sensor), family(2), {}}
	calls := []topology.Call{
		{ProductKey: sensor, Names: []string{"device-0002001"}},
		{ProductKey: directProduct, Names: []string{"device-0000001", "device-0000009"}},
		{ProductKey: gatewayProduct, Names: []string{"device-0000001"}},
		{ProductKey: sensor, Names: []string{"device-0002000"}},
	}
	if diff := cmp.Diff([]int{0, 3, 0, 0}, topology.Splits(families, calls)); diff != "" {
		t.Error(diff)
	}
}

func ExampleCalls() {
	families := []topology.Family{
		{Gateway: device("a1Gatewy001", 1), Devices: []iot.DeviceID{
			device("a1Sensor001", 1), device("a1Sensor001", 2), device("a1Gatewy001", 1)}},
		{Gateway: device("a1Gatewy001", 2), Devices: []iot.DeviceID{
			device("a1Sensor001", 3), device("a1Gatewy001", 2)}},
	}
	calls := topology.Calls(families)
	for _, c := range calls {
		fmt.Println(c.ProductKey, c.Names)
	}
	fmt.Println("splits:", topology.Splits(families, calls))
	// Output:
	// a1Sensor001 [device-0000001 device-0000002 device-0000003]
	// a1Gatewy001 [device-0000001 device-0000002]
	// splits: [1 1]
}
