package migratetest

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A guard counts writes that are made after the end of a run's context with one that has not ended.
type guard struct {
	over func() bool
	late atomic.Int64
}

func (g *guard) pass(ctx context.Context) {
	if g.over() && ctx.Err() == nil {
		g.late.Add(1)
	}
}

func (g *guard) platform(p iot.Platform) iot.Platform {
	p.Source, p.Target = g.instance(p.Source), g.instance(p.Target)
	p.Mover = guardedMover{p.Mover, g}
	return p
}

func (g *guard) instance(i iot.Instance) iot.Instance {
	i.Commander = guardedCommander{i.Commander, g}
	i.Registrar = guardedRegistrar{i.Registrar, g}
	i.Subscriber = guardedSubscriber{i.Subscriber, g}
	if i.Configure.Labels != nil {
		i.Configure.Labels = guardedLabels{i.Configure.Labels, g}
	}
	if i.Configure.DeviceGroups != nil {
		i.Configure.DeviceGroups = guardedGroups{i.Configure.DeviceGroups, g}
	}
	return i
}

func (g *guard) operator(o migrate.Operator) migrate.Operator {
	return migrate.OperatorFunc(func(ctx context.Context, t migrate.ConsoleTask) error {
		g.pass(ctx)
		return o.Perform(ctx, t)
	})
}

// The guarded interfaces let a [guard] see each call that writes.

type guardedMover struct {
	iot.Mover
	guard *guard
}

func (g guardedMover) Move(ctx context.Context, productKey string, names []string) ([]iot.MoveResult, error) {
	g.guard.pass(ctx)
	return g.Mover.Move(ctx, productKey, names)
}

type guardedRegistrar struct {
	iot.Registrar
	guard *guard
}

func (g guardedRegistrar) Register(ctx context.Context, id iot.DeviceID) (iot.Credential, error) {
	g.guard.pass(ctx)
	return g.Registrar.Register(ctx, id)
}

type guardedSubscriber struct {
	iot.Subscriber
	guard *guard
}

func (g guardedSubscriber) CreateGroup(ctx context.Context, name string) (iot.ConsumerGroup, error) {
	g.guard.pass(ctx)
	return g.Subscriber.CreateGroup(ctx, name)
}

func (g guardedSubscriber) Subscribe(ctx context.Context, s iot.Subscription) error {
	g.guard.pass(ctx)
	return g.Subscriber.Subscribe(ctx, s)
}

type guardedCommander struct {
	iot.Commander
	guard *guard
}

func (g guardedCommander) Publish(ctx context.Context, topic string, payload []byte) (string, error) {
	g.guard.pass(ctx)
	return g.Commander.Publish(ctx, topic, payload)
}

func (g guardedCommander) Call(ctx context.Context, id iot.DeviceID, payload []byte, timeout time.Duration) ([]byte, error) {
	g.guard.pass(ctx)
	return g.Commander.Call(ctx, id, payload, timeout)
}

func (g guardedCommander) Invoke(ctx context.Context, id iot.DeviceID, service string, args json.RawMessage) (iot.ServiceReply, error) {
	g.guard.pass(ctx)
	return g.Commander.Invoke(ctx, id, service, args)
}

func (g guardedCommander) SetProperties(ctx context.Context, id iot.DeviceID, items json.RawMessage) (string, error) {
	g.guard.pass(ctx)
	return g.Commander.SetProperties(ctx, id, items)
}

type guardedLabels struct {
	iot.LabelWriter
	guard *guard
}

func (g guardedLabels) SetLabels(ctx context.Context, id iot.DeviceID, labels map[string]string) error {
	g.guard.pass(ctx)
	return g.LabelWriter.SetLabels(ctx, id, labels)
}

type guardedGroups struct {
	iot.DeviceGroupWriter
	guard *guard
}

func (g guardedGroups) CreateDeviceGroup(ctx context.Context, group iot.DeviceGroup) (iot.DeviceGroup, error) {
	g.guard.pass(ctx)
	return g.DeviceGroupWriter.CreateDeviceGroup(ctx, group)
}

func (g guardedGroups) AddToDeviceGroup(ctx context.Context, groupID string, ids []iot.DeviceID) (iot.GroupAdded, error) {
	g.guard.pass(ctx)
	return g.DeviceGroupWriter.AddToDeviceGroup(ctx, groupID, ids)
}
