package scenario

import (
	"fmt"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

// historySample is about of how many moved devices of a lane the history is read: each takes a call of an API of which
// the platform allows 10 a second.
const historySample = 1000

// lastLook is what a window leaves at least for the look at its end, which the quotas make last.
const lastLook = day

// dataSync switches data synchronisation on, waits, and sees that history is copied before anything else moves.
func (g *guide) dataSync() migrate.Stage {
	w, p := g.syncWindow(), g.proofOf(g.synchronised())
	about := fmt.Sprintf("Enable data synchronisation in the console and wait %d to %d days: devices that move after it have the history of that time",
		int(w.Min/day), int(w.Max/day))
	if len(p.verifiers) > 0 {
		w.Max = max(w.Max, w.Min+lastLook)
		about += "; a sample of them shows, before they move, that it is copied"
	}
	return migrate.Stage{
		Name: "data-sync", Console: migrate.ConsoleDataSync, Wait: w, About: about + p.says(), Verify: p.verifiers,
	}
}

// synchronised: what the source holds of devices that are yet to move is at the target. Where the target does not show
// devices before they move, only the waves after can prove it.
func (g *guide) synchronised() proof {
	if g.Synchronised != nil {
		return proves(g.Synchronised)
	}
	return proves(verify.Synchronised(verify.SynchronisedConfig{Span: g.syncWindow().Min, HiddenPasses: true}))
}

// andHistory adds to what the rest has to prove that its history came along. The gray batches moved before it was copied.
func (g *guide) andHistory(p proof) proof {
	history := g.proofOf(g.history())
	return proof{verifiers: append(p.verifiers[:len(p.verifiers):len(p.verifiers)], history.verifiers...), blind: p.blind}
}

// history: the target has a moved device's history. Of a large lane a sample is asked.
func (g *guide) history() proof {
	v := g.History
	if v == nil {
		v = verify.Sampled(verify.History(verify.HistoryConfig{Span: g.syncWindow().Min, Skew: g.Skew}), g.historyPercent(), 0)
	}
	return proves(v)
}

// historyPercent is the share of a lane's devices whose history is read.
func (g *guide) historyPercent() int {
	if g.lane.Devices <= historySample {
		return 100
	}
	return max(1, 100*historySample/g.lane.Devices)
}
