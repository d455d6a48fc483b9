package migrate

import (
	"context"

	"github.com/iotferry/iotferry/iot"
)

// verify makes one round: every verifier is asked about the devices that passed all verifiers before it,
// in this round or earlier.
func (x execution) verify(ctx context.Context) {
	verifiers := x.stage().Verify
	passed := make([]int, len(x.task.Devices))
	for i, d := range x.task.Devices {
		passed[i] = d.Passed
	}
	for k, v := range verifiers {
		var subject []int
		for i := range passed {
			if passed[i] == k {
				subject = append(subject, i)
			}
		}
		if len(subject) == 0 {
			continue
		}
		for _, i := range x.ask(ctx, v, subject) {
			passed[i]++
		}
	}
	end := x.here(EntryVerdicts)
	end.End = true
	x.emit(end)
}

// openSample is of how many inconclusive devices a round tells the evidence: a person wants to know what is
// missing, and a journal must not repeat it for half a million devices.
const openSample = 20

// ask asks one verifier about some of the task's devices, given by index, and returns those that passed.
func (x execution) ask(ctx context.Context, v Verifier, devices []int) []int {
	open := make(map[iot.DeviceID]int, len(devices))
	for _, i := range devices {
		open[x.task.Devices[i].ID] = i
	}
	var passed []int
	e := x.verdictsOf(v)
	for f, err := range v.Verify(ctx, x.subject(devices)) {
		if err != nil {
			e.Error = err.Error()
			continue
		}
		i, ok := open[f.Device]
		if !ok {
			continue // not asked for, or answered before
		}
		switch f.Verdict {
		case Pass:
			passed = append(passed, i)
			e.Passed = append(e.Passed, f.Device)
			if e.Evidence == nil {
				evidence := f.Evidence
				e.Evidence = &evidence
			}
		case Fail:
			e.Failed = append(e.Failed, Failure{Device: f.Device, Evidence: f.Evidence})
		default:
			if len(e.Open) < openSample {
				e.Open = append(e.Open, Failure{Device: f.Device, Evidence: f.Evidence})
			}
			continue
		}
		delete(open, f.Device)
		if len(e.Passed)+len(e.Failed) >= entryChunk {
			x.emit(e)
			e = x.verdictsOf(v)
		}
	}
	if len(e.Passed)+len(e.Failed)+len(e.Open) > 0 || e.Error != "" {
		x.emit(e)
	}
	return passed
}

func (x execution) verdictsOf(v Verifier) Entry {
	e := x.here(EntryVerdicts)
	e.Verifier = v.Name()
	return e
}

func (x execution) subject(devices []int) *Subject {
	lane := x.lane()
	nodes := make(map[string]iot.NodeType, len(lane.Lane.Products))
	for _, p := range lane.Lane.Products {
		nodes[p.Key] = p.NodeType
	}
	s := &Subject{
		Campaign: x.r.config.Campaign, Lane: lane.Lane, Stage: x.here("").Stage,
		Source: x.r.config.Platform.Source, Target: x.r.config.Platform.Target,
		Now: x.r.config.Clock.Now(), Devices: make([]SubjectDevice, 0, len(devices)),
	}
	for _, i := range devices {
		d := x.task.Devices[i]
		family := x.task.Family(d)
		sd := SubjectDevice{ID: d.ID, Node: nodes[d.ID.ProductKey], Family: family.Devices, Moved: d.Moved}
		if d.ID != family.Gateway {
			sd.Gateway = family.Gateway
		}
		if family.Gateway.IsZero() && len(lane.Followers) > 0 {
			sd.Gateway = lane.follows(d.ID)
		}
		s.Devices = append(s.Devices, sd)
	}
	return s
}
