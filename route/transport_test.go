package route_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	vendor "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"
	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

// The vendor's client, unchanged, reaches the device where it is, also where the table is stale, by GET and by POST.
func TestVendorClientIsRouted(t *testing.T) {
	s := newSite(t, nil)
	for _, method := range []string{requests.GET, requests.POST} {
		for name, call := range s.calls(method) {
			for _, known := range []route.Place{route.Source, route.Target} {
				for at, id := range map[string]iot.DeviceID{"": s.here, target: s.there} {
					s.knows(id, known)
					what := fmt.Sprintf("%s %s at %q, known at the %v", method, name, at, known)
					ok, code, err := call(id)
					if !ok || err != nil {
						t.Errorf("%s: error %v, code %s", what, err, code)
					}
					first := map[route.Place]string{route.Source: "", route.Target: target}[known]
					if first == at {
						s.expectSent(what, at)
					} else {
						s.expectSent(what, first, at)
					}
				}
			}
		}
	}
}

// Requests that were not made by the SDK are signed again as well, whatever is in them.
func TestTransportOfHandMadeRequests(t *testing.T) {
	s := newSite(t, nil)
	s.knows(s.there, route.Target)
	inner := &http.Transport{}
	t.Cleanup(inner.CloseIdleConnections)
	transport := s.transport(s.recorder(inner))
	for name, change := range map[string]func(r *http.Request, query, form url.Values){
		"as it is":      func(*http.Request, url.Values, url.Values) {},
		"no method":     func(r *http.Request, _, _ url.Values) { r.Method = "" },
		"other letters": func(_ *http.Request, query, _ url.Values) { query.Set("Note", "ä 水 ~*+-._/&=%20\x00\xff'()!") },
		"empty values": func(_ *http.Request, query, _ url.Values) {
			query["Note"], query["IotInstanceId"] = []string{""}, []string{""}
		},
		"a form": func(r *http.Request, query, form url.Values) { asForm(r, query, form, "DeviceName") },
		"all in the form": func(r *http.Request, query, form url.Values) {
			asForm(r, query, form, slices.Collect(maps.Keys(query))...)
		},
		"another spelling": func(r *http.Request, query, form url.Values) {
			asForm(r, query, form, "DeviceName")
			r.Header.Set("Content-Type", "Application/X-WWW-Form-Urlencoded ;charset=UTF-8")
		},
		"a body of no size": func(r *http.Request, query, form url.Values) {
			asForm(r, query, form, "DeviceName")
			r.ContentLength = -1
		},
	} {
		query, form := rpc("GetDeviceStatus"), url.Values{}
		query.Del("SecurityToken")
		for key, value := range map[string]string{
			"ProductKey": s.there.ProductKey, "DeviceName": s.there.DeviceName, "Format": "JSON", "SignatureVersion": "1.0", "SignatureType": "",
			"SignatureNonce": name, "Timestamp": time.Now().UTC().Format(time.RFC3339), "RegionId": "cn-shanghai",
		} {
			query.Set(key, value)
		}
		r := httptest.NewRequest(http.MethodGet, "http://"+s.client.Domain, nil)
		r.RequestURI = ""
		change(r, query, form)
		r.URL.RawQuery = query.Encode()
		if len(form) > 0 {
			r.Body = io.NopCloser(strings.NewReader(form.Encode()))
		}
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, err := io.ReadAll(answer.Body)
		if answer.Body.Close(); err != nil || !strings.Contains(string(text), `"Success":true`) {
			t.Errorf("%s: %s, error %v", name, text, err)
		}
		s.expectSent(name, target)
	}
}

// asForm moves parameters into the body.
func asForm(r *http.Request, query, form url.Values, names ...string) {
	r.Method = http.MethodPost
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, name := range names {
		form[name] = query[name]
		query.Del(name)
	}
}

// What was learned by a call is known to the next.
func TestTransportLearns(t *testing.T) {
	s := newSite(t, nil)
	status := s.calls(requests.POST)["GetDeviceStatus"]
	for range 3 {
		if ok, code, err := status(s.there); !ok {
			t.Errorf("code %s, error %v", code, err)
		}
	}
	s.expectSent("a device that nobody told us of", "", target, target, target)
	expectPlace(t, "the table", s.router.Table().Lookup(s.there), route.Target)
}

