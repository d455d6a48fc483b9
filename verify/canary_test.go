package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

var (
	hub  = dev(gateways, "gateway-0001")
	subA = dev(valves, "valve-0001")
	subB = dev(valves, "valve-0002")
)

// everything asks for all that a canary can prove.
func everything() verify.CanaryConfig {
	return verify.CanaryConfig{
		Services:   []verify.Invocation{{Service: "SelfTest"}, {Service: "Reboot", Async: true, Args: json.RawMessage(`{"In":1}`)}},
		Properties: json.RawMessage(`{"Power":1}`),
	}
}

func TestCanaryVerdicts(t *testing.T) {
	refuse := func(kind iot.Kind) error { return fault(kind) }
	tests := []struct {
		name string
		set  func(*toy)
		want migrate.Verdict
		seen string
	}{
		{"all works", func(*toy) {}, migrate.Pass, "connection 7, since 2026-03-01T12:00:10.000Z by the canary's clock; message m1 of Pub arrived; it answered RRPC; its report was accepted; " +
			"service SelfTest was answered; service Reboot arrived; the setting of properties arrived; all 2 sub-devices are logged in"},
		{"no session", func(c *toy) { c.down = errors.New("the platform hung up") }, migrate.Inconclusive, "the platform hung up"},

		{"Pub: not connected", func(c *toy) { c.pub = func(string, []byte) error { return refuse(iot.NotConnected) } }, migrate.Inconclusive, "Pub: the device is not connected"},
		{"Pub: not known yet", func(c *toy) { c.pub = func(string, []byte) error { return refuse(iot.NotFound) } }, migrate.Inconclusive, "Pub: the instance does not know the device"},
		{"false green: accepted, but it never arrives", func(c *toy) { c.pub = func(string, []byte) error { return nil } }, migrate.Inconclusive, "was accepted, but it has not arrived"},
		{"arrives changed", func(c *toy) {
			c.pub = func(topic string, p []byte) error { c.arrive(topic, append(p, ' ')); return nil }
		}, migrate.Fail, "or changed"},
		{"arrives elsewhere", func(c *toy) { c.pub = func(topic string, p []byte) error { c.arrive(topic+"/x", p); return nil } }, migrate.Fail, "/user/get/x"},
		{"false green: arrived in another session", func(c *toy) {
			c.pub = func(topic string, p []byte) error { c.reconnect(); c.arrive(topic, p); return nil }
		}, migrate.Inconclusive, "the connection was lost meanwhile"},

		{"RRPC: no answer", func(c *toy) { c.echo = func([]byte) ([]byte, error) { return nil, refuse(iot.UnknownOutcome) } }, migrate.Inconclusive, "RRPC: no answer came in time"},
		{"RRPC: somebody else's answer", func(c *toy) { c.echo = func([]byte) ([]byte, error) { return []byte("ok"), nil } }, migrate.Fail, "it is not the canary's"},
		{"false green: somebody else sends it back", func(c *toy) { c.echo = func(p []byte) ([]byte, error) { return p, nil } }, migrate.Inconclusive, "RRPC was answered, but not in this connection"},

		{"report refused as wrong", func(c *toy) { c.report = func(string) error { return refuse(iot.Invalid) } }, migrate.Fail, "its report was refused"},
		{"report without a reply", func(c *toy) { c.report = func(string) error { return refuse(iot.UnknownOutcome) } }, migrate.Inconclusive, "its report was not accepted"},
		{"report throttled", func(c *toy) { c.report = func(string) error { return refuse(iot.Throttled) } }, migrate.Inconclusive, "its report was not accepted"},

		{"service: not connected", func(c *toy) {
			c.invoke = func(string) (iot.ServiceReply, error) { return iot.ServiceReply{}, refuse(iot.NotConnected) }
		}, migrate.Inconclusive, "service SelfTest: the device is not connected"},
		{"service without an answer", func(c *toy) {
			c.invoke = func(string) (iot.ServiceReply, error) { return iot.ServiceReply{MessageID: "1"}, nil }
		}, migrate.Inconclusive, "is the service asynchronous?"},
		{"false green: an asynchronous service never arrives", func(c *toy) {
			c.invoke = func(string) (iot.ServiceReply, error) { return iot.ServiceReply{Result: json.RawMessage(`{}`)}, nil }
		}, migrate.Inconclusive, "service Reboot: the call was accepted, but it has not arrived"},

		{"properties: not connected", func(c *toy) { c.set = func() error { return refuse(iot.NotConnected) } }, migrate.Inconclusive, "setting properties: the device is not connected"},
		{"false green: properties never arrive", func(c *toy) { c.set = func() error { return nil } }, migrate.Inconclusive, "the setting of properties: the call was accepted, but it has not arrived"},

		{"no topology", func(c *toy) { c.subsErr = refuse(iot.UnknownOutcome) }, migrate.Inconclusive, "does not tell it its topology"},
		{"a sub-device is missing", func(c *toy) { delete(c.subs, subB) }, migrate.Inconclusive, "valve-0002 is not in the topology"},
		{"a sub-device is refused", func(c *toy) { c.subs[subA] = errors.New("code 6401") }, migrate.Inconclusive, "valve-0001: code 6401"},

		{"false green: connected again during the look", func(c *toy) { c.report = func(string) error { c.reconnect(); return nil } }, migrate.Inconclusive, "the connection was lost meanwhile"},
		{"false green: lost at the very end", func(c *toy) { c.lastly = c.reconnect }, migrate.Inconclusive, "the connection was lost meanwhile"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newToy(hub)
				c.subs = map[iot.DeviceID]error{subA: nil, subB: nil}
				tt.set(c)
				s := c.atTarget(family(subject(newSite(""), newSite(targetID)), hub, subA, subB))
				found := look(t, verify.Canary(everything(), c), s)
				f := found[0] // of the canary, though the family has it last
				if len(found) != 3 || f.Device != hub || f.Verdict != tt.want || !strings.Contains(f.Evidence.Seen, tt.seen) {
					t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
				}
				if f.Evidence.Source == "" || f.Evidence.At.IsZero() {
					t.Errorf("the evidence is not complete: %+v", f.Evidence)
				}
			})
		})
	}
}

