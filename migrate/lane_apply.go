package migrate

import (
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// apply folds one entry that is about this lane.
func (l *lane) apply(e Entry) error {
	if err := l.checkPlace(e); err != nil {
		return err
	}
	switch e.Kind {
	case EntryStage:
		return l.applyStage(e)
	case EntryGate:
		l.gateOpen = true
		if e.Error != "" {
			l.again(e.At, e.Error)
		}
	case EntryAsked, EntryDoing:
		l.applyAsked(e)
	case EntryPerformed:
		l.applyPerformed(e)
	case EntryDone:
		l.applyDone(e)
	case EntryWait:
		l.until = e.Until
	case EntryStageEnd:
		l.endStage(e.At)
	case EntryLaneEnd:
		l.phase = phaseFinished
	case EntryHalt:
		l.halt, l.haltNote = e.Reason, e.Note
		l.stopping, l.stopNote = "", ""
	case EntryAlarm:
		l.halt, l.haltNote = HaltAlarm, e.Note
	case EntryWave:
		return l.applyWave(e)
	case EntryIntent:
		return l.applyIntent(e)
	case EntryOutcome:
		return l.applyOutcome(e)
	case EntryLook:
		return l.applyLook(e)
	case EntryVerdicts:
		return l.applyVerdicts(e)
	case EntryExpired:
		return l.applyExpired(e)
	case EntryWaveEnd:
		l.endWave(e.At)
	case EntryReturned, EntryHome, EntryUndoing, EntryUndone:
		return l.applyReturn(e)
	default:
		return fmt.Errorf("%w: unknown kind %q", ErrDamaged, e.Kind)
	}
	return nil
}

// checkPlace refuses an entry about another stage or wave than the lane is in. The way back is in no stage.
func (l *lane) checkPlace(e Entry) error {
	switch e.Kind {
	case EntryLaneEnd, EntryHalt, EntryAlarm, EntryReturned, EntryHome, EntryUndoing, EntryUndone:
		return nil
	case EntryAsked, EntryPerformed:
		if e.Console == ConsoleRollback {
			return nil
		}
	}
	if l.phase == phaseFinished || l.stage >= len(l.plan.Stages) {
		return fmt.Errorf("%w: kind %q after the end of lane %s", ErrDamaged, e.Kind, l.id())
	}
	if want := l.stagePlan().Name; e.Stage != want {
		return fmt.Errorf("%w: kind %q, stage %q: lane %s is in stage %q", ErrDamaged, e.Kind, e.Stage, l.id(), want)
	}
	return nil
}

// takenOver makes every open intent unknown: nobody knows what became of it.
func (l *lane) takenOver(at time.Time) {
	l.asked = time.Time{}
	if l.back != nil {
		l.back.asked = time.Time{}
	}
	if l.inFlight {
		l.callUnknown(at)
	}
}

func (l *lane) applyStage(e Entry) error {
	if l.phase != phaseIdle {
		return fmt.Errorf("%w: stage %q has started already", ErrDamaged, e.Stage)
	}
	l.begun = true
	l.gateOpen = false
	l.until = time.Time{}
	if l.stagePlan().Gate {
		l.enter(phaseGate, e.At)
		return nil
	}
	l.passGate(e.At)
	return nil
}

func (l *lane) passGate(at time.Time) {
	stage := l.stagePlan()
	if stage.Does || (stage.Console != "" && !stage.Moves) {
		l.enter(phaseAct, at)
		return
	}
	l.passAct(at)
}

func (l *lane) passAct(at time.Time) {
	l.wave = -1
	if l.stagePlan().Moves {
		l.nextWave(at)
		return
	}
	l.startCheck(at)
}

func (l *lane) nextWave(at time.Time) {
	l.wave++
	if l.wave < len(l.stagePlan().Waves) {
		l.enter(phaseWave, at)
		return
	}
	l.wave = -1
	l.startCheck(at)
}

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

func (l *lane) endStage(at time.Time) {
	l.oneWay = l.oneWay || l.stagePlan().OneWay
	l.stage++
	l.enter(phaseIdle, at)
}

func (l *lane) endWave(at time.Time) {
	l.index, l.whole = nil, false
	l.queue, l.open, l.next = nil, nil, 0
	l.nextWave(at)
}

func (l *lane) applyAsked(e Entry) {
	if e.Console == ConsoleRollback {
		l.askedBack(e)
		return
	}
	l.asked = e.At
	if l.phase != phaseMoving {
		return
	}
	l.lastCall = e.At
	n := l.newCall(e.At)
	lo, hi := l.waveRange()
	for i := lo; i < hi; i++ {
		if s := l.dev[i].state; s == DevicePlanned || s == DeviceIntended {
			l.dev[i].call = n
			l.set(i, DeviceIntended)
		}
	}
}

func (l *lane) applyPerformed(e Entry) {
	if e.Console == ConsoleRollback {
		l.performedBack(e)
		return
	}
	if l.asked.IsZero() {
		return // asked before a person decided otherwise
	}
	if e.Error != "" {
		l.halt, l.haltNote = HaltOperator, e.Error
		l.asked = time.Time{}
		return
	}
	if l.phase == phaseMoving {
		l.enter(phaseArriving, e.At)
		return
	}
	l.passAct(e.At)
}

func (l *lane) applyDone(e Entry) {
	if l.asked.IsZero() {
		return // begun before a person decided otherwise
	}
	l.asked = time.Time{}
	switch {
	case e.Error == "":
		l.passAct(e.At)
	case e.Retry:
		l.again(e.At, e.Error)
	default:
		l.halt, l.haltNote = HaltCode, e.Error
	}
}

// again puts the next try off, a little longer each time.
func (l *lane) again(at time.Time, why string) {
	l.tryAt = at.Add(backoff(l.tries))
	l.tries++
	l.errored = why
}

// backoff is 2 s, 4 s, 8 s... up to one minute.
func backoff(tries int) time.Duration {
	return min(2*time.Second<<min(tries, 10), time.Minute)
}

func (l *lane) applyWave(e Entry) error {
	if l.phase != phaseWave {
		return fmt.Errorf("%w: wave %d is not due", ErrDamaged, e.Wave)
	}
	if e.Error != "" {
		l.again(e.At, e.Error)
		return nil
	}
	lo, hi := l.waveRange()
	l.indexRange(lo, hi)
	if err := l.each(e.Asleep, l.setAsleep); err != nil {
		return err
	}
	if err := l.each(e.Arrived, func(i int32) {
		l.set(i, DeviceArrived) // moved by somebody else, at a time nobody told us
	}); err != nil {
		return err
	}
	changed := func(seen string) func(int32) {
		return func(i int32) { l.dropFamily(i, Evidence{Source: "look before the wave", At: e.At, Seen: seen}) }
	}
	if err := l.each(e.Gone, changed("on neither instance: it was deleted since the survey")); err != nil {
		return err
	}
	if err := l.each(e.Both, changed("on both instances before its move")); err != nil {
		return err
	}
	l.settle(e.At)
	return nil
}

// dropFamily fails the devices of a family that is not as planned; what is left of it is not moved.
func (l *lane) dropFamily(i int32, why Evidence) {
	f := l.family[i]
	culprit := l.deviceID(i)
	for m := l.first[f]; m < l.first[f+1]; m++ {
		if l.dev[m].state == DevicePlanned {
			e := why
			if m != i {
				e.Seen = "not moved: " + culprit.String() + " of its family was " + why.Seen
			}
			l.fail(m, e)
		}
	}
}

// each applies f to the devices of a set; an unknown one damages the journal.
func (l *lane) each(set DeviceSet, f func(int32)) error {
	for _, id := range set {
		i, ok := l.find(id)
		if !ok {
			return fmt.Errorf("%w: device %s is not in lane %s", ErrDamaged, id, l.id())
		}
		f(i)
	}
	return nil
}

func (l *lane) applyIntent(e Entry) error {
	if l.phase != phaseMoving || l.next >= len(l.queue) || l.inFlight || e.Call != len(l.callAt) {
		return fmt.Errorf("%w: call %d is not due", ErrDamaged, e.Call)
	}
	n := l.newCall(e.At)
	l.inFlight = true
	l.lastCall = e.At
	l.calls++
	return l.each(e.Names, func(i int32) {
		if d := &l.dev[i]; d.state == DevicePlanned {
			d.call = n
			d.attempts++
			l.set(i, DeviceIntended)
		}
	})
}

func (l *lane) applyOutcome(e Entry) error {
	if !l.inFlight || e.Call != len(l.callAt)-1 {
		return fmt.Errorf("%w: call %d was not begun", ErrDamaged, e.Call)
	}
	l.inFlight = false
	l.lastCall = e.At
	if e.Error != "" {
		l.callFailed(e)
		return nil
	}
	for _, f := range e.Refused {
		if err := l.each(DeviceSet{f.Device}, func(i int32) {
			l.resolveCall(i, DeviceRejected)
			l.refusals[i] = f.Evidence
		}); err != nil {
			return err
		}
	}
	if err := l.each(e.Unknown, func(i int32) { l.resolveCall(i, DeviceUnknown) }); err != nil {
		return err
	}
	l.endCall(DeviceAccepted, e.At)
	return nil
}

// callFailed handles a call of which it is known that it moved nothing.
func (l *lane) callFailed(e Entry) {
	for _, name := range l.queue[l.next].Names {
		if i, ok := l.find(iot.DeviceID{ProductKey: l.queue[l.next].ProductKey, DeviceName: name}); ok && l.dev[i].state == DeviceIntended {
			l.dev[i].attempts--
			l.set(i, DevicePlanned)
		}
	}
	if e.Retry {
		l.throttled++
		l.again(e.At, e.Error)
		return
	}
	l.halt, l.haltNote = HaltCall, e.Error
}

// callUnknown is the outcome of a call whose answer nobody will get any more.
func (l *lane) callUnknown(at time.Time) {
	l.inFlight = false
	l.endCall(DeviceUnknown, at)
}

// endCall gives the rest of the call under way a state and goes on to the next call.
func (l *lane) endCall(s DeviceState, at time.Time) {
	call := l.queue[l.next]
	for _, name := range call.Names {
		if i, ok := l.find(iot.DeviceID{ProductKey: call.ProductKey, DeviceName: name}); ok {
			l.resolveCall(i, s)
		}
	}
	l.next++
	l.tries, l.tryAt, l.errored = 0, time.Time{}, ""
	if l.next == len(l.queue) {
		l.settle(at)
	}
}

func (l *lane) resolveCall(i int32, s DeviceState) {
	if l.dev[i].state == DeviceIntended {
		l.set(i, s)
	}
}

func (l *lane) applyLook(e Entry) error {
	if l.phase != phaseArriving {
		return fmt.Errorf("%w: no look is due", ErrDamaged)
	}
	if err := l.each(e.Arrived, func(i int32) {
		if l.dev[i].state.unresolved() {
			l.set(i, DeviceArrived)
			l.progress = true
		}
	}); err != nil {
		return err
	}
	if err := l.each(e.Unmoved, func(i int32) { l.unmoved(i, e.At) }); err != nil {
		return err
	}
	l.seen = append(append(l.seen, e.Gone...), e.Both...)
	if e.End {
		l.astray, l.seen = l.seen, nil
		l.endRound(e)
		l.settle(e.At)
	}
	return nil
}

// unmoved decides on a device that a look showed at the source: one that was refused, or whose outcome is unknown
// for longer than the platform may hide an effect, did not move and may be sent again.
func (l *lane) unmoved(i int32, at time.Time) {
	d := &l.dev[i]
	known := d.state == DeviceRejected || d.state == DeviceUnknown
	if !known || l.byConsole() || at.Before(l.movedAt(i).Add(l.deadlines.Visible)) {
		return
	}
	if d.attempts < maxAttempts {
		l.set(i, DevicePlanned)
		return
	}
	why, ok := l.refusals[i]
	if !ok {
		why = Evidence{Source: "look at both instances", At: at, Seen: "still at the source after " + fmt.Sprint(maxAttempts) + " calls"}
	}
	l.fail(i, why)
}

// endRound schedules the next look or round: soon if this one decided something.
func (l *lane) endRound(e Entry) {
	if l.progress {
		l.tries = 0
	}
	l.progress = false
	l.again(e.At, e.Error)
}

// settle finds out what the current wave needs next: more calls, more looks, the return of families that
// were split, or verification.
func (l *lane) settle(at time.Time) {
	if l.back != nil {
		return
	}
	lo, hi := l.waveRange()
	if l.has(lo, hi, func(s DeviceState) bool { return s == DevicePlanned }) {
		l.queueCalls(lo, hi)
		l.enter(phaseMoving, at)
		return
	}
	if l.has(lo, hi, DeviceState.unresolved) {
		if l.phase != phaseArriving {
			l.enter(phaseArriving, at)
		}
		return
	}
	if split := l.splitFamilies(lo, hi); len(split) > 0 {
		l.startReturn(split, true, at)
		return
	}
	l.startVerifying(at)
}

func (l *lane) has(lo, hi int32, is func(DeviceState) bool) bool {
	for i := lo; i < hi; i++ {
		if is(l.dev[i].state) {
			return true
		}
	}
	return false
}

// queueCalls packs what is left of the wave into calls.
func (l *lane) queueCalls(lo, hi int32) {
	l.queue, l.open, l.next, l.inFlight = nil, nil, 0, false
	if l.byConsole() {
		return
	}
	var families []topology.Family
	var begun []bool
	for f := l.family[lo]; f <= l.family[hi-1]; f++ {
		if rest := l.plannedOf(f); rest.Len() > 0 {
			families = append(families, rest)
			begun = append(begun, l.begunFamily(f))
		}
	}
	l.queue = topology.Calls(families)
	l.open = openBefore(families, begun, l.queue)
}

// begunFamily reports whether a member of the family is at the target, or may be.
func (l *lane) begunFamily(f int32) bool {
	for i := l.first[f]; i < l.first[f+1]; i++ {
		if s := l.dev[i].state; s.unresolved() || s >= DeviceArrived && s <= DeviceProven {
			return true
		}
	}
	return false
}

// plannedOf returns the members of a family that are to be moved.
func (l *lane) plannedOf(f int32) topology.Family {
	whole := l.plan.Families[f]
	rest := topology.Family{Gateway: whole.Gateway}
	for i := l.first[f]; i < l.first[f+1]; i++ {
		if l.dev[i].state == DevicePlanned {
			rest.Devices = append(rest.Devices, l.deviceID(i))
		}
	}
	return rest
}

// openBefore tells for each call, and for the time after the last, whether a family is begun but not complete
// then. begun tells which families were begun before the first call.
func openBefore(families []topology.Family, begun []bool, calls []topology.Call) []bool {
	familyOf := make(map[iot.DeviceID]int)
	missing := make([]int, len(families))
	split := 0
	for f, family := range families {
		missing[f] = family.Len()
		for _, id := range family.Devices {
			familyOf[id] = f
		}
		if begun[f] {
			split++
		}
	}
	open := make([]bool, len(calls)+1)
	open[0] = split > 0
	for c, call := range calls {
		for _, id := range callDevices(call) {
			f := familyOf[id]
			if !begun[f] {
				begun[f] = true
				split++
			}
			if missing[f]--; missing[f] == 0 {
				split--
			}
		}
		open[c+1] = split > 0
	}
	return open
}

func (l *lane) startVerifying(at time.Time) {
	l.enter(phaseVerifying, at)
	lo, hi := l.waveRange()
	for i := lo; i < hi; i++ {
		l.dev[i].passed = 0
	}
	l.recount()
}

func (l *lane) applyVerdicts(e Entry) error {
	if l.phase != phaseVerifying && l.phase != phaseCheck {
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
	if name == OnlineVerifier && d.state == DeviceArrived {
		l.set(i, DeviceOnline)
	}
	if int(d.passed) == l.verifiers() && d.state != DeviceProven {
		l.set(i, DeviceProven)
	}
}

func (l *lane) report(e Entry) {
	r := l.reportOf(e.Verifier)
	r.Passed += len(e.Passed)
	r.Failed += len(e.Failed)
	if r.Sample == nil && e.Evidence != nil {
		r.Sample = e.Evidence
	}
}

func (l *lane) reportOf(verifier string) *VerifierReport {
	for i := range l.evidence {
		if l.evidence[i].Verifier == verifier {
			return &l.evidence[i]
		}
	}
	l.evidence = append(l.evidence, VerifierReport{Verifier: verifier})
	return &l.evidence[len(l.evidence)-1]
}

func (l *lane) applyExpired(e Entry) error {
	for _, f := range e.Failed {
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
