package sim_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake/sim"
)

// same compares two JSON values.
func same(t *testing.T, what, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("%s: -want +got:\n%s", what, diff)
	}
}

// An operator migrates a product by hand, from the task to the way back.
func TestOperator(t *testing.T) {
	w := newWorld(t, "s1-direct.json")
	const devices = "/devices/" + meter + "/meter-0001"
	same(t, "before", w.get(devices), `{
		"deviceName": "meter-0001", "instance": "", "online": true, "status": "online", "gateway": "",
		"lastSeen": "2026-03-02T08:00:00Z", "moved": 0, "returned": 0, "kicked": 0
	}`)
	same(t, "no tasks", w.get("/tasks"), `{"tasks": []}`)

	created := w.post("/tasks", `{"productKey":"`+meter+`","targetInstanceId":"`+target+`"}`)
	same(t, "create", created, `{"taskId": "task-1", "state": "created"}`)
	same(t, "gray", w.post("/tasks/task-1/gray", `{"deviceNames":["meter-0001","nobody"]}`), `{
		"taskId": "task-1", "state": "gray", "results": [
			{"deviceName": "meter-0001", "status": "DEVICE_SUCCEEDED"},
			{"deviceName": "nobody", "status": "DEVICE_FAILED", "code": 500, "message": "系统错误"}
		]
	}`)
	same(t, "moved", w.get(devices), `{
		"deviceName": "meter-0001", "instance": "`+target+`", "online": false, "status": "offline", "gateway": "",
		"lastSeen": "2026-03-02T08:00:00Z", "moved": 1, "returned": 0, "kicked": 1
	}`)
	same(t, "confirm", w.post("/tasks/task-1/confirm", ""), `{"taskId": "task-1", "state": "gray-completed"}`)
	same(t, "data synchronisation", w.post("/tasks/task-1/datasync", `{"enabled":true}`), `{"taskId": "task-1", "state": "gray-completed"}`)
	same(t, "a day", w.post("/clock", `{"advance":"24h"}`), `{"now": "2026-03-03T08:00:00Z"}`)
	same(t, "back online", w.get(devices), `{
		"deviceName": "meter-0001", "instance": "`+target+`", "online": true, "status": "online", "gateway": "",
		"lastSeen": "2026-03-03T08:00:00Z", "moved": 1, "returned": 0, "kicked": 1
	}`)
	same(t, "full", w.post("/tasks/task-1/full", "{}"), `{"taskId": "task-1", "state": "full"}`)
	w.post("/clock", `{"advance":"1m"}`)
	same(t, "tasks", w.get("/tasks"), `{"tasks": [{
		"taskId": "task-1", "productKey": "`+meter+`", "targetInstanceId": "`+target+`", "state": "completed", "moved": 500,
		"dataSync": true, "created": "2026-03-02T08:00:00Z", "confirmed": "2026-03-02T08:00:00Z",
		"syncedFrom": "2026-03-02T08:00:00Z", "ended": "2026-03-03T08:00:09Z"
	}]}`)
	back := w.post("/tasks/task-1/rollback", `{"deviceNames":["meter-0001"]}`)
	same(t, "one back", back, `{
		"taskId": "task-1", "state": "gray-completed", "results": [{"deviceName": "meter-0001", "status": "DEVICE_SUCCEEDED"}]
	}`)
	if all := w.post("/tasks/task-1/rollback", ""); strings.Count(all, "DEVICE_SUCCEEDED") != 499 || !strings.Contains(all, `"state":"rolled-back"`) {
		t.Errorf("a rollback of all devices: %s", all)
	}
	var list struct {
		Devices []struct{ Moved, Returned int }
	}
	if err := json.Unmarshal([]byte(w.get("/devices/"+meter)), &list); err != nil {
		t.Fatal(err)
	}
	for i, d := range list.Devices {
		if d.Moved != 1 || d.Returned != 1 {
			t.Errorf("devices[%d]: %+v", i, d)
		}
	}
	if len(list.Devices) != 500 {
		t.Errorf("%d devices are listed, want 500", len(list.Devices))
	}
	w.post("/tasks", `{"productKey":"`+meter+`","targetInstanceId":"`+target+`"}`)
	same(t, "close", w.post("/tasks/task-2/close", ""), `{"taskId": "task-2", "state": "closed"}`)
}

// A sub-device has its gateway's name.
func TestGateway(t *testing.T) {
	w := newWorld(t, "s2-gateway.json")
	var list struct {
		Devices []struct{ DeviceName, Gateway string }
	}
	if err := json.Unmarshal([]byte(w.get("/devices/a1Climate01")), &list); err != nil || len(list.Devices) == 0 {
		t.Fatal(err, list)
	}
	for _, d := range list.Devices[:min(20, len(list.Devices))] {
		key, name, ok := strings.Cut(d.Gateway, "/")
		if !ok || !strings.Contains(w.get("/devices/"+key+"/"+name), name) {
			t.Errorf("device %s has gateway %q", d.DeviceName, d.Gateway)
		}
	}
}

