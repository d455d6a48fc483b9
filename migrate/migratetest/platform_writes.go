package migratetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// platformMove moves devices and sees them change their instance.
func platformMove(ctx context.Context, b *platformBench) error {
	if err := b.open(ctx, DirectProduct, directName(0)); err != nil {
		return err
	}
	names := directNames(1, 1+iot.MaxMove)
	results, err := b.Platform.Mover.Move(ctx, DirectProduct, names)
	if err != nil {
		return fmt.Errorf("contract of Move: %w", err)
	}
	var accepted []string
	for _, r := range results {
		if r.Accepted {
			accepted = append(accepted, r.DeviceName)
		}
	}
	slices.Sort(accepted)
	if err := differ("Move, accepted", names, accepted); err != nil {
		return err
	}
	return b.eventually(ctx, "Move: only the target shows the devices", func() (bool, error) {
		source, err := b.Platform.Source.States(ctx, DirectProduct, names)
		if err != nil {
			return false, err
		}
		target, err := b.Platform.Target.States(ctx, DirectProduct, names)
		return len(source) == 0 && len(target) == len(names), err
	})
}

// platformMoveRefused moves devices that cannot be moved.
func platformMoveRefused(ctx context.Context, b *platformBench) error {
	if _, err := b.Platform.Mover.Move(ctx, DirectProduct, directNames(1, 2)); err == nil {
		return errors.New("contract of Move without a migration task: got no error")
	}
	if owner, _ := b.cloud.Owner(directID(1)); owner != "" {
		return errors.New("contract of Move without a migration task: the device has moved")
	}
	if err := b.open(ctx, DirectProduct, directName(0)); err != nil {
		return err
	}
	results, err := b.Platform.Mover.Move(ctx, DirectProduct, []string{directName(0), "no-such-device", directName(1)})
	if err != nil || len(results) != 3 {
		return fmt.Errorf("contract of Move of one device that can be and two that cannot: got %v, %v", results, err)
	}
	for _, r := range results {
		if want := r.DeviceName == directName(1); r.Accepted != want || !want && (r.Code == 0 || r.Message == "") {
			return fmt.Errorf("contract of Move: got %+v, want accepted %v, and code and message of a refusal", r, want)
		}
	}
	return nil
}

func platformMoveLimits(ctx context.Context, b *platformBench) error {
	if err := b.open(ctx, DirectProduct, directName(0)); err != nil {
		return err
	}
	for _, names := range [][]string{nil, directNames(1, 2+iot.MaxMove)} {
		what := fmt.Sprintf("Move of %d devices", len(names))
		if err := b.silent(what, func() error {
			_, err := b.Platform.Mover.Move(ctx, DirectProduct, names)
			return refused(what, err, iot.Invalid)
		}); err != nil {
			return err
		}
	}
	return nil
}

// platformLost loses answers: of a write nobody knows what it did, a read did nothing.
func platformLost(ctx context.Context, b *platformBench) error {
	if err := b.open(ctx, DirectProduct, directName(0)); err != nil {
		return err
	}
	b.disturb("BatchGrayMigrationDevice", Fault{Lost: true})
	_, err := b.Platform.Mover.Move(ctx, DirectProduct, directNames(1, 2))
	if err := refused("Move without an answer", err, iot.UnknownOutcome); err != nil {
		return err
	}
	if n := b.calls("BatchGrayMigrationDevice"); n != 1 {
		return fmt.Errorf("contract of Move without an answer: %d calls were made, want 1", n)
	}
	b.disturb("RegisterDevice", Fault{Lost: true})
	_, err = b.Platform.Source.Register(ctx, iot.DeviceID{ProductKey: DirectProduct, DeviceName: "fresh-0001"})
	if err := refused("Register without an answer", err, iot.UnknownOutcome); err != nil {
		return err
	}
	b.disturb("BatchGetDeviceState", Fault{Lost: true})
	_, err = b.Platform.Source.States(ctx, DirectProduct, directNames(1, 2))
	return refused("States without an answer", err, iot.Transient)
}

// platformDropped leaves devices out of answers. What is not there says nothing: an adapter puts nothing in its place.
func platformDropped(ctx context.Context, b *platformBench) error {
	if err := b.open(ctx, DirectProduct, directName(0)); err != nil {
		return err
	}
	names, dropped := directNames(1, 4), directName(2)
	drop := Fault{Drop: func(name string) bool { return name == dropped }}
	b.disturb("BatchGetDeviceState", drop)
	states, err := b.Platform.Source.States(ctx, DirectProduct, names)
	if err != nil || len(states) != 2 || states[0].ID != directID(1) || states[1].ID != directID(3) {
		return fmt.Errorf("contract of States of three devices, the second not in the answer: got %v, %v", states, err)
	}
	b.disturb("BatchGrayMigrationDevice", drop)
	results, err := b.Platform.Mover.Move(ctx, DirectProduct, names)
	if err != nil {
		return fmt.Errorf("contract of Move, one device not in the answer: %w", err)
	}
	var got []string
	for _, r := range results {
		got = append(got, r.DeviceName)
	}
	slices.Sort(got)
	if err := differ("Move, results of those in the answer", []string{names[0], names[2]}, got); err != nil {
		return err
	}
	if n := b.calls("BatchGrayMigrationDevice"); n != 1 {
		return fmt.Errorf("contract of Move, one device not in the answer: %d calls were made, want 1", n)
	}
	return nil
}

