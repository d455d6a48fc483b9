package fleet

import (
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// MaxSubDevices is the most sub-devices that a gateway can have on the platform.
const MaxSubDevices = 1500

// A resolver knows what the references of a fleet can name.
type resolver struct {
	fleet     *Fleet
	instances map[string]bool
	groups    map[groupKey]bool
	products  map[string]*Product
	devices   map[iot.DeviceID]int // index in the fleet
	children  map[iot.DeviceID]int // sub-devices of a gateway so far
}

// A groupKey names a consumer group: IDs are unique only within an instance.
type groupKey struct{ instance, id string }

// resolve checks that what must be unique is, and that every reference names something that fits.
func resolve(f *Fleet) error {
	r := &resolver{
		fleet:     f,
		instances: make(map[string]bool, len(f.Instances)),
		groups:    make(map[groupKey]bool, len(f.ConsumerGroups)),
		products:  make(map[string]*Product, len(f.Products)),
		devices:   make(map[iot.DeviceID]int, len(f.Devices)),
		children:  make(map[iot.DeviceID]int),
	}
	for _, step := range []func() error{
		r.indexInstances, r.indexGroups, r.indexProducts, r.indexDevices, r.gateways,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolver) indexInstances() error {
	for i, instance := range r.fleet.Instances {
		if r.instances[instance.ID] {
			return unfit("instances", i, "id", "%q is there already: give each instance an ID of its own", clip(instance.ID))
		}
		r.instances[instance.ID] = true
	}
	if !r.instances[""] { // no other type can have that ID
		return &Error{Path: "instances", Message: "no public-legacy instance: add the one that devices are to leave"}
	}
	return nil
}

func (r *resolver) indexGroups() error {
	for i, g := range r.fleet.ConsumerGroups {
		key := groupKey{g.Instance, g.ID}
		if !r.instances[g.Instance] {
			return noInstance("consumerGroups", i, g.Instance)
		}
		if r.groups[key] {
			return unfit("consumerGroups", i, "id", "%q is there already in the same instance: rename or remove it", clip(g.ID))
		}
		r.groups[key] = true
	}
	return nil
}

func (r *resolver) indexProducts() error {
	for i := range r.fleet.Products {
		p := &r.fleet.Products[i]
		if r.products[p.Key] != nil {
			return unfit("products", i, "productKey", "%s is there already: rename or remove it", p.Key)
		}
		if !r.instances[p.Instance] {
			return noInstance("products", i, p.Instance)
		}
		if err := r.subscriptions(i, p); err != nil {
			return err
		}
		r.products[p.Key] = p
	}
	return nil
}

// subscriptions checks that the consumer groups of a product's subscriptions are in its own instance.
func (r *resolver) subscriptions(i int, p *Product) error {
	for j, f := range p.Forwarding {
		if f.Type == AMQP && !r.groups[groupKey{p.Instance, f.ConsumerGroup}] {
			return unfit(fmt.Sprintf("products[%d].forwarding", i), j, "consumerGroup",
				"no such consumer group %q in the product's instance: add it to consumerGroups", clip(f.ConsumerGroup))
		}
	}
	return nil
}

func (r *resolver) indexDevices() error {
	for i := range r.fleet.Devices {
		d := &r.fleet.Devices[i]
		p := r.products[d.ID.ProductKey]
		if p == nil {
			return unfit("devices", i, "productKey", "no such product %s: add it to products", d.ID.ProductKey)
		}
		if _, ok := r.devices[d.ID]; ok {
			return unfit("devices", i, "", "%v is there already: rename or remove it", d.ID)
		}
		if needsDeviceSecret(p.Auth) && d.Secret == (iot.Secret{}) {
			return unfit("devices", i, "deviceSecret", "missing: add the field, as the product's auth is %s", p.Auth)
		}
		d.ID.ProductKey = p.Key // one text for all devices of the product
		r.devices[d.ID] = i
	}
	return nil
}

func needsDeviceSecret(auth iot.Auth) bool {
	return auth == iot.AuthPerDevice || auth == iot.AuthPerProductPreregistered
}

// gateways checks the gateway of every device. It comes after all devices are known, as a sub-device may
// stand before its gateway.
func (r *resolver) gateways() error {
	for i := range r.fleet.Devices {
		d := &r.fleet.Devices[i]
		if message := r.gateway(d); message != "" {
			return unfit("devices", i, "gateway", "%s", message)
		}
	}
	return nil
}

// gateway returns what is wrong with the gateway of d, or nothing.
func (r *resolver) gateway(d *Device) string {
	p := r.products[d.ID.ProductKey]
	if p.NodeType != iot.SubDevice {
		if !d.Gateway.IsZero() {
			return fmt.Sprintf("a device of a %s product has no gateway: remove the field", p.NodeType)
		}
		return ""
	}
	if d.Gateway.IsZero() {
		return "missing: add the field, as the product is a subdevice product"
	}
	if d.Gateway == d.ID {
		return "a device cannot be its own gateway: name a device of a gateway product"
	}
	i, ok := r.devices[d.Gateway]
	if !ok {
		return fmt.Sprintf("no such device %v: add it to devices", d.Gateway)
	}
	d.Gateway = r.fleet.Devices[i].ID // one text for all sub-devices of the gateway
	return r.attach(d.Gateway, p)
}

// attach counts one more device of product p to the sub-devices of a gateway. It returns what forbids
// that, or nothing.
func (r *resolver) attach(gateway iot.DeviceID, p *Product) string {
	at := r.products[gateway.ProductKey]
	if at.NodeType != iot.Gateway {
		return fmt.Sprintf("%v is a %s device, not a gateway: name a device of a gateway product", gateway, at.NodeType)
	}
	if at.Instance != p.Instance {
		return fmt.Sprintf("%v is in instance %q, the sub-device in %q: they must be in the same one",
			gateway, clip(at.Instance), clip(p.Instance))
	}
	if r.children[gateway]++; r.children[gateway] > MaxSubDevices {
		return fmt.Sprintf("gateway %v has more than %d sub-devices: this is the first too many", gateway, MaxSubDevices)
	}
	return ""
}

func noInstance(section string, i int, id string) error {
	return unfit(section, i, "instance", "no such instance %q: add it to instances", clip(id))
}

// unfit says what is wrong with a field of a row, or with the row itself if the field is empty.
func unfit(section string, i int, field, format string, args ...any) error {
	place := fmt.Sprintf("%s[%d]", section, i)
	if field != "" {
		place += "." + field
	}
	return &Error{Path: place, Message: fmt.Sprintf(format, args...)}
}
