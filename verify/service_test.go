package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

// answering is a target that numbers calls: those of services in sync come back with an answer.
func answering(sync ...string) *site {
	s := newSite(targetID)
	var n atomic.Int64
	s.invoke = func(_ iot.DeviceID, service string) (iot.ServiceReply, error) {
		reply := iot.ServiceReply{MessageID: fmt.Sprintf("call-%d", n.Add(1))}
		for _, name := range sync {
			if name == service {
				reply.Result = json.RawMessage(`{}`)
			}
		}
		return reply, nil
	}
	return s
}

func choose(services ...verify.Invocation) func(string, json.RawMessage) ([]verify.Invocation, error) {
	return func(string, json.RawMessage) ([]verify.Invocation, error) { return services, nil }
}

func replyMessage(requestID string, code any, instance string) iot.Message {
	payload, _ := json.Marshal(map[string]any{"requestId": requestID, "code": code})
	return iot.Message{
		ID: "reply-" + requestID, Topic: "/" + meter.String() + "/thing/downlink/reply/message",
		Payload: payload, Generated: now, Instance: instance,
	}
}

func TestServiceSync(t *testing.T) {
	tests := []struct {
		name string
		set  func(*site)
		want migrate.Verdict
		seen string
	}{
		{"answered", func(*site) {}, migrate.Pass, "SelfTest answered"},
		{"not connected", func(s *site) { s.fails["Invoke"] = fault(iot.NotConnected) }, migrate.Inconclusive, "not connected"},
		{"not visible yet", func(s *site) { s.fails["Invoke"] = fault(iot.NotFound) }, migrate.Inconclusive, "does not know"},
		{"no answer in time", func(s *site) { s.fails["Invoke"] = fault(iot.UnknownOutcome) }, migrate.Inconclusive, "no answer"},
		{"false green: the service is asynchronous", func(s *site) { s.invoke = answering().invoke }, migrate.Inconclusive, "is the service asynchronous?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := answering("SelfTest")
			tt.set(target)
			v := verify.Service(verify.ServiceConfig{Choose: choose(verify.Invocation{Service: "SelfTest"})})
			f := one(t, v, subject(newSite(""), target, meter))
			if f.Verdict != tt.want || !strings.Contains(f.Evidence.Seen, tt.seen) {
				t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
			}
		})
	}
}

func TestServiceAsync(t *testing.T) {
	tests := []struct {
		name  string
		reply iot.Message
		want  migrate.Verdict
		seen  string
	}{
		{"answered", replyMessage("call-1", 200, targetID), migrate.Pass, "answered call call-1"},
		{"answered with the call's message ID", func() iot.Message {
			m := replyMessage("else", "200", targetID)
			m.ID = "call-1"
			return m
		}(), migrate.Pass, "answered call call-1"},
		{"nothing yet", iot.Message{}, migrate.Inconclusive, "not there yet"},
		{"false green: the answer to another call", replyMessage("call-9", 200, targetID), migrate.Inconclusive, "not there yet"},
		{"false green: from the source", replyMessage("call-1", 200, ""), migrate.Inconclusive, "not there yet"},
		{"refused by the device", replyMessage("call-1", 460, targetID), migrate.Fail, "code 460"},
		{"offline, says the platform", replyMessage("call-1", 9201, targetID), migrate.Inconclusive, "code 9201"},
		{"no JSON", iot.Message{ID: "call-1", Topic: replyMessage("", 0, "").Topic, Payload: []byte("{"), Instance: targetID}, migrate.Inconclusive, "not there yet"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := verify.Service(verify.ServiceConfig{
				Choose: choose(verify.Invocation{Service: "Restart", Async: true}), Replies: shelf{tt.reply},
			})
			f := one(t, v, subject(newSite(""), answering(), meter))
			if f.Verdict != tt.want || !strings.Contains(f.Evidence.Seen, tt.seen) {
				t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
			}
		})
	}
}

func TestServiceOverRounds(t *testing.T) {
	sink := new(shelf)
	target := answering("SelfTest")
	v := verify.Service(verify.ServiceConfig{
		Choose:  choose(verify.Invocation{Service: "SelfTest"}, verify.Invocation{Service: "Restart", Async: true}),
		Replies: current{sink},
	})
	s := subject(newSite(""), target, meter)
	steps := []struct {
		name   string
		after  time.Duration
		sink   shelf
		want   migrate.Verdict
		called int
	}{
		{"both called", 0, nil, migrate.Inconclusive, 2},
		{"nothing called twice", 30 * time.Second, nil, migrate.Inconclusive, 2},
		{"the unanswered one again", time.Minute, nil, migrate.Inconclusive, 3},
		{"answered", 70 * time.Second, shelf{replyMessage("call-3", 200, targetID)}, migrate.Pass, 3},
		{"asked anew after a pass", 80 * time.Second, nil, migrate.Inconclusive, 5},
	}
	for _, step := range steps {
		*sink = step.sink
		s.Now = now.Add(step.after)
		f := one(t, v, s)
		if f.Verdict != step.want || target.count("Invoke") != step.called {
			t.Errorf("%s: got %s: %s; %d calls", step.name, f.Verdict, f.Evidence.Seen, target.count("Invoke"))
		}
	}
	// Moved again after a return: what was sent before counts no more.
	s.Devices[0].Moved = now.Add(2 * time.Minute)
	s.Now = s.Devices[0].Moved.Add(time.Second)
	*sink = shelf{replyMessage("call-5", 200, targetID)}
	if f := one(t, v, s); f.Verdict != migrate.Inconclusive || target.count("Invoke") != 7 {
		t.Errorf("moved again: got %s: %s; %d calls", f.Verdict, f.Evidence.Seen, target.count("Invoke"))
	}
}