func TestTransportSignsAgain(t *testing.T) {
	s := newSite(t, nil)
	if ok, _, _ := s.calls(requests.POST)["GetDeviceStatus"](s.there); !ok {
		t.Fatal("the call failed")
	}
	sent := s.take()
	if len(sent) != 2 {
		t.Fatalf("%d requests", len(sent))
	}
	for _, name := range []string{"Signature", "SignatureNonce"} {
		if sent[0].Get(name) == sent[1].Get(name) {
			t.Errorf("%s is that of the first request", name)
		}
	}
	for _, name := range []string{"AccessKeyId", "ProductKey", "DeviceName", "Action", "SignatureMethod"} {
		if sent[0].Get(name) != sent[1].Get(name) || sent[0].Get(name) == "" {
			t.Errorf("%s was changed", name)
		}
	}
}

// A temporary credential signs with its token.
func TestTransportWithToken(t *testing.T) {
	s := newSite(t, nil)
	domain := s.client.Domain
	client, err := vendor.NewClientWithStsToken("cn-shanghai", keyID, keySecret, token)
	if err != nil {
		t.Fatal(err)
	}
	inner := &http.Transport{}
	t.Cleanup(inner.CloseIdleConnections)
	client.SetTransport(s.transport(s.recorder(inner)))
	client.Domain = domain
	s.client = client
	if ok, code, err := s.calls(requests.POST)["GetDeviceStatus"](s.there); !ok {
		t.Errorf("code %s, error %v", code, err)
	}
	for _, v := range s.take() {
		if v.Get("SecurityToken") != token {
			t.Error("the token is missing")
		}
	}
}

// A call whose answer was lost is not made again, by anybody.
func TestTransportDoesNotRepeat(t *testing.T) {
	s := newSite(t, func(op fake.Op) fake.Fault { return fake.Fault{Lost: op.Name == "SetDeviceProperty"} })
	set := s.calls(requests.POST)["SetDeviceProperty"]
	for _, id := range []iot.DeviceID{s.here, s.there} {
		s.knows(s.there, route.Target)
		if ok, _, err := set(id); ok || err == nil {
			t.Errorf("a lost answer: %t, error %v", ok, err)
		}
		if n := len(s.take()); n != 1 {
			t.Errorf("%d requests", n)
		}
	}
	for _, code := range []string{"iot.system.SystemException", "iot.messagebroker.OFFLINE", "Throttling.User", "iot.Sre.IotInstanceNotFound"} {
		s := newSite(t, func(op fake.Op) fake.Fault {
			if op.Name == "SetDeviceProperty" {
				return fake.Fault{Err: &fake.APIError{HTTPStatus: 200, Code: code}}
			}
			return fake.Fault{}
		})
		if _, got, _ := s.calls(requests.POST)["SetDeviceProperty"](s.there); got != code {
			t.Errorf("%s became %s", code, got)
		}
		if n := len(s.take()); n != 1 {
			t.Errorf("%s: %d requests", code, n)
		}
	}
}

// net/http sends a GET again when a connection that was used before is closed without an answer. Of a command nobody knows then whether the
// device has got it.
func TestTransportIsNotReplayed(t *testing.T) {
	r := newRouter(t, newPlatform())
	for name, id := range map[string]iot.DeviceID{"as it is": device("meter-0001"), "signed again": device("meter-0002")} {
		if name != "as it is" {
			learn(t, r.Table(), route.Fact{Device: id, Place: route.Target, At: begin})
		}
		var calls atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if text, err := io.ReadAll(q.Body); err != nil || len(text) > 0 || q.ContentLength > 0 || len(q.TransferEncoding) > 0 {
				t.Errorf("%s: a GET with a body: %q, %v", name, text, q.TransferEncoding)
			}
			if calls.Add(1) > 1 {
				panic(http.ErrAbortHandler)
			}
			fmt.Fprint(w, `{"Success":true}`)
		}))
		inner := &http.Transport{}
		transport, err := r.Transport(secretOf, inner)
		if err != nil {
			t.Fatal(err)
		}
		v := rpc("InvokeThingService")
		v.Set("DeviceName", id.DeviceName)
		client := http.Client{Transport: transport}
		for n := range 2 {
			answer, err := client.Get(server.URL + "/?" + v.Encode())
			if (err == nil) != (n == 0) {
				t.Errorf("%s: call %d: error %v", name, n, err)
			}
			if err == nil {
				if _, err := io.ReadAll(answer.Body); err != nil {
					t.Error(err)
				}
				answer.Body.Close()
			}
		}
		if calls.Load() != 2 {
			t.Errorf("%s: %d calls, want 2", name, calls.Load())
		}
		inner.CloseIdleConnections()
		server.Close()
	}
}

