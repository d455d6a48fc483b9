package fake_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

func TestPubIsAcknowledged(t *testing.T) {
	b := newBench(t, meters(3, func(i int, d *fleet.Device) {
		if i == 2 {
			d.Status = iot.Offline
		}
	}), nil)
	p := b.platform(nil)
	b.ready(meter, "m-0001")
	b.clock.Advance(10 * time.Second)
	acked := func(in string, d iot.DeviceID, message string) bool {
		return slices.ContainsFunc(b.Sink(in).Forwarded(d), func(x fake.Forwarded) bool {
			return string(x.Message.Payload) == `{"ack":"`+message+`"}` && x.Message.Topic == "/"+d.String()+"/user/update"
		})
	}
	moved, sleeper := id(meter, "m-0001"), id(meter, "m-0003")
	message := must(p.Target.Publish(t.Context(), "/a1Meter0001/m-0001/user/get", []byte("hello")))
	if acked(target, moved, message) {
		t.Error("acknowledged at once")
	}
	b.clock.Advance(200 * time.Millisecond)
	if !acked(target, moved, message) {
		t.Errorf("not acknowledged: %+v", b.Sink(target).Forwarded(moved))
	}
	b.clock.Advance(time.Hour)
	if !acked(target, moved, message) {
		t.Error("reports have pushed the acknowledgement out")
	}

	message = must(p.Source.Publish(t.Context(), "/a1Meter0001/m-0003/user/get", nil))
	b.clock.Advance(time.Hour)
	if acked("", sleeper, message) {
		t.Error("a device that is off has acknowledged")
	}
	if err := b.PowerOn(sleeper, iot.NewSecret("s-m-0003")); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Second)
	if !acked("", sleeper, message) {
		t.Error("the message did not wait for the device")
	}
	_, err := p.Source.Publish(t.Context(), "/a1Meter0001/m-0001/thing/x", nil)
	if iot.KindOf(err) != iot.Invalid {
		t.Errorf("a topic that is not custom: %v", err)
	}
}

func TestMessageForADeviceThatIsOffIsLostWhenItMoves(t *testing.T) {
	b := newBench(t, meters(2, func(i int, d *fleet.Device) {
		if i == 1 {
			d.Status = iot.Offline
		}
	}), nil)
	b.ready(meter, "m-0001")
	must(b.platform(nil).Source.Publish(t.Context(), "/a1Meter0001/m-0002/user/get", nil))
	b.move(meter, "m-0002")
	if err := b.PowerOn(id(meter, "m-0002"), iot.NewSecret("s-m-0002")); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Hour)
	for _, x := range b.Sink(target).Forwarded(id(meter, "m-0002")) {
		if strings.Contains(string(x.Message.Payload), "ack") {
			t.Errorf("acknowledged: %s", x.Message.Payload)
		}
	}
}

func TestMessageWaitsForSevenDays(t *testing.T) {
	for wait, want := range map[time.Duration]bool{7*24*time.Hour - time.Second: true, 7 * 24 * time.Hour: false} {
		b := newBench(t, meters(1, func(_ int, d *fleet.Device) { d.Status = iot.Offline }), nil)
		must(b.platform(nil).Source.Publish(t.Context(), "/a1Meter0001/m-0001/user/get", nil))
		b.clock.Advance(wait)
		if err := b.PowerOn(id(meter, "m-0001"), iot.NewSecret("s-m-0001")); err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(time.Second)
		acked := slices.ContainsFunc(b.Sink("").Forwarded(id(meter, "m-0001")), func(x fake.Forwarded) bool {
			return strings.Contains(string(x.Message.Payload), "ack")
		})
		if acked != want {
			t.Errorf("after %v: acknowledged %v, want %v", wait, acked, want)
		}
	}
}

