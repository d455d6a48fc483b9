package aliyun_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

func goodConfig() aliyun.Config {
	return aliyun.Config{
		Region: testRegion, Account: testAccount, Target: testTarget,
		Credentials: aliyun.Static(testKeyID, iot.NewSecret(testSecret)),
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := map[string]struct {
		change func(*aliyun.Config)
		field  string // what the error names; empty: it is fine
	}{
		"good":                {func(*aliyun.Config) {}, ""},
		"no account":          {func(c *aliyun.Config) { c.Account = "" }, "Config.Account"},
		"a name as account":   {func(c *aliyun.Config) { c.Account = "me@example.com" }, "Config.Account"},
		"no target":           {func(c *aliyun.Config) { c.Target = "" }, "Config.Target"},
		"target leads away":   {func(c *aliyun.Config) { c.Target = "evil.example/" }, "Config.Target"},
		"no region":           {func(c *aliyun.Config) { c.Region = "" }, "Config.Region"},
		"region leads away":   {func(c *aliyun.Config) { c.Region = "evil.example#" }, "Config.Region"},
		"negative time-out":   {func(c *aliyun.Config) { c.Timeout = -time.Second }, "Config.Timeout"},
		"plain HTTP":          {func(c *aliyun.Config) { c.Endpoints.OpenAPI = "http://127.0.0.1:1" }, "Config.Endpoints.OpenAPI"},
		"plain distribution":  {func(c *aliyun.Config) { c.Endpoints.Distribution = "http://127.0.0.1:1" }, "Config.Endpoints.Distribution"},
		"plain AMQP":          {func(c *aliyun.Config) { c.Endpoints.SourceAMQP = "amqp://127.0.0.1:1" }, "Config.Endpoints.SourceAMQP"},
		"plain MQTT":          {func(c *aliyun.Config) { c.Endpoints.SourceMQTT = "tcp://127.0.0.1:1" }, "Config.Endpoints.SourceMQTT"},
		"no scheme":           {func(c *aliyun.Config) { c.Endpoints.TargetAMQP = "127.0.0.1:5671" }, "Config.Endpoints.TargetAMQP"},
		"wrong scheme":        {func(c *aliyun.Config) { c.Endpoints.SourceMQTT = "https://127.0.0.1" }, "Config.Endpoints.SourceMQTT"},
		"no host":             {func(c *aliyun.Config) { c.Endpoints.OpenAPI = "https://:443" }, "Config.Endpoints.OpenAPI"},
		"a path":              {func(c *aliyun.Config) { c.Endpoints.OpenAPI = "https://host/path" }, "Config.Endpoints.OpenAPI"},
		"a query":             {func(c *aliyun.Config) { c.Endpoints.OpenAPI = "https://host?x=1" }, "Config.Endpoints.OpenAPI"},
		"a password":          {func(c *aliyun.Config) { c.Endpoints.OpenAPI = "https://me:" + testSecret + "@host" }, "Config.Endpoints.OpenAPI"},
		"no URL":              {func(c *aliyun.Config) { c.Endpoints.OpenAPI = "https://me:" + testSecret + "@ho st\x00" }, "Config.Endpoints.OpenAPI"},
		"plain text, allowed": {func(c *aliyun.Config) { c.PlainText, c.Endpoints.OpenAPI = true, "http://127.0.0.1:1/" }, ""},
		"no region needed": {func(c *aliyun.Config) {
			c.Endpoints, c.Region = aliyun.DefaultEndpoints("cn-shanghai", testAccount, testTarget), ""
		}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := goodConfig()
			test.change(&config)
			client, err := aliyun.Open(config)
			if test.field == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := client.Platform().Check(); err != nil {
					t.Error(err)
				}
				if err := client.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			expectKind(t, "Open", err, iot.Invalid)
			if !strings.Contains(err.Error(), test.field) || strings.Contains(err.Error(), testSecret) {
				t.Errorf("the error is %q, want one that names %s and no secret", err, test.field)
			}
		})
	}
}

