package mqtt_test

import (
	"errors"
	"testing"
	"time"

	"github.com/iotferry/iotferry/internal/fake/mqtt"
	"github.com/iotferry/iotferry/iot"
)

func TestConfigErrors(t *testing.T) {
	b := newBench(t, mqtt.Config{}, nil)
	for name, change := range map[string]func(*mqtt.Limits){
		"nothing is documented":     func(l *mqtt.Limits) { *l = mqtt.Limits{} },
		"keep-alive upside down":    func(l *mqtt.Limits) { l.KeepAliveMax = l.KeepAliveMin - 1 },
		"keep-alive negative":       func(l *mqtt.Limits) { l.KeepAliveMin = -1 },
		"keep-alive out of reach":   func(l *mqtt.Limits) { l.KeepAliveMax = 13 * time.Hour },
		"no time to connect":        func(l *mqtt.Limits) { l.ConnectWithin = 0 },
		"no time after registering": func(l *mqtt.Limits) { l.RegisteredFor = 0 },
		"no topics":                 func(l *mqtt.Limits) { l.TopicBytes = 0 },
		"no slashes":                func(l *mqtt.Limits) { l.TopicSlashes = 0 },
		"no messages":               func(l *mqtt.Limits) { l.MessageBytes = 0 },
		"no subscriptions":          func(l *mqtt.Limits) { l.Subscriptions = 0 },
		"no filters":                func(l *mqtt.Limits) { l.SubscribeFilters = 0 },
		"nothing in flight":         func(l *mqtt.Limits) { l.InFlight = 0 },
		"more than identifiers":     func(l *mqtt.Limits) { l.InFlight = 1 << 16 },
		"a negative rate":           func(l *mqtt.Limits) { l.UplinkQoS1 = -1 },
	} {
		limits := mqtt.DocumentedLimits()
		change(limits)
		if _, err := mqtt.New(b.Cloud, mqtt.Config{Limits: limits}); !errors.Is(err, iot.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := mqtt.New(nil, mqtt.Config{}); !errors.Is(err, iot.Invalid) {
		t.Errorf("no platform: %v", err)
	}
}
