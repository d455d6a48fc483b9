package scenario

import (
	"fmt"
	"math"
	"time"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/tslsync"
	"github.com/iotferry/iotferry/verify"
)

// historySample is about of how many moved devices of a lane the history is read: each takes a call of an API of which
// the platform allows 10 a second.
const historySample = 1000

// lastLook is what a window leaves at least for the look at its end, which the quotas make last.
const lastLook = day

// dataSync switches data synchronisation on, sees that it runs, waits, and sees that history is copied before anything else moves.
func (g *guide) dataSync() migrate.Stage {
	w := g.syncWindow()
	about := fmt.Sprintf("Enable data synchronisation in the console, and wait %d to %d days from when it is seen to run: devices that move after it have the history of that time%s.",
		int(w.Min/day), int(w.Max/day), g.foresees())
	w.Max = max(w.Max, w.Min+lastLook)
	return migrate.Stage{
		Name: "data-sync", Console: migrate.ConsoleDataSync, Wait: w, About: about, Opens: g.Synchronising, Closes: g.Synchronised,
	}
}

// withConditions fills in the conditions of data synchronisation, once for all lanes: they share the quota.
func (o Options) withConditions() Options {
	o.foreseen = o.Synchronised == nil
	if o.Synchronising == nil {
		o.Synchronising = verify.Synchronising()
	}
	if o.Synchronised == nil {
		o.Synchronised = verify.Synchronised(o.synchronisedConfig())
	}
	return o
}

// synchronisedConfig lets the waves after prove what the target does not show before devices move.
func (o Options) synchronisedConfig() verify.SynchronisedConfig {
	return verify.SynchronisedConfig{Window: tslsync.Window(o.syncWindow()), Workload: o.Workload, HiddenPasses: true}
}

// foresees says how long it takes to see that history is copied.
func (g *guide) foresees() string {
	if !g.foreseen {
		return ""
	}
	f, err := g.synchronisedConfig().Forecast(g.lane.Devices)
	switch {
	case err != nil:
		return "" // the condition says so
	case f.Whole:
		return fmt.Sprintf("; before they move, the history of all is compared, which takes about %s of calls in all (a sample of %d: %s)",
			roughly(f.All), f.Drawn, roughly(f.Sample))
	}
	return fmt.Sprintf("; before they move, the history of %d of them, taken by chance, is compared, which takes about %s of calls in all (of all devices: %s, too long)",
		f.Drawn, roughly(f.Sample), roughly(f.All))
}

// roughly writes a time for people.
func roughly(d time.Duration) string {
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%.0f days", d.Hours()/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%.0f hours", d.Hours())
	}
	return fmt.Sprintf("%.0f minutes", math.Ceil(d.Minutes()))
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
