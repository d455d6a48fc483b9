package openapi_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	sdkerrors "github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	vendor "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/openapi"
	"github.com/iotferry/iotferry/iot"
)

func TestHostileRequests(t *testing.T) {
	w, cloud, _ := newWire(t, fake.Options{})
	const form = "application/x-www-form-urlencoded"
	good := sign("GET", keySecret, w.common(start)).Encode()
	big := strings.Repeat("x", 2<<20)
	for name, test := range map[string]struct {
		method, path, query, kind, body string
		status                          int
		code                            string
	}{
		"PUT":                {"PUT", "/", good, form, "", 405, "UnsupportedHTTPMethod"},
		"DELETE":             {"DELETE", "/", good, form, "", 405, "UnsupportedHTTPMethod"},
		"another path":       {"GET", "/admin", good, form, "", 404, "InvalidAction.NotFound"},
		"nothing":            {"GET", "/", "", form, "", 400, "MissingAction"},
		"long query":         {"GET", "/", "x=" + strings.Repeat("x", 256<<10), form, "", 413, "RequestTooLarge"},
		"long body":          {"POST", "/", "", form, "x=" + big, 413, "RequestTooLarge"},
		"bad encoding":       {"GET", "/", "a=%zz&" + good, form, "", 400, "InvalidRequest"},
		"semicolon":          {"GET", "/", "a=1;b=2&" + good, form, "", 400, "InvalidRequest"},
		"bad body":           {"POST", "/", "", form, "a=%", 400, "InvalidRequest"},
		"twice in the query": {"GET", "/", good + "&ProductKey=x", form, "", 400, "InvalidRequest"},
		"in query and body":  {"POST", "/", good, form, "ProductKey=x", 400, "InvalidRequest"},
		"JSON body":          {"POST", "/", good, "application/json", "{}", 415, "InvalidRequest"},
		"unreadable type":    {"POST", "/", good, ";;", "a=b", 415, "InvalidRequest"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), test.method, "http://"+w.address+test.path+"?"+test.query, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", test.kind)
		if got, err := w.do(r); err != nil || !got.is(test.status, test.code) {
			t.Errorf("%s: %d %s, error %v; want %d %s", name, got.Status, got.body, err, test.status, test.code)
		}
	}
	if calls := cloud.Calls(); len(calls) != 0 {
		t.Errorf("calls have reached the platform: %v", calls)
	}
}

