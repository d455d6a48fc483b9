package fake_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// families returns gateways with so many sub-devices each.
func families(gateways, subs int) *fleet.Fleet {
	f := newFleet()
	f.Products = append(f.Products,
		custom(gateway, iot.Gateway, rule("/+/user/update", "OTS")),
		custom(climate, iot.SubDevice, rule("/+/user/update", "OTS"), amqp("DEFAULT_GROUP", iot.StatusChange)))
	add(f, gateway, names("gw", gateways), nil)
	for g, gw := range names("gw", gateways) {
		list := make([]string, subs)
		for i := range list {
			list[i] = fmt.Sprintf("c-%04d-%03d", g+1, i+1)
		}
		add(f, climate, list, func(_ int, d *fleet.Device) { d.Gateway = id(gateway, gw) })
	}
	return f
}

func TestSubDeviceIsOnlineOnlyThroughItsGatewayOnTheSameInstance(t *testing.T) {
	b := newBench(t, families(2, 3), nil)
	b.ready(climate, "c-0001-001")
	b.clock.Advance(time.Hour)
	if s := b.truth(climate, "c-0001-001").Status; s != iot.Offline {
		t.Errorf("a sub-device whose gateway is on the source is %s", s)
	}
	if s := b.truth(climate, "c-0001-002").Status; s != iot.Online {
		t.Errorf("a sub-device that stayed is %s", s)
	}

	b.ready(gateway, "gw-0001")
	b.clock.Advance(time.Hour)
	for name, want := range map[string]iot.Status{
		"c-0001-001": iot.Online, "c-0001-002": iot.Offline, "c-0001-003": iot.Offline, "c-0002-001": iot.Online,
	} {
		if s := b.truth(climate, name).Status; s != want {
			t.Errorf("gateway moved: %s is %s, want %s", name, s, want)
		}
	}

	b.move(climate, "c-0001-002", "c-0001-003")
	b.clock.Advance(10 * time.Second)
	for _, name := range []string{"c-0001-001", "c-0001-002", "c-0001-003"} {
		if s := b.truth(climate, name).Status; s != iot.Online {
			t.Errorf("family moved: %s is %s", name, s)
		}
	}
}

func TestGatewayTakesItsSubDevicesOfflineAndBringsThemBack(t *testing.T) {
	b := newBench(t, families(1, 5), nil)
	gw := id(gateway, "gw-0001")
	if err := b.PowerOff(gw); err != nil {
		t.Fatal(err)
	}
	if s := b.truth(climate, "c-0001-003"); s.Status != iot.Offline || s.Kicked != 0 {
		t.Errorf("gateway off: %+v", s)
	}
	if err := b.PowerOn(gw, iot.NewSecret("s-gw-0001")); err != nil {
		t.Fatal(err)
	}
	if s := b.truth(gateway, "gw-0001").Status; s != iot.Online {
		t.Errorf("gateway on: %s", s)
	}
	b.clock.Advance(2 * time.Second)
	if s := b.truth(climate, "c-0001-003").Status; s != iot.Online {
		t.Errorf("gateway on for 2 s: sub-device %s", s)
	}
}

func TestSubDeviceWithoutReconnectLogicStaysOffline(t *testing.T) {
	f := families(1, 2)
	f.Devices[1].Reconnects = false
	b := newBench(t, f, nil)
	b.ready(gateway, "gw-0001")
	b.ready(climate, "c-0001-001")
	b.move(climate, "c-0001-002")
	b.clock.Advance(time.Hour)
	for name, want := range map[string]iot.Status{"c-0001-001": iot.Offline, "c-0001-002": iot.Online} {
		if s := b.truth(climate, name).Status; s != want {
			t.Errorf("%s is %s, want %s", name, s, want)
		}
	}
}

func TestTopologyIsShownWhereBothAre(t *testing.T) {
	for _, everywhere := range []bool{false, true} {
		t.Run(fmt.Sprintf("SplitTopology %v", everywhere), func(t *testing.T) {
			b := newBench(t, families(1, 2), func(_ *fake.Options, q *fake.Quirks) { q.SplitTopology = everywhere })
			p, gw, moved := b.platform(nil), id(gateway, "gw-0001"), id(climate, "c-0001-001")
			before := children(t, p.Source, gw)
			b.ready(climate, moved.DeviceName)
			b.clock.Advance(5 * time.Second)
			want := before[1:]
			if everywhere {
				want = before
			}
			if d := cmp.Diff(want, children(t, p.Source, gw)); d != "" {
				t.Errorf("split family, source (-want +got):\n%s", d)
			}
			if got, err := p.Target.GatewayOf(t.Context(), moved); (err == nil) != everywhere || everywhere && got != gw {
				t.Errorf("split family: gateway of the moved one is %v, %v", got, err)
			}
			b.move(climate, "c-0001-002")
			b.ready(gateway, "gw-0001")
			b.clock.Advance(5 * time.Second)
			if d := cmp.Diff(before, children(t, p.Target, gw)); d != "" {
				t.Errorf("whole family, target (-want +got):\n%s", d)
			}
			if got := must(p.Target.GatewayOf(t.Context(), moved)); got != gw {
				t.Errorf("gateway is %s", got)
			}
		})
	}
}

