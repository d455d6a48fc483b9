package sim_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/sim"
	"github.com/iotferry/iotferry/iot"
)

func states(names ...string) fake.BatchGetDeviceStateRequest {
	return fake.BatchGetDeviceStateRequest{ProductKey: meter, DeviceName: names}
}

// A rule disturbs the operations that it names, and by its numbers those of them that it means.
func TestRuleCounts(t *testing.T) {
	w := newWorld(t, "s1-direct.json")
	w.post("/faults", `{"faults":[{"kind":"api","name":"BatchGetDeviceState","after":2,"every":3,"count":2,"refuse":{"code":"iot.system.SystemException"}}]}`)
	var got []int
	for i := range 12 {
		w.clock.Advance(time.Second)
		_, err := w.cloud.BatchGetDeviceState(t.Context(), states("meter-0001"))
		if refusal, ok := errors.AsType[*fake.APIError](err); ok && refusal.HTTPStatus == 200 && refusal.Code == "iot.system.SystemException" {
			got = append(got, i)
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]int{2, 5}, got); diff != "" {
		t.Error("-want +got:\n" + diff)
	}
	same(t, "faults", w.get("/faults"), `{"faults": [{
		"kind": "api", "name": "BatchGetDeviceState", "after": 2, "every": 3, "count": 2,
		"refuse": {"code": "iot.system.SystemException"}, "seen": 6, "done": 2, "over": true
	}]}`)
	same(t, "no faults", w.post("/faults", `{"faults":[]}`), `{"faults": []}`)
}

// All that a rule names has to match, and the first rule that does decides.
func TestRuleMatches(t *testing.T) {
	public := fake.Op{Kind: fake.APIOp, Name: "QueryProduct", ProductKey: meter}
	atTarget := public
	atTarget.Instance = target
	named := fake.Op{Kind: fake.ConsoleOp, Name: "Gray", Instance: target, ProductKey: meter, Devices: []string{"a-01", "b-01"}}
	empty, id := "", target
	for _, test := range []struct {
		name string
		rule sim.Rule
		want [3]bool
	}{
		{"anything", sim.Rule{}, [3]bool{true, true, true}},
		{"kind", sim.Rule{Kind: fake.ConsoleOp}, [3]bool{false, false, true}},
		{"name", sim.Rule{Name: "QueryProduct"}, [3]bool{true, true, false}},
		{"the public instance", sim.Rule{Instance: &empty}, [3]bool{true, false, false}},
		{"the target", sim.Rule{Instance: &id}, [3]bool{false, true, true}},
		{"product", sim.Rule{ProductKey: "a1Other0001"}, [3]bool{}},
		{"device", sim.Rule{Device: "b-01"}, [3]bool{false, false, true}},
		{"another device", sim.Rule{Device: "c-01"}, [3]bool{}},
		{"all of it", sim.Rule{Kind: fake.APIOp, Name: "QueryProduct", Instance: &id, ProductKey: meter}, [3]bool{false, true, false}},
	} {
		var f sim.Faults
		test.rule.Lost = true
		if err := f.Set([]sim.Rule{test.rule, {Delay: sim.Duration(time.Hour)}}); err != nil {
			t.Fatal(err)
		}
		for i, op := range []fake.Op{public, atTarget, named} {
			fault := f.Hook(op)
			if fault.Lost != test.want[i] || (fault.Delay == time.Hour) == test.want[i] {
				t.Errorf("%s: %+v of %s: lost %v, delay %v", test.name, op, op.Instance, fault.Lost, fault.Delay)
			}
		}
	}
}