func TestHostileValues(t *testing.T) {
	w, _, _ := newWire(t, fake.Options{})
	name := deviceNames(1)[0]
	topic := "/" + meter + "/" + name + "/user/get"
	for label, test := range map[string]struct {
		changed []string
		status  int
		code    string
	}{
		"page is a word":     {[]string{"Action", "QueryDevice", "CurrentPage", "first"}, 400, "InvalidCurrentPage"},
		"page of 64 bits":    {[]string{"Action", "QueryDevice", "CurrentPage", "9223372036854775807"}, 400, "InvalidCurrentPage"},
		"page below 1":       {[]string{"Action", "QueryDevice", "CurrentPage", "-1"}, 200, "iot.common.InvalidPageParams"},
		"last page there is": {[]string{"Action", "QueryProductList", "CurrentPage", "2147483647", "PageSize", "200"}, 200, ""},
		"too many rows":      {[]string{"Action", "QueryDevice", "PageSize", "51"}, 200, "iot.common.InvalidPageParams"},
		"token of another":   {[]string{"Action", "QueryDevice", "NextToken", "%00"}, 200, "iot.common.InvalidPageParams"},
		"token far ahead":    {[]string{"Action", "QueryDevice", "NextToken", "7fffffffffffffff-1"}, 200, ""},
		"no status":          {[]string{"Action", "QueryDeviceByStatus"}, 400, "MissingStatus"},
		"unknown status":     {[]string{"Action", "QueryDeviceByStatus", "Status", "2"}, 200, "iot.common.InvalidPageParams"},
		"no names":           {[]string{"Action", "BatchGetDeviceState"}, 200, "iot.device.NoneDeviceNameElement"},
		"IDs, not names":     {[]string{"Action", "BatchGetDeviceState", "IotId.1", "x"}, 400, "UnsupportedIotId"},
		"a filter":           {[]string{"Action", "ListRule", "SearchName", "x"}, 400, "UnsupportedSearchName"},
		"a flag":             {[]string{"Action", "CreateSubscribeRelation", "Type", "AMQP", "SubscribeFlags", "x"}, 400, "UnsupportedSubscribeFlags"},
		"no flag":            {[]string{"Action", "CreateSubscribeRelation", "Type", "AMQP", "DeviceDataFlag", "1"}, 400, "InvalidDeviceDataFlag"},
		"no message":         {[]string{"Action", "Pub", "TopicFullName", topic}, 200, "iot.messagebroker.NullMessageContent"},
		"not Base64":         {[]string{"Action", "Pub", "TopicFullName", topic, "MessageContent", "a"}, 200, "iot.messagebroker.MessageContentIsNotBase64Encode"},
		"half a property":    {[]string{"Action", "Pub", "TopicFullName", topic, "MessageContent", "YQ==", "UserProp.1.Key", "k"}, 400, "MissingUserProp.1.Value"},
		"long message":       {[]string{"Action", "Pub", "TopicFullName", topic, "MessageContent", strings.Repeat("YWFh", 20_000)}, 200, ""},
		"no time-out":        {[]string{"Action", "RRpc", "RequestBase64Byte", "YQ=="}, 400, "MissingTimeout"},
		"long time-out":      {[]string{"Action", "RRpc", "RequestBase64Byte", "YQ==", "Timeout", "8001"}, 200, "iot.messagebroker.InvalidTimeoutValue"},
		"rule by a word":     {[]string{"Action", "ListRuleActions", "RuleId", "\"}"}, 200, "iot.rule.NotFoundRule"},
		"NUL":                {[]string{"DeviceName", "\x00"}, 200, "iot.device.NotExistedDevice"},
		"not UTF-8":          {[]string{"DeviceName", "\xff\xfe"}, 200, "iot.device.NotExistedDevice"},
	} {
		if got := w.get(w.common(start, test.changed...)); !got.is(test.status, test.code) {
			t.Errorf("%s: %d %s, want %d %s", label, got.Status, got.body, test.status, test.code)
		}
	}
}

// Whatever values a signed call of any action has, there is an answer, and none is an internal error.
func TestAnyValueIsAnswered(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w, _, _ := newWire(t, fake.Options{Quotas: fake.NoQuotas})
	names := []string{
		"ProductKey", "DeviceName", "DeviceName.1", "DeviceNames.1", "CurrentPage", "PageSize", "PageNo", "NextToken", "Status",
		"Type", "GroupName", "GroupId", "RuleId", "Identifier", "Args", "Items", "Timeout", "RequestBase64Byte", "TopicFullName",
		"MessageContent", "Qos", "Fuzzy", "DeviceDataFlag", "ConsumerGroupIds.1", "MnsConfiguration", "IotInstanceId",
	}
	values := []string{
		"", "0", "1", "3", "-1", "10", "50", "2147483647", "-2147483648", "true", meter, gateway, climate, "g-1", "c-1", deviceNames(1)[0],
		target, "AMQP", "MNS", alarms, "{}", "[]", `{"Setpoint":1}`, "Ping", "YQ==", "0-0", "7fffffffffffffff-7fffffffffffffff", "ffff-1",
		"/" + meter + "/" + deviceNames(1)[0] + "/user/get", "1000", "100001", "x\x00\xff",
	}
	actions := slices.Sorted(func(yield func(string) bool) {
		for name := range apis() {
			if !yield(name) {
				return
			}
		}
	})
	for range 1500 {
		changed := []string{"Action", actions[random.IntN(len(actions))]}
		for _, name := range names {
			if random.IntN(3) > 0 {
				changed = append(changed, name, values[random.IntN(len(values))])
			}
		}
		got := w.get(w.common(start, changed...))
		if got.Status >= 500 || got.Code == "InvalidAction.NotFound" || len(got.RequestId) != 36 {
			t.Fatalf("%q: %d %s", changed, got.Status, got.body)
		}
	}
}

