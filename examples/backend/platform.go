package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/iotferry/iotferry/examples/internal/town"
	"github.com/iotferry/iotferry/fleets"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

// open wires a service to the platform in memory. A backend of yours has its own wiring.
func open(ctx context.Context, f flags, log *slog.Logger) (*Service, error) {
	entries, err := journal.Open(f.dir)
	if err != nil {
		return nil, err
	}
	entries.Logger = log
	config, err := wire(ctx, f, entries, log)
	if err != nil {
		return nil, errors.Join(err, entries.Close())
	}
	config.Logger, config.Close = log, entries.Close
	config.Runner.Logger = log
	service, err := NewService(config)
	if err == nil {
		config.Commands.Work(f.commands)
	}
	return service, err
}

func wire(ctx context.Context, f flags, entries migrate.Journal, log *slog.Logger) (Config, error) {
	store := Store{Dir: f.dir}
	past, err := remember(ctx, store, entries)
	if err != nil {
		return Config{}, err
	}
	clock := iot.SystemClock()
	if f.fast {
		clock = migratetest.NewClock(past.latest)
	}
	cloud, err := openCloud(f.fleet, clock)
	if err != nil {
		return Config{}, err
	}
	owner, err := newCustomer(ctx, cloud, clock, log)
	if err != nil {
		return Config{}, err
	}
	if err := past.restore(ctx, owner); err != nil {
		return Config{}, errors.Join(fmt.Errorf("bring the platform in memory to where it was: %w", err), owner.commands.Close())
	}
	return configure(owner, clock, store, entries), nil
}

// configure returns the configuration for a platform in memory.
func configure(owner *customer, clock iot.Clock, store Store, entries migrate.Journal) Config {
	options := town.Options(owner)
	options.MaxBacklog = 1000 // devices go on to send while the campaign looks
	strategies := scenario.All(options)
	c := Config{
		Store: store, Commands: owner.commands, Messages: owner.messages, Stream: owner.consumer.run,
		Runner: migrate.Config{
			Strategies: strategies, Platform: owner.Platform(), Journal: entries, Operator: owner.Operator(), Clock: clock,
			Owner: fmt.Sprintf("backend, process %d", os.Getpid()),
		},
	}
	c.Plan = func(ctx context.Context) (*migrate.Plan, error) {
		survey, err := owner.Survey(ctx)
		if err != nil {
			return nil, err
		}
		plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
		if err == nil {
			town.RunClients(owner, plan)
		}
		return plan, err
	}
	if jumps(clock) {
		c.Runner.Clock, c.Stream = readingClock{clock, owner.consumer}, nil
		// While somebody is asked, the clock does not jump past the gate's deadline. People answer over HTTP.
		c.Runner.Workers = 1
		c.Runner.Approver = migrate.ApproverFunc(func(ctx context.Context, _ migrate.Gate) (migrate.Decision, error) {
			<-ctx.Done()
			return migrate.Decision{}, ctx.Err()
		})
	}
	return c
}

// jumps reports whether time is virtual.
func jumps(clock iot.Clock) bool {
	_, virtual := clock.(*migratetest.Clock)
	return virtual
}

func openCloud(name string, clock iot.Clock) (*migratetest.Cloud, error) {
	var file io.ReadCloser = io.NopCloser(fleets.Demo())
	if name != "" {
		var err error
		if file, err = os.Open(name); err != nil {
			return nil, err
		}
	}
	defer file.Close()
	options := migratetest.Options{Clock: clock}
	if jumps(clock) {
		options.ReportEvery = 5 * time.Minute // the messages of weeks are read in seconds
	}
	return migratetest.Open(file, options)
}
