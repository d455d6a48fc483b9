package migratetest

import "github.com/iotferry/iotferry/iot"

// Add creates a device and plugs it in, as somebody might while a campaign runs: on the instance where its gateway lives, or, without
// one, where its product was created. A migration task that has completed can move it: the platform does not say what it would do.
func (c *Cloud) Add(id, gateway iot.DeviceID) error { return c.cloud.Add(id, gateway) }

// SetGateway gives a sub-device another gateway of the instance where it lives, or none if gateway is zero.
func (c *Cloud) SetGateway(sub, gateway iot.DeviceID) error { return c.cloud.SetGateway(sub, gateway) }

// Delete deletes a device for good: a gateway's sub-devices have no gateway then.
func (c *Cloud) Delete(id iot.DeviceID) error { return c.cloud.Delete(id) }

// MoveByHand moves devices as somebody else might in the console, by the migration tasks of their products.
func (c *Cloud) MoveByHand(ids ...iot.DeviceID) error { return c.cloud.MoveByHand(ids...) }
