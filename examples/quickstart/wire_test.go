package main

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Over sockets, with the adapter, canaries and AMQP, a fleet ends as it does in memory. CI sees that the demo does, too.
func TestWire(t *testing.T) {
	end := func(args ...string) []string {
		out := runWith(t, program{}, "", append(args, "-json")...)
		out.wants(t, exitProven)
		r := decode[result](t, out.stdout)
		ends := []string{fmt.Sprintf("%d relations before, %d after, %d changed", r.Topology.Before, r.Topology.Target, len(r.Topology.Changes))}
		for _, l := range r.Report.Lanes {
			ends = append(ends, fmt.Sprintf("%s by %s: %d devices, %d moved, %d proven, %d asleep, %d failed, %d returned",
				l.Lane, l.Strategy, l.Devices, l.Moved, l.Proven, l.Asleep, l.Failed, l.Returned))
		}
		return ends
	}
	const fleet = "../../fleets/s1-direct.json"
	if diff := cmp.Diff(end("-fleet", fleet), end("-fleet", fleet, "-wire", "-noquota")); diff != "" {
		t.Errorf("-memory +wire:\n%s", diff)
	}
}