func TestServerThatForgetsTheInstance(t *testing.T) {
	for _, granted := range []bool{false, true} {
		b := newBench(t, storages(2), func(_ *fake.Options, q *fake.Quirks) { q.TicketGranted = granted })
		b.ready(storage, "s-0001")
		b.clock.Advance(10 * time.Second)
		p, moved := b.platform(nil), id(storage, "s-0001")
		_, pub := p.Source.Publish(t.Context(), "/a1Storage01/s-0001/user/get", nil)
		_, invoke := p.Source.Invoke(t.Context(), moved, "SelfTest", json.RawMessage(`{}`))
		_, set := p.Source.SetProperties(t.Context(), moved, json.RawMessage(`{"Mode":1}`))
		for name, err := range map[string]error{"Pub": pub, "InvokeThingService": invoke} {
			if granted != (err == nil) || err != nil && iot.KindOf(err) != iot.NotFound {
				t.Errorf("ticket %v: %s to the source: %v", granted, name, err)
			}
		}
		if iot.KindOf(set) != iot.NotFound {
			t.Errorf("ticket %v: SetDeviceProperty to the source: %v", granted, set)
		}
	}
}

func TestRRpc(t *testing.T) {
	dead := func(op fake.Op) fake.Fault {
		if op.Name == fake.Connect {
			return fake.Fault{Lie: fake.Always}
		}
		return fake.Fault{}
	}
	tests := map[string]struct {
		status iot.Status
		hook   func(fake.Op) fake.Fault
		delay  time.Duration
		want   iot.Kind
		takes  time.Duration
	}{
		"online":         {status: iot.Online, delay: 300 * time.Millisecond, takes: 300 * time.Millisecond},
		"offline":        {status: iot.Offline, want: iot.NotConnected},
		"no device":      {status: iot.Online, hook: dead, want: iot.NotConnected},
		"too slow":       {status: iot.Online, delay: 5 * time.Second, want: iot.UnknownOutcome, takes: 2 * time.Second},
		"never was here": {status: iot.Unactive, want: iot.NotConnected},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := meters(1, func(_ int, d *fleet.Device) { d.Status = test.status })
			b := newBench(t, f, func(o *fake.Options, q *fake.Quirks) { o.Hook, q.AnswerDelay = test.hook, test.delay })
			b.ready(meter, "m-0001")
			b.clock.Advance(10 * time.Second)
			begin := b.clock.Now()
			got, err := b.platform(nil).Target.Call(t.Context(), id(meter, "m-0001"), []byte("hello"), 2*time.Second)
			if iot.KindOf(err) != test.want || err == nil && string(got) != "hello" {
				t.Errorf("answer %q, error %v; want kind %v", got, err, test.want)
			}
			if took := b.clock.Now().Sub(begin); took != test.takes {
				t.Errorf("took %v, want %v", took, test.takes)
			}
		})
	}
}

const storageTSL = `{
	"schema": "x", "profile": {"version": "1.0", "productKey": "a1Storage01"},
	"properties": [
		{"identifier": "Level", "dataType": {"type": "int", "specs": {"min": "20", "max": "100", "step": "5"}}},
		{"identifier": "Volt", "dataType": {"type": "float", "specs": {"min": "0", "max": "1", "step": "0.1"}}},
		{"identifier": "Mode", "dataType": {"type": "enum", "specs": {"1": "a", "3": "b"}}},
		{"identifier": "On", "dataType": {"type": "bool", "specs": {"0": "off", "1": "on"}}},
		{"identifier": "Site", "dataType": {"type": "text", "specs": {"length": "4"}}},
		{"identifier": "Day", "dataType": {"type": "date", "specs": {}}},
		{"identifier": "At", "dataType": {"type": "struct", "specs": [{"identifier": "X", "dataType": {"type": "double", "specs": {"min": "-1", "max": "1", "step": "0.01"}}}]}},
		{"identifier": "Cells", "dataType": {"type": "array", "specs": {"size": "3", "item": {"type": "float"}}}}
	],
	"events": [
		{"identifier": "post", "name": "post", "type": "info", "outputData": []},
		{"identifier": "Hot", "name": "Too hot", "type": "alert", "outputData": [{"identifier": "Cell", "dataType": {"type": "int", "specs": {"min": "0", "max": "15"}}}]}
	],
	"services": [
		{"identifier": "set", "callType": "async", "inputData": [], "outputData": []},
		{"identifier": "get", "callType": "async", "inputData": ["Level"], "outputData": []},
		{"identifier": "SelfTest", "callType": "sync", "inputData": [], "outputData": [{"identifier": "Passed", "dataType": {"type": "bool", "specs": {}}}]},
		{"identifier": "Reboot", "callType": "async", "inputData": [], "outputData": [{"identifier": "Delay", "dataType": {"type": "int", "specs": {"min": "1", "max": "9"}}}]}
	]
}`

