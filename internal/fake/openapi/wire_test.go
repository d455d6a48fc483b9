package openapi_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/openapi"
	"github.com/iotferry/iotferry/iot"
)

// A wire makes calls by hand, signed in its own way.
type wire struct {
	testing.TB
	address string
	client  *http.Client
	serial  int
}

func newWire(t testing.TB, o fake.Options) (*wire, *fake.Cloud, *fake.VirtualClock) {
	cloud, clock := newCloud(t, o)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &wire{TB: t, address: serve(t, cloud, clock), client: &http.Client{Transport: transport}}, cloud, clock
}

// A reply is an answer of either kind.
type reply struct {
	Status                      int
	Success                     bool
	Code, Message, ErrorMessage string
	RequestId, HostId           string
	body                        []byte
}

// common returns the parameters of a call with the common ones; a changed value of "-" removes a parameter.
func (w *wire) common(at time.Time, changed ...string) url.Values {
	w.serial++
	v := url.Values{}
	for i, list := 0, append([]string{
		"Action", "GetDeviceStatus", "Version", "2018-01-20", "Format", "JSON", "AccessKeyId", keyID, "SignatureMethod", "HMAC-SHA1",
		"SignatureVersion", "1.0", "SignatureType", "", "SignatureNonce", fmt.Sprint("nonce-", w.serial), "RegionId", region,
		"Timestamp", at.Format("2006-01-02T15:04:05Z"), "ProductKey", meter, "DeviceName", deviceNames(1)[0],
	}, changed...); i < len(list); i += 2 {
		v.Set(list[i], list[i+1])
		if list[i+1] == "-" {
			v.Del(list[i])
		}
	}
	return v
}

// sign adds the signature.
func sign(method, secret string, v url.Values) url.Values {
	escape := strings.NewReplacer("+", "%20")
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	fmt.Fprintf(mac, "%s&%s&%s", method, "%2F", url.QueryEscape(escape.Replace(v.Encode())))
	v.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return v
}

func (w *wire) send(method, query, form string) reply {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, "http://"+w.address+"/?"+query, strings.NewReader(form))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	out, err := w.do(r)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

func (w *wire) do(r *http.Request) (reply, error) {
	answer, err := w.client.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer answer.Body.Close()
	out := reply{Status: answer.StatusCode}
	if out.body, err = io.ReadAll(answer.Body); err != nil {
		return out, err
	}
	if kind := answer.Header.Get("Content-Type"); kind != "application/json; charset=utf-8" {
		w.Errorf("content type %q", kind)
	}
	if err := json.Unmarshal(out.body, &out); err != nil {
		w.Errorf("%v in %s", err, out.body)
	}
	return out, nil
}

// get sends signed parameters in the query.
func (w *wire) get(v url.Values) reply {
	w.Helper()
	return w.send("GET", sign("GET", keySecret, v).Encode(), "")
}

func (r reply) is(status int, code string) bool {
	return r.Status == status && r.Code == code && r.Success == (status == 200 && code == "") && len(r.RequestId) == 36
}

func TestParametersInQueryOrBody(t *testing.T) {
	w, _, _ := newWire(t, fake.Options{})
	for name, send := range map[string]func() reply{
		"GET":               func() reply { return w.get(w.common(start)) },
		"POST, all in body": func() reply { return w.send("POST", "", sign("POST", keySecret, w.common(start)).Encode()) },
		"POST, all in query": func() reply {
			return w.send("POST", sign("POST", keySecret, w.common(start)).Encode(), "")
		},
		"POST, both": func() reply {
			v := sign("POST", keySecret, w.common(start, "Extra", "ä +*~/"))
			body := url.Values{"Extra": v["Extra"], "ProductKey": v["ProductKey"]}
			v.Del("Extra")
			v.Del("ProductKey")
			return w.send("POST", v.Encode(), body.Encode())
		},
		"no format": func() reply { return w.get(w.common(start, "Format", "-")) },
		"json":      func() reply { return w.get(w.common(start, "Format", "json")) },
		"STS":       func() reply { return w.get(w.common(start, "SecurityToken", "token")) },
	} {
		got := send()
		if want := []byte(`"Status":"ONLINE"`); !got.is(200, "") || !bytes.Contains(got.body, want) {
			t.Errorf("%s: %d %s", name, got.Status, got.body)
		}
	}
}