func TestDefaultEndpoints(t *testing.T) {
	want := aliyun.Endpoints{
		OpenAPI:      "https://iot.ap-northeast-1.aliyuncs.com",
		Distribution: "https://iot.cn-shanghai.aliyuncs.com",
		SourceAMQP:   "amqps://109.iot-amqp.ap-northeast-1.aliyuncs.com:5671",
		TargetAMQP:   "amqps://iot-1.amqp.iothub.aliyuncs.com:5671",
		SourceMQTT:   "tls://{productKey}.iot-as-mqtt.ap-northeast-1.aliyuncs.com:1883",
	}
	if diff := cmp.Diff(want, aliyun.DefaultEndpoints("ap-northeast-1", "109", "iot-1")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// hosts answers everything with nothing there, and remembers the hosts that were called.
func hosts(t *testing.T, config aliyun.Config) []string {
	t.Helper()
	var called []string
	s := says(map[string]any{"Data": map[string]any{"Total": 0}})
	config.Transport, config.Pacer = roundTrip(func(r *request) (*response, error) {
		called = append(called, r.URL.Scheme+"://"+r.URL.Host)
		return s.RoundTrip(r)
	}), noPace{}
	p := openClient(t, config).Platform()
	if _, err := p.Source.Product(t.Context(), "a1Meter0001"); err != nil {
		t.Error(err)
	}
	for _, err := range p.Target.Distributed(t.Context(), "a1Meter0001") {
		t.Error(err)
	}
	return called
}

func TestWhereCallsGo(t *testing.T) {
	tokyo, own := goodConfig(), goodConfig()
	tokyo.Region = "ap-northeast-1"
	own.Endpoints.OpenAPI = "https://gateway.example:8443/"
	given := goodConfig()
	given.Region, given.Endpoints = "", aliyun.DefaultEndpoints("eu-central-1", testAccount, testTarget)
	split := own
	split.Endpoints.Distribution = "https://elsewhere.example"
	for _, test := range []struct {
		config aliyun.Config
		want   []string
	}{
		{tokyo, []string{"https://iot.ap-northeast-1.aliyuncs.com", "https://iot.cn-shanghai.aliyuncs.com"}},
		{own, []string{"https://gateway.example:8443", "https://gateway.example:8443"}}, // nothing goes to another server
		{given, []string{"https://iot.eu-central-1.aliyuncs.com", "https://iot.cn-shanghai.aliyuncs.com"}},
		{split, []string{"https://gateway.example:8443", "https://elsewhere.example"}},
	} {
		if diff := cmp.Diff(test.want, hosts(t, test.config)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", test.config, diff)
		}
	}
}

// The public instance has an ID in device distribution, one per region.
func TestPublicInstanceInDistribution(t *testing.T) {
	for _, test := range []struct{ region, given, want string }{
		{"cn-shanghai", "", "iotx-oxssharez200"}, {"ap-northeast-1", "", "iotx-oxssharez300"},
		{"ap-southeast-1", "", "iotx-oxssharez400"}, {"us-west-1", "", "iotx-oxssharez500"},
		{"us-east-1", "", "iotx-oxssharez600"}, {"eu-central-1", "", "iotx-oxssharez700"},
		{"cn-beijing", "", ""}, {"cn-beijing", "iotx-mine", "iotx-mine"},
	} {
		s := says(map[string]any{"Data": map[string]any{"Total": 0}})
		p := s.client(t, func(c *aliyun.Config) { c.Region, c.PublicInstance = test.region, test.given }).Platform()
		got := all(p.Source.Distributed(t.Context(), "a1Meter0001"))
		if test.want == "" {
			if got.Error != "invalid " {
				t.Errorf("%s: got %+v, want an invalid error", test.region, got)
			}
			continue
		}
		if id := s.last(t).Get("TargetInstanceId"); got.Error != "" || id != test.want {
			t.Errorf("%s: asked for %q (%s), want %q", test.region, id, got.Error, test.want)
		}
	}
}

func TestConfigShowsNoSecret(t *testing.T) {
	config := goodConfig()
	config.Credentials = aliyun.STS(testKeyID, iot.NewSecret(testSecret), iot.NewSecret("token-"+testSecret))
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("text", "config", config, "pointer", &config, "credentials", config.Credentials)
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "config", config, "pointer", &config, "credentials", config.Credentials)
	client := openClient(t, config)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+verb+verb+verb+"\n", config, &config, config.Credentials, client)
	}
	for _, leak := range []string{testSecret, fmt.Sprintf("%x", testSecret), testKeyID} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is shown in:\n%s", leak, out.String())
		}
	}
	if !strings.Contains(out.String(), testTarget) {
		t.Errorf("nothing is shown at all:\n%s", out.String())
	}
}

// What a call sends beside its own parameters.
func TestInstanceIDs(t *testing.T) {
	s := says(nil)
	p := s.client(t).Platform()
	for _, test := range []struct {
		call func() error
		want string
	}{
		{func() error { _, err := p.Source.Product(t.Context(), "a1Meter0001"); return err }, ""},
		{func() error { _, err := p.Target.Product(t.Context(), "a1Meter0001"); return err }, testTarget},
		{func() error { _, err := p.Mover.Move(t.Context(), "a1Meter0001", []string{"m-01"}); return err }, ""},
	} {
		if err := test.call(); err != nil {
			t.Error(err)
		}
		sent := s.last(t)
		if got, there := sent["IotInstanceId"]; sent.Get("IotInstanceId") != test.want || there != (test.want != "") {
			t.Errorf("%s: IotInstanceId %v, want %q", sent.Get("Action"), got, test.want)
		}
	}
}

func TestCloseTwice(t *testing.T) {
	client, err := aliyun.Open(goodConfig())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
	if client.Account() != testAccount {
		t.Errorf("account %q", client.Account())
	}
}