func TestCanaryLooksAtCanariesOnly(t *testing.T) {
	c := newToy(meter)
	other := dev(meters, "meter-0002")
	found := look(t, verify.Canary(verify.CanaryConfig{}, c), c.atTarget(subject(newSite(""), newSite(targetID), other, meter)))
	if len(found) != 2 || found[1].Device != other || found[1].Verdict != migrate.Pass || found[1].Evidence.Source != "not observed" {
		t.Errorf("got %+v", found)
	}
	if found[0].Device != meter || found[0].Verdict != migrate.Pass || c.sent != 2 {
		t.Errorf("%d calls: %+v", c.sent, found[0])
	}
	c.sent = 0
	look(t, verify.Canary(verify.CanaryConfig{}, c), c.atTarget(subject(newSite(""), newSite(targetID), other)))
	if c.sent > 0 || len(c.reported) != 1 {
		t.Errorf("a canary that is not asked about got %d calls", c.sent)
	}
}

// A runner's clock that is the real one makes sessions comparable with moves; any other says nothing about them.
func TestCanaryClocks(t *testing.T) {
	tests := []struct {
		name   string
		ahead  time.Duration // the runner's clock
		before time.Duration // the session's begin, before the move
		want   migrate.Verdict
		own    bool // the evidence says whose clock it was
	}{
		{"real, connected after it", 0, -time.Minute, migrate.Pass, false},
		{"real, connected just before", 0, time.Second, migrate.Pass, false},
		{"real, connected since long", 0, time.Minute, migrate.Inconclusive, false},
		{"a week ahead", 7 * 24 * time.Hour, 7 * 24 * time.Hour, migrate.Pass, true},
		{"behind", -time.Hour, time.Minute, migrate.Pass, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newToy(meter)
				s := c.atTarget(subject(newSite(""), newSite(targetID), meter))
				s.Now = time.Now().Add(tt.ahead)
				s.Devices[0].Moved = s.Now.Add(-2 * time.Minute)
				c.since = s.Devices[0].Moved.Add(-tt.before)
				f := one(t, verify.Canary(verify.CanaryConfig{}, c), s)
				if f.Verdict != tt.want || strings.Contains(f.Evidence.Seen, "by the canary's clock") != tt.own {
					t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
				}
			})
		})
	}
}

// A report is looked for at the sink until it is there; another one is sent after a minute, or in another session.
func TestCanaryReportAtTheSink(t *testing.T) { synctest.Test(t, testCanaryReportAtTheSink) }