func TestGateRefuses(t *testing.T) {
	const minute = time.Minute
	w, cloud, _ := newWire(t, fake.Options{})
	used := w.common(start)
	used.Set("SignatureNonce", "used")
	if got := w.get(used); !got.is(200, "") {
		t.Fatalf("first use: %s", got.body)
	}
	tests := map[string]struct {
		shift   time.Duration
		changed []string
		secret  string
		status  int
		code    string
	}{
		"good":                     {0, nil, keySecret, 200, ""},
		"15 minutes old":           {-15 * minute, nil, keySecret, 200, ""},
		"15 minutes ahead":         {15 * minute, nil, keySecret, 200, ""},
		"stale":                    {-15*minute - time.Second, nil, keySecret, 400, "InvalidTimeStamp.Expired"},
		"too early":                {15*minute + time.Second, nil, keySecret, 400, "InvalidTimeStamp.Expired"},
		"a local timestamp":        {0, []string{"Timestamp", "2026-03-01T16:00:00+08:00"}, keySecret, 400, "InvalidTimeStamp.Format"},
		"wrong key":                {0, []string{"AccessKeyId", "LTAI4Other"}, keySecret, 404, "InvalidAccessKeyId.NotFound"},
		"wrong secret":             {0, nil, "another", 400, "SignatureDoesNotMatch"},
		"no secret":                {0, nil, "", 400, "SignatureDoesNotMatch"},
		"used nonce":               {0, []string{"SignatureNonce", "used"}, keySecret, 400, "SignatureNonceUsed"},
		"used nonce, wrong secret": {0, []string{"SignatureNonce", "used"}, "another", 400, "SignatureDoesNotMatch"},
		"no nonce":                 {0, []string{"SignatureNonce", "-"}, keySecret, 400, "MissingSignatureNonce"},
		"no timestamp":             {0, []string{"Timestamp", "-"}, keySecret, 400, "MissingTimestamp"},
		"no key":                   {0, []string{"AccessKeyId", "-"}, keySecret, 400, "MissingAccessKeyId"},
		"no action":                {0, []string{"Action", "-"}, keySecret, 400, "MissingAction"},
		"no version":               {0, []string{"Version", "-"}, keySecret, 400, "MissingVersion"},
		"unknown action":           {0, []string{"Action", "DeleteDevice"}, keySecret, 404, "InvalidAction.NotFound"},
		"small letters":            {0, []string{"Action", "getDeviceStatus"}, keySecret, 404, "InvalidAction.NotFound"},
		"method of the fake":       {0, []string{"Action", "PowerOff"}, keySecret, 404, "InvalidAction.NotFound"},
		"another version":          {0, []string{"Version", "2017-04-20"}, keySecret, 404, "InvalidVersion"},
		"XML":                      {0, []string{"Format", "XML"}, keySecret, 400, "InvalidParameter.Format"},
		"another method":           {0, []string{"SignatureMethod", "HMAC-SHA256"}, keySecret, 400, "InvalidSignatureMethod"},
		"another signature":        {0, []string{"SignatureVersion", "2.0"}, keySecret, 400, "InvalidSignatureVersion"},
		"bearer token":             {0, []string{"SignatureType", "BEARERTOKEN"}, keySecret, 400, "InvalidSignatureType"},
		"no device name":           {0, []string{"DeviceName", "-"}, keySecret, 400, "MissingDeviceName"},
		"a device's other name":    {0, []string{"IotId", "x"}, keySecret, 400, "UnsupportedIotId"},
		"no such instance":         {0, []string{"IotInstanceId", "iot-no"}, keySecret, 200, "iot.Sre.IotInstanceNotFound"},
		"the other instance":       {0, []string{"IotInstanceId", target}, keySecret, 200, "iot.prod.NotExistedProduct"},
		"no such product":          {0, []string{"ProductKey", "a1Nothing"}, keySecret, 200, "iot.prod.NotExistedProduct"},
		"no such device":           {0, []string{"DeviceName", "nobody"}, keySecret, 200, "iot.device.NotExistedDevice"},
	}
	calls := 0
	for name, test := range tests {
		got := w.send("GET", sign("GET", test.secret, w.common(start.Add(test.shift), test.changed...)).Encode(), "")
		if !got.is(test.status, test.code) {
			t.Errorf("%s: %d %s, want %d %s", name, got.Status, got.body, test.status, test.code)
		}
		if test.status == 200 {
			calls++
		}
		if isGateway := got.HostId == w.address && got.Message != ""; isGateway != (test.status != 200) {
			t.Errorf("%s: %s, want the form of another layer", name, got.body)
		}
		for _, secret := range []string{keySecret, "another&", "GET&", "s-m-"} {
			if bytes.Contains(got.body, []byte(secret)) {
				t.Errorf("%s: %s shows %q", name, got.body, secret)
			}
		}
	}
	for _, c := range cloud.Calls() {
		if c.Name == "GetDeviceStatus" && c.Calls != calls+1 {
			t.Errorf("%d calls have reached the platform, want %d", c.Calls, calls+1)
		}
	}
}

