package verify_test

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

const (
	targetID = "iot-060a0001"
	meters   = "a1Meter0001"
	gateways = "a1Gateway01"
	valves   = "a1Valve0001"
)

var (
	moved = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now   = moved.Add(time.Minute)
)

// A site is one instance: plain maps, and functions for what is sent to devices. It is safe for
// concurrent use once it is set up.
type site struct {
	info    iot.InstanceInfo
	states  map[iot.DeviceID]iot.DeviceState
	kids    map[iot.DeviceID][]iot.DeviceID
	parents map[iot.DeviceID]iot.DeviceID
	rules   []iot.Rule
	subs    map[string][]iot.Subscription
	groups  []iot.ConsumerGroup
	status  map[string]iot.GroupStatus
	models  map[string]string

	publish func(topic string, payload []byte) (string, error)
	call    func(iot.DeviceID) ([]byte, error)
	invoke  func(iot.DeviceID, string) (iot.ServiceReply, error)

	mu     sync.Mutex
	fails  map[string]error // by API, once the call is counted
	failAt map[string]int   // from which call on; 0 is the first
	calls  map[string]int
}

func newSite(id string) *site {
	return &site{
		info:   iot.InstanceInfo{ID: id, Region: "cn-shanghai"},
		states: map[iot.DeviceID]iot.DeviceState{},
		fails:  map[string]error{}, failAt: map[string]int{}, calls: map[string]int{},
	}
}

func (s *site) instance() iot.Instance {
	return iot.Instance{
		View: iot.View{
			Info: s.info, StateReader: s, TopologyReader: s, ForwardingReader: s, ModelReader: s,
		},
		Commander: s,
	}
}

func (s *site) enter(ctx context.Context, api string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.calls[api]
	s.calls[api]++
	if err := s.fails[api]; err != nil && n >= s.failAt[api] {
		return err
	}
	return nil
}

func (s *site) count(api string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[api]
}

// online puts a device here, online since a time.
func (s *site) online(id iot.DeviceID, at time.Time) *site {
	s.states[id] = iot.DeviceState{ID: id, Status: iot.Online, LastOnline: at}
	return s
}

// shows puts a device here in a status.
func (s *site) shows(id iot.DeviceID, status iot.Status) *site {
	s.states[id] = iot.DeviceState{ID: id, Status: status, LastOnline: moved.Add(-time.Hour)}
	return s
}

func (s *site) States(ctx context.Context, product string, names []string) ([]iot.DeviceState, error) {
	if err := s.enter(ctx, "States"); err != nil {
		return nil, err
	}
	if len(names) > iot.MaxStates {
		return nil, &iot.Error{Kind: iot.Invalid, Message: "too many names"}
	}
	var found []iot.DeviceState
	for _, name := range names {
		if state, ok := s.states[iot.DeviceID{ProductKey: product, DeviceName: name}]; ok {
			found = append(found, state)
		}
	}
	return found, nil
}

func list[T any](err error, items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			yield(*new(T), err)
		}
	}
}

func (s *site) Children(ctx context.Context, gateway iot.DeviceID) iter.Seq2[iot.DeviceID, error] {
	err := s.enter(ctx, "Children")
	if _, known := s.kids[gateway]; !known && err == nil {
		err = &iot.Error{Kind: iot.NotFound}
	}
	return list(err, s.kids[gateway])
}

func (s *site) GatewayOf(ctx context.Context, sub iot.DeviceID) (iot.DeviceID, error) {
	if err := s.enter(ctx, "GatewayOf"); err != nil {
		return iot.DeviceID{}, err
	}
	if id, ok := s.parents[sub]; ok {
		return id, nil
	}
	return iot.DeviceID{}, &iot.Error{Kind: iot.NotFound}
}

func (s *site) Rules(ctx context.Context) iter.Seq2[iot.Rule, error] {
	return list(s.enter(ctx, "Rules"), s.rules)
}

func (s *site) Subscriptions(ctx context.Context, product string) ([]iot.Subscription, error) {
	return s.subs[product], s.enter(ctx, "Subscriptions")
}

func (s *site) Groups(ctx context.Context) iter.Seq2[iot.ConsumerGroup, error] {
	return list(s.enter(ctx, "Groups"), s.groups)
}

func (s *site) GroupStatus(ctx context.Context, id string) (iot.GroupStatus, error) {
	return s.status[id], s.enter(ctx, "GroupStatus")
}

