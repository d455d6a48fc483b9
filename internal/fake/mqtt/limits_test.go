package mqtt_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/mqtt"
	"github.com/iotferry/iotferry/iot"
)

const (
	refused = 0x80 // in a SUBACK
	update  = "/a1Tracker01/tracker-000/user/update"
)

var first = id(tracker, "tracker-000")

// received returns what the rule's destination on the device's instance has got from a device, newest first.
func (b *bench) received(d iot.DeviceID) (texts []string) {
	b.Helper()
	for _, x := range b.Sink(b.truth(d).Instance).Forwarded(d) {
		texts = append(texts, string(x.Message.Payload))
	}
	return texts
}

func (b *bench) public() (address string) { return b.listen(mqtt.Domain{Instance: fake.PublicDomain}) }

// What the platform does not take has no effect, not on other devices either, and the connection goes on; or it ends it.
func TestBreaches(t *testing.T) {
	for _, x := range []struct {
		name, topic, payload string
		retain               bool
	}{
		{"the topic of another device", "/a1Tracker01/tracker-001/user/update", "x", false},
		{"a system topic of another device", "/sys/a1Tracker01/tracker-001/thing/event/property/post", "{}", false},
		{"a topic of nobody", "x", "x", false},
		{"a topic that is too long", update + strings.Repeat("x", 128), "x", false},
		{"a topic with too many slashes", update + "/1/2/3/4", "x", false},
		{"an answer that is none", "/sys/a1Tracker01/tracker-000/thing/service/property/set_reply", "x", false},
	} {
		for qos := range byte(2) {
			t.Run(fmt.Sprintf("%s, QoS %d", x.name, qos), func(t *testing.T) {
				for _, reaction := range []mqtt.Reaction{mqtt.Ignore, mqtt.Disconnect} {
					c := noQuotas()
					c.OnBreach = reaction
					b := newBench(t, c, nil)
					address := b.public()
					other := signIn(b, address, card{device: id(tracker, "tracker-001")})
					other.subscribe("/a1Tracker01/tracker-001/#", "/sys/a1Tracker01/tracker-001/#")
					w := signIn(b, address, card{device: first})
					w.publish(x.topic, x.payload, qos, 3*uint16(qos))
					if reaction == mqtt.Disconnect {
						w.expectClosed()
						continue
					}
					if qos == 1 {
						if ack, ok := w.receive().(*packets.PubackPacket); !ok || ack.MessageID != 3 {
							t.Errorf("got %v, want a PUBACK", ack)
						}
					}
					w.publish(update, "still there", 0, 0)
					w.ping()
					if got := other.ping(); len(got) > 0 {
						t.Errorf("another device got %v", got)
					}
					for _, d := range []iot.DeviceID{first, id(tracker, "tracker-001")} {
						want := []string{"still there"}
						if d != first {
							want = nil
						}
						if diff := cmp.Diff(want, b.received(d)); diff != "" {
							t.Errorf("%s has sent (-want +got):\n%s", d, diff)
						}
					}
				}
			})
		}
	}
}

// Retained messages and wills do not exist: they are ordinary ones and never sent, or refused.
func TestRetainAndWill(t *testing.T) {
	withWill := connectPacket(card{device: first})
	withWill.WillFlag, withWill.WillTopic, withWill.WillMessage = true, update, []byte("will")
	retained := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	retained.TopicName, retained.Payload, retained.Retain = update, []byte("retained"), true

	t.Run("ignored", func(t *testing.T) {
		b := newBench(t, noQuotas(), nil)
		address := b.public()
		w := dial(b, address, false)
		w.send(withWill)
		if code := w.code(); code != 0 {
			t.Fatalf("CONNACK %d", code)
		}
		w.send(retained)
		w.ping()
		_ = w.Close() // not a DISCONNECT: a will would be sent now
		w = signIn(b, address, card{device: first})
		w.subscribe("/a1Tracker01/tracker-000/#")
		if got := w.ping(); len(got) > 0 {
			t.Errorf("got %v after subscribing", got)
		}
		if diff := cmp.Diff([]string{"retained"}, b.received(first)); diff != "" {
			t.Errorf("the platform got (-want +got):\n%s", diff)
		}
	})
	t.Run("refused", func(t *testing.T) {
		b := newBench(t, mqtt.Config{Quotas: fake.NoQuotas, OnBreach: mqtt.Disconnect}, nil)
		address := b.public()
		w := dial(b, address, false)
		w.send(withWill)
		if code := w.code(); code != 2 {
			t.Errorf("CONNACK %d, want 2", code)
		}
		w = signIn(b, address, card{device: first})
		w.send(retained)
		w.expectClosed()
		if got := b.received(first); got != nil {
			t.Errorf("the platform got %q", got)
		}
	})
}