func children(t *testing.T, in iot.Instance, gw iot.DeviceID) []iot.DeviceID {
	t.Helper()
	var list []iot.DeviceID
	for sub, err := range in.Children(t.Context(), gw) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, sub)
	}
	return list
}

// TestInvariants moves families back and forth at random, and looks at everything after each step.
func TestInvariants(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			f := families(4, 6)
			for i := range f.Devices {
				f.Devices[i].Reconnects = r.IntN(10) > 0
			}
			b := newBench(t, f, nil)
			tasks := map[string]string{
				gateway: b.ready(gateway, "gw-0001"), climate: b.ready(climate, "c-0001-001"),
			}
			for range 300 {
				b.randomStep(r, f, tasks)
				b.checkInvariants(f)
			}
		})
	}
}

func (b *bench) randomStep(r *rand.Rand, f *fleet.Fleet, tasks map[string]string) {
	d := f.Devices[r.IntN(len(f.Devices))]
	key, name := d.ID.ProductKey, d.ID.DeviceName
	switch r.IntN(5) {
	case 0, 1:
		b.move(key, name)
	case 2:
		must(b.Console().Rollback(b.Context(), tasks[key], []string{name}))
	case 3:
		_ = must(0, b.PowerOff(d.ID))
	case 4:
		_ = must(0, b.PowerOn(d.ID, d.Secret))
	}
	b.clock.Advance(time.Duration(r.IntN(4000)) * time.Millisecond)
}

func (b *bench) checkInvariants(f *fleet.Fleet) {
	b.Helper()
	count, online := map[string]int{}, map[string]int{}
	for _, d := range f.Devices {
		x, _ := b.Truth(d.ID)
		count[x.Instance]++
		if x.Status == iot.Online {
			online[x.Instance]++
		}
		if gw, ok := b.Truth(x.Gateway); ok && x.Status == iot.Online && (gw.Status != iot.Online || gw.Instance != x.Instance) {
			b.Fatalf("%s is online on %q, its gateway is %s on %q", x.ID, x.Instance, gw.Status, gw.Instance)
		}
		if want := d.Gateway; x.Gateway != want {
			b.Fatalf("%s: gateway %v, was %v", x.ID, x.Gateway, want)
		}
		if x.Moved-x.Returned != len(x.Instance)/len(target) {
			b.Fatalf("%s: moved %d times, returned %d times, and is on %q", x.ID, x.Moved, x.Returned, x.Instance)
		}
	}
	b.clock.Advance(2 * time.Second) // the registries catch up
	total := 0
	for _, in := range []string{"", target} {
		s := must(b.QueryDeviceStatistics(b.Context(), fake.QueryDeviceStatisticsRequest{IotInstanceId: in}))
		if s.DeviceCount != count[in] {
			b.Fatalf("instance %q counts %d devices, has %d", in, s.DeviceCount, count[in])
		}
		total += s.DeviceCount
		b.checkLists(in, s)
	}
	if total != len(f.Devices) {
		b.Fatalf("the instances have %d devices together, there are %d", total, len(f.Devices))
	}
}

// checkLists compares the counts of an instance with its lists.
func (b *bench) checkLists(in string, want fake.QueryDeviceStatisticsResponse) {
	b.Helper()
	var got fake.QueryDeviceStatisticsResponse
	for _, key := range []string{gateway, climate} {
		out := must(b.QueryDevice(b.Context(), fake.QueryDeviceRequest{IotInstanceId: in, ProductKey: key, PageSize: 50}))
		got.DeviceCount += len(out.DeviceInfo)
		for _, row := range out.DeviceInfo {
			if row.DeviceStatus == "ONLINE" {
				got.OnlineCount++
			}
			if row.DeviceStatus != "UNACTIVE" {
				got.ActiveCount++
			}
		}
		if !slices.IsSortedFunc(out.DeviceInfo, func(x, y fake.DeviceInfo) int { return y.UtcCreate.Compare(x.UtcCreate) }) {
			b.Fatalf("instance %q, %s: devices are not newest first", in, key)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		b.Fatalf("instance %q: statistics and list differ (-statistics +list):\n%s", in, d)
	}
}
