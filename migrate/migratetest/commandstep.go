package migratetest

import (
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A CommandStep is what really became of a command (of Pub, RRpc, InvokeThingService or SetDeviceProperty), whatever its caller
// was told. One that is refused makes no step. One that the platform takes makes a step, and a second one when the device has
// received it: at the same moment if it is online. For a device that is not, Pub keeps the message until it comes, SetDeviceProperty and
// asynchronous services keep nothing, and the others are refused. Of a device that a client brings to a [Wire] only the
// first step is told: what it receives, the client knows.
type CommandStep struct {
	API      string // such as Pub
	Instance string // ID of the instance that the device lives on; empty for the public one
	Device   iot.DeviceID
	Payload  []byte // the message, the arguments or the items; read only
	Received bool   // by the device; otherwise the platform took it
	At       time.Time
}
