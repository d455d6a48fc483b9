package verify_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// A toy is a canary in memory and the platform between it and a target: each of its parts works unless a test breaks it.
type toy struct {
	id      iot.DeviceID
	down    error // it has no session
	since   time.Time
	subs    map[iot.DeviceID]error
	subsErr error

	report  func(nonce string) error
	pub     func(topic string, payload []byte) error
	echo    func(request []byte) ([]byte, error)
	invoke  func(service string) (iot.ServiceReply, error)
	set     func() error
	deliver func(topic string, payload []byte) // what reaches the device
	lastly  func()                             // when it is asked for its sub-devices

	mu       sync.Mutex
	number   int
	arrived  []arrival
	reported []string
	sent     int // calls at the target
}

type arrival struct {
	session int
	topic   string
	payload string
}

func newToy(id iot.DeviceID) *toy {
	t := &toy{id: id, number: 7, since: moved.Add(10 * time.Second)}
	t.report = func(string) error { return nil }
	t.deliver, t.lastly = t.arrive, func() {}
	t.pub = func(topic string, payload []byte) error { t.deliver(topic, payload); return nil }
	t.echo = func(request []byte) ([]byte, error) {
		t.deliver("/sys/"+t.id.String()+"/rrpc/request/1", request)
		return request, nil
	}
	t.invoke = func(service string) (iot.ServiceReply, error) {
		t.deliver("/sys/"+t.id.String()+"/thing/service/"+service, []byte(`{}`))
		return iot.ServiceReply{MessageID: "1", Result: json.RawMessage(`{}`)}, nil
	}
	t.set = func() error { t.deliver("/sys/"+t.id.String()+"/thing/service/property/set", []byte(`{}`)); return nil }
	return t
}

func (t *toy) arrive(topic string, payload []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.arrived = append(t.arrived, arrival{t.number, topic, string(payload)})
}

// reconnect begins another session.
func (t *toy) reconnect() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.number++
}

func (t *toy) ID() iot.DeviceID { return t.id }

func (t *toy) Session() (int, time.Time, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.number, t.since, t.down
}

func (t *toy) Await(ctx context.Context, session int, match func(string, []byte) bool) error {
	t.mu.Lock()
	for _, a := range t.arrived {
		if a.session == session && match(a.topic, []byte(a.payload)) {
			t.mu.Unlock()
			return nil
		}
	}
	over := session != t.number
	t.mu.Unlock()
	if over {
		return fault(iot.NotConnected)
	}
	<-ctx.Done()
	return ctx.Err()
}

func (t *toy) Report(_ context.Context, nonce string) error {
	t.mu.Lock()
	t.reported = append(t.reported, nonce)
	t.mu.Unlock()
	return t.report(nonce)
}

func (t *toy) SubDevices(context.Context) (map[iot.DeviceID]error, error) {
	t.lastly()
	return t.subs, t.subsErr
}

// A line is the target's Commander to a toy.
type line struct{ *toy }

func (l line) count() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
}

func (l line) Publish(_ context.Context, topic string, payload []byte) (string, error) {
	l.count()
	return "m1", l.pub(topic, payload)
}

func (l line) Call(_ context.Context, _ iot.DeviceID, request []byte, _ time.Duration) ([]byte, error) {
	l.count()
	return l.echo(request)
}

func (l line) Invoke(_ context.Context, _ iot.DeviceID, service string, _ json.RawMessage) (iot.ServiceReply, error) {
	l.count()
	return l.invoke(service)
}

func (l line) SetProperties(context.Context, iot.DeviceID, json.RawMessage) (string, error) {
	l.count()
	return "m2", l.set()
}

// atTarget asks about devices that can be reached through the target by a line to the toy.
func (t *toy) atTarget(s *migrate.Subject) *migrate.Subject {
	s.Target.Commander = line{t}
	return s
}

// both is a target with two canaries.
type both [2]line

func (b both) of(name string) line {
	if strings.Contains(name, b[0].id.DeviceName) {
		return b[0]
	}
	return b[1]
}

func (b both) Publish(ctx context.Context, topic string, p []byte) (string, error) {
	return b.of(topic).Publish(ctx, topic, p)
}

func (b both) Call(ctx context.Context, id iot.DeviceID, p []byte, d time.Duration) ([]byte, error) {
	return b.of(id.DeviceName).Call(ctx, id, p, d)
}

func (b both) Invoke(ctx context.Context, id iot.DeviceID, service string, args json.RawMessage) (iot.ServiceReply, error) {
	return b.of(id.DeviceName).Invoke(ctx, id, service, args)
}

func (b both) SetProperties(ctx context.Context, id iot.DeviceID, items json.RawMessage) (string, error) {
	return b.of(id.DeviceName).SetProperties(ctx, id, items)
}
