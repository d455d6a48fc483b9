package verify_test

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

// reachable is a target whose devices take messages and answer.
func reachable() *site {
	s := newSite(targetID)
	s.publish = func(topic string, _ []byte) (string, error) { return "id" + topic, nil }
	s.call = func(iot.DeviceID) ([]byte, error) { return []byte("pong"), nil }
	return s
}

func TestPubByEcho(t *testing.T) {
	refuse := func(kind iot.Kind) func(iot.DeviceID) ([]byte, error) {
		return func(iot.DeviceID) ([]byte, error) { return nil, fault(kind) }
	}
	tests := []struct {
		name string
		set  func(*site)
		want migrate.Verdict
		seen string
	}{
		{"answered", func(*site) {}, migrate.Pass, "the device answered"},
		{"false green: accepted, but not connected", func(s *site) { s.call = refuse(iot.NotConnected) }, migrate.Inconclusive, "was accepted, but the device is not connected"},
		{"false green: accepted, but no answer", func(s *site) { s.call = refuse(iot.UnknownOutcome) }, migrate.Inconclusive, "no answer came in time"},
		{"not visible yet", func(s *site) { s.call = refuse(iot.NotFound) }, migrate.Inconclusive, "does not know the device"},
		{"not connected", func(s *site) { s.fails["Publish"] = fault(iot.NotConnected) }, migrate.Inconclusive, "not connected"},
		{"publish unknown", func(s *site) { s.fails["Publish"] = fault(iot.UnknownOutcome) }, migrate.Inconclusive, "no answer came"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := reachable()
			tt.set(target)
			f := one(t, verify.Pub(verify.PubConfig{}), subject(newSite(""), target, meter))
			if f.Verdict != tt.want || !strings.Contains(f.Evidence.Seen, tt.seen) {
				t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
			}
			if n := target.count("Publish"); n != 1 {
				t.Errorf("%d messages were published in one look", n)
			}
		})
	}
}

func TestPubErrorsAreNotTheDevices(t *testing.T) {
	for _, api := range []string{"Publish", "Call"} {
		for _, kind := range []iot.Kind{iot.Throttled, iot.Transient, iot.Denied, iot.Invalid, iot.Unclassified} {
			target := reachable()
			target.fails[api] = fault(kind)
			found, errs := lookAll(t.Context(), verify.Pub(verify.PubConfig{}), subject(newSite(""), target, meter))
			if len(found) > 0 || len(errs) != 1 || iot.KindOf(errs[0]) != kind {
				t.Errorf("%s %v: got %v and %v", api, kind, found, errs)
			}
		}
	}
}

func TestPubThroughWhichInstance(t *testing.T) {
	for _, without := range []bool{false, true} {
		source, target := reachable(), reachable()
		source.info.ID = ""
		v := verify.Pub(verify.PubConfig{WithoutInstanceID: without})
		if f := one(t, v, subject(source, target, meter)); f.Verdict != migrate.Pass {
			t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
		}
		name, published := "pub", target
		if without {
			name, published = "pub-without-instance-id", source
		}
		if v.Name() != name || published.count("Publish") != 1 || target.count("Call") != 1 || source.count("Call") != 0 {
			t.Errorf("%s: published %d at the source, %d at the target", v.Name(), source.count("Publish"), target.count("Publish"))
		}
	}
	source, target := newSite(""), reachable()
	source.fails["Publish"] = fault(iot.NotFound)
	f := one(t, verify.Pub(verify.PubConfig{WithoutInstanceID: true}), subject(source, target, meter))
	if f.Verdict != migrate.Inconclusive {
		t.Errorf("without a ticket: got %s: %s", f.Verdict, f.Evidence.Seen)
	}
}

