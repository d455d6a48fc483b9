package town

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/verify"
)

// selfTest is a synchronous service that cabinets of the example fleets have. Its quick form is harmless.
const selfTest = "SelfTest"

// Services chooses what may be called on this town's devices: whatever takes no input, and the quick self-test. It fits
// [github.com/iotferry/iotferry/scenario.Options.Services].
func Services(productKey string, model json.RawMessage) ([]verify.Invocation, error) {
	chosen, err := verify.ServicesWithoutInput(productKey, model)
	if err != nil {
		return nil, err
	}
	var names struct {
		Services []struct{ Identifier string }
	}
	if err := json.Unmarshal(model, &names); err != nil {
		return nil, fmt.Errorf("thing model of %s: %w", productKey, err)
	}
	for _, s := range names.Services {
		asked := slices.ContainsFunc(chosen, func(i verify.Invocation) bool { return i.Service == selfTest })
		if s.Identifier == selfTest && !asked {
			chosen = append(chosen, verify.Invocation{Service: selfTest, Args: json.RawMessage(`{"Depth":0}`)})
		}
	}
	return chosen, nil
}

// Replies is where the answers to asynchronous services arrive. No rule forwards them, so the server has a consumer
// group of its own for them at the target. It subscribes the group to a product when it is first asked about it.
func Replies(cloud Customer) verify.Sink {
	target := cloud.Platform().Target
	return verify.SinkFunc(func(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
		return func(yield func(iot.Message, error) bool) {
			cloud.Serve(target.Info.ID)
			if err := subscribe(ctx, target, productKeys(ids)); err != nil {
				yield(iot.Message{}, err)
				return
			}
			cloud.Sink().Latest(ctx, ids)(yield)
		}
	})
}

// subscribe lets the server's own group have the messages of products.
func subscribe(ctx context.Context, target iot.Instance, productKeys []string) error {
	group, err := ownGroup(ctx, target)
	if err != nil {
		return err
	}
	for _, key := range productKeys {
		if err := Subscribe(ctx, target, group, key); err != nil {
			return err
		}
	}
	return nil
}

func productKeys(ids []iot.DeviceID) []string {
	keys := make([]string, 0, len(ids))
	for _, id := range ids {
		keys = append(keys, id.ProductKey)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Subscribe lets a consumer group of an instance have what the devices of a product send, beside the groups that are there. Doing
// it twice is the same as once.
func Subscribe(ctx context.Context, at iot.Instance, group, productKey string) error {
	all, err := at.Subscriptions(ctx, productKey)
	if err != nil {
		return fmt.Errorf("server: read subscriptions of %s: %w", productKey, err)
	}
	want := iot.Subscription{ProductKey: productKey, Type: iot.AMQP}
	for _, s := range all {
		if s.Type == iot.AMQP {
			want = s
		}
	}
	if slices.Contains(want.Groups, group) && slices.Contains(want.Events, iot.DeviceData) {
		return nil
	}
	want.Groups = with(want.Groups, group)
	want.Events = with(want.Events, iot.DeviceData)
	if err := at.Subscribe(ctx, want); err != nil {
		return fmt.Errorf("server: subscribe to %s: %w", productKey, err)
	}
	return nil
}

func with[T comparable](list []T, value T) []T {
	if slices.Contains(list, value) {
		return list
	}
	return append(slices.Clone(list), value)
}

func ownGroup(ctx context.Context, target iot.Instance) (string, error) {
	const name = "replies-to-services"
	for g, err := range target.Groups(ctx) {
		if err != nil {
			return "", fmt.Errorf("server: list the target's consumer groups: %w", err)
		}
		if g.Name == name {
			return g.ID, nil
		}
	}
	g, err := target.CreateGroup(ctx, name)
	if err != nil {
		return "", fmt.Errorf("server: create consumer group %s: %w", name, err)
	}
	return g.ID, nil
}
