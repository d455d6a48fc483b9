package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A SubscriptionConfig configures [Subscription]. The zero value is ready to use.
type SubscriptionConfig struct {
	// Groups are the IDs of the consumer groups that have to be read at the target. Empty means those of each
	// product's AMQP subscriptions there.
	Groups []string
	// MaxBacklog is how many messages may wait in each of the product's groups at the source. Zero means
	// none: whatever the server did not read there is lost with the group's day of retention.
	MaxBacklog int
	// Skew is how far the platform's clock may be behind the runner's. See the package comment.
	Skew time.Duration
}

// Subscription proves that the server reads the messages of a device's product at the target: every group has a
// client, those that get device data have consumed some since the device's move, and the groups of the
// product at the source are drained. Its name is "subscription".
//
// It is about groups: all devices of a product share the evidence, but not the time of their move. It never
// fails a device, as a server may connect and drain at any time. A product without an AMQP subscription
// on either side has nothing to prove and passes.
func Subscription(c SubscriptionConfig) migrate.Verifier {
	const name = "subscription"
	if c.MaxBacklog < 0 {
		return broken(name, "SubscriptionConfig.MaxBacklog is negative")
	}
	return migrate.NewVerifier(name, func(ctx context.Context, s *migrate.Subject) findings {
		look := &groupLook{config: c, subject: s, status: make(map[groupAt]iot.GroupStatus)}
		return byProduct(ctx, s, look.product, look.judge)
	})
}

// byProduct reads once per product, then judges its devices, in their order, by what was read. A product
// that could not be read is an error.
func byProduct[R any](ctx context.Context, s *migrate.Subject,
	read func(context.Context, string) (R, error), judge func(migrate.SubjectDevice, R) migrate.Finding) findings {
	return func(yield func(migrate.Finding, error) bool) {
		known, failed := make(map[string]R), make(map[string]bool)
		for _, d := range s.Devices {
			product := d.ID.ProductKey
			if failed[product] {
				continue
			}
			result, ok := known[product]
			if !ok {
				var err error
				if result, err = read(ctx, product); err != nil {
					failed[product] = true
					if !yield(migrate.Finding{}, err) || hopeless(ctx, err) {
						return
					}
					continue
				}
				known[product] = result
			}
			if !yield(judge(d, result), nil) {
				return
			}
		}
	}
}

// A groupLook is one look at consumer groups: each group is read once.
type groupLook struct {
	config  SubscriptionConfig
	subject *migrate.Subject
	status  map[groupAt]iot.GroupStatus
}

type groupAt struct {
	instance string
	group    string
}

// reading is what the groups of a product show.
type reading struct {
	missing  string    // why no device can pass yet; empty if nothing is missing
	none     bool      // there is no subscription to verify
	data     bool      // a group gets device data
	consumed time.Time // when the last of the groups with device data consumed
	clients  int
}

func (l *groupLook) product(ctx context.Context, product string) (reading, error) {
	target, err := l.targetGroups(ctx, product)
	if err != nil {
		return reading{}, err
	}
	source := groupsOf(l.subject.Lane, product)
	switch {
	case len(target) == 0 && len(source) == 0:
		return reading{none: true}, nil
	case len(target) == 0:
		return reading{missing: "the target has no AMQP subscription of the product"}, nil
	}
	var r reading
	for _, g := range target {
		if err := l.consumes(ctx, g, &r); err != nil {
			return reading{}, err
		}
	}
	for _, g := range source {
		if err := l.drained(ctx, g.id, &r); err != nil {
			return reading{}, err
		}
	}
	return r, nil
}

// A group is a consumer group of a product's subscription.
type group struct {
	id   string
	data bool // it gets device data
}

func (l *groupLook) targetGroups(ctx context.Context, product string) ([]group, error) {
	if len(l.config.Groups) > 0 {
		var groups []group
		for _, id := range l.config.Groups {
			groups = append(groups, group{id, true})
		}
		return groups, nil
	}
	subscriptions, err := subscriptionsAt(ctx, l.subject.Target.View, product)
	return amqpGroups(subscriptions), err
}

// subscriptionsAt reads a product's subscriptions; none if the instance does not know the product yet.
func subscriptionsAt(ctx context.Context, at iot.View, product string) ([]iot.Subscription, error) {
	subscriptions, err := at.Subscriptions(ctx, product)
	if errors.Is(err, iot.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("verify: read subscriptions of %s at %s: %w", product, at.Info, err)
	}
	return subscriptions, nil
}

// groupsOf returns the groups of a product at the source, as planned.
func groupsOf(lane migrate.Lane, product string) []group {
	for _, p := range lane.Products {
		if p.Key == product {
			return amqpGroups(p.Subscriptions)
		}
	}
	return nil
}

func amqpGroups(subscriptions []iot.Subscription) []group {
	var groups []group
	for _, s := range subscriptions {
		if s.Type != iot.AMQP {
			continue
		}
		data := len(s.Events) == 0 || slices.Contains(s.Events, iot.DeviceData)
		for _, id := range s.Groups {
			groups = append(groups, group{id, data})
		}
	}
	return groups
}

// consumes takes in what a group shows at the target.
func (l *groupLook) consumes(ctx context.Context, g group, r *reading) error {
	status, err := l.read(ctx, l.subject.Target.View, g.id)
	if err != nil {
		return err
	}
	r.clients += status.Clients
	if status.Clients == 0 && r.missing == "" {
		r.missing = fmt.Sprintf("no client reads group %s at the target", g.id)
	}
	if g.data {
		if !r.data || status.LastConsumed.Before(r.consumed) {
			r.consumed = status.LastConsumed
		}
		r.data = true
	}
	return nil
}

// drained takes in what waits in a group at the source.
func (l *groupLook) drained(ctx context.Context, id string, r *reading) error {
	status, err := l.read(ctx, l.subject.Source.View, id)
	if err != nil {
		return err
	}
	if status.Backlog > l.config.MaxBacklog && r.missing == "" {
		r.missing = fmt.Sprintf("%d messages wait in group %s at the source", status.Backlog, id)
	}
	return nil
}

func (l *groupLook) read(ctx context.Context, at iot.View, id string) (iot.GroupStatus, error) {
	key := groupAt{at.Info.ID, id}
	if status, ok := l.status[key]; ok {
		return status, nil
	}
	status, err := at.GroupStatus(ctx, id)
	if err != nil {
		return iot.GroupStatus{}, fmt.Errorf("verify: read group %s at %s: %w", id, at.Info, err)
	}
	l.status[key] = status
	return status, nil
}

func (l *groupLook) judge(d migrate.SubjectDevice, r reading) migrate.Finding {
	s := l.subject
	source := api("QueryConsumerGroupStatus", s.Target.View)
	switch {
	case r.none:
		return finding(d, migrate.Pass, source, s.Now, "the product has no AMQP subscription: there is none to take over")
	case r.missing != "":
		return open(d, s, source, "%s", r.missing)
	case r.data && !r.consumed.After(since(d.Moved, l.config.Skew)):
		return open(d, s, source, "the target's groups have not consumed since the move at %s", stamp(d.Moved))
	}
	seen := fmt.Sprintf("%d clients read the product's groups, and the source is drained", r.clients)
	return finding(d, migrate.Pass, source, s.Now, seen)
}