func storages(n int) *fleet.Fleet {
	f := newFleet()
	p := custom(storage, iot.Direct, rule("/+/thing/event/property/post", "OTS"), rule("/+/thing/event/+/post", "FC"),
		rule("/+/thing/downlink/reply/message", "ONS"))
	p.DataFormat, p.TSL = iot.Alink, json.RawMessage(storageTSL)
	f.Products = append(f.Products, p)
	add(f, storage, names("s", n), nil)
	return f
}

func TestAlinkReportsFitTheThingModel(t *testing.T) {
	b := newBench(t, storages(50), nil)
	b.clock.Advance(time.Hour)
	events := 0
	for _, name := range names("s", 50) {
		for _, x := range b.Sink("").Forwarded(id(storage, name)) {
			if strings.HasSuffix(x.Message.Topic, "/thing/event/Hot/post") {
				events++
				checkEvent(t, x.Message)
				continue
			}
			checkProperties(t, name, x.Message)
		}
	}
	if events != 50 {
		t.Errorf("%d events of 50 devices", events)
	}
	p := b.platform(nil)
	if got := must(p.Source.ThingModel(t.Context(), storage)); string(got) != storageTSL {
		t.Errorf("thing model %s", got)
	}
}

func checkEvent(t *testing.T, m iot.Message) {
	t.Helper()
	var body struct {
		Identifier, Type string
		Value            struct{ Cell *int }
	}
	if err := json.Unmarshal(m.Payload, &body); err != nil || body.Identifier != "Hot" || body.Type != "alert" ||
		body.Value.Cell == nil || *body.Value.Cell < 0 || *body.Value.Cell > 15 {
		t.Errorf("event %s: %v", m.Payload, err)
	}
}

func checkProperties(t *testing.T, name string, m iot.Message) {
	t.Helper()
	var body struct {
		DeviceName string
		Items      map[string]struct {
			Value json.RawMessage
			Time  int64
		}
	}
	if err := json.Unmarshal(m.Payload, &body); err != nil || body.DeviceName != name || len(body.Items) != 8 {
		t.Fatalf("post %s: %v", m.Payload, err)
	}
	read := func(identifier string, v any) {
		t.Helper()
		if err := json.Unmarshal(body.Items[identifier].Value, v); err != nil {
			t.Errorf("%s: %v", identifier, err)
		}
	}
	var level, mode, on int
	var volt float64
	var site, day string
	var at struct{ X *float64 }
	var cells []float64
	read("Level", &level)
	read("Volt", &volt)
	read("Mode", &mode)
	read("On", &on)
	read("Site", &site)
	read("Day", &day)
	read("At", &at)
	read("Cells", &cells)
	switch {
	case level < 20 || level > 100 || level%5 != 0, volt < 0 || volt > 1, mode != 1 && mode != 3, on != 0 && on != 1,
		len(site) > 4, len(day) != 13, at.X == nil || *at.X < -1 || *at.X > 1, len(cells) != 3,
		body.Items["Volt"].Time != m.Generated.UnixMilli():
		t.Errorf("post does not fit the model: %s", m.Payload)
	}
}

