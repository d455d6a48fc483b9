package fake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// wired makes a cloud of storages whose clock is the bubble's, and of which a client brings the first.
func wired(t *testing.T, change func(*fake.Options, *fake.Quirks)) (*bench, *fake.Session) {
	t.Helper()
	b := newBench(t, storages(2), func(o *fake.Options, q *fake.Quirks) {
		o.Clock, o.NoDevices = iot.SystemClock(), true
		if change != nil {
			change(o, q)
		}
	})
	return b, b.attach(storage, "s-0001")
}

// firmware answers what comes from the platform in its own goroutine, until the session is over.
func firmware(s *fake.Session, delay time.Duration, answer func(fake.Downlink) (topic, payload string)) {
	go func() {
		for {
			m, err := s.Next(context.Background())
			if err != nil {
				return
			}
			time.Sleep(delay) // the bubble's time
			topic, payload := answer(m)
			if s.Publish(topic, []byte(payload), 0) != nil {
				return
			}
		}
	}()
}

// echo answers RRPC with what was asked.
func echo(m fake.Downlink) (topic, payload string) {
	return strings.Replace(m.Topic, "/request/", "/response/", 1), string(m.Payload)
}

// serve answers services with one result.
func serve(code int, data string) func(fake.Downlink) (topic, payload string) {
	return func(m fake.Downlink) (string, string) {
		var ask struct{ ID, Version, Method string }
		if err := json.Unmarshal(m.Payload, &ask); err != nil || ask.Version != "1.0" {
			return "", ""
		}
		return m.Topic + "_reply", fmt.Sprintf(`{"id":"%s","code":%d,"data":%s}`, ask.ID, code, data)
	}
}

func TestClientAnswersRRpc(t *testing.T) {
	tests := map[string]struct {
		delay  time.Duration
		answer func(fake.Downlink) (string, string)
		want   string
		takes  time.Duration
	}{
		"at once":    {0, echo, "SUCCESS", 0},
		"in time":    {1900 * time.Millisecond, echo, "SUCCESS", 1900 * time.Millisecond},
		"too late":   {2100 * time.Millisecond, echo, "TIMEOUT", 2 * time.Second},
		"to another": {0, func(fake.Downlink) (string, string) { return "/sys/a1Storage01/s-0001/rrpc/response/1", "" }, "TIMEOUT", 2 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s := wired(t, nil)
				defer s.Close(0)
				firmware(s, test.delay, test.answer)
				began := time.Now()
				out, err := b.RRpc(t.Context(), fake.RRpcRequest{
					ProductKey: storage, DeviceName: "s-0001", RequestByte: []byte("hello"), Timeout: 2000,
				})
				if err != nil || out.RrpcCode != test.want || (string(out.PayloadByte) == "hello") != (test.want == "SUCCESS") {
					t.Errorf("%+v, %v, want %s", out, err, test.want)
				}
				if took := time.Since(began); took != test.takes {
					t.Errorf("took %v, want %v", took, test.takes)
				}
				time.Sleep(time.Minute) // a late answer does no harm
				again, err := b.RRpc(t.Context(), fake.RRpcRequest{ProductKey: storage, DeviceName: "s-0002", Timeout: 2000})
				if err != nil || again.RrpcCode != "OFFLINE" {
					t.Errorf("a device that nobody brings: %+v, %v", again, err)
				}
			})
		})
	}
}