func TestSignatureCoversEveryParameter(t *testing.T) {
	w, _, _ := newWire(t, fake.Options{})
	for name := range w.common(start) {
		v := sign("GET", keySecret, w.common(start))
		v.Set(name, v.Get(name)+"x")
		if got := w.send("GET", v.Encode(), ""); got.Status < 400 {
			t.Errorf("%s was changed: %d %s", name, got.Status, got.body)
		}
	}
	v := sign("GET", keySecret, w.common(start))
	if got := w.send("POST", v.Encode(), ""); !got.is(400, "SignatureDoesNotMatch") {
		t.Errorf("signed for another method: %s", got.body)
	}
	v = sign("POST", keySecret, w.common(start))
	if got := w.send("POST", v.Encode(), "IotInstanceId="+target); !got.is(400, "SignatureDoesNotMatch") {
		t.Errorf("a parameter added in the body: %s", got.body)
	}
}

func TestRepeatedParameters(t *testing.T) {
	w, cloud, _ := newWire(t, fake.Options{})
	if err := ready(t.Context(), cloud, deviceNames(1)[0]); err != nil {
		t.Fatal(err)
	}
	names := deviceNames(24)
	for name, test := range map[string]struct {
		changed []string
		status  int
		code    string
		want    int // devices in the answer
	}{
		"two":           {[]string{"DeviceNames.1", names[4], "DeviceNames.2", names[5]}, 200, "", 2},
		"none":          {nil, 400, "MissingDeviceNames", 0},
		"not repeated":  {[]string{"DeviceNames", names[6]}, 400, "MissingDeviceNames", 0},
		"from zero":     {[]string{"DeviceNames.0", names[6], "DeviceNames.1", names[7]}, 400, "MissingDeviceNames.2", 0},
		"gap":           {[]string{"DeviceNames.1", names[6], "DeviceNames.3", names[7]}, 400, "MissingDeviceNames.2", 0},
		"enormous":      {[]string{"DeviceNames.1", names[6], "DeviceNames.999999999", names[7]}, 400, "MissingDeviceNames.2", 0},
		"not a number":  {[]string{"DeviceNames.x", names[6]}, 400, "MissingDeviceNames.1", 0},
		"leading zeros": {[]string{"DeviceNames.01", names[6]}, 400, "MissingDeviceNames.1", 0},
	} {
		got := w.get(w.common(start, append(test.changed, "Action", "BatchGrayMigrationDevice")...))
		if !got.is(test.status, test.code) || bytes.Count(got.body, []byte("DEVICE_SUCCEEDED")) != test.want {
			t.Errorf("%s: %d %s, want %d %s", name, got.Status, got.body, test.status, test.code)
		}
	}
	for _, name := range names[6:8] {
		if cloud.MovedTimes(id(meter, name)) != 0 {
			t.Errorf("%s was moved by a call that was refused", name)
		}
	}
}

