package migrate

import (
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// maxSalvo is how many calls are announced by one append to the journal: as many as the quota lets through in a second. It bounds
// what is unknown after a crash, and what a person who pauses has to wait for.
const maxSalvo = 5

// nextSalvo returns the task to make the next calls of the queue. A lane that is to stop makes no more than its split families
// need.
func (l *lane) nextSalvo() *Task {
	end := min(l.next+maxSalvo, len(l.queue))
	if l.paused || l.stopping != "" || l.over() {
		for i := end - 1; i > l.next; i-- {
			if !l.splitBefore(i) {
				end = i
			}
		}
	}
	t := l.task(TaskMove)
	t.Calls, t.FirstCall = l.queue[l.next:end], len(l.callAt)
	for i, call := range t.Calls {
		intent := l.here(EntryIntent)
		intent.Call, intent.Product, intent.Names = t.FirstCall+i, call.ProductKey, callDevices(call)
		t.Intents = append(t.Intents, intent)
	}
	return t
}

func (l *lane) applyIntent(e Entry) error {
	if l.phase != phaseMoving || l.next+l.inFlight >= len(l.queue) || e.Call != len(l.callAt) {
		return fmt.Errorf("%w: call %d is not due", ErrDamaged, e.Call)
	}
	n := l.newCall(e.At)
	l.noteMove(e.At)
	l.admit()
	l.inFlight++
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
	if l.inFlight == 0 || e.Call != len(l.callAt)-l.inFlight {
		return fmt.Errorf("%w: call %d was not begun", ErrDamaged, e.Call)
	}
	l.inFlight--
	if l.inFlight > 0 {
		l.callAt[e.Call+1] = e.At.UnixNano() // the next one was announced earlier, but begins only now
	}
	l.lastCall = e.At
	l.awaitEffects()
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

// callFailed handles a call of which it is known that it moved nothing. Those announced after it were not made.
func (l *lane) callFailed(e Entry) {
	for _, call := range l.queue[l.next : l.next+1+l.inFlight] {
		for _, id := range callDevices(call) {
			if i, ok := l.find(id); ok && l.dev[i].state == DeviceIntended {
				l.dev[i].attempts--
				l.set(i, DevicePlanned)
			}
		}
	}
	l.calls -= l.inFlight
	l.inFlight = 0
	switch {
	case l.back != nil: // a rollback overtook the call
	case e.Retry:
		l.throttled++
		l.again(e.At, e.Error)
	default:
		l.giveUpCalls(e.Error, e.At)
	}
}

// giveUpCalls ends the wave's calls for good. What was moved is looked up, families that are split by it are returned, and
// then the lane halts.
func (l *lane) giveUpCalls(note string, at time.Time) {
	l.queue, l.open, l.next, l.inFlight = nil, nil, 0, 0
	l.stopping, l.stopNote = HaltCall, note
	l.settle(at)
}

// failLeftBehind fails what is not moved of families that are begun, when no more calls are made.
func (l *lane) failLeftBehind(lo, hi int32, at time.Time) {
	why := Evidence{Source: "calls of the wave", At: at, Seen: "not moved: " + l.stopNote}
	for f := l.family[lo]; f <= l.family[hi-1]; f++ {
		if !l.begunFamily(f) {
			continue
		}
		for i := l.first[f]; i < l.first[f+1]; i++ {
			if l.dev[i].state == DevicePlanned {
				l.fail(i, why)
			}
		}
	}
}

// callUnknown is the outcome of a call whose answer nobody will get any more.
func (l *lane) callUnknown(at time.Time) {
	l.inFlight--
	l.endCall(DeviceUnknown, at)
}

// endCall gives the rest of the call under way a state and goes on to the next call.
func (l *lane) endCall(s DeviceState, at time.Time) {
	for _, id := range callDevices(l.queue[l.next]) {
		if i, ok := l.find(id); ok {
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

// queueCalls packs what is left of the wave into calls.
func (l *lane) queueCalls(lo, hi int32) {
	l.queue, l.open, l.next, l.inFlight = nil, nil, 0, 0
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
	whole := l.familyAt(f)
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

func callDevices(c topology.Call) DeviceSet {
	set := make(DeviceSet, 0, len(c.Names))
	for _, name := range c.Names {
		set = append(set, iot.DeviceID{ProductKey: c.ProductKey, DeviceName: name})
	}
	return set
}
