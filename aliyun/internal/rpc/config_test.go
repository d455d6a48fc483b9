package rpc_test

import (
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

func TestConfigurationsThatCannotWork(t *testing.T) {
	good := func() rpc.Config {
		return rpc.Config{Endpoint: "https://iot.cn-shanghai.aliyuncs.com", Region: region, Credentials: rpc.Static(credential)}
	}
	tests := map[string]struct {
		change func(*rpc.Config)
		want   string // in the error; empty if it works
	}{
		"the real one":        {func(*rpc.Config) {}, ""},
		"with a slash":        {func(c *rpc.Config) { c.Endpoint += "/" }, ""},
		"with a port":         {func(c *rpc.Config) { c.Endpoint += ":8443" }, ""},
		"no endpoint":         {func(c *rpc.Config) { c.Endpoint = "" }, "Config.Endpoint"},
		"no scheme":           {func(c *rpc.Config) { c.Endpoint = "iot.cn-shanghai.aliyuncs.com" }, "Config.Endpoint"},
		"another scheme":      {func(c *rpc.Config) { c.Endpoint = "ftp://iot" }, "https://"},
		"another one, plain":  {func(c *rpc.Config) { c.Endpoint, c.PlainText = "ws://iot", true }, "https://"},
		"a path":              {func(c *rpc.Config) { c.Endpoint += "/v1" }, "Config.Endpoint"},
		"a query":             {func(c *rpc.Config) { c.Endpoint += "?x=1" }, "Config.Endpoint"},
		"a password":          {func(c *rpc.Config) { c.Endpoint = "https://me:Real@iot" }, "Config.Endpoint"},
		"not a URL":           {func(c *rpc.Config) { c.Endpoint = "https://me:Real@ %" }, "Config.Endpoint"},
		"not encrypted":       {func(c *rpc.Config) { c.Endpoint = "http://iot" }, "not encrypted"},
		"plain as it is told": {func(c *rpc.Config) { c.Endpoint, c.PlainText = "http://iot", true }, ""},
		"no credentials":      {func(c *rpc.Config) { c.Credentials = nil }, "Config.Credentials"},
		"negative time-out":   {func(c *rpc.Config) { c.Timeout = -1 }, "Config.Timeout"},
		"roots without use":   {func(c *rpc.Config) { c.Transport, c.RootCAs = &http.Transport{}, x509.NewCertPool() }, "Config.RootCAs"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := good()
			test.change(&config)
			_, err := rpc.New(config)
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want invalid with %q", err, test.want)
			}
			expectNoSecret(t, err.Error())
		})
	}
}

func TestANegativeTimeoutOfACallIsInvalid(t *testing.T) {
	c := open(t, rpc.Config{Transport: answering(200, fine)})
	call := reading
	call.Timeout = -1
	expectError(t, c.Do(t.Context(), call, nil), call.API, iot.Invalid)
}
