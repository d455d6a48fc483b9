package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/verify"
)

// A customer is the owner of the account on the platform in memory, whose server is the backend. Make one with newCustomer.
type customer struct {
	*migratetest.Cloud
	commands *Commands
	messages *Messages
	consumer *consumer
}

// newCustomer lets the backend work with a platform, as before the migration: it commands all devices, and reads what they send.
func newCustomer(ctx context.Context, cloud *migratetest.Cloud, clock iot.Clock, log *slog.Logger) (*customer, error) {
	p := cloud.Platform()
	commands, err := NewCommands(p, clock, slices.Collect(cloud.Devices()), log)
	if err != nil {
		return nil, err
	}
	// Where time jumps, order is that of the times themselves; else messages wait for older ones.
	holdBack := time.Duration(0)
	if jumps(clock) {
		holdBack = -1
	}
	messages, err := NewMessages(p.Target.Info.ID, holdBack, commands.Notice)
	if err != nil {
		return nil, errors.Join(err, commands.Close())
	}
	c := &customer{cloud, commands, messages, newConsumer(cloud, clock, messages.Handle, log)}
	c.Serve("") // it reads the public instance, as it always has
	if err := c.subscribe(ctx); err != nil {
		return nil, errors.Join(err, commands.Close())
	}
	return c, nil
}

// Serve lets the backend read the consumer groups of an instance from now on.
func (c *customer) Serve(instanceID string) { c.consumer.serve(instanceID) }

// Sink is where messages of the target arrive: in the tables that rules write to, and at the backend.
func (c *customer) Sink() verify.Sink { return verify.Sinks(c.Cloud.Sink(), c.messages) }

// subscribe lets the backend's group at the source have what all devices send, as it has had before the migration.
func (c *customer) subscribe(ctx context.Context) error {
	source, done := c.Platform().Source, map[string]bool{}
	for id := range c.Devices() {
		if done[id.ProductKey] {
			continue
		}
		done[id.ProductKey] = true
		if err := town.Subscribe(ctx, source, group, id.ProductKey); err != nil {
			return err
		}
	}
	return nil
}
