package migrate

import (
	"cmp"

	"github.com/iotferry/iotferry/topology"
)

// within returns a ramp whose waves fit into an offline budget; 0 is none.
func within(r topology.Ramp, most int) topology.Ramp {
	if most == 0 {
		return r
	}
	r.Max = min(cmp.Or(r.Max, max(topology.DefaultMax, r.First)), most)
	return r
}

// movedAtMost returns what a stage moves. A gray batch in the console is one wave, so it is no larger than the offline budget.
func (s Stage) movedAtMost(most int) *Move {
	if most == 0 || s.Console != ConsoleGray || s.Move.Rest {
		return s.Move
	}
	m := *s.Move
	m.Devices = min(m.Devices, most)
	return &m
}

// checkBudget returns an error that begins with a field's name.
func (s StagePlan) checkBudget(most int) error {
	if most == 0 || !s.Moves {
		return nil
	}
	if len(s.Verifiers) == 0 {
		return refuse("verifiers: stage %s has none, so nobody would see its devices online again, and they would use up maxOffline: add one", s.Name)
	}
	for i, w := range s.Waves {
		if s.Console != ConsoleFull && w.Devices > most {
			return refuse("waves[%d]: stage %s moves %d devices at once, and maxOffline is %d: raise it to %d or more, or let the stage move fewer",
				i, s.Name, w.Devices, most, w.Devices)
		}
	}
	return nil
}

// unkept warns of the lane's stages that cannot keep the offline budget.
func (l Limits) unkept(p LanePlan) []Issue {
	var out []Issue
	for _, s := range p.Stages {
		if l.MaxOffline == 0 || s.Console != ConsoleFull {
			continue
		}
		for _, product := range p.Lane.Products {
			out = append(out, Issue{
				Code: CodeOfflineBudget, Severity: Warning, Basis: BasisDeclared, ProductKey: product.Key,
				Why:    "Stage " + s.Name + " moves all that is left at the platform's own pace: a full migration in the console cannot keep maxOffline.",
				Remedy: "Move the rest by API instead, or accept that all of it may be offline at once.",
			})
		}
	}
	return out
}
