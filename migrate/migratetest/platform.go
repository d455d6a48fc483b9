package migratetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A Connection is an adapter's way to a platform: what [TestPlatform] tests.
type Connection struct {
	Platform iot.Platform
	// Source and Target consume from the consumer groups of the two instances.
	Source, Target iot.Receiver
}

// TestPlatform runs an adapter of the platform through the contracts of package iot, each group of them in a
// subtest with a platform of its own. connect returns the adapter's connection to that platform, however it
// reaches it; [Cloud.Connection] is that of the platform in memory itself. Everything that connect starts has to end with
// the subtest.
//
// The suite uses the contracts of package iot alone, and steers the platform by [Cloud]. The platform's time is
// virtual and quotas are off, so an adapter's own pace must not depend on the platform's clock. Where an
// answer may take a while to become visible, the suite waits for it.
func TestPlatform(t *testing.T, connect func(*testing.T, *Cloud) Connection) {
	for _, c := range platformCases {
		t.Run(c.name, func(t *testing.T) {
			b, err := newPlatformBench()
			if err != nil {
				t.Fatal(err)
			}
			b.Connection = connect(t, b.cloud)
			if err := b.Platform.Check(); err != nil {
				t.Fatal(err)
			}
			if err := c.run(t.Context(), b); err != nil {
				t.Error(err)
			}
		})
	}
}

// Connection returns the platform in memory itself, without anything between.
func (c *Cloud) Connection() Connection {
	return Connection{Platform: c.Platform(), Source: c.SourceReceiver(), Target: c.TargetReceiver()}
}

// A platformCase returns what an adapter got wrong, so that the suite itself can be tested.
type platformCase struct {
	name string
	run  func(context.Context, *platformBench) error
}

var platformCases = []platformCase{
	{"products", platformProducts},
	{"devices", platformDevices},
	{"pages", platformPages},
	{"states", platformStates},
	{"topology", platformTopology},
	{"rules", platformRules},
	{"groups", platformGroups},
	{"thing model", platformModel},
	{"model versions", platformVersions},
	{"history", platformHistory},
	{"configuration", platformConfig},
	{"configure", platformConfigure},
	{"wrong instance", platformWrongInstance},
	{"move", platformMove},
	{"move refused", platformMoveRefused},
	{"move limits", platformMoveLimits},
	{"lost answers", platformLost},
	{"dropped names", platformDropped},
	{"register", platformRegister},
	{"subscribe", platformSubscribe},
	{"publish", platformPublish},
	{"call", platformCall},
	{"services", platformServices},
	{"receive", platformReceive},
	{"redelivery", platformRedelivery},
	{"done context", platformDone},
	{"error kinds", platformKinds},
	{"concurrent", platformConcurrent},
}

// A platformBench is a platform with an adapter.
type platformBench struct {
	Connection
	clock *Clock
	cloud *Cloud

	mu    sync.Mutex
	fault func(Op) Fault
}

// The sizes of the fleet: more of everything than fits on a page.
const (
	benchDirect   = 230
	benchSubs     = 70
	benchProducts = 205 // that have no devices
)

func newPlatformBench() (*platformBench, error) {
	file := Generate(GenerateOptions{
		Direct: benchDirect, PreRegistered: 5, ThingModel: 4, Gateways: 2, SubDevices: benchSubs,
		OfflineEvery: 4, Empty: benchProducts,
	})
	b := &platformBench{clock: NewClock(worldStart())}
	var err error
	b.cloud, err = Open(bytes.NewReader(file), Options{Clock: b.clock, NoQuotas: true, Fault: func(op Op) Fault {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.fault == nil {
			return Fault{}
		}
		return b.fault(op)
	}})
	return b, err
}

// disturb lets a fault happen to an API from now on; an empty name ends it.
func (b *platformBench) disturb(api string, f Fault) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = func(op Op) Fault {
		if op.Kind == "api" && op.Name == api {
			return f
		}
		return Fault{}
	}
}

// calls counts the calls of all APIs, or of one.
func (b *platformBench) calls(api string) int {
	n := 0
	for _, c := range b.cloud.Calls() {
		if !c.Console && (api == "" || c.Name == api) {
			n += c.Calls
		}
	}
	return n
}

// silent returns an error if do makes a call.
func (b *platformBench) silent(what string, do func() error) error {
	before := b.calls("")
	if err := do(); err != nil {
		return err
	}
	if n := b.calls("") - before; n > 0 {
		return fmt.Errorf("%s: %d calls were made, want none", what, n)
	}
	return nil
}

// refused returns an error unless err is of a kind.
func refused(what string, err error, kind iot.Kind) error {
	if !errors.Is(err, kind) || iot.KindOf(err) != kind {
		return fmt.Errorf("%s: got error %v of kind %q, want kind %q", what, err, iot.KindOf(err), kind)
	}
	return nil
}

// eventually waits, in the platform's time, until is holds.
func (b *platformBench) eventually(ctx context.Context, what string, is func() (bool, error)) error {
	const tries = 400
	for i := range tries {
		ok, err := is()
		if ok || err != nil {
			return err
		}
		b.clock.Advance(500 * time.Millisecond)
		if i < tries/4 {
			continue // the platform in memory needs no real time
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s: that does not come to be", what)
}

// perform does console tasks for one product.
func (b *platformBench) perform(ctx context.Context, product string, names []string, kinds ...migrate.ConsoleKind) error {
	for _, kind := range kinds {
		err := b.cloud.Operator().Perform(ctx, migrate.ConsoleTask{
			Kind: kind, Target: b.Platform.Target.Info,
			Products: []migrate.ConsoleProduct{{ProductKey: product, DeviceNames: names}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// open gets a product so far that the API moves its devices, by moving one of them.
func (b *platformBench) open(ctx context.Context, product, first string) error {
	return b.perform(ctx, product, []string{first}, migrate.ConsoleCreate, migrate.ConsoleGray, migrate.ConsoleConfirm)
}

func directName(n int) string { return fmt.Sprintf("direct-%04d", n) }

func directID(n int) iot.DeviceID {
	return iot.DeviceID{ProductKey: DirectProduct, DeviceName: directName(n)}
}

func directNames(from, to int) []string {
	var names []string
	for n := from; n < to; n++ {
		names = append(names, directName(n))
	}
	return names
}
