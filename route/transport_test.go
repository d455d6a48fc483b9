package route_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

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
