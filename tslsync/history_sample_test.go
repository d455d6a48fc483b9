package tslsync_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/tslsync"
)

func TestSampleSize(t *testing.T) {
	tests := []struct {
		devices           int
		confidence, bound float64
		want              int
	}{
		{1_000_000, 0.95, 0.01, 299}, // as with an endless fleet: ln 0.05 / ln 0.99
		{1_000_000, 0.99, 0.01, 459},
		{1000, 0.95, 0.01, 258},
		{10, 0.95, 0.1, 10}, // one of ten: only all of them find it for sure
		{10, 0.5, 0.1, 5},
		{1, 0.95, 0.01, 1},
		{0, 0.95, 0.01, 0},
	}
	for _, tt := range tests {
		got, err := tslsync.SampleSize(tt.devices, tt.confidence, tt.bound)
		if err != nil || got != tt.want {
			t.Errorf("%d devices, %g, %g: %d, %v; want %d", tt.devices, tt.confidence, tt.bound, got, err, tt.want)
		}
	}
	for _, bad := range [][2]float64{{0, 0.1}, {1, 0.1}, {0.9, 0}, {0.9, 1}, {math.NaN(), 0.1}} {
		if _, err := tslsync.SampleSize(100, bad[0], bad[1]); iot.KindOf(err) != iot.Invalid {
			t.Errorf("confidence and bound %v: %v, want invalid", bad, err)
		}
	}
}

func TestAtMost(t *testing.T) {
	tests := []struct {
		sampled, different int
		confidence, want   float64
	}{
		{299, 0, 0.95, 0.00997},
		{100, 0, 0.95, 0.02951},
		{10, 1, 0.95, 0.39416},
		{1000, 10, 0.99, 0.02001},
		{10, 10, 0.95, 1},
		{0, 0, 0.95, 1},
		{10, 0, 1, 1},
	}
	for _, tt := range tests {
		if got := tslsync.AtMost(tt.sampled, tt.different, tt.confidence); math.Abs(got-tt.want) > 0.0005 {
			t.Errorf("%d of %d, %g: at most %.5f, want %.5f", tt.different, tt.sampled, tt.confidence, got, tt.want)
		}
	}
}

func TestSample(t *testing.T) {
	var fleet []iot.DeviceID
	for i := range 2000 {
		fleet = append(fleet, iot.DeviceID{ProductKey: lamp.ProductKey, DeviceName: fmt.Sprintf("lamp-%04d", i)})
	}
	shuffled := slices.Clone(fleet)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })

	small := tslsync.Sample(slices.Values(fleet), 100, 7)
	if diff := cmp.Diff(small, tslsync.Sample(slices.Values(shuffled), 100, 7)); diff != "" {
		t.Errorf("the order of devices makes a difference:\n%s", diff)
	}
	great := tslsync.Sample(slices.Values(fleet), 300, 7)
	for _, id := range small {
		if !slices.Contains(great, id) {
			t.Errorf("%v is in the sample of 100, not in that of 300", id)
		}
	}
	if len(small) != 100 || len(great) != 300 || slices.Equal(small, tslsync.Sample(slices.Values(fleet), 100, 8)) {
		t.Errorf("samples of %d and %d devices, or the same for another seed", len(small), len(great))
	}
	if all := tslsync.Sample(slices.Values(fleet), 5000, 7); !slices.Equal(all, fleet) {
		t.Errorf("a sample of more than all has %d devices", len(all))
	}
	if none := tslsync.Sample(slices.Values(fleet), -1, 7); len(none) != 0 {
		t.Errorf("a sample of less than none has %d devices", len(none))
	}
}

func TestEstimate(t *testing.T) {
	limits, err := tslsync.HistoryLimits(0.5)
	if err != nil {
		t.Fatal(err)
	}
	w := tslsync.Workload{Devices: 100, Span: 10 * day, Events: []float64{0, 5}, Services: []float64{20}}
	for range 5 { // ten that report every hour and five that report daily, mixed
		w.Properties = append(w.Properties, 24, 1, 24)
	}
	got := w.Estimate(limits)
	want := tslsync.Estimate{
		Properties: 2 * 100 * (3 + 1), Events: 2 * 100 * (1 + 1), Services: 2 * 100 * 4,
		Duration: 800*time.Second/5 + 1200*time.Second/25,
	}
	if diff := cmp.Diff(want, got); diff != "" || got.Calls() != 2000 {
		t.Errorf("estimate of %d calls (-want +got):\n%s", got.Calls(), diff)
	}
	if n := w.Fits(time.Minute, limits); n != 28 { // 2.08 s each
		t.Errorf("%d devices fit into a minute, want 28", n)
	}
	if n := w.Fits(time.Hour, limits); n != 100 {
		t.Errorf("%d devices fit into an hour, want all", n)
	}
	if n := w.Fits(time.Minute, nil); n != 100 {
		t.Errorf("%d devices fit without limits, want all", n)
	}
	for _, share := range []float64{0, -1, 1.1, math.NaN()} {
		if _, err := tslsync.HistoryLimits(share); iot.KindOf(err) != iot.Invalid {
			t.Errorf("a share of %g: %v, want invalid", share, err)
		}
	}
}

// TestEstimateHolds compares devices and counts: the estimate is what it takes, once the first device has shown which
// properties report most.
func TestEstimateHolds(t *testing.T) {
	from := today.Truncate(time.Hour).Add(-10 * day)
	source := newShelf()
	w := tslsync.Workload{Devices: 1, Span: 10 * day, Events: []float64{0}, Services: []float64{0}}
	for p := range 30 {
		step := 30 * time.Minute
		if p%3 > 0 {
			step = 20 * time.Hour
		}
		w.Properties = append(w.Properties, day.Hours()/step.Hours())
		for _, id := range []iot.DeviceID{lamp, meter} {
			fillSeries(source, series{id, tslsync.PropertyReport, fmt.Sprintf("p%02d", p)}, from, from.Add(10*day), step)
		}
	}
	c := comparison(source, source.copy(), 30)
	first := gather(t, c, tslsync.NewCursor(lamp, from, from.Add(10*day)))
	of2 := gather(t, c, cursors(from, from.Add(10*day))...)
	estimate := w.Estimate(nil).Calls()
	if second := int64(of2.calls - first.calls); second != estimate || int64(first.calls) <= estimate {
		t.Errorf("%d calls for the first device, %d for the second; want more than, and exactly, %d", first.calls, second, estimate)
	}
}