func TestQoS2(t *testing.T) {
	b := newBench(t, noQuotas(), nil)
	w := signIn(b, b.public(), card{device: first})
	w.publish(update, "x", 2, 1)
	w.expectClosed()
	if got := b.received(first); got != nil {
		t.Errorf("the platform got %q", got)
	}
}

func TestMessageSize(t *testing.T) {
	b := newBench(t, noQuotas(), nil)
	w := signIn(b, b.public(), card{device: first})
	largest := strings.Repeat("x", 256<<10)
	w.publish(update, largest, 0, 0)
	w.ping()
	if got := b.received(first); len(got) != 1 || got[0] != largest {
		t.Fatal("the largest message did not arrive")
	}
	w.publish(update, largest+"x", 0, 0)
	w.expectClosed()
	if got := b.received(first); len(got) != 1 {
		t.Error("a message that is too large has arrived")
	}
}

func TestSubscribe(t *testing.T) {
	b := newBench(t, noQuotas(), nil)
	w := signIn(b, b.public(), card{device: first})
	for _, x := range []struct {
		filter string
		want   byte
	}{
		{update, 1},
		{"/a1Tracker01/tracker-000/#", 1},
		{"/sys/a1Tracker01/tracker-000/rrpc/request/+", 1},
		{"/ext/session/a1Tracker01/tracker-000/combine/login_reply", 1},
		{"/broadcast/a1Tracker01/news", 1},
		{"/a1Tracker01/tracker-001/user/update", refused},
		{"/a1Tracker01/+/user/update", refused},
		{"/+/tracker-000/user/update", refused},
		{"/+/+/user/update", refused},
		{"/sys/+/tracker-000/#", refused},
		{"/#", refused},
		{"#", refused},
		{"+", refused},
		{"", refused},
		{"$SYS/#", refused},
		{"$share/g/a1Tracker01/tracker-000/user/update", refused},
		{"/a1Tracker01/tracker-000/user/up+", refused},
		{"/a1Tracker01/tracker-000/user/#/x", refused},
		{"/a1Tracker01/tracker-000/user/1/2/3/4", 1},
		{"/a1Tracker01/tracker-000/user/1/2/3/4/5", refused},
		{"/a1Tracker01/tracker-000/user/" + strings.Repeat("x", 100), refused},
	} {
		if got := w.subscribe(x.filter); len(got) != 1 || got[0] != x.want {
			t.Errorf("%q: %v, want %d", x.filter, got, x.want)
		}
	}
}

func TestSubscriptionLimits(t *testing.T) {
	b := newBench(t, noQuotas(), nil)
	w := signIn(b, b.public(), card{device: first})
	filters := make([]string, 104)
	for i := range filters {
		filters[i] = fmt.Sprintf("/a1Tracker01/tracker-000/user/%d", i)
	}
	if got := w.subscribe(filters[:9]...); string(got) != strings.Repeat("\x80", 9) {
		t.Errorf("nine filters at once: %v", got)
	}
	for i := 0; i < 96; i += 8 {
		if got := w.subscribe(filters[i : i+8]...); string(got) != strings.Repeat("\x01", 8) {
			t.Fatalf("eight filters from %d on: %v", i, got)
		}
	}
	if got, want := w.subscribe(filters[96:]...), "\x01\x01\x01\x01\x80\x80\x80\x80"; string(got) != want {
		t.Errorf("around the hundredth: %v", got)
	}
	if got := w.subscribe(filters[0]); got[0] != 1 {
		t.Errorf("one that is there already: %v", got)
	}
	p := packets.NewControlPacket(packets.Unsubscribe).(*packets.UnsubscribePacket)
	p.MessageID, p.Topics = 9, filters[:1]
	w.send(p)
	if ack, ok := w.receive().(*packets.UnsubackPacket); !ok || ack.MessageID != 9 {
		t.Fatalf("got %v, want an UNSUBACK", ack)
	}
	if got := w.subscribe(filters[100:102]...); string(got) != "\x01\x80" {
		t.Errorf("after one is gone: %v", got)
	}
}

