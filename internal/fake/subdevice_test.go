package fake_test

import (
	"crypto/sha1"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// loggedIn lets a gateway's client log sub-devices of the first gateway in.
func (b *bench) loggedIn(s *fake.Session, subs ...string) {
	b.Helper()
	for _, name := range subs {
		if err := s.Publish(login, []byte(`{"id":"7","params":`+sub(name)+`}`), 0); err != nil {
			b.Fatal(err)
		}
		if got := b.truth(climate, name).Status; got != iot.Online {
			b.Fatalf("%s is %s after its login", name, got)
		}
	}
}

func (b *bench) statuses(key string, list ...string) []iot.Status {
	b.Helper()
	var out []iot.Status
	for _, name := range list {
		out = append(out, b.truth(key, name).Status)
	}
	return out
}

func TestSubDevicesAreOnlineOnlyWhenTheClientLogsThemIn(t *testing.T) {
	b := newBench(t, families(1, 3), nil)
	b.clock.Advance(time.Hour)
	s := b.attach(gateway, "gw-0001")
	b.clock.Advance(time.Hour)
	three := []string{one, two, "c-0001-003"}
	if diff := cmp.Diff([]iot.Status{iot.Offline, iot.Offline, iot.Offline}, b.statuses(climate, three...)); diff != "" {
		t.Errorf("a client took the gateway over (-want +got):\n%s", diff)
	}
	if err := b.PowerOn(id(climate, two), iot.NewSecret("s-"+two)); err != nil {
		t.Fatal(err)
	}
	b.loggedIn(s, one)
	b.clock.Advance(time.Hour)
	if diff := cmp.Diff([]iot.Status{iot.Online, iot.Offline, iot.Offline}, b.statuses(climate, three...)); diff != "" {
		t.Errorf("one is logged in (-want +got):\n%s", diff)
	}
	s.Close(0)
	if diff := cmp.Diff([]iot.Status{iot.Offline, iot.Offline, iot.Offline}, b.statuses(climate, three...)); diff != "" {
		t.Errorf("the gateway's client has gone (-want +got):\n%s", diff)
	}
	if err := b.PowerOn(id(gateway, "gw-0001"), iot.NewSecret("s-gw-0001")); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Hour)
	if diff := cmp.Diff([]iot.Status{iot.Offline, iot.Online, iot.Online}, b.statuses(climate, three...)); diff != "" {
		t.Errorf("the simulated gateway is back, without what the client took over (-want +got):\n%s", diff)
	}
}