// Looks may be further apart than a call waits for its answer. One that came meanwhile counts before the call is made again;
// and a sink that has to subscribe is asked before the first call.
func TestServiceReadsAnswersBeforeItCallsAgain(t *testing.T) {
	sink := new(shelf)
	target := answering()
	askedAfter := -1 // calls
	v := verify.Service(verify.ServiceConfig{
		Choose: choose(verify.Invocation{Service: "Restart", Async: true}),
		Replies: verify.SinkFunc(func(ctx context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
			if askedAfter < 0 {
				askedAfter = target.count("Invoke")
			}
			return sink.Latest(ctx, ids)
		}),
	})
	s := subject(newSite(""), target, meter)
	if f := one(t, v, s); f.Verdict != migrate.Inconclusive || target.count("Invoke") != 1 {
		t.Fatalf("first look: %s, %d calls", f.Verdict, target.count("Invoke"))
	}
	if askedAfter != 0 {
		t.Errorf("the sink was first asked after %d calls", askedAfter)
	}
	*sink = shelf{replyMessage("call-1", 200, targetID)}
	s.Now = now.Add(10 * time.Minute)
	if f := one(t, v, s); f.Verdict != migrate.Pass || target.count("Invoke") != 1 {
		t.Errorf("second look: %s: %s; %d calls", f.Verdict, f.Evidence.Seen, target.count("Invoke"))
	}
}

func TestServiceThroughTheSource(t *testing.T) {
	source, target := answering("SelfTest"), newSite(targetID)
	source.info.ID = ""
	v := verify.Service(verify.ServiceConfig{Choose: choose(verify.Invocation{Service: "SelfTest"}), WithoutInstanceID: true})
	if f := one(t, v, subject(source, target, meter)); f.Verdict != migrate.Pass || v.Name() != "service-without-instance-id" {
		t.Errorf("%s: got %s: %s", v.Name(), f.Verdict, f.Evidence.Seen)
	}
}

func TestServiceChoosesByProduct(t *testing.T) {
	target := answering("Open")
	target.models = map[string]string{meters: "no JSON", valves: `{"services":[{"identifier":"Open","callType":"sync"}]}`, gateways: `{}`}
	ids := []iot.DeviceID{meter, dev(valves, "valve-001"), dev(valves, "valve-002"), dev(gateways, "gw-001")}
	v := verify.Service(verify.ServiceConfig{Choose: verify.ServicesWithoutInput})
	found, errs := lookAll(t.Context(), v, subject(newSite(""), target, ids...))
	if diff := cmp.Diff([]migrate.Verdict{migrate.Pass, migrate.Pass, migrate.Pass}, verdicts(found)); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
	if !strings.Contains(found[2].Evidence.Seen, "none was called") {
		t.Errorf("got %s", found[2].Evidence.Seen)
	}
	if len(errs) != 1 || !errors.Is(errs[0], iot.Invalid) {
		t.Errorf("got the errors %v", errs)
	}
	if n := target.count("ThingModel"); n != 3 {
		t.Errorf("%d thing models were read", n)
	}
}

func TestServiceAsyncNeedsReplies(t *testing.T) {
	v := verify.Service(verify.ServiceConfig{Choose: choose(verify.Invocation{Service: "Restart", Async: true})})
	target := answering()
	found, errs := lookAll(t.Context(), v, subject(newSite(""), target, meter))
	if len(found) > 0 || len(errs) != 1 || !errors.Is(errs[0], iot.Invalid) || target.count("Invoke") > 0 {
		t.Errorf("got %v and %v", found, errs)
	}
}

func TestServiceErrorsAreNotTheDevices(t *testing.T) {
	for _, kind := range []iot.Kind{iot.Throttled, iot.Transient, iot.Invalid} {
		target := answering("SelfTest")
		target.fails["Invoke"] = fault(kind)
		v := verify.Service(verify.ServiceConfig{Choose: choose(verify.Invocation{Service: "SelfTest"})})
		found, errs := lookAll(t.Context(), v, subject(newSite(""), target, meter))
		if len(found) > 0 || len(errs) != 1 || iot.KindOf(errs[0]) != kind {
			t.Errorf("%v: got %v and %v", kind, found, errs)
		}
	}
}

func TestServicesWithoutInput(t *testing.T) {
	tests := []struct {
		name, model string
		want        []verify.Invocation
	}{
		{"the published form", `{"services":[
			{"identifier":"set","callType":"async","inputData":[{"identifier":"A"}]},
			{"identifier":"get","callType":"async","inputData":["A"]},
			{"identifier":"SelfTest","callType":"sync","inputData":[{"identifier":"Depth"}]},
			{"identifier":"Ping","callType":"sync","inputData":[]},
			{"identifier":"ClearAlarms","callType":"async"}]}`,
			[]verify.Invocation{{Service: "Ping"}, {Service: "ClearAlarms", Async: true}}},
		{"the other form", `{"services":[{"identifier":"A","callType":"sync","inputParams":[{"identifier":"B"}]},{"identifier":"C","callType":"sync"}]}`,
			[]verify.Invocation{{Service: "C"}}},
		{"no services", `{}`, nil},
	}
	for _, tt := range tests {
		got, err := verify.ServicesWithoutInput(meters, json.RawMessage(tt.model))
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v, (-want +got):\n%s", tt.name, err, diff)
		}
	}
}
