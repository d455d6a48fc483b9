package fake

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// A Setup is configuration of an instance that fleet files do not describe, or that somebody changed since. Of each list, nil
// leaves what the instance has, and any other replaces all of that kind; maps change what they name.
type Setup struct {
	Rules         []iot.RuleDetail // an empty ID gets a new one
	Parsers       []iot.Parser     // the same, for the parser's own and its destinations'
	DeviceGroups  []iot.DeviceGroup
	Jobs          []iot.Job
	OTAJobs       []iot.OTAJob
	Scenes        []iot.Scene
	Groups        []iot.ConsumerGroup // those that are not in it are deleted
	Subscriptions []iot.Subscription  // AMQP and MNS

	Members  map[string][]iot.DeviceID          // of DeviceGroups, by the group's ID
	OTATasks map[string][]iot.OTATask           // of OTAJobs, by the batch's ID
	Labels   map[iot.DeviceID]map[string]string // all labels of a device
	Shadows  map[iot.DeviceID]json.RawMessage   // wherever the device is
	Scripts  map[string]string                  // languages by product key; empty for none
	Models   map[string]json.RawMessage         // by product key, in place of the published one
}

// Setup puts configuration on an instance, as its owner could have done at the console. It is no API, and asks no hook. A name or an ID
// that does not resolve is [iot.Invalid].
func (c *Cloud) Setup(instanceID string, s Setup) error {
	var err error
	c.look(func() {
		var in *instance
		if in, err = c.instance(instanceID); err != nil {
			err = invalid("setup: %v", err)
			return
		}
		for _, step := range []func(*instance, Setup) error{
			c.setGroups, c.setSubscriptions, c.setRules, c.setParsers, c.setLabels, c.setShadows, c.setProducts, c.setDeviceGroups,
		} {
			if err = step(in, s); err != nil {
				return
			}
		}
		if s.Jobs != nil {
			in.jobs = slices.Clone(s.Jobs)
		}
		if s.OTAJobs != nil {
			in.updates, in.tasks = slices.Clone(s.OTAJobs), maps.Clone(s.OTATasks)
		}
		if s.Scenes != nil {
			in.scenes = slices.Clone(s.Scenes)
		}
	})
	return err
}

func (c *Cloud) setGroups(in *instance, s Setup) error {
	if s.Groups == nil {
		return nil
	}
	for _, g := range slices.Clone(in.groups) {
		if slices.ContainsFunc(s.Groups, func(x iot.ConsumerGroup) bool { return x.ID == g.id }) {
			continue
		}
		for _, l := range slices.Clone(g.links) {
			l.cut()
		}
		in.groups = slices.DeleteFunc(in.groups, func(o *group) bool { return o == g })
	}
	for _, x := range s.Groups {
		if g := in.group(x.ID); g != nil {
			g.name = x.Name
			continue
		}
		in.addGroup(x.ID, x.Name, c.at)
	}
	return nil
}

func (c *Cloud) setSubscriptions(in *instance, s Setup) error {
	if s.Subscriptions == nil {
		return nil
	}
	for _, v := range in.list {
		v.mns = nil
		for _, l := range slices.Clone(v.links) {
			l.cut()
		}
	}
	for _, x := range s.Subscriptions {
		v := in.views[x.ProductKey]
		if v == nil {
			return invalid("setup: there is no product %s on this instance", x.ProductKey)
		}
		if x.Type == iot.MNS {
			v.mns = &iot.Subscription{ProductKey: x.ProductKey, Type: iot.MNS, Queue: x.Queue, Events: slices.Clone(x.Events)}
			continue
		}
		for _, id := range x.Groups {
			g := in.group(id)
			if g == nil {
				return invalid("setup: there is no consumer group %q on this instance", id)
			}
			c.subscribe(v, g, slices.Clone(x.Events))
		}
	}
	return nil
}

func (c *Cloud) setRules(in *instance, s Setup) error {
	if s.Rules == nil {
		return nil
	}
	in.rules = nil
	for _, v := range in.list {
		v.rules = nil
	}
	for _, x := range s.Rules {
		v := in.views[x.ProductKey]
		if v == nil {
			return invalid("setup: there is no product %s on this instance", x.ProductKey)
		}
		r := c.addRule(v, x.Name, x.Topic, nil, c.at)
		if x.ID != "" {
			r.id = x.ID
		}
		r.stopped, r.query, r.where, r.dataType = !x.Running, x.Select, x.Where, x.DataType
		r.setOutputs(x.Outputs)
	}
	return nil
}

