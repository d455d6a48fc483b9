package migrate

import (
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

func (l *lane) nextWave(at time.Time) {
	l.wave++
	if l.wave < len(l.stagePlan().Waves) {
		l.enter(phaseWave, at)
		return
	}
	l.wave = -1
	l.startCheck(at)
}

func (l *lane) endWave(at time.Time) {
	l.index, l.whole = nil, false
	l.queue, l.open, l.next = nil, nil, 0
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
	l.seen = append(append(l.seen, e.Gone...), e.Both...)
	if e.End {
		l.astray, l.seen = l.seen, nil
		if e.Error == "" && len(l.astray) == 0 { // what is on both has moved already
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
		l.looked = [2]time.Time{}
	} else {
		l.looked = [2]time.Time{l.looked[1], e.At}
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
	if l.stopping != HaltCall && l.has(lo, hi, func(s DeviceState) bool { return s == DevicePlanned }) {
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
