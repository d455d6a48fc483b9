package fake

import (
	"encoding/json"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// An instance is one of the account's instances.
type instance struct {
	index  int
	id     string
	kind   iot.InstanceType
	quota  int
	views  map[string]*view
	list   []*view // in the order of creation
	groups []*group
	rules  []*rule

	nextRule int

	parsers      []iot.Parser // of their script, topics and destinations
	deviceGroups []*deviceGroup
	jobs         []iot.Job
	updates      []iot.OTAJob
	scenes       []iot.Scene
	tasks        map[string][]iot.OTATask // by update batch
}

func (in *instance) bit() uint64 { return 1 << in.index }

// group returns the consumer group of an ID, or nil.
func (in *instance) group(id string) *group {
	for _, g := range in.groups {
		if g.id == id {
			return g
		}
	}
	return nil
}

// A view is a product as one instance has it.
type view struct {
	product *product
	in      *instance
	index   rankedSet // the ordinals of the devices that the registry shows
	online  int
	active  int

	reporting int   // devices that report
	steady    stamp // since when no device has begun or ceased to

	version uint64 // grows with every change of a count
	status  statusIndex
	rules   []*rule
	links   []*link // its AMQP subscription: one link per consumer group
	mns     *iot.Subscription
	model   json.RawMessage // what this instance shows in place of the product's own; nil for nothing
	script  string          // the language of its data-parsing script; empty for none
}

// tsl returns the thing model that the instance shows.
func (v *view) tsl() json.RawMessage {
	if v.model != nil {
		return v.model
	}
	return v.product.tsl
}

func (in *instance) add(p *product) *view {
	v := &view{product: p, in: in}
	v.index.grow(len(p.devices))
	in.views[p.key] = v
	in.list = append(in.list, v)
	return v
}

// drop forgets a product: its rules and subscriptions go with it.
func (in *instance) drop(v *view) {
	for _, d := range v.product.devices {
		d.shown &^= in.bit()
	}
	for _, l := range slices.Clone(v.links) {
		l.cut()
	}
	in.rules = slices.DeleteFunc(in.rules, func(r *rule) bool { return r.view == v })
	in.list = slices.DeleteFunc(in.list, func(other *view) bool { return other == v })
	delete(in.views, v.product.key)
}

func (v *view) count(d *device, delta int) {
	v.version++
	v.index.grow(int(d.ordinal) + 1)
	v.index.add(int(d.ordinal), delta)
	if d.activated {
		v.active += delta
	}
	if d.statusOn(v.in) == iot.Online {
		v.online += delta
	}
}

// A statusIndex remembers the devices of one status, for as long as nothing changes.
type statusIndex struct {
	status  iot.Status
	version uint64
	until   stamp
	devices []*device
}

// withStatus returns the devices that the late index has under a status, newest first.
func (c *Cloud) withStatus(v *view, status iot.Status) []*device {
	s := &v.status
	if s.until > c.at && s.version == v.version && s.status == status {
		return s.devices
	}
	*s = statusIndex{status: status, version: v.version, until: forever}
	for _, d := range slices.Backward(v.product.devices) {
		if !d.shownOn(v.in) {
			continue
		}
		indexed, until := c.indexedOn(d, v.in)
		s.until = min(s.until, until)
		if indexed == status {
			s.devices = append(s.devices, d)
		}
	}
	return s.devices
}