func platformRegister(ctx context.Context, b *platformBench) error {
	id := iot.DeviceID{ProductKey: DirectProduct, DeviceName: "fresh-0001"}
	credential, err := b.Platform.Source.Register(ctx, id)
	if err != nil || credential.ID != id || credential.Secret.Reveal() == "" {
		return fmt.Errorf("contract of Register: got a credential of %s, %v; want one with a secret", credential.ID, err)
	}
	if err := b.cloud.PowerOn(credential); err != nil {
		return fmt.Errorf("contract of Register: the device cannot sign in: %w", err)
	}
	if _, err = b.Platform.Source.Register(ctx, id); err != nil {
		err = refused("Register of a name that is taken", err, iot.Conflict)
	} else {
		err = errors.New("contract of Register of a name that is taken: got no error")
	}
	if err != nil {
		return err
	}
	return b.eventually(ctx, "Register: the device is online", func() (bool, error) {
		states, err := b.Platform.Source.States(ctx, id.ProductKey, []string{id.DeviceName})
		return len(states) == 1 && states[0].Status == iot.Online, err
	})
}

func platformSubscribe(ctx context.Context, b *platformBench) error {
	at := b.Platform.Source
	group, err := at.CreateGroup(ctx, "conformance")
	if err != nil || group.ID == "" || group.Name != "conformance" {
		return fmt.Errorf("contract of CreateGroup: got %+v, %v", group, err)
	}
	_, err = at.CreateGroup(ctx, "conformance")
	if err := refused("CreateGroup of a name that is taken", err, iot.Conflict); err != nil {
		return err
	}
	_, err = at.CreateGroup(ctx, "abc")
	if err := refused("CreateGroup with a name that is too short", err, iot.Invalid); err != nil {
		return err
	}
	want := iot.Subscription{ProductKey: DirectProduct, Type: iot.AMQP, Groups: []string{group.ID}, Events: []iot.Event{iot.DeviceData}}
	for range 2 {
		if err := at.Subscribe(ctx, want); err != nil {
			return fmt.Errorf("contract of Subscribe: %w", err)
		}
		got, err := at.Subscriptions(ctx, DirectProduct)
		if err != nil {
			return fmt.Errorf("contract of Subscriptions: %w", err)
		}
		if err := differ("Subscribe", []iot.Subscription{want}, got); err != nil {
			return err
		}
	}
	return nil
}

func platformPublish(ctx context.Context, b *platformBench) error {
	at := b.Platform.Source
	id, err := at.Publish(ctx, "/"+directID(0).String()+"/user/get", []byte{0, 1, 0xff})
	if err != nil || id == "" {
		return fmt.Errorf("contract of Publish: got message ID %q, %v", id, err)
	}
	_, err = at.Publish(ctx, "/"+DirectProduct+"/no-such-device/user/get", []byte("x"))
	if err := refused("Publish to no device", err, iot.NotFound); err != nil {
		return err
	}
	_, err = at.Publish(ctx, "nowhere", nil)
	return refused("Publish to no topic of a device", err, iot.Invalid)
}

func platformCall(ctx context.Context, b *platformBench) error {
	at := b.Platform.Source
	payload := []byte{0, 1, 0xff}
	answer, err := at.Call(ctx, directID(0), payload, 5*time.Second)
	if err != nil {
		return fmt.Errorf("contract of Call: %w", err)
	}
	if err := differ("Call", payload, answer); err != nil {
		return err
	}
	_, err = at.Call(ctx, directID(3), payload, 5*time.Second)
	if err := refused("Call of a device that is offline", err, iot.NotConnected); err != nil {
		return err
	}
	_, err = at.Call(ctx, iot.DeviceID{ProductKey: DirectProduct, DeviceName: "no-such-device"}, payload, 5*time.Second)
	if err := refused("Call of no device", err, iot.NotFound); err != nil {
		return err
	}
	b.disturb("RRpc", Fault{Lost: true})
	_, err = at.Call(ctx, directID(0), payload, 5*time.Second)
	if err := refused("Call without an answer", err, iot.UnknownOutcome); err != nil {
		return err
	}
	return b.silent("Call with a timeout of 9 s", func() error {
		_, err := at.Call(ctx, directID(0), payload, 9*time.Second)
		return refused("Call with a timeout of 9 s", err, iot.Invalid)
	})
}

