package fake_test

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// A says is one step of a conversation: what the device publishes, how that fails, and what comes back.
type says struct {
	topic, payload string
	err            iot.Kind
	answers        []string
}

// reply is what the platform answers on the _reply of a topic.
func reply(topic string, code int, message, data string) string {
	return fmt.Sprintf(`%s_reply {"code":%d,"data":%s,"id":"7","message":"%s"}`, topic, code, data, message)
}

// asks is a device's query, whose id is 7.
func asks(topic, params string, code int, message, data string) says {
	return says{topic, `{"id":"7","version":"1.0","params":` + params + `}`, 0, []string{reply(topic, code, message, data)}}
}

// kicked is the notice of a gateway that a sub-device has no session any more.
func kicked(sub string, code int, message string) string {
	return fmt.Sprintf(`/ext/error/a1Gateway01/gw-0001 {"code":%d,"data":%s,"id":"#","message":"%s"}`, code, named(sub), message)
}

func named(sub string) string {
	return fmt.Sprintf(`{"productKey":"a1Climate01","deviceName":"%s"}`, sub)
}

// signed is what a gateway says of a sub-device to prove that it knows its secret.
func signed(key, name, secret, method string, hash func() hash.Hash) string {
	mac := hmac.New(hash, []byte(secret))
	mac.Write([]byte("clientIdxdeviceName" + name + "productKey" + key + "timestamp1524448722000"))
	return fmt.Sprintf(
		`{"productKey":"%s","deviceName":"%s","clientId":"x","timestamp":"1524448722000","signMethod":"%s","cleanSession":"true","sign":"%s"}`,
		key, name, method, hex.EncodeToString(mac.Sum(nil)))
}

func sub(name string) string { return signed(climate, name, "s-"+name, "hmacsha256", sha256.New) }

// numbers are those that the platform makes up.
var numbers = regexp.MustCompile(`"id":"\d{19}"`)

// talk lets a device of the fleet hold a conversation.
func talk(t *testing.T, b *bench, s *fake.Session, conversation []says) {
	t.Helper()
	for i, step := range conversation {
		if err := s.Publish(step.topic, []byte(step.payload), 1); iot.KindOf(err) != step.err {
			t.Errorf("step %d, %s: error %v, want kind %s", i+1, step.topic, err, step.err)
		}
		got := waiting(t, s)
		for i := range got {
			got[i] = numbers.ReplaceAllString(got[i], `"id":"#"`)
		}
		if diff := cmp.Diff(step.answers, got); diff != "" {
			t.Errorf("step %d, %s %s: answers (-want +got):\n%s", i+1, step.topic, step.payload, diff)
		}
	}
}

const (
	postTopic  = "/sys/a1Storage01/s-0001/thing/event/property/post"
	hotTopic   = "/sys/a1Storage01/s-0001/thing/event/Hot/post"
	getTopic   = "/sys/a1Gateway01/gw-0001/thing/topo/get"
	addTopic   = "/sys/a1Gateway01/gw-0001/thing/topo/add"
	delTopic   = "/sys/a1Gateway01/gw-0001/thing/topo/delete"
	login      = "/ext/session/a1Gateway01/gw-0001/combine/login"
	logout     = "/ext/session/a1Gateway01/gw-0001/combine/logout"
	batchIn    = "/ext/session/a1Gateway01/gw-0001/combine/batch_login"
	batchOut   = "/ext/session/a1Gateway01/gw-0001/combine/batch_logout"
	one, two   = "c-0001-001", "c-0001-002"
	subUpdate  = "/a1Climate01/c-0001-001/user/update"
	badRequest = "request parameter error"
)