// Every device has its own rate, and one for each QoS.
func TestUplinkRates(t *testing.T) {
	clock := fake.NewVirtualClock(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC))
	limits := mqtt.DocumentedLimits()
	limits.UplinkQoS0, limits.UplinkQoS1 = 4, 2
	b := newBench(t, mqtt.Config{Clock: clock, Limits: limits}, nil)
	address := b.public()
	send := func(w *wire, d iot.DeviceID) {
		for i := range 6 {
			w.publish("/"+d.String()+"/user/update", fmt.Sprint("fast ", i), 0, 0)
		}
		for i := range 6 {
			w.publish("/"+d.String()+"/user/update", fmt.Sprint("safe ", i), 1, uint16(i+1))
		}
		w.ping()
	}
	second := id(tracker, "tracker-001")
	for _, d := range []iot.DeviceID{first, second} {
		w := signIn(b, address, card{device: d})
		send(w, d)
		if got := len(b.received(d)); got != 4+2 {
			t.Errorf("%s: %d messages came through in a second, want 6", d, got)
		}
		clock.Advance(time.Second)
		send(w, d)
		if got := len(b.received(d)); got != 2*(4+2) {
			t.Errorf("%s: %d messages came through in two seconds, want 12", d, got)
		}
	}
}

func TestConnectRates(t *testing.T) {
	clock := fake.NewVirtualClock(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC))
	limits := mqtt.DocumentedLimits()
	limits.ConnectsPerAccount = 8
	b := newBench(t, mqtt.Config{Clock: clock, Limits: limits}, nil)
	address := b.public()
	try := func(c card) int {
		w := dial(b, address, false)
		w.send(connectPacket(c))
		return w.code()
	}
	for i := range 5 {
		want := 0
		c := card{device: first}
		if i == 2 {
			c.secret, want = "wrong", 4
		}
		if got := try(c); got != want {
			t.Fatalf("attempt %d: CONNACK %d, want %d", i+1, got, want)
		}
	}
	clock.Advance(59 * time.Second)
	if got := try(card{device: first}); got != 3 {
		t.Errorf("the sixth attempt within a minute: CONNACK %d, want 3", got)
	}
	clock.Advance(time.Second)
	if got := try(card{device: first}); got != 0 {
		t.Errorf("after a minute: CONNACK %d", got)
	}
	clock.Advance(time.Second)
	for i := range 9 {
		want := 0
		if i == 8 {
			want = 3
		}
		if got := try(card{device: id(tracker, fmt.Sprintf("tracker-1%02d", i))}); got != want {
			t.Errorf("device %d in the same second: CONNACK %d, want %d", i+1, got, want)
		}
	}
}

// A client that acknowledges nothing gets no more than what may be under way. Its acknowledgements open the way, and
// identifiers of its own packets have nothing to do with it.
func TestInFlight(t *testing.T) {
	limits := mqtt.DocumentedLimits()
	limits.InFlight = 3
	b := newBench(t, mqtt.Config{Quotas: fake.NoQuotas, Limits: limits}, nil)
	w := signIn(b, b.public(), card{device: first})
	const topic = "/a1Tracker01/tracker-000/user/get"
	w.subscribe(topic)
	for i := range 7 {
		b.pub(first, topic, fmt.Sprint(i), 1)
	}
	take := func(n int) (texts []string, ids []uint16) {
		for range n {
			p := w.nextPublish()
			texts, ids = append(texts, string(p.Payload)), append(ids, p.MessageID)
		}
		return texts, ids
	}
	texts, ids := take(3)
	if diff := cmp.Diff([]string{"0", "1", "2"}, texts); diff != "" {
		t.Fatal(diff)
	}
	for _, id := range ids { // the same identifiers, of the other side
		w.publish(update, "x", 1, id)
	}
	if got := w.ping(); len(got) > 0 {
		t.Fatalf("got %v without an acknowledgement", got)
	}
	for _, id := range ids {
		ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
		ack.MessageID = id
		w.send(ack)
	}
	texts, _ = take(3)
	if diff := cmp.Diff([]string{"3", "4", "5"}, texts); diff != "" {
		t.Error(diff)
	}
}

// pub sends a message to a device from the platform's side.
func (b *bench) pub(d iot.DeviceID, topic, payload string, qos int) {
	b.Helper()
	_, err := b.Pub(b.Context(), fake.PubRequest{
		IotInstanceId: b.truth(d).Instance, ProductKey: d.ProductKey, TopicFullName: topic, MessageContent: []byte(payload), Qos: qos,
	})
	if err != nil {
		b.Fatal(err)
	}
}
