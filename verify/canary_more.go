package verify

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// invoke proves that services can be called through the target.
func (v *canary) invoke(ctx context.Context, look canaryLook) (migrate.Verdict, string, error) {
	services, err := v.services(ctx, look)
	if err != nil {
		return "", "", err
	}
	all := ""
	for _, service := range services {
		verdict, seen, err := v.invokeOne(ctx, look, service)
		if err != nil || verdict != migrate.Pass {
			return verdict, seen, err
		}
		all = join(all, seen)
	}
	return migrate.Pass, all, nil
}

// services returns what is to be called on a canary.
func (v *canary) services(ctx context.Context, look canaryLook) ([]Invocation, error) {
	key := look.ID.ProductKey
	modelled := func(p migrate.Product) bool { return p.Key == key && p.DataFormat == iot.Alink }
	if v.Choose == nil || !slices.ContainsFunc(look.Lane.Products, modelled) {
		return v.Services, nil
	}
	model, err := look.Target.ThingModel(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("read the thing model of %s at %s: %w", key, look.Target.Info, err)
	}
	chosen, err := v.Choose(key, model)
	if err != nil {
		return nil, fmt.Errorf("choose services of %s: %w", key, err)
	}
	return slices.Concat(v.Services, chosen), nil
}

func (v *canary) invokeOne(ctx context.Context, look canaryLook, service Invocation) (migrate.Verdict, string, error) {
	args := service.Args
	if args == nil {
		args = json.RawMessage("{}")
	}
	reply, err := look.Target.Invoke(ctx, look.ID, service.Service, args)
	if seen := pending(err); seen != "" {
		return migrate.Inconclusive, fmt.Sprintf("service %s: %s", service.Service, seen), nil
	}
	if err != nil {
		return "", "", err
	}
	if !service.Async {
		if reply.Result == nil {
			return migrate.Inconclusive, fmt.Sprintf("service %s: the call came back without an answer: is the service asynchronous?", service.Service), nil
		}
		return migrate.Pass, fmt.Sprintf("service %s was answered", service.Service), nil
	}
	return v.reached(ctx, look, "service "+service.Service, "thing/service/"+service.Service)
}

// set proves that properties can be set through the target.
func (v *canary) set(ctx context.Context, look canaryLook) (migrate.Verdict, string, error) {
	if v.Properties == nil {
		return migrate.Pass, "", nil
	}
	_, err := look.Target.SetProperties(ctx, look.ID, v.Properties)
	if seen := pending(err); seen != "" {
		return migrate.Inconclusive, "setting properties: " + seen, nil
	}
	if err != nil {
		return "", "", err
	}
	return v.reached(ctx, look, "the setting of properties", "thing/service/property/set")
}

// reached waits until something came on a topic of the thing model in this session. Which of several calls it was does not
// matter: the session is one at the target.
func (v *canary) reached(ctx context.Context, look canaryLook, what, path string) (migrate.Verdict, string, error) {
	topic := "/sys/" + look.ID.String() + "/" + path
	seen, err := v.await(ctx, look, func(t string, _ []byte) bool { return t == topic })
	if err != nil {
		return "", "", err
	}
	if seen != "" {
		return migrate.Inconclusive, fmt.Sprintf("%s: the call was accepted, but %s", what, seen), nil
	}
	return migrate.Pass, what + " arrived", nil
}

// family proves that a gateway's sub-devices are logged in through it.
func (v *canary) family(ctx context.Context, look canaryLook) (migrate.Verdict, string, error) {
	if look.Node != iot.Gateway {
		return migrate.Pass, "", nil
	}
	subs, err := look.device.SubDevices(ctx)
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case err != nil:
		return migrate.Inconclusive, "the platform does not tell it its topology: " + err.Error(), nil
	}
	for _, id := range look.Family {
		if id == look.ID {
			continue
		}
		state, shown := subs[id]
		if !shown {
			return migrate.Inconclusive, fmt.Sprintf("sub-device %s is not in the topology that the platform shows to it", id), nil
		}
		if state != nil {
			return migrate.Inconclusive, fmt.Sprintf("sub-device %s: %v", id, state), nil
		}
	}
	if len(look.Family) <= 1 {
		return migrate.Pass, "it has no planned sub-devices", nil
	}
	return migrate.Pass, fmt.Sprintf("all %d sub-devices are logged in", len(look.Family)-1), nil
}