func TestClientAnswersServices(t *testing.T) {
	tests := map[string]struct {
		answer func(fake.Downlink) (string, string)
		result string
		code   string
	}{
		"answered":      {serve(200, `{"Passed":1}`), `{"Passed":1}`, ""},
		"not possible":  {serve(500, `{}`), "", "iot.device.InvokeThingServiceFailed"},
		"not answered":  {func(fake.Downlink) (string, string) { return "/a1Storage01/s-0001/user/update", "" }, "", "iot.messagebroker.TIMEOUT"},
		"answered only": {func(m fake.Downlink) (string, string) { return m.Topic + "_reply", `{"id":"1","code":200}` }, "", "iot.messagebroker.TIMEOUT"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, s := wired(t, nil)
				defer s.Close(0)
				firmware(s, 0, test.answer)
				began := time.Now()
				out, err := b.InvokeThingService(t.Context(), fake.InvokeThingServiceRequest{
					ProductKey: storage, DeviceName: "s-0001", Identifier: "SelfTest", Args: `{"deep":true}`,
				})
				if codeOf(err) != test.code || out.Result != test.result {
					t.Errorf("%+v, %v, want %q, %s", out, err, test.result, test.code)
				}
				failed := slices.ContainsFunc(b.Calls(), func(c fake.CallCount) bool { return c.Name == "InvokeThingService" && c.Failed == 1 })
				if failed != (err != nil) {
					t.Errorf("counted as failed: %v", failed)
				}
				if late := time.Since(began) == 8*time.Second; late != (test.code == "iot.messagebroker.TIMEOUT") {
					t.Errorf("took %v", time.Since(began))
				}
			})
		})
	}
}

func TestCommandsAsTheyReachTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := wired(t, nil)
		defer s.Close(0)
		reboot := must(b.InvokeThingService(t.Context(), fake.InvokeThingServiceRequest{
			ProductKey: storage, DeviceName: "s-0001", Identifier: "Reboot", Args: `{"in":3}`,
		}))
		set := must(b.SetDeviceProperty(t.Context(), fake.SetDevicePropertyRequest{ProductKey: storage, DeviceName: "s-0001", Items: `{"Mode":1}`}))
		must(b.Pub(t.Context(), fake.PubRequest{ProductKey: storage, TopicFullName: "/a1Storage01/s-0001/user/get", MessageContent: []byte("hi")}))
		want := []string{
			`/sys/a1Storage01/s-0001/thing/service/Reboot {"id":"` + reboot.MessageId + `","method":"thing.service.Reboot","params":{"in":3},"version":"1.0"}`,
			`/sys/a1Storage01/s-0001/thing/service/property/set {"id":"` + set.MessageId + `","method":"thing.service.property.set","params":{"Mode":1},"version":"1.0"}`,
			`/a1Storage01/s-0001/user/get hi`,
		}
		if diff := cmp.Diff(want, waiting(t, s)); diff != "" {
			t.Errorf("what came (-want +got):\n%s", diff)
		}
		replies := map[string]string{
			"/sys/a1Storage01/s-0001/thing/service/Reboot_reply":       reboot.MessageId,
			"/sys/a1Storage01/s-0001/thing/service/property/set_reply": set.MessageId,
		}
		for topic, message := range replies {
			if err := s.Publish(topic, []byte(`{"id":"`+message+`","code":200,"data":{"Delay":3}}`), 0); err != nil {
				t.Fatal(err)
			}
			topic, body := b.forwardedBody(s.ID())
			want := map[string]any{
				"requestId": message, "code": 200.0, "message": "success", "data": map[string]any{"Delay": 3.0}, "source": "DEVICE",
				"topic": "/a1Storage01/s-0001/thing/downlink/reply/message", "productKey": storage, "deviceName": "s-0001",
			}
			delete(body, "gmtCreate")
			if diff := cmp.Diff(want, body); diff != "" || topic != want["topic"] {
				t.Errorf("%s (-want +got):\n%s", topic, diff)
			}
			time.Sleep(time.Second) // the bubble's time
		}
	})
}

func TestWaitingForAClientObeysTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, s := wired(t, nil)
		defer s.Close(0)
		for name, call := range map[string]func(context.Context) error{
			"RRpc": func(ctx context.Context) error {
				_, err := b.RRpc(ctx, fake.RRpcRequest{ProductKey: storage, DeviceName: "s-0001", Timeout: 8000})
				return err
			},
			"InvokeThingService": func(ctx context.Context) error {
				_, err := b.InvokeThingService(ctx, fake.InvokeThingServiceRequest{ProductKey: storage, DeviceName: "s-0001", Identifier: "SelfTest", Args: "{}"})
				return err
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			err := call(ctx)
			if lost, ok := errors.AsType[*fake.LostError](err); !ok || !errors.Is(lost, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("%s: %v after %v", name, err, time.Since(began))
			}
			cancel()
		}
	})
}

