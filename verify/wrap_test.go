package verify_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

// everyVerifier returns one of each, ready to use.
func everyVerifier(sink verify.Sink) []migrate.Verifier {
	return []migrate.Verifier{
		verify.Online(verify.OnlineConfig{}), verify.Absent(), verify.Reporting(verify.ReportingConfig{Sink: sink}),
		verify.Pub(verify.PubConfig{}), verify.Service(verify.ServiceConfig{Choose: choose(verify.Invocation{Service: "A"})}),
		verify.Subscription(verify.SubscriptionConfig{}), verify.Topology(), verify.Forwarding(),
	}
}

// says finds the same verdict on every device.
func says(v migrate.Verdict) migrate.Verifier {
	return migrate.NewVerifier("says", func(_ context.Context, s *migrate.Subject) iter.Seq2[migrate.Finding, error] {
		var all []migrate.Finding
		for _, d := range s.Devices {
			all = append(all, migrate.Finding{Device: d.ID, Verdict: v, Evidence: migrate.Evidence{Source: "test", At: s.Now, Seen: "it " + string(v)}})
		}
		return list(nil, all)
	})
}

func many(n int) []iot.DeviceID {
	var ids []iot.DeviceID
	for i := range n {
		ids = append(ids, dev(meters, fmt.Sprintf("meter-%05d", i)))
	}
	return ids
}

func TestSampled(t *testing.T) {
	const n = 3000
	s := subject(newSite(""), newSite(targetID), many(n)...)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, percent := range []int{1, 10, 50, 99} {
		v := verify.Sampled(says(migrate.Fail), percent, seed)
		first, second := look(t, v, s), look(t, v, s)
		if !slices.Equal(first, second) {
			t.Fatal("two looks differ")
		}
		observed := 0
		for _, f := range first {
			switch {
			case f.Verdict == migrate.Fail:
				observed++
			case f.Evidence.Source != "not observed" || !strings.Contains(f.Evidence.Seen, "not in the sample"):
				t.Fatalf("an unobserved device passes with the evidence %+v", f.Evidence)
			}
		}
		if want := n * percent / 100; observed < want*8/10-25 || observed > want*12/10+25 {
			t.Errorf("%d%%: %d of %d devices were observed", percent, observed, n)
		}
		if want := fmt.Sprintf("says-%d-percent", percent); v.Name() != want {
			t.Errorf("got the name %q, want %q", v.Name(), want)
		}
	}
}

func TestSampledAllOfThem(t *testing.T) {
	s := subject(newSite(""), newSite(targetID), many(100)...)
	for _, percent := range []int{-1, 0, 100, 1000} {
		v := verify.Sampled(says(migrate.Fail), percent, 1)
		for _, f := range look(t, v, s) {
			if f.Verdict != migrate.Fail {
				t.Fatalf("%d%%: %s passes unobserved", percent, f.Device)
			}
		}
	}
}

func TestOnly(t *testing.T) {
	valve := dev(valves, "valve-001")
	v := verify.Only(says(migrate.Inconclusive), "no meter", func(d migrate.SubjectDevice) bool { return d.ID.ProductKey == meters })
	found := look(t, v, subject(newSite(""), newSite(targetID), valve, meter))
	if diff := cmp.Diff([]migrate.Verdict{migrate.Pass, migrate.Inconclusive}, verdicts(found)); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if found[0].Evidence.Seen != "no meter" || v.Name() != "says" {
		t.Errorf("%s: got %+v", v.Name(), found[0])
	}
	for f, err := range v.Verify(t.Context(), subject(newSite(""), newSite(targetID), valve)) {
		if f.Device != valve || err != nil {
			t.Errorf("got %v, %v", f, err)
		}
	}
}

func TestShadow(t *testing.T) {
	s := subject(newSite(""), newSite(targetID), meter)
	for _, verdict := range []migrate.Verdict{migrate.Pass, migrate.Fail, migrate.Inconclusive} {
		var observed []migrate.Verdict
		v := verify.Shadow(says(verdict), func(f migrate.Finding, err error) { observed = append(observed, f.Verdict) })
		f := one(t, v, s)
		if f.Verdict != migrate.Pass || !strings.Contains(f.Evidence.Seen, "shadow: "+string(verdict)) {
			t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
		}
		if diff := cmp.Diff([]migrate.Verdict{verdict}, observed); diff != "" || v.Name() != "shadow-says" {
			t.Errorf("%s: observed (-want +got):\n%s", v.Name(), diff)
		}
	}
	target := newSite(targetID)
	target.fails["States"] = fault(iot.Denied)
	f := one(t, verify.Shadow(verify.Absent(), nil), subject(newSite(""), target, meter))
	if f.Verdict != migrate.Pass || !strings.Contains(f.Evidence.Seen, "nothing was found") {
		t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	found, errs := lookAll(ctx, verify.Shadow(says(migrate.Pass), nil), s)
	if len(found) > 0 || len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
		t.Errorf("a done context: got %v and %v", found, errs)
	}
}

// A consumer that has seen enough ends the look of every verifier.
func TestBreakEndsTheLook(t *testing.T) {
	wrapped := []migrate.Verifier{
		verify.Sampled(says(migrate.Pass), 50, 1), verify.Shadow(says(migrate.Pass), nil),
		verify.Only(says(migrate.Pass), "", func(d migrate.SubjectDevice) bool { return d.ID.DeviceName > "meter-00010" }),
	}
	for _, v := range append(everyVerifier(shelf{}), wrapped...) {
		target := answering("A")
		target.publish, target.call = reachable().publish, reachable().call
		s := subject(newSite(""), target, many(5000)...)
		n := 0
		for range v.Verify(t.Context(), s) {
			if n++; n == 3 {
				break
			}
		}
		if n != 3 {
			t.Errorf("%s: got %d findings", v.Name(), n)
		}
		if calls := target.count("Publish") + target.count("States"); calls > 100 {
			t.Errorf("%s: went on with %d calls", v.Name(), calls)
		}
	}
}

// Each verifier finds something on each device, once, whatever the subject.
func TestEveryDeviceOnce(t *testing.T) {
	target := answering("A")
	target.publish, target.call = reachable().publish, reachable().call
	s := family(subject(newSite(""), target, many(120)...), dev(gateways, "gw-001"), dev(valves, "valve-001"))
	for _, v := range everyVerifier(shelf{}) {
		seen := map[iot.DeviceID]int{}
		for _, f := range look(t, v, s) {
			seen[f.Device]++
		}
		for _, d := range s.Devices {
			if seen[d.ID] != 1 {
				t.Errorf("%s: %d findings on %s", v.Name(), seen[d.ID], d.ID)
			}
		}
	}
}