func TestConversationsOfADevice(t *testing.T) {
	tooMany := make([]string, 201)
	for i := range tooMany {
		tooMany[i] = fmt.Sprintf(`"p%d":1`, i)
	}
	bad := []string{`/sys/a1Storage01/s-0001/thing/event/property/post_reply {"code":460,"data":{},"id":"","message":"request parameter error"}`}
	tests := map[string][]says{
		"properties": {
			asks(postTopic, `{"Level":{"value":20,"time":1524448722000},"Mode":3}`, 200, "success", "{}"),
			{postTopic, `{"id":12,"params":{"Level":1}}`, 0, []string{postTopic + `_reply {"code":200,"data":{},"id":"12","message":"success"}`}},
			asks(postTopic, `{}`, 200, "success", "{}"),
			asks(postTopic, `{`+strings.Join(tooMany[:200], ",")+`}`, 200, "success", "{}"),
			asks(postTopic, `{`+strings.Join(tooMany, ",")+`}`, 6106, "too many properties", "{}"),
		},
		"properties that cannot be read": {
			asks(postTopic, `[]`, 460, badRequest, "{}"),
			asks(postTopic, `null`, 460, badRequest, "{}"),
			{postTopic, `{"id":"7"`, 0, bad},
			{postTopic, ``, 0, bad},
			{postTopic, `[7]`, 0, bad},
		},
		"events": {
			asks(hotTopic, `{"value":{"Cell":1},"time":1524448722000}`, 200, "success", "{}"),
			asks("/sys/a1Storage01/s-0001/thing/event/Cold/post", `{"value":{}}`, 460, badRequest, "{}"),
			{hotTopic, `{"id":"7"}`, 0, []string{reply(hotTopic, 460, badRequest, "{}")}},
		},
		"topics of others": {
			{"/a1Storage01/s-0002/user/update", "x", iot.Denied, nil},
			{"/a1Storage01/s-0009/user/update", "x", iot.Denied, nil},
			{"/sys/a1Storage01/s-0002/thing/event/property/post", "{}", iot.Denied, nil},
			{"/a1Storage01/s-0001/user/+", "x", iot.Denied, nil},
			{"a1Storage01/s-0001/user/update", "x", iot.Denied, nil},
			{"", "x", iot.Denied, nil},
			{"/ext/session/a1Storage01", "x", iot.Denied, nil},
		},
		"no effect": {
			{"/ota/device/inform/a1Storage01/s-0001", "{}", 0, nil},
			{"/sys/a1Storage01/s-0001/thing/deviceinfo/update", "{}", 0, nil},
			{"/sys/a1Storage01/s-0001/rrpc/response/1", "{}", 0, nil},
			{"/sys/a1Storage01/s-0001/thing/service/SelfTest_reply", `{"id":"1","code":200}`, 0, nil},
		},
		"answers that cannot be read": {
			{"/sys/a1Storage01/s-0001/thing/service/SelfTest_reply", `{"id":"1"}`, iot.Invalid, nil},
			{"/sys/a1Storage01/s-0001/thing/service/property/set_reply", `{"code":200}`, iot.Invalid, nil},
		},
		"no gateway": {
			asks("/sys/a1Storage01/s-0001/thing/topo/get", `{}`, 200, "success", "[]"),
			asks("/sys/a1Storage01/s-0001/thing/topo/add", `[`+sub(one)+`]`, 460, badRequest, "{}"),
			asks("/ext/session/a1Storage01/s-0001/combine/login", sub(one), 460, badRequest, "{}"),
		},
	}
	for name, conversation := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, storages(2), nil)
				talk(t, b, b.attach(storage, "s-0001"), conversation)
			})
		})
	}
}

