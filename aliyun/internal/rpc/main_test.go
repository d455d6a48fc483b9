package rpc_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	region    = "cn-shanghai"
	keyID     = "LTAI4TestKey0001"
	keySecret = "Not-A/Real+Secret=0001"
	token     = "CAIS/Not+A/Real=Token"
)

var credential = rpc.Credential{
	AccessKeyID: keyID, AccessKeySecret: iot.NewSecret(keySecret), SecurityToken: iot.NewSecret(token),
}

// open returns a caller that ends with the test. It signs with the temporary credential and takes plain HTTP unless
// the configuration says otherwise.
func open(t testing.TB, config rpc.Config) *rpc.Caller {
	t.Helper()
	if config.Endpoint == "" {
		config.Endpoint = "https://iot.example"
	}
	if config.Credentials == nil {
		config.Credentials = rpc.Static(credential)
	}
	config.Region, config.PlainText = region, true
	c, err := rpc.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A transport is a function as http.RoundTripper. It tells nothing about what it does.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering always gives the same answer.
func answering(status int, body string) transport {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	}
}

const fine = `{"RequestId":"0A1B-2C","Success":true,"Code":""}`

var (
	reading = rpc.Call{API: "QueryProduct", Query: rpc.Params{"ProductKey": "a1Meter0001"}}
	writing = rpc.Call{API: "BatchGrayMigrationDevice", Writes: true, Query: rpc.Params{"ProductKey": "a1Meter0001"}}
)

// expectError checks that err is a classified error of an API that shows no secret.
func expectError(t testing.TB, err error, api string, kind iot.Kind) *iot.Error {
	t.Helper()
	e, ok := errors.AsType[*iot.Error](err)
	if !ok {
		t.Fatalf("got %v, want %v", err, kind)
	}
	if e.Kind != kind || e.Op != api {
		t.Errorf("got %v of %q, want %v of %q: %v", e.Kind, e.Op, kind, api, err)
	}
	expectNoSecret(t, err.Error())
	return e
}

// expectNoSecret checks that a text holds neither a secret nor a part of one.
func expectNoSecret(t testing.TB, text string) {
	t.Helper()
	for _, secret := range []string{"Not-A", "Real", "CAIS", "Signature=", "Signature%3D"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q shows a secret: %q", text, secret)
		}
	}
}
