package fake

import "github.com/iotferry/iotferry/iot"

// The names of what devices do, for the hook.
const (
	Connect = "Connect" // a device tries to connect
	Answer  = "Answer"  // a device acknowledges a message, answers an asynchronous service or posts what was set
)

// reconnectLater lets a device that was cut off try again, if its firmware does.
func (c *Cloud) reconnectLater(d *device) {
	if d.powered && d.reconnects {
		wait := d.between(saltReconnect, c.quirks.ReconnectMin, c.quirks.ReconnectMax)
		c.after(wait, event{kind: connectEvent, dev: d, try: d.try})
	}
}

// tryConnect connects a device, if it is cut off, may connect, and has a way to its instance. A
// sub-device has one only through its gateway, on the same instance (error 6401 otherwise); it
// tries again when the gateway comes online.
func (c *Cloud) tryConnect(d *device, try uint32) {
	if !c.mayConnect(d, try) {
		return
	}
	fault := c.askUnlocked(Op{
		Kind: DeviceOp, Name: Connect, Instance: d.home.id, ProductKey: d.product.key, Devices: []string{d.name},
	})
	if fault.Err == nil && c.mayConnect(d, try) {
		c.connect(d, fault.lies(d.name))
	}
}

func (c *Cloud) mayConnect(d *device, try uint32) bool {
	if d.try != try || d.connected() || !d.powered || d.disabled {
		return false
	}
	return d.gateway == nil || d.gateway.simulated() && d.gateway.home == d.home
}

// connect brings a simulated device online.
func (c *Cloud) connect(d *device, dead bool) {
	d.client = nil
	c.begin(d, dead, dead)
	if dead {
		return
	}
	c.startReports(d)
	c.reporting(d, 1)
	c.deliverParked(d)
	c.loginSubs(d)
}

// begin begins a stay.
func (c *Cloud) begin(d *device, dead, mute bool) {
	c.change(d, func() {
		if d.stay.from != 0 {
			d.past = append(d.past, d.stay)
			d.past = d.past[max(len(d.past)-maxStays, 0):]
		}
		d.stay = stay{from: c.at, to: forever, in: d.home, dead: dead, mute: mute}
		d.activated = true
		d.lastOnline = c.at
	})
	c.emitStatus(d, record{online: true})
}

func (c *Cloud) emitStatus(d *device, r record) {
	r.kind = statusRecord
	if d.client != nil && d.client.address != "" {
		r.text = &text{body: d.client.address}
	}
	c.emit(d, r, iot.StatusChange)
}

// reporting counts the devices that report, and when that number changed.
func (c *Cloud) reporting(d *device, delta int) {
	if v := d.home.views[d.product.key]; v != nil {
		v.reporting += delta
		v.steady = c.at
	}
}

// loginSubs lets a gateway that came online bring its sub-devices online.
func (c *Cloud) loginSubs(gateway *device) {
	for _, d := range gateway.subs {
		if d.powered && (d.reconnects || d.stay.from == 0) {
			wait := d.between(saltLogin, c.quirks.SubLoginMin, c.quirks.SubLoginMax)
			c.after(wait, event{kind: connectEvent, dev: d, try: d.try})
		}
	}
}

// disconnect ends a device's stay, and those of its sub-devices with it.
func (c *Cloud) disconnect(d *device, code int) {
	d.try++
	if !d.connected() {
		return
	}
	if d.simulated() {
		c.reporting(d, -1)
	}
	c.change(d, func() { d.stay.to = c.at })
	c.emitStatus(d, record{code: int32(code)})
	c.hangUp(d, code)
	for _, sub := range d.subs {
		if sub.stay.in == d.stay.in && !sub.direct() {
			c.disconnect(sub, code)
		}
	}
}
