package chaos

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/topology"
	"github.com/iotferry/iotferry/verify"
)

// A dice draws what a campaign is like. Everything comes from the seed, in one order.
type dice struct{ *rand.Rand }

func newDice(seed, stream uint64) dice { return dice{rand.New(rand.NewPCG(seed, stream))} }

func (d dice) chance(p float64) bool { return d.Float64() < p }

// between returns a number from lo to hi.
func (d dice) between(lo, hi int) int { return lo + d.IntN(hi-lo+1) }

func (d dice) span(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(d.Int64N(int64(hi-lo)+1))
}

// rate returns 0 for a kind of fault that does not happen at all, and else up to most.
func (d dice) rate(most float64) float64 {
	on, r := d.chance(0.5), d.Float64()*most
	if !on {
		return 0
	}
	return r
}

// fleet draws 10 to 40 devices: one kind of the guide, or several with lanes side by side.
func (d dice) fleet() migratetest.GenerateOptions {
	for {
		o := migratetest.GenerateOptions{OfflineEvery: d.between(0, 8)}
		if d.chance(0.5) {
			o.Direct = d.between(1, 14)
		}
		if d.chance(0.4) {
			o.PreRegistered = d.between(1, 10)
		}
		if d.chance(0.4) {
			o.ThingModel = d.between(1, 10)
		}
		if d.chance(0.5) {
			o.Gateways, o.SubDevices = d.between(1, 4), d.between(0, 6)
			if d.chance(0.2) {
				o.Gateways, o.SubDevices = 1, d.between(11, 15) // does not fit into one call
			}
		}
		if n := o.Direct + o.PreRegistered + o.ThingModel + o.Gateways*(1+o.SubDevices); n >= 10 && n <= 40 {
			return o
		}
	}
}

// options draws how the guide's strategies are set. What belongs to a process is left out.
func (d dice) options() scenario.Options {
	return scenario.Options{
		FirstGray: d.between(1, 8), GrayShare: 0.1 + 0.3*d.Float64(), Full: d.chance(0.3), TicketGranted: d.chance(0.4),
		Ramp: topology.Ramp{First: d.between(2, 12), Factor: 2}, NewDeviceName: fmt.Sprintf("fresh-%04d", d.IntN(1000)),
		// Devices that are silent for good have no history that could be copied: a window would wait for a person.
		Synchronising: verify.Assumed("not-seen", "windows have tests of their own"),
		Synchronised:  verify.Assumed("not-compared", "windows have tests of their own"),
	}
}