func TestServices(t *testing.T) {
	b := newBench(t, storages(2), nil)
	p, d := b.platform(nil), id(storage, "s-0001")
	sync := must(p.Source.Invoke(t.Context(), d, "SelfTest", json.RawMessage(`{}`)))
	if r := string(sync.Result); r != `{"Passed":0}` && r != `{"Passed":1}` {
		t.Errorf("synchronous: %+v", sync)
	}
	async := must(p.Source.Invoke(t.Context(), d, "Reboot", json.RawMessage(`{"a":1}`)))
	if async.Result != nil || async.MessageID == "" {
		t.Errorf("asynchronous: %+v", async)
	}
	b.clock.Advance(time.Second)
	b.wantReply(d, async.MessageID, 200)

	if err := b.PowerOff(d); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Source.Invoke(t.Context(), d, "SelfTest", json.RawMessage(`{}`)); iot.KindOf(err) != iot.NotConnected {
		t.Errorf("synchronous, offline: %v", err)
	}
	late := must(p.Source.Invoke(t.Context(), d, "Reboot", json.RawMessage(`{}`)))
	b.wantReply(d, late.MessageID, 9201)
	for _, service := range []string{"Nothing", "set"} {
		if _, err := p.Source.Invoke(t.Context(), d, service, json.RawMessage(`{}`)); err == nil {
			t.Errorf("service %q: want an error", service)
		}
	}
	if _, err := p.Source.Invoke(t.Context(), d, "SelfTest", json.RawMessage(`[]`)); err == nil {
		t.Error("arguments that are no object: want an error")
	}
}

func (b *bench) wantReply(d iot.DeviceID, message string, code int) {
	b.Helper()
	for _, x := range b.Sink("").Forwarded(d) {
		var body struct {
			RequestID string `json:"requestId"`
			Code      int
		}
		if x.Message.ID != message || x.Name != "to_ONS" {
			continue
		}
		if err := json.Unmarshal(x.Message.Payload, &body); err != nil || body.RequestID != message || body.Code != code {
			b.Errorf("reply %s: want code %d", x.Message.Payload, code)
		}
		return
	}
	b.Errorf("no reply with ID %s", message)
}

func TestSetPropertiesArePosted(t *testing.T) {
	b := newBench(t, storages(1), nil)
	p, d := b.platform(nil), id(storage, "s-0001")
	must(p.Source.SetProperties(t.Context(), d, json.RawMessage(`{"Mode": 3}`)))
	b.clock.Advance(time.Second)
	posted := slices.ContainsFunc(b.Sink("").Forwarded(d), func(x fake.Forwarded) bool {
		return strings.Contains(string(x.Message.Payload), `"items":{"Mode":{"time":`) && strings.HasSuffix(x.Message.Topic, "/property/post")
	})
	if !posted {
		t.Errorf("not posted: %+v", b.Sink("").Forwarded(d))
	}
	if _, err := p.Source.SetProperties(t.Context(), d, json.RawMessage(`{"Nothing": 3}`)); err == nil {
		t.Error("an unknown property: want an error")
	}
}

func TestNewDeviceIsCreatedOnTheTarget(t *testing.T) {
	b := newBench(t, meters(2, nil), nil)
	task := b.ready(meter, "m-0001")
	p, fresh := b.platform(nil), id(meter, "new-device-1")
	credential, err := p.Target.Register(t.Context(), fresh)
	if err != nil || credential.ID != fresh {
		t.Fatalf("%+v, %v", credential, err)
	}
	if _, err := p.Source.Register(t.Context(), fresh); iot.KindOf(err) != iot.Conflict {
		t.Errorf("the same name on the source: %v", err)
	}
	if err := b.PowerOn(fresh, iot.NewSecret("wrong")); iot.KindOf(err) != iot.Denied {
		t.Errorf("wrong secret: %v", err)
	}
	if got := b.truth(meter, fresh.DeviceName); got.Status != iot.Unactive || got.Instance != target {
		t.Errorf("before it is plugged in: %+v", got)
	}
	if err := b.PowerOn(fresh, credential.Secret); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(time.Minute)
	if _, ok := b.Sink(target).Newest(fresh); !ok || b.truth(meter, fresh.DeviceName).Status != iot.Online {
		t.Error("the new device does not report")
	}
	must(b.Console().Rollback(t.Context(), task, nil))
	if where, _ := b.Owner(fresh); where != target {
		t.Errorf("a rollback took the new device to %q", where)
	}
	b.clock.Advance(2 * time.Second)
	if got := must(p.Target.Product(t.Context(), meter)); got.Devices != 1 {
		t.Errorf("the target's product has %d devices, want its own one", got.Devices)
	}
	if d := cmp.Diff(fake.TaskRolledBack, b.Console().Tasks()[0].State); d != "" {
		t.Error(d)
	}
}
