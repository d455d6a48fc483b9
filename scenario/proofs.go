package scenario

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

// A proof is what devices are asked to prove, and what nobody can see.
type proof struct {
	verifiers []migrate.Verifier
	blind     []string // what cannot be verified, and why: half-sentences for a stage's About
}

// proofOf joins proofs in their order, and lets the caller's Wrap see each verifier once.
func (g *guide) proofOf(parts ...proof) proof {
	var all proof
	for _, p := range parts {
		all.blind = append(all.blind, p.blind...)
		for _, v := range p.verifiers {
			if g.Wrap != nil {
				v = g.Wrap(v)
			}
			if v != nil {
				all.verifiers = append(all.verifiers, v)
			}
		}
	}
	return all
}

func proves(v ...migrate.Verifier) proof { return proof{verifiers: v} }

func blind(why string) proof { return proof{blind: []string{why}} }

// says returns notes, and what is blind, as the end of a sentence.
func (p proof) says(notes ...string) string {
	var end strings.Builder
	for _, part := range slices.Concat(notes, p.blind) {
		end.WriteString("; " + part)
	}
	return end.String() + "."
}

// first adds to a proof what the first gray batch alone can prove, as the canaries are in it.
func (g *guide) first(p proof) proof {
	canaries := g.proofOf(g.canaries())
	return proof{
		verifiers: slices.Concat(p.verifiers, canaries.verifiers),
		blind:     slices.Concat(p.blind, canaries.blind),
	}
}

// canaries: devices of the caller's own say themselves that they are served by the target. What Options.Canary leaves open comes
// from the other options: where their reports arrive, and which services are called on them.
func (g *guide) canaries() proof {
	own := g.ownCanaries()
	if len(own) == 0 {
		return proof{}
	}
	c, p := g.Canary, proof{}
	forwarded, modelled := g.keys(forwards), g.keys(alink)
	switch {
	case c.Sink != nil:
	case !anyOf(own, forwarded):
		p.blind = append(p.blind, "that reports of canaries arrive cannot be verified, as their products forward nothing")
	case g.Sink == nil:
		p.blind = append(p.blind, "that reports of canaries arrive is not verified, as no Sink is given")
	default:
		c.Sink = g.Sink
		if c.Forwards == nil {
			c.Forwards = func(productKey string) bool { return forwarded[productKey] }
		}
	}
	switch {
	case c.Choose != nil || c.Services != nil || !anyOf(own, modelled):
	case g.Services == nil:
		p.blind = append(p.blind, "no services of canaries are called, as Services chooses none")
	default:
		c.Choose = g.choose
	}
	p.verifiers = []migrate.Verifier{verify.Canary(c, own...)}
	return p
}

// anyOf reports whether a canary is of one of the products.
func anyOf(canaries []verify.CanaryDevice, keys map[string]bool) bool {
	return slices.ContainsFunc(canaries, func(c verify.CanaryDevice) bool { return keys[c.ID().ProductKey] })
}

// ownCanaries returns those of the lane's products.
func (g *guide) ownCanaries() []verify.CanaryDevice {
	keys := g.keys(func(migrate.Product) bool { return true })
	return slices.DeleteFunc(slices.Clone(g.Canaries), func(c verify.CanaryDevice) bool { return !keys[c.ID().ProductKey] })
}

func (g *guide) canaryIDs() []iot.DeviceID {
	var ids []iot.DeviceID
	for _, c := range g.ownCanaries() {
		ids = append(ids, c.ID())
	}
	return ids
}

// online: devices are online at the target.
func (g *guide) online() proof {
	return proves(verify.Online(verify.OnlineConfig{Skew: g.Skew}))
}

// topology: gateways have their sub-devices.
func (g *guide) topology() proof { return proves(verify.Topology()) }

// forwarding: rules and AMQP subscriptions came along in the gray phase.
func (g *guide) forwarding() proof { return proves(verify.Forwarding()) }