// A clock that others put forward takes nothing from the time that a client has.
func TestClientHasItsTimeWhenTheClockJumps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, storages(1), nil)
		s := b.attach(storage, "s-0001")
		defer s.Close(0)
		firmware(s, time.Second, func(m fake.Downlink) (string, string) {
			b.clock.Advance(7 * 24 * time.Hour)
			return echo(m)
		})
		got, err := b.platform(nil).Source.Call(t.Context(), s.ID(), []byte("hello"), 2*time.Second)
		if err != nil || string(got) != "hello" {
			t.Errorf("answer %q, %v", got, err)
		}
	})
}

func TestMessagesOfQoS1WaitForTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, families(1, 2), func(o *fake.Options, _ *fake.Quirks) { o.NoDevices = true })
		pub := func(topic, text string, qos int) {
			key := strings.Split(topic, "/")[1]
			must(b.Pub(t.Context(), fake.PubRequest{ProductKey: key, TopicFullName: topic, MessageContent: []byte(text), Qos: qos}))
		}
		const own, foreign = "/a1Gateway01/gw-0001/user/get", "/a1Climate01/c-0001-001/user/get"
		pub(own, "offline 0", 0)
		pub(own, "offline 1", 1)
		pub(foreign, "sub offline 1", 1)
		b.clock.Advance(7*24*time.Hour - time.Second)
		pub("/a1Gateway01/gw-0001/user/set", "elsewhere", 1)
		s := b.attach(gateway, "gw-0001")
		pub(own, "online 0", 0)
		pub(own, "online 1", 1)
		steps := []struct {
			name string
			do   func()
			want []string
		}{
			{"not subscribed", func() {}, []string{own + " online 0"}},
			{"subscribed", func() { s.Subscribe(own) }, []string{own + " offline 1", own + " online 1"}},
			{"while it is", func() { pub(own, "next", 1) }, []string{own + " next"}},
			{"unsubscribed", func() { s.Unsubscribe(own); pub(own, "later", 1) }, nil},
			{"subscribed again", func() { s.Subscribe("/a1Gateway01/gw-0001/user/+") }, []string{
				"/a1Gateway01/gw-0001/user/set elsewhere", own + " later",
			}},
			{"sub-device logged in", func() {
				talk(t, b, s, []says{asks(login, sub(one), 200, "success", named(one))})
				s.Subscribe("/a1Climate01/c-0001-001/#")
			}, []string{foreign + " sub offline 1"}},
			{"taken by nobody", func() { pub(own, "first", 1); pub(own, "lost", 0); pub(own, "second", 1) }, nil},
		}
		for _, step := range steps {
			step.do()
			if step.name == "taken by nobody" {
				break
			}
			if diff := cmp.Diff(step.want, waiting(t, s)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, diff)
			}
		}
		s = b.attach(gateway, "gw-0001")
		s.Subscribe(own)
		if diff := cmp.Diff([]string{own + " first", own + " second"}, waiting(t, s)); diff != "" {
			t.Errorf("in the next session (-want +got):\n%s", diff)
		}
		s.Close(0)
		pub(own, "too old", 1)
		b.clock.Advance(7 * 24 * time.Hour)
		s = b.attach(gateway, "gw-0001")
		s.Subscribe(own)
		if got := waiting(t, s); len(got) > 0 {
			t.Errorf("seven days later: %v", got)
		}
	})
}

func TestSimulatedDeviceTakesWhatWaitedForAClient(t *testing.T) {
	b := newBench(t, meters(1, nil), nil)
	s := b.attach(meter, "m-0001")
	out := must(b.Pub(t.Context(), fake.PubRequest{ProductKey: meter, TopicFullName: "/a1Meter0001/m-0001/user/get", Qos: 1}))
	s.Close(0)
	if err := b.PowerOn(id(meter, "m-0001"), iot.NewSecret("s-m-0001")); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Second)
	if m, ok := b.Sink("").Newest(id(meter, "m-0001")); !ok || string(m.Payload) != `{"ack":"`+out.MessageId+`"}` {
		t.Errorf("newest message %s", m.Payload)
	}
}

func TestQueueOfASessionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, storages(1), func(o *fake.Options, _ *fake.Quirks) { o.Quotas = fake.NoQuotas })
		s := b.attach(storage, "s-0001")
		s.Subscribe("/a1Storage01/s-0001/user/get")
		for i := range 1200 {
			must(b.Pub(t.Context(), fake.PubRequest{
				ProductKey: storage, TopicFullName: "/a1Storage01/s-0001/user/get", MessageContent: fmt.Append(nil, i), Qos: i / 600,
			}))
		}
		if got := len(waiting(t, s)); got != 1000 {
			t.Errorf("%d messages waited, want 1000", got)
		}
		s = b.attach(storage, "s-0001")
		s.Subscribe("/a1Storage01/s-0001/user/get")
		if got := waiting(t, s); len(got) != 200 || !strings.HasSuffix(got[0], " 1000") {
			t.Errorf("%d messages come with the next connection, want the last 200", len(got))
		}
	})
}

func TestCommandsToOneClientAreLimited(t *testing.T) {
	for quotas, want := range map[fake.QuotaMode]string{fake.DocumentedQuotas: "iot.messagebroker.RateLimit", fake.NoQuotas: ""} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, storages(1), func(o *fake.Options, _ *fake.Quirks) { o.Quotas = quotas })
			b.attach(storage, "s-0001")
			pub := func() error {
				_, err := b.Pub(t.Context(), fake.PubRequest{ProductKey: storage, TopicFullName: "/a1Storage01/s-0001/user/get"})
				return err
			}
			for i := range 50 {
				if err := pub(); err != nil {
					t.Fatalf("message %d: %v", i+1, err)
				}
			}
			if err := pub(); codeOf(err) != want {
				t.Errorf("the 51st message: %v, want %q", err, want)
			}
			time.Sleep(time.Second) // the bubble's time
			if err := pub(); err != nil {
				t.Errorf("a second later: %v", err)
			}
		})
	}
}

func TestFaultsOfCommandsToClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fault fake.Fault
		b, s := wired(t, func(o *fake.Options, _ *fake.Quirks) { o.Hook = func(fake.Op) fake.Fault { return fault } })
		defer s.Close(0)
		rrpc := func() (fake.RRpcResponse, error) {
			return b.RRpc(t.Context(), fake.RRpcRequest{ProductKey: storage, DeviceName: "s-0001", Timeout: 2000})
		}
		fault = fake.Fault{Lie: fake.Always}
		must(b.Pub(t.Context(), fake.PubRequest{ProductKey: storage, TopicFullName: "/a1Storage01/s-0001/user/get"}))
		must(b.SetDeviceProperty(t.Context(), fake.SetDevicePropertyRequest{ProductKey: storage, DeviceName: "s-0001", Items: `{"Mode":1}`}))
		must(b.InvokeThingService(t.Context(), fake.InvokeThingServiceRequest{
			ProductKey: storage, DeviceName: "s-0001", Identifier: "Reboot", Args: "{}",
		}))
		if got := waiting(t, s); len(got) > 0 {
			t.Errorf("reached the client: %v", got)
		}
		firmware(s, 0, echo)
		fault = fake.Fault{Lost: true}
		if _, err := rrpc(); !lost(err) {
			t.Errorf("lost answer: %v", err)
		}
		fault = fake.Fault{Alter: func(r any) { r.(*fake.RRpcResponse).RrpcCode = "UNKNOWN" }}
		if out := must(rrpc()); out.RrpcCode != "UNKNOWN" {
			t.Errorf("altered answer: %+v", out)
		}
	})
}

func lost(err error) bool {
	_, ok := errors.AsType[*fake.LostError](err)
	return ok
}
