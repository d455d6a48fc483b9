package topology

import (
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// A Reason says why [Families] refuses a topology. Reasons are errors themselves, so that
// errors.Is(err, topology.TwoGateways) asks for one.
type Reason string

// The reasons.
const (
	DuplicateDevice Reason = "duplicate device"              // Device came twice
	UnknownNodeType Reason = "unknown node type"             // Device is neither direct, gateway nor sub-device
	UnknownDevice   Reason = "relation to an unknown device" // Device is an end of a relation, but was not read
	NotGateway      Reason = "not a gateway"                 // Gateway has the sub-device Device, but is no gateway by its product
	NotSubDevice    Reason = "not a sub-device"              // Device has a Gateway, but is a direct device by its product
	NestedGateway   Reason = "gateway below a gateway"       // Device is a gateway, and a sub-device of Gateway or of itself
	TwoGateways     Reason = "two gateways"                  // Device is a sub-device of Gateway and of Other
	NoGateway       Reason = "sub-device without a gateway"  // Device is a sub-device by its product, but has no gateway
	TooManyChildren Reason = "too many sub-devices"          // Device is one more than the Limit of Gateway
)

// Error returns the reason in words.
func (r Reason) Error() string { return string(r) }

// An Error is a fault of a topology. Its kind is [iot.Invalid].
type Error struct {
	Reason  Reason
	Device  iot.DeviceID // the device that it is about
	Gateway iot.DeviceID // the gateway of the relation; zero if there is none
	Other   iot.DeviceID // TwoGateways: the gateway that the device had before
	Limit   int          // TooManyChildren: the most sub-devices that a gateway may have
}

// Error names the devices, what is wrong with them and what can be done.
func (e *Error) Error() string {
	return fmt.Sprintf("topology: %s: %s", e.place(), e.remedy())
}

func (e *Error) place() string {
	if e.Gateway.IsZero() {
		return fmt.Sprintf("device %q", e.Device)
	}
	return fmt.Sprintf("device %q of gateway %q", e.Device, e.Gateway)
}

func (e *Error) remedy() string {
	switch e.Reason {
	case DuplicateDevice:
		return "it came twice: read the device list again, it may have changed meanwhile"
	case UnknownNodeType:
		return "the node type of its product is unknown: direct, gateway or subdevice is needed"
	case UnknownDevice:
		return "a relation names it, but the device list does not: read both again from one instance"
	case NotGateway:
		return "by its product the gateway is none: check the product's node type"
	case NotSubDevice:
		return "by its product it is a direct device: check the product's node type, or end the relation"
	case NestedGateway:
		return "it is a gateway, and a sub-device as well: end one of the relations"
	case TwoGateways:
		return fmt.Sprintf("it is a sub-device of gateway %q, too: end one of the relations", e.Other)
	case NoGateway:
		return "it is a sub-device without a gateway: add it to one, or leave it out"
	case TooManyChildren:
		return fmt.Sprintf("it is one more than the limit of %d: raise that if the platform allows more", e.Limit)
	}
	return e.Reason.Error()
}

// Is reports whether target is the error's [Reason].
func (e *Error) Is(target error) bool {
	r, ok := target.(Reason)
	return ok && r == e.Reason
}

// Unwrap returns an error of kind [iot.Invalid], which is what [iot.KindOf] finds.
func (e *Error) Unwrap() error {
	return &iot.Error{Kind: iot.Invalid, Message: e.Reason.Error()}
}