func platformServices(ctx context.Context, b *platformBench) error {
	at, id := b.Platform.Source, iot.DeviceID{ProductKey: ThingModelProduct, DeviceName: "battery-0000"}
	reply, err := at.Invoke(ctx, id, "Check", json.RawMessage(`{}`))
	if err != nil || !json.Valid(reply.Result) {
		return fmt.Errorf("contract of Invoke of a synchronous service: got %+v, %v", reply, err)
	}
	reply, err = at.Invoke(ctx, id, "Calibrate", json.RawMessage(`{}`))
	if err != nil || reply.MessageID == "" || reply.Result != nil {
		return fmt.Errorf("contract of Invoke of an asynchronous service: got %+v, %v; want a message ID alone", reply, err)
	}
	message, err := at.SetProperties(ctx, id, json.RawMessage(`{"Charge": 50}`))
	if err != nil || message == "" {
		return fmt.Errorf("contract of SetProperties: got message ID %q, %v", message, err)
	}
	off := iot.DeviceID{ProductKey: ThingModelProduct, DeviceName: "battery-0003"}
	_, err = at.Invoke(ctx, off, "Check", json.RawMessage(`{}`))
	if err := refused("Invoke of a device that is offline", err, iot.NotConnected); err != nil {
		return err
	}
	_, err = at.SetProperties(ctx, iot.DeviceID{ProductKey: ThingModelProduct, DeviceName: "no-such-device"}, json.RawMessage(`{"Charge": 50}`))
	return refused("SetProperties of no device", err, iot.NotFound)
}

// platformReceive takes all messages of a group in small portions: none comes twice.
func platformReceive(ctx context.Context, b *platformBench) error {
	b.clock.Advance(3 * time.Minute)
	const limit, enough = 2, 8
	seen := map[string]bool{}
	err := b.eventually(ctx, "Receive: messages of the group", func() (bool, error) {
		messages, err := b.Source.Receive(ctx, "DEFAULT_GROUP", limit)
		if err != nil {
			return false, fmt.Errorf("contract of Receive: %w", err)
		}
		if len(messages) > limit {
			return false, fmt.Errorf("contract of Receive: got %d messages, the limit is %d", len(messages), limit)
		}
		for _, m := range messages {
			if err := checkMessage(m); err != nil {
				return false, err
			}
			if seen[m.ID] {
				return false, fmt.Errorf("contract of Receive: message %s came again although it was settled", m.ID)
			}
			seen[m.ID] = true
		}
		return len(seen) >= enough, nil
	})
	if err != nil {
		return err
	}
	status, err := b.Platform.Source.GroupStatus(ctx, "DEFAULT_GROUP")
	if err != nil || status.Clients != 1 || status.LastConsumed.IsZero() {
		return fmt.Errorf("contract of GroupStatus of a group that is read: got %+v, %v; want 1 client", status, err)
	}
	_, err = b.Source.Receive(ctx, "NoSuchGroup", limit)
	if err := refused("Receive from no group", err, iot.NotFound); err != nil {
		return err
	}
	_, err = b.Source.Receive(ctx, "DEFAULT_GROUP", 0)
	return refused("Receive of no messages", err, iot.Invalid)
}

func checkMessage(m iot.Message) error {
	id, ok := m.Device()
	if !ok || id.ProductKey != PreRegisteredProduct || m.ID == "" || m.Generated.IsZero() || m.Instance != "" || len(m.Payload) == 0 {
		return fmt.Errorf("contract of Receive: message %+v is not a whole message of product %s", m, PreRegisteredProduct)
	}
	return nil
}

// platformRedelivery leaves messages unsettled: they come again, to whoever asks.
func platformRedelivery(ctx context.Context, b *platformBench) error {
	b.clock.Advance(3 * time.Minute)
	var first []iot.Message
	err := b.eventually(ctx, "Receive: messages of the group", func() (ok bool, err error) {
		first, err = b.Source.Receive(ctx, "DEFAULT_GROUP", 3)
		return len(first) > 0, err
	})
	if err != nil {
		return err
	}
	b.clock.Advance(5 * time.Minute) // longer than a client may be silent
	other, again := b.cloud.SourceReceiver(), map[string]bool{}
	return b.eventually(ctx, "Receive: unsettled messages come again", func() (bool, error) {
		messages, err := other.Receive(ctx, "DEFAULT_GROUP", 100)
		for _, m := range messages {
			again[m.ID] = true
		}
		missing := slices.ContainsFunc(first, func(m iot.Message) bool { return !again[m.ID] })
		return !missing, err
	})
}