// Each effect is that of the platform.
func TestRuleEffects(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, "s1-direct.json")
	names := []string{"meter-0001", "meter-0002", "meter-0003"}
	w.post("/tasks", `{"productKey":"`+meter+`","targetInstanceId":"`+target+`"}`)
	w.post("/tasks/task-1/gray", `{"deviceNames":["meter-0009"]}`)
	w.post("/tasks/task-1/confirm", "")
	owner := func(name string) string {
		id, _ := w.cloud.Owner(iot.DeviceID{ProductKey: meter, DeviceName: name})
		return id
	}
	move := func(names ...string) (fake.BatchGrayMigrationDeviceResponse, error) {
		return w.cloud.BatchGrayMigrationDevice(ctx, fake.BatchGrayMigrationDeviceRequest{ProductKey: meter, DeviceNames: names})
	}
	set := func(rule string) { w.post("/faults", `{"faults":[`+rule+`]}`) }

	set(`{"name":"BatchGrayMigrationDevice","refuse":{"status":503,"code":"ServiceUnavailable","message":"later"}}`)
	_, err := move(names...)
	if e, ok := errors.AsType[*fake.APIError](err); !ok || *e != (fake.APIError{HTTPStatus: 503, Code: "ServiceUnavailable", Message: "later"}) {
		t.Errorf("refuse: got %v", err)
	}
	set(`{"name":"BatchGrayMigrationDevice","device":"meter-0002","lie":["meter-0001"]}`)
	if out, err := move(names[:2]...); err != nil || len(out.Details) != 2 || owner(names[0]) != "" || owner(names[1]) != target {
		t.Errorf("lie: got %v, %v; devices are on %q and %q", out, err, owner(names[0]), owner(names[1]))
	}
	set(`{"name":"BatchGrayMigrationDevice","lost":true}`)
	if _, err := move(names[0]); owner(names[0]) != target || !isLost(err) {
		t.Errorf("lost: got %v; the device is on %q", err, owner(names[0]))
	}
	set(`{"name":"BatchGrayMigrationDevice","drop":["meter-0003"]}`)
	if out, err := move(names[2], "nobody"); err != nil || len(out.Details) != 1 || owner(names[2]) != target {
		t.Errorf("drop: got %v, %v; the device is on %q", out, err, owner(names[2]))
	}
	set(`{"name":"BatchGrayMigrationDevice","delay":"90s"}`)
	before := w.clock.Now()
	if _, err := move("meter-0004"); err != nil || w.clock.Now().Sub(before) != 90*time.Second {
		t.Errorf("delay: got %v after %v", err, w.clock.Now().Sub(before))
	}
	set(`{"kind":"device","name":"Connect","refuse":{"code":"offline"}}`)
	if _, err := move("meter-0005"); err != nil {
		t.Fatal(err)
	}
	w.post("/clock", `{"advance":"1h"}`)
	if got := w.get("/devices/" + meter + "/meter-0005"); !strings.Contains(got, `"online":false`) {
		t.Errorf("a device that may not connect: %s", got)
	}
}

func isLost(err error) bool {
	_, ok := errors.AsType[*fake.LostError](err)
	return ok
}

// Every answer that lists devices can leave some out.
func TestDrop(t *testing.T) {
	ctx := t.Context()
	w := newWorld(t, "s2-gateway.json")
	const gateway, large = "a1Gateway01", "gw-004"
	const one, two = "gw-040", "gw-039" // the newest
	subs, err := w.cloud.GetThingTopo(ctx, fake.GetThingTopoRequest{ProductKey: gateway, DeviceName: large, PageSize: 2})
	if err != nil || len(subs.DeviceInfo) != 2 {
		t.Fatal(subs, err)
	}
	sub := subs.DeviceInfo[0].DeviceName
	w.post("/tasks", `{"productKey":"`+gateway+`","targetInstanceId":"`+target+`"}`)
	both := []string{one, two}
	for _, test := range []struct {
		name, drop string
		count      func() (int, error)
	}{
		{"BatchGetDeviceState", one, func() (int, error) {
			out, err := w.cloud.BatchGetDeviceState(ctx, fake.BatchGetDeviceStateRequest{ProductKey: gateway, DeviceName: both})
			return len(out.DeviceStatus), err
		}},
		{"BatchQueryDeviceDetail", one, func() (int, error) {
			out, err := w.cloud.BatchQueryDeviceDetail(ctx, fake.BatchQueryDeviceDetailRequest{ProductKey: gateway, DeviceName: both})
			return len(out.Data), err
		}},
		{"QueryDevice", one, func() (int, error) {
			out, err := w.cloud.QueryDevice(ctx, fake.QueryDeviceRequest{ProductKey: gateway, PageSize: 2})
			return len(out.DeviceInfo), err
		}},
		{"QueryDeviceByStatus", one, func() (int, error) {
			out, err := w.cloud.QueryDeviceByStatus(ctx, fake.QueryDeviceByStatusRequest{ProductKey: gateway, Status: 1, PageSize: 2})
			return len(out.SimpleDeviceInfo), err
		}},
		{"GetThingTopo", sub, func() (int, error) {
			out, err := w.cloud.GetThingTopo(ctx, fake.GetThingTopoRequest{ProductKey: gateway, DeviceName: large, PageSize: 2})
			return len(out.DeviceInfo), err
		}},
		{"Gray", one, func() (int, error) {
			out, err := w.cloud.Console().Gray(ctx, "task-1", both)
			return len(out), err
		}},
		{"Rollback", one, func() (int, error) {
			out, err := w.cloud.Console().Rollback(ctx, "task-1", both)
			return len(out), err
		}},
	} {
		for _, drop := range []struct {
			names string
			want  int
		}{{"", 2}, {test.drop, 1}, {"*", 0}} {
			body := `{"faults":[]}`
			if drop.names != "" {
				body = `{"faults":[{"name":"` + test.name + `","drop":["` + drop.names + `"]}]}`
			}
			w.post("/faults", body)
			if got, err := test.count(); err != nil || got != drop.want {
				t.Errorf("%s without %q: got %d rows and error %v, want %d", test.name, drop.names, got, err, drop.want)
			}
		}
	}
}

