package migrate

// A DeviceState is how far a device has come on its journey.
type DeviceState uint8

// A device's journey. Exactly one instance owns it at any time.
const (
	DevicePlanned   DeviceState = iota // nothing was tried
	DeviceIntended                     // a call or console task with it is in the journal
	DeviceAccepted                     // the platform said that it moved
	DeviceRejected                     // the platform said that it did not
	DeviceUnknown                      // the answer was lost
	DeviceArrived                      // the target shows it, the source does not
	DeviceOnline                       // seen online since its move
	DeviceProven                       // all its verifiers passed
	DeviceFailed                       // rejected for good, not arrived in time, or not proven
	DeviceReturning                    // it is on its way back
	DeviceReturned                     // the source shows it, the target does not
	DeviceLeftOut                      // not moved, and not to be: its family was not as planned when its wave came
	DeviceDeleted                      // on neither instance when its wave came
	deviceStates                       // how many there are
)

var deviceStateNames = [deviceStates]string{
	"planned", "intended", "accepted", "rejected", "unknown", "arrived", "online", "proven", "failed", "returning", "returned",
	"left out", "deleted",
}

// String returns the state in a word.
func (s DeviceState) String() string {
	if s >= deviceStates {
		return "invalid"
	}
	return deviceStateNames[s]
}

// unresolved reports whether only a look at both instances can tell where the device is.
func (s DeviceState) unresolved() bool {
	return s >= DeviceIntended && s <= DeviceUnknown
}

// device is one device's place in a lane's state: small, since there are a million of them.
type device struct {
	call     int32  // number of the last call with it; 0 for none
	counted  uint16 // the verifiers, by their place in the report, that count it as passed
	state    DeviceState
	passed   uint8 // how many verifiers of the current wave or check it passed
	attempts uint8 // how many calls it was in
	asleep   bool  // not online just before its move
	there    bool  // it was seen at the target, and has not been seen back
	away     bool  // a move of it has begun, and nobody has seen it online since, or where it was
}
