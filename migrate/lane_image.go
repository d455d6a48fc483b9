package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// fields are all of a lane that an image holds. A new field of lane belongs here, unless it follows from the plan or from
// the others.
func (l *lane) fields() []field {
	return []field{
		{"dev", (*imagedDevices)(&l.dev)}, {"callAt", &l.callAt}, {"grown", &l.grown},
		{"begun", &l.begun}, {"stage", &l.stage}, {"phase", &l.phase}, {"since", &l.since}, {"wave", &l.wave},
		{"asked", &l.asked}, {"gateOpen", &l.gateOpen},
		{"queue", &l.queue}, {"open", &l.open}, {"next", &l.next}, {"inFlight", &l.inFlight}, {"lastCall", &l.lastCall},
		{"tries", &l.tries}, {"tryAt", &l.tryAt}, {"errored", &l.errored}, {"progress", &l.progress},
		{"roundError", &l.roundError}, {"strayed", &l.strayed}, {"looks", &l.looks}, {"looked", &l.looked}, {"blind", &l.blind}, {"strange", (*sightedSince)(&l.strange)},
		{"undecided", &l.undecided}, {"firstRound", &l.firstRound}, {"until", &l.until},
		{"wait", &l.wait}, {"waited", &l.waited},
		{"halt", &l.halt}, {"haltNote", &l.haltNote}, {"paused", &l.paused}, {"stopping", &l.stopping}, {"stopNote", &l.stopNote},
		{"oneWay", &l.oneWay}, {"did", &l.did}, {"undone", &l.undone}, {"forgiven", &l.forgiven}, {"back", &l.back},
		{"base", &l.base}, {"need", &l.need}, {"evicted", &l.evicted}, {"joined", &l.joined}, {"byOthers", &l.byOthers},
		{"appeared", &l.appeared}, {"swept", &l.swept}, {"moved", &l.moved}, {"resumed", &l.resumed}, {"wakeAt", &l.wakeAt}, {"wakeTries", &l.wakeTries},
		{"missing", &l.missing}, {"split", &l.split}, {"failures", &l.failures}, {"refusals", &l.refusals},
		{"evidence", &l.evidence}, {"calls", &l.calls}, {"throttled", &l.throttled},
	}
}

func (b *wayBack) fields() []field {
	return []field{
		{"split", &b.split}, {"all", &b.all}, {"step", &b.step}, {"since", &b.since}, {"asked", &b.asked}, {"tries", &b.tries},
		{"tryAt", &b.tryAt}, {"why", &b.why}, {"left", &b.left}, {"undo", &b.undo}, {"strayed", &b.strayed},
	}
}