func (s *site) ThingModel(ctx context.Context, product string) (json.RawMessage, error) {
	if err := s.enter(ctx, "ThingModel"); err != nil {
		return nil, err
	}
	return json.RawMessage(s.models[product]), nil
}

func (s *site) Publish(ctx context.Context, topic string, payload []byte) (string, error) {
	if err := s.enter(ctx, "Publish"); err != nil {
		return "", err
	}
	return s.publish(topic, payload)
}

func (s *site) Call(ctx context.Context, id iot.DeviceID, _ []byte, _ time.Duration) ([]byte, error) {
	if err := s.enter(ctx, "Call"); err != nil {
		return nil, err
	}
	return s.call(id)
}

func (s *site) Invoke(ctx context.Context, id iot.DeviceID, service string, _ json.RawMessage) (iot.ServiceReply, error) {
	if err := s.enter(ctx, "Invoke"); err != nil {
		return iot.ServiceReply{}, err
	}
	return s.invoke(id, service)
}

func (s *site) SetProperties(context.Context, iot.DeviceID, json.RawMessage) (string, error) {
	panic("verifiers set no properties")
}

func dev(product, name string) iot.DeviceID {
	return iot.DeviceID{ProductKey: product, DeviceName: name}
}

var meter = dev(meters, "meter-0001")

// subject asks about direct devices that moved.
func subject(source, target *site, ids ...iot.DeviceID) *migrate.Subject {
	s := &migrate.Subject{
		Campaign: "test", Stage: "rest", Now: now,
		Source: source.instance(), Target: target.instance(),
	}
	for _, id := range ids {
		s.Devices = append(s.Devices, migrate.SubjectDevice{ID: id, Node: iot.Direct, Family: []iot.DeviceID{id}, Moved: moved})
	}
	return s
}

// family adds a gateway and its sub-devices, as planned, the gateway last.
func family(s *migrate.Subject, gateway iot.DeviceID, subs ...iot.DeviceID) *migrate.Subject {
	all := append(slices.Clone(subs), gateway)
	for _, id := range subs {
		s.Devices = append(s.Devices, migrate.SubjectDevice{ID: id, Node: iot.SubDevice, Gateway: gateway, Family: all, Moved: moved})
	}
	s.Devices = append(s.Devices, migrate.SubjectDevice{ID: gateway, Node: iot.Gateway, Family: all, Moved: moved})
	return s
}

// look asks a verifier once and wants no errors.
func look(t *testing.T, v migrate.Verifier, s *migrate.Subject) []migrate.Finding {
	t.Helper()
	found, errs := lookAll(t.Context(), v, s)
	if len(errs) > 0 {
		t.Fatalf("%s: %v", v.Name(), errs)
	}
	return found
}

func lookAll(ctx context.Context, v migrate.Verifier, s *migrate.Subject) (found []migrate.Finding, errs []error) {
	for f, err := range v.Verify(ctx, s) {
		if err != nil {
			errs = append(errs, err)
		} else {
			found = append(found, f)
		}
	}
	return found, errs
}

// one is the verdict on the subject's one device.
func one(t *testing.T, v migrate.Verifier, s *migrate.Subject) migrate.Finding {
	t.Helper()
	found := look(t, v, s)
	if len(found) != 1 || found[0].Device != s.Devices[0].ID {
		t.Fatalf("%s: want one finding on %s, got %v", v.Name(), s.Devices[0].ID, found)
	}
	if e := found[0].Evidence; e.Source == "" || e.Seen == "" || e.At.IsZero() {
		t.Errorf("%s: the evidence is not complete: %+v", v.Name(), e)
	}
	return found[0]
}

func verdicts(found []migrate.Finding) []migrate.Verdict {
	var all []migrate.Verdict
	for _, f := range found {
		all = append(all, f.Verdict)
	}
	return all
}

// message is a report of a device on a custom topic.
func message(id iot.DeviceID, generated time.Time, instance string) iot.Message {
	return iot.Message{
		ID: "m-" + id.DeviceName, Topic: "/" + id.String() + "/user/update",
		Generated: generated, Payload: []byte(`{}`), Instance: instance,
	}
}

// shelf is a sink that yields all it holds, whoever asks for what.
type shelf []iot.Message

func (s shelf) Latest(context.Context, []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return list(nil, s)
}

func fault(kind iot.Kind) error { return &iot.Error{Kind: kind, Op: "test"} }

// current yields what a shelf holds when it is asked.
type current struct{ *shelf }

func (c current) Latest(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
	return c.shelf.Latest(ctx, ids)
}
