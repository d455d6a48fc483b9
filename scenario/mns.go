package scenario

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// maxProductGroups is how many consumer groups a product's subscription can have: CreateSubscribeRelation.
const maxProductGroups = 10

// An MNSSwitch lets a consumer group of the source get what the MNS queues of products get, before the products' devices move to an instance that
// has no MNS. The AMQP subscription comes along with the devices; the MNS subscription stays as it is, and falls silent.
//
// The strategies use it in lanes that have both, if [Options].MNSGroup is set. A product that has an MNS subscription alone is in no lane,
// as a plan must not count on what has not happened: Apply it by hand, let your servers read the group until Check returns nil, and
// survey again.
type MNSSwitch struct {
	Group    string   // the name of a consumer group, 4 to 30 characters: it is found by its name, or created
	Products []string // keys of products; those without an MNS subscription are left alone
}

// Apply creates the group, if there is none of its name, and adds it to the AMQP subscription of each product, with the classes of messages of its MNS
// subscription. The platform keeps one AMQP subscription per product: groups that are in it get these messages as well from then on. Nothing is taken
// away. Doing it twice is the same as once, also after a crash or a lost answer.
//
// An error is [iot.Transient] if Apply has to be called again, and [iot.Conflict] for a product with ten groups already.
func (m MNSSwitch) Apply(ctx context.Context, source iot.Instance) (iot.ConsumerGroup, error) {
	if err := checkGroupName("MNSGroup", m.Group); err != nil {
		return iot.ConsumerGroup{}, err
	}
	need, err := m.needed(ctx, source.View)
	if err != nil || len(need) == 0 {
		return iot.ConsumerGroup{}, err
	}
	id, err := findGroup(ctx, opMNS, source.View, m.Group)
	if err != nil {
		return iot.ConsumerGroup{}, err
	}
	for _, n := range need { // before anything is created
		if len(n.amqp.Groups) >= maxProductGroups && !slices.Contains(n.amqp.Groups, id) {
			return iot.ConsumerGroup{}, &iot.Error{Kind: iot.Conflict, Op: opMNS, Message: fmt.Sprintf(
				"product %s has %d consumer groups, and can have no more: name one of them", n.product, maxProductGroups)}
		}
	}
	if id, err = findOrCreate(ctx, opMNS, source, m.Group); err != nil {
		return iot.ConsumerGroup{}, err
	}
	for _, n := range need {
		if err := n.subscribe(ctx, source, id); err != nil {
			return iot.ConsumerGroup{}, err
		}
	}
	return iot.ConsumerGroup{ID: id, Name: m.Group}, nil
}

const opMNS = "mns-to-amqp"

// A need is what a product's MNS subscription carries, and what its AMQP subscription does.
type need struct {
	product   string
	mns, amqp iot.Subscription
}

// needed reads the subscriptions of the products that have an MNS one.
func (m MNSSwitch) needed(ctx context.Context, at iot.View) ([]need, error) {
	var out []need
	for _, key := range m.Products {
		all, err := at.Subscriptions(ctx, key)
		if err != nil {
			return nil, fmt.Errorf("%s: read subscriptions of %s at %s: %w", opMNS, key, at.Info, err)
		}
		n := need{product: key, amqp: merged(key, all)}
		for _, s := range all {
			if s.Type == iot.MNS {
				n.mns.Events = union(n.mns.Events, s.Events)
			}
		}
		if len(n.mns.Events) > 0 {
			out = append(out, n)
		}
	}
	return out, nil
}

// carries reports whether a group gets all that the queue gets.
func (n need) carries(groupID string) bool {
	lacks := func(e iot.Event) bool { return !slices.Contains(n.amqp.Events, e) }
	return slices.Contains(n.amqp.Groups, groupID) && !slices.ContainsFunc(n.mns.Events, lacks)
}

