package mqtt_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/mqtt"
	"github.com/iotferry/iotferry/iot"
)

func TestPropertyPost(t *testing.T) {
	b := newBench(t, mqtt.Config{}, nil)
	m := id(meter, "meter-1")
	x := connect(b, "tcp://"+b.public(), card{device: m, method: "hmacsha256", timestamp: "1"}, nil)
	const topic = "/sys/a1Meter0001/meter-1/thing/event/property/post"
	x.listen(topic + "_reply")
	if code, data := x.ask(topic, map[string]any{"Power": 7.5}); code != 200 || data != "{}" {
		t.Errorf("code %d, data %s", code, data)
	}
	if code, _ := x.ask(topic, "nonsense"); code != 460 {
		t.Errorf("nonsense is answered with code %d", code)
	}
	var got struct {
		Items map[string]struct{ Value float64 } `json:"items"`
	}
	for _, y := range b.messages("") {
		if y.Topic == "/"+m.String()+"/thing/event/property/post" {
			if err := json.Unmarshal(y.Payload, &got); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got.Items["Power"].Value != 7.5 {
		t.Errorf("the server got %+v", got)
	}
}

// A message of Pub comes with the lower of two QoS: that of the message and that of the subscription.
func TestCustomTopics(t *testing.T) {
	b := newBench(t, mqtt.Config{}, nil)
	x := connect(b, "tcp://"+b.public(), card{device: first}, nil)
	x.say(update, 1, "up")
	if diff := cmp.Diff([]string{"up"}, b.received(first)); diff != "" {
		t.Errorf("the server got (-want +got):\n%s", diff)
	}
	const get, other = "/a1Tracker01/tracker-000/user/get", "/a1Tracker01/tracker-000/user/other"
	x.listen(other)
	b.pub(first, get, "nobody listens", 0)
	b.pub(first, get, "this waits", 1)
	b.pub(first, other, "begin", 0) // when it comes, the first one is lost
	if m := x.hear(); string(m.Payload()) != "begin" {
		t.Errorf("got %q before subscribing", m.Payload())
	}
	for _, s := range []struct{ filter, qos byte }{{0, 0}, {1, 1}} {
		x.wait(x.Subscribe(get, s.filter, nil))
		if s.filter == 0 {
			if m := x.hear(); string(m.Payload()) != "this waits" || m.Qos() != 0 {
				t.Errorf("got %q with QoS %d", m.Payload(), m.Qos())
			}
		}
		for qos := range byte(2) {
			b.pub(first, get, "down", int(qos))
			if m := x.hear(); string(m.Payload()) != "down" || m.Qos() != min(qos, s.filter) || m.Retained() || m.Duplicate() {
				t.Errorf("QoS %d on a subscription with %d: got %q with QoS %d", qos, s.filter, m.Payload(), m.Qos())
			}
		}
	}
	x.wait(x.Unsubscribe(get))
	b.pub(first, get, "nobody listens any more", 0)
	b.pub(first, other, "last", 0)
	if m := x.hear(); string(m.Payload()) != "last" {
		t.Errorf("got %q after unsubscribing", m.Payload())
	}
	b.pub(first, get, "this waits again", 1)
	x.listen(get)
	if m := x.hear(); string(m.Payload()) != "this waits again" {
		t.Errorf("got %q after subscribing again", m.Payload())
	}
}

func TestRRpc(t *testing.T) {
	b := newBench(t, mqtt.Config{}, nil)
	x := connect(b, "tcp://"+b.public(), card{device: first}, nil)
	x.wait(x.Subscribe("/sys/a1Tracker01/tracker-000/rrpc/request/+", 0, func(c paho.Client, m paho.Message) {
		c.Publish(strings.Replace(m.Topic(), "request", "response", 1), 0, false, "answer to "+string(m.Payload()))
	}))
	out, err := b.RRpc(t.Context(), fake.RRpcRequest{
		ProductKey: tracker, DeviceName: first.DeviceName, RequestByte: []byte("question"), Timeout: 8000,
	})
	if err != nil || out.RrpcCode != "SUCCESS" || string(out.PayloadByte) != "answer to question" {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestSyncService(t *testing.T) {
	b := newBench(t, mqtt.Config{}, nil)
	x := connect(b, "tcp://"+b.public(), card{device: id(meter, "meter-1")}, nil)
	const topic = "/sys/a1Meter0001/meter-1/thing/service/Ping"
	x.wait(x.Subscribe(topic, 0, func(c paho.Client, m paho.Message) {
		var q struct{ ID string }
		if json.Unmarshal(m.Payload(), &q) == nil {
			c.Publish(topic+"_reply", 0, false, fmt.Sprintf(`{"id":%q,"code":200,"data":{"ok":1}}`, q.ID))
		}
	}))
	out, err := b.InvokeThingService(t.Context(), fake.InvokeThingServiceRequest{
		ProductKey: meter, DeviceName: "meter-1", Identifier: "Ping", Args: "{}",
	})
	if err != nil || out.Result != `{"ok":1}` {
		t.Errorf("got %+v, %v", out, err)
	}
}

// System topics can be had without a subscription, if the platform is said to do so.
func TestSystemTopics(t *testing.T) {
	b := newBench(t, mqtt.Config{SystemTopics: true}, nil)
	x := connect(b, "tcp://"+b.public(), card{device: id(meter, "meter-1")}, nil)
	if code, _ := x.ask("/sys/a1Meter0001/meter-1/thing/event/property/post", map[string]any{"Power": 1}); code != 200 {
		t.Errorf("code %d", code)
	}
}

func TestGateway(t *testing.T) {
	b := newBench(t, mqtt.Config{}, nil)
	gw, one, two := id(gateway, "gateway-1"), id(climate, "climate-1"), id(climate, "climate-2")
	x := connect(b, "tcp://"+b.public(), card{device: gw}, nil)
	const (
		system  = "/sys/a1Gateway01/gateway-1/thing/topo/get"
		session = "/ext/session/a1Gateway01/gateway-1/combine/"
		post    = "/sys/a1Climate01/climate-1/thing/event/property/post"
	)
	x.listen(system + "_reply")
	x.listen(session + "+")
	x.listen("/ext/error/a1Gateway01/gateway-1")
	if code, data := x.ask(system, struct{}{}); code != 200 || !strings.Contains(data, "climate-1") || !strings.Contains(data, "climate-2") {
		t.Errorf("topology: code %d, %s", code, data)
	}
	early := x.Subscribe(post+"_reply", 0, nil)
	if x.wait(early); early.(*paho.SubscribeToken).Result()[post+"_reply"] != refused {
		t.Error("it listens for a sub-device that is not logged in")
	}
	if code, data := x.ask(session+"login", subDevice(one)); code != 200 {
		t.Fatalf("login: code %d, %s", code, data)
	}
	if got := b.truth(one).Status; got != iot.Online {
		t.Errorf("the sub-device is %s", got)
	}
	x.listen(post + "_reply")
	if code, _ := x.ask(post, map[string]any{"Power": 1}); code != 200 {
		t.Errorf("its post: code %d", code)
	}
	wrong := subDevice(two)
	wrong["sign"] = "00"
	if code, _ := x.ask(session+"login", wrong); code != 6287 {
		t.Errorf("login with a wrong signature: code %d", code)
	}
	x.say("/sys/a1Climate01/climate-2/thing/event/property/post", 0, map[string]any{"id": "1", "params": struct{}{}})
	if m := x.hear(); m.Topic() != "/ext/error/a1Gateway01/gateway-1" || !strings.Contains(string(m.Payload()), "520") {
		t.Errorf("publishing for who is not logged in: %s %s", m.Topic(), m.Payload())
	}
	if code, _ := x.ask(session+"batch_login", []map[string]string{subDevice(one), subDevice(two)}); code != 200 {
		t.Errorf("batch login: code %d", code)
	}
	if code, _ := x.ask(session+"logout", subDevice(one)); code != 200 || b.truth(one).Status != iot.Offline {
		t.Errorf("logout: code %d", code)
	}
	x.Disconnect(0)
	b.eventually("the family is offline", func() bool {
		return b.truth(gw).Status == iot.Offline && b.truth(two).Status == iot.Offline
	})
}

// eventually waits for an effect that no message tells of.
func (b *bench) eventually(what string, ok func() bool) {
	b.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			b.Fatalf("%s: not so", what)
		}
	}
}

func TestRegisterAndConnect(t *testing.T) {
	b := newBench(t, mqtt.Config{}, nil)
	broker := "ssl://" + b.listen(mqtt.Domain{Instance: fake.PublicDomain, TLS: true})
	device := id(plug, "plug-1")
	x := connect(b, broker, card{device: device, secret: "ps-" + plug, random: "567345", mode: "2", method: "hmacsha1"}, nil)
	m := x.hear()
	var answer struct{ ProductKey, DeviceName, DeviceSecret string }
	if err := json.Unmarshal(m.Payload(), &answer); err != nil || m.Topic() != "/ext/register" {
		t.Fatalf("got %s on %s", m.Payload(), m.Topic())
	}
	if id(answer.ProductKey, answer.DeviceName) != device || answer.DeviceSecret == "" {
		t.Errorf("the answer is about %s/%s", answer.ProductKey, answer.DeviceName)
	}
	x.Disconnect(0)
	c := card{device: device, secret: answer.DeviceSecret, mode: "2", method: "hmacsha1", timestamp: "9"}
	connect(b, broker, c, nil)
	if got := b.truth(device).Status; got != iot.Online {
		t.Errorf("the device is %s", got)
	}
	again := newClient(b, broker, card{device: device, secret: "ps-" + plug, random: "1", mode: "2"}, nil).Connect()
	if !again.WaitTimeout(patience) || again.Error() == nil {
		t.Error("it registers again after it has connected")
	}
}

// move moves a device by the console.
func (b *bench) move(d iot.DeviceID) {
	b.Helper()
	ctx := b.Context()
	task := must(b.Console().CreateTask(ctx, d.ProductKey, target))
	if r := must(b.Console().Gray(ctx, task, []string{d.DeviceName})); r[0].Status != "DEVICE_SUCCEEDED" {
		b.Fatalf("gray batch: %+v", r)
	}
}

func TestMove(t *testing.T) {
	b := newBench(t, mqtt.Config{}, nil)
	public := "tcp://" + b.public()
	own := "tcp://" + b.listen(mqtt.Domain{Instance: target})
	x := connect(b, public, card{device: first}, func(o *paho.ClientOptions) {
		o.SetAutoReconnect(true).SetMaxReconnectInterval(time.Second)
	})
	within(t, x.connected, "the first connection")
	b.move(first)
	within(t, x.lost, "the kick")
	within(t, x.connected, "the second connection")
	if got := b.truth(first); got.Instance != target || got.Status != iot.Online || got.Kicked != 1 {
		t.Errorf("after the move: %+v", got)
	}
	const get = "/a1Tracker01/tracker-000/user/get"
	x.listen(get)
	b.pub(first, get, "from the target", 1)
	if m := x.hear(); string(m.Payload()) != "from the target" {
		t.Errorf("got %q", m.Payload())
	}
	x.say(update, 1, "to the target")
	if diff := cmp.Diff([]string{"to the target"}, b.received(first)); diff != "" {
		t.Errorf("the target got (-want +got):\n%s", diff)
	}

	x.Disconnect(0)
	connect(b, own, card{device: first}, nil).say(update, 1, "by its own domain")
	if got := b.truth(first).Status; got != iot.Online {
		t.Errorf("at the target's own domain it is %s", got)
	}
}

// Of two clients with one certificate the newer one stays.
func TestSameCertificateTwice(t *testing.T) {
	b := newBench(t, mqtt.Config{}, nil)
	broker := "tcp://" + b.public()
	older := connect(b, broker, card{device: first}, nil)
	newer := connect(b, broker, card{device: first}, nil)
	within(t, older.lost, "the end of the older connection")
	newer.say(update, 1, "here")
	if got := b.truth(first).Status; got != iot.Online {
		t.Errorf("the device is %s", got)
	}
	codes := 0
	for _, m := range b.messages("") {
		if strings.Contains(string(m.Payload), `"offlineReasonCode":427`) {
			codes++
		}
	}
	if codes != 1 {
		t.Errorf("%d status messages say that it was kicked, want 1", codes)
	}
}

// What kicks says nothing: MQTT 3.1.1 has no packet for it.
func TestKickIsSilent(t *testing.T) {
	b := newBench(t, mqtt.Config{}, nil)
	address := b.public()
	older := signIn(b, address, card{device: first})
	signIn(b, address, card{device: first, client: "another"})
	older.expectClosed()
}

// Two hundred devices talk at once, and none hears another.
func TestManyDevices(t *testing.T) {
	b := newBench(t, mqtt.Config{}, nil)
	plain := "tcp://" + b.public()
	secure := "ssl://" + b.listen(mqtt.Domain{Instance: fake.PublicDomain, TLS: true})
	clients, tokens := make([]*client, 200), make([]paho.Token, 200)
	name := func(i int) iot.DeviceID { return id(tracker, fmt.Sprintf("tracker-%03d", i)) }
	all := func(act func(i int, x *client) paho.Token) {
		for i, x := range clients {
			tokens[i] = act(i, x)
		}
		for i, x := range clients {
			x.wait(tokens[i])
		}
	}
	for i := range clients {
		broker, c := plain, card{device: name(i), timestamp: "1", method: "hmacsha1"}
		if i%4 == 0 {
			broker, c.mode = secure, "2"
		}
		clients[i] = newClient(b, broker, c, nil)
	}
	all(func(_ int, x *client) paho.Token { return x.Connect() })
	all(func(i int, x *client) paho.Token { return x.Subscribe("/"+name(i).String()+"/#", 1, nil) })
	all(func(i int, x *client) paho.Token {
		return x.Publish("/"+name(i).String()+"/user/update", 1, false, name(i).DeviceName)
	})
	for i := range clients {
		b.pub(name(i), "/"+name(i).String()+"/user/get", fmt.Sprint("for ", i), i%2)
	}
	for i, x := range clients {
		m := x.hear()
		if got, want := string(m.Payload()), fmt.Sprint("for ", i); got != want || len(x.inbox) > 0 {
			t.Errorf("device %d got %q and %d more", i, got, len(x.inbox))
		}
		if diff := cmp.Diff([]string{name(i).DeviceName}, b.received(name(i))); diff != "" {
			t.Errorf("the server got of device %d (-want +got):\n%s", i, diff)
		}
		if got := b.truth(name(i)).Status; got != iot.Online {
			t.Errorf("device %d is %s", i, got)
		}
	}
}
