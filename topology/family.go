package topology

import "github.com/iotferry/iotferry/iot"

// A Relation says that Sub is a sub-device of Gateway.
type Relation struct {
	Gateway iot.DeviceID `json:"gateway"`
	Sub     iot.DeviceID `json:"sub"`
}

// A Member is one device of a fleet with the node type of its product.
type Member struct {
	ID   iot.DeviceID
	Node iot.NodeType
}

// A Family is what moves whole or not at all: a gateway with its sub-devices, or one direct device.
// The zero value is no family.
type Family struct {
	// Gateway is the family's gateway. It is zero for a direct device.
	Gateway iot.DeviceID
	// Devices holds the sub-devices in the order of [iot.DeviceID.Compare] and, last, the gateway; or the
	// one direct device.
	Devices []iot.DeviceID
}

// ID returns the device that names the family: its gateway or its direct device. It is zero for the
// zero Family.
func (f Family) ID() iot.DeviceID {
	if len(f.Devices) == 0 {
		return f.Gateway
	}
	return f.Devices[len(f.Devices)-1]
}

// Len returns the number of the family's devices, the gateway included.
func (f Family) Len() int { return len(f.Devices) }

// children returns the sub-devices.
func (f Family) children() []iot.DeviceID {
	return f.Devices[:max(0, len(f.Devices)-1)]
}