func TestPubTopicAndPayload(t *testing.T) {
	var mu sync.Mutex
	var got []string
	target := reachable()
	target.publish = func(topic string, payload []byte) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, topic+" "+string(payload))
		return "1", nil
	}
	s := subject(newSite(""), target, meter)
	look(t, verify.Pub(verify.PubConfig{}), s)
	look(t, verify.Pub(verify.PubConfig{
		Topic:   func(id iot.DeviceID) string { return "/" + id.String() + "/user/ping" },
		Payload: func(d migrate.SubjectDevice) []byte { return []byte("for " + d.ID.DeviceName) },
	}), s)
	want := []string{
		`/a1Meter0001/meter-0001/user/get {"iotferry":"verify"}`,
		`/a1Meter0001/meter-0001/user/ping for meter-0001`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPubByAcknowledgement(t *testing.T) {
	sink := new(shelf)
	n := 0
	v := verify.Pub(verify.PubConfig{
		Acks:    current{sink},
		Payload: func(migrate.SubjectDevice) []byte { n++; return fmt.Appendf(nil, "nonce-%d", n) },
		Acknowledges: func(m iot.Message, sent verify.Sent) bool {
			return strings.HasSuffix(m.Topic, "/user/ack") && bytes.Equal(m.Payload, sent.Payload)
		},
	})
	target := reachable()
	s := subject(newSite(""), target, meter)
	ack := func(payload, instance string) iot.Message {
		return iot.Message{Topic: "/" + meter.String() + "/user/ack", Payload: []byte(payload), Instance: instance, Generated: now}
	}
	steps := []struct {
		name      string
		after     time.Duration
		sink      shelf
		want      migrate.Verdict
		published int
	}{
		{"sent", 0, nil, migrate.Inconclusive, 1},
		{"false green: another message acknowledged", 10 * time.Second, shelf{ack("nonce-0", targetID)}, migrate.Inconclusive, 1},
		{"false green: from the source", 20 * time.Second, shelf{ack("nonce-1", "")}, migrate.Inconclusive, 1},
		{"sent again after a minute", 61 * time.Second, shelf{ack("nonce-1", targetID)}, migrate.Inconclusive, 2},
		{"acknowledged", 70 * time.Second, shelf{ack("nonce-2", targetID)}, migrate.Pass, 2},
	}
	for _, step := range steps {
		*sink = step.sink
		s.Now = now.Add(step.after)
		f := one(t, v, s)
		if f.Verdict != step.want || target.count("Publish") != step.published {
			t.Errorf("%s: got %s: %s; %d published", step.name, f.Verdict, f.Evidence.Seen, target.count("Publish"))
		}
	}
}

func TestPubIsInOrderAndBounded(t *testing.T) {
	target := reachable()
	var mu sync.Mutex
	running, most := 0, 0
	target.call = func(iot.DeviceID) ([]byte, error) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		runtime.Gosched() // give others a chance to run
		mu.Lock()
		running--
		mu.Unlock()
		return nil, nil
	}
	var ids []iot.DeviceID
	for i := range 200 {
		ids = append(ids, dev(meters, fmt.Sprintf("meter-%04d", i)))
	}
	found := look(t, verify.Pub(verify.PubConfig{Concurrency: 3}), subject(newSite(""), target, ids...))
	for i, f := range found {
		if f.Device != ids[i] {
			t.Fatalf("finding %d is on %s", i, f.Device)
		}
	}
	if len(found) != len(ids) || most > 3 {
		t.Errorf("got %d findings, at most %d calls at once", len(found), most)
	}
}

func TestPubStopsWhenThrottled(t *testing.T) {
	target := reachable()
	target.fails["Publish"] = fault(iot.Throttled)
	var ids []iot.DeviceID
	for i := range 500 {
		ids = append(ids, dev(meters, fmt.Sprintf("meter-%04d", i)))
	}
	_, errs := lookAll(t.Context(), verify.Pub(verify.PubConfig{Concurrency: 2}), subject(newSite(""), target, ids...))
	if len(errs) != 1 || !errors.Is(errs[0], iot.Throttled) || target.count("Publish") > 8 {
		t.Errorf("got %d errors and %d calls", len(errs), target.count("Publish"))
	}
}
