package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// Forwarding proves that the target forwards a device's messages as the source did: it has each forwarding
// rule and each AMQP subscription of the product, as planned. Its name is "forwarding".
//
// Rules are told by name and topic, as a migrated rule has another ID; they must have the same kinds of actions, and run
// if they ran. An AMQP subscription must carry at least the same classes of messages; its groups may have other
// IDs. MNS subscriptions are left out: Enterprise instances have none.
//
// It is about products: all devices of a product share verdict and evidence. It never fails a device: what is missing
// may not be visible yet, or a person may add it.
func Forwarding() migrate.Verifier {
	return migrate.NewVerifier("forwarding", func(ctx context.Context, s *migrate.Subject) findings {
		return func(yield func(migrate.Finding, error) bool) {
			rules, err := rulesAt(ctx, s.Target.View)
			if err != nil {
				yield(migrate.Finding{}, err)
				return
			}
			read := func(ctx context.Context, product string) (carried, error) {
				return compareForwarding(ctx, s, product, rules)
			}
			judge := func(d migrate.SubjectDevice, c carried) migrate.Finding { return c.judge(s, d) }
			byProduct(ctx, s, read, judge)(yield)
		}
	})
}

func rulesAt(ctx context.Context, at iot.View) ([]iot.Rule, error) {
	var rules []iot.Rule
	for r, err := range at.Rules(ctx) {
		if err != nil {
			return nil, fmt.Errorf("verify: read rules at %s: %w", at.Info, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// carried is what of a product's forwarding came along.
type carried struct {
	rules, subscriptions int
	missing              []string
}

func compareForwarding(ctx context.Context, s *migrate.Subject, product string, rules []iot.Rule) (carried, error) {
	var c carried
	subscriptions, err := subscriptionsAt(ctx, s.Target.View, product)
	if err != nil {
		return c, err
	}
	for _, p := range s.Lane.Products {
		if p.Key != product {
			continue
		}
		for _, want := range p.Rules {
			c.rules++
			c.miss(missingRule(want, rules))
		}
		for _, want := range p.Subscriptions {
			if want.Type == iot.AMQP {
				c.subscriptions++
				c.miss(missingSubscription(want, subscriptions))
			}
		}
	}
	return c, nil
}

func (c *carried) miss(what string) {
	if what != "" {
		c.missing = append(c.missing, what)
	}
}

// missingRule says what the target lacks of a rule; nothing if it has it all.
func missingRule(want iot.Rule, rules []iot.Rule) string {
	why := "is missing"
	for _, r := range rules {
		switch {
		case r.ProductKey != want.ProductKey || r.Name != want.Name || r.Topic != want.Topic:
		case !sameKinds(r.Actions, want.Actions):
			why = fmt.Sprintf("has the actions %v instead of %v", r.Actions, want.Actions)
		case want.Running && !r.Running:
			why = "is stopped"
		default:
			return ""
		}
	}
	return fmt.Sprintf("rule %q on %s %s", want.Name, want.Topic, why)
}

func sameKinds(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// missingSubscription says which classes of messages no AMQP subscription of the target carries.
func missingSubscription(want iot.Subscription, subscriptions []iot.Subscription) string {
	var lacking []string
	for _, event := range want.Events {
		if !slices.ContainsFunc(subscriptions, func(s iot.Subscription) bool {
			return s.Type == iot.AMQP && len(s.Groups) > 0 && slices.Contains(s.Events, event)
		}) {
			lacking = append(lacking, string(event))
		}
	}
	if lacking == nil {
		return ""
	}
	return fmt.Sprintf("the AMQP subscription lacks %s", strings.Join(lacking, ", "))
}

func (c carried) judge(s *migrate.Subject, d migrate.SubjectDevice) migrate.Finding {
	source := api("ListRule, QuerySubscribeRelation", s.Target.View)
	if len(c.missing) > 0 {
		return open(d, s, source, "%s", strings.Join(c.missing, "; "))
	}
	seen := fmt.Sprintf("all %d rules and %d AMQP subscriptions of the product came along", c.rules, c.subscriptions)
	return finding(d, migrate.Pass, source, s.Now, seen)
}