func TestConversationsOfAGateway(t *testing.T) {
	data := func(subs ...string) string {
		for i := range subs {
			subs[i] = named(subs[i])
		}
		return "[" + strings.Join(subs, ",") + "]"
	}
	list := func(all ...string) string { return `{"deviceList":[` + strings.Join(all, ",") + `]}` }
	six := list(sub(one), sub(two), sub("c-0001-003"), sub("c-0001-004"), sub("c-0001-005"), sub("c-0001-006"))
	tests := map[string][]says{
		"login and logout": {
			asks(login, sub(one), 200, "success", named(one)),
			{subUpdate, "warm", 0, nil},
			asks(login, sub(one), 200, "success", named(one)),
			asks(logout, named(one), 200, "success", named(one)),
			{subUpdate, "warm", iot.Denied, []string{kicked(one, 520, "device no session")}},
			asks(logout, named(one), 520, "device no session", "{}"),
		},
		"all ways to sign": {
			asks(login, signed(climate, one, "s-"+one, "hmacmd5", md5.New), 200, "success", named(one)),
			asks(login, signed(climate, two, "s-"+two, "hmacSha1", sha1.New), 200, "success", named(two)),
			asks(login, signed(climate, "c-0001-003", "s-c-0001-003", "HMACSHA256", sha256.New), 200, "success", named("c-0001-003")),
		},
		"login is refused": {
			asks(login, signed(climate, one, "other", "hmacsha1", sha1.New), 6287, "invalid sign", "{}"),
			asks(login, signed(climate, one, "s-"+one, "hmacsha1", md5.New), 6287, "invalid sign", "{}"),
			asks(login, strings.Replace(sub(one), `"sign":"`, `"sign":"z`, 1), 6287, "invalid sign", "{}"),
			asks(login, named(one), 460, badRequest, "{}"),
			asks(login, `{"productKey":"a1Climate01"}`, 460, badRequest, "{}"),
			asks(login, `"x"`, 460, badRequest, "{}"),
			asks(login, sub("c-0009-001"), 6100, "device not found", "{}"),
			asks(login, sub("c-0002-001"), 6401, "topo relation not exist", "{}"),
			asks(login, signed(gateway, "gw-0001", "s-gw-0001", "hmacsha1", sha1.New), 6401, "topo relation not exist", "{}"),
			asks(login, sub("c-0001-007"), 522, "device forbidden", "{}"),
		},
		"batches are all or nothing": {
			asks(batchIn, list(sub(one), sub(two)), 200, "success", data(one, two)),
			asks(batchOut, `[`+named(one)+`,`+named(two)+`]`, 200, "success", data(one, two)),
			asks(batchIn, list(sub(one), sub("c-0002-001")), 6401, "topo relation not exist", "{}"),
			asks(batchIn, list(sub(one), `{}`), 460, badRequest, "{}"),
			asks(batchIn, six, 460, badRequest, "{}"),
			asks(batchIn, list(), 460, badRequest, "{}"),
			asks(batchIn, `7`, 460, badRequest, "{}"),
			{subUpdate, "warm", iot.Denied, []string{kicked(one, 520, "device no session")}},
			asks(batchIn, `[`+sub(one)+`]`, 200, "success", data(one)),
			asks(batchOut, `[`+named(one)+`,`+named(two)+`]`, 520, "device no session", "{}"),
			asks(batchOut, `[`+named(one)+`,`+named("c-0002-001")+`]`, 6401, "topo relation not exist", "{}"),
			asks(batchOut, `[`+named(one)+`,`+named("c-0009-001")+`]`, 6100, "device not found", "{}"),
			asks(batchOut, `[]`, 460, badRequest, "{}"),
			{subUpdate, "warm", 0, nil},
		},
		"the same sub-device twice": {
			asks(batchIn, list(sub(one), sub(one)), 200, "success", data(one, one)),
			asks(batchOut, `[`+named(one)+`,`+named(one)+`]`, 200, "success", data(one, one)),
		},
		"topology": {
			asks(getTopic, `{}`, 200, "success", data(one, two, "c-0001-003", "c-0001-004", "c-0001-005", "c-0001-006", "c-0001-007")),
			asks(delTopic, `[`+named(one)+`,`+named("c-0002-001")+`]`, 6401, "topo relation not exist", "{}"),
			asks(delTopic, `[`+named(one)+`,`+named("c-0009-001")+`]`, 6100, "device not found", "{}"),
			asks(delTopic, `[]`, 460, badRequest, "{}"),
			asks(login, sub(one), 200, "success", named(one)),
			{delTopic, `{"id":"7","params":[` + named(one) + `,` + named("c-0001-007") + `]}`, 0, []string{
				kicked(one, 6401, "topo relation not exist"), reply(delTopic, 200, "success", "{}"),
			}},
			asks(login, sub(one), 6401, "topo relation not exist", "{}"),
			asks(getTopic, `{}`, 200, "success", data(two, "c-0001-003", "c-0001-004", "c-0001-005", "c-0001-006")),
			asks(addTopic, `[`+sub(one)+`]`, 200, "success", "{}"),
			asks(addTopic, `[`+sub(one)+`,`+sub("c-0002-001")+`]`, 200, "success", "{}"),
			asks(login, sub(one), 200, "success", named(one)),
			asks(getTopic, `{}`, 200, "success", data(two, "c-0001-003", "c-0001-004", "c-0001-005", "c-0001-006", one, "c-0002-001")),
			asks(addTopic, `[`+sub("c-0002-002")+`,`+sub("c-0002-003")+`]`, 6400, "too many subdevices", "{}"),
		},
		"additions are refused": {
			asks(addTopic, sub(one), 460, badRequest, "{}"),
			asks(addTopic, `[`+named(one)+`]`, 460, badRequest, "{}"),
			asks(addTopic, `[`+signed(climate, one, "other", "hmacsha1", sha1.New)+`]`, 401, "invalid sign", "{}"),
			asks(addTopic, `[`+sub("c-0009-001")+`]`, 6100, "device not found", "{}"),
			asks(addTopic, `[`+sub("c-0001-007")+`]`, 6204, "device forbidden", "{}"),
			asks(addTopic, `[`+signed(gateway, "gw-0001", "s-gw-0001", "hmacsha1", sha1.New)+`]`, 6402, "a gateway cannot be its own subdevice", "{}"),
			asks(addTopic, `[`+signed(gateway, "gw-0002", "s-gw-0002", "hmacsha1", sha1.New)+`]`, 460, badRequest, "{}"),
		},
	}
	for name, conversation := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := families(2, 7)
				for i := range f.Devices {
					if f.Devices[i].ID.DeviceName == "c-0001-007" {
						f.Devices[i].Status = iot.Disabled
					}
				}
				b := newBench(t, f, func(_ *fake.Options, q *fake.Quirks) { q.MaxSubDevices = 8 })
				talk(t, b, b.attach(gateway, "gw-0001"), conversation)
			})
		})
	}
}