func (r *rule) setOutputs(list []iot.RuleAction) {
	r.outputs, r.actions = nil, nil
	for _, o := range list {
		if o.Configuration == nil {
			o.Configuration = emptyConfiguration()
		}
		r.outputs, r.actions = append(r.outputs, o), append(r.actions, o.Type)
	}
}

func emptyConfiguration() json.RawMessage { return json.RawMessage("{}") }

// bringRule copies a rule to another instance, under a new ID. Consumer groups in its actions become those of the other instance.
func (c *Cloud) bringRule(r *rule, v *view) {
	copied := c.addRule(v, r.name, r.filter, nil, c.at)
	copied.query, copied.where, copied.dataType, copied.stopped = r.query, r.where, r.dataType, r.stopped
	var outputs []iot.RuleAction
	for _, o := range r.outputs {
		o.Configuration = c.elsewhere(o.Configuration, r.view.in, v.in)
		outputs = append(outputs, o)
	}
	copied.setOutputs(outputs)
}

// elsewhere returns a configuration with the consumer groups of another instance in it.
func (c *Cloud) elsewhere(configuration json.RawMessage, from, to *instance) json.RawMessage {
	for _, g := range from.groups {
		if id, _ := json.Marshal(g.id); bytes.Contains(configuration, id) {
			other, _ := json.Marshal(c.counterpart(g, to).id)
			configuration = bytes.ReplaceAll(configuration, id, other)
		}
	}
	return configuration
}

// bringParsers copies the parsers that are about a product, each once, under new IDs.
func (c *Cloud) bringParsers(p *product, from, to *instance) {
	if c.quirks.ParsersStay {
		return
	}
	for _, x := range from.parsers {
		about := func(s iot.ParserSource) bool { return s.ProductKey == p.key }
		there := func(other iot.Parser) bool { return other.Name == x.Name }
		if !slices.ContainsFunc(x.Sources, about) || slices.ContainsFunc(to.parsers, there) {
			continue
		}
		x = cloneParser(x)
		x.ID = ""
		for i := range x.Destinations {
			x.Destinations[i].ID = ""
			x.Destinations[i].Configuration = c.elsewhere(x.Destinations[i].Configuration, from, to)
		}
		to.parsers = append(to.parsers, to.named(x))
	}
}

func cloneParser(x iot.Parser) iot.Parser {
	x.Sources, x.Destinations = slices.Clone(x.Sources), slices.Clone(x.Destinations)
	return x
}

// named gives a parser and its destinations the IDs that they do not have.
func (in *instance) named(x iot.Parser) iot.Parser {
	if x.ID == "" {
		x.ID = in.newID()
	}
	for i := range x.Destinations {
		if x.Destinations[i].ID == "" {
			x.Destinations[i].ID = in.newID()
		}
		if x.Destinations[i].Configuration == nil {
			x.Destinations[i].Configuration = emptyConfiguration()
		}
	}
	return x
}

func (c *Cloud) setParsers(in *instance, s Setup) error {
	if s.Parsers == nil {
		return nil
	}
	in.parsers = nil
	for _, x := range s.Parsers {
		in.parsers = append(in.parsers, in.named(cloneParser(x)))
	}
	return nil
}

func (c *Cloud) setLabels(in *instance, s Setup) error {
	for id, labels := range s.Labels {
		d := c.device(id)
		if d == nil {
			return invalid("setup: there is no device %s", id)
		}
		if d.labels == nil {
			d.labels = map[*instance]map[string]string{}
		}
		d.labels[in] = maps.Clone(labels)
	}
	return nil
}

func (c *Cloud) setShadows(_ *instance, s Setup) error {
	for id, shadow := range s.Shadows {
		d := c.device(id)
		if d == nil {
			return invalid("setup: there is no device %s", id)
		}
		d.shadow = slices.Clone(shadow)
	}
	return nil
}

func (c *Cloud) setProducts(in *instance, s Setup) error {
	for key, language := range s.Scripts {
		v := in.views[key]
		if v == nil {
			return invalid("setup: there is no product %s on this instance", key)
		}
		v.script = language
	}
	for key, model := range s.Models {
		v := in.views[key]
		if v == nil || v.product.tsl == nil {
			return invalid("setup: there is no product %s with a thing model on this instance", key)
		}
		v.model = slices.Clone(model)
	}
	return nil
}
