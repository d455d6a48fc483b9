package fake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

const clientIP = "198.51.100.7"

// attach lets the test be a device.
func (b *bench) attach(key, name string) *fake.Session {
	b.Helper()
	s, err := b.Attach(id(key, name), fake.PublicDomain, clientIP)
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// waiting returns what waits in a session, as "topic payload". It needs a bubble, whose time it lets pass a little.
func waiting(t testing.TB, s *fake.Session) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	var list []string
	for {
		m, err := s.Next(ctx)
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				list = append(list, err.Error())
			}
			return list
		}
		list = append(list, fmt.Sprintf("%s %s", m.Topic, m.Payload))
	}
}

// ended returns the code with which the platform ended a session; -1 if it has not.
func ended(t testing.TB, s *fake.Session) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	for {
		if _, err := s.Next(ctx); err != nil {
			if kick, ok := errors.AsType[*fake.KickedError](err); ok {
				return kick.Code
			}
			return -1
		}
	}
}

// However far the arithmetic of the simulated reports has come when a client takes over, it ends there.
func TestRegistryShowsTheClient(t *testing.T) {
	b := newBench(t, meters(1, func(_ int, d *fleet.Device) { d.Status = iot.Unactive }), nil)
	b.clock.Advance(time.Hour)
	s := b.attach(meter, "m-0001")
	state := func() fake.DeviceStatus {
		out := must(b.BatchGetDeviceState(t.Context(), fake.BatchGetDeviceStateRequest{ProductKey: meter, DeviceName: []string{"m-0001"}}))
		return out.DeviceStatus[0]
	}
	connected := b.clock.Now()
	if x := state(); x.Status != "ONLINE" || x.AsAddress != clientIP || !x.LastOnlineTime.Equal(connected) {
		t.Errorf("while it is connected: %+v", x)
	}
	b.clock.Advance(time.Hour)
	s.Close(0)
	if x := state(); x.Status != "OFFLINE" || !x.LastOnlineTime.Equal(connected) || !x.Timestamp.Equal(b.clock.Now()) {
		t.Errorf("after it went: %+v", x)
	}
	s.Close(0)
	if _, err := s.Next(t.Context()); !errors.Is(err, fake.ErrSessionClosed) {
		t.Errorf("Next after Close: %v", err)
	}
	if err := s.Publish("/a1Meter0001/m-0001/user/update", nil, 0); !errors.Is(err, fake.ErrSessionClosed) {
		t.Errorf("Publish after Close: %v", err)
	}
	if s.MayPublish("/a1Meter0001/m-0001/user/update") || s.Subscribe("/a1Meter0001/m-0001/user/get") {
		t.Error("a session that is over may still do something")
	}
}

func TestPlatformEndsSessions(t *testing.T) {
	tests := map[string]struct {
		do   func(*bench) error
		code int
		left iot.Status
	}{
		"the same device again": {
			do:   func(b *bench) error { b.attach(meter, "m-0002"); return nil },
			code: fake.CodeDuplicate, left: iot.Online,
		},
		"moved": {do: func(b *bench) error { b.move(meter, "m-0002"); return nil }, code: 555, left: iot.Offline},
		"disabled": {do: func(b *bench) error {
			return b.Disable(id(meter, "m-0002"))
		}, code: 522, left: iot.Disabled},
		"without power": {
			do: func(b *bench) error { return b.PowerOff(id(meter, "m-0002")) }, code: 0, left: iot.Offline,
		},
		"nothing": {do: func(*bench) error { return nil }, code: -1, left: iot.Online},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, meters(2, nil), func(_ *fake.Options, q *fake.Quirks) { q.OfflineCode = 555 })
				b.ready(meter, "m-0001")
				s := b.attach(meter, "m-0002")
				if err := test.do(b); err != nil {
					t.Fatal(err)
				}
				b.clock.Advance(time.Hour)
				if code := ended(t, s); code != test.code {
					t.Errorf("ended with code %d, want %d", code, test.code)
				}
				if got := b.truth(meter, "m-0002").Status; got != test.left {
					t.Errorf("the device is %s, want %s", got, test.left)
				}
				s.Close(0)
				if got := b.truth(meter, "m-0002").Status; test.code >= 0 && got != test.left {
					t.Errorf("after its front has noticed the device is %s, want %s", got, test.left)
				}
			})
		})
	}
}

