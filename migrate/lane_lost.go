package migrate

import (
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A strayed is what looks saw of devices that are not on exactly one instance. Somebody may have deleted one that is on none: when a person has been
// asked about it, and it still is on none at the next deadline, it has failed.
type strayed struct {
	seen    DeviceSet             // on both or on none, by the look under way
	gone    DeviceSet             // those of them on none
	astray  DeviceSet             // seen, of the last complete look
	lost    map[iot.DeviceID]bool // gone, of the last complete look
	alarmed map[iot.DeviceID]bool // by the last alarm
}

// look adds what a look has seen; end makes it complete.
func (s *strayed) look(e Entry) {
	s.seen = append(append(s.seen, e.Gone...), e.Both...)
	s.gone = append(s.gone, e.Gone...)
	if e.End {
		s.astray, s.lost = s.seen, setOf(s.gone)
		s.forget()
	}
}

// forget drops what a look has told that did not come to its end.
func (s *strayed) forget() { s.seen, s.gone = nil, nil }

func setOf(ids DeviceSet) map[iot.DeviceID]bool {
	if len(ids) == 0 {
		return nil
	}
	set := make(map[iot.DeviceID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// settled reports whether a person knows of a device that is on none.
func (s *strayed) settled(id iot.DeviceID) bool { return s.lost[id] && s.alarmed[id] }

const lostForGood = "on neither instance, and still so after the alarm about it: it was deleted"

// expireAstray fails the devices that are lost for good, and raises an alarm about the others that are astray; nil if none is. Devices that
// are not open any more do not count.
func (s *strayed) expireAstray(alarm, expired Entry, now time.Time, open func(iot.DeviceID) bool) *answer {
	for _, id := range s.astray {
		if !open(id) {
			continue
		}
		if !s.settled(id) {
			alarm.Names = append(alarm.Names, id)
		} else if len(expired.Failed) < entryChunk {
			expired.Failed = append(expired.Failed, Failure{Device: id, Evidence: Evidence{Source: "look at both instances", At: now, Seen: lostForGood}})
		}
	}
	switch {
	case len(expired.Failed) > 0:
		return &answer{entries: []Entry{expired}}
	case len(alarm.Names) > 0:
		alarm.Note = fmt.Sprintf("%d devices are on both instances or on none", len(alarm.Names))
		return &answer{entries: []Entry{alarm}}
	}
	return nil
}

// drop forgets a device of which has been decided.
func (s *strayed) drop(id iot.DeviceID) {
	kept := s.astray[:0:0]
	for _, other := range s.astray {
		if other != id {
			kept = append(kept, other)
		}
	}
	s.astray = kept
}

// isIn tells of devices by ID whether they are in a state of some kind.
func (l *lane) isIn(kind func(DeviceState) bool) func(iot.DeviceID) bool {
	return func(id iot.DeviceID) bool {
		i, ok := l.find(id)
		return ok && kind(l.dev[i].state)
	}
}
