package topology

import (
	"fmt"
	"math"

	"github.com/iotferry/iotferry/iot"
)

// The ramp that is used where a [Ramp] has zero fields.
const (
	DefaultFirst  = iot.MaxMove // one call of one product
	DefaultFactor = 2.0
	DefaultMax    = 1000 // 20 s of calls at the platform's 50 devices per second
)

// A Ramp says how large waves are, in devices: First, First×Factor, First×Factor² and so on, rounded down, up to Max.
// Zero fields mean DefaultFirst, DefaultFactor and DefaultMax, or First where that is more than DefaultMax.
type Ramp struct {
	First  int     `json:"first,omitzero"`
	Factor float64 `json:"factor,omitzero"`
	Max    int     `json:"max,omitzero"`
}

// Check returns an error of kind [iot.Invalid] that names the field which makes no sense: First or Max below 0,
// Max below First, Factor below 1 or not a finite number.
func (r Ramp) Check() error {
	fault := func(format string, args ...any) error {
		return &iot.Error{Kind: iot.Invalid, Message: "ramp: " + fmt.Sprintf(format, args...)}
	}
	d := r.withDefaults()
	switch {
	case r.First < 0:
		return fault("First is %d: it must be 1 or more, or 0 for %d", r.First, DefaultFirst)
	case r.Max < 0:
		return fault("Max is %d: it must be 1 or more, or 0 for %d", r.Max, DefaultMax)
	case r.Factor != 0 && !validFactor(r.Factor):
		return fault("Factor is %v: it must be a finite number of 1 or more, or 0 for %v", r.Factor, DefaultFactor)
	case d.Max < d.First:
		return fault("Max is %d: it must not be less than First, which is %d", d.Max, d.First)
	}
	return nil
}

func validFactor(f float64) bool { return f >= 1 && !math.IsInf(f, 1) }

// withDefaults fills in what is zero or makes no sense.
func (r Ramp) withDefaults() Ramp {
	if r.First <= 0 {
		r.First = DefaultFirst
	}
	if !validFactor(r.Factor) {
		r.Factor = DefaultFactor
	}
	if r.Max <= 0 {
		r.Max = max(DefaultMax, r.First)
	}
	return r
}

// A Wave is a range of families that move together: families[First : First+Count].
type Wave struct {
	First   int `json:"first"`   // index of its first family
	Count   int `json:"count"`   // how many families, 1 or more
	Devices int `json:"devices"` // how many devices they have
}

// Waves cuts families into waves, in the order given. A wave takes families for as long as they fit into
// its size; the first that does not fit starts the next wave. No family is split: one that is larger than
// the size makes a wave of its own, and only such a wave is larger than ramp says.
//
// Ramp should have passed Check. A field that makes no sense counts as zero, and Max is never exceeded, even by First.
func Waves(families []Family, ramp Ramp) []Wave {
	ramp = ramp.withDefaults()
	var waves []Wave
	size := float64(ramp.First)
	for first := 0; first < len(families); {
		size = min(size, float64(ramp.Max))
		w := nextWave(families, first, int(size))
		waves = append(waves, w)
		first += w.Count
		size *= ramp.Factor
	}
	return waves
}

func nextWave(families []Family, first, size int) Wave {
	w := Wave{First: first}
	for _, f := range families[first:] {
		if w.Count > 0 && w.Devices+f.Len() > size {
			break
		}
		w.Count++
		w.Devices += f.Len()
	}
	return w
}