// forwardedBody returns the newest message of a device at the source's sink, without what differs from device to device.
func (b *bench) forwardedBody(d iot.DeviceID) (topic string, body map[string]any) {
	b.Helper()
	m, ok := b.Sink("").Newest(d)
	if !ok {
		b.Fatalf("nothing of %s was forwarded", d)
	}
	if err := json.Unmarshal(m.Payload, &body); err != nil {
		b.Fatalf("%s: %v", m.Payload, err)
	}
	if len(body["iotId"].(string)) != 26 {
		b.Errorf("iotId %v", body["iotId"])
	}
	delete(body, "iotId")
	return m.Topic, body
}

func TestWhatClientsPublishIsForwardedInThePlatformsFormats(t *testing.T) {
	now := float64(start.UnixMilli())
	head := func(more map[string]any) map[string]any {
		body := map[string]any{
			"productKey": storage, "deviceName": "s-0001", "deviceType": "CustomCategory", "gmtCreate": now,
		}
		for key, value := range more {
			body[key] = value
		}
		return body
	}
	value := func(v any, at float64) map[string]any { return map[string]any{"value": v, "time": at} }
	tests := map[string]struct {
		topic, params, out string
		want               map[string]any
	}{
		"properties with and without their time": {
			postTopic, `{"Level":{"value":20,"time":1524448722000},"Mode":3,"Site":{"value":"here"}}`, "/thing/event/property/post",
			head(map[string]any{
				"items":           map[string]any{"Level": value(20.0, 1524448722000), "Mode": value(3.0, now), "Site": value("here", now)},
				"checkFailedData": map[string]any{},
			}),
		},
		"a structure, and what the thing model does not know": {
			postTopic, `{"At":{"X":0.5},"Odd":{"value":1,"time":"soon"}}`, "/thing/event/property/post",
			head(map[string]any{
				"items":           map[string]any{"At": value(map[string]any{"X": 0.5}, now)},
				"checkFailedData": map[string]any{"Odd": value(map[string]any{"value": 1.0, "time": "soon"}, now)},
			}),
		},
		"event": {
			hotTopic, `{"value":{"Cell":1},"time":1524448722000}`, "/thing/event/Hot/post",
			head(map[string]any{
				"identifier": "Hot", "name": "Too hot", "type": "alert", "value": map[string]any{"Cell": 1.0}, "time": 1524448722000.0,
			}),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, storages(1), func(o *fake.Options, _ *fake.Quirks) { o.NoDevices = true })
			s := b.attach(storage, "s-0001")
			if err := s.Publish(test.topic, []byte(`{"id":"1","params":`+test.params+`}`), 0); err != nil {
				t.Fatal(err)
			}
			topic, body := b.forwardedBody(s.ID())
			if want := "/a1Storage01/s-0001" + test.out; topic != want {
				t.Errorf("topic %s, want %s", topic, want)
			}
			if diff := cmp.Diff(test.want, body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCustomMessagesReachGroupsUnchanged(t *testing.T) {
	f := trackers(1, amqp("DEFAULT_GROUP", iot.DeviceData))
	b := newBench(t, f, func(o *fake.Options, _ *fake.Quirks) { o.NoDevices = true })
	s := b.attach(tracker, "t-0001")
	payload := []byte{0, 1, 0xff}
	for _, topic := range []string{"/a1Tracker01/t-0001/user/update", "/a1Tracker01/t-0001/thing/event/property/post", "/a1Tracker01/t-0001/ota/upgrade"} {
		if err := s.Publish(topic, payload, 1); err != nil {
			t.Fatal(err)
		}
	}
	payload[0] = 9
	got := b.drain("", "DEFAULT_GROUP")
	if len(got) != 1 || got[0].Topic != "/a1Tracker01/t-0001/user/update" || string(got[0].Payload) != "\x00\x01\xff" ||
		!got[0].Generated.Equal(start) || len(got[0].ID) != 19 {
		t.Errorf("got %+v", got)
	}
}

func TestPermissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, families(2, 2), nil)
		s := b.attach(gateway, "gw-0001")
		talk(t, b, s, []says{asks(login, sub(one), 200, "success", named(one))})
		tests := map[string][2]bool{ // publish, subscribe
			"/a1Gateway01/gw-0001/user/update":             {true, true},
			"/a1Gateway01/gw-0001/user/#":                  {false, true},
			"/a1Gateway01/gw-0001/#":                       {false, true},
			"/sys/a1Gateway01/gw-0001/rrpc/request/+":      {false, true},
			"/ext/session/a1Gateway01/gw-0001/combine/x":   {true, true},
			"/ext/error/a1Gateway01/gw-0001":               {true, true},
			"/ota/device/upgrade/a1Gateway01/gw-0001":      {true, true},
			"/shadow/get/a1Gateway01/gw-0001":              {true, true},
			"/a1Climate01/c-0001-001/user/get":             {true, true},
			"/sys/a1Climate01/c-0001-001/thing/service/#":  {false, true},
			"/broadcast/a1Gateway01/news":                  {false, true},
			"/a1Climate01/c-0001-002/user/get":             {false, false},
			"/a1Gateway01/gw-0002/user/get":                {false, false},
			"/a1Gateway01/gw-0002/a1Gateway01/gw-0001/get": {false, false},
			"/+/gw-0001/user/get":                          {false, false},
			"/a1Gateway01/+/user/get":                      {false, false},
			"/sys/+/+/thing/#":                             {false, false},
			"/broadcast/a1Climate01/news":                  {false, false},
			"$share/g/a1Gateway01/gw-0001/user/get":        {false, false},
			"#":                                            {false, false},
			"":                                             {false, false},
			"/":                                            {false, false},
		}
		for topic, want := range tests {
			if got := [2]bool{s.MayPublish(topic), s.MaySubscribe(topic)}; got != want {
				t.Errorf("%q: may publish and subscribe: %v, want %v", topic, got, want)
			}
		}
	})
}
