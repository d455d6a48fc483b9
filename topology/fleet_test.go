package topology_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

const (
	gatewayProduct = "a1Gatewy001"
	directProduct  = "a1Meter0001"
)

var subProducts = []string{"a1Sensor001", "a1Valve0001"}

func device(product string, i int) iot.DeviceID {
	return iot.DeviceID{ProductKey: product, DeviceName: fmt.Sprintf("device-%07d", i)}
}

// ids parses IDs that a test writes down.
func id(t testing.TB, s string) iot.DeviceID {
	t.Helper()
	parsed, err := iot.ParseDeviceID(s)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// seq yields items as a stream without errors.
func seq[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// family makes the family number i with one sub-device for each element of subs, of the product that it names.
func family(i int, subs ...string) topology.Family {
	f := topology.Family{Gateway: device(gatewayProduct, i)}
	for k, product := range subs {
		f.Devices = append(f.Devices, device(product, i*2000+k))
	}
	slices.SortFunc(f.Devices, iot.DeviceID.Compare)
	f.Devices = append(f.Devices, f.Gateway)
	return f
}

func direct(i int) topology.Family {
	return topology.Family{Devices: []iot.DeviceID{device(directProduct, i)}}
}

// mixedFleet makes families of 1 to 50 devices; each sub-device is of one of two products.
func mixedFleet(devices int) []topology.Family {
	return fleetOf(devices, func(rnd *rand.Rand, _ int) string { return subProducts[rnd.IntN(2)] })
}

// fleetOf is mixedFleet with a choice of the product of each sub-device of family i.
func fleetOf(devices int, product func(rnd *rand.Rand, i int) string) []topology.Family {
	rnd := rand.New(rand.NewPCG(3, 4))
	var families []topology.Family
	for made := 0; made < devices; {
		size := min(1+rnd.IntN(50), devices-made)
		made += size
		subs := make([]string, size-1)
		for k := range subs {
			subs[k] = product(rnd, len(families))
		}
		families = append(families, family(len(families), subs...))
	}
	return families
}

// randomFleet makes up to 60 families: direct devices, gateways without sub-devices, and gateways
// with up to 80 sub-devices of up to 4 products.
func randomFleet(rnd *rand.Rand) []topology.Family {
	families := []topology.Family{}
	for i := range rnd.IntN(60) {
		if rnd.IntN(3) == 0 {
			families = append(families, direct(i))
			continue
		}
		subs := make([]string, rnd.IntN(1+rnd.IntN(80)))
		for k := range subs {
			subs[k] = fmt.Sprintf("a1SubPrd%03d", rnd.IntN(1+rnd.IntN(4)))
		}
		families = append(families, family(i, subs...))
	}
	slices.SortFunc(families, func(a, b topology.Family) int { return a.ID().Compare(b.ID()) })
	return families
}

// streams takes families apart, in random order.
func streams(rnd *rand.Rand, families []topology.Family) ([]topology.Member, []topology.Relation) {
	var members []topology.Member
	var relations []topology.Relation
	for _, f := range families {
		for _, id := range f.Devices {
			node := iot.SubDevice
			switch id {
			case f.Gateway:
				node = iot.Gateway
			case f.ID():
				node = iot.Direct
			default:
				relations = append(relations, topology.Relation{Gateway: f.Gateway, Sub: id})
			}
			members = append(members, topology.Member{ID: id, Node: node})
		}
	}
	rnd.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	rnd.Shuffle(len(relations), func(i, j int) { relations[i], relations[j] = relations[j], relations[i] })
	return members, relations
}

// forSeeds runs a property test with several seeds, and names the seed that fails.
func forSeeds(t *testing.T, n int, test func(t *testing.T, rnd *rand.Rand)) {
	for seed := range uint64(n) {
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			test(t, rand.New(rand.NewPCG(seed, 0)))
		})
	}
}

// bound is the least number of calls: every product's devices in full calls.
func bound(families []topology.Family) int {
	count := map[string]int{}
	for _, f := range families {
		for _, id := range f.Devices {
			count[id.ProductKey]++
		}
	}
	calls := 0
	for _, n := range count {
		calls += (n + iot.MaxMove - 1) / iot.MaxMove
	}
	return calls
}

// splitP95 is the time in seconds between first and last call that 95 % of the families keep.
func splitP95(families []topology.Family, calls []topology.Call) float64 {
	const callsPerSecond = 5
	splits := topology.Splits(families, calls)
	slices.Sort(splits)
	return float64(splits[len(splits)*95/100]) / callsPerSecond
}
