package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

func idOf(product, name string) iot.DeviceID {
	return iot.DeviceID{ProductKey: product, DeviceName: name}
}

// What has changed since the plan is seen before each wave: new sub-devices move with their family, families that are not as
// planned stay whole where they are, and none of them has failed.
func TestWaveOfChangedFamilies(t *testing.T) {
	var c *campaign
	gw := func(n string) iot.DeviceID { return idOf(migratetest.GatewayProduct, "gateway-000"+n) }
	change := func() {
		fresh := idOf(migratetest.SubProduct, "fresh-sensor")
		for what, err := range map[string]error{
			"joins":        c.cloud.Add(fresh, gw("8")),
			"foreign":      c.cloud.Add(idOf("a1Empty0000", "foreign-one"), gw("2")),
			"regrouped":    c.cloud.SetGateway(idOf(migratetest.SubProduct, "sensor-0006"), gw("4")),
			"loose":        c.cloud.SetGateway(idOf(migratetest.SubProduct, "sensor-0010"), iot.DeviceID{}),
			"deleted":      c.cloud.Delete(idOf(migratetest.SubProduct, "sensor-0012")),
			"moved":        c.cloud.MoveByHand(idOf(migratetest.SubProduct, "sensor-0014"), idOf(migratetest.SubProduct, "sensor-0015"), idOf(migratetest.OtherSubProduct, "valve-0007"), gw("7")),
			"direct":       c.cloud.Delete(idOf(migratetest.DirectProduct, "direct-0005")),
			"direct moved": c.cloud.MoveByHand(idOf(migratetest.DirectProduct, "direct-0004")),
		} {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	changed, ready := false, 0
	c = start(t, setup{fleet: migratetest.GenerateOptions{Direct: 6, Gateways: 9, SubDevices: 3, Empty: 1}, strategy: weeks,
		file: func(file []byte) []byte { // the product without devices is one of sub-devices
			before, after, _ := bytes.Cut(file, []byte("a1Empty0000"))
			return slices.Concat(before, []byte("a1Empty0000"), bytes.Replace(after, []byte(`"nodeType": "direct"`), []byte(`"nodeType": "subdevice"`), 1))
		},
		watch: func(e migrate.Entry, _ *migrate.State) {
			if e.Kind == migrate.EntryWait && e.Stage == "first-week" && !changed {
				if ready++; ready == 2 { // both lanes have their tasks
					changed = true
					change()
				}
			}
		}})
	report := c.run()
	if report.Outcome != migrate.OutcomeUnproven {
		t.Fatalf("outcome %s: %+v", report.Outcome, report.Lanes)
	}
	i := slices.IndexFunc(report.Lanes, func(l migrate.LaneReport) bool { return l.Lane == migratetest.GatewayProduct })
	lane := report.Lanes[i]
	whys := map[string]string{}
	for _, f := range lane.Drifted {
		whys[f.Device.DeviceName] = f.Evidence.Seen
		owner, ok := c.cloud.Owner(f.Device)
		if owner != "" || ok == strings.Contains(f.Evidence.Seen, "deleted since") && f.Device.DeviceName == "sensor-0012" {
			t.Errorf("device %s was left out and is at %q", f.Device, owner)
		}
	}
	if lane.Failed != 0 || lane.Joined != 1 || lane.ByOthers != 4 || lane.LeftOut != len(lane.Drifted) {
		t.Errorf("%d failed, %d joined, %d moved by others, %d left out", lane.Failed, lane.Joined, lane.ByOthers, lane.LeftOut)
	}
	for device, why := range map[string]string{
		"sensor-0006":  "its gateway is a1Gateway01/gateway-0004, planned is a1Gateway01/gateway-0003",
		"gateway-0004": "sensor-0006 is a sub-device of it now",
		"sensor-0010":  "it is no sub-device of gateway a1Gateway01/gateway-0005 any more, nor of another one",
		"sensor-0012":  "deleted since the survey",
		"gateway-0002": "it has a new sub-device a1Empty0000/foreign-one, of a product that is not in the lane",
		"gateway-0006": "not moved: a1SubOne001/sensor-0012 of its family",
	} {
		if !strings.Contains(whys[device], why) {
			t.Errorf("%s was left out because %q, want %q", device, whys[device], why)
		}
	}
	if owner, _ := c.cloud.Owner(idOf(migratetest.SubProduct, "fresh-sensor")); owner != c.target() {
		t.Errorf("the new sub-device is at %q, want the target", owner)
	}
	if lane.Proven != 4*4+1 {
		t.Errorf("%d are proven, want those of 4 families and the new one", lane.Proven)
	}
	want := []iot.DeviceID{}
	for _, f := range lane.Appeared {
		want = append(want, f.Device)
	}
	if len(want) > 0 {
		t.Errorf("appeared in the end: %v", want)
	}
}

// A wave that can be returned for a limited time is warned of once, when a fifth of it is left, and the report tells of each.
func TestReverseWindow(t *testing.T) {
	const window = 10 * 24 * time.Hour
	var warned []migrate.Entry
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 12}, strategy: weeks, deadlines: migrate.Deadlines{Reverse: window},
		watch: func(e migrate.Entry, _ *migrate.State) {
			if e.Kind == migrate.EntryReverse {
				warned = append(warned, e)
			}
		}})
	report := c.run()
	lane := report.Lanes[0]
	if report.Outcome != migrate.OutcomeProven || len(lane.Reversible) < 4 {
		t.Fatalf("outcome %s, can be returned: %v", report.Outcome, lane.Reversible)
	}
	first := lane.Reversible[0]
	if first.Stage != "first-gray" || !first.Until.Equal(first.Began.Add(window)) {
		t.Errorf("the first wave: %+v", first)
	}
	if len(warned) != 1 || warned[0].Stage != "first-gray" || warned[0].Wave != 1 || !warned[0].Until.Equal(first.Until) {
		t.Fatalf("warnings: %+v", warned)
	}
	if at := warned[0].At; at.Before(first.Began.Add(window/5*4)) || at.After(first.Began.Add(window/5*4+time.Hour)) {
		t.Errorf("the warning came at %v, the wave began at %v", at, first.Began)
	}
	c.decide(migrate.Decision{Kind: migrate.Rollback, Lane: lane.Lane, Stage: "first-gray", Wave: 1})
	if left := c.run().Lanes[0].Reversible; len(left) == 0 || left[0].Stage == "first-gray" {
		t.Errorf("after the return of the first wave: %v", left)
	}
	unknown := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 4}, strategy: gray}).run()
	if r := unknown.Lanes[0].Reversible; len(r) == 0 || !r[0].Until.IsZero() {
		t.Errorf("nobody declared how long: %v", r)
	}
}