func TestWhoMayAttach(t *testing.T) {
	disabled := func(i int, d *fleet.Device) {
		if i == 2 {
			d.Status = iot.Disabled
		}
	}
	f := families(1, 1)
	add(f, gateway, names("x", 3), disabled)
	tests := []struct {
		name, domain string
		device       iot.DeviceID
		quirk        func(*fake.Quirks)
		want         iot.Kind
	}{
		{"at home", fake.PublicDomain, id(gateway, "x-0002"), nil, iot.Unclassified},
		{"moved, public domain", fake.PublicDomain, id(gateway, "x-0001"), nil, iot.Unclassified},
		{"moved, target's domain", target, id(gateway, "x-0001"), nil, iot.Unclassified},
		{"moved, the public domain has ended", fake.PublicDomain, id(gateway, "x-0001"), func(q *fake.Quirks) { q.PublicDomainEnds = true }, iot.Denied},
		{"at home, the public domain has ended for others", fake.PublicDomain, id(gateway, "x-0002"), func(q *fake.Quirks) { q.PublicDomainEnds = true }, iot.Unclassified},
		{"at home, target's domain", target, id(gateway, "x-0002"), nil, iot.Denied},
		{"no instance", "iot-nothing", id(gateway, "x-0002"), nil, iot.Denied},
		{"disabled", fake.PublicDomain, id(gateway, "x-0003"), nil, iot.Conflict},
		{"unknown", fake.PublicDomain, id(gateway, "x-0004"), nil, iot.NotFound},
		{"unknown product", fake.PublicDomain, id("a1Nothing01", "x-0001"), nil, iot.NotFound},
		{"sub-device", fake.PublicDomain, id(climate, "c-0001-001"), nil, iot.Denied},
		{"sub-device that may", fake.PublicDomain, id(climate, "c-0001-001"), func(q *fake.Quirks) { q.SubDevicesConnect = true }, iot.Unclassified},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, f, func(_ *fake.Options, q *fake.Quirks) {
				if test.quirk != nil {
					test.quirk(q)
				}
			})
			b.ready(gateway, "x-0001")
			s, err := b.Attach(test.device, test.domain, clientIP)
			if iot.KindOf(err) != test.want || (s == nil) != (err != nil) {
				t.Errorf("session %v, error %v, want kind %s", s, err, test.want)
			}
		})
	}
}

func TestMovedClientComesBackOnTheTarget(t *testing.T) {
	b := newBench(t, meters(2, nil), nil)
	b.ready(meter, "m-0001")
	b.attach(meter, "m-0002")
	b.move(meter, "m-0002")
	s := b.attach(meter, "m-0002")
	if err := s.Publish("/a1Meter0001/m-0002/user/update", []byte("here"), 0); err != nil {
		t.Fatal(err)
	}
	want := fake.Forwarded{Name: "to_OTS", Actions: []string{"OTS"}, Message: iot.Message{
		Topic: "/a1Meter0001/m-0002/user/update", Generated: b.clock.Now(), Payload: []byte("here"), Instance: target,
	}}
	got := b.Sink(target).Forwarded(id(meter, "m-0002"))
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Rule" || p.String() == "Message.ID" }, cmp.Ignore())
	if diff := cmp.Diff([]fake.Forwarded{want}, got, ignore); diff != "" {
		t.Errorf("at the target's sink (-want +got):\n%s", diff)
	}
	if got := b.truth(meter, "m-0002"); got.Kicked != 1 || got.Instance != target || !got.Alive {
		t.Errorf("in truth: %+v", got)
	}
}

func TestHookDecidesAboutClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("not today")
		var answer fake.Fault
		var asked []fake.Op
		b := newBench(t, trackers(1, rule("/+/user/update", "OTS")), func(o *fake.Options, _ *fake.Quirks) {
			o.NoDevices = true
			o.Hook = func(op fake.Op) fake.Fault {
				asked = append(asked, op)
				return answer
			}
		})
		answer = fake.Fault{Err: refused}
		if _, err := b.Attach(id(tracker, "t-0001"), fake.PublicDomain, clientIP); !errors.Is(err, refused) {
			t.Errorf("error %v", err)
		}
		if len(asked) != 1 || asked[0].Kind != fake.DeviceOp || asked[0].Name != fake.Connect || asked[0].Devices[0] != "t-0001" {
			t.Errorf("asked for %+v", asked)
		}
		answer = fake.Fault{Lie: fake.Always}
		s := b.attach(tracker, "t-0001")
		answer = fake.Fault{}
		if got := b.truth(tracker, "t-0001"); got.Status != iot.Online || got.Alive {
			t.Errorf("half connected: %+v", got)
		}
		if err := s.Publish("/a1Tracker01/t-0001/user/update", []byte("x"), 0); err != nil {
			t.Error(err)
		}
		if _, ok := b.Sink("").Newest(id(tracker, "t-0001")); ok {
			t.Error("a message came through a dead connection")
		}
		must(b.Pub(t.Context(), fake.PubRequest{ProductKey: tracker, TopicFullName: "/a1Tracker01/t-0001/user/get"}))
		out := must(b.RRpc(t.Context(), fake.RRpcRequest{ProductKey: tracker, DeviceName: "t-0001", Timeout: 1000}))
		if got := waiting(t, s); len(got) > 0 || out.RrpcCode != "HALFCONN" {
			t.Errorf("got %v, RRpc %s", got, out.RrpcCode)
		}
	})
}

func TestDeviceIsDisabledWhileTheHookIsAsked(t *testing.T) {
	var b *bench
	b = newBench(t, meters(1, nil), func(o *fake.Options, _ *fake.Quirks) {
		o.Hook = func(op fake.Op) fake.Fault {
			if op.Name == fake.Connect {
				if err := b.Disable(id(meter, "m-0001")); err != nil {
					t.Error(err)
				}
			}
			return fake.Fault{}
		}
	})
	if _, err := b.Attach(id(meter, "m-0001"), fake.PublicDomain, clientIP); !errors.Is(err, iot.Conflict) {
		t.Errorf("error %v", err)
	}
}

func TestSecrets(t *testing.T) {
	f := meters(1, nil)
	f.Products[0].Secret = iot.NewSecret("p")
	f.Products = append(f.Products, custom(tracker, iot.Direct))
	b := newBench(t, f, nil)
	if s, ok := b.DeviceSecret(id(meter, "m-0001")); !ok || s.Reveal() != "s-m-0001" {
		t.Errorf("device secret %q, %v", s.Reveal(), ok)
	}
	if _, ok := b.DeviceSecret(id(meter, "m-0002")); ok {
		t.Error("a device that does not exist has a secret")
	}
	for key, want := range map[string]string{meter: "p", tracker: "", "a1Nothing01": ""} {
		if s, ok := b.ProductSecret(key); ok != (want != "") || s.Reveal() != want {
			t.Errorf("product %s: secret %q, %v", key, s.Reveal(), ok)
		}
	}
}

func TestSeveralGoroutinesMayWaitForMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, families(1, 1), nil)
		s := b.attach(gateway, "gw-0001")
		b.loggedIn(s, one)
		waiting(t, s)
		got := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := s.Next(t.Context())
				got <- err
			}()
		}
		synctest.Wait()
		if err := s.Publish(delTopic, []byte(`{"id":"1","params":[`+named(one)+`]}`), 0); err != nil { // notice and answer at once
			t.Fatal(err)
		}
		synctest.Wait()
		if len(got) != 2 || <-got != nil || <-got != nil {
			t.Errorf("%d of 3 goroutines have got a message of the 2", len(got))
		}
		b.attach(gateway, "gw-0001")
		if kick, ok := errors.AsType[*fake.KickedError](<-got); !ok || !strings.Contains(kick.Error(), "427") {
			t.Errorf("the third: %v", kick)
		}
	})
}
