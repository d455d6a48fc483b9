package route_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
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
