package topology_test

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// BenchmarkFamilies1M builds the families of 1,000,000 devices, 100,000 of them gateways. Devices come in
// random order, relations gateway by gateway, as a survey reads them.
//
// x-map is its time over that of filling one map, made with room for all, with the same devices in the
// same order, run in turns. B/device is all that it allocates, garbage included, per device.
func BenchmarkFamilies1M(b *testing.B) {
	const gateways, subs = 100_000, 900_000
	members, relations := largeFleet(gateways, subs)
	devices, rels := seq(members), seq(relations)
	var families, reference time.Duration
	var bytes uint64
	for b.Loop() {
		reference += timed(func() { fillMap(members) })
		before := allocated()
		families += timed(func() {
			got, err := topology.Families(devices, rels, 0)
			if err != nil || len(got) != gateways {
				b.Fatalf("%d families, error %v", len(got), err)
			}
		})
		bytes += allocated() - before
	}
	b.ReportMetric(families.Seconds()/reference.Seconds(), "x-map")
	b.ReportMetric(float64(bytes)/float64(b.N)/(gateways+subs), "B/device")
}

func fillMap(members []topology.Member) {
	m := make(map[iot.DeviceID]int32, len(members))
	for i := range members {
		m[members[i].ID] = int32(i)
	}
	runtime.KeepAlive(m)
}

// timed collects garbage first, so that neither side pays for the other's.
func timed(f func()) time.Duration {
	runtime.GC()
	start := time.Now()
	f()
	return time.Since(start)
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func largeFleet(gateways, subs int) ([]topology.Member, []topology.Relation) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var members []topology.Member
	var relations []topology.Relation
	for i := range gateways {
		gateway := device(gatewayProduct, i)
		members = append(members, topology.Member{ID: gateway, Node: iot.Gateway})
		for j := range subs / gateways {
			sub := device(subProducts[j%2], i*(subs/gateways)+j)
			members = append(members, topology.Member{ID: sub, Node: iot.SubDevice})
			relations = append(relations, topology.Relation{Gateway: gateway, Sub: sub})
		}
	}
	rnd.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return members, relations
}

// BenchmarkCalls packs 100,000 devices in families of 1 to 50 over three products.
//
// calls/bound is the number of calls over the least possible. split-p95-s is the predicted time between a
// family's first and last call at 5 calls per second that 95 % of the families keep.
func BenchmarkCalls(b *testing.B) {
	families := mixedFleet(100_000)
	var calls []topology.Call
	b.ReportAllocs()
	for b.Loop() {
		calls = topology.Calls(families)
	}
	b.ReportMetric(float64(len(calls))/float64(bound(families)), "calls/bound")
	b.ReportMetric(splitP95(families, calls), "split-p95-s")
}
