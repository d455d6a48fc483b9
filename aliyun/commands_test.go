package aliyun_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

var meterOne = iot.DeviceID{ProductKey: meter, DeviceName: "m-0001"}

func TestCommandsSend(t *testing.T) {
	payload := []byte{0, 1, 0xff}
	for name, test := range map[string]struct {
		do   func(iot.Commander) error
		want map[string]string
	}{
		"publish": {
			func(c iot.Commander) error {
				_, err := c.Publish(t.Context(), "/"+meterOne.String()+"/user/a/b", payload)
				return err
			},
			map[string]string{"Action": "Pub", "TopicFullName": "/" + meterOne.String() + "/user/a/b", "MessageContent": "AAH/", "Qos": "1"},
		},
		"call": {
			func(c iot.Commander) error {
				_, err := c.Call(t.Context(), meterOne, payload, 2500*time.Millisecond)
				return err
			},
			map[string]string{"Action": "RRpc", "RequestBase64Byte": "AAH/", "Timeout": "2500", "DeviceName": "m-0001"},
		},
		"invoke": {
			func(c iot.Commander) error { _, err := c.Invoke(t.Context(), meterOne, "fb:Check", nil); return err },
			map[string]string{"Action": "InvokeThingService", "Identifier": "fb:Check", "Args": "{}", "DeviceName": "m-0001"},
		},
		"set": {
			func(c iot.Commander) error {
				_, err := c.SetProperties(t.Context(), meterOne, json.RawMessage(`{"a": 1}`))
				return err
			},
			map[string]string{"Action": "SetDeviceProperty", "Items": `{"a": 1}`, "DeviceName": "m-0001"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := says(map[string]any{"RrpcCode": "SUCCESS"})
			if err := test.do(s.client(t).Platform().Target); err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for key := range test.want {
				got[key] = s.last(t).Get(key)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if id, key := s.last(t).Get("IotInstanceId"), s.last(t).Get("ProductKey"); id != testTarget || key != meter {
				t.Errorf("instance %q, product %q", id, key)
			}
		})
	}
}

func TestCommandsRefuse(t *testing.T) {
	s := says(nil)
	at := s.client(t).Platform().Source
	publish := func(topic string, payload string) error {
		_, err := at.Publish(t.Context(), topic, []byte(payload))
		return err
	}
	call := func(id iot.DeviceID, payload string, timeout time.Duration) error {
		_, err := at.Call(t.Context(), id, []byte(payload), timeout)
		return err
	}
	invoke := func(service, args string) error {
		_, err := at.Invoke(t.Context(), meterOne, service, json.RawMessage(args))
		return err
	}
	for name, err := range map[string]error{
		"no payload":      publish("/"+meterOne.String()+"/user/get", ""),
		"no topic":        publish("", "x"),
		"a system topic":  publish("/sys/"+meterOne.String()+"/thing/x", "x"),
		"no device":       publish("/"+meter+"//user/get", "x"),
		"no product":      publish("//m-0001/user/get", "x"),
		"nothing of user": publish("/"+meterOne.String()+"/user/", "x"),
		"call nothing":    call(meterOne, "", time.Second),
		"call shortly":    call(meterOne, "x", 999*time.Millisecond),
		"call long":       call(meterOne, "x", 8001*time.Millisecond),
		"call nobody":     call(iot.DeviceID{ProductKey: meter}, "x", time.Second),
		"no service":      invoke("", "{}"),
		"no object":       invoke("Check", "[1]"),
		"null":            invoke("Check", "null"),
		"no JSON":         invoke("Check", "{"),
		"set no object":   func() error { _, err := at.SetProperties(t.Context(), meterOne, json.RawMessage(`"x"`)); return err }(),
		"set nobody's":    func() error { _, err := at.SetProperties(t.Context(), iot.DeviceID{}, nil); return err }(),
		"register nobody": func() error { _, err := at.Register(t.Context(), iot.DeviceID{ProductKey: meter}); return err }(),
	} {
		expectKind(t, name, err, iot.Invalid)
	}
	if len(s.calls) > 0 {
		t.Errorf("%d calls were made", len(s.calls))
	}
}

// What became of a call to a device, whether the platform tells it in an answer or as an error.
func TestCallOutcomes(t *testing.T) {
	for name, test := range map[string]struct {
		answer any
		want   iot.Kind
	}{
		"offline":          {map[string]any{"RrpcCode": "OFFLINE"}, iot.NotConnected},
		"half connected":   {map[string]any{"RrpcCode": "HALFCONN"}, iot.NotConnected},
		"time-out":         {map[string]any{"RrpcCode": "TIMEOUT"}, iot.UnknownOutcome},
		"unknown":          {map[string]any{"RrpcCode": "UNKNOWN"}, iot.UnknownOutcome},
		"a new word":       {map[string]any{"RrpcCode": "BUSY"}, iot.UnknownOutcome},
		"no word":          {map[string]any{}, iot.UnknownOutcome},
		"garbled":          {map[string]any{"RrpcCode": "SUCCESS", "PayloadBase64Byte": "%%%"}, iot.UnknownOutcome},
		"offline error":    {&fake.APIError{Code: "iot.messagebroker.OFFLINE"}, iot.NotConnected},
		"half error":       {&fake.APIError{Code: "iot.messagebroker.HALFCONN"}, iot.NotConnected},
		"time-out error":   {&fake.APIError{Code: "iot.messagebroker.TIMEOUT"}, iot.UnknownOutcome},
		"too many":         {&fake.APIError{Code: "iot.messagebroker.RateLimit"}, iot.Throttled},
		"no such device":   {&fake.APIError{Code: "iot.device.NotExistedDevice"}, iot.NotFound},
		"broken within":    {&fake.APIError{Code: "iot.messagebroker.RrpcException"}, iot.UnknownOutcome},
		"the gateway says": {&fake.APIError{HTTPStatus: 400, Code: "Throttling"}, iot.Throttled},
	} {
		_, err := says(test.answer).client(t).Platform().Source.Call(t.Context(), meterOne, []byte("x"), time.Second)
		expectKind(t, name, err, test.want)
	}
	want := strings.Repeat("\x00\xff", 300)
	s := says(map[string]any{"RrpcCode": "SUCCESS", "PayloadBase64Byte": base64.StdEncoding.EncodeToString([]byte(want)), "MessageId": 1 << 60})
	if got, err := s.client(t).Platform().Source.Call(t.Context(), meterOne, []byte("x"), time.Second); err != nil || string(got) != want {
		t.Errorf("got %q, %v", got, err)
	}
	s = says(map[string]any{"RrpcCode": "SUCCESS"})
	if got, err := s.client(t).Platform().Source.Call(t.Context(), meterOne, []byte("x"), time.Second); err != nil || len(got) > 0 {
		t.Errorf("an empty answer: got %q, %v", got, err)
	}
}

func TestInvokeReplies(t *testing.T) {
	for name, test := range map[string]struct {
		data string
		want iot.ServiceReply
	}{
		"synchronous":  {`{"MessageId":"m1","Result":"{\"ok\":true}"}`, iot.ServiceReply{MessageID: "m1", Result: json.RawMessage(`{"ok":true}`)}},
		"asynchronous": {`{"MessageId":"m1","Result":""}`, iot.ServiceReply{MessageID: "m1"}},
		"null":         {`{"MessageId":"m1","Result":null}`, iot.ServiceReply{MessageID: "m1"}},
		"a number":     {`{"MessageId":17,"Result":"4"}`, iot.ServiceReply{MessageID: "17", Result: json.RawMessage(`4`)}},
		"no JSON":      {`{"MessageId":"m1","Result":"done \"now\""}`, iot.ServiceReply{MessageID: "m1", Result: json.RawMessage(`"done \"now\""`)}},
	} {
		got, err := says(fromJSON(t, `{"Data":`+test.data+`}`)).client(t).Platform().Source.Invoke(t.Context(), meterOne, "Check", json.RawMessage(`{}`))
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// A call that waits for a device gets the device's time beside its own.
func TestCallsWaitForDevices(t *testing.T) {
	for _, given := range []time.Duration{0, 2 * time.Second} {
		own := given
		if own == 0 {
			own = 10 * time.Second
		}
		deadlines := map[string]time.Duration{}
		config := testConfig("http://platform.invalid")
		config.Timeout = given
		config.Transport = roundTrip(func(r *request) (*response, error) {
			deadline, _ := r.Context().Deadline()
			s := says(map[string]any{"RrpcCode": "SUCCESS"})
			deadlines[actionOf(r)] = time.Until(deadline).Round(time.Second)
			return s.RoundTrip(r)
		})
		at := openClient(t, config).Platform().Source
		_, callErr := at.Call(t.Context(), meterOne, []byte("x"), 5*time.Second)
		_, invokeErr := at.Invoke(t.Context(), meterOne, "Check", nil)
		_, setErr := at.SetProperties(t.Context(), meterOne, nil)
		if callErr != nil || invokeErr != nil || setErr != nil {
			t.Fatal(callErr, invokeErr, setErr)
		}
		want := map[string]time.Duration{"RRpc": own + 5*time.Second, "InvokeThingService": own + 8*time.Second, "SetDeviceProperty": own}
		if diff := cmp.Diff(want, deadlines); diff != "" {
			t.Errorf("time-out %v (-want +got):\n%s", given, diff)
		}
	}
}

func actionOf(r *request) string { return r.URL.Query().Get("Action") }
