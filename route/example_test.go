package route_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/route"
)

// A backend is a service that sends commands.
type backend struct {
	devices iot.Commander
	router  *route.Router
	store   route.Store
	follow  *route.Follower
	log     *slog.Logger
}

// openBackend is where the value is made that the rest of the service sends with.
func openBackend(
	ctx context.Context, platform iot.Platform, store route.Store, entries migrate.Journal, plan *migrate.Plan, log *slog.Logger,
) (*backend, error) {
	table, err := route.NewTable(platform.Target.Info.ID)
	if err != nil {
		return nil, err
	}
	if err := table.Load(ctx, store); err != nil {
		log.Warn("what was known of devices cannot be read: the journal, calls and looks tell it again", "error", err)
	}
	router, err := route.New(route.Config{Table: table, Source: platform.Source, Target: platform.Target})
	if err != nil {
		return nil, err
	}
	devices, err := router.Client(platform.Source, platform.Target)
	if err != nil {
		return nil, err
	}
	follow, err := route.NewFollower(table, entries, "spring", plan)
	if err != nil {
		return nil, err
	}
	return &backend{devices: devices, router: router, store: store, follow: follow, log: log}, nil
}

// run keeps the table up to date until ctx ends.
func (b *backend) run(ctx context.Context) error {
	defer b.router.Close()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if err := b.follow.CatchUp(ctx); err != nil {
			b.log.Warn("the campaign cannot be followed: devices are found by calls and looks", "error", err)
		}
		if err := b.router.Table().Save(ctx, b.store); err != nil {
			b.log.Warn("what is known of devices is not saved", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return b.router.Table().Save(context.WithoutCancel(ctx), b.store)
		}
	}
}

// received is called with every message of the consumer group.
func (b *backend) received(m iot.Message) {
	if b.router.Notice(m) {
		return
	}
	b.handle(m)
}

func (b *backend) handle(m iot.Message) { b.log.Info("message", "topic", m.Topic) }

// switchOn sends a command, and says what the caller can do if it fails.
func (b *backend) switchOn(ctx context.Context, id iot.DeviceID) error {
	_, err := b.devices.SetProperties(ctx, id, []byte(`{"Power":1}`))
	switch iot.KindOf(err) {
	case iot.UnknownOutcome:
		return fmt.Errorf("it may be on or off, read its state before you send it again: %w", err)
	case iot.Throttled, iot.Transient, iot.NotConnected:
		return fmt.Errorf("nothing happened, try again: %w", err)
	}
	return err
}

// A backend calls these while it runs; here they only have to compile.
var _ = []any{(*backend).run, (*backend).received, (*backend).switchOn}

// A backend that follows a campaign sends each command to the instance that has the device.
func Example() {
	ctx := context.Background()
	cloud, err := migratetest.Open(bytes.NewReader(migratetest.Generate(migratetest.GenerateOptions{ThingModel: 3})), migratetest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	platform, entries := cloud.Platform(), journal.NewMemory()
	b, err := openBackend(ctx, platform, route.NewFile("/nowhere/table"), entries, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.router.Close()
	id := iot.DeviceID{ProductKey: migratetest.ThingModelProduct, DeviceName: "battery-0001"}
	now := time.Now()
	err = errors.Join(
		entries.Append(ctx, "spring", 0, migrate.Entry{Kind: migrate.EntryCampaign, At: now, Header: &migrate.Header{
			Version: migrate.JournalVersion, Target: platform.Target.Info,
		}}, migrate.Entry{Kind: migrate.EntryIntent, At: now, Names: migrate.DeviceSet{id}}),
		b.follow.CatchUp(ctx))
	if err != nil {
		fmt.Println(err)
		return
	}
	at, err := b.router.Where(ctx, id)
	fmt.Println(b.router.Table().Lookup(id), at, err)
	// Output: moving source <nil>
}
