package configdiff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// consumerGroups compares the groups that the products' AMQP subscriptions name.
func (c *comparison) consumerGroups() {
	seen := map[string]bool{}
	for _, s := range c.source.Subscriptions {
		for _, id := range s.Groups {
			if s.Type == iot.AMQP && !seen[id] {
				seen[id] = true
				c.consumerGroup(nameOf(c.source.Groups, id), id)
			}
		}
	}
}

func (c *comparison) consumerGroup(name, id string) {
	const do = "Let your servers read it at the target as well: another host, the target's instance ID, and the group's ID there."
	d := Difference{Kind: ConsumerGroup, Name: name, SourceID: id, TargetID: c.groups.toTarget[id], Severity: Note, Change: NewID, Do: do}
	switch {
	case d.TargetID == id:
		return
	case d.TargetID != "":
		d.Why = fmt.Sprintf("consumer group %s exists at the target under a new ID.", quoted(name))
	case c.before():
		d.Why = fmt.Sprintf("consumer group %s will come along, perhaps under a new ID.", quoted(name))
	default:
		d.Change, d.Severity = Missing, Loss
		d.Why = fmt.Sprintf("consumer group %s did not come along: what reads it gets nothing from the target.", quoted(name))
		d.Do = "Create it at the target, and subscribe it to the products."
	}
	c.add(d)
}

func nameOf(groups []iot.ConsumerGroup, id string) string {
	for _, g := range groups {
		if g.ID == id {
			return g.Name
		}
	}
	return id
}

// subscriptions compares what each product sends to servers. An instance has one subscription per product and type.
func (c *comparison) subscriptions() {
	for _, product := range c.source.Products {
		_, there := slices.BinarySearch(c.target.Products, product)
		from, to := merged(c.source, product), merged(c.target, product)
		if there || !c.before() {
			c.amqp(product, from, to)
		}
		for _, s := range c.source.Subscriptions {
			if s.ProductKey == product && s.Type == iot.MNS {
				c.mns(s, from, to)
			}
		}
	}
}

// merged returns the AMQP subscription of a product.
func merged(c *Config, product string) iot.Subscription {
	m := iot.Subscription{ProductKey: product, Type: iot.AMQP}
	for _, s := range c.Subscriptions {
		if s.ProductKey == product && s.Type == iot.AMQP {
			m.Groups, m.Events = append(m.Groups, s.Groups...), append(m.Events, s.Events...)
		}
	}
	return m
}

func (c *comparison) amqp(product string, from, to iot.Subscription) {
	fields := difference(amqpValues(from, asItIs), amqpValues(to, c.groups.asSource))
	if len(fields) == 0 {
		return
	}
	d := Difference{Kind: Subscription, Change: Changed, Severity: Loss, Product: product, Name: string(iot.AMQP), Fields: fields}
	lost := slices.ContainsFunc(fields, func(f Field) bool { return f.Target == "" })
	switch {
	case len(to.Groups) == 0:
		d.Change, d.Fields = Missing, nil
		d.Why = fmt.Sprintf("the AMQP subscription of product %s is not at the target: its servers get nothing from there.", product)
		d.Do = "Subscribe the product's consumer groups at the target."
	case len(from.Groups) == 0:
		d.Change, d.Severity, d.Fields = Extra, Note, nil
		d.Why = fmt.Sprintf("product %s has an AMQP subscription at the target alone.", product)
	case lost:
		d.Why = fmt.Sprintf("the AMQP subscription of product %s carries less at the target.", product)
		d.Do = "Add what is missing to it at the target."
	default:
		d.Severity = Note
		d.Why = fmt.Sprintf("the AMQP subscription of product %s carries more at the target.", product)
	}
	c.add(d)
}

func amqpValues(s iot.Subscription, rename func(string) string) flat {
	f := flat{}
	for _, id := range s.Groups {
		f.put("groups."+rename(id), "subscribed")
	}
	for _, e := range s.Events {
		f.put("events."+string(e), "carried")
	}
	return f
}

// mns tells who gets in the future what a queue gets now.
func (c *comparison) mns(s iot.Subscription, from, to iot.Subscription) {
	d := Difference{Kind: Subscription, Change: Unsupported, Severity: Loss, Product: s.ProductKey, Name: string(iot.MNS)}
	subject := fmt.Sprintf("product %s is subscribed by MNS queue %s, and MNS has no equivalent at the target", s.ProductKey, quoted(s.Queue))
	heir, groups, when := to, c.target.Groups, "now: the devices that moved are silent in the queue."
	if c.before() {
		when = "before the devices move."
	}
	if c.before() && len(to.Groups) == 0 { // what the source has will come along
		heir, groups = from, c.source.Groups
	}
	var lost []string
	for _, e := range s.Events {
		if !slices.Contains(heir.Events, e) {
			lost = append(lost, string(e))
		}
	}
	switch {
	case len(heir.Groups) == 0:
		d.Why = subject + ", nor is there an AMQP subscription: nobody gets its messages any more."
		d.Do = "Create a consumer group, subscribe it to the same messages, and let your servers read it " + when
	case len(lost) > 0:
		d.Why = fmt.Sprintf("%s: AMQP group %s gets its messages, but not %s.", subject, named(groups, heir), strings.Join(lost, ", "))
		d.Do = "Add them to the product's AMQP subscription, and let your servers read the group " + when
	default:
		d.Severity = Work
		d.Why = fmt.Sprintf("%s: use AMQP group %s.", subject, named(groups, heir))
		d.Do = "Let everything that reads the queue read the group " + when
	}
	c.add(d)
}

// named shows the first group of a subscription with its ID.
func named(groups []iot.ConsumerGroup, s iot.Subscription) string {
	id := s.Groups[0]
	if name := nameOf(groups, id); name != id {
		return fmt.Sprintf("%s (%s)", quoted(name), iot.Printable(id))
	}
	return iot.Printable(id)
}