// Devices that were offline before their move prove themselves when they wake, while the lane waits for them.
func TestWaking(t *testing.T) {
	var c *campaign
	wakes := idOf(migratetest.DirectProduct, "direct-0003")
	var since time.Time
	c = start(t, setup{fleet: migratetest.GenerateOptions{Direct: 16, OfflineEvery: 4}, strategy: gray, deadlines: migrate.Deadlines{Wake: 72 * time.Hour},
		watch: func(e migrate.Entry, s *migrate.State) {
			waking := s.Report("c").Lanes[0].Waking
			if waking && since.IsZero() {
				since = e.At
			}
			if waking && !c.cloud.Online(wakes) && e.At.Sub(since) > 24*time.Hour {
				cred, err := c.cloud.Credential(t.Context(), wakes)
				if err == nil {
					err = c.cloud.PowerOn(cred)
				}
				if err != nil {
					t.Error(err)
				}
			}
		}})
	report := c.run()
	lane := report.Lanes[0]
	if report.Outcome != migrate.OutcomeProven || lane.Proven != 13 || lane.Asleep != 3 || lane.Failed != 0 {
		t.Fatalf("outcome %s: %d proven, %d asleep, %d failed", report.Outcome, lane.Proven, lane.Asleep, lane.Failed)
	}
	if waited := report.Latest.Sub(since); waited < 72*time.Hour || waited > 73*time.Hour {
		t.Errorf("the lane waited for %v", waited)
	}
	states, err := c.config.Platform.Target.States(t.Context(), wakes.ProductKey, []string{wakes.DeviceName})
	if err != nil || len(states) != 1 || states[0].Status != iot.Online {
		t.Errorf("the device that woke is %v (%v)", states, err)
	}
}

// An abort and a rollback work while a lane waits for devices to wake, and a resumed lane waits no longer than it was to.
func TestDecisionsWhileWaking(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var since time.Time
	c := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 8, OfflineEvery: 4}, strategy: gray, deadlines: migrate.Deadlines{Wake: 72 * time.Hour},
		watch: func(e migrate.Entry, s *migrate.State) {
			if since.IsZero() && s.Report("c").Lanes[0].Waking {
				since = e.At
				cancel()
			}
		}})
	if _, err := c.runner.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("the run ended with %v", err)
	}
	c.decide(migrate.Decision{Kind: migrate.Abort})
	if lane := c.run().Lanes[0]; lane.Halt != migrate.HaltAborted || !lane.Waking || lane.Asleep != 2 {
		t.Fatalf("after the abort: %+v", lane)
	}
	c.config.Clock.(*migratetest.Clock).Advance(24 * time.Hour)
	c.decide(migrate.Decision{Kind: migrate.Resume})
	report := c.run()
	if waited := report.Latest.Sub(since); !report.Lanes[0].Finished || waited > 73*time.Hour {
		t.Errorf("finished: %v, after %v", report.Lanes[0].Finished, waited)
	}
	c.decide(migrate.Decision{Kind: migrate.Rollback})
	if lane := c.run().Lanes[0]; lane.Halt != migrate.HaltReturned || lane.Returned != 8 || len(lane.Reversible) > 0 {
		t.Errorf("after the rollback: %+v", lane)
	}
}

// A plan that was made before the new settings existed has the hash that it had.
func TestNewSettingsLeaveOldPlansAlone(t *testing.T) {
	old := start(t, setup{fleet: migratetest.GenerateOptions{Direct: 4}, strategy: gray}).config.Plan
	var text strings.Builder
	if err := old.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"maxOffline", "reverse", "wake", "follow"} {
		if strings.Contains(text.String(), field) {
			t.Errorf("the plan has a field %q", field)
		}
	}
	if diff := cmp.Diff(1, strings.Count(text.String(), `"return":`)); diff != "" {
		t.Error(diff)
	}
}