// MarshalJSON makes the way back a part of the lane's image.
func (b *wayBack) MarshalJSON() ([]byte, error) { return marshalFields(b.fields()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (b *wayBack) UnmarshalJSON(data []byte) error { return unmarshalFields(data, b.fields()) }

func (s *strayed) fields() []field {
	return []field{
		{"seen", &s.seen}, {"gone", &s.gone}, {"astray", &s.astray}, {"lost", (*imagedSet)(&s.lost)}, {"alarmed", (*imagedSet)(&s.alarmed)},
	}
}

// MarshalJSON makes the strayed devices a part of an image.
func (s *strayed) MarshalJSON() ([]byte, error) { return marshalFields(s.fields()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *strayed) UnmarshalJSON(data []byte) error { return unmarshalFields(data, s.fields()) }

func (m *movedWave) fields() []field {
	return []field{{"stage", &m.stage}, {"wave", &m.wave}, {"began", &m.began}, {"warned", &m.warned}}
}

// MarshalJSON makes the wave a part of the lane's image.
func (m *movedWave) MarshalJSON() ([]byte, error) { return marshalFields(m.fields()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *movedWave) UnmarshalJSON(data []byte) error { return unmarshalFields(data, m.fields()) }

func (w *wait) fields() []field {
	return []field{
		{"begun", &w.begun}, {"by", &w.by}, {"seen", &w.seen}, {"early", &w.early}, {"closed", &w.closed}, {"look", &w.look},
	}
}

// MarshalJSON makes the wait a part of the lane's image.
func (w *wait) MarshalJSON() ([]byte, error) { return marshalFields(w.fields()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (w *wait) UnmarshalJSON(data []byte) error { return unmarshalFields(data, w.fields()) }

func (k *look) fields() []field {
	return []field{
		{"at", &k.at}, {"next", &k.next}, {"holds", &k.holds}, {"seen", &k.seen}, {"progress", (*[]byte)(&k.progress)},
	}
}

// MarshalJSON makes the look a part of the wait's image.
func (k *look) MarshalJSON() ([]byte, error) { return marshalFields(k.fields()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (k *look) UnmarshalJSON(data []byte) error { return unmarshalFields(data, k.fields()) }

// restore takes the lane's fields from an image, and derives the rest.
func (l *lane) restore(image []byte) error {
	if err := unmarshalFields(image, l.fields()); err != nil {
		return err
	}
	for f := range l.grown {
		if f < 0 || int(f) >= len(l.plan.Families) || l.grown[f].Len() == 0 {
			return errors.New("no such family")
		}
	}
	if l.layOut(); len(l.family) != len(l.dev) {
		return fmt.Errorf("%d devices instead of %d", len(l.dev), len(l.family))
	}
	if err := l.possible(); err != nil {
		return err
	}
	l.tally()
	if l.wave >= 0 && l.phase >= phaseMoving && l.phase <= phaseVerifying {
		l.indexRange(l.waveRange())
	}
	return nil
}

// possible reports what in an image cannot be: nothing in it may lead out of a list.
func (l *lane) possible() error {
	stages := len(l.plan.Stages)
	switch {
	case l.stage < 0 || l.stage > stages || l.phase > phaseWaking:
		return errors.New("no such stage or phase")
	case l.stage == stages && l.phase != phaseIdle && l.phase != phaseFinished && l.phase != phaseWaking:
		return errors.New("a phase after the last stage")
	case l.phase >= phaseWave && l.phase <= phaseVerifying && !(l.wave >= 0 && l.wave < len(l.stagePlan().Waves)):
		return errors.New("no such wave")
	case l.next < 0 || l.inFlight < 0 || l.next+l.inFlight > len(l.queue) || l.needsCall() && l.next == len(l.queue):
		return errors.New("no such call")
	case len(l.callAt) == 0 || l.inFlight >= len(l.callAt):
		return errors.New("calls without a time")
	case l.back != nil && (l.back.step > backUndo || l.back.undo < -1 || l.back.undo >= stages || l.back.step == backUndo && l.back.undo < 0):
		return errors.New("no such step of the way back")
	case l.tries < 0 || l.back != nil && l.back.tries < 0:
		return errors.New("fewer than no tries")
	}
	for _, m := range l.moved {
		if m.stage < 0 || m.stage >= stages || m.wave < 0 || m.wave >= len(l.plan.Stages[m.stage].Waves) {
			return errors.New("no such wave was moved")
		}
	}
	for _, d := range l.dev {
		if d.state >= deviceStates || d.call < 0 || int(d.call) >= len(l.callAt) {
			return errors.New("no such state or call of a device")
		}
	}
	for _, about := range []map[int32]Evidence{l.missing, l.failures, l.refusals} {
		if about == nil {
			return errors.New("a table is missing")
		}
		for i := range about {
			if i < 0 || int(i) >= len(l.dev) {
				return errors.New("no such device")
			}
		}
	}
	return nil
}

// needsCall reports whether the lane is where it makes the next call of its queue.
func (l *lane) needsCall() bool { return l.phase == phaseMoving && !l.byConsole() && l.back == nil }

// tally counts the devices by their states.
func (l *lane) tally() {
	l.counts, l.sleeping, l.failedThere = [deviceStates]int{}, [deviceStates]int{}, 0
	l.offline, l.offlineFailed = 0, 0
	for i, d := range l.dev {
		l.weigh(&l.dev[i], 1)
		l.counts[d.state]++
		if d.asleep {
			l.sleeping[d.state]++
		}
		if d.there && d.state == DeviceFailed {
			l.failedThere++
		}
	}
}

// sightedSince is a table of devices in an image: JSON has no names of them for keys.
type sightedSince map[iot.DeviceID]time.Time

type sighted struct {
	Device iot.DeviceID `json:"device"`
	Since  time.Time    `json:"since"`
}

// MarshalJSON writes a list, in the order of the devices.
func (m sightedSince) MarshalJSON() ([]byte, error) {
	list := make([]sighted, 0, len(m))
	for id, since := range m {
		list = append(list, sighted{id, since})
	}
	slices.SortFunc(list, func(a, b sighted) int { return a.Device.Compare(b.Device) })
	return json.Marshal(list)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *sightedSince) UnmarshalJSON(data []byte) error {
	var list []sighted
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*m = make(sightedSince, len(list))
	for _, s := range list {
		(*m)[s.Device] = s.Since
	}
	return nil
}

// imagedSet is a set of devices as a list, in order.
type imagedSet map[iot.DeviceID]bool

// MarshalJSON writes the list; of a nil set, null.
func (m imagedSet) MarshalJSON() ([]byte, error) {
	if m == nil {
		return []byte("null"), nil
	}
	return json.Marshal(DeviceSet(slices.SortedFunc(maps.Keys(m), iot.DeviceID.Compare)))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *imagedSet) UnmarshalJSON(data []byte) error {
	*m = nil
	if string(data) == "null" {
		return nil
	}
	var list DeviceSet
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*m = setOf(list)
	return nil
}
