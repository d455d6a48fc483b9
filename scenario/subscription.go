package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A subscription is the own code of the stage of that name. Running it twice is the same as once.
type subscription struct {
	group string // name of a group to subscribe; empty to see only that the subscriptions came along
}

func (s subscription) run(ctx context.Context, env *migrate.Env) error {
	var id string
	if s.group != "" {
		var err error
		if id, err = findOrCreate(ctx, "subscription", env.Platform.Target, s.group); err != nil {
			return err
		}
	}
	for _, p := range env.Lane.Products {
		if err := s.subscribe(ctx, env, p, id); err != nil {
			return err
		}
	}
	return nil
}

// findGroup returns the ID of the consumer group of a name; empty if there is none.
func findGroup(ctx context.Context, op string, at iot.View, name string) (string, error) {
	for g, err := range at.Groups(ctx) {
		if err != nil {
			return "", fmt.Errorf("%s: read groups at %s: %w", op, at.Info, err)
		}
		if g.Name == name {
			return g.ID, nil
		}
	}
	return "", nil
}

// findOrCreate returns the ID of the consumer group of a name. One whose creation has no answer, or is somebody else's, is found the next time.
func findOrCreate(ctx context.Context, op string, at iot.Instance, name string) (string, error) {
	if id, err := findGroup(ctx, op, at.View, name); id != "" || err != nil {
		return id, err
	}
	g, err := at.CreateGroup(ctx, name)
	if errors.Is(err, iot.Conflict) || errors.Is(err, iot.UnknownOutcome) {
		return "", &iot.Error{Kind: iot.Transient, Op: op, Message: fmt.Sprintf("group %q is not shown by %s yet", name, at.Info), Err: err}
	}
	if err != nil {
		return "", fmt.Errorf("%s: create group %q at %s: %w", op, name, at.Info, err)
	}
	return g.ID, nil
}

// subscribe adds the group to the product's AMQP subscription at the target, if it is not in it already.
func (s subscription) subscribe(ctx context.Context, env *migrate.Env, p migrate.Product, id string) error {
	target := env.Platform.Target
	there, err := target.Subscriptions(ctx, p.Key)
	if err != nil && !errors.Is(err, iot.NotFound) { // as long as the product itself is not there
		return fmt.Errorf("subscription: read subscriptions of %s at %s: %w", p.Key, target.Info, err)
	}
	now := merged(p.Key, there)
	switch {
	case len(now.Groups) == 0 && amqp(p):
		return notYet("subscription", "the AMQP subscription of %s is not at %s yet", p.Key, target.Info)
	case id == "" || slices.Contains(now.Groups, id):
		return nil
	}
	now.Groups = append(now.Groups, id)
	now.Events = union(now.Events, merged(p.Key, p.Subscriptions).Events)
	if len(now.Events) == 0 {
		now.Events = []iot.Event{iot.DeviceData}
	}
	err = target.Subscribe(ctx, now)
	if errors.Is(err, iot.UnknownOutcome) {
		return notYet("subscription", "whether group %q reads %s is not known yet", s.group, p.Key)
	}
	if err != nil {
		return fmt.Errorf("subscription: subscribe group %q to %s: %w", s.group, p.Key, err)
	}
	return nil
}

// merged returns the product's AMQP subscriptions as one: the platform keeps one per product and type.
func merged(product string, all []iot.Subscription) iot.Subscription {
	m := iot.Subscription{ProductKey: product, Type: iot.AMQP}
	for _, s := range all {
		if s.Type == iot.AMQP {
			m.Groups = union(m.Groups, s.Groups)
			m.Events = union(m.Events, s.Events)
		}
	}
	return m
}

// union appends to a what of b is not in it.
func union[T comparable](a, b []T) []T {
	for _, item := range b {
		if !slices.Contains(a, item) {
			a = append(a, item)
		}
	}
	return a
}

// notYet is an error that lets the runner call a stage's code again later, until the stage's deadline.
func notYet(op, format string, args ...any) error {
	return &iot.Error{Kind: iot.Transient, Op: op, Message: fmt.Sprintf(format, args...)}
}