func TestLostAnswerCutsTheConnection(t *testing.T) {
	lost := fake.Fault{Lost: true}
	w, cloud, _ := newWire(t, fake.Options{Hook: func(op fake.Op) fake.Fault {
		if op.Name == "RegisterDevice" {
			return lost
		}
		return fake.Fault{}
	}})
	v := sign("POST", keySecret, w.common(start, "Action", "RegisterDevice", "DeviceName", "new-1"))
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+w.address+"/?"+v.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := w.do(r); !errors.Is(err, io.EOF) {
		t.Errorf("got %d %s, error %v; want the end of the connection", got.Status, got.body, err)
	}
	if _, ok := cloud.Truth(id(meter, "new-1")); !ok {
		t.Error("the effect is missing")
	}
}

func TestErrorsOfThePlatform(t *testing.T) {
	var fault error
	w, _, clock := newWire(t, fake.Options{Hook: func(fake.Op) fake.Fault { return fake.Fault{Err: fault} }})
	for name, test := range map[string]struct {
		err    error
		status int
		code   string
	}{
		"gateway":         {&fake.APIError{HTTPStatus: 503, Code: "ServiceUnavailable", Message: "m"}, 503, "ServiceUnavailable"},
		"API":             {&fake.APIError{HTTPStatus: 200, Code: "iot.system.SystemException", Message: "m"}, 200, "iot.system.SystemException"},
		"no HTTP status":  {&fake.APIError{Code: "iot.x", Message: "m"}, 200, "iot.x"},
		"bad HTTP status": {&fake.APIError{HTTPStatus: 42, Code: "iot.x", Message: "m"}, 200, "iot.x"},
		"another error":   {errors.New("inner " + keySecret), 500, "InternalError"},
	} {
		fault = test.err
		got := w.get(w.common(start))
		if !got.is(test.status, test.code) || bytes.Contains(got.body, []byte("inner")) {
			t.Errorf("%s: %d %s, want %d %s", name, got.Status, got.body, test.status, test.code)
		}
	}
	fault = nil
	throttled := 0
	for range 6 {
		if got := w.get(w.common(clock.Now(), "Action", "QueryConsumerGroupList")); got.is(400, "Throttling.User") {
			throttled++
		} else if !got.is(200, "") {
			t.Errorf("quota: %d %s", got.Status, got.body)
		}
	}
	if throttled != 1 {
		t.Errorf("%d of 6 calls in one second were throttled, the quota is 5", throttled)
	}
}

// An answer that a fault has altered so that it is no JSON is an internal error, not half an answer.
func TestAnswerThatCannotBeWritten(t *testing.T) {
	w, _, _ := newWire(t, fake.Options{Hook: func(fake.Op) fake.Fault {
		return fake.Fault{Alter: func(answer any) {
			if list, ok := answer.(*fake.ListRuleResponse); ok {
				list.RuleInfo[0].Id = "not a number"
			}
		}}
	}})
	if got := w.get(w.common(start, "Action", "ListRule")); !got.is(500, "InternalError") {
		t.Errorf("got %d %s", got.Status, got.body)
	}
}

func TestNewRefuses(t *testing.T) {
	cloud, _ := newCloud(t, fake.Options{})
	secret := iot.NewSecret(keySecret)
	for name, test := range map[string]struct {
		cloud  *fake.Cloud
		config openapi.Config
	}{
		"no cloud":  {nil, openapi.Config{AccessKeyID: keyID, AccessKeySecret: secret}},
		"no key":    {cloud, openapi.Config{AccessKeySecret: secret}},
		"no secret": {cloud, openapi.Config{AccessKeyID: keyID}},
	} {
		if h, err := openapi.New(test.cloud, test.config); h != nil || iot.KindOf(err) != iot.Invalid || strings.Contains(err.Error(), keySecret) {
			t.Errorf("%s: %v, error %v", name, h, err)
		}
	}
}
