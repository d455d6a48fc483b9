package scenario

import (
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// The names of the strategies. They never change.
const (
	NameDirect        = "direct"
	NameGateway       = "gateway"
	NamePreRegistered = "preregistered"
	NameTSL           = "tsl"
)

// All returns the four strategies, in the order in which a planner should ask them: gateway, preregistered,
// tsl, direct.
func All(o Options) []migrate.Strategy {
	return []migrate.Strategy{Gateway(o), PreRegistered(o), TSL(o), Direct(o)}
}

// Number returns the number of the guide's page that a strategy implements, 1 to 4, and 0 for any other name.
func Number(strategy string) int {
	switch strategy {
	case NameDirect:
		return 1
	case NameGateway:
		return 2
	case NamePreRegistered:
		return 3
	case NameTSL:
		return 4
	}
	return 0
}

// kindOf returns the name of the strategy that fits a lane, and why.
func kindOf(l migrate.Lane) (name, why string) {
	switch {
	case l.HasGateway():
		return NameGateway, "the lane has a gateway product, so families move whole"
	case has(l, preregistered):
		return NamePreRegistered, "the devices have a certificate per product and are registered before"
	case has(l, alink):
		return NameTSL, "the devices speak by a thing model"
	}
	return NameDirect, "the devices have a certificate of their own and speak on custom topics"
}

// newStrategy makes a strategy of its name and its page of the guide.
func newStrategy(name string, o Options, page func(*guide) []migrate.Stage) migrate.Strategy {
	match := func(l migrate.Lane) migrate.Match {
		fits, why := kindOf(l)
		if fits != name {
			why = fmt.Sprintf("strategy %s fits: %s", fits, why)
		}
		return migrate.Match{Fits: fits == name, Why: why}
	}
	stages := func(l migrate.Lane) ([]migrate.Stage, error) {
		if err := o.Check(); err != nil {
			return nil, err
		}
		if m := match(l); !m.Fits {
			return nil, &iot.Error{Kind: iot.Invalid, Op: "strategy " + name, Message: "lane " + l.ID + " does not fit: " + m.Why}
		}
		g := &guide{Options: o, lane: l}
		stages := page(g)
		stages = slices.Insert(stages, len(stages)-1, g.carry()...) // the last stage looks at everything once more
		return slices.Concat(g.fromMNS(), g.keep(), stages), nil
	}
	return migrate.NewStrategy(name, match, stages)
}

// A guide writes the stages for one lane.
type guide struct {
	Options
	lane migrate.Lane
}

func has(l migrate.Lane, is func(migrate.Product) bool) bool {
	for _, p := range l.Products {
		if is(p) {
			return true
		}
	}
	return false
}

func preregistered(p migrate.Product) bool { return p.Auth == iot.AuthPerProductPreregistered }

func alink(p migrate.Product) bool { return p.DataFormat == iot.Alink }

func mns(p migrate.Product) bool {
	for _, s := range p.Subscriptions {
		if s.Type == iot.MNS {
			return true
		}
	}
	return false
}

func amqp(p migrate.Product) bool {
	for _, s := range p.Subscriptions {
		if s.Type == iot.AMQP {
			return true
		}
	}
	return false
}

// forwards reports whether something that the devices report leaves the platform: by a running rule or by an
// AMQP subscription that carries device data.
func forwards(p migrate.Product) bool {
	for _, r := range p.Rules {
		if r.Running && len(r.Actions) > 0 {
			return true
		}
	}
	for _, s := range p.Subscriptions {
		for _, e := range s.Events {
			if s.Type == iot.AMQP && e == iot.DeviceData {
				return true
			}
		}
	}
	return false
}