// A rule that makes no sense is refused by its place, and the rules that were there stay.
func TestRuleRefused(t *testing.T) {
	w := newWorld(t, "s1-direct.json")
	before := w.post("/faults", `{"faults":[{"name":"Pub","lost":true}]}`)
	for rule, want := range map[string]string{
		`{"name":"Pub"}`:                                            "faults[1].it does nothing",
		`{"kind":"Api","lost":true}`:                                "faults[1].kind",
		`{"lost":true,"count":-1}`:                                  "a number is negative",
		`{"delay":"-1s"}`:                                           "faults[1].delay",
		`{"delay":5}`:                                               "the body has to be one JSON object",
		`{"delay":"soon"}`:                                          "is no duration",
		`{"lie":["*"]}`:                                             "faults[1].lie",
		`{"name":"QueryProduct","drop":["*"]}`:                      "faults[1].drop",
		`{"refuse":{"status":302,"code":"Moved"}}`:                  "faults[1].refuse.status",
		`{"refuse":{"status":500}}`:                                 "faults[1].refuse.code",
		`{"refuse":{"status":500,"code":"X"},"instance":["x"]}`:     "the body has to be one JSON object",
		`{"refuse":{"status":500,"code":"X"},"devices":["x-0001"]}`: "unknown field",
	} {
		body := `{"faults":[{"name":"QueryProduct","lost":true},` + rule + `]}`
		if got := w.ask(http.StatusBadRequest, http.MethodPost, "/faults", body); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %q", rule, got, want)
		}
	}
	same(t, "after all refusals", w.get("/faults"), before)
}

// An act at the console can fail like any other: refused with a reason, or without an answer.
func TestFaultsOfConsole(t *testing.T) {
	w := newWorld(t, "s1-direct.json")
	const create = `{"productKey":"` + meter + `","targetInstanceId":"` + target + `"}`
	w.post("/faults", `{"faults":[
		{"kind":"console","count":1,"refuse":{"code":"Console.Busy","message":"try later"}},
		{"kind":"console","count":1,"refuse":{"status":503,"code":"Console.Down"}},
		{"kind":"console","lost":true}
	]}`)
	same(t, "refused", w.ask(http.StatusBadRequest, "POST", "/tasks", create), `{"error": "Console.Busy", "detail": "try later"}`)
	same(t, "down", w.ask(http.StatusServiceUnavailable, "POST", "/tasks", create), `{"error": "Console.Down"}`)
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.server.Endpoints().Console+"/tasks", strings.NewReader(create))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
		t.Errorf("an answer that was lost came: %s", response.Status)
	}
	if got := w.get("/tasks"); !strings.Contains(got, `"taskId":"task-1"`) {
		t.Errorf("an act without an answer has had no effect: %s", got)
	}
}