// Exactly the APIs that have no parameter IotInstanceId in the vendor's SDK are left alone.
func TestAPIsWithoutInstance(t *testing.T) {
	var want []string
	client := reflect.TypeFor[*vendor.Client]()
	for i := range client.NumMethod() {
		m := client.Method(i)
		if m.Type.NumIn() != 2 || m.Type.In(1).Kind() != reflect.Pointer || !strings.HasSuffix(m.Type.In(1).Elem().Name(), m.Name+"Request") {
			continue
		}
		if _, ok := m.Type.In(1).Elem().FieldByName("IotInstanceId"); !ok {
			want = append(want, m.Name)
		}
	}
	got := slices.Sorted(slices.Values(route.Without()))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// They, and calls that name an instance, are sent as they are.
func TestTransportLeavesAlone(t *testing.T) {
	s := newSite(t, nil)
	learn(t, s.router.Table(), route.Fact{Device: iot.DeviceID{ProductKey: models}, Place: route.Target, At: begin})
	gray := vendor.CreateBatchGrayMigrationDeviceRequest()
	gray.ProductKey, gray.DeviceNames = models, &[]string{s.here.DeviceName}
	if _, err := s.client.BatchGrayMigrationDevice(gray); err != nil {
		t.Error(err)
	}
	distributed := vendor.CreateListDistributedDeviceRequest()
	distributed.ProductKey, distributed.CurrentPage, distributed.PageSize = models, "1", "10"
	if _, err := s.client.ListDistributedDevice(distributed); err != nil {
		t.Error(err)
	}
	all := vendor.CreateQueryProductListRequest()
	all.CurrentPage, all.PageSize = "1", "10"
	if a, err := s.client.QueryProductList(all); err != nil || !a.Success {
		t.Error(err)
	}
	s.expectSent("calls without an instance", "", "", "")
	named := vendor.CreateGetDeviceStatusRequest()
	named.ProductKey, named.DeviceName, named.IotInstanceId = s.here.ProductKey, s.here.DeviceName, target
	if a, err := s.client.GetDeviceStatus(named); err != nil || a.Success {
		t.Errorf("a device that is not at the instance that was named: error %v", err)
	}
	s.expectSent("a call that names its instance", target)
}

// A call about a product goes where the rest of it is, and to the other instance if that one has no such product.
func TestTransportOfProducts(t *testing.T) {
	s := newSite(t, nil)
	query := func(key string) bool {
		r := vendor.CreateQueryProductRequest()
		r.ProductKey = key
		a, err := s.client.QueryProduct(r)
		return err == nil && a.Success
	}
	if !query(models) {
		t.Error("the product is at both")
	}
	s.expectSent("nothing is known", "")
	for _, key := range []string{models, directs} {
		learn(t, s.router.Table(), route.Fact{Device: iot.DeviceID{ProductKey: key}, Place: route.Target, At: begin})
	}
	if !query(models) || !query(directs) {
		t.Error("the second is at the source")
	}
	s.expectSent("the rest is at the target", target, target, "")
}

// A list of devices goes where all of them are.
func TestTransportOfLists(t *testing.T) {
	s := newSite(t, nil)
	s.knows(s.there, route.Target)
	states := func(ids ...iot.DeviceID) (int, error) {
		r := vendor.CreateBatchGetDeviceStateRequest()
		names := []string{}
		for _, id := range ids {
			names = append(names, id.DeviceName)
		}
		r.ProductKey, r.DeviceName = models, &names
		a, err := s.client.BatchGetDeviceState(r)
		if err != nil {
			return 0, err
		}
		return len(a.DeviceStatusList.DeviceStatus), nil
	}
	if n, err := states(s.here); n != 1 || err != nil {
		t.Errorf("%d states, error %v", n, err)
	}
	if n, err := states(s.there); n != 1 || err != nil {
		t.Errorf("%d states, error %v", n, err)
	}
	s.expectSent("lists of one", "", target)
	if n, err := states(s.here, s.there); err == nil || !strings.Contains(err.Error(), "not sent") {
		t.Errorf("devices of both instances: %d states, error %v", n, err)
	}
	s.expectSent("a list of both")
}

// Devices of a list that are on their way are looked at together.
func TestTransportLooksAtListsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlatform()
		r := newRouter(t, p)
		v := rpc("SetDevicesProperty")
		for i := range 2 * iot.MaxStates {
			id := device(fmt.Sprintf("meter-%03d", i))
			p.put(id, route.Target)
			learn(t, r.Table(), moving(id))
			v.Set(fmt.Sprintf("DeviceName.%d", i+1), id.DeviceName)
		}
		transport, err := r.Transport(secretOf, tripper(func(r *http.Request) (*http.Response, error) {
			if got := r.URL.Query().Get("IotInstanceId"); got != target {
				t.Errorf("sent to %q", got)
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"Success":true}`))}, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, "http://iot.example/?"+v.Encode(), nil))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if n := len(p.looks()); n != 2 {
			t.Errorf("%d looks, want 2", n)
		}
	})
}

// rpc returns the parameters of a call as the vendor's SDK signs it.
func rpc(action string) url.Values {
	return url.Values{
		"Action": {action}, "Version": {"2018-01-20"}, "ProductKey": {meter}, "AccessKeyId": {keyID},
		"SignatureMethod": {"HMAC-SHA1"}, "Signature": {"c2lnbmF0dXJl"}, "SecurityToken": {token},
	}
}

// Requests of other kinds pass with their body.
func TestTransportPasses(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"JSON":        httptest.NewRequest(http.MethodPost, "http://other.example/?Action=Pub", strings.NewReader("text")),
		"PUT":         httptest.NewRequest(http.MethodPut, "http://other.example/", strings.NewReader("text")),
		"a form":      httptest.NewRequest(http.MethodPost, "http://other.example/", strings.NewReader("text")),
		"no form":     httptest.NewRequest(http.MethodPost, "http://other.example/", strings.NewReader("text%")),
		"another API": httptest.NewRequest(http.MethodPost, "http://sts.example/?Version=2015-04-01&ProductKey=a1Model0001&Signature=x", strings.NewReader("text")),
	} {
		want := "text"
		if name == "no form" {
			want = "text%"
		}
		if name != "JSON" && name != "PUT" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		got := ""
		transport, err := newRouter(t, newPlatform()).Transport(secretOf, tripper(func(r *http.Request) (*http.Response, error) {
			text, err := io.ReadAll(r.Body)
			got = string(text)
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"Code":"iot.prod.NotExistedProduct"}`))}, err
		}))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := transport.RoundTrip(r)
		if err != nil || got != want {
			t.Errorf("%s: body %q, error %v", name, got, err)
			continue
		}
		answer.Body.Close()
	}
}

