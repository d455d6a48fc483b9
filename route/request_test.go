package route_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/route"
)

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
		url, header := r.URL.String(), r.Header.Clone()
		answer, err := transport.RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(header, r.Header); diff != "" || r.URL.String() != url {
			t.Errorf("%s: the caller's request was changed to %s: %s", name, r.URL, diff)
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

// A GET of another service may be sent again.
func TestTransportLeavesOthersAlone(t *testing.T) {
	request := httptest.NewRequest(http.MethodGet, "http://other.example/?ProductKey=a1Meter0001", nil)
	transport, err := newRouter(t, newPlatform()).Transport(secretOf, tripper(func(r *http.Request) (*http.Response, error) {
		if r != request {
			t.Errorf("it became %v with body %v", r.URL, r.Body)
		}
		return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
}

// Nothing is sent when the caller does not wait any more.
func TestTransportObeysTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRouter(t, newPlatform(), func(c *route.Config) { c.Patience = time.Hour })
		learn(t, r.Table(), moving(device("meter-0001")))
		transport, err := r.Transport(secretOf, tripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("sent") }))
		if err != nil {
			t.Fatal(err)
		}
		v := rpc("SetDeviceProperty")
		v.Set("DeviceName", "meter-0001")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err = transport.RoundTrip(httptest.NewRequest(http.MethodGet, "http://iot.example/?"+v.Encode(), nil).WithContext(ctx))
		expectKind(t, "a device that does not arrive", err, iot.Transient)
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took)
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
