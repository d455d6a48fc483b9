package migrate_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// TestDowntimeFailsNobody stops a campaign in the middle of a wave for longer than every deadline of its devices. They
// fail by what is seen after that, never because nobody looked.
func TestDowntimeFailsNobody(t *testing.T) {
	for name, stops := range map[string]func(migrate.Entry) bool{
		"arriving": func(e migrate.Entry) bool {
			return e.Kind == migrate.EntryOutcome && e.Product == migratetest.GatewayProduct
		},
		"verifying": func(e migrate.Entry) bool { return e.Kind == migrate.EntryVerdicts && e.End },
	} {
		t.Run(name, func(t *testing.T) {
			clock := migratetest.NewClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			c := start(t, setup{
				fleet: migratetest.GenerateOptions{Gateways: 3, SubDevices: 3}, clock: clock,
				watch: func(e migrate.Entry, _ *migrate.State) {
					if e.Stage == "rest" && stops(e) {
						stop()
					}
				},
			})
			if _, err := c.runner.Run(ctx); err == nil {
				t.Fatal("the run was not stopped")
			}
			clock.Advance(12 * time.Hour)
			c.newRunner()
			if r := c.run(); r.Outcome != migrate.OutcomeProven {
				t.Errorf("the campaign ends %s, after a night in which nobody looked: %+v", r.Outcome, r.Lanes)
			}
		})
	}
}

// TestHangingLooksFailNobody lets looks and rounds hang until they are given up: their lane halts, and no device fails for
// what nobody could see.
func TestHangingLooksFailNobody(t *testing.T) {
	for _, kind := range []migrate.EntryKind{migrate.EntryIntent, migrate.EntryLook} { // the task after it hangs
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var hangs atomic.Bool
				var once sync.Once
				c := start(t, setup{
					fleet: migratetest.GenerateOptions{Direct: 8}, clock: iot.SystemClock(),
					watch: func(e migrate.Entry, _ *migrate.State) {
						if e.Kind == kind && e.Stage == "rest" && (e.End || kind == migrate.EntryIntent) {
							once.Do(func() { hangs.Store(true) })
						}
					},
				})
				c.config.Platform.Target.StateReader = mayHang{c.config.Platform.Target.StateReader, &hangs}
				c.newRunner()
				l := c.run().Lanes[0]
				if l.Halt != migrate.HaltDeadline || l.Failed > 0 || !strings.Contains(l.Note, "no answer came") {
					t.Errorf("halted for %q (%s) with %d failed devices", l.Halt, l.Note, l.Failed)
				}
				hangs.Store(false)
				c.decide(migrate.Decision{Kind: migrate.Resume})
				if r := c.run(); r.Outcome != migrate.OutcomeProven {
					t.Errorf("resumed, the campaign ends %s: %+v", r.Outcome, r.Lanes)
				}
				c.movedOnce()
			})
		})
	}
}

type mayHang struct {
	iot.StateReader
	hangs *atomic.Bool
}

func (m mayHang) States(ctx context.Context, product string, names []string) ([]iot.DeviceState, error) {
	if m.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return m.StateReader.States(ctx, product, names)
}