func TestGatewayIsToldOfItsSubDevices(t *testing.T) {
	change := func(status int) string {
		return `/sys/a1Gateway01/gw-0001/thing/topo/change {"id":"#","method":"thing.topo.change","params":{"status":` +
			string(rune('0'+status)) + `,"subList":[` + named(one) + `]},"version":"1.0"}`
	}
	tests := map[string]struct {
		do   func(*bench) error
		want []string
	}{
		"moved":     {func(b *bench) error { b.move(climate, one); return nil }, []string{kicked(one, 521, "error")}},
		"moved two": {func(b *bench) error { b.move(climate, two, one); return nil }, []string{kicked(two, 521, "error"), kicked(one, 521, "error")}},
		"disabled":  {func(b *bench) error { return b.Disable(id(climate, one)) }, []string{kicked(one, 522, "device forbidden"), change(8)}},
		"disabled and enabled": {func(b *bench) error {
			return errors.Join(b.Disable(id(climate, one)), b.Enable(id(climate, one)), b.Enable(id(climate, one)))
		}, []string{kicked(one, 522, "device forbidden"), change(8), change(2)}},
		"without power": {func(b *bench) error { return b.PowerOff(id(climate, one)) }, []string{kicked(one, 0, "error")}},
		"taken by another gateway": {func(b *bench) error {
			return b.attach(gateway, "gw-0002").Publish("/sys/a1Gateway01/gw-0002/thing/topo/add", []byte(`{"id":"1","params":[`+sub(one)+`]}`), 0)
		}, []string{kicked(one, 6401, "topo relation not exist"), change(1)}},
		"on a connection of its own": {func(b *bench) error { b.attach(climate, one); return nil }, []string{kicked(one, 427, "device connect in elsewhere")}},
		"nothing":                    {func(b *bench) error { b.clock.Advance(time.Hour); return nil }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, families(2, 3), func(_ *fake.Options, q *fake.Quirks) { q.SubDevicesConnect = true })
				b.ready(climate, "c-0002-001")
				s := b.attach(gateway, "gw-0001")
				b.loggedIn(s, one, two)
				waiting(t, s)
				if err := test.do(b); err != nil {
					t.Fatal(err)
				}
				got := waiting(t, s)
				for i := range got {
					got[i] = numbers.ReplaceAllString(got[i], `"id":"#"`)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("what the gateway was told (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestSplitFamilyCannotLogIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, families(1, 2), nil)
		b.ready(climate, one)
		s := b.attach(gateway, "gw-0001")
		talk(t, b, s, []says{
			asks(getTopic, `{}`, 200, "success", "["+named(two)+"]"),
			asks(login, sub(one), 6401, "topo relation not exist", "{}"),
			asks(login, sub(two), 200, "success", named(two)),
			asks(addTopic, "["+sub(one)+"]", 6100, "device not found", "{}"),
			asks(delTopic, "["+named(one)+"]", 6401, "topo relation not exist", "{}"),
		})
		b.move(climate, two)
		b.ready(gateway, "gw-0001")
		if code := ended(t, s); code != 521 {
			t.Errorf("the moved gateway was ended with code %d", code)
		}
		s = b.attach(gateway, "gw-0001")
		talk(t, b, s, []says{
			asks(getTopic, `{}`, 200, "success", "["+named(one)+","+named(two)+"]"),
			asks(login, sub(one), 200, "success", named(one)),
			asks(login, sub(two), 200, "success", named(two)),
			{subUpdate, "on the target", 0, nil},
		})
		if m, ok := b.Sink(target).Newest(id(climate, one)); !ok || string(m.Payload) != "on the target" {
			t.Errorf("at the target's sink: %s", m.Payload)
		}
	})
}

func TestLoginLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, families(1, 3), func(_ *fake.Options, q *fake.Quirks) { q.MaxSubDevices = 2 })
		s := b.attach(gateway, "gw-0001")
		full := `{"deviceList":[` + sub(one) + `,` + sub(two) + `,` + sub("c-0001-003") + `]}`
		talk(t, b, s, []says{
			asks(batchIn, full, 428, "too many subdevices under gateway", "{}"),
			asks(login, sub(one), 200, "success", named(one)),
			asks(login, sub(two), 200, "success", named(two)),
			asks(login, sub("c-0001-003"), 428, "too many subdevices under gateway", "{}"),
			asks(login, sub(one), 200, "success", named(one)),
		})
		for range 4 {
			talk(t, b, s, []says{
				asks(logout, named(one), 200, "success", named(one)),
				asks(login, sub(one), 200, "success", named(one)),
			})
		}
		sixth := []says{
			asks(logout, named(one), 200, "success", named(one)),
			asks(login, sub(one), 429, "rate limit", "{}"),
		}
		talk(t, b, s, sixth)
		time.Sleep(time.Minute) // the bubble's time
		talk(t, b, s, []says{asks(login, sub(one), 200, "success", named(one))})
	})
}

func TestHookDecidesAboutLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := map[string]fake.Fault{
			one:          {Err: &iot.Error{Kind: iot.Denied, Code: "6287"}},
			two:          {Err: errors.New("not today")},
			"c-0001-003": {Lie: fake.Always},
		}
		b := newBench(t, families(1, 4), func(o *fake.Options, _ *fake.Quirks) {
			o.NoDevices = true
			o.Hook = func(op fake.Op) fake.Fault { return faults[op.Devices[0]] }
		})
		s := b.attach(gateway, "gw-0001")
		talk(t, b, s, []says{
			asks(login, sub(one), 6287, "invalid sign", "{}"),
			asks(batchIn, `[`+sub(two)+`,`+sub("c-0001-004")+`]`, 520, "device no session", "{}"),
			asks(login, sub("c-0001-003"), 200, "success", named("c-0001-003")),
			{"/a1Climate01/c-0001-003/user/update", "x", 0, nil},
			asks(login, sub("c-0001-004"), 200, "success", named("c-0001-004")),
		})
		if got := b.truth(climate, "c-0001-003"); got.Status != iot.Online || got.Alive {
			t.Errorf("half connected: %+v", got)
		}
		if _, ok := b.Sink("").Newest(id(climate, "c-0001-003")); ok {
			t.Error("a message came through a dead connection")
		}
	})
}

// A topologyMessage is what the platform sends when the topology changes.
type topologyMessage struct {
	Action, GwProductKey, GwDeviceName string
	Devices                            []iot.DeviceID
}

