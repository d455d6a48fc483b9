package mqtt_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/iotferry/iotferry/iot"
)

// A client is a device made of a client library that devices use.
type client struct {
	paho.Client
	testing.TB
	inbox     chan paho.Message // what comes
	connected chan struct{}     // one for each time that it connects
	lost      chan error        // one for each connection that is lost
}

// newClient returns one that has not connected yet. It shuts up at the end of the test.
func newClient(b *bench, broker string, c card, change func(*paho.ClientOptions)) *client {
	b.Helper()
	x := &client{TB: b, inbox: make(chan paho.Message, 100), connected: make(chan struct{}, 100), lost: make(chan error, 100)}
	o := paho.NewClientOptions().AddBroker(broker).SetProtocolVersion(4).SetKeepAlive(60 * time.Second).
		SetClientID(c.clientID()).SetUsername(c.username()).SetPassword(c.password()).
		SetTLSConfig(&tls.Config{RootCAs: b.roots}).SetConnectTimeout(patience).SetAutoReconnect(false).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { x.inbox <- m }).
		SetOnConnectHandler(func(paho.Client) { x.connected <- struct{}{} }).
		SetConnectionLostHandler(func(_ paho.Client, err error) { x.lost <- err })
	if change != nil {
		change(o)
	}
	x.Client = paho.NewClient(o)
	b.Cleanup(func() { x.Disconnect(0) })
	return x
}

// connect returns a client that has connected.
func connect(b *bench, broker string, c card, change func(*paho.ClientOptions)) *client {
	b.Helper()
	x := newClient(b, broker, c, change)
	x.wait(x.Connect())
	return x
}

func (x *client) wait(token paho.Token) {
	x.Helper()
	if !token.WaitTimeout(patience) {
		x.Fatal("no answer from the server")
	}
	if err := token.Error(); err != nil {
		x.Fatal(err)
	}
}

func (x *client) listen(filter string) {
	x.Helper()
	x.wait(x.Subscribe(filter, 1, nil))
}

func (x *client) say(topic string, qos byte, payload any) {
	x.Helper()
	if _, ok := payload.(string); !ok {
		payload = string(must(json.Marshal(payload)))
	}
	x.wait(x.Publish(topic, qos, false, payload))
}

// hear returns the next message.
func (x *client) hear() paho.Message {
	x.Helper()
	return within(x, x.inbox, "a message")
}

// ask publishes a request of the Alink protocol and returns the answer's code and data.
func (x *client) ask(topic string, params any) (code int, data string) {
	x.Helper()
	x.say(topic, 0, map[string]any{"id": "17", "version": "1.0", "params": params})
	m := x.hear()
	var a struct {
		ID   string          `json:"id"`
		Code int             `json:"code"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(m.Payload(), &a); err != nil || m.Topic() != topic+"_reply" || a.ID != "17" {
		x.Fatalf("%s is answered on %s by %s", topic, m.Topic(), m.Payload())
	}
	return a.Code, string(a.Data)
}

// within waits for what has to come.
func within[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case x := <-c:
		return x
	case <-time.After(patience):
		t.Fatalf("%s does not come", what)
		panic("unreachable")
	}
}

// subDevice is what a gateway gives of a sub-device to log it in.
func subDevice(d iot.DeviceID) map[string]string {
	mac := hmac.New(sha256.New, []byte(secretOf(d)))
	fmt.Fprintf(mac, "clientIdsubdeviceName%sproductKey%stimestamp1", d.DeviceName, d.ProductKey)
	return map[string]string{
		"productKey": d.ProductKey, "deviceName": d.DeviceName, "clientId": "sub", "timestamp": "1",
		"signMethod": "hmacsha256", "cleanSession": "true", "sign": hex.EncodeToString(mac.Sum(nil)),
	}
}