// What cannot be signed again is not sent, and no error shows a secret.
func TestTransportRefuses(t *testing.T) {
	sent := 0
	r := newRouter(t, newPlatform())
	learn(t, r.Table(), route.Fact{Device: device("meter-0001"), Place: route.Target, At: begin})
	transport, err := r.Transport(secretOf, tripper(func(*http.Request) (*http.Response, error) { sent++; return nil, errors.New("sent") }))
	if err != nil {
		t.Fatal(err)
	}
	good := rpc("GetDeviceStatus")
	good.Set("DeviceName", "meter-0001")
	for name, change := range map[string]func(url.Values){
		"another method": func(v url.Values) { v.Set("SignatureMethod", "SHA256withRSA") },
		"a bearer token": func(v url.Values) { v.Set("SignatureType", "BEARERTOKEN") },
		"an unknown key": func(v url.Values) { v.Set("AccessKeyId", "LTAI4Other") },
		"two places": func(v url.Values) {
			v.Del("DeviceName")
			v.Set("DeviceName.1", "meter-0001")
			v.Set("DeviceName.2", "meter-0002")
		},
		"(not a refusal)": func(url.Values) {},
	} {
		v := url.Values{}
		for key, values := range good {
			v[key] = values
		}
		change(v)
		request := httptest.NewRequest(http.MethodGet, "http://iot.example/?"+v.Encode(), nil)
		_, err := transport.RoundTrip(request)
		if wasSent := sent == 1; wasSent != (name == "(not a refusal)") || err == nil {
			t.Errorf("%s: sent %d times, error %v", name, sent, err)
		}
		if sent = 0; strings.Contains(fmt.Sprintf("%v %+v", err, err), token) {
			t.Errorf("%s: the error shows a secret: %v", name, err)
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if text := fmt.Sprintf(verb, transport); strings.Contains(text, keySecret) {
			t.Errorf("%s shows the secret", verb)
		}
	}
	if _, err := r.Transport(nil, nil); iot.KindOf(err) != iot.Invalid {
		t.Errorf("no secrets: error %v", err)
	}
}
