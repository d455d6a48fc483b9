package fake

import (
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// The states of topo/change. The documents contradict each other about the last two.
const (
	topoDeleted  = 1
	topoEnabled  = 2
	topoDisabled = 8
)

// topoGet answers with the sub-devices of a gateway that live where it does.
func (c *Cloud) topoGet(u *uplink, _ query) verdict {
	list := []iot.DeviceID{}
	for _, d := range u.dev.subs {
		if d.home == u.dev.home || c.quirks.SplitTopology {
			list = append(list, d.id())
		}
	}
	return verdict{codeOK, list}
}

// topoAdd puts sub-devices under a gateway: all of them or none. One that has another gateway changes it.
func (c *Cloud) topoAdd(u *uplink, q query) verdict {
	list, ok := readIdentities(q.params)
	if !ok || u.dev.product.node != iot.Gateway {
		return denied(codeBadRequest)
	}
	var subs []*device
	for _, x := range list {
		d := c.device(x.id())
		if code := addRefusal(u.dev, d, x); code != 0 {
			return denied(code)
		}
		if d.gateway != u.dev && !slices.Contains(subs, d) {
			subs = append(subs, d)
		}
	}
	if len(u.dev.subs)+len(subs) > c.quirks.MaxSubDevices {
		return denied(codeTooManySubs)
	}
	for _, d := range subs {
		if old := d.gateway; old != nil {
			c.remove(old, []*device{d})
			c.topoChange(old, d, topoDeleted)
		}
		d.gateway = u.dev
		u.dev.subs = append(u.dev.subs, d)
	}
	c.emitTopology(u.dev, "create", subs)
	return verdict{code: codeOK}
}

// addRefusal returns the code with which a relation is refused; 0 if it is not.
func addRefusal(gateway, d *device, x identity) int {
	switch {
	case d == gateway:
		return codeIsItself
	case d == nil || d.home != gateway.home:
		return codeUnknownDevice
	case x.field("signMethod") == "" || x["sign"] == "" || d.product.node != iot.SubDevice:
		return codeBadRequest
	case !x.signedBy(d.secret):
		return codeBadSign
	case d.disabled:
		return codeSubDisabled
	}
	return 0
}

// topoDelete takes sub-devices away from a gateway: all of them or none.
func (c *Cloud) topoDelete(u *uplink, q query) verdict {
	list, ok := readIdentities(q.params)
	if !ok {
		return denied(codeBadRequest)
	}
	var subs []*device
	for _, x := range list {
		d := c.device(x.id())
		switch {
		case d == nil:
			return denied(codeUnknownDevice)
		case d.gateway != u.dev || d.home != u.dev.home:
			return denied(codeNoTopology)
		}
		if !slices.Contains(subs, d) {
			subs = append(subs, d)
		}
	}
	c.remove(u.dev, subs)
	return verdict{code: codeOK}
}

// remove ends the relation between a gateway and some of its sub-devices, and the sessions that rest on it.
func (c *Cloud) remove(gateway *device, subs []*device) {
	for _, d := range subs {
		if !d.direct() {
			c.disconnect(d, codeNoTopology)
		}
		d.gateway = nil
	}
	gateway.subs = slices.DeleteFunc(gateway.subs, func(d *device) bool { return slices.Contains(subs, d) })
	c.emitTopology(gateway, "delete", subs)
}

// topoChange tells a gateway's client of a change that it has not made itself.
func (c *Cloud) topoChange(gateway, d *device, status int) {
	if gateway == nil || gateway.line() == nil {
		return
	}
	c.tell(gateway.line(), "/sys"+gateway.topic("/thing/topo/change"), 0, map[string]any{
		"id": messageID(c.newID()), "version": "1.0", "method": "thing.topo.change",
		"params": map[string]any{"status": status, "subList": []iot.DeviceID{d.id()}},
	})
}

// emitTopology sends the topology message of the platform.
func (c *Cloud) emitTopology(gateway *device, action string, subs []*device) {
	if len(subs) == 0 {
		return
	}
	c.emit(gateway, record{
		text: &text{gateway.topic("/thing/topo/lifecycle"), topologyBody(gateway, c.at, action, subs)},
	}, iot.TopologyChange)
}
