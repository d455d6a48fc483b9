package fake_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// A pacer counts what it was asked.
type pacer struct {
	mu               sync.Mutex
	asked, throttled map[string]int
	wait             func(api string) error
}

func newPacer() *pacer { return &pacer{asked: map[string]int{}, throttled: map[string]int{}} }

func (p *pacer) Wait(_ context.Context, api string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[api]++
	if p.wait != nil {
		return p.wait(api)
	}
	return nil
}

func (p *pacer) Throttled(api string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.throttled[api]++
}

func TestPacerIsAskedBeforeEveryCall(t *testing.T) {
	b := newBench(t, families(2, 120), nil)
	p := newPacer()
	source := b.platform(p).Source
	ctx := t.Context()
	count(t, source.Products(ctx))
	count(t, source.Devices(ctx, climate))
	count(t, source.Children(ctx, id(gateway, "gw-0001")))
	count(t, source.Rules(ctx))
	count(t, source.Groups(ctx))
	count(t, source.Distributed(ctx, climate))
	must(source.Subscriptions(ctx, climate))
	must(source.GatewayOf(ctx, id(climate, "c-0002-120")))
	want := map[string]int{}
	for _, call := range b.Calls() {
		want[call.Name] = call.Calls
	}
	if d := cmp.Diff(want, p.asked); d != "" {
		t.Errorf("calls (-made +asked):\n%s", d)
	}
	if want["QueryDevice"] != 5 || want["GetThingTopo"] != 3 {
		t.Errorf("240 devices and 120 sub-devices took %v", want)
	}
}

func TestPacerIsToldOfThrottling(t *testing.T) {
	b := newBench(t, meters(2, nil), nil)
	p := newPacer()
	source := b.platform(p).Source
	var last error
	for range 51 {
		_, last = source.Product(t.Context(), meter)
	}
	if iot.KindOf(last) != iot.Throttled || p.throttled["QueryProduct"] != 1 {
		t.Errorf("51st call in a second: %v, told %d times", last, p.throttled["QueryProduct"])
	}
}

func TestDeepPagesArePaidTwentyFiveFold(t *testing.T) {
	b := newBench(t, meters(100_200, nil), nil)
	p := newPacer()
	p.wait = func(string) error { b.clock.Advance(20 * time.Millisecond); return nil }
	if n := count(t, b.platform(p).Source.Devices(t.Context(), meter)); n != 100_200 {
		t.Errorf("%d devices", n)
	}
	if want := 1999 + 5*25; p.asked["QueryDevice"] != want {
		t.Errorf("asked %d times, want %d", p.asked["QueryDevice"], want)
	}
}

func TestNothingIsSentWithADoneContext(t *testing.T) {
	b := newBench(t, storages(2), nil)
	b.ready(storage, "s-0001")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, pace := b.platform(nil), newPacer()
	pace.wait = func(string) error { return context.DeadlineExceeded }
	before := b.Calls()
	for _, platform := range []iot.Platform{p, b.platform(pace)} {
		use := ctx
		if platform.Mover != p.Mover {
			use = t.Context()
		}
		_, move := platform.Mover.Move(use, storage, []string{"s-0002"})
		_, call := platform.Source.Call(use, id(storage, "s-0002"), nil, time.Second)
		_, register := platform.Source.Register(use, id(storage, "s-0003"))
		_, states := platform.Source.States(use, storage, []string{"s-0002"})
		for name, err := range map[string]error{"move": move, "call": call, "register": register, "states": states} {
			if iot.KindOf(err) != iot.Transient {
				t.Errorf("%s: %v, want a transient error", name, err)
			}
		}
	}
	if d := cmp.Diff(before, b.Calls()); d != "" {
		t.Errorf("calls (-before +after):\n%s", d)
	}
	if _, err := b.Receiver("").Receive(ctx, "DEFAULT_GROUP", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("receive: %v", err)
	}
}