// reporting: devices report, on custom topics or by their thing model, and their messages arrive.
func (g *guide) reporting() proof {
	switch {
	case !has(g.lane, forwards):
		return blind("that devices report cannot be verified, as no product forwards anything")
	case g.Sink == nil:
		return blind("that devices report is not verified, as no Sink is given")
	}
	posts := g.keys(alink)
	v := verify.Reporting(verify.ReportingConfig{Sink: g.Sink, Skew: g.Skew, Counts: func(m iot.Message) bool {
		id, _ := m.Device()
		if posts[id.ProductKey] {
			return verify.IsAlinkPost(m)
		}
		return verify.IsReport(m)
	}})
	return proves(g.only(v, forwards, "the product forwards nothing"))
}

// subscription: the server reads the target's AMQP groups and has emptied the source's.
func (g *guide) subscription() proof {
	v := verify.Subscription(verify.SubscriptionConfig{Skew: g.Skew, MaxBacklog: g.MaxBacklog})
	return proves(g.only(v, preregistered, "the product is not pre-registered: its forwarding is verified instead"))
}

// subscriptionsToo is subscription, where the guide's page does not ask for it but a product needs it.
func (g *guide) subscriptionsToo() proof {
	if !has(g.lane, preregistered) {
		return proof{}
	}
	return g.subscription()
}

// pub: the server's Pub calls reach devices, with the target's instance ID and, where the ticket is granted, without.
func (g *guide) pub() proof {
	why := "the product's server calls services instead of Pub"
	p := proves(g.only(verify.Pub(g.pubConfig(false)), g.getsPub, why))
	if g.TicketGranted {
		p.verifiers = append(p.verifiers, g.only(verify.Pub(g.pubConfig(true)), g.getsPub, why))
		if g.Pub.Acks == nil {
			p.blind = append(p.blind, "of Pub without the instance ID only its acceptance is seen, as no Pub.Acks are given")
		}
	}
	return p
}

func (g *guide) pubConfig(withoutID bool) verify.PubConfig {
	c := g.Pub
	c.WithoutInstanceID = withoutID
	return c
}

// getsPub tells how the server talks to a product where the guide has no page for the combination: by
// services, if it has a thing model and services are chosen, else by Pub.
func (g *guide) getsPub(p migrate.Product) bool { return !alink(p) || g.Services == nil }

// services: the server's InvokeThingService calls reach devices, synchronous and asynchronous, with the target's instance
// ID and, where the ticket is granted, without.
func (g *guide) services() proof {
	var p proof
	switch {
	case g.Services == nil:
		return blind("InvokeThingService is not verified, as Services chooses no services")
	case g.Replies == nil:
		p.blind = append(p.blind, "asynchronous services are not verified, as no Replies are given")
	}
	const why = "the product has no thing model"
	p.verifiers = append(p.verifiers, g.only(verify.Service(g.serviceConfig(false)), alink, why))
	if g.TicketGranted {
		p.verifiers = append(p.verifiers, g.only(verify.Service(g.serviceConfig(true)), alink, why))
	}
	return p
}

// servicesToo is services, where the guide's page does not ask for them but a product has a thing model.
func (g *guide) servicesToo() proof {
	if !has(g.lane, alink) || g.Services == nil {
		return proof{}
	}
	return g.services()
}

func (g *guide) serviceConfig(withoutID bool) verify.ServiceConfig {
	return verify.ServiceConfig{Choose: g.choose, Replies: g.Replies, WithoutInstanceID: withoutID}
}

// choose leaves out what could not be seen to be answered.
func (g *guide) choose(productKey string, model json.RawMessage) ([]verify.Invocation, error) {
	chosen, err := g.Services(productKey, model)
	if err != nil || g.Replies != nil {
		return chosen, err
	}
	return slices.DeleteFunc(slices.Clone(chosen), func(i verify.Invocation) bool { return i.Async }), nil
}

// absent: only the target has the device.
func (g *guide) absent() proof { return proves(verify.Absent()) }

// only asks v about the devices of some products.
func (g *guide) only(v migrate.Verifier, is func(migrate.Product) bool, why string) migrate.Verifier {
	keys := g.keys(is)
	if len(keys) == len(g.lane.Products) {
		return v
	}
	return verify.Only(v, why, func(d migrate.SubjectDevice) bool { return keys[d.ID.ProductKey] })
}

func (g *guide) keys(is func(migrate.Product) bool) map[string]bool {
	keys := make(map[string]bool)
	for _, p := range g.lane.Products {
		if is(p) {
			keys[p.Key] = true
		}
	}
	return keys
}
