package verify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

func TestOnline(t *testing.T) {
	tests := []struct {
		name string
		set  func(source, target *site)
		skew time.Duration
		want migrate.Verdict
		seen string
	}{
		{"online since the move", func(_, target *site) { target.online(meter, moved.Add(3*time.Second)) }, 0, migrate.Pass, "online since 2026-03-01T12:00:03.000Z"},
		{"not there yet", func(source, target *site) {}, 0, migrate.Inconclusive, "does not show"},
		{"on both instances", func(source, target *site) { source.shows(meter, iot.Offline); target.online(meter, now) }, 0, migrate.Inconclusive, "the source still shows"},
		{"only at the source", func(source, target *site) { source.online(meter, now) }, 0, migrate.Inconclusive, "the source still shows"},
		{"offline", func(_, target *site) { target.shows(meter, iot.Offline) }, 0, migrate.Inconclusive, "offline"},
		{"never connected", func(_, target *site) { target.shows(meter, iot.Unactive) }, 0, migrate.Inconclusive, "unactive"},
		{"disabled", func(_, target *site) { target.shows(meter, iot.Disabled) }, 0, migrate.Inconclusive, "a person enables it"},
		{"false green: online in a session from before the move", func(_, target *site) { target.online(meter, moved.Add(-3*time.Second)) }, 0, migrate.Inconclusive, "before its move"},
		{"false green: online without any session", func(_, target *site) { target.online(meter, time.Time{}) }, 0, migrate.Inconclusive, "since when is not shown"},
		{"within the default skew", func(_, target *site) { target.online(meter, moved.Add(-2*time.Second)) }, 0, migrate.Pass, "online since"},
		{"within a larger skew", func(_, target *site) { target.online(meter, moved.Add(-9*time.Second)) }, 10 * time.Second, migrate.Pass, "online since"},
		{"no skew at all", func(_, target *site) { target.online(meter, moved.Add(-time.Millisecond)) }, -1, migrate.Inconclusive, "before its move"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source, target := newSite(""), newSite(targetID)
			tt.set(source, target)
			f := one(t, verify.Online(verify.OnlineConfig{Skew: tt.skew}), subject(source, target, meter))
			if f.Verdict != tt.want || !strings.Contains(f.Evidence.Seen, tt.seen) {
				t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
			}
		})
	}
}

func TestOnlineHasTheRunnersName(t *testing.T) {
	if got := verify.Online(verify.OnlineConfig{}).Name(); got != migrate.OnlineVerifier {
		t.Errorf("got %q", got)
	}
}

func TestOnlineSubDeviceNeedsItsGateway(t *testing.T) {
	valve, gateway := dev(valves, "valve-001"), dev(gateways, "gw-001")
	after := moved.Add(time.Second)
	tests := []struct {
		name string
		set  func(source, target *site)
		want migrate.Verdict
		seen string
	}{
		{"gateway online there", func(_, target *site) { target.online(gateway, after) }, migrate.Pass, "through its gateway a1Gateway01/gw-001"},
		{"gateway offline", func(_, target *site) { target.shows(gateway, iot.Offline) }, migrate.Inconclusive, "gateway a1Gateway01/gw-001 is offline"},
		{"gateway left behind", func(source, _ *site) { source.online(gateway, after) }, migrate.Inconclusive, "does not show its gateway"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source, target := newSite(""), newSite(targetID).online(valve, after)
			tt.set(source, target)
			s := family(subject(source, target), gateway, valve)
			s.Devices = s.Devices[:1] // the runner asks about sub-devices alone
			f := one(t, verify.Online(verify.OnlineConfig{}), s)
			if f.Verdict != tt.want || !strings.Contains(f.Evidence.Seen, tt.seen) {
				t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
			}
		})
	}
}

func TestOnlineReadsInBatchesAndInOrder(t *testing.T) {
	source, target := newSite(""), newSite(targetID)
	var ids []iot.DeviceID
	for i := range 120 {
		id := dev(meters, fmt.Sprintf("meter-%04d", i))
		ids = append(ids, id)
		target.online(id, now)
	}
	found := look(t, verify.Online(verify.OnlineConfig{}), subject(source, target, ids...))
	var got []iot.DeviceID
	for _, f := range found {
		got = append(got, f.Device)
	}
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if n := target.count("States"); n != 3 {
		t.Errorf("120 devices took %d calls at the target, want 3", n)
	}
}

func TestStateErrors(t *testing.T) {
	var ids []iot.DeviceID
	for i := range 1000 {
		ids = append(ids, dev(meters, fmt.Sprintf("meter-%04d", i)))
	}
	tests := []struct {
		kind     iot.Kind
		mostErrs int
	}{
		{iot.Transient, 20}, // each batch is tried
		{iot.Throttled, 1},  // a throttled platform is left alone
		{iot.Denied, 1},
	}
	for _, tt := range tests {
		for _, v := range []migrate.Verifier{verify.Online(verify.OnlineConfig{}), verify.Absent()} {
			t.Run(fmt.Sprintf("%s %v", v.Name(), tt.kind), func(t *testing.T) {
				source, target := newSite(""), newSite(targetID)
				target.fails["States"] = fault(tt.kind)
				found, errs := lookAll(t.Context(), v, subject(source, target, ids...))
				if len(found) > 0 || len(errs) != tt.mostErrs || !errors.Is(errs[0], tt.kind) {
					t.Errorf("got %d findings and the errors %v", len(found), errs)
				}
			})
		}
	}
}

func TestGoesOnAfterAnError(t *testing.T) {
	source, target := newSite(""), newSite(targetID)
	ids := []iot.DeviceID{meter, dev(valves, "valve-0001")}
	for _, id := range ids {
		target.online(id, now)
	}
	source.fails["States"], source.failAt["States"] = fault(iot.Transient), 1
	found, errs := lookAll(t.Context(), verify.Absent(), subject(source, target, ids...))
	if len(found) != 1 || len(errs) != 1 {
		t.Errorf("got the findings %v and the errors %v, want one of each", found, errs)
	}
}

func TestDoneContextSendsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, v := range everyVerifier(shelf{}) {
		t.Run(v.Name(), func(t *testing.T) {
			source, target := newSite(""), newSite(targetID)
			s := family(subject(source, target, meter), dev(gateways, "gw-001"), dev(valves, "valve-001"))
			found, errs := lookAll(ctx, v, s)
			if len(found) > 0 {
				t.Errorf("found %v without a look", found)
			}
			if n := target.count("Publish") + target.count("Invoke") + target.count("Call"); n > 0 {
				t.Errorf("%d commands were sent", n)
			}
			if !errors.Is(errors.Join(errs...), context.Canceled) {
				t.Errorf("got the errors %v, want the context's", errs)
			}
		})
	}
}

func TestAbsent(t *testing.T) {
	tests := []struct {
		name           string
		source, target bool
		want           migrate.Verdict
		seen           string
	}{
		{"moved", false, true, migrate.Pass, "the target shows the device, the source does not"},
		{"both", true, true, migrate.Inconclusive, "both"},
		{"neither", false, false, migrate.Inconclusive, "neither"},
		{"not moved", true, false, migrate.Inconclusive, "only the source"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source, target := newSite(""), newSite(targetID)
			if tt.source {
				source.shows(meter, iot.Offline)
			}
			if tt.target {
				target.shows(meter, iot.Offline)
			}
			f := one(t, verify.Absent(), subject(source, target, meter))
			if f.Verdict != tt.want || !strings.Contains(f.Evidence.Seen, tt.seen) {
				t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
			}
		})
	}
}