func TestKindsOfErrors(t *testing.T) {
	tests := []struct {
		status int
		code   string
		read   iot.Kind
		write  iot.Kind
	}{
		{400, "Throttling.User", iot.Throttled, iot.Throttled},
		{400, "Throttling", iot.Throttled, iot.Throttled},
		{200, "iot.messagebroker.RateLimit", iot.Throttled, iot.Throttled},
		{500, "InternalError", iot.Transient, iot.UnknownOutcome},
		{502, "whatever", iot.Transient, iot.UnknownOutcome},
		{200, "iot.system.SystemException", iot.Transient, iot.UnknownOutcome},
		{200, "iot.messagebroker.TIMEOUT", iot.Transient, iot.UnknownOutcome},
		{200, "iot.messagebroker.OFFLINE", iot.NotConnected, iot.NotConnected},
		{200, "iot.messagebroker.HALFCONN", iot.NotConnected, iot.NotConnected},
		{404, "InvalidAccessKeyId.NotFound", iot.Denied, iot.Denied},
		{200, "iot.common.RamActionPermissionDeny", iot.Denied, iot.Denied},
		{200, "iot.Sre.IotInstanceNotFound", iot.NotFound, iot.NotFound},
		{200, "iot.prod.NotExistedProduct", iot.NotFound, iot.NotFound},
		{200, "iot.device.NotExistedDevice", iot.NotFound, iot.NotFound},
		{200, "iot.device.AlreadyExistedDeviceName", iot.Conflict, iot.Conflict},
		{200, "iot.common.InvalidPageParams", iot.Invalid, iot.Invalid},
		{200, "iot.prod.NullProductKey", iot.Invalid, iot.Invalid},
		{200, "iot.common.QueryDeviceActionError", iot.Transient, iot.Transient},
		{200, "iot.device.QueryDeviceStatusFailed", iot.Transient, iot.Transient},
		{200, "iot.something.New", iot.Unclassified, iot.Unclassified},
	}
	for _, test := range tests {
		fail := fake.Fault{Err: &fake.APIError{HTTPStatus: test.status, Code: test.code, Message: "no"}}
		b := newBench(t, meters(1, nil), hooked(func(fake.Op) fake.Fault { return fail }))
		p := b.platform(nil)
		_, read := p.Source.Product(t.Context(), meter)
		_, write := p.Source.Publish(t.Context(), "/a1Meter0001/m-0001/user/get", nil)
		if iot.KindOf(read) != test.read || iot.KindOf(write) != test.write {
			t.Errorf("%s: read %v, write %v; want %v, %v", test.code, iot.KindOf(read), iot.KindOf(write), test.read, test.write)
		}
		if e, ok := errors.AsType[*iot.Error](write); !ok || e.Code != test.code || e.Op != "Pub" {
			t.Errorf("%s: the error is %v", test.code, write)
		}
	}
}

func TestDriverRefusesWhatThePlatformWouldDrop(t *testing.T) {
	b := newBench(t, meters(60, nil), nil)
	p := b.platform(nil)
	for n, want := range map[int]iot.Kind{0: iot.Invalid, 11: iot.Invalid} {
		if _, err := p.Mover.Move(t.Context(), meter, names("m", n)); iot.KindOf(err) != want {
			t.Errorf("moving %d: %v", n, err)
		}
	}
	if _, err := p.Source.States(t.Context(), meter, names("m", 51)); iot.KindOf(err) != iot.Invalid {
		t.Errorf("51 states: %v", err)
	}
	if list, err := p.Target.States(t.Context(), meter, names("m", 50)); err != nil || len(list) != 0 {
		t.Errorf("states of a product that is not there: %v, %v", list, err)
	}
	if _, err := p.Source.Call(t.Context(), id(meter, "m-0001"), nil, 9*time.Second); iot.KindOf(err) != iot.Invalid {
		t.Errorf("9 s: %v", err)
	}
	if _, err := b.Platform("iot-other", nil); iot.KindOf(err) != iot.NotFound {
		t.Errorf("unknown target: %v", err)
	}
	if n := len(b.Calls()); n != 1 {
		t.Errorf("calls %+v, want one of BatchGetDeviceState", b.Calls())
	}
}

