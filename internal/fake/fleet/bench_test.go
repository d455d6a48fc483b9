package fleet_test

import (
	"strings"
	"testing"

	"github.com/iotferry/iotferry/internal/fake/fleet"
)

// BenchmarkRead reads a file of 100,000 devices.
func BenchmarkRead(b *testing.B) {
	const n = 100_000
	const row = `{"productKey": "a1Gateway01", "deviceName": "gate-%06d", "deviceSecret": "0123456789abcdef", "status": "online"}`
	head, tail, _ := strings.Cut(base, `"devices": [`)
	text := head + `"devices": [` + many(n, row) + "," + tail
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fleet.Read(strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(text)))
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "devices/s")
}