// What makes no sense is refused with a reason, and nothing has happened.
func TestRefusals(t *testing.T) {
	w := newWorld(t, "s1-direct.json")
	w.post("/tasks", `{"productKey":"`+meter+`","targetInstanceId":"`+target+`"}`)
	before := w.get("/tasks")
	for _, test := range []struct {
		method, path, body string
		status             int
		reason             string
	}{
		{"POST", "/tasks", `{"productKey":"a1Nothing01","targetInstanceId":"` + target + `"}`, 404, "no such product on the public instance"},
		{"POST", "/tasks", `{"productKey":"` + meter + `","targetInstanceId":"iot-1"}`, 404, "no such standard-type Enterprise instance"},
		{"POST", "/tasks", `{"productKey":"` + meter + `","targetInstanceId":"` + target + `"}`, 409, "the product has a migration task"},
		{"POST", "/tasks", `{"product":"` + meter + `"}`, 400, `unknown field \"product\"`},
		{"POST", "/tasks", `{"productKey":1}`, 400, "the body has to be one JSON object"},
		{"POST", "/tasks", `{} {}`, 400, "there is more after its end"},
		{"POST", "/tasks", `{`, 400, "the body has to be one JSON object"},
		{"POST", "/tasks", `{"productKey":"` + strings.Repeat("x", 21<<20) + `"}`, 413, "the body is too large"},
		{"POST", "/tasks/task-9/confirm", "", 404, "no such task"},
		{"POST", "/tasks/task-1/confirm", "", 409, "the task's state forbids it"},
		{"POST", "/tasks/task-1/confirm", `{"sure":true}`, 400, `unknown field \"sure\"`},
		{"POST", "/tasks/task-1/full", "", 409, "the task's state forbids it"},
		{"POST", "/tasks/task-1/gray", "", 400, "deviceNames is missing"},
		{"POST", "/tasks/task-1/gray", `{"deviceNames":[]}`, 400, "deviceNames is missing"},
		{"POST", "/tasks/task-1/rollback", `{"deviceNames":[]}`, 400, "leave the field out to return all"},
		{"POST", "/tasks/task-1/rollback", "", 409, "the task's state forbids it"},
		{"POST", "/tasks/task-1/datasync", "", 400, "enabled is missing"},
		{"POST", "/tasks/task-1/datasync", `{"enabled":true}`, 409, "the task's state forbids it"},
		{"POST", "/tasks/task-1/delete", "", 404, "there is no such page"},
		{"DELETE", "/tasks/task-1", "", 404, "there is no such page"},
		{"GET", "/", "", 404, "there is no such page"},
		{"GET", "/devices/" + meter + "/nobody", "", 404, "no such device"},
		{"GET", "/devices/a1Nothing01", "", 404, "no such product"},
		{"POST", "/clock", "", 400, "advance is missing"},
		{"POST", "/clock", `{"advance":"-1h"}`, 400, "time goes forward only"},
		{"POST", "/clock", `{"advance":"a week"}`, 400, "is no duration"},
		{"POST", "/clock", `{"advance":168}`, 400, "the body has to be one JSON object"},
		{"POST", "/clock", `{"advance":"87600h"}`, 400, "advance is too long"},
		{"POST", "/faults", `{}`, 400, "faults is missing"},
		{"POST", "/amqp/drop", `{"now":true}`, 400, "unknown field"},
	} {
		if got := w.ask(test.status, test.method, test.path, test.body); !strings.Contains(got, test.reason) {
			t.Errorf("%s %s %.80s: got %s, want the reason %q", test.method, test.path, test.body, got, test.reason)
		}
	}
	same(t, "after all refusals", w.get("/tasks"), before)
	if now := w.clock.Now(); !now.Equal(begin()) {
		t.Errorf("the clock shows %v", now)
	}
}

// A platform whose clock and faults belong to somebody else says so.
func TestNotSteered(t *testing.T) {
	w := newWorld(t, "s1-direct.json")
	w.server = start(t, w.cloud, sim.Config{})
	for _, method := range []string{"GET", "POST"} {
		w.ask(http.StatusConflict, method, "/clock", `{"advance":"1h"}`)
		w.ask(http.StatusConflict, method, "/faults", `{"faults":[]}`)
	}
	if !w.clock.Now().Equal(begin()) {
		t.Error("time was put forward")
	}
}

// A page that is open in a browser cannot act.
func TestOtherOrigin(t *testing.T) {
	w := newWorld(t, "s1-direct.json")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.Endpoints().Console+"/clock", strings.NewReader(`{"advance":"1h"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	request.Header.Set("Origin", "https://example.com")
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusForbidden || !w.clock.Now().Equal(begin()) {
		t.Errorf("status %d, and the clock shows %v", response.StatusCode, w.clock.Now())
	}
}

// What was called is counted: a list of what was done, and what was refused.
func TestCalls(t *testing.T) {
	w := newWorld(t, "s1-direct.json")
	w.post("/tasks", `{"productKey":"`+meter+`","targetInstanceId":"`+target+`"}`)
	w.ask(http.StatusConflict, "POST", "/tasks", `{"productKey":"`+meter+`","targetInstanceId":"`+target+`"}`)
	same(t, "calls", w.get("/calls"), `{"calls": [{"kind": "console", "name": "CreateTask", "calls": 2, "throttled": 0, "failed": 1}]}`)
	same(t, "clock", w.get("/clock"), `{"now": "`+begin().Format(time.RFC3339)+`"}`)
}
