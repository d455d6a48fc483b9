package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/route"
)

// Commands is the part of the backend that sends to devices. It did so before the migration; package route is all that is new: a
// commander in the place of that of the one instance. It is safe for concurrent use. Make one with [NewCommands].
type Commands struct {
	router  *route.Router
	devices iot.Commander
	fleet   []iot.DeviceID
	log     *slog.Logger
	figures figures

	stop    context.CancelFunc
	life    context.Context
	sending sync.WaitGroup
}

// NewCommands returns what sends to the devices of a fleet, at either instance. The clock is the runner's.
func NewCommands(p iot.Platform, clock iot.Clock, fleet []iot.DeviceID, log *slog.Logger) (*Commands, error) {
	table, err := route.NewTable(p.Target.Info.ID)
	if err != nil {
		return nil, err
	}
	router, err := route.New(route.Config{Table: table, Source: p.Source, Target: p.Target, Clock: clock})
	if err != nil {
		return nil, err
	}
	devices, err := router.Client(watched{p.Source}, watched{p.Target})
	if err != nil {
		return nil, err
	}
	c := &Commands{router: router, devices: devices, fleet: fleet, log: log}
	c.life, c.stop = context.WithCancel(context.Background())
	return c, nil
}

// Notice learns from a message that tells of moves, and reports whether it is one.
func (c *Commands) Notice(m iot.Message) bool { return c.router.Notice(m) }

// Close ends what Work began, and returns when its last command has ended. Closing again does nothing.
func (c *Commands) Close() error {
	c.stop()
	c.sending.Wait()
	return c.router.Close()
}

// follow keeps the table up to date with a campaign that this process runs: whenever its journal has grown. So the table needs no
// store, as the journals are here; a backend apart from the runner keeps one, as docs/backends.md says.
func (c *Commands) follow(ctx context.Context, runner *migrate.Config) error {
	follower, err := route.NewFollower(c.router.Table(), runner.Journal, runner.Campaign, runner.Plan)
	if err != nil {
		return err
	}
	if err := follower.CatchUp(ctx); err != nil {
		return err
	}
	watch := runner.Watch
	runner.Watch = func(e migrate.Entry, s *migrate.State) {
		if err := follower.CatchUp(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("the campaign cannot be followed: devices are found by calls and looks", "error", err)
		}
		if watch != nil {
			watch(e, s)
		}
	}
	return nil
}

// tries is how often a command is sent that had no effect, and pause how long to wait after the first time.
const (
	tries = 5
	pause = 200 * time.Millisecond
)

// Send sends a command and waits for the device's answer. It tries again after errors that say that nothing happened and that this may
// change soon, and after no other: if the outcome is unknown, the device may have got the command, and whether twice is harmful only
// the caller knows.
func (c *Commands) Send(ctx context.Context, id iot.DeviceID, command json.RawMessage) error {
	ctx, trace := traced(ctx)
	began := time.Now()
	for try := 1; ; try++ {
		_, err := c.devices.Call(ctx, id, command, 5*time.Second)
		switch iot.KindOf(err) {
		case iot.Throttled, iot.Transient:
			if try < tries && wait(ctx, time.Duration(try)*pause) {
				continue
			}
		}
		c.figures.add(err, trace.elsewhere.Load(), time.Since(began))
		return err
	}
}

// wait reports whether that time has passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// atOnce is how many commands are under way at most.
const atOnce = 64

// Work lets the backend do its business from now on: it sends that many commands a second to its devices, by turns.
func (c *Commands) Work(perSecond int) {
	if perSecond <= 0 || len(c.fleet) == 0 {
		return
	}
	c.sending.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		places := make(chan struct{}, atOnce)
		for n := 0; ; n++ {
			select {
			case <-tick.C:
			case <-c.life.Done():
				return
			}
			select {
			case places <- struct{}{}:
			case <-c.life.Done():
				return
			}
			c.sending.Go(func() {
				defer func() { <-places }()
				c.work(n, c.fleet[n%len(c.fleet)])
			})
		}
	})
}

// work sends one command. When the service stops, those under way come to their end.
func (c *Commands) work(n int, id iot.DeviceID) {
	err := c.Send(context.WithoutCancel(c.life), id, fmt.Appendf(nil, `{"command":%d}`, n))
	if err != nil && iot.KindOf(err) != iot.NotConnected {
		c.log.Warn("a command failed", "device", id, "error", err)
	}
}
