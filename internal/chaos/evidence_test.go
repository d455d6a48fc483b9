package chaos

import (
	"context"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/verify"
)

// untrue says why a device cannot have passed a verifier, by what is really so; empty if it can. The lock is held.
func (c *checker) untrue(verifier string, id iot.DeviceID) string {
	t, ok := c.truth[id]
	switch {
	case !ok:
		return "there is no such device"
	case verifier == "synchronised": // asked while the history is copied
		return ""
	case t.Owner != c.plan.Target.ID:
		return "it lives at the source"
	}
	switch verifier {
	case "online":
		return c.notServed(id, t)
	case "reporting":
		return c.notReported(id)
	case "pub", "pub-without-instance-id":
		if id.ProductKey == migratetest.ThingModelProduct {
			return "" // its server calls services
		}
		return c.notAnswered(id)
	case "service", "service-without-instance-id":
		if id.ProductKey != migratetest.ThingModelProduct {
			return ""
		}
		return c.notAnswered(id)
	case "topology":
		if want := c.devices[id].gateway; t.Gateway != want {
			return fmt.Sprintf("its gateway is %s, planned is %s", t.Gateway, want)
		}
	}
	return ""
}

func (c *checker) notServed(id iot.DeviceID, t migratetest.Truth) string {
	if t.Served.IsZero() {
		return "it has had no session at the target since it came"
	}
	if g := c.devices[id].gateway; !g.IsZero() && (c.truth[g].Owner != c.plan.Target.ID || c.truth[g].Served.IsZero()) {
		return "its gateway has had no session at the target since it came"
	}
	return ""
}

// notReported looks for a message that the target has really forwarded.
func (c *checker) notReported(id iot.DeviceID) string {
	for m, err := range c.sink.Latest(context.Background(), []iot.DeviceID{id}) {
		if err != nil {
			return err.Error()
		}
		from, ok := m.Device()
		if ok && from == id && m.Instance == c.plan.Target.ID && verify.IsReport(m) && !m.Generated.Before(c.moved[id]) {
			return ""
		}
	}
	return "the target has forwarded no report of it since it came"
}

func (c *checker) notAnswered(id iot.DeviceID) string {
	c.answering.Lock()
	defer c.answering.Unlock()
	if at := c.answered[id]; at.IsZero() || at.Before(c.moved[id]) {
		return "it has answered nothing since it came"
	}
	return ""
}

// saw keeps which of some devices an instance has shown to the runner.
func (c *checker) saw(instance, product string, names []string, states []iot.DeviceState) {
	c.answering.Lock()
	defer c.answering.Unlock()
	for _, name := range names {
		id := iot.DeviceID{ProductKey: product, DeviceName: name}
		c.shown[instance][id] = slices.ContainsFunc(states, func(s iot.DeviceState) bool { return s.ID == id })
	}
}

// seenOnly checks that a look tells of devices on one instance what both have answered. The lock is held.
func (c *checker) seenOnly(set migrate.DeviceSet, at, notAt string) {
	c.answering.Lock()
	defer c.answering.Unlock()
	for _, id := range set {
		if !c.shown[at][id] || c.shown[notAt][id] {
			c.breach("evidence", "device %s counts as being at %q alone, but that was shown: %v, and that %q has it: %v",
				id, at, c.shown[at][id], notAt, c.shown[notAt][id])
		}
	}
}

// falsePass keeps a pass that is not true. The lock is held.
func (c *checker) falsePass(verifier string, id iot.DeviceID, why string) {
	if c.lies == nil || !c.lies(verifier, id) {
		c.breach("evidence", "device %s passed %s, but %s", id, verifier, why)
	}
}
