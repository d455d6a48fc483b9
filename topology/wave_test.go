package topology_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

func directs(n int) []topology.Family {
	families := make([]topology.Family, n)
	for i := range families {
		families[i] = direct(i)
	}
	return families
}

func TestWavesOfDirectDevices(t *testing.T) {
	for _, tt := range []struct {
		name string
		n    int
		ramp topology.Ramp
		want []int // devices per wave
	}{
		{"nothing", 0, topology.Ramp{}, nil},
		{"default", 100, topology.Ramp{}, []int{10, 20, 40, 30}},
		{"default up to its maximum", 3270, topology.Ramp{}, []int{10, 20, 40, 80, 160, 320, 640, 1000, 1000}},
		{"rounded down", 40, topology.Ramp{First: 5, Factor: 1.5}, []int{5, 7, 11, 16, 1}},
		{"constant", 25, topology.Ramp{First: 10, Factor: 1}, []int{10, 10, 5}},
		{"steep", 25, topology.Ramp{First: 1, Factor: math.MaxFloat64, Max: 9}, []int{1, 9, 9, 6}},
		{"first above the default maximum", 5000, topology.Ramp{First: 2000}, []int{2000, 2000, 1000}},
		{"maximum below first", 10, topology.Ramp{First: 8, Max: 4}, []int{4, 4, 2}},
		{"nonsense is the default", 30, topology.Ramp{First: -1, Factor: math.NaN(), Max: -1}, []int{10, 20}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []int
			for _, w := range topology.Waves(directs(tt.n), tt.ramp) {
				got = append(got, w.Devices)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWavesOfFamilies(t *testing.T) {
	subs := make([]string, 29)
	for i := range subs {
		subs[i] = subProducts[0]
	}
	families := []topology.Family{direct(1), family(2, subs...), direct(3), family(4, subs[:6]...), direct(5)}
	got := topology.Waves(families, topology.Ramp{First: 2, Factor: 2})
	want := []topology.Wave{
		{First: 0, Count: 1, Devices: 1},
		{First: 1, Count: 1, Devices: 30}, // larger than 4: a wave of its own
		{First: 2, Count: 2, Devices: 8},
		{First: 4, Count: 1, Devices: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWavesOfAnyFleet(t *testing.T) {
	forSeeds(t, 100, func(t *testing.T, rnd *rand.Rand) {
		families := randomFleet(rnd)
		ramp := topology.Ramp{First: 1 + rnd.IntN(50), Factor: 1 + rnd.Float64()*2, Max: 50 + rnd.IntN(100)}
		next := 0
		for i, w := range topology.Waves(families, ramp) {
			if w.First != next || w.Count < 1 {
				t.Fatalf("wave %d is %+v, want it to start at %d", i, w, next)
			}
			next = w.First + w.Count
			devices := 0
			for _, f := range families[w.First:next] {
				devices += f.Len()
			}
			if devices != w.Devices {
				t.Errorf("wave %d says %d devices and has %d", i, w.Devices, devices)
			}
			size := int(min(float64(ramp.First)*math.Pow(ramp.Factor, float64(i))+1e-6, float64(ramp.Max)))
			if w.Devices > size && w.Count > 1 {
				t.Errorf("wave %d has %d devices in %d families, its size is %d", i, w.Devices, w.Count, size)
			}
			if next < len(families) && w.Devices+families[next].Len() <= size-1 {
				t.Errorf("wave %d of %d devices has room for the next family", i, w.Devices)
			}
		}
		if next != len(families) {
			t.Errorf("the waves end at %d of %d families", next, len(families))
		}
	})
}

func TestRampCheck(t *testing.T) {
	for _, tt := range []struct {
		ramp topology.Ramp
		want string
	}{
		{topology.Ramp{}, ""},
		{topology.Ramp{First: 5000}, ""},
		{topology.Ramp{First: 5, Factor: 1, Max: 5}, ""},
		{topology.Ramp{First: -1}, "ramp: First is -1: it must be 1 or more, or 0 for 10"},
		{topology.Ramp{Max: -1}, "ramp: Max is -1: it must be 1 or more, or 0 for 1000"},
		{topology.Ramp{Factor: 0.5}, "ramp: Factor is 0.5: it must be a finite number of 1 or more, or 0 for 2"},
		{topology.Ramp{Factor: math.NaN()}, "ramp: Factor is NaN: it must be a finite number of 1 or more, or 0 for 2"},
		{topology.Ramp{Factor: math.Inf(1)}, "ramp: Factor is +Inf: it must be a finite number of 1 or more, or 0 for 2"},
		{topology.Ramp{First: 20, Max: 10}, "ramp: Max is 10: it must not be less than First, which is 20"},
		{topology.Ramp{Max: 5}, "ramp: Max is 5: it must not be less than First, which is 10"},
	} {
		t.Run(fmt.Sprintf("%+v", tt.ramp), func(t *testing.T) {
			err := tt.ramp.Check()
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if err != nil && !errors.Is(err, iot.Invalid) {
				t.Errorf("%v is not invalid", err)
			}
		})
	}
}

func ExampleWaves() {
	families := make([]topology.Family, 100)
	for i := range families {
		families[i] = topology.Family{Devices: []iot.DeviceID{device("a1Meter0001", i)}}
	}
	for _, w := range topology.Waves(families, topology.Ramp{First: 10, Factor: 3, Max: 50}) {
		fmt.Printf("families %d to %d: %d devices\n", w.First, w.First+w.Count-1, w.Devices)
	}
	// Output:
	// families 0 to 9: 10 devices
	// families 10 to 39: 30 devices
	// families 40 to 89: 50 devices
	// families 90 to 99: 10 devices
}