func TestTopologyMessages(t *testing.T) {
	f := families(2, 2)
	f.Products[0].Forwarding = append(f.Products[0].Forwarding, amqp(alarms, iot.TopologyChange))
	b := newBench(t, f, nil)
	s := b.attach(gateway, "gw-0001")
	for _, m := range []struct{ topic, params string }{
		{addTopic, `[` + sub(one) + `,` + sub("c-0002-001") + `,` + sub("c-0002-002") + `]`},
		{delTopic, `[` + named(one) + `,` + named(two) + `]`},
	} {
		if err := s.Publish(m.topic, []byte(`{"id":"1","params":`+m.params+`}`), 0); err != nil {
			t.Fatal(err)
		}
	}
	var got []topologyMessage
	for _, m := range b.drain("", alarms) {
		var body topologyMessage
		if err := json.Unmarshal(m.Payload, &body); err != nil || m.Topic != "/a1Gateway01/"+body.GwDeviceName+"/thing/topo/lifecycle" {
			t.Errorf("%s %s: %v", m.Topic, m.Payload, err)
		}
		got = append(got, body)
	}
	want := []topologyMessage{
		{"delete", gateway, "gw-0002", []iot.DeviceID{id(climate, "c-0002-001")}},
		{"delete", gateway, "gw-0002", []iot.DeviceID{id(climate, "c-0002-002")}},
		{"create", gateway, "gw-0001", []iot.DeviceID{id(climate, "c-0002-001"), id(climate, "c-0002-002")}},
		{"delete", gateway, "gw-0001", []iot.DeviceID{id(climate, one), id(climate, two)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	page := must(b.GetThingTopo(t.Context(), fake.GetThingTopoRequest{ProductKey: gateway, DeviceName: "gw-0001"}))
	if page.Total != 2 || page.DeviceInfo[0].DeviceName != "c-0002-001" {
		t.Errorf("topology by the API: %+v", page)
	}
	if got := b.truth(climate, one).Gateway; !got.IsZero() {
		t.Errorf("%s still has the gateway %s", one, got)
	}
}

func TestAnswersAreForTheDeviceThatWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, families(1, 2), nil)
		s := b.attach(gateway, "gw-0001")
		b.loggedIn(s, one, two)
		waiting(t, s)
		defer s.Close(0)
		firmware(s, 0, func(m fake.Downlink) (string, string) {
			topic, payload := echo(m)
			return strings.Replace(topic, "/c-0001-001/", "/c-0001-002/", 1), payload
		})
		for name, want := range map[string]string{one: "TIMEOUT", two: "SUCCESS"} {
			out := must(b.RRpc(t.Context(), fake.RRpcRequest{ProductKey: climate, DeviceName: name, Timeout: 1000, RequestByte: []byte("x")}))
			if out.RrpcCode != want {
				t.Errorf("%s: %s, want %s", name, out.RrpcCode, want)
			}
		}
	})
}

func TestSubDeviceOnAConnectionOfItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, families(1, 2), func(_ *fake.Options, q *fake.Quirks) { q.SubDevicesConnect = true })
		own := b.attach(climate, one)
		s := b.attach(gateway, "gw-0001")
		if got := b.truth(climate, one); !got.Alive {
			t.Errorf("when its gateway changes hands: %+v", got)
		}
		talk(t, b, s, []says{
			{subUpdate, "x", iot.Denied, []string{kicked(one, 520, "device no session")}},
			{delTopic, `{"id":"7","params":[` + named(one) + `]}`, 0, []string{reply(delTopic, 200, "success", "{}")}},
			asks(addTopic, "["+signed(climate, one, "s-"+one, "hmacsha1", sha1.New)+"]", 200, "success", "{}"),
		})
		if code := ended(t, own); code != -1 {
			t.Errorf("its session was ended with %d by a change of the topology", code)
		}
		b.loggedIn(s, one)
		if code := ended(t, own); code != fake.CodeDuplicate {
			t.Errorf("its session was ended with %d by the login through the gateway", code)
		}
	})
}

func TestDisabledDevicesStayOut(t *testing.T) {
	b := newBench(t, meters(2, func(i int, d *fleet.Device) { d.Reconnects = true }), nil)
	for range 2 {
		if err := b.Disable(id(meter, "m-0001")); err != nil {
			t.Fatal(err)
		}
	}
	b.clock.Advance(time.Hour)
	if diff := cmp.Diff([]iot.Status{iot.Disabled, iot.Online}, b.statuses(meter, "m-0001", "m-0002")); diff != "" {
		t.Errorf("disabled (-want +got):\n%s", diff)
	}
	if err := b.Enable(id(meter, "m-0001")); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(10 * time.Second)
	if diff := cmp.Diff([]iot.Status{iot.Online, iot.Online}, b.statuses(meter, "m-0001", "m-0002")); diff != "" {
		t.Errorf("enabled again (-want +got):\n%s", diff)
	}
	if err := b.Disable(id(meter, "m-0003")); !errors.Is(err, iot.NotFound) {
		t.Errorf("a device that does not exist: %v", err)
	}
}
