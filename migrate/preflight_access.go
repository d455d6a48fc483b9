package migrate

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// An accessTrial calls each reading API of an instance once, about something that is there if anything is. Reads have no
// effect, so they tell whether a campaign may make them.
type accessTrial struct {
	view    iot.View
	like    *accessTrial // of the source: what the target is asked about as long as it has nothing; nil for the source itself
	product iot.Product  // the first with a thing model, else the first
	device  iot.DeviceID
	gateway iot.DeviceID
	sub     iot.DeviceID
	group   string

	denied  []string // APIs
	failed  []string // APIs and why
	missing bool     // a denied one is needed for the survey
}

// A surveyNeed tells of which instances the survey calls an API.
type surveyNeed uint8

const (
	needless surveyNeed = iota
	ofSource
	ofBoth
)

// A trialRead is one reading API. It returns [iot.NotFound] as an answer like every other.
type trialRead struct {
	api  string
	need surveyNeed
	read func(context.Context, *accessTrial) error
}

func trialReads() []trialRead {
	return []trialRead{
		{"QueryProductList", ofSource, func(ctx context.Context, t *accessTrial) error { return t.findProduct(ctx) }},
		{"QueryProduct", ofBoth, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.Product(ctx, t.product.Key)
			return err
		}},
		{"QueryDevice", ofBoth, func(ctx context.Context, t *accessTrial) error { return t.findDevice(ctx) }},
		{"BatchGetDeviceState", needless, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.States(ctx, t.product.Key, []string{t.device.DeviceName})
			return err
		}},
		{"ListDistributedDevice", ofSource, func(ctx context.Context, t *accessTrial) error {
			return first(t.view.Distributed(ctx, t.product.Key), nil)
		}},
		{"GetThingTopo", ofSource, func(ctx context.Context, t *accessTrial) error {
			return first(t.view.Children(ctx, t.gateway), nil)
		}},
		{"GetGatewayBySubDevice", needless, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.GatewayOf(ctx, t.sub)
			return err
		}},
		{"QueryThingModelPublished", needless, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.ThingModel(ctx, t.product.Key)
			return err
		}},
		{"ListThingModelVersion", needless, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.ModelVersions(ctx, t.product.Key)
			return err
		}},
		{"QueryDevicePropertiesData", needless, history(func(ctx context.Context, t *accessTrial, from, to time.Time) error {
			_, err := t.view.PropertyHistory(ctx, t.device, []string{nobodys}, from, to)
			return err
		})},
		{"QueryDeviceEventData", needless, history(func(ctx context.Context, t *accessTrial, from, to time.Time) error {
			_, err := t.view.EventHistory(ctx, t.device, nobodys, from, to)
			return err
		})},
		{"QueryDeviceServiceData", needless, history(func(ctx context.Context, t *accessTrial, from, to time.Time) error {
			_, err := t.view.ServiceHistory(ctx, t.device, nobodys, from, to)
			return err
		})},
		{"ListRule", ofSource, func(ctx context.Context, t *accessTrial) error { return first(t.view.Rules(ctx), nil) }},
		{"QuerySubscribeRelation", ofSource, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.Subscriptions(ctx, t.product.Key)
			return err
		}},
		{"QueryConsumerGroupList", needless, func(ctx context.Context, t *accessTrial) error {
			var g iot.ConsumerGroup
			err := first(t.view.Groups(ctx), &g)
			t.group = g.ID
			return err
		}},
		{"QueryConsumerGroupStatus", needless, func(ctx context.Context, t *accessTrial) error {
			_, err := t.view.GroupStatus(ctx, t.group)
			return err
		}},
	}
}

// nobodys is what a device's history is asked for. It need not be there.
const nobodys = "access"

