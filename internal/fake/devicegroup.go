package fake

import (
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// A deviceGroup is a static group of devices of an instance. It keeps devices that have moved away.
type deviceGroup struct {
	iot.DeviceGroup
	in      *instance
	devices []*device // in the order in which they were added
}

func (c *Cloud) setDeviceGroups(in *instance, s Setup) error {
	if s.DeviceGroups == nil {
		return nil
	}
	for _, g := range in.deviceGroups {
		for _, d := range g.devices {
			d.groups = slices.DeleteFunc(d.groups, func(o *deviceGroup) bool { return o == g })
		}
	}
	in.deviceGroups = nil
	for _, x := range s.DeviceGroups {
		g := in.addDeviceGroup(x)
		for _, id := range s.Members[x.ID] {
			d := c.device(id)
			if d == nil {
				return invalid("setup: there is no device %s", id)
			}
			g.add(d)
		}
	}
	return nil
}

func (in *instance) addDeviceGroup(x iot.DeviceGroup) *deviceGroup {
	if x.ID == "" {
		x.ID = "group" + in.newID()
	}
	g := &deviceGroup{DeviceGroup: x, in: in}
	in.deviceGroups = append(in.deviceGroups, g)
	return g
}

func (g *deviceGroup) add(d *device) {
	g.devices = append(g.devices, d)
	d.groups = append(d.groups, g)
}

// deviceGroup returns the group of an ID.
func (in *instance) deviceGroup(id string) (*deviceGroup, error) {
	for _, g := range in.deviceGroups {
		if g.ID == id {
			return g, nil
		}
	}
	return nil, refuse(codeNoDeviceGroup, "there is no group %q on this instance", id)
}

// groupsOn returns the groups of an instance that a device is in.
func (d *device) groupsOn(in *instance) []*deviceGroup {
	return slices.DeleteFunc(slices.Clone(d.groups), func(g *deviceGroup) bool { return g.in != in })
}
