package fake_test

import (
	"encoding/json"
	"testing"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// Whatever a gateway's client publishes without their secrets, the platform lives, answers with JSON, and the devices of
// others do not change.
func FuzzPublish(f *testing.F) {
	for _, topic := range []string{
		login, logout, batchIn, batchOut, getTopic, addTopic, delTopic, subUpdate, "/a1Gateway01/gw-0001/user/update",
		"/sys/a1Gateway01/gw-0001/rrpc/response/1", "/sys/a1Gateway01/gw-0001/thing/service/property/set_reply", "/ext/error",
	} {
		for _, params := range []string{sub(one), `{"deviceList":[` + sub(one) + `,` + sub(two) + `]}`, `[` + named(one) + `]`, `null`} {
			f.Add(topic, []byte(`{"id":"7","code":200,"params":`+params+`}`))
		}
	}
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		b := newBench(t, families(2, 2), nil)
		s := b.attach(gateway, "gw-0001")
		err := s.Publish(topic, payload, 1)
		if kind := iot.KindOf(err); err != nil && kind != iot.Denied && kind != iot.Invalid {
			t.Errorf("error %v", err)
		}
		if err == nil && !s.MayPublish(topic) {
			t.Errorf("topic %q was taken, although the session may not publish to it", topic)
		}
		for range 3 {
			must(b.Pub(t.Context(), fake.PubRequest{ProductKey: gateway, TopicFullName: "/a1Gateway01/gw-0001/user/end"}))
			m := must(s.Next(t.Context()))
			if m.Topic != "/a1Gateway01/gw-0001/user/end" && !json.Valid(m.Payload) {
				t.Errorf("the answer is %s %q", m.Topic, m.Payload)
			}
		}
		for _, d := range must2(b.Truths(climate)) {
			if d.ID.DeviceName[:6] == "c-0002" && (d.Status != iot.Online || d.Gateway.DeviceName != "gw-0002") {
				t.Errorf("%+v", d)
			}
		}
	})
}