func testCanaryReportAtTheSink(t *testing.T) {
	sink := new(shelf)
	c := newToy(meter)
	v := verify.Canary(verify.CanaryConfig{Sink: current{sink}}, c)
	s := c.atTarget(subject(newSite(""), newSite(targetID), meter))
	of := func(nonce, instance, topic string) iot.Message {
		return iot.Message{Topic: "/" + meter.String() + topic, Payload: fmt.Appendf(nil, `{"iotferry":%q}`, nonce), Instance: instance, Generated: now}
	}
	steps := []struct {
		name    string
		after   time.Duration
		again   bool // the device has connected again
		sink    func(newest string) shelf
		want    migrate.Verdict
		reports int
	}{
		{"sent", 0, false, func(string) shelf { return nil }, migrate.Inconclusive, 1},
		{"false green: another report", 10 * time.Second, false, func(string) shelf { return shelf{of("no", targetID, "/user/update")} }, migrate.Inconclusive, 1},
		{"false green: from the source", 20 * time.Second, false, func(n string) shelf { return shelf{of(n, "", "/user/update")} }, migrate.Inconclusive, 1},
		{"false green: no report", 30 * time.Second, false, func(n string) shelf { return shelf{of(n, targetID, "/thing/downlink/reply/message")} }, migrate.Inconclusive, 1},
		{"sent again after a minute", 61 * time.Second, false, func(string) shelf { return nil }, migrate.Inconclusive, 2},
		{"sent again in another session", 70 * time.Second, true, func(string) shelf { return nil }, migrate.Inconclusive, 3},
		{"seen", 80 * time.Second, false, func(n string) shelf {
			return shelf{of("no", targetID, "/user/update"), of(n, targetID, "/user/update")}
		}, migrate.Pass, 3},
		{"asked again after the pass", 90 * time.Second, false, func(string) shelf { return nil }, migrate.Inconclusive, 4},
	}
	for _, step := range steps {
		if step.again {
			c.reconnect()
		}
		newest := ""
		if n := len(c.reported); n > 0 {
			newest = c.reported[n-1]
		}
		*sink = step.sink(newest)
		s.Now = now.Add(step.after)
		if f := one(t, v, s); f.Verdict != step.want || len(c.reported) != step.reports {
			t.Errorf("%s: got %s: %s; %d reports", step.name, f.Verdict, f.Evidence.Seen, len(c.reported))
		}
	}
}

// One look waits for a report that is on its way to the sink, if it is forwarded at all.
func TestCanaryReportOnItsWay(t *testing.T) {
	for _, forwarded := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := newToy(meter)
			begun := time.Now()
			sink := verify.SinkFunc(func(context.Context, []iot.DeviceID) iter.Seq2[iot.Message, error] {
				if !forwarded || time.Since(begun) < 3*time.Second {
					return list[iot.Message](nil, nil)
				}
				post := fmt.Appendf(nil, `{"iotferry":%q}`, c.reported[0])
				return list(nil, []iot.Message{{Topic: "/" + meter.String() + "/user/update", Payload: post, Instance: targetID}})
			})
			v := verify.Canary(verify.CanaryConfig{Sink: sink, Forwards: func(key string) bool { return forwarded && key == meters }}, c)
			f := one(t, v, c.atTarget(subject(newSite(""), newSite(targetID), meter)))
			want := map[bool]string{true: "seen on /a1Meter0001/meter-0001/user/update", false: "accepted, and is not forwarded"}[forwarded]
			if f.Verdict != migrate.Pass || !strings.Contains(f.Evidence.Seen, want) {
				t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
			}
		})
	}
}

// A nonce is found wherever a sink may show it, and nothing else is taken for it.
func TestCanaryReportCarriesItsNonce(t *testing.T) {
	tests := map[string]struct {
		payload string // NONCE stands for it
		want    migrate.Verdict
	}{
		"text":              {`{"iotferry":"NONCE"}`, migrate.Pass},
		"property":          {`{"items":{"Energy":{"value":NONCE,"time":1772438400123}}}`, migrate.Pass},
		"float":             {`{"items":{"Energy":{"value":NONCE.0}}}`, migrate.Pass},
		"exponent":          {`{"items":{"Energy":{"value":NONCEe+00}}}`, migrate.Pass},
		"text property":     {`{"items":{"Site":{"value":"NONCE"}}}`, migrate.Pass},
		"part of a number":  {`{"items":{"Energy":{"value":1NONCE}}}`, migrate.Inconclusive},
		"part of a decimal": {`{"items":{"Energy":{"value":0.NONCE}}}`, migrate.Inconclusive},
		"only in the ID":    {`{"items":{"Energy":{"value":1}}}`, migrate.Inconclusive},
		"empty":             {``, migrate.Inconclusive},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newToy(meter)
				sink := verify.SinkFunc(func(context.Context, []iot.DeviceID) iter.Seq2[iot.Message, error] {
					text := strings.ReplaceAll(tt.payload, "NONCE", c.reported[0])
					return list(nil, []iot.Message{{Topic: "/" + meter.String() + "/thing/event/property/post", Payload: []byte(text), Instance: targetID}})
				})
				f := one(t, verify.Canary(verify.CanaryConfig{Sink: sink}, c), c.atTarget(subject(newSite(""), newSite(targetID), meter)))
				if f.Verdict != tt.want {
					t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
				}
			})
		})
	}
}

