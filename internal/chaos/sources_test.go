package chaos

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// The verifiers that rest on each source.
var (
	byRegistry = []string{"online", "topology", "forwarding", "absent"}
	byMessages = []string{"reporting", "absent"} // where a device is, is seen in the registry, whatever it proves
	byCommands = []string{"pub", "service", "absent"}
)

// TestOneSourceIsNotEnough shows of each source that verifiers which rest on it alone are deceived by lies of that source, and
// that one other source closes it.
func TestOneSourceIsNotEnough(t *testing.T) {
	for _, c := range []struct {
		source  string
		tells   lie
		reality string // of the victims
		alone   []string
		closes  [][]string // added to it, each of them is enough
	}{
		{"registry", lieAccepted | registryLies, "stays", byRegistry, [][]string{byMessages, byCommands}},
		{"registry of those who are lost", registryLies, "lost", byRegistry, [][]string{byMessages, byCommands}},
		{"registry of those who are silent", lieAccepted, "silent", byRegistry, [][]string{byMessages, byCommands}},
		{"messages", messageLies, "lost", byMessages, [][]string{byRegistry, byCommands}},
		{"commands", commandLies | messageLies, "lost", byCommands, [][]string{byRegistry}}, // answers to asynchronous services are messages
	} {
		t.Run(c.source, func(t *testing.T) {
			if deceived(t, fraud{tells: c.tells, reality: c.reality, keeps: only(c.alone)}) == 0 {
				t.Error("the source alone is not deceived: this test shows nothing")
			}
			for _, more := range c.closes {
				if n := deceived(t, fraud{tells: c.tells, reality: c.reality, keeps: only(slices.Concat(c.alone, more))}); n > 0 {
					t.Errorf("with %v, %d devices are proven falsely", more, n)
				}
			}
		})
	}
}

// TestPerfectLie lets all three sources tell the same lie. No verifier can know: devices are proven that should not be, and this
// test would not notice anything if none were. What closes it is a canary, which says itself what reaches it.
func TestPerfectLie(t *testing.T) {
	all := fraud{tells: lieAccepted | registryLies | messageLies | commandLies, reality: "stays"}
	if deceived(t, all) == 0 {
		t.Error("the perfect lie deceives nobody: the test of the lying platform could not fail")
	}
	all.canary = true
	for _, fleet := range fraudFleets {
		f := all
		f.fleet = fleet
		if err := f.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if f.end.Outcome == migrate.OutcomeProven {
			t.Errorf("fleet %+v: with canaries, the campaign ends proven", fleet)
		}
		for _, l := range f.end.Lanes {
			if l.Proven > 0 && l.Stage != "first-gray" && l.Stage != "prove-gray" {
				t.Errorf("fleet %+v: lane %s has come to stage %s, with %d devices proven", fleet, l.Lane, l.Stage, l.Proven)
			}
			for _, id := range f.canaries() {
				if f.state[id] != "" && slices.ContainsFunc(l.Failures, func(x migrate.Failure) bool { return x.Device == id }) {
					t.Errorf("canary %s is proven, and at the source", id)
				}
			}
		}
	}
}

// TestAsleepDevicesRestOnTheRegistry: who slept before the move cannot answer, so only the registry tells where it is. If that
// lies, the report counts the device among those asleep, and never as proven.
func TestAsleepDevicesRestOnTheRegistry(t *testing.T) {
	f := fraud{fleet: migratetest.GenerateOptions{Direct: 12, OfflineEvery: 2}, tells: lieAccepted | lieAtTarget | lieNotAtSource, reality: "stays"}
	if err := f.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	awake := 0
	for _, truth := range f.cloud.Truths() {
		if truth.Owner == f.liar.target && truth.Online {
			awake++
		}
	}
	if l := f.end.Lanes[0]; l.Proven > awake || l.Asleep == 0 {
		t.Errorf("%d devices are proven and %d asleep; %d are online at the target", l.Proven, l.Asleep, awake)
	}
}

var fraudFleets = []migratetest.GenerateOptions{
	{Direct: 12}, {PreRegistered: 12}, {ThingModel: 12}, {Gateways: 4, SubDevices: 3},
}

// deceived counts the devices of some campaigns that are proven falsely.
func deceived(t *testing.T, f fraud) int {
	t.Helper()
	n := 0
	for _, fleet := range fraudFleets {
		f := f
		f.fleet = fleet
		if err := f.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, wrong := f.judge()
		n += len(wrong)
	}
	return n
}

func only(names []string) func(migrate.Verifier) bool {
	return func(v migrate.Verifier) bool {
		return slices.Contains(names, v.Name()) || strings.HasPrefix(v.Name(), "canary")
	}
}

func (f *fraud) canaries() []iot.DeviceID {
	return slices.DeleteFunc(slices.Clone(f.liar.all), func(id iot.DeviceID) bool { return !strings.HasSuffix(id.DeviceName, "0000") })
}

// A canary tells the truth about a device: whether it has a session, and that no message through the target has reached it, as
// it lives at the source.
type canary struct {
	id     iot.DeviceID
	cloud  *migratetest.Cloud
	target string
}

func (c canary) ID() iot.DeviceID { return c.id }

func (c canary) Session() (int, time.Time, error) {
	if !c.cloud.Online(c.id) {
		return 0, time.Time{}, iot.NotConnected
	}
	return 1, time.Time{}, nil
}

// Await does not wait: nothing comes.
func (c canary) Await(context.Context, int, func(string, []byte) bool) error {
	return context.DeadlineExceeded
}

func (c canary) Report(context.Context, string) error { return nil }

func (c canary) SubDevices(context.Context) (map[iot.DeviceID]error, error) { return nil, nil }
