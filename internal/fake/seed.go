package fake

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// A product is a product of the account, on whichever instances.
type product struct {
	key      string
	name     string
	node     iot.NodeType
	auth     iot.Auth
	secret   iot.Secret
	format   iot.DataFormat
	network  iot.Network
	features []iot.Feature
	tsl      json.RawMessage
	model    *model
	streams  []*stream
	past     past
	copyings []copying // of its devices' history, oldest first
	created  stamp
	devices  []*device // in the order of creation
	byName   map[string]*device
	slab     []device // room for the next devices, so that neighbours lie close together
}

// defaultGroup is the ID of the group that every instance has.
const defaultGroup = "DEFAULT_GROUP"

// slabSize is for how many devices room is made at a time.
const slabSize = 256

// maxInstances is how many bits a device has for the instances that show it.
const maxInstances = 64

// New makes a platform from a fleet. It wants a fleet as fleet.Read returns it, does not keep it and
// does not change it. Its errors are [iot.Invalid].
func New(f *fleet.Fleet, o Options) (*Cloud, error) {
	if o.Clock == nil {
		o.Clock = iot.SystemClock()
	}
	if o.Quirks == nil {
		o.Quirks = DefaultQuirks()
	}
	if problem := o.Quirks.problem(); problem != "" {
		return nil, invalid("quirks: %s", problem)
	}
	c := &Cloud{
		clock: o.Clock, quirks: *o.Quirks, hook: o.Hook, account: f.Account,
		at:       o.Clock.Now().UnixNano(),
		noQuotas: o.Quotas == NoQuotas, noDevices: o.NoDevices,
		products: map[string]*product{}, meters: map[string]*meter{},
		recent: map[*device][]record{}, parked: map[*device][]parked{},
		nowhere: &instance{index: 63},
		pending: map[string]*pending{}, reported: map[*device][]reported{}, rowFault: o.History, steps: o.Command,
	}
	c.began = c.at
	c.quirks.NoticeGroups = slices.Clone(o.Quirks.NoticeGroups)
	if err := c.seed(f); err != nil {
		return nil, err
	}
	return c, nil
}

func invalid(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Op: "fake.New", Message: fmt.Sprintf(format, args...)}
}

func (c *Cloud) seed(f *fleet.Fleet) error {
	if err := c.seedInstances(f); err != nil {
		return err
	}
	for i := range f.Products {
		if err := c.seedProduct(&f.Products[i]); err != nil {
			return fmt.Errorf("products[%d]: %w", i, err)
		}
	}
	for i := range f.Devices {
		if err := c.seedDevice(&f.Devices[i], len(f.Devices)-i); err != nil {
			return fmt.Errorf("devices[%d]: %w", i, err)
		}
	}
	for i := range f.Devices {
		if err := c.seedTopology(&f.Devices[i]); err != nil {
			return fmt.Errorf("devices[%d].gateway: %w", i, err)
		}
	}
	return nil
}

func (c *Cloud) seedInstances(f *fleet.Fleet) error {
	if len(f.Instances) > maxInstances {
		return invalid("%d instances, at most %d are possible", len(f.Instances), maxInstances)
	}
	legacyFirst := slices.Clone(f.Instances)
	slices.SortStableFunc(legacyFirst, func(a, b fleet.Instance) int { return min(len(a.ID), 1) - min(len(b.ID), 1) })
	for i, x := range legacyFirst {
		c.instances = append(c.instances, &instance{
			index: i, id: x.ID, kind: x.Type, quota: x.OnlineQuota, views: map[string]*view{},
		})
	}
	if len(c.instances) == 0 || c.instances[0].id != "" {
		return invalid("there is no legacy public instance")
	}
	for _, g := range f.ConsumerGroups {
		in, err := c.instance(g.Instance)
		if err != nil {
			return err
		}
		in.addGroup(g.ID, g.Name, c.at)
	}
	for _, in := range c.instances {
		if in.group(defaultGroup) == nil {
			in.addGroup(defaultGroup, "default", c.at)
		}
	}
	return nil
}