// A caller that has gone gets no answer, and nothing is done for it.
func TestCallerHasGone(t *testing.T) {
	cloud, clock := newCloud(t, fake.Options{})
	h, err := openapi.New(cloud, openapi.Config{AccessKeyID: keyID, AccessKeySecret: iot.NewSecret(keySecret), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := &wire{TB: t}
	v := sign("GET", keySecret, w.common(start, "Action", "RegisterDevice", "DeviceName", "new-1"))
	r := httptest.NewRequestWithContext(ctx, "GET", "/?"+v.Encode(), nil)
	out := httptest.NewRecorder()
	func() {
		defer func() {
			if got := recover(); got != http.ErrAbortHandler {
				t.Errorf("ended with %v, want http.ErrAbortHandler", got)
			}
		}()
		h.ServeHTTP(out, r)
	}()
	if _, ok := cloud.Truth(id(meter, "new-1")); ok || out.Body.Len() > 0 {
		t.Errorf("registered: %v; answered: %s", ok, out.Body)
	}
}

// The vendor's client reads the gateway's errors, and has no success for those of the API.
func TestVendorSDKReadsErrors(t *testing.T) {
	cloud, _ := newCloud(t, fake.Options{})
	address := serve(t, cloud, nil)
	r := vendor.CreateQueryProductRequest()
	r.ProductKey, r.IotInstanceId = meter, target
	_, err := dial(t, address, "another").QueryProduct(r)
	if e, ok := errors.AsType[*sdkerrors.ServerError](err); !ok || e.ErrorCode() != "SignatureDoesNotMatch" {
		t.Errorf("wrong secret: %T %v", err, err)
	}
	r = vendor.CreateQueryProductRequest()
	_, err = dial(t, address, keySecret).QueryProduct(r)
	if e, ok := errors.AsType[*sdkerrors.ServerError](err); !ok || e.ErrorCode() != "MissingProductKey" || e.HttpStatus() != 400 || e.HostId() != address {
		t.Errorf("no product key: %T %v", err, err)
	}
	r = vendor.CreateQueryProductRequest()
	r.ProductKey, r.IotInstanceId = meter, target
	out, err := dial(t, address, keySecret).QueryProduct(r)
	if err != nil || out.Success || out.Code != "iot.prod.NotExistedProduct" || out.ErrorMessage == "" {
		t.Errorf("another instance: %+v, error %v", out, err)
	}
}

// Many clients at once are all answered, and a nonce is taken once, however many send it together.
func TestConcurrentCalls(t *testing.T) {
	w, cloud, _ := newWire(t, fake.Options{Quotas: fake.NoQuotas})
	const callers, each = 8, 20
	same := sign("GET", keySecret, w.common(start)).Encode()
	queries := make([][]url.Values, callers)
	for i := range queries {
		for range each {
			queries[i] = append(queries[i], sign("GET", keySecret, w.common(start)))
		}
	}
	var all sync.WaitGroup
	accepted := make([]int, callers)
	for i := range callers {
		all.Go(func() {
			for _, v := range queries[i] {
				if got := w.send("GET", v.Encode(), ""); !got.is(200, "") {
					t.Errorf("caller %d: %d %s", i, got.Status, got.body)
				}
				if got := w.send("GET", same, ""); got.is(200, "") {
					accepted[i]++
				} else if !got.is(400, "SignatureNonceUsed") {
					t.Errorf("caller %d, again: %d %s", i, got.Status, got.body)
				}
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range accepted {
		sum += n
	}
	if calls := cloud.Calls(); sum != 1 || calls[0].Calls != callers*each+1 {
		t.Errorf("a nonce was accepted %d times; calls: %+v", sum, calls)
	}
}
