package aliyun_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

func TestCanaryConfigThatCannotWork(t *testing.T) {
	keep := func(context.Context, iot.Credential) error { return nil }
	many := make([]aliyun.CanarySubDevice, 50)
	for i := range many {
		id := iot.DeviceID{ProductKey: bulbA.ID.ProductKey, DeviceName: fmt.Sprintf("bulb-%04d", i)}
		many[i].Credential = iot.Credential{ID: id, Secret: bulbA.Secret}
	}
	tests := map[string]struct {
		change func(*aliyun.CanaryConfig)
		want   string
	}{
		"no device":       {func(c *aliyun.CanaryConfig) { c.Credential.ID.DeviceName = "" }, "CanaryConfig.Credential"},
		"no secret":       {func(c *aliyun.CanaryConfig) { c.Credential.Secret = iot.Secret{} }, "set it, or ProductSecret"},
		"nobody keeps it": {func(c *aliyun.CanaryConfig) { c.Credential.Secret, c.ProductSecret = iot.Secret{}, productSecret }, "set CanaryConfig.Registered"},
		"neither region":  {func(c *aliyun.CanaryConfig) { c.Region = "" }, "set CanaryConfig.Region"},
		"another host":    {func(c *aliyun.CanaryConfig) { c.Region = "evil.example.com/" }, "set CanaryConfig.Region"},
		"no URL":          {func(c *aliyun.CanaryConfig) { c.Broker = "tls://user:pass-9191@host:1" }, "CanaryConfig.Broker"},
		"no protection":   {func(c *aliyun.CanaryConfig) { c.Broker = "tcp://127.0.0.1:1883" }, "PlainText"},
		"no MQTT":         {func(c *aliyun.CanaryConfig) { c.Broker = "https://127.0.0.1" }, "tls is wanted"},
		"registers in the clear": {func(c *aliyun.CanaryConfig) {
			c.Credential.Secret, c.ProductSecret, c.Registered, c.Broker, c.PlainText = iot.Secret{}, productSecret, keep, "tcp://127.0.0.1", true
		}, "over TLS only"},
		"sign method":         {func(c *aliyun.CanaryConfig) { c.Sign = "hmacsha512" }, "CanaryConfig.Sign"},
		"keep-alive too low":  {func(c *aliyun.CanaryConfig) { c.KeepAlive = 29 * time.Second }, "CanaryConfig.KeepAlive"},
		"keep-alive too high": {func(c *aliyun.CanaryConfig) { c.KeepAlive = 1201 * time.Second }, "CanaryConfig.KeepAlive"},
		"negative interval":   {func(c *aliyun.CanaryConfig) { c.ReportEvery = -1 }, "CanaryConfig.ReportEvery"},
		"a bad sub-device":    {func(c *aliyun.CanaryConfig) { c.SubDevices = []aliyun.CanarySubDevice{{}} }, "SubDevices[0]"},
		"its own sub-device":  {func(c *aliyun.CanaryConfig) { c.SubDevices = []aliyun.CanarySubDevice{{Credential: lamp}} }, "is there twice"},
		"a sub-device without a secret": {func(c *aliyun.CanaryConfig) {
			c.SubDevices = []aliyun.CanarySubDevice{{Credential: iot.Credential{ID: bulbA.ID}}}
		}, "has no secret"},
		"too many subscriptions": {func(c *aliyun.CanaryConfig) { c.SubDevices = many }, "100 are allowed"},
		"a report without the nonce": {func(c *aliyun.CanaryConfig) {
			c.Behaviour.Report = func(string) (string, []byte) { return "thing/event/property/post", []byte(`{"id":"1"}`) }
		}, "its id is not the nonce"},
		"properties that are no JSON": {func(c *aliyun.CanaryConfig) {
			c.Behaviour.Report = aliyun.PropertyReport(func(string) json.RawMessage { return json.RawMessage("{") })
		}, "is no JSON"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config := aliyun.CanaryConfig{Credential: lamp, Region: testRegion}
			test.change(&config)
			_, err := aliyun.NewCanary(config)
			if !errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error about %q", err, test.want)
			}
			expectNoSecrets(t, err.Error())
			if strings.Contains(err.Error(), "9191") {
				t.Errorf("a password is shown: %v", err)
			}
		})
	}
}

// A canary keeps to the public domain, as devices in the field do.
func TestCanaryConnectsToThePublicDomain(t *testing.T) {
	for url, want := range map[string]string{
		"":                               "a1Lamp00001.iot-as-mqtt.cn-shanghai.aliyuncs.com:1883",
		"tls://{productKey}.example.com": "a1Lamp00001.example.com:1883",
		"tls://example.com:443":          "example.com:443",
	} {
		dialled := make(chan string, 1)
		ctx, stop := context.WithCancel(t.Context())
		c, err := aliyun.NewCanary(aliyun.CanaryConfig{
			Credential: lamp, Region: testRegion, Broker: url, Dial: func(_ context.Context, network, address string) (net.Conn, error) {
				dialled <- network + " " + address
				stop()
				return nil, errors.New("not needed")
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
		if got := <-dialled; got != "tcp "+want {
			t.Errorf("%q: it dials %s", url, got)
		}
	}
}

func TestCanaryShowsNoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGatewayBroker()
		c := run(t, b.config)
		defer c.end(t)
		c.session(t, 0)
		log := new(journal)
		config := b.config(log)
		config.Logger.Info("made", "config", config, "canary", c.Canary)
		expectNoSecrets(t, log.String())
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			expectNoSecrets(t, fmt.Sprintf(verb, config), fmt.Sprintf(verb, &config), fmt.Sprintf(verb, c.Canary),
				fmt.Sprintf(verb, c.Sessions()), fmt.Sprintf(verb, config.SubDevices))
		}
	})
}
