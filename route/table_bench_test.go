package route_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

const (
	million = 1_000_000
	nameLen = 16
)

// A million device names of 16 characters, in one piece so that the benchmark's own memory is read in order.
func millionNames() string {
	var text strings.Builder
	for i := range million {
		fmt.Fprintf(&text, "meter-%010d", i)
	}
	return text.String()
}

// fact returns a fact about the i-th device of the names.
func factOf(names string, i int, at time.Duration) route.Fact {
	return route.Fact{Device: nth(names, i), Place: route.Source + route.Place(i%2), At: begin.Add(at)}
}

func nth(names string, i int) iot.DeviceID {
	return iot.DeviceID{ProductKey: meter, DeviceName: names[i*nameLen : (i+1)*nameLen]}
}

// learnMillion teaches a table all devices, in an order that is not that of their names.
func learnMillion(b *testing.B, table *route.Table, names string) {
	b.Helper()
	for i := range million {
		if err := table.Learn(factOf(names, i*514_229%million, 0)); err != nil {
			b.Fatal(err)
		}
	}
}

// Two goroutines look up the thousand devices that a backend talks to, of a table of a million, while a third one writes.
func BenchmarkLookup(b *testing.B) { benchmarkLookup(b, 1000) }

// The same with every device in its turn, so that most of what a lookup reads is in no cache: it tells what memory costs.
func BenchmarkLookupCold(b *testing.B) { benchmarkLookup(b, million) }

func benchmarkLookup(b *testing.B, devices int) {
	table, names := newTable(b), millionNames()
	learnMillion(b, table, names)
	stop, stopped := make(chan struct{}), make(chan int)
	go func() { stopped <- write(b, table, names, stop) }()
	b.ReportAllocs()
	b.SetParallelism(max(1, 2/runtime.GOMAXPROCS(0)))
	b.ResetTimer()
	var readers atomic.Int32
	b.RunParallel(func(pb *testing.PB) {
		i := int(readers.Add(1)-1) * devices / 2
		for pb.Next() {
			if i++; i >= devices {
				i = 0
			}
			if !table.Lookup(nth(names, i)).Known() {
				b.Error("unsure")
			}
		}
	})
	b.StopTimer()
	close(stop)
	if written := <-stopped; written == 0 && b.Elapsed() > time.Second {
		b.Error("nobody has written")
	}
}

// write learns 10,000 facts a second until it is stopped, and returns how many.
func write(b *testing.B, table *route.Table, names string, stop <-chan struct{}) int {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for written := 0; ; {
		select {
		case <-stop:
			return written
		case <-tick.C:
		}
		for range 10 {
			written++
			if err := table.Learn(factOf(names, written%million, time.Duration(written))); err != nil {
				b.Error(err)
			}
		}
	}
}

// A table of a million devices with names of 16 characters. With 32, the longest, it is 16 bytes more.
func BenchmarkTable1M(b *testing.B) {
	names := millionNames()
	var perDevice float64
	for b.Loop() {
		before := heap()
		table := newTable(b)
		learnMillion(b, table, names)
		perDevice = float64(heap()-before) / million
		if table.Lookup(nth(names, 0)) != route.Source || table.Len() != million {
			b.Fatal("the table does not hold them")
		}
	}
	b.ReportMetric(perDevice, "B/device")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
