package migrate_test

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// BenchmarkPlan1M plans 1,000,000 devices: 80,000 gateways with 9 sub-devices each, and 200,000 direct
// devices. The survey is made before. s/op is the time of a plan and its hash; peak-MB the highest heap
// seen meanwhile, looked at each millisecond, with garbage that was not collected yet and with the survey.
func BenchmarkPlan1M(b *testing.B) {
	s := largeSurvey(80_000, 9, 200_000)
	planner := migrate.Planner{Strategies: guideStrategies()}
	b.ReportAllocs()
	var peak uint64
	var took time.Duration
	for b.Loop() {
		runtime.GC()
		stop := watchHeap(&peak)
		start := time.Now()
		plan, err := planner.Plan(s)
		if err != nil {
			b.Fatal(err)
		}
		if hash := plan.Hash(); len(hash) != 64 {
			b.Fatalf("hash %q", hash)
		}
		took += time.Since(start)
		stop()
		if n := plan.Lanes[0].Lane.Devices + plan.Lanes[1].Lane.Devices; n != 1_000_000 {
			b.Fatalf("%d devices in the plan", n)
		}
	}
	b.ReportMetric(took.Seconds()/float64(b.N), "s/op")
	b.ReportMetric(float64(peak)/1e6, "peak-MB")
}

// watchHeap keeps the highest heap in peak until stop is called.
func watchHeap(peak *uint64) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		for {
			metrics.Read(sample)
			*peak = max(*peak, sample[0].Value.Uint64())
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(done); <-ended }
}

func largeSurvey(gateways, subs, direct int) *migrate.Survey {
	gw := product("a1Gateway01", iot.Gateway, gateways)
	sensors := product("a1Sensor001", iot.SubDevice, (gateways*subs+1)/2)
	valves := product("a1Valve0001", iot.SubDevice, gateways*subs/2)
	s := survey(gw, sensors, valves, product("a1Meter0001", iot.Direct, direct))
	for i, d := range gw.Devices {
		g := migrate.SurveyGateway{ID: d.ID}
		for j := range subs {
			n := i*subs + j
			from := sensors
			if n%2 == 1 {
				from = valves
			}
			g.Subs = append(g.Subs, from.Devices[n/2].ID)
		}
		s.Gateways = append(s.Gateways, g)
	}
	s.Declared.TargetOnlineQuota = 2_000_000
	return s
}

// BenchmarkSurvey1M reads 1,000,000 devices from views in memory and reports what the survey keeps of them.
func BenchmarkSurvey1M(b *testing.B) {
	want := largeSurvey(80_000, 9, 200_000)
	source, target := viewsOf(want)
	var kept uint64
	for b.Loop() {
		before := heapInUse()
		got, err := migrate.TakeSurvey(b.Context(), source, target, want.Account, want.Declared)
		if err != nil {
			b.Fatal(err)
		}
		kept += heapInUse() - before
		runtime.KeepAlive(got)
	}
	b.ReportMetric(float64(kept)/float64(b.N)/1e6, "B/device")
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func deviceName(i int) string { return fmt.Sprintf("device-%07d", i) }