// history reads the last minute. That there is nothing of that name is an answer, in whatever words.
func history(read func(ctx context.Context, t *accessTrial, from, to time.Time) error) func(context.Context, *accessTrial) error {
	return func(ctx context.Context, t *accessTrial) error {
		now := time.Now()
		err := read(ctx, t, now.Add(-time.Minute), now)
		if errors.Is(err, iot.Invalid) {
			return nil
		}
		return err
	}
}

// borrow takes from the source's trial what the target has none of: an answer that it is not there is an answer.
func (t *accessTrial) borrow() {
	if t.like == nil {
		return
	}
	if t.product.Key == "" {
		t.product = t.like.product
	}
	t.device, t.gateway = cmp.Or(t.device, t.like.device), cmp.Or(t.gateway, t.like.gateway)
	t.sub, t.group = cmp.Or(t.sub, t.like.sub), cmp.Or(t.group, t.like.group)
}

// applies reports whether there is something that an API can be asked about.
func (t *accessTrial) applies(api string) bool {
	switch api {
	case "QueryProductList", "ListRule", "QueryConsumerGroupList":
		return true
	case "BatchGetDeviceState":
		return !t.device.IsZero()
	case "QueryDevicePropertiesData", "QueryDeviceEventData", "QueryDeviceServiceData":
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

// findProduct looks through the first page of products for one with a thing model, one of gateways and one of sub-devices.
func (t *accessTrial) findProduct(ctx context.Context) error {
	looked := 0
	for p, err := range t.view.Products(ctx) {
		if err != nil {
			return err
		}
		if t.product.Key == "" || t.product.DataFormat != iot.Alink && p.DataFormat == iot.Alink {
			t.product = p
		}
		switch {
		case p.NodeType == iot.Gateway && t.gateway.IsZero():
			t.gateway.ProductKey = p.Key
		case p.NodeType == iot.SubDevice && t.sub.IsZero():
			t.sub.ProductKey = p.Key
		}
		if looked++; looked == trialProducts {
			break
		}
	}
	return nil
}

// trialProducts is how many products are looked through.
const trialProducts = 50

// findDevice takes a device of each of these products; none of one that has none.
func (t *accessTrial) findDevice(ctx context.Context) error {
	keys := []string{t.product.Key, t.gateway.ProductKey, t.sub.ProductKey}
	t.device, t.gateway, t.sub = iot.DeviceID{}, iot.DeviceID{}, iot.DeviceID{}
	for i, id := range []*iot.DeviceID{&t.device, &t.gateway, &t.sub} {
		if keys[i] == "" {
			continue
		}
		var d iot.Device
		if err := first(t.view.Devices(ctx, keys[i]), &d); err != nil {
			return err
		}
		*id = d.ID
	}
	return nil
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
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.note(r, err)
		t.borrow()
	}
	return nil
}

// note remembers the answer of a read. A driver may have called another API besides: its error names the one that it is about.
func (t *accessTrial) note(r trialRead, err error) {
	if err == nil || errors.Is(err, iot.NotFound) {
		return
	}
	t.missing = t.missing || r.need == ofBoth || r.need == ofSource && t.like == nil
	api := r.api
	if e, ok := errors.AsType[*iot.Error](err); ok && e.Op != "" {
		api = e.Op
	}
	switch {
	case !errors.Is(err, iot.Denied):
		t.failed = append(t.failed, api+": "+strings.TrimPrefix(err.Error(), api+": "))
	case !slices.Contains(t.denied, api):
		t.denied = append(t.denied, api)
	}
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
		Why: "Whether the credentials may move, register, subscribe, send and carry cannot be tried without doing it: BatchGrayMigrationDevice, Pub, RRpc, " +
			"InvokeThingService, SetDeviceProperty, RegisterDevice, CreateConsumerGroup, CreateSubscribeRelation, UpdateSubscribeRelation; " +
			"and, to carry labels and device groups, SaveDeviceProp, CreateDeviceGroup, BatchAddDeviceGroupRelations.",
		Remedy: "Compare the RAM policy with docs/operations.md; the first gray batch and its canary will show it.",
	}
}
