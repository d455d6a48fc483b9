package fake

import (
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A CommandStep is a step of what Pub, RRpc, InvokeThingService or SetDeviceProperty sends, on its way to a device.
type CommandStep struct {
	API      string
	Instance string // ID of the instance that the device lives on; empty for the legacy one
	Device   iot.DeviceID
	Payload  []byte // the message, the arguments or the items; read only
	// Received says that the device has got the command. Otherwise the platform took it, to give it to the device: at once, or,
	// for Pub with QoS 1, when it comes online.
	Received bool
	At       time.Time
}

// took tells that the platform has taken a command.
func (c *Cloud) took(api string, d *device, payload []byte) { c.step(api, d, payload, false) }

// gave tells that a device has got a command. It is not called for one that a client brings, which knows by itself.
func (c *Cloud) gave(api string, d *device, payload []byte) { c.step(api, d, payload, true) }

func (c *Cloud) step(api string, d *device, payload []byte, received bool) {
	if c.steps == nil {
		return
	}
	c.steps(CommandStep{API: api, Instance: d.home.id, Device: d.id(), Payload: payload, Received: received, At: timeOf(c.at)})
}
