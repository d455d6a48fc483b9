package aliyun_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/internal/fake/openapi"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

const (
	testRegion  = "cn-shanghai"
	testAccount = "1098765432109876"
	testTarget  = "iot-060a0001" // of generated fleets
	testKeyID   = "LTAI4TestKey0001"
	testSecret  = "Not-A-Real-Secret-0001"
)

// noPace lets every call through at once.
type noPace struct{}

func (noPace) Wait(ctx context.Context, _ string) error { return ctx.Err() }
func (noPace) Throttled(string)                         {}

// testConfig returns a configuration that reaches nobody but for an OpenAPI at a URL.
func testConfig(openAPI string) aliyun.Config {
	return aliyun.Config{
		Region: testRegion, Account: testAccount, Target: testTarget, PlainText: true, Pacer: noPace{},
		Credentials: aliyun.Static(testKeyID, iot.NewSecret(testSecret)),
		Endpoints: aliyun.Endpoints{
			OpenAPI: openAPI, SourceAMQP: "amqp://127.0.0.1:1", TargetAMQP: "amqp://127.0.0.1:1",
			SourceMQTT: "tcp://127.0.0.1:1",
		},
	}
}

func openClient(t testing.TB, config aliyun.Config) *aliyun.Client {
	t.Helper()
	client, err := aliyun.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return client
}

// A world is the platform in memory with its OpenAPI.
type world struct {
	*fake.Cloud
	clock   *fake.VirtualClock
	handler http.Handler
}

func newWorld(t testing.TB, fleetFile []byte, o fake.Options) *world {
	t.Helper()
	w := &world{clock: fake.NewVirtualClock(time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC))}
	if o.Clock == nil {
		o.Clock = w.clock
	}
	f, err := fleet.Read(bytes.NewReader(fleetFile))
	if err != nil {
		t.Fatal(err)
	}
	if w.Cloud, err = fake.New(f, o); err != nil {
		t.Fatal(err)
	}
	w.handler, err = openapi.New(w.Cloud, openapi.Config{AccessKeyID: testKeyID, AccessKeySecret: iot.NewSecret(testSecret)})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// smallFleet has something to tell for every API.
func smallFleet() []byte {
	return migratetest.Generate(migratetest.GenerateOptions{
		Direct: 130, PreRegistered: 5, ThingModel: 4, Gateways: 2, SubDevices: 70, OfflineEvery: 4, Empty: 210,
	})
}

// serve puts the world on a loopback socket and returns its URL.
func (w *world) serve(t testing.TB) string {
	t.Helper()
	server := httptest.NewServer(w.handler)
	t.Cleanup(server.Close)
	return server.URL
}

// ready gets a product's migration task so far that the API moves its devices, by moving the first of them.
func (w *world) ready(t testing.TB, productKey string, first ...string) {
	t.Helper()
	console := w.Console()
	task, err := console.CreateTask(t.Context(), productKey, testTarget)
	if err == nil {
		_, err = console.Gray(t.Context(), task, first)
	}
	if err == nil {
		err = console.Confirm(t.Context(), task)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// inProcess carries requests to a handler without a socket. A handler that cuts the connection loses the answer.
type inProcess struct{ handler http.Handler }

func (p inProcess) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	defer func() {
		if recover() != nil {
			answer, err = nil, io.ErrUnexpectedEOF
		}
	}()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	out := httptest.NewRecorder()
	p.handler.ServeHTTP(out, r)
	return out.Result(), r.Context().Err()
}

// A script answers calls as a test wants it, and remembers them.
type script struct {
	answer func(api string, q url.Values) any // what is merged into a success, or a *fake.APIError
	forget bool                               // it does not remember
	mu     sync.Mutex
	calls  []url.Values
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if !s.forget {
		s.calls = append(s.calls, r.Form)
	}
	s.mu.Unlock()
	status := http.StatusOK
	var body any
	switch answer := s.answer(r.Form.Get("Action"), r.Form).(type) {
	case *fake.APIError:
		body = map[string]any{"Success": false, "Code": answer.Code, "ErrorMessage": answer.Message}
		if answer.HTTPStatus >= 400 {
			status, body = answer.HTTPStatus, map[string]any{"Code": answer.Code, "Message": answer.Message}
		}
	case map[string]any:
		answer["Success"] = true
		body = answer
	case []byte: // the whole answer
		body = answer
	default:
		body = map[string]any{"Success": true}
	}
	text, ok := body.([]byte)
	var err error
	if !ok {
		text, err = json.Marshal(body)
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(bytes.NewReader(text)), Header: http.Header{}, Request: r}, err
}

// client returns a client that the script answers.
func (s *script) client(t testing.TB, change ...func(*aliyun.Config)) *aliyun.Client {
	t.Helper()
	config := testConfig("http://platform.invalid")
	config.Transport = s
	for _, f := range change {
		f(&config)
	}
	return openClient(t, config)
}

// last returns the call that was made last.
func (s *script) last(t testing.TB) url.Values {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == 0 {
		t.Fatal("no call was made")
	}
	return s.calls[len(s.calls)-1]
}

// says answers every call alike.
func says(answer any) *script { return &script{answer: func(string, url.Values) any { return answer }} }

// fromJSON returns a JSON object as an answer.
func fromJSON(t testing.TB, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// expectKind fails the test unless err is an error of a kind.
func expectKind(t testing.TB, what string, err error, want iot.Kind) {
	t.Helper()
	if err == nil || iot.KindOf(err) != want {
		t.Errorf("%s: got error %v of kind %q, want kind %q", what, err, iot.KindOf(err), want)
	}
}

// codeIn returns the platform's code in an error.
func codeIn(err error) string {
	if e, ok := errors.AsType[*iot.Error](err); ok {
		return e.Code
	}
	return ""
}

type (
	request  = http.Request
	response = http.Response
)

// A roundTrip is a function as a transport.
type roundTrip func(*request) (*response, error)

func (f roundTrip) RoundTrip(r *request) (*response, error) { return f(r) }
