package migrate

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// An accessTrial calls each reading API of an instance once, about something that is there if anything is. Reads have no
// effect, so they tell whether a campaign may make them.
type accessTrial struct {
	view    iot.View
	product iot.Product // the first with a thing model, else the first
	device  iot.DeviceID
	gateway iot.DeviceID
	sub     iot.DeviceID
	group   string

	denied  []string // APIs
	failed  []string // APIs and why
	missing bool     // a denied one is needed for the survey
}

// A trialRead is one reading API. It returns [iot.NotFound] as an answer like every other.
type trialRead struct {
	api    string
	survey bool // the survey needs it
	read   func(context.Context, *accessTrial) error
}

func trialReads() []trialRead {
	return []trialRead{
		{"QueryProductList", true, func(ctx context.Context, t *accessTrial) error { return t.findProduct(ctx) }},
		{"QueryProduct", true, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.Product(ctx, t.product.Key)
			return err
		}},
		{"QueryDevice", true, func(ctx context.Context, t *accessTrial) error { return t.findDevice(ctx) }},
		{"BatchGetDeviceState", false, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.States(ctx, t.product.Key, []string{t.device.DeviceName})
			return err
		}},
		{"ListDistributedDevice", true, func(ctx context.Context, t *accessTrial) error {
			return first(t.view.Distributed(ctx, t.product.Key), nil)
		}},
		{"GetThingTopo", true, func(ctx context.Context, t *accessTrial) error {
			return first(t.view.Children(ctx, t.gateway), &t.sub)
		}},
		{"GetGatewayBySubDevice", false, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.GatewayOf(ctx, t.sub)
			return err
		}},
		{"QueryThingModelPublished", false, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.ThingModel(ctx, t.product.Key)
			return err
		}},
		{"QueryDevicePropertiesData", false, func(ctx context.Context, t *accessTrial) error {
			now := time.Now()
			_, err := t.view.PropertyHistory(ctx, t.device, []string{"access"}, now.Add(-time.Minute), now)
			return err
		}},
		{"ListRule", true, func(ctx context.Context, t *accessTrial) error { return first(t.view.Rules(ctx), nil) }},
		{"QuerySubscribeRelation", true, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.Subscriptions(ctx, t.product.Key)
			return err
		}},
		{"QueryConsumerGroupList", false, func(ctx context.Context, t *accessTrial) error {
			var g iot.ConsumerGroup
			err := first(t.view.Groups(ctx), &g)
			t.group = g.ID
			return err
		}},
		{"QueryConsumerGroupStatus", false, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.GroupStatus(ctx, t.group)
			return err
		}},
	}
}

// applies reports whether there is something that an API can be asked about.
func (t *accessTrial) applies(api string) bool {
	switch api {
	case "QueryProductList", "ListRule", "QueryConsumerGroupList":
		return true
	case "BatchGetDeviceState":
		return !t.device.IsZero()
	case "QueryDevicePropertiesData":
		return !t.device.IsZero() && t.product.DataFormat == iot.Alink
	case "GetThingTopo":
		return !t.gateway.IsZero()
	case "GetGatewayBySubDevice":
		return !t.sub.IsZero()
	case "QueryConsumerGroupStatus":
		return t.group != ""
	}
	return t.product.Key != ""
}

// findProduct takes the first page of products, and the gateway of one of its gateway products.
func (t *accessTrial) findProduct(ctx context.Context) error {
	looked := 0
	for p, err := range t.view.Products(ctx) {
		if err != nil {
			return err
		}
		if t.product.Key == "" || t.product.DataFormat != iot.Alink && p.DataFormat == iot.Alink {
			t.product = p
		}
		if p.NodeType == iot.Gateway && t.gateway.IsZero() {
			t.gateway.ProductKey = p.Key
		}
		if looked++; looked == trialProducts {
			break
		}
	}
	return nil
}

// trialProducts is how many products are looked through for one with a thing model and one of gateways: a first page's.
const trialProducts = 50

func (t *accessTrial) findDevice(ctx context.Context) error {
	var d iot.Device
	if err := first(t.view.Devices(ctx, t.product.Key), &d); err != nil {
		return err
	}
	t.device = d.ID
	key := t.gateway.ProductKey
	t.gateway = iot.DeviceID{}
	if key == "" {
		return nil
	}
	var g iot.Device
	err := first(t.view.Devices(ctx, key), &g)
	t.gateway = g.ID
	return err
}

// first reads the beginning of a list into into, which may be nil; an empty list leaves it as it is.
func first[T any](list iter.Seq2[T, error], into *T) error {
	for item, err := range list {
		if err == nil && into != nil {
			*into = item
		}
		return err
	}
	return nil
}

// try reads everything once.
func (t *accessTrial) try(ctx context.Context) error {
	for _, r := range trialReads() {
		if !t.applies(r.api) {
			continue
		}
		_, err := patiently(ctx, func() (struct{}, error) { return struct{}{}, r.read(ctx, t) })
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil || errors.Is(err, iot.NotFound):
		case errors.Is(err, iot.Denied):
			t.denied = append(t.denied, r.api)
			t.missing = t.missing || r.survey
		default:
			t.failed = append(t.failed, fmt.Sprintf("%s: %v", r.api, err))
			t.missing = t.missing || r.survey
		}
	}
	return nil
}

func (t *accessTrial) issues() []Issue {
	var out []Issue
	if len(t.denied) > 0 {
		out = append(out, Issue{
			Code: CodeAccess, Severity: Blocker, Basis: BasisObserved, Instance: t.view.Info.String(),
			Why:    "The credentials may not call " + strings.Join(t.denied, ", ") + " there, which a campaign has to read.",
			Remedy: "Allow them to the RAM user or role: docs/operations.md has the whole policy.",
		})
	}
	for _, why := range t.failed {
		out = append(out, Issue{
			Code: CodeAccessUnknown, Severity: Warning, Basis: BasisUndeclared, Instance: t.view.Info.String(),
			Why:    "It was tried whether the credentials may read, and the answer was neither yes nor no. " + why,
			Remedy: "Check the endpoint and the network, then run the preflight again.",
		})
	}
	return out
}

// writeAccess is what cannot be tried without an effect.
func writeAccess(target iot.InstanceInfo) Issue {
	return Issue{
		Code: CodeWriteAccess, Severity: Work, Basis: BasisUndeclared, Instance: target.String(),
		Why: "Whether the credentials may move, register, subscribe and send cannot be tried without doing it: BatchGrayMigrationDevice, Pub, RRpc, " +
			"InvokeThingService, SetDeviceProperty, RegisterDevice, CreateConsumerGroup, CreateSubscribeRelation, UpdateSubscribeRelation.",
		Remedy: "Compare the RAM policy with docs/operations.md; the first gray batch and its canary will show it.",
	}
}
