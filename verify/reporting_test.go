package verify_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/verify"
)

func TestReporting(t *testing.T) {
	after := moved.Add(time.Second)
	other := dev(meters, "meter-0002")
	at := func(topic string) iot.Message {
		m := message(meter, after, targetID)
		m.Topic = topic
		return m
	}
	tests := []struct {
		name     string
		messages shelf
		want     migrate.Verdict
		seen     string
	}{
		{"a report since the move", shelf{message(meter, after, targetID)}, migrate.Pass, "m-meter-0001 on /a1Meter0001/meter-0001/user/update"},
		{"an alink post", shelf{at("/a1Meter0001/meter-0001/thing/event/property/post")}, migrate.Pass, "property/post"},
		{"an alink post with its own topic", shelf{at("/sys/a1Meter0001/meter-0001/thing/event/Fault/post")}, migrate.Pass, "Fault"},
		{"nothing", nil, migrate.Inconclusive, "no report"},
		{"false green: another device", shelf{message(other, after, targetID)}, migrate.Inconclusive, "no report"},
		{"false green: a message from before the move", shelf{message(meter, moved.Add(-3*time.Second), targetID)}, migrate.Inconclusive, "older than the move"},
		{"false green: from the source", shelf{message(meter, after, "")}, migrate.Inconclusive, "from public instance"},
		{"false green: from a third instance", shelf{message(meter, after, "iot-other")}, migrate.Inconclusive, "from iot-other"},
		{"false green: the platform's status message", shelf{at("/as/mqtt/status/a1Meter0001/meter-0001")}, migrate.Inconclusive, "no report"},
		{"false green: an answer to a service", shelf{at("/a1Meter0001/meter-0001/thing/downlink/reply/message")}, migrate.Inconclusive, "no report"},
		{"false green: lifecycle", shelf{at("/a1Meter0001/meter-0001/thing/lifecycle")}, migrate.Inconclusive, "no report"},
		{"an old message beside a new one", shelf{message(meter, moved.Add(-time.Hour), ""), message(meter, after, targetID), message(meter, moved.Add(-time.Hour), "")}, migrate.Pass, "m-meter-0001"},
		{"no device in the topic", shelf{{Topic: "nonsense", Generated: after, Instance: targetID}}, migrate.Inconclusive, "no report"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := verify.Reporting(verify.ReportingConfig{Sink: tt.messages})
			f := one(t, v, subject(newSite(""), newSite(targetID), meter))
			if f.Verdict != tt.want || !strings.Contains(f.Evidence.Seen, tt.seen) {
				t.Errorf("got %s: %s", f.Verdict, f.Evidence.Seen)
			}
		})
	}
}

func TestReportingCounts(t *testing.T) {
	sink := shelf{message(meter, now, targetID)}
	v := verify.Reporting(verify.ReportingConfig{Sink: sink, Counts: verify.IsAlinkPost})
	if f := one(t, v, subject(newSite(""), newSite(targetID), meter)); f.Verdict != migrate.Inconclusive {
		t.Errorf("a custom topic is no Alink post, got %s: %s", f.Verdict, f.Evidence.Seen)
	}
}

func TestReportingAsksForAThousandAtMost(t *testing.T) {
	var ids []iot.DeviceID
	for i := range 2500 {
		ids = append(ids, dev(meters, fmt.Sprintf("meter-%04d", i)))
	}
	var asked []int
	sink := verify.SinkFunc(func(_ context.Context, ids []iot.DeviceID) iter.Seq2[iot.Message, error] {
		asked = append(asked, len(ids))
		var all []iot.Message
		for _, id := range ids {
			all = append(all, message(id, now, targetID))
		}
		return list(nil, all)
	})
	found := look(t, verify.Reporting(verify.ReportingConfig{Sink: sink}), subject(newSite(""), newSite(targetID), ids...))
	if len(found) != len(ids) || fmt.Sprint(asked) != "[1000 1000 500]" {
		t.Errorf("got %d findings of looks at %v devices", len(found), asked)
	}
}

func TestReportingKeepsWhatCameBeforeAnError(t *testing.T) {
	silent := dev(meters, "meter-0002")
	sink := verify.SinkFunc(func(context.Context, []iot.DeviceID) iter.Seq2[iot.Message, error] {
		return list(fault(iot.Transient), []iot.Message{message(meter, now, targetID)})
	})
	v := verify.Reporting(verify.ReportingConfig{Sink: sink})
	found, errs := lookAll(t.Context(), v, subject(newSite(""), newSite(targetID), meter, silent))
	if len(found) != 1 || found[0].Verdict != migrate.Pass || len(errs) != 1 || !errors.Is(errs[0], iot.Transient) {
		t.Errorf("got %v and %v", found, errs)
	}
}

func TestBrokenConfigurationsPassNothing(t *testing.T) {
	verifiers := []migrate.Verifier{
		verify.Reporting(verify.ReportingConfig{}),
		verify.Pub(verify.PubConfig{Acks: shelf{}}),
		verify.Pub(verify.PubConfig{Timeout: time.Minute}),
		verify.Pub(verify.PubConfig{Concurrency: -1}),
		verify.Service(verify.ServiceConfig{}),
		verify.Service(verify.ServiceConfig{Choose: verify.ServicesWithoutInput, Concurrency: -1}),
		verify.Subscription(verify.SubscriptionConfig{MaxBacklog: -1}),
	}
	for _, v := range verifiers {
		found, errs := lookAll(t.Context(), v, subject(newSite(""), newSite(targetID), meter))
		if len(found) > 0 || len(errs) != 1 || !errors.Is(errs[0], iot.Invalid) {
			t.Errorf("%s: got %v and %v, want one error of kind Invalid", v.Name(), found, errs)
		}
	}
}
