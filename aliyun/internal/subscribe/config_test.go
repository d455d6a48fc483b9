package subscribe_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/aliyun/internal/subscribe"
	"github.com/iotferry/iotferry/iot"
)

func TestConfigThatCannotWork(t *testing.T) {
	good := subscribe.Config{
		Endpoint:    "amqps://broker:5671",
		Credentials: func(context.Context) (subscribe.Credential, error) { return subscribe.Credential{}, nil },
	}
	if _, err := subscribe.New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*subscribe.Config){
		"no endpoint":       func(c *subscribe.Config) { c.Endpoint = "" },
		"no host":           func(c *subscribe.Config) { c.Endpoint = "amqps://:5671" },
		"no URL":            func(c *subscribe.Config) { c.Endpoint = "amqps://%zz" },
		"another protocol":  func(c *subscribe.Config) { c.Endpoint = "https://broker" },
		"not protected":     func(c *subscribe.Config) { c.Endpoint = "amqp://broker" },
		"no credentials":    func(c *subscribe.Config) { c.Credentials = nil },
		"long client ID":    func(c *subscribe.Config) { c.ClientID = strings.Repeat("x", 65) },
		"hostile client ID": func(c *subscribe.Config) { c.ClientID = "me|authMode=none" },
		"hostile instance":  func(c *subscribe.Config) { c.Instance = "iot-1,authId=x" },
		"short idle":        func(c *subscribe.Config) { c.Idle = 29 * time.Second },
		"long idle":         func(c *subscribe.Config) { c.Idle = 301 * time.Second },
		"negative credit":   func(c *subscribe.Config) { c.Credit = -1 },
		"negative wait":     func(c *subscribe.Config) { c.Wait = -1 },
		"negative remember": func(c *subscribe.Config) { c.Remember = -1 },
	} {
		c := good
		change(&c)
		if _, err := subscribe.New(c); iot.KindOf(err) != iot.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
