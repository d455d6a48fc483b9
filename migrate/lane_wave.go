package migrate

import (
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

func (l *lane) nextWave(at time.Time) {
	l.wave++
	if l.wave < len(l.stagePlan().Waves) {
		l.enterWave(at)
		return
	}
	l.wave = -1
	l.startCheck(at)
}

func (l *lane) endWave(at time.Time) {
	l.index, l.whole = nil, false
	l.strayed.alarmed = nil
	l.queue, l.open, l.next = nil, nil, 0
	if l.leftBehind() {
		l.enterWave(at)
		return
	}
	l.nextWave(at)
}

func (l *lane) applyWave(e Entry) error {
	if l.phase != phaseWave {
		return fmt.Errorf("%w: wave %d is not due", ErrDamaged, e.Wave)
	}
	if e.Error != "" {
		l.again(e.At, e.Error)
		return nil
	}
	if l.doubts(e) {
		l.again(e.At, "devices of the wave are on neither instance, or on both: one look is not believed")
		return nil
	}
	lo, hi := l.waveRange()
	l.indexRange(lo, hi)
	strays, err := l.join(e)
	if err != nil {
		return err
	}
	if err := l.applySeen(e); err != nil {
		return err
	}
	if err := l.leaveAllOut(strays); err != nil {
		return err
	}
	l.fit(e)
	l.settle(e.At)
	return nil
}

// doubts reports whether a look before a wave shows devices on neither instance or on both that were not so in every look since
// Deadlines.Visible: an answer may have left them out, and what it leaves out is not gone.
func (l *lane) doubts(e Entry) bool {
	strange := make(map[iot.DeviceID]time.Time, len(e.Gone)+len(e.Both))
	fresh := false
	for _, set := range [...]DeviceSet{e.Gone, e.Both} {
		for _, id := range set {
			since, ok := l.strange[id]
			if !ok {
				since = e.At
			}
			strange[id] = since
			fresh = fresh || e.At.Before(since.Add(l.deadlines.Visible))
		}
	}
	l.strange = strange
	return fresh
}

// applySeen records where the devices of a wave were seen just before it.
func (l *lane) applySeen(e Entry) error {
	if err := l.each(e.Asleep, l.setAsleep); err != nil {
		return err
	}
	if err := l.each(e.Arrived, func(i int32) {
		if l.dev[i].state != DevicePlanned {
			return // told before: it has changed its gateway
		}
		l.set(i, DeviceArrived) // moved by somebody else, at a time nobody told us
		if l.dev[i].call == 0 {
			l.byOthers++
		}
	}); err != nil {
		return err
	}
	seen := func(what string) Evidence { return Evidence{Source: beforeWave, At: e.At, Seen: what} }
	if err := l.each(e.Gone, func(i int32) { l.deleted(i, seen("on neither instance: it was deleted since the survey")) }); err != nil {
		return err
	}
	if err := l.each(e.Both, func(i int32) { l.dropFamily(i, seen("on both instances before its move"), DeviceFailed) }); err != nil {
		return err
	}
	return l.leaveAllOut(e.Drifted)
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

func (l *lane) applyLook(e Entry) error {
	if l.phase != phaseArriving {
		return fmt.Errorf("%w: no look is due", ErrDamaged)
	}
	if err := l.arrived(e.Arrived); err != nil {
		return err
	}
	if err := l.each(e.Unmoved, func(i int32) { l.unmoved(i, e.At) }); err != nil {
		return err
	}
	l.strayed.look(e)
	if e.End {
		if e.Error == "" && len(l.strayed.astray) == 0 { // what is on both has moved already
			l.looks = [2]time.Time{l.looks[1], e.At}
		}
		l.endRound(e)
		l.settle(e.At)
	}
	return nil
}

// arrived records which devices are at the target. One that the console moves may move hours after the operator
// was asked: it was still at the source in the complete look before this one, so after the end of the one before that, less the
// time that an instance may take to show it.
func (l *lane) arrived(set DeviceSet) error {
	n := int32(0)
	if l.byConsole() && !l.looks[0].IsZero() && len(set) > 0 {
		n = l.newCall(later(l.lastCall, l.looks[0].Add(-l.deadlines.Visible)))
	}
	return l.each(set, func(i int32) {
		if !l.dev[i].state.unresolved() {
			return
		}
		if n > 0 {
			l.dev[i].call = n
		}
		l.set(i, DeviceArrived)
		l.progress = true
	})
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
	l.set(i, DevicePlanned) // it was not taken away
	why, ok := l.refusals[i]
	if !ok {
		why = Evidence{Source: "look at both instances", At: at, Seen: "still at the source after " + fmt.Sprint(maxAttempts) + " calls"}
	}
	l.fail(i, why)
}

// endRound schedules the next look or round: soon if this one decided something.
func (l *lane) endRound(e Entry) {
	progress := l.progress
	l.progress = false
	if l.phase == phaseWaking {
		l.wakeAgain(e.At, progress)
		return
	}
	if progress {
		l.tries = 0
		l.looked = [2]time.Time{}
	} else {
		l.looked = [2]time.Time{l.looked[1], e.At}
	}
	if e.Error != "" {
		l.blind = e.At
	}
	l.again(e.At, e.Error)
}

// settle finds out what the current wave needs next: more calls, more looks, the return of families that
// were split, or verification.
func (l *lane) settle(at time.Time) {
	if l.back != nil {
		return
	}
	lo, hi := l.waveRange()
	if l.stopping != HaltCall && l.has(lo, hi, func(s DeviceState) bool { return s == DevicePlanned }) {
		l.queueCalls(lo, hi)
		l.enter(phaseMoving, at)
		if l.evicted {
			l.reserve()
		}
		return
	}
	if l.has(lo, hi, DeviceState.unresolved) {
		if l.phase != phaseArriving {
			l.enter(phaseArriving, at)
		}
		return
	}
	if l.stopping == HaltCall {
		l.failLeftBehind(lo, hi, at)
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