// Services are chosen from the thing model at the target, for products that have one.
func TestCanaryChoosesServices(t *testing.T) {
	tests := []struct {
		name   string
		format iot.DataFormat
		fails  error // of the model
		chosen error
		want   string // seen; empty for an error
	}{
		{"alink", iot.Alink, nil, nil, "service SelfTest was answered; service Ping was answered"},
		{"custom", iot.Custom, fault(iot.NotFound), nil, "service SelfTest was answered"},
		{"the model cannot be read", iot.Alink, fault(iot.Transient), nil, ""},
		{"refused", iot.Alink, nil, fault(iot.Transient), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, target := newToy(meter), newSite(targetID)
			target.models = map[string]string{meters: `{"services":[{"identifier":"Ping"}]}`}
			target.fails["ThingModel"] = tt.fails
			s := c.atTarget(subject(newSite(""), target, meter))
			s.Lane.Products = []migrate.Product{{Key: meters, DataFormat: tt.format}}
			v := verify.Canary(verify.CanaryConfig{
				Services: []verify.Invocation{{Service: "SelfTest"}},
				Choose: func(key string, model json.RawMessage) ([]verify.Invocation, error) {
					if key != meters || string(model) != target.models[meters] {
						t.Errorf("asked about %s with %s", key, model)
					}
					return []verify.Invocation{{Service: "Ping"}}, tt.chosen
				},
			}, c)
			found, errs := lookAll(t.Context(), v, s)
			switch {
			case tt.want == "":
				if len(found) > 0 || len(errs) != 1 || iot.KindOf(errs[0]) != iot.Transient {
					t.Errorf("got %v and %v", found, errs)
				}
			case len(errs) > 0 || !strings.HasSuffix(found[0].Evidence.Seen, tt.want):
				t.Errorf("got %v and %v", found, errs)
			}
		})
	}
}

func TestCanaryGatewayWithoutSubDevices(t *testing.T) {
	c := newToy(hub)
	f := one(t, verify.Canary(verify.CanaryConfig{}, c), c.atTarget(family(subject(newSite(""), newSite(targetID)), hub)))
	if f.Verdict != migrate.Pass || !strings.HasSuffix(f.Evidence.Seen, "; it has no planned sub-devices") {
		t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
	}
}

func TestCanaryOwnRules(t *testing.T) {
	c := newToy(meter)
	var topics []string
	c.deliver = func(topic string, p []byte) { topics = append(topics, topic); c.arrive(topic, p) }
	sink := shelf{{Topic: "/" + meter.String() + "/thing/event/property/post", Payload: []byte(`{"items":{"Power":{"value":1}}}`), Instance: targetID}}
	f := one(t, verify.Canary(verify.CanaryConfig{
		Sink: sink, Carries: func(m iot.Message, _ string) bool { return strings.Contains(string(m.Payload), `"Power"`) },
		Topic: func(id iot.DeviceID) string { return "/" + id.String() + "/user/ping" }, Timeout: time.Second,
	}, c), c.atTarget(subject(newSite(""), newSite(targetID), meter)))
	if f.Verdict != migrate.Pass || topics[0] != "/a1Meter0001/meter-0001/user/ping" {
		t.Errorf("got %s: %s; topics %q", f.Verdict, f.Evidence.Seen, topics)
	}
}

func TestCanaryErrorsAreNotTheDevices(t *testing.T) {
	breaks := map[string]func(*toy, error){
		"Pub":  func(c *toy, err error) { c.pub = func(string, []byte) error { return err } },
		"RRpc": func(c *toy, err error) { c.echo = func([]byte) ([]byte, error) { return nil, err } },
		"service": func(c *toy, err error) {
			c.invoke = func(string) (iot.ServiceReply, error) { return iot.ServiceReply{}, err }
		},
		"setting": func(c *toy, err error) { c.set = func() error { return err } },
	}
	for name, breakIt := range breaks {
		for _, kind := range []iot.Kind{iot.Throttled, iot.Denied, iot.Transient, iot.Invalid, iot.Unclassified} {
			c, second := newToy(meter), newToy(dev(meters, "meter-0002"))
			breakIt(c, fault(kind))
			s := subject(newSite(""), newSite(targetID), meter, second.id)
			s.Target.Commander = both{line{c}, line{second}}
			found, errs := lookAll(t.Context(), verify.Canary(everything(), c, second), s)
			if len(errs) != 1 || iot.KindOf(errs[0]) != kind {
				t.Errorf("%s %v: errors %v", name, kind, errs)
			}
			want := 1
			if kind == iot.Throttled || kind == iot.Denied {
				want = 0 // the second canary would meet the same
			}
			if len(found) != want {
				t.Errorf("%s %v: %d findings, want %d: %+v", name, kind, len(found), want, found)
			}
		}
	}
}