func TestDistributedDevicesAreFound(t *testing.T) {
	b := newBench(t, meters(20, func(i int, d *fleet.Device) { d.Distributed = i%5 == 0 }), nil)
	p := b.platform(nil)
	if s, n := count(t, p.Source.Distributed(t.Context(), meter)), count(t, p.Target.Distributed(t.Context(), meter)); s != 4 || n != 0 {
		t.Errorf("source %d, target %d; want 4, 0", s, n)
	}
}

func TestPagesStopWhenTheLoopBreaks(t *testing.T) {
	b := newBench(t, meters(200, nil), nil)
	list := b.platform(nil).Source.Devices(t.Context(), meter)
	for range 2 {
		for d, err := range list {
			if err != nil || d.ID.DeviceName != "m-0200" {
				t.Errorf("first device %v, %v", d, err)
			}
			break
		}
	}
	if got := b.Calls()[0].Calls; got != 2 {
		t.Errorf("%d calls, want 2", got)
	}
}

func TestErrorsEndAPagedRead(t *testing.T) {
	page := 0
	b := newBench(t, meters(200, nil), hooked(func(op fake.Op) fake.Fault {
		if page++; page == 3 {
			return fake.Fault{Lost: true}
		}
		return fake.Fault{}
	}))
	rows, failures := 0, 0
	for d, err := range b.platform(nil).Source.Devices(t.Context(), meter) {
		if err == nil {
			rows++
			continue
		}
		failures++
		if !d.ID.IsZero() || iot.KindOf(err) != iot.Transient {
			t.Errorf("%v, %v", d, err)
		}
	}
	if rows != 100 || failures != 1 {
		t.Errorf("%d rows, %d errors; want 100, 1", rows, failures)
	}
}

func TestRealClockInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := must(fake.New(meters(3, nil), fake.Options{}))
		ctx := t.Context()
		task := must(c.Console().CreateTask(ctx, meter, target))
		must(c.Console().Gray(ctx, task, []string{"m-0001"}))
		time.Sleep(8 * time.Second)
		if got, _ := c.Truth(id(meter, "m-0001")); got.Status != iot.Online || got.Instance != target {
			t.Errorf("8 s later: %+v", got)
		}
		time.Sleep(30 * 24 * time.Hour)
		if m, ok := c.Sink(target).Newest(id(meter, "m-0001")); !ok || time.Since(m.Generated) > time.Minute {
			t.Errorf("30 days later: %+v, %v", m, ok)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	const devices = 200
	b := newBench(t, trackers(devices), func(o *fake.Options, _ *fake.Quirks) {
		o.Hook = func(fake.Op) fake.Fault { return fake.Fault{} }
	})
	b.ready(tracker, "t-0001")
	p := b.platform(nil)
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := worker; i < devices; i += 4 {
				name := []string{fmt.Sprintf("t-%04d", i+1)}
				_, _ = p.Mover.Move(t.Context(), tracker, name)
				_, _ = p.Target.States(t.Context(), tracker, name)
				_, _ = p.Target.Publish(t.Context(), "/"+tracker+"/"+name[0]+"/user/get", nil)
				b.clock.Advance(250 * time.Millisecond)
				b.Sink(target).Newest(id(tracker, name[0]))
			}
		})
		wg.Go(func() {
			r := b.Receiver([]string{"", target}[worker%2])
			for range 50 {
				_, _ = r.Receive(t.Context(), "DEFAULT_GROUP", 10)
				_, _ = p.Source.GroupStatus(t.Context(), "DEFAULT_GROUP")
			}
		})
	}
	wg.Wait()
	b.clock.Advance(time.Minute)
	for _, name := range names("t", devices) {
		if got := b.truth(tracker, name); got.Moved > 1 {
			t.Errorf("%s moved %d times", name, got.Moved)
		}
	}
}
