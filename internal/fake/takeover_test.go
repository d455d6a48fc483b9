package fake_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

func TestClientTakesOverFromTheSimulatedDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := trackers(2, amqp("DEFAULT_GROUP", iot.DeviceData, iot.StatusChange))
		b := newBench(t, f, nil)
		b.clock.Advance(time.Minute)
		b.drain("", "DEFAULT_GROUP")
		s := b.attach(tracker, "t-0001")
		if got := s.ID(); got != id(tracker, "t-0001") {
			t.Errorf("the session is of %s", got)
		}
		b.clock.Advance(time.Hour)
		status, reports := 0, 0
		for _, m := range b.drain("", "DEFAULT_GROUP") {
			switch who, _ := m.Device(); {
			case strings.HasPrefix(m.Topic, "/as/mqtt/status/"):
				status++
				online := strings.Contains(string(m.Payload), `"status":"online"`)
				duplicate := strings.Contains(string(m.Payload), `"offlineReasonCode":427`)
				if online == duplicate || online != strings.Contains(string(m.Payload), clientIP) {
					t.Errorf("status %s", m.Payload)
				}
			case who.DeviceName == "t-0001":
				t.Errorf("the simulated device still reports: %s", m.Topic)
			default:
				reports++
			}
		}
		if status != 2 || reports != 60 {
			t.Errorf("%d status messages and %d reports of the other device, want 2 and 60", status, reports)
		}
		if got := must(b.platform(nil).Source.GroupStatus(t.Context(), "DEFAULT_GROUP")).Backlog; got != 0 {
			t.Errorf("backlog %d", got)
		}
		s.Close(0)
		b.clock.Advance(time.Hour)
		if got := b.truth(tracker, "t-0001").Status; got != iot.Offline {
			t.Errorf("after its client has gone the device is %s: the firmware was unplugged", got)
		}
	})
}

func TestNoSimulatedReportsOfAClient(t *testing.T) {
	tests := map[string]func(*bench){
		"nobody consumes yet": func(b *bench) { b.attach(tracker, "t-0001") },
		"consumed before":     func(b *bench) { b.drain("", "DEFAULT_GROUP"); b.attach(tracker, "t-0001") },
		"consumed while it is there": func(b *bench) {
			b.attach(tracker, "t-0001")
			b.drain("", "DEFAULT_GROUP")
		},
		"at the moment when it connects": func(b *bench) {
			b.drain("", "DEFAULT_GROUP")
			if err := b.PowerOn(id(tracker, "t-0001"), iot.NewSecret("s-t-0001")); err != nil {
				b.Fatal(err)
			}
			b.attach(tracker, "t-0001")
		},
		"gone again": func(b *bench) { b.attach(tracker, "t-0001").Close(0) },
	}
	for name, attach := range tests {
		t.Run(name, func(t *testing.T) {
			f := trackers(2, amqp("DEFAULT_GROUP", iot.DeviceData))
			f.Devices[0].Status = iot.Unactive
			b := newBench(t, f, nil)
			attach(b)
			b.clock.Advance(48 * time.Hour)
			const want = 24 * 60 // of the other device
			if got := must(b.platform(nil).Source.GroupStatus(t.Context(), "DEFAULT_GROUP")).Backlog; got != want {
				t.Errorf("backlog %d, want %d", got, want)
			}
			for _, m := range b.drain("", "DEFAULT_GROUP") {
				if d, _ := m.Device(); d.DeviceName == "t-0001" {
					t.Fatalf("the simulated device reports: %+v", m)
				}
			}
		})
	}
}

func TestSimulatedDeviceDoesNotFinishWhatItBegan(t *testing.T) {
	b := newBench(t, meters(1, nil), nil)
	out := must(b.Pub(t.Context(), fake.PubRequest{ProductKey: meter, TopicFullName: "/a1Meter0001/m-0001/user/get"}))
	b.attach(meter, "m-0001")
	b.clock.Advance(time.Hour)
	for _, x := range b.Sink("").Forwarded(id(meter, "m-0001")) {
		if strings.Contains(string(x.Message.Payload), out.MessageId) {
			t.Errorf("acknowledged: %s", x.Message.Payload)
		}
	}
}

func TestNoDevices(t *testing.T) {
	b := newBench(t, families(2, 2), func(o *fake.Options, _ *fake.Quirks) { o.NoDevices = true })
	b.clock.Advance(24 * time.Hour)
	for _, key := range []string{gateway, climate} {
		s := must(b.QueryDeviceStatistics(t.Context(), fake.QueryDeviceStatisticsRequest{ProductKey: key}))
		if s.OnlineCount != 0 || s.ActiveCount != s.DeviceCount || s.DeviceCount == 0 {
			t.Errorf("%s: %+v", key, s)
		}
	}
	if _, ok := b.Sink("").Newest(id(gateway, "gw-0001")); ok {
		t.Error("a device that nobody brings has reported")
	}
	b.attach(gateway, "gw-0001")
	if err := b.PowerOn(id(gateway, "gw-0002"), iot.NewSecret("s-gw-0002")); err != nil {
		t.Fatal(err)
	}
	for _, name := range names("gw", 2) {
		if got := b.truth(gateway, name).Status; got != iot.Online {
			t.Errorf("%s is %s", name, got)
		}
	}
}

func TestPowerOnIsNotForAClientsDevice(t *testing.T) {
	b := newBench(t, meters(1, nil), nil)
	s := b.attach(meter, "m-0001")
	if err := b.PowerOn(id(meter, "m-0001"), iot.NewSecret("s-m-0001")); iot.KindOf(err) != iot.Conflict {
		t.Errorf("while the client is there: %v", err)
	}
	s.Close(0)
	if err := b.PowerOn(id(meter, "m-0001"), iot.NewSecret("s-m-0001")); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(2 * time.Minute)
	out := must(b.QueryDeviceDetail(t.Context(), fake.DeviceRequest{ProductKey: meter, DeviceName: "m-0001"}))
	if !strings.HasPrefix(out.IpAddress, "203.0.113.") {
		t.Errorf("the simulated device connects from %s", out.IpAddress)
	}
	if m, ok := b.Sink("").Newest(id(meter, "m-0001")); !ok || b.clock.Now().Sub(m.Generated) > time.Minute {
		t.Errorf("the simulated device does not report again: %+v", m)
	}
}
