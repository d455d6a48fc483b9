package aliyun_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

// heard collects what a canary publishes, as "topic payload".
func (b *broker) heard() <-chan string {
	heard := make(chan string, 100)
	b.published = func(_ *peer, m *packets.PublishPacket) { heard <- m.TopicName + " " + string(m.Payload) }
	return heard
}

func TestCanaryAnswers(t *testing.T) {
	behaviour := aliyun.CanaryBehaviour{
		Services: map[string]aliyun.CanaryService{
			"SelfTest": func(_ context.Context, input json.RawMessage) (int, json.RawMessage) {
				return 200, json.RawMessage(`{"Got":` + string(input) + `}`)
			},
			"Broken":           func(context.Context, json.RawMessage) (int, json.RawMessage) { return 5092, json.RawMessage("{") },
			"Plain":            nil,
			aliyun.PropertySet: nil,
		},
	}
	const sys = "/sys/a1Lamp00001/lamp-0001/"
	tests := []struct{ name, topic, payload, want string }{
		{"RRPC is sent back", "rrpc/request/17", "\x00 any bytes", sys + "rrpc/response/17 \x00 any bytes"},
		{"a service", "thing/service/SelfTest", `{"id":"7","version":"1.0","params":{"Depth":2},"method":"thing.service.SelfTest"}`,
			sys + `thing/service/SelfTest_reply {"id":"7","code":200,"data":{"Got":{"Depth":2}}}`},
		{"a number for an ID", "thing/service/Plain", `{"id":7,"params":{}}`, sys + `thing/service/Plain_reply {"id":7,"code":200,"data":{}}`},
		{"a code, and an output that is no JSON", "thing/service/Broken", `{"id":"8"}`, sys + `thing/service/Broken_reply {"id":"8","code":5092,"data":{}}`},
		{"properties", "thing/service/property/set", `{"id":"9","params":{"Power":1},"method":"thing.service.property.set"}`,
			sys + `thing/service/property/set_reply {"id":"9","code":200,"data":{}}`},
		{"a synchronous service by RRPC", "rrpc/request/18", `{"id":"10","params":{"Depth":1},"method":"thing.service.SelfTest"}`,
			sys + `rrpc/response/18 {"id":"10","code":200,"data":{"Got":{"Depth":1}}}`},
		{"RRPC about a service that it does not have", "rrpc/request/19", `{"method":"thing.service.Other"}`, sys + `rrpc/response/19 {"method":"thing.service.Other"}`},
		{"a call that cannot be read", "thing/service/Plain", `not JSON`, sys + `thing/service/Plain_reply {"id":"","code":200,"data":{}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := new(broker)
				heard := b.heard()
				c := run(t, func(log io.Writer) aliyun.CanaryConfig {
					config := b.config(log)
					config.Behaviour = behaviour
					return config
				})
				defer c.end(t)
				c.session(t, 0)
				b.last().publish(sys+tt.topic, tt.payload)
				if got := <-heard; got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// What it cannot make sense of, the canary keeps to itself.
func TestCanaryIgnores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(broker)
		heard := b.heard()
		c := run(t, b.config)
		defer c.end(t)
		c.session(t, 0)
		topics := []string{
			"/a1Lamp00001/lamp-0001/user/get", "/sys/a1Lamp00001/lamp-0001/thing/service/Unknown", "/sys/a1Lamp00001/other-0001/rrpc/request/1",
			"/sys/a1Lamp00001/lamp-0001/thing/event/property/post_reply", "/ext/error/a1Lamp00001/lamp-0001", "/ext/register", "", "/",
		}
		for _, topic := range topics {
			b.last().publish(topic, `{"id":{},"code":[]}`)
		}
		synctest.Wait()
		if len(heard) > 0 {
			t.Errorf("it answered %s", <-heard)
		}
		var got []string
		for _, m := range c.Received() {
			got = append(got, m.Topic)
		}
		if diff := cmp.Diff(topics, got); diff != "" {
			t.Errorf("received (-want +got):\n%s", diff)
		}
	})
}

func TestCanaryRemembersABoundedPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(broker)
		c := run(t, b.config)
		defer c.end(t)
		n := c.session(t, 0)
		const topic = "/a1Lamp00001/lamp-0001/user/get"
		last := func(want string) {
			t.Helper()
			if err := c.Await(t.Context(), n, func(_ string, p []byte) bool { return string(p) == want }); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 1000 {
			b.last().publish(topic, fmt.Sprint(i))
		}
		last("999")
		if got := c.Received(); len(got) != 256 || string(got[0].Payload) != "744" || got[0].Session != n || got[0].At.IsZero() {
			t.Errorf("%d messages from %+v", len(got), got[0])
		}
		for i := range 10 {
			b.last().publish(topic, strings.Repeat(fmt.Sprint(i), 256<<10))
		}
		last(strings.Repeat("9", 256<<10))
		if got := c.Received(); len(got) != 4 {
			t.Errorf("%d messages of 256 KiB", len(got))
		}
	})
}

func TestCanaryAwaitsWithinItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(broker)
		c := run(t, b.config)
		defer c.end(t)
		first := c.session(t, 0)
		is := func(want string) func(string, []byte) bool {
			return func(_ string, p []byte) bool { return string(p) == want }
		}
		b.last().publish("/a1Lamp00001/lamp-0001/user/get", "early")
		begun := time.Now()
		go func() {
			time.Sleep(time.Second)
			b.last().publish("/a1Lamp00001/lamp-0001/user/get", "late")
			time.Sleep(time.Second)
			_ = b.last().Close()
		}()
		for _, want := range []string{"early", "late", "early"} {
			if err := c.Await(t.Context(), first, is(want)); err != nil {
				t.Errorf("%s: %v", want, err)
			}
		}
		if err := c.Await(t.Context(), first, is("never")); !errors.Is(err, iot.NotConnected) {
			t.Errorf("when the session ends: %v", err)
		}
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("the end was noticed after %v", took)
		}
		second := c.session(t, first)
		if err := c.Await(t.Context(), first, is("late")); err != nil {
			t.Errorf("after its end: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Await(ctx, second, is("late")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("in the next session: %v", err)
		}
	})
}

// answering lets the broker answer reports with a code; zero for no answer.
func answering(code int) *broker {
	return &broker{published: func(p *peer, m *packets.PublishPacket) {
		if code != 0 && strings.Contains(m.TopicName, "/thing/") {
			p.reply(m, code, "{}")
		}
	}}
}

func TestCanaryReports(t *testing.T) {
	alink := aliyun.PropertyReport(func(string) json.RawMessage { return json.RawMessage(`{"Power":1}`) })
	tests := []struct {
		name   string
		report func(string) (string, []byte)
		code   int
		want   iot.Kind
	}{
		{"custom, acknowledged", nil, 0, iot.Unclassified},
		{"accepted", alink, 200, iot.Unclassified},
		{"no reply", alink, 0, iot.UnknownOutcome},
		{"bad parameter", alink, 460, iot.Invalid},
		{"too many properties", alink, 6106, iot.Invalid},
		{"too many requests", alink, 429, iot.Throttled},
		{"disabled", alink, 522, iot.Conflict},
		{"deleted", alink, 521, iot.NotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := answering(tt.code)
				c := run(t, func(log io.Writer) aliyun.CanaryConfig {
					config := b.config(log)
					config.Behaviour.Report = tt.report
					return config
				})
				defer c.end(t)
				c.session(t, 0)
				err := c.Report(t.Context(), "12345")
				if good := tt.want == iot.Unclassified; good != (err == nil) || iot.KindOf(err) != tt.want {
					t.Errorf("got %v", err)
				}
				if err, ok := errors.AsType[*iot.Error](err); ok && tt.code != 0 && err.Code != fmt.Sprint(tt.code) {
					t.Errorf("code %s", err.Code)
				}
			})
		})
	}
}

func TestCanaryReportsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := new(broker)
		heard := b.heard()
		c := run(t, func(log io.Writer) aliyun.CanaryConfig {
			config := b.config(log)
			config.ReportEvery = time.Minute
			return config
		})
		c.session(t, 0)
		time.Sleep(3*time.Minute + time.Second)
		c.end(t)
		if len(heard) != 4 {
			t.Errorf("%d reports in 3 minutes", len(heard))
		}
		if got := <-heard; !strings.HasPrefix(got, `/a1Lamp00001/lamp-0001/user/update {"iotferry":"`) {
			t.Errorf("it reports %s", got)
		}
	})
}

func TestCanaryWithoutAConnection(t *testing.T) {
	c, err := aliyun.NewCanary(new(broker).config(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if n, _, err := c.Session(); n != 0 || !errors.Is(err, iot.NotConnected) {
		t.Errorf("session %d: %v", n, err)
	}
	if err := c.Report(t.Context(), "1"); !errors.Is(err, iot.NotConnected) {
		t.Errorf("report: %v", err)
	}
	if err := c.Publish(t.Context(), "/x", nil); !errors.Is(err, iot.NotConnected) {
		t.Errorf("publish: %v", err)
	}
}