func TestCanarySinkErrors(t *testing.T) {
	c := newToy(meter)
	sink := verify.SinkFunc(func(context.Context, []iot.DeviceID) iter.Seq2[iot.Message, error] {
		return list[iot.Message](fault(iot.Transient), nil)
	})
	s := c.atTarget(subject(newSite(""), newSite(targetID), meter))
	found, errs := lookAll(t.Context(), verify.Canary(verify.CanaryConfig{Sink: sink}, c), s)
	if len(found) > 0 || len(errs) != 1 || iot.KindOf(errs[0]) != iot.Transient {
		t.Errorf("got %v and %v", found, errs)
	}
}

// With a context that has ended nothing is sent; one that ends meanwhile ends the look, and nobody fails.
func TestCanaryObeysItsContext(t *testing.T) {
	ends := map[string]func(*toy, context.CancelFunc){
		"before":     func(_ *toy, cancel context.CancelFunc) { cancel() },
		"during Pub": func(c *toy, cancel context.CancelFunc) { c.pub = func(string, []byte) error { cancel(); return nil } },
		"during report": func(c *toy, cancel context.CancelFunc) {
			c.report = func(string) error { cancel(); return context.Canceled }
		},
		"during service": func(c *toy, cancel context.CancelFunc) {
			c.invoke = func(string) (iot.ServiceReply, error) { cancel(); return iot.ServiceReply{}, context.Canceled }
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c := newToy(meter)
			end(c, cancel)
			found, errs := lookAll(ctx, verify.Canary(everything(), c), c.atTarget(subject(newSite(""), newSite(targetID), meter)))
			if len(found) > 0 || len(errs) != 1 || !errors.Is(errs[0], context.Canceled) {
				t.Errorf("got %v and %v", found, errs)
			}
			if name == "before" && c.sent > 0 {
				t.Errorf("%d calls", c.sent)
			}
		})
	}
}

func TestCanaryConfigThatCannotWork(t *testing.T) {
	c := newToy(meter)
	for name, v := range map[string]migrate.Verifier{
		"no canary":        verify.Canary(verify.CanaryConfig{}),
		"nil":              verify.Canary(verify.CanaryConfig{}, nil),
		"twice":            verify.Canary(verify.CanaryConfig{}, c, c),
		"too short a time": verify.Canary(verify.CanaryConfig{Timeout: time.Millisecond}, c),
		"too long a time":  verify.Canary(verify.CanaryConfig{Timeout: 9 * time.Second}, c),
	} {
		found, errs := lookAll(t.Context(), v, c.atTarget(subject(newSite(""), newSite(targetID), meter)))
		if v.Name() != "canary" || len(found) > 0 || len(errs) != 1 || !errors.Is(errs[0], iot.Invalid) {
			t.Errorf("%s: got %v and %v", name, found, errs)
		}
	}
}

// A canary says itself what reached it.
func ExampleCanary() {
	device := newToy(meter) // in a program, an *aliyun.Canary whose Run is under way
	s := subject(newSite(""), newSite("iot-060a0001"), meter)
	s.Target.Commander = line{device}
	for f, err := range verify.Canary(verify.CanaryConfig{}, device).Verify(context.Background(), s) {
		fmt.Println(f.Verdict, err)
		fmt.Println(f.Evidence.Seen)
	}
	// Output:
	// pass <nil>
	// connection 7, since 2026-03-01T12:00:10.000Z by the canary's clock; message m1 of Pub arrived; it answered RRPC; its report was accepted
}

func TestCanaryIsSafeForConcurrentUse(t *testing.T) {
	c := newToy(meter)
	sink := shelf{{Topic: "/" + meter.String() + "/user/update", Instance: targetID}}
	v := verify.Canary(verify.CanaryConfig{Sink: sink, Carries: func(iot.Message, string) bool { return true }}, c)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s := c.atTarget(subject(newSite(""), newSite(targetID), meter))
			if found, errs := lookAll(t.Context(), v, s); len(errs) > 0 || found[0].Verdict != migrate.Pass {
				t.Errorf("got %v and %v", found, errs)
			}
		})
	}
	wg.Wait()
}
