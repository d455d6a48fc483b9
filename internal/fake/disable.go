package fake

import (
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// Disable keeps a device from connecting until it is enabled again, as the console's device page does. One that is online is
// cut off with code 522, a gateway with all its sub-devices; the gateway of a sub-device is told. Its error is [iot.NotFound].
func (c *Cloud) Disable(id iot.DeviceID) error {
	return c.setDisabled("Disable", id, true, func(d *device) {
		c.disconnect(d, codeDisabled)
		c.change(d, func() { d.disabled = true })
		c.emitLifecycle(d, "disable")
		c.topoChange(d.gateway, d, topoDisabled)
	})
}

// Enable takes back what Disable did: a simulated device comes back by itself. Its error is [iot.NotFound].
func (c *Cloud) Enable(id iot.DeviceID) error {
	return c.setDisabled("Enable", id, false, func(d *device) {
		c.change(d, func() { d.disabled = false })
		c.emitLifecycle(d, "enable")
		c.topoChange(d.gateway, d, topoEnabled)
		c.reconnectLater(d)
	})
}

// setDisabled runs f on a device that is not as it shall be.
func (c *Cloud) setDisabled(op string, id iot.DeviceID, disabled bool, f func(*device)) error {
	err := error(&iot.Error{Kind: iot.NotFound, Op: op, Message: fmt.Sprintf("device %s does not exist", id)})
	c.look(func() {
		d := c.device(id)
		if d == nil {
			return
		}
		if err = nil; d.disabled != disabled {
			f(d)
		}
	})
	return err
}
