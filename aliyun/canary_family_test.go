package aliyun_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/iot"
)

// A gatewayBroker answers logins of sub-devices by a code for each, and topo/get by a list.
type gatewayBroker struct {
	broker
	mu     sync.Mutex
	codes  map[string]int // by device name; 200 for all others
	shown  []iot.DeviceID
	logins map[string][]time.Time
	params map[string]map[string]string // of the newest login
}

func newGatewayBroker() *gatewayBroker {
	b := &gatewayBroker{codes: map[string]int{}, shown: []iot.DeviceID{bulbA.ID, bulbB.ID}, logins: map[string][]time.Time{}, params: map[string]map[string]string{}}
	b.published = b.take
	return b
}

func (b *gatewayBroker) take(p *peer, m *packets.PublishPacket) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case strings.HasSuffix(m.TopicName, "/combine/login"):
		var login struct {
			Params map[string]string `json:"params"`
		}
		_ = json.Unmarshal(m.Payload, &login)
		name := login.Params["deviceName"]
		b.logins[name] = append(b.logins[name], time.Now())
		b.params[name] = login.Params
		code, ok := b.codes[name]
		if !ok {
			code = 200
		}
		p.reply(m, code, "{}")
	case strings.HasSuffix(m.TopicName, "/thing/topo/get"):
		list, _ := json.Marshal(b.shown)
		p.reply(m, 200, string(list))
	}
}

func (b *gatewayBroker) set(name string, code int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.codes[name] = code
}

func (b *gatewayBroker) count(name string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.logins[name])
}

func (b *gatewayBroker) config(log io.Writer) aliyun.CanaryConfig {
	config := b.broker.config(log)
	config.SubDevices = []aliyun.CanarySubDevice{{Credential: bulbA}, {Credential: bulbB}}
	return config
}

func kinds(t *testing.T, c *running) map[string]iot.Kind {
	t.Helper()
	all, err := c.SubDevices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]iot.Kind{}
	for id, err := range all {
		got[id.DeviceName] = iot.KindOf(err)
		if err == nil {
			got[id.DeviceName] = good
		}
	}
	return got
}

const good iot.Kind = -1

// settle gives the canary the time to log its sub-devices in.
func settle() {
	time.Sleep(900 * time.Millisecond)
	synctest.Wait()
}

func TestCanaryLogsInSubDevices(t *testing.T) {
	codes := map[int]iot.Kind{
		460: iot.Invalid, 429: iot.Throttled, 428: iot.Conflict, 6401: iot.NotFound, 6100: iot.NotFound,
		521: iot.NotFound, 522: iot.Conflict, 6287: iot.Denied, 520: iot.NotConnected, 77: iot.Unclassified,
	}
	for code, want := range codes {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newGatewayBroker()
				b.set("bulb-0002", code)
				c := run(t, b.config)
				defer c.end(t)
				c.session(t, 0)
				settle()
				if diff := cmp.Diff(map[string]iot.Kind{"bulb-0001": good, "bulb-0002": want}, kinds(t, c)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				time.Sleep(10 * time.Minute)
				if n := b.count("bulb-0002"); n < 4 || n > 15 || b.count("bulb-0001") != 1 {
					t.Errorf("%d logins of the one that is refused, %d of the other", n, b.count("bulb-0001"))
				}
				b.set("bulb-0002", 200)
				time.Sleep(5 * time.Minute)
				if got := kinds(t, c); got["bulb-0002"] != good {
					t.Errorf("afterwards: %v", got)
				}
			})
		})
	}
}

func TestCanaryComparesTheTopology(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGatewayBroker()
		b.shown = []iot.DeviceID{bulbA.ID, {ProductKey: "a1Bulb00001", DeviceName: "bulb-0003"}}
		c := run(t, b.config)
		defer c.end(t)
		c.session(t, 0)
		settle()
		want := map[string]iot.Kind{"bulb-0001": good, "bulb-0002": iot.NotFound, "bulb-0003": iot.NotConnected}
		if diff := cmp.Diff(want, kinds(t, c)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A sub-device whose session ends is logged in again; one that another gateway took over is left alone for a while.
func TestCanarySubDeviceIsCutOff(t *testing.T) {
	for code, within := range map[int][2]time.Duration{520: {0, 2 * time.Second}, 521: {0, 2 * time.Second}, 427: {4 * time.Minute, 6 * time.Minute}} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newGatewayBroker()
				c := run(t, b.config)
				defer c.end(t)
				c.session(t, 0)
				settle()
				b.last().publish("/ext/error/a1Lamp00001/lamp-0001", fmt.Sprintf(
					`{"id":"1","code":%d,"message":"m","data":{"productKey":"a1Bulb00001","deviceName":"bulb-0001"}}`, code))
				synctest.Wait()
				if got := kinds(t, c); got["bulb-0001"] == good || got["bulb-0002"] != good {
					t.Errorf("after the notice: %v", got)
				}
				begun := time.Now()
				for b.count("bulb-0001") < 2 && time.Since(begun) < time.Hour {
					time.Sleep(time.Second)
				}
				if took := time.Since(begun); took < within[0] || took > within[1] {
					t.Errorf("logged in again after %v", took)
				}
				synctest.Wait()
				if got := kinds(t, c); got["bulb-0001"] != good {
					t.Errorf("at last: %v", got)
				}
			})
		})
	}
}

