package soak_test

import (
	"maps"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// checkResent checks that no device was announced again while nobody knew what its last call did: a look at both instances has
// to come between.
func (w *world) checkResent(entries []migrate.Entry) {
	w.t.Helper()
	called, unknown := map[iot.DeviceID]int{}, map[iot.DeviceID]bool{} // called by which call
	for _, e := range entries {
		switch e.Kind {
		case migrate.EntryIntent:
			for _, id := range e.Names {
				if unknown[id] {
					w.t.Errorf("entry %d: device %s is sent again, and nobody has looked where it is", e.Seq, id)
				}
				called[id] = e.Call
			}
		case migrate.EntryOutcome: // after an error, the calls that were announced after it are not made
			maps.DeleteFunc(called, func(_ iot.DeviceID, call int) bool { return call == e.Call || e.Error != "" })
			for _, id := range e.Unknown {
				unknown[id] = true
			}
		case migrate.EntryRunner: // whatever was called then has no answer
			for id := range called {
				unknown[id] = true
			}
			clear(called)
		case migrate.EntryLook:
			for _, ids := range []migrate.DeviceSet{e.Arrived, e.Unmoved} {
				for _, id := range ids {
					delete(unknown, id)
				}
			}
		}
	}
}