// subscribe reads what the product has just now, so that it takes nothing away that somebody added while others were read.
func (n need) subscribe(ctx context.Context, source iot.Instance, groupID string) error {
	all, err := source.Subscriptions(ctx, n.product)
	if err != nil {
		return fmt.Errorf("%s: read subscriptions of %s at %s: %w", opMNS, n.product, source.Info, err)
	}
	if n.amqp = merged(n.product, all); n.carries(groupID) {
		return nil
	}
	to := n.amqp
	to.Groups = union(slices.Clone(to.Groups), []string{groupID})
	to.Events = union(slices.Clone(to.Events), n.mns.Events)
	err = source.Subscribe(ctx, to)
	if errors.Is(err, iot.UnknownOutcome) {
		return notYet(opMNS, "whether the group reads %s is not known yet", n.product)
	}
	if err != nil {
		return fmt.Errorf("%s: subscribe the group to %s: %w", opMNS, n.product, err)
	}
	return nil
}

// Check returns nil if the group takes the place of the queues: it is in the subscription of each product with all that the product's
// queue gets, a client reads it, and, if devices' data is among that, has read something. Otherwise the error says what is missing: it is
// [iot.Transient], as all of that can still come. Of a group that other products use as well, the platform does not show whose messages were read.
func (m MNSSwitch) Check(ctx context.Context, source iot.View) error {
	need, err := m.needed(ctx, source)
	if err != nil || len(need) == 0 {
		return err
	}
	id, err := findGroup(ctx, opMNS, source, m.Group)
	if err != nil {
		return err
	}
	data := false
	for _, n := range need {
		if id == "" || !n.carries(id) {
			return notYet(opMNS, "group %q does not get yet what the MNS queue of %s gets", m.Group, n.product)
		}
		data = data || slices.Contains(n.mns.Events, iot.DeviceData)
	}
	status, err := source.GroupStatus(ctx, id)
	switch {
	case err != nil:
		return fmt.Errorf("%s: read group %s at %s: %w", opMNS, id, source.Info, err)
	case status.Clients == 0:
		return notYet(opMNS, "no client reads group %q (%s) at %s: let what reads the MNS queues read it", m.Group, id, source.Info)
	case data && status.LastConsumed.IsZero():
		return notYet(opMNS, "the clients of group %q (%s) have not consumed anything yet", m.Group, id)
	}
	return nil
}

// fromMNS returns the stages by which a lane's MNS queues get an heir, before anything moves. There are none without MNS subscriptions
// or without MNSGroup.
func (g *guide) fromMNS() []migrate.Stage {
	if g.MNSGroup == "" || !has(g.lane, mns) {
		return nil
	}
	var keys []string
	for _, p := range g.lane.Products {
		if mns(p) {
			keys = append(keys, p.Key)
		}
	}
	m := MNSSwitch{Group: g.MNSGroup, Products: keys}
	flows := func(ctx context.Context, env *migrate.Env) error { return m.Check(ctx, env.Platform.Source.View) }
	if g.MNSFlow != nil {
		flows = g.MNSFlow
	}
	return []migrate.Stage{
		{
			Name: opMNS,
			About: fmt.Sprintf("Subscribe consumer group %q of the source to the messages that the lane's MNS queues get: "+
				"Enterprise instances have no MNS, and this subscription comes along.", g.MNSGroup),
			Do: func(ctx context.Context, env *migrate.Env) error {
				_, err := m.Apply(ctx, env.Platform.Source)
				return err
			},
		},
		{
			Name:  "mns-flow",
			About: fmt.Sprintf("See that your servers read consumer group %q at the source, before the queues fall silent.", g.MNSGroup),
			Do:    flows,
		},
	}
}

// checkGroupName checks the name of a consumer group.
func checkGroupName(field, name string) error {
	if n := utf8.RuneCountInString(name); n < minGroupName || n > maxGroupName {
		return refuse("%s %q has %d characters: %d to %d are allowed", field, name, n, minGroupName, maxGroupName)
	}
	return nil
}
