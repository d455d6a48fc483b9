package migrate

import (
	"fmt"
	"time"
)

// startCheck begins the wait and the verification over all devices moved so far.
func (l *lane) startCheck(at time.Time) {
	l.enter(phaseCheck, at)
	if l.checks() {
		for i := range l.dev {
			l.dev[i].passed = 0
		}
	}
	l.recount()
}

// checks reports whether the check of the current stage has verifiers to ask: those of a stage that moves
// were asked wave by wave.
func (l *lane) checks() bool {
	stage := l.stagePlan()
	return !stage.Moves && len(stage.Verifiers) > 0
}

func (l *lane) startVerifying(at time.Time) {
	l.enter(phaseVerifying, at)
	lo, hi := l.waveRange()
	for i := lo; i < hi; i++ {
		l.dev[i].passed = 0
	}
	l.measureSplit(lo, hi)
	l.recount()
}

func (l *lane) applyVerdicts(e Entry) error {
	if l.phase != phaseVerifying && l.phase != phaseCheck && l.phase != phaseWaking {
		return fmt.Errorf("%w: no verdicts are due", ErrDamaged)
	}
	if e.Verifier != "" {
		if err := l.applyVerdictsOf(e); err != nil {
			return err
		}
	}
	if e.Error != "" {
		l.roundError = e.Error
	}
	if e.End {
		e.Error, l.roundError = l.roundError, ""
		if l.firstRound.IsZero() {
			l.firstRound = e.At
		}
		l.endRound(e)
		l.recount()
	}
	return nil
}

func (l *lane) applyVerdictsOf(e Entry) error {
	k := -1
	for v, name := range l.stagePlan().Verifiers {
		if name == e.Verifier {
			k = v
		}
	}
	if k < 0 {
		return fmt.Errorf("%w: stage %q has no verifier %q", ErrDamaged, e.Stage, e.Verifier)
	}
	if err := l.each(e.Passed, func(i int32) { l.pass(i, k, e.Verifier) }); err != nil {
		return err
	}
	for _, f := range e.Failed {
		if err := l.each(DeviceSet{f.Device}, func(i int32) {
			if l.pending(i) {
				l.fail(i, f.Evidence)
				l.progress = true
			}
		}); err != nil {
			return err
		}
	}
	for _, f := range e.Open {
		if err := l.each(DeviceSet{f.Device}, func(i int32) { l.missing[i] = f.Evidence }); err != nil {
			return err
		}
	}
	l.report(e)
	return nil
}

// pass records that device i passed verifier k; passes count in order only.
func (l *lane) pass(i int32, k int, name string) {
	d := &l.dev[i]
	if !l.pending(i) || int(d.passed) != k {
		return
	}
	d.passed++
	l.progress = true
	l.count(i, name)
	if name == OnlineVerifier && d.state == DeviceArrived {
		l.set(i, DeviceOnline)
	}
	if int(d.passed) == l.verifiers() && d.state != DeviceProven {
		l.set(i, DeviceProven)
	}
}

// report keeps a sample of what a verifier saw.
func (l *lane) report(e Entry) {
	r := &l.evidence[l.reportOf(e.Verifier)]
	r.Failed += len(e.Failed)
	if e.Evidence != nil && (r.Sample == nil || r.Sample.Source == NotObserved) {
		r.Sample = e.Evidence
	}
}

// count counts device i as passed by a verifier, once, however many stages ask it.
func (l *lane) count(i int32, verifier string) {
	r := l.reportOf(verifier)
	bit := uint16(1) << min(r, 15) // verifiers beyond the sixteenth of a lane share a bit
	if d := &l.dev[i]; d.counted&bit == 0 {
		d.counted |= bit
		l.evidence[r].Passed++
	}
}

// reportOf returns the index of the report of a verifier.
func (l *lane) reportOf(verifier string) int {
	for i := range l.evidence {
		if l.evidence[i].Verifier == verifier {
			return i
		}
	}
	l.evidence = append(l.evidence, VerifierReport{Verifier: verifier})
	return len(l.evidence) - 1
}

func (l *lane) applyExpired(e Entry) error {
	if l.back != nil {
		return l.expiredBack(e)
	}
	for _, f := range e.Failed {
		l.strayed.drop(f.Device)
		if err := l.each(DeviceSet{f.Device}, func(i int32) { l.fail(i, f.Evidence) }); err != nil {
			return err
		}
	}
	if l.phase == phaseArriving {
		l.settle(e.At)
	}
	l.recount()
	return nil
}

// measureSplit finds the longest time between the first and the last call of a family of the wave.
func (l *lane) measureSplit(lo, hi int32) {
	for f := l.family[lo]; f <= l.family[hi-1]; f++ {
		first, last := l.dev[l.first[f]].call, int32(0)
		for i := l.first[f]; i < l.first[f+1]; i++ {
			first, last = min(first, l.dev[i].call), max(last, l.dev[i].call)
		}
		if first > 0 {
			l.split = max(l.split, time.Duration(l.callAt[last]-l.callAt[first]))
		}
	}
}