func (c *Cloud) seedProduct(f *fleet.Product) error {
	in, err := c.instance(f.Instance)
	if err != nil {
		return err
	}
	if c.products[f.Key] != nil {
		return invalid("product key %s stands twice", f.Key)
	}
	m, err := readModel(f.TSL)
	if err != nil {
		return invalid("%v", err)
	}
	p := &product{
		key: f.Key, name: f.Name, node: f.NodeType, auth: f.Auth, secret: f.Secret, format: f.DataFormat,
		network: f.Network, features: slices.Clone(f.Features), tsl: slices.Clone(f.TSL), model: m,
		created: c.at - int64(24*time.Hour), byName: map[string]*device{},
	}
	p.streams = firmware(p, f.Forwarding, &c.quirks)
	p.past = pastOf(p, f.History, c.quirks.RareEvery)
	c.products[p.key] = p
	return c.seedForwarding(in.add(p), f.Forwarding)
}

func (c *Cloud) seedForwarding(v *view, list []fleet.Forwarding) error {
	for _, f := range list {
		switch f.Type {
		case fleet.Rule:
			c.addRule(v, f.Name, f.Topic, slices.Clone(f.Actions), 0)
		case fleet.MNS:
			v.mns = &iot.Subscription{
				ProductKey: v.product.key, Type: iot.MNS, Queue: f.Queue, Events: slices.Clone(f.Events),
			}
		case fleet.AMQP:
			g := v.in.group(f.ConsumerGroup)
			if g == nil {
				return invalid("there is no consumer group %q on this instance", f.ConsumerGroup)
			}
			c.subscribe(v, g, slices.Clone(f.Events))
		}
	}
	return nil
}

// seedDevice creates a device; age is its rank from the newest on.
func (c *Cloud) seedDevice(f *fleet.Device, age int) error {
	p := c.products[f.ID.ProductKey]
	if p == nil || p.byName[f.ID.DeviceName] != nil {
		return invalid("%s is of no product, or stands twice", f.ID)
	}
	d := p.newDevice(f.ID.DeviceName, f.Secret, c.seedHome(p), c.at-int64(age)*int64(time.Second)-int64(48*time.Hour))
	d.activated = f.Status == iot.Online || f.Status == iot.Offline
	d.disabled = f.Status == iot.Disabled
	d.powered = f.Status == iot.Online && !c.noDevices
	d.reconnects = f.Reconnects
	d.distributed = f.Distributed
	if len(f.Labels) > 0 {
		d.labels = map[*instance]map[string]string{d.home: maps.Clone(f.Labels)}
	}
	d.seedStay(c.at)
	d.stay.mute = c.noDevices
	c.show(d, d.home)
	return nil
}

// seedHome returns the only instance that has the product in the beginning.
func (c *Cloud) seedHome(p *product) *instance {
	for _, in := range c.instances {
		if in.views[p.key] != nil {
			return in
		}
	}
	return c.instances[0]
}

func (p *product) newDevice(name string, secret iot.Secret, home *instance, created stamp) *device {
	if len(p.slab) == 0 {
		p.slab = make([]device, slabSize)
	}
	d := &p.slab[0]
	p.slab = p.slab[1:]
	*d = device{
		product: p, name: name, secret: secret, home: home, origin: home, created: created,
		ordinal: int32(len(p.devices)), seed: seedOf(p.key, name),
	}
	p.devices = append(p.devices, d)
	p.byName[name] = d
	return d
}

// seedStay gives a device that was online a stay that began within the last day, and one that is
// offline a stay that is over.
func (d *device) seedStay(now stamp) {
	if !d.activated {
		return
	}
	from := now - int64(time.Hour) - d.jitter(saltLogin, 23*time.Hour)
	to := int64(forever)
	if !d.powered {
		from, to = from-int64(24*time.Hour), from
	}
	d.stay = stay{from: from, to: to, in: d.home}
	d.lastOnline = from
	d.reportedUntil = min(to-1, now)
	if d.powered {
		d.home.views[d.product.key].reporting++
	}
}

func (c *Cloud) seedTopology(f *fleet.Device) error {
	if f.Gateway.IsZero() {
		return nil
	}
	d, gateway := c.device(f.ID), c.device(f.Gateway)
	if gateway == nil || gateway == d || gateway.product.node != iot.Gateway {
		return invalid("%s is not a gateway", f.Gateway)
	}
	d.gateway = gateway
	gateway.subs = append(gateway.subs, d)
	return nil
}
