package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

func (p *pacer) Wait(ctx context.Context, api string) error {
	p.told = append(p.told, "wait "+api)
	return ctx.Err()
}

func noting(p *pacer, what string) rpc.CredentialSource {
	return rpc.SourceFunc(func(context.Context) (rpc.Credential, error) {
		p.told = append(p.told, what)
		return credential, nil
	})
}

func noted(p *pacer, what string, inner http.RoundTripper) transport {
	return func(r *http.Request) (*http.Response, error) {
		p.told = append(p.told, what)
		return inner.RoundTrip(r)
	}
}

// What is sent has the platform's form.
func TestRequests(t *testing.T) {
	var got *http.Request
	var form url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if form, err = url.ParseQuery(string(body)); err != nil {
			t.Error(err)
		}
		got = r
		_, _ = io.WriteString(w, fine)
	}))
	defer server.Close()
	call := rpc.Call{API: "BatchGrayMigrationDevice", Query: rpc.Params{"ProductKey": "a1/+ *~", "Empty": ""}, Body: rpc.Params{}}
	call.Body.Repeat("DeviceNames", []string{"a", "系 统"})
	if err := open(t, rpc.Config{Endpoint: server.URL}).Do(t.Context(), call, nil); err != nil {
		t.Fatal(err)
	}
	if got.Method != http.MethodPost || got.URL.Path != "/" || got.Header.Get("User-Agent") != "iotferry" {
		t.Errorf("got %s %s of %q", got.Method, got.URL.Path, got.Header.Get("User-Agent"))
	}
	query := got.URL.Query()
	for _, name := range []string{"Timestamp", "SignatureNonce", "Signature"} {
		if query.Get(name) == "" {
			t.Errorf("there is no %s", name)
		}
		query.Del(name)
	}
	want := url.Values{
		"Action": {"BatchGrayMigrationDevice"}, "Version": {"2018-01-20"}, "Format": {"JSON"}, "RegionId": {region},
		"SignatureMethod": {"HMAC-SHA1"}, "SignatureVersion": {"1.0"}, "SignatureType": {""},
		"AccessKeyId": {keyID}, "SecurityToken": {token}, "ProductKey": {"a1/+ *~"},
	}
	if d := cmp.Diff(want, query); d != "" {
		t.Errorf("query (-want +got):\n%s", d)
	}
	if d := cmp.Diff(url.Values{"DeviceNames.1": {"a"}, "DeviceNames.2": {"系 统"}}, form); d != "" {
		t.Errorf("body (-want +got):\n%s", d)
	}
	if n := len(call.Query) + len(call.Body); n != 4 {
		t.Errorf("the call was changed: it has %d parameters", n)
	}
}

// With a done context nothing is sent, and the error is the context's.
func TestADoneContextSendsNothing(t *testing.T) {
	sent := 0
	count := transport(func(r *http.Request) (*http.Response, error) {
		sent++
		return answering(200, fine)(r)
	})
	done, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancelLate()
	for _, c := range []*rpc.Caller{
		open(t, rpc.Config{Transport: count}),
		open(t, rpc.Config{Transport: count, Pacer: careless{}}),
	} {
		err := c.Do(done, writing, nil)
		if expectError(t, err, writing.API, iot.Transient); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
		err = c.Do(late, writing, nil)
		if expectError(t, err, writing.API, iot.Transient); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
	}
	if sent != 0 {
		t.Errorf("%d requests were sent", sent)
	}
}

// careless does not look at contexts.
type careless struct{}

func (careless) Wait(context.Context, string) error { return nil }
func (careless) Throttled(string)                   {}

func TestAPacersErrorSendsNothing(t *testing.T) {
	c := open(t, rpc.Config{Pacer: broken{}, Transport: transport(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, io.EOF
	})})
	if err := c.Do(t.Context(), writing, nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want the pacer's error", err)
	} else {
		expectError(t, err, writing.API, iot.Transient)
	}
}

type broken struct{ careless }

func (broken) Wait(context.Context, string) error { return io.ErrClosedPipe }

func TestLog(t *testing.T) {
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	answers := []transport{
		answering(200, fine), answering(200, refusal("iot.prod.NotExistedProduct", "gone "+token)),
		func(*http.Request) (*http.Response, error) { return nil, errors.New("Post https://x/?Signature=Real") },
	}
	for _, a := range answers {
		_ = open(t, rpc.Config{Transport: a, Logger: logger}).Do(t.Context(), reading, nil) // the log is what counts
	}
	expectNoSecret(t, out.String())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		"call=QueryProduct request=0A1B-2C",
		`call=QueryProduct request=R-1 kind="not found"`,
		`call=QueryProduct request="" kind=transient`,
	}
	if len(lines) != len(want) {
		t.Fatalf("%d records, want %d:\n%s", len(lines), len(want), &out)
	}
	for i, line := range lines {
		if !strings.Contains(line, "level=DEBUG") || !strings.Contains(dropTook(line), want[i]) {
			t.Errorf("got %s, want %s", line, want[i])
		}
	}
}

// dropTook leaves out how long a call took.
func dropTook(line string) string {
	before, after, _ := strings.Cut(line, " took=")
	_, after, _ = strings.Cut(after, " ")
	return before + " " + after
}
