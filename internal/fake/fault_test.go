package fake_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// during returns a hook that gives a fault for one operation.
func during(name string, f fake.Fault) func(fake.Op) fake.Fault {
	return func(op fake.Op) fake.Fault {
		if op.Name == name {
			return f
		}
		return fake.Fault{}
	}
}

func hooked(hook func(fake.Op) fake.Fault) func(*fake.Options, *fake.Quirks) {
	return func(o *fake.Options, _ *fake.Quirks) { o.Hook = hook }
}

func TestFaultsOfAMove(t *testing.T) {
	const api = "BatchGrayMigrationDevice"
	drop := func(response any) {
		r := response.(*fake.BatchGrayMigrationDeviceResponse)
		r.Details = r.Details[1:]
	}
	tests := map[string]struct {
		fault   fake.Fault
		kind    iot.Kind
		results int
		moved   []bool
	}{
		"none":               {results: 2, moved: []bool{true, true}},
		"refused before":     {fault: fake.Fault{Err: &fake.APIError{HTTPStatus: 403, Code: "Forbidden.RAM"}}, kind: iot.Denied, moved: []bool{false, false}},
		"gateway broke":      {fault: fake.Fault{Err: &fake.APIError{HTTPStatus: 503, Code: "ServiceUnavailable"}}, kind: iot.UnknownOutcome, moved: []bool{false, false}},
		"answer lost":        {fault: fake.Fault{Lost: true}, kind: iot.UnknownOutcome, moved: []bool{true, true}},
		"refused and lost":   {fault: fake.Fault{Lost: true, Err: errors.New("x")}, kind: iot.UnknownOutcome, moved: []bool{false, false}},
		"lies":               {fault: fake.Fault{Lie: fake.Always}, results: 2, moved: []bool{false, false}},
		"lies about one":     {fault: fake.Fault{Lie: func(name string) bool { return name == "m-0002" }}, results: 2, moved: []bool{false, true}},
		"result left out":    {fault: fake.Fault{Alter: drop}, results: 1, moved: []bool{true, true}},
		"lies and drops one": {fault: fake.Fault{Alter: drop, Lie: fake.Always}, results: 1, moved: []bool{false, false}},
		"slow":               {fault: fake.Fault{Delay: time.Minute}, results: 2, moved: []bool{true, true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, meters(3, nil), hooked(during(api, test.fault)))
			b.ready(meter, "m-0001")
			results, err := b.platform(nil).Mover.Move(t.Context(), meter, []string{"m-0002", "m-0003"})
			if iot.KindOf(err) != test.kind || len(results) != test.results {
				t.Errorf("%d results, error %v; want %d, %v", len(results), err, test.results, test.kind)
			}
			for _, r := range results {
				if !r.Accepted {
					t.Errorf("%+v was refused", r)
				}
			}
			for i, name := range []string{"m-0002", "m-0003"} {
				if moved := b.MovedTimes(id(meter, name)) == 1; moved != test.moved[i] {
					t.Errorf("%s moved: %v", name, moved)
				}
			}
		})
	}
}

func TestContextThatEndsWhileTheAnswerIsAwaited(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hook := func(op fake.Op) fake.Fault {
		if op.Kind != fake.APIOp {
			return fake.Fault{}
		}
		return fake.Fault{Delay: time.Second, Lie: func(string) bool { cancel(); return false }}
	}
	b := newBench(t, meters(2, nil), hooked(hook))
	b.ready(meter, "m-0001")
	_, err := b.platform(nil).Mover.Move(ctx, meter, []string{"m-0002"})
	if iot.KindOf(err) != iot.UnknownOutcome || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want an unknown outcome", err)
	}
	if b.MovedTimes(id(meter, "m-0002")) != 1 {
		t.Error("the device was not moved")
	}
}

func TestDevicesThatDoNotComeBack(t *testing.T) {
	b := newBench(t, meters(3, nil), hooked(during(fake.Connect, fake.Fault{Err: errors.New("no network")})))
	b.ready(meter, "m-0001")
	b.clock.Advance(time.Hour)
	if got := b.truth(meter, "m-0001"); got.Instance != target || got.Status != iot.Offline {
		t.Errorf("%+v, want it on the target, offline", got)
	}
}

func TestDeviceThatIsOnlineWithoutAConnection(t *testing.T) {
	f := trackers(3, rule("/+/user/update", "OTS"), amqp("DEFAULT_GROUP", iot.DeviceData))
	b := newBench(t, f, hooked(during(fake.Connect, fake.Fault{Lie: fake.Always})))
	b.ready(tracker, "t-0001")
	b.clock.Advance(time.Hour)
	device := id(tracker, "t-0001")
	states := must(b.platform(nil).Target.States(t.Context(), tracker, []string{"t-0001"}))
	if len(states) != 1 || states[0].Status != iot.Online {
		t.Errorf("the registry shows %v, want online", states)
	}
	if _, ok := b.Sink(target).Newest(device); ok || b.truth(tracker, "t-0001").Alive {
		t.Error("it reports")
	}
	if n := must(b.platform(nil).Target.GroupStatus(t.Context(), "DEFAULT_GROUP")).Backlog; n != 0 {
		t.Errorf("a backlog of %d", n)
	}
	if list := b.drain(target, "DEFAULT_GROUP"); len(list) != 0 {
		t.Errorf("a group gets %v", topics(list))
	}
}

func TestLostConsoleAnswer(t *testing.T) {
	b := newBench(t, meters(2, nil), hooked(during("Gray", fake.Fault{Lost: true})))
	task := must(b.Console().CreateTask(t.Context(), meter, target))
	_, err := b.Console().Gray(t.Context(), task, []string{"m-0001"})
	if _, ok := errors.AsType[*fake.LostError](err); !ok || b.MovedTimes(id(meter, "m-0001")) != 1 {
		t.Errorf("error %v, want it lost after the move", err)
	}
}

func TestHookSeesEveryOperation(t *testing.T) {
	var c *fake.Cloud
	var ops []fake.Op
	b := newBench(t, meters(2, nil), hooked(func(op fake.Op) fake.Fault {
		if c != nil { // the hook may use the Cloud
			c.Owner(id(meter, "m-0001"))
		}
		ops = append(ops, op)
		return fake.Fault{}
	}))
	c = b.Cloud
	b.ready(meter, "m-0001")
	b.move(meter, "m-0002")
	b.clock.Advance(10 * time.Second)
	b.Calls()
	var got []string
	for _, op := range ops {
		got = append(got, string(op.Kind)+" "+op.Name)
	}
	want := []string{
		"console CreateTask", "console Gray", "console Confirm", "api BatchGrayMigrationDevice", "device Connect", "device Connect",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("operations (-want +got):\n%s", d)
	}
	if op := ops[3]; op.ProductKey != meter || !slices.Equal(op.Devices, []string{"m-0002"}) {
		t.Errorf("the move is shown as %+v", op)
	}
	if op := ops[4]; op.Instance != target || op.At.Before(start.Add(2*time.Second)) {
		t.Errorf("the device's connecting is shown as %+v", op)
	}
}