// However often the platform ends a sub-device's session, the canary does not fight for it.
func TestCanaryDoesNotFightForSubDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const notice = `{"code":520,"data":{"productKey":"a1Bulb00001","deviceName":"bulb-0001"}}`
		var calm atomic.Bool
		b := newGatewayBroker()
		b.published = func(p *peer, m *packets.PublishPacket) {
			b.take(p, m)
			if strings.HasSuffix(m.TopicName, "/combine/login") && !calm.Load() {
				p.publish("/ext/error/a1Lamp00001/lamp-0001", notice)
			}
		}
		c := run(t, b.config)
		defer c.end(t)
		c.session(t, 0)
		time.Sleep(time.Hour)
		if n := b.count("bulb-0001"); n < 10 || n > 40 {
			t.Errorf("%d logins in an hour", n)
		}
		calm.Store(true)
		time.Sleep(time.Hour) // a good session makes up for bad ones
		n := b.count("bulb-0001")
		b.last().publish("/ext/error/a1Lamp00001/lamp-0001", notice)
		time.Sleep(2 * time.Second)
		if got := b.count("bulb-0001"); got != n+1 {
			t.Errorf("%d logins in the 2 seconds after a good session", got-n)
		}
	})
}

// A gateway that comes back logs all of its sub-devices in again, and nobody takes them for logged in meanwhile.
func TestCanarySubDevicesFollowTheirGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGatewayBroker()
		c := run(t, b.config)
		defer c.end(t)
		n := c.session(t, 0)
		settle()
		_ = b.last().Close()
		synctest.Wait()
		if _, err := c.SubDevices(t.Context()); !errors.Is(err, iot.NotConnected) {
			t.Errorf("without a connection: %v", err)
		}
		c.session(t, n)
		settle()
		if b.count("bulb-0001") != 2 || b.count("bulb-0002") != 2 {
			t.Errorf("%d and %d logins", b.count("bulb-0001"), b.count("bulb-0002"))
		}
	})
}

func TestCanarySubDevicesAnswerAndReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGatewayBroker()
		var heard []string
		b.published = func(p *peer, m *packets.PublishPacket) {
			b.take(p, m)
			if strings.Contains(m.TopicName, "/a1Bulb00001/") {
				b.mu.Lock()
				defer b.mu.Unlock()
				heard = append(heard, m.TopicName)
			}
		}
		c := run(t, func(log io.Writer) aliyun.CanaryConfig {
			config := b.config(log)
			config.ReportEvery = time.Minute
			return config
		})
		b.set("bulb-0002", 522) // it is not logged in, and must not report
		c.session(t, 0)
		settle()
		b.last().publish("/sys/a1Bulb00001/bulb-0001/rrpc/request/5", "ping")
		time.Sleep(time.Minute)
		c.end(t)
		want := []string{
			"/a1Bulb00001/bulb-0001/user/update", "/sys/a1Bulb00001/bulb-0001/rrpc/response/5", "/a1Bulb00001/bulb-0001/user/update",
		}
		if diff := cmp.Diff(want, heard); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// echo -n clientIda1Bulb00001.bulb-0001deviceNamebulb-0001productKeya1Bulb00001timestamp946684800000 |
// openssl dgst -sha256 -hmac bulbSecret-4410
func TestCanarySubLoginIsSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newGatewayBroker()
		c := run(t, b.config)
		c.session(t, 0)
		settle()
		c.end(t)
		want := map[string]string{
			"productKey": "a1Bulb00001", "deviceName": "bulb-0001", "clientId": "a1Bulb00001.bulb-0001", "timestamp": "946684800000",
			"signMethod": "hmacsha256", "cleanSession": "true", "sign": "a14bef9ceac3bef4dbb2b5c8019592f64f4e5b37dcc07873fd1ea36c927afb41",
		}
		if diff := cmp.Diff(want, b.params["bulb-0001"]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
