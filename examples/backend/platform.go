package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

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
	if err := past.restore(ctx, cloud); err != nil {
		return Config{}, fmt.Errorf("bring the platform in memory to where it was: %w", err)
	}
	c := configure(cloud, clock, store, entries)
	c.Commands, err = NewCommands(c.Runner.Platform, clock, slices.Collect(cloud.Devices()), log)
	return c, err
}

// configure returns the configuration for a platform in memory.
func configure(cloud *migratetest.Cloud, clock iot.Clock, store Store, entries migrate.Journal) Config {
	strategies := scenario.All(town.Options(cloud))
	c := Config{Store: store, Runner: migrate.Config{
		Strategies: strategies, Platform: cloud.Platform(), Journal: entries, Operator: cloud.Operator(), Clock: clock,
		Owner: fmt.Sprintf("backend, process %d", os.Getpid()),
	}}
	c.Plan = func(ctx context.Context) (*migrate.Plan, error) {
		survey, err := cloud.Survey(ctx)
		if err != nil {
			return nil, err
		}
		plan, err := migrate.Planner{Strategies: strategies}.Plan(survey)
		if err == nil {
			town.RunClients(cloud, plan)
		}
		return plan, err
	}
	if _, jumps := clock.(*migratetest.Clock); jumps {
		// While somebody is asked, the clock does not jump past the gate's deadline. People answer over HTTP.
		c.Runner.Workers = 1
		c.Runner.Approver = migrate.ApproverFunc(func(ctx context.Context, _ migrate.Gate) (migrate.Decision, error) {
			<-ctx.Done()
			return migrate.Decision{}, ctx.Err()
		})
	}
	return c
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
	cloud, err := migratetest.Open(file, migratetest.Options{Clock: clock})
	if err != nil {
		return nil, err
	}
	cloud.Serve("") // the server reads the public instance, as it always has
	return cloud, nil
}
