package scenario

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A newDevice is the own code of the stage of that name: it registers a device at the target, lets the caller plug it
// in, and asks it once for its proof. As long as something is missing, its error is [iot.Transient]: the runner
// calls it again.
type newDevice struct {
	name      string
	plugIn    func(context.Context, *migrate.Env, iot.Credential) error
	verifiers []migrate.Verifier

	mu      sync.Mutex
	known   iot.Credential // of the device that was registered last: the platform tells its secret once
	plugged iot.DeviceID   // the device that the caller has plugged in last
}

const newDeviceOp = "new device"

func (n *newDevice) run(ctx context.Context, env *migrate.Env) error {
	id := iot.DeviceID{ProductKey: env.Lane.Products[0].Key, DeviceName: n.name}
	if n.name == "" {
		id.DeviceName = newDeviceName(env.Campaign)
	}
	if err := n.register(ctx, env, id); err != nil {
		return err
	}
	if err := n.plug(ctx, env, id); err != nil {
		return err
	}
	return n.prove(ctx, env, id)
}

// newDeviceName is the same whenever a campaign is resumed, and another one for another campaign.
func newDeviceName(campaign string) string {
	sum := sha256.Sum256([]byte(campaign))
	return "iotferry-" + hex.EncodeToString(sum[:4])
}

// register creates the device, unless an earlier attempt did.
func (n *newDevice) register(ctx context.Context, env *migrate.Env, id iot.DeviceID) error {
	there, err := shows(ctx, env.Platform.Target.View, id)
	if err != nil || there {
		return err
	}
	credential, err := env.Platform.Target.Register(ctx, id)
	switch {
	case err == nil:
		n.mu.Lock()
		defer n.mu.Unlock()
		n.known = credential
		return nil
	case errors.Is(err, iot.UnknownOutcome):
		return notYet(newDeviceOp, "whether %s was registered is not known yet", id)
	case errors.Is(err, iot.Conflict):
		return taken(ctx, env, id)
	}
	return fmt.Errorf("%s: register %s at %s: %w", newDeviceOp, id, env.Platform.Target.Info, err)
}

// plug lets the caller plug the device in, once in this process. After a restart the secret is not known any
// more, and whether it was done neither.
func (n *newDevice) plug(ctx context.Context, env *migrate.Env, id iot.DeviceID) error {
	n.mu.Lock()
	done, credential := n.plugged == id, n.known
	n.mu.Unlock()
	if done {
		return nil
	}
	if credential.ID != id {
		credential = iot.Credential{ID: id}
	}
	if err := n.plugIn(ctx, env, credential); err != nil {
		return fmt.Errorf("%s %s: plug in: %w", newDeviceOp, id, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.plugged = id
	return nil
}

// taken explains why a name cannot be registered that the target does not show.
func taken(ctx context.Context, env *migrate.Env, id iot.DeviceID) error {
	there, err := shows(ctx, env.Platform.Source.View, id)
	switch {
	case err != nil:
		return err
	case there:
		return &iot.Error{Kind: iot.Conflict, Op: newDeviceOp, Message: fmt.Sprintf(
			"%s is a device of the source already: set Options.NewDeviceName to a name that is free", id)}
	}
	return notYet(newDeviceOp, "%s is registered, but %s does not show it yet", id, env.Platform.Target.Info)
}

func shows(ctx context.Context, at iot.View, id iot.DeviceID) (bool, error) {
	states, err := at.States(ctx, id.ProductKey, []string{id.DeviceName})
	if err != nil {
		return false, fmt.Errorf("%s: read state of %s at %s: %w", newDeviceOp, id, at.Info, err)
	}
	return len(states) > 0, nil
}

// prove asks the verifiers once, in their order. The device was never moved: each of its sessions and messages counts.
func (n *newDevice) prove(ctx context.Context, env *migrate.Env, id iot.DeviceID) error {
	subject := &migrate.Subject{
		Campaign: env.Campaign, Lane: env.Lane, Stage: env.Stage,
		Source: env.Platform.Source, Target: env.Platform.Target, Now: env.Clock.Now(),
		Devices: []migrate.SubjectDevice{{ID: id, Node: iot.Direct, Family: []iot.DeviceID{id}}},
	}
	for _, v := range n.verifiers {
		if err := ask(ctx, subject, v); err != nil {
			return err
		}
	}
	return nil
}

// ask returns nil if the subject's one device passed.
func ask(ctx context.Context, s *migrate.Subject, v migrate.Verifier) error {
	id := s.Devices[0].ID
	for f, err := range v.Verify(ctx, s) {
		switch {
		case err != nil:
			return fmt.Errorf("%s %s: %s: %w", newDeviceOp, id, v.Name(), err)
		case f.Device != id:
		case f.Verdict == migrate.Pass:
			return nil
		case f.Verdict == migrate.Fail:
			return fmt.Errorf("%s %s: %s failed: %s", newDeviceOp, id, v.Name(), f.Evidence.Seen)
		default:
			return notYet(newDeviceOp, "%s: %s is inconclusive: %s", id, v.Name(), f.Evidence.Seen)
		}
	}
	return notYet(newDeviceOp, "%s: %s found nothing", id, v.Name())
}
