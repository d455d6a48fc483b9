package route_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	vendor "github.com/aliyun/alibaba-cloud-sdk-go/services/iot"
	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/internal/fake/openapi"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/route"
)

const (
	keyID     = "LTAI4TestKey0001"
	keySecret = "Not-A-Real-Secret-0001"
	token     = "Not-A-Real-Token-0001"
	models    = migratetest.ThingModelProduct
	directs   = migratetest.DirectProduct
)

// A site is the platform on a socket, the vendor's client, and what was sent between them.
type site struct {
	testing.TB
	cloud  *fake.Cloud
	router *route.Router
	client *vendor.Client
	here   iot.DeviceID // at the source
	there  iot.DeviceID // at the target

	mu   sync.Mutex
	sent []url.Values
}

// newSite returns a platform with two devices of the product with a thing model, of which one was moved.
func newSite(t testing.TB, hook func(fake.Op) fake.Fault) *site {
	t.Helper()
	f, err := fleet.Read(bytes.NewReader(migratetest.Generate(migratetest.GenerateOptions{ThingModel: 4, Direct: 2, Gateways: 1, SubDevices: 1})))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{TB: t}
	clock := fake.NewVirtualClock(begin)
	if s.cloud, err = fake.New(f, fake.Options{Clock: clock, Quotas: fake.NoQuotas, Hook: hook}); err != nil {
		t.Fatal(err)
	}
	handler, err := openapi.New(s.cloud, openapi.Config{AccessKeyID: keyID, AccessKeySecret: iot.NewSecret(keySecret)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	for _, d := range f.Devices {
		if d.ID.ProductKey == models {
			s.here, s.there = s.there, d.ID
		}
	}
	s.move(s.there)
	clock.Advance(time.Minute) // until the registries show it
	s.connect(strings.TrimPrefix(server.URL, "http://"))
	return s
}

// move moves a device in the console.
func (s *site) move(id iot.DeviceID) {
	s.Helper()
	console := s.cloud.Console()
	task, err := console.CreateTask(s.Context(), id.ProductKey, target)
	if err == nil {
		_, err = console.Gray(s.Context(), task, []string{id.DeviceName})
	}
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) connect(address string) {
	s.Helper()
	platform, err := s.cloud.Platform(target, nil)
	if err != nil {
		s.Fatal(err)
	}
	s.router, err = route.New(route.Config{Table: newTable(s), Source: platform.Source.View, Target: platform.Target.View})
	if err != nil {
		s.Fatal(err)
	}
	inner := &http.Transport{}
	s.Cleanup(func() {
		inner.CloseIdleConnections()
		if err := s.router.Close(); err != nil {
			s.Error(err)
		}
	})
	s.client, err = vendor.NewClientWithAccessKey("cn-shanghai", keyID, keySecret)
	if err != nil {
		s.Fatal(err)
	}
	s.client.SetTransport(s.transport(s.recorder(inner)))
	s.client.Domain = address
}

func (s *site) transport(next http.RoundTripper) *route.Transport {
	s.Helper()
	transport, err := s.router.Transport(secretOf, next)
	if err != nil {
		s.Fatal(err)
	}
	return transport
}

func secretOf(_ context.Context, id string) (iot.Secret, error) {
	if id != keyID {
		return iot.Secret{}, fmt.Errorf("no secret for %s", id)
	}
	return iot.NewSecret(keySecret), nil
}

// recorder notes the parameters of what is sent.
func (s *site) recorder(next http.RoundTripper) http.RoundTripper {
	return tripper(func(r *http.Request) (*http.Response, error) {
		var text []byte
		if r.Body != nil {
			var err error
			if text, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(text))
		}
		all := r.URL.Query()
		form, err := url.ParseQuery(string(text))
		if err != nil {
			return nil, err
		}
		for name, values := range form {
			all[name] = append(all[name], values...)
		}
		s.mu.Lock()
		s.sent = append(s.sent, all)
		s.mu.Unlock()
		return next.RoundTrip(r)
	})
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// take returns what was sent since it was asked last.
func (s *site) take() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.sent
	s.sent = nil
	return out
}

// instances returns where what was sent has gone.
func (s *site) instances() []string {
	var out []string
	for _, v := range s.take() {
		if len(v["Signature"]) != 1 || len(v["SignatureNonce"]) != 1 || len(v["IotInstanceId"]) > 1 {
			s.Errorf("sent %v", v)
		}
		out = append(out, v.Get("IotInstanceId"))
	}
	return out
}

func (s *site) expectSent(what string, want ...string) {
	s.Helper()
	if diff := cmp.Diff(want, s.instances()); diff != "" {
		s.Errorf("%s: instances called (-want +got):\n%s", what, diff)
	}
}

// calls are those of the vendor's client that are about one device. They return whether the platform did it, and its code.
func (s *site) calls(method string) map[string]func(iot.DeviceID) (bool, string, error) {
	all := map[string]func(iot.DeviceID) (bool, string, error){
		"RRpc": func(id iot.DeviceID) (bool, string, error) {
			r := vendor.CreateRRpcRequest()
			r.ProductKey, r.DeviceName, r.RequestBase64Byte, r.Timeout = id.ProductKey, id.DeviceName, "aGk=", "1000"
			a, err := s.client.RRpc(r)
			return a != nil && a.Success, codeOf(a), err
		},
		"InvokeThingService": func(id iot.DeviceID) (bool, string, error) {
			r := vendor.CreateInvokeThingServiceRequest()
			r.Method = method
			r.ProductKey, r.DeviceName, r.Identifier, r.Args = id.ProductKey, id.DeviceName, "Check", `{"a b":"+*~ä/&="}`
			a, err := s.client.InvokeThingService(r)
			return a != nil && a.Success, codeOf(a), err
		},
		"SetDeviceProperty": func(id iot.DeviceID) (bool, string, error) {
			r := vendor.CreateSetDevicePropertyRequest()
			r.Method = method
			r.ProductKey, r.DeviceName, r.Items = id.ProductKey, id.DeviceName, `{"Charge":21}`
			a, err := s.client.SetDeviceProperty(r)
			return a != nil && a.Success, codeOf(a), err
		},
		"GetDeviceStatus": func(id iot.DeviceID) (bool, string, error) {
			r := vendor.CreateGetDeviceStatusRequest()
			r.Method = method
			r.ProductKey, r.DeviceName = id.ProductKey, id.DeviceName
			a, err := s.client.GetDeviceStatus(r)
			return a != nil && a.Success, codeOf(a), err
		},
		"Pub": func(id iot.DeviceID) (bool, string, error) {
			r := vendor.CreatePubRequest()
			r.ProductKey, r.TopicFullName, r.MessageContent = id.ProductKey, "/"+id.String()+"/user/get", "aGk="
			a, err := s.client.Pub(r)
			return a != nil && a.Success, codeOf(a), err
		},
	}
	if method == requests.GET { // these have a body
		delete(all, "RRpc")
		delete(all, "Pub")
	}
	return all
}

func codeOf(answer any) string {
	if v := reflect.ValueOf(answer); !v.IsNil() {
		return v.Elem().FieldByName("Code").String()
	}
	return ""
}

func (s *site) knows(id iot.DeviceID, p route.Place) {
	learn(s, s.router.Table(), route.Fact{Device: id, Place: p, At: time.Now()})
}

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

// Requests of other kinds pass with their body.
func TestTransportPasses(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"JSON":        httptest.NewRequest(http.MethodPost, "http://other.example/?Action=Pub", strings.NewReader("text")),
		"PUT":         httptest.NewRequest(http.MethodPut, "http://other.example/", strings.NewReader("text")),
		"a form":      httptest.NewRequest(http.MethodPost, "http://other.example/", strings.NewReader("text")),
		"another API": httptest.NewRequest(http.MethodPost, "http://sts.example/?Version=2015-04-01&ProductKey=a1Model0001&Signature=x", strings.NewReader("text")),
	} {
		if name == "a form" || name == "another API" {
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
		if err != nil || got != "text" {
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
	good := url.Values{
		"Action": {"GetDeviceStatus"}, "Version": {"2018-01-20"}, "ProductKey": {meter}, "DeviceName": {"meter-0001"}, "AccessKeyId": {keyID},
		"SignatureMethod": {"HMAC-SHA1"}, "Signature": {"c2lnbmF0dXJl"}, "SecurityToken": {token},
	}
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
