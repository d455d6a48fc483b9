package scenario_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
	"github.com/iotferry/iotferry/verify"
)

// none is a sink without messages.
var none = verify.SinkFunc(func(context.Context, []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return func(func(iot.Message, error) bool) {}
})

// full are options with all that a caller can give.
func full() scenario.Options {
	return scenario.Options{
		Sink: none, Replies: none, TicketGranted: true,
		Services: func(string, json.RawMessage) ([]verify.Invocation, error) {
			return []verify.Invocation{{Service: "SelfTest"}, {Service: "Restart", Async: true}}, nil
		},
		Group:            "verify",
		UpdateSubscriber: func(context.Context, *migrate.Env) error { return nil },
		NewDevice:        func(context.Context, *migrate.Env, iot.Credential) error { return nil },
		History:          migrate.NewVerifier("history", verify.Absent().Verify),
		Wrap: func(v migrate.Verifier) migrate.Verifier {
			if v.Name() == "pub" {
				return verify.Sampled(v, 10, 1)
			}
			return v
		},
	}
}

var (
	rule = iot.Rule{Name: "to_table", Topic: "/+/user/update", Running: true, Actions: []string{"OTS"}}
	amqp = iot.Subscription{Type: iot.AMQP, Groups: []string{"DEFAULT_GROUP"}, Events: []iot.Event{iot.DeviceData}}
	mns  = iot.Subscription{Type: iot.MNS, Queue: "iot-meters", Events: []iot.Event{iot.DeviceData}}
)

func lane(products ...migrate.Product) migrate.Lane {
	l := migrate.Lane{
		ID: products[0].Key, Products: products,
		Source: iot.InstanceInfo{Type: iot.PublicLegacy, Region: "cn-shanghai"},
		Target: iot.InstanceInfo{ID: "iot-060a0001", Type: iot.EnterpriseStandard, Region: "cn-shanghai"},
	}
	for _, p := range products {
		l.Devices += p.Devices
	}
	return l
}

func product(key string, node iot.NodeType, auth iot.Auth, format iot.DataFormat) migrate.Product {
	return migrate.Product{Key: key, NodeType: node, Auth: auth, DataFormat: format, Network: iot.WiFi, Devices: 1000}
}

// forwarding returns p with its rule and subscriptions.
func forwarding(p migrate.Product, subscriptions ...iot.Subscription) migrate.Product {
	r := rule
	r.ProductKey = p.Key
	p.Rules = []iot.Rule{r}
	for _, s := range subscriptions {
		s.ProductKey = p.Key
		p.Subscriptions = append(p.Subscriptions, s)
	}
	return p
}

func subscribed(p migrate.Product, subscriptions ...iot.Subscription) migrate.Product {
	p = forwarding(p, subscriptions...)
	p.Rules = nil
	return p
}

func directLane() migrate.Lane {
	return lane(forwarding(product("a1Meter0001", iot.Direct, iot.AuthPerDevice, iot.Custom), mns, amqp))
}

func gatewayLane() migrate.Lane {
	return lane(
		forwarding(product("a1Climate01", iot.SubDevice, iot.AuthPerDevice, iot.Custom)),
		forwarding(product("a1Floor0001", iot.SubDevice, iot.AuthPerDevice, iot.Alink)),
		subscribed(product("a1Door00001", iot.SubDevice, iot.AuthPerProductPreregistered, iot.Custom), amqp),
		product("a1Gateway01", iot.Gateway, iot.AuthPerDevice, iot.Custom),
	)
}

func preregisteredLane() migrate.Lane {
	return lane(subscribed(product("a1Tracker01", iot.Direct, iot.AuthPerProductPreregistered, iot.Custom), amqp))
}

func tslLane() migrate.Lane {
	return lane(forwarding(product("a1Storage01", iot.Direct, iot.AuthPerDevice, iot.Alink)))
}

// listing writes stages as a plan would show them.
func listing(stages []migrate.Stage) string {
	var b strings.Builder
	for i, s := range stages {
		fmt.Fprintf(&b, "%d. %s%s\n   %s\n", i+1, s.Name, parts(s), s.About)
		if s.Opens != nil {
			fmt.Fprintf(&b, "   opens: %s\n", s.Opens.Name())
		}
		if s.Closes != nil {
			fmt.Fprintf(&b, "   closes: %s\n", s.Closes.Name())
		}
		for _, v := range s.Verify {
			fmt.Fprintf(&b, "   - %s\n", v.Name())
		}
	}
	return b.String()
}

func parts(s migrate.Stage) string {
	var all []string
	if s.Gate {
		all = append(all, "gate")
	}
	if s.Console != "" {
		all = append(all, "console "+string(s.Console))
	}
	if s.Do != nil {
		all = append(all, "own code")
	}
	switch {
	case s.Move != nil && s.Move.Rest:
		all = append(all, "move the rest")
	case s.Move != nil:
		all = append(all, fmt.Sprintf("move %d", s.Move.Devices))
	}
	if s.Wait != (migrate.Window{}) {
		all = append(all, fmt.Sprintf("wait %d to %d days", s.Wait.Min/(24*time.Hour), s.Wait.Max/(24*time.Hour)))
	}
	if s.OneWay {
		all = append(all, "no way back")
	}
	if len(all) == 0 {
		return ""
	}
	return ": " + strings.Join(all, ", ")
}
