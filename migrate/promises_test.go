package migrate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

// A fullDisk takes so many appends, and then none.
type fullDisk struct {
	*journal.Memory
	room int
}

var errFull = errors.New("no space left on device")

func (j *fullDisk) Append(ctx context.Context, campaign string, after int64, e ...migrate.Entry) error {
	if j.room == 0 {
		return errFull
	}
	j.room--
	return j.Memory.Append(ctx, campaign, after, e...)
}

// What cannot be written down is not done: at whatever append the disk is full, nothing is changed on the platform any more,
// and the run says why.
func TestFullDiskStopsBeforeTheNextEffect(t *testing.T) {
	stopped := 0
	for room := 0; ; room++ {
		disk := &fullDisk{Memory: journal.NewMemory(), room: room}
		late := ""
		c := start(t, setup{fleet: migratetest.GenerateOptions{Gateways: 1, SubDevices: 2}, journal: disk, fault: func(op migratetest.Op) migratetest.Fault {
			if disk.room == 0 && op.Writes() && !disk.announced(t, op) {
				late = op.Name
			}
			return migratetest.Fault{}
		}})
		_, err := c.runner.Run(t.Context())
		if late != "" {
			t.Fatalf("the disk is full after %d appends, and %s was called", room, late)
		}
		if err == nil {
			break
		}
		if stopped++; !errors.Is(err, errFull) {
			t.Fatalf("the disk is full after %d appends, and the run ends with %v", room, err)
		}
	}
	if stopped < 20 {
		t.Errorf("the disk was full %d times: the campaign did not come to where it matters", stopped)
	}
}

// announced reports whether the last entry that found room is the intent of an operation.
func (j *fullDisk) announced(t *testing.T, op migratetest.Op) bool {
	var last migrate.Entry
	for e, err := range j.Entries(t.Context(), "c", 0) {
		if err != nil {
			t.Fatal(err)
		}
		last = e
	}
	if op.Kind == "console" {
		return last.Kind == migrate.EntryAsked
	}
	return last.Kind == migrate.EntryIntent && last.Product == op.ProductKey
}

// spiedStates tells whether states are read urgently.
type spiedStates struct {
	iot.StateReader
	urgent, ordinary *int
}

func (s spiedStates) States(ctx context.Context, product string, names []string) ([]iot.DeviceState, error) {
	if iot.IsUrgent(ctx) {
		*s.urgent++
	} else {
		*s.ordinary++
	}
	return s.StateReader.States(ctx, product, names)
}

// The looks of a way back do not wait behind others, and the others do not use what is kept for them.
func TestLooksOfTheWayBackAreUrgent(t *testing.T) {
	var urgent, ordinary int
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 6}})
	c.config.Platform.Source.StateReader = spiedStates{c.config.Platform.Source.StateReader, &urgent, &ordinary}
	c.newRunner()
	c.run()
	if urgent > 0 || ordinary == 0 {
		t.Errorf("%d looks of the way forward were urgent, %d ordinary", urgent, ordinary)
	}
	c.decide(migrate.Decision{Kind: migrate.Rollback})
	urgent, ordinary = 0, 0
	c.run()
	if urgent == 0 || ordinary > 0 {
		t.Errorf("%d looks of the way back were urgent, %d ordinary", urgent, ordinary)
	}
}

// TestNothingTellsASecret searches everything that a campaign writes for the secrets of its devices and products. It
// registers a device on its way, and fails in words of its own.
func TestNothingTellsASecret(t *testing.T) {
	var log, all bytes.Buffer
	c := start(t, setup{
		fleet: migratetest.GenerateOptions{PreRegistered: 6, OfflineEvery: 3},
		strategy: func(cloud *migratetest.Cloud) migrate.Strategy {
			return scenario.PreRegistered(scenario.Options{
				FirstGray: 2, Sink: cloud.Sink(), NewDeviceName: "brand-new",
				UpdateSubscriber: func(context.Context, *migrate.Env) error { cloud.Serve(cloud.Platform().Target.Info.ID); return nil },
				NewDevice: func(_ context.Context, _ *migrate.Env, cred iot.Credential) error {
					return fmt.Errorf("the first device %s with secret %v: %+v", cred.ID, cred.Secret, cred)
				},
			})
		},
	})
	c.config.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c.newRunner()
	c.cloud.Serve("")
	survey, err := c.cloud.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.config.Plan.Write(&all); err != nil {
		t.Fatal(err)
	}
	report, err := c.runner.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&all, "%+v %+v\n%s\n", survey, report, log.Bytes())
	for _, v := range []any{survey, report} {
		if err := json.NewEncoder(&all).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	registered := false
	for e, err := range c.config.Journal.Entries(t.Context(), "c", 0) {
		if err != nil {
			t.Fatal(err)
		}
		registered = registered || strings.Contains(e.Error, "the first device")
		if err := json.NewEncoder(&all).Encode(e); err != nil {
			t.Fatal(err)
		}
	}
	if !registered {
		t.Errorf("the campaign ends %s without an error about a new device: %+v", report.Outcome, report.Lanes)
	}
	secrets := []string{"testAccessKeySecret", "testProductSecret"} // of migratetest.Generate
	devices := slices.Collect(c.cloud.Devices())
	for _, id := range append(devices, iot.DeviceID{ProductKey: migratetest.PreRegisteredProduct, DeviceName: "brand-new"}) {
		credential, err := c.cloud.Credential(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, credential.Secret.Reveal())
	}
	for _, secret := range secrets {
		if secret == "" || strings.Contains(all.String(), secret) {
			t.Errorf("the secret %q is empty, or was written", secret)
		}
	}
}

// A decision that comes while a call is under way does not lose its outcome.
func TestDecisionDuringACall(t *testing.T) {
	var c *campaign
	decided := false
	c = start(t, setup{fleet: migratetest.GenerateOptions{Direct: 40}, fault: onMove(func(migratetest.Op) migratetest.Fault {
		if !decided {
			decided = true
			c.decide(migrate.Decision{Kind: migrate.Abort})
		}
		return migratetest.Fault{}
	})})
	if l := c.run().Lanes[0]; l.Halt != migrate.HaltAborted || l.Underway > 0 || l.Calls != 1 {
		t.Errorf("after %d calls halted for %q with %d devices under way, want an abort after one, and none", l.Calls, l.Halt, l.Underway)
	}
	c.movedOnce()
}
