package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// report proves that what the device reports is accepted, and arrives at the sink if there is one.
func (v *canary) report(ctx context.Context, look canaryLook) (migrate.Verdict, string, error) {
	key := command{device: look.ID}
	session := strconv.Itoa(look.session)
	a, ok := v.memory.get(key, look.Moved)
	if !ok || a.answered != session || look.Now.Sub(a.sent.At) >= v.Again {
		mark := nonce()
		if err := look.device.Report(ctx, mark); err != nil {
			return refusedReport(ctx, err)
		}
		a = attempt{sent: Sent{Device: look.ID, MessageID: mark, At: look.Now}, answered: session}
		v.memory.put(key, a)
	}
	if v.Sink == nil {
		return migrate.Pass, "its report was accepted", nil
	}
	messages, err := latest(ctx, v.Sink, []migrate.SubjectDevice{look.SubjectDevice})
	for _, m := range messages[look.ID] {
		if m.Instance == look.Target.Info.ID && IsReport(m) && v.Carries(m, a.sent.MessageID) {
			return migrate.Pass, fmt.Sprintf("its report was accepted and seen on %s", m.Topic), nil
		}
	}
	if err != nil {
		return "", "", err
	}
	return migrate.Inconclusive, "its report was accepted, but is not seen at the sink yet", nil
}

// refusedReport judges a report that was not accepted. Only the platform's word that it is wrong is certain.
func refusedReport(ctx context.Context, err error) (migrate.Verdict, string, error) {
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case errors.Is(err, iot.Invalid):
		return migrate.Fail, "its report was refused: " + err.Error(), nil
	}
	return migrate.Inconclusive, "its report was not accepted: " + err.Error(), nil
}

// invoke proves that services can be called through the target.
func (v *canary) invoke(ctx context.Context, look canaryLook) (migrate.Verdict, string, error) {
	all := ""
	for _, service := range v.Services {
		verdict, seen, err := v.invokeOne(ctx, look, service)
		if err != nil || verdict != migrate.Pass {
			return verdict, seen, err
		}
		all = join(all, seen)
	}
	return migrate.Pass, all, nil
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
	return migrate.Pass, fmt.Sprintf("all %d sub-devices are logged in", len(look.Family)-1), nil
}
