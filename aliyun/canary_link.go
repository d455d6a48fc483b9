package aliyun

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/iotferry/iotferry/iot"
)

const (
	pingTimeout   = 10 * time.Second
	answerTimeout = 10 * time.Second // for whatever the platform has to acknowledge or answer
	refusedFilter = 0x80             // in a SUBACK
)

// A canaryLink is one MQTT connection. Each has a client of its own that does not reconnect: when to connect again, and
// what counts as connected, is the canary's business.
type canaryLink struct {
	conn   *canaryConn
	client mqtt.Client
	inbox  chan mqtt.Message
	lost   chan struct{} // closed when the client's goroutines have ended

	mu    sync.Mutex
	over  bool           // no more calls
	calls sync.WaitGroup // of the client that may block
}

// connect opens a connection and signs in.
func (c *Canary) connect(ctx context.Context, login canaryLogin) (*canaryLink, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	l := &canaryLink{conn: conn, inbox: make(chan mqtt.Message), lost: make(chan struct{})}
	l.client = mqtt.NewClient(c.options(l, login))
	token := l.client.Connect()
	select {
	case <-token.Done():
	case <-ctx.Done():
		conn.hangUp()
		<-token.Done()
	}
	if err := token.Error(); err != nil {
		return nil, c.refusal(login.step, err)
	}
	return l, nil
}

func (c *Canary) options(l *canaryLink, login canaryLogin) *mqtt.ClientOptions {
	return mqtt.NewClientOptions().AddBroker(c.config.Broker).
		SetClientID(login.clientID).SetUsername(login.username).SetPassword(login.password.Reveal()).
		SetProtocolVersion(4).SetCleanSession(true).SetAutoReconnect(false).SetConnectRetry(false).
		SetKeepAlive(c.config.KeepAlive).SetPingTimeout(pingTimeout).
		SetConnectTimeout(answerTimeout).SetWriteTimeout(writeTimeout).
		SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (net.Conn, error) { return l.conn, nil }).
		SetDefaultPublishHandler(l.receive).
		SetConnectionLostHandler(func(mqtt.Client, error) { close(l.lost) })
}

// refusal explains why the platform did not let the device in.
func (c *Canary) refusal(step string, err error) error {
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		return c.failed(iot.Denied, step, err)
	case errors.Is(err, packets.ErrorRefusedIDRejected), errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		return c.failed(iot.Invalid, step, err)
	}
	return c.failed(iot.Transient, step, err)
}

// receive hands a message over. It waits until the canary takes it, which slows the platform down.
func (l *canaryLink) receive(_ mqtt.Client, m mqtt.Message) {
	select {
	case l.inbox <- m:
	case <-l.conn.dying:
	}
}

// do lets the client do what it acknowledges by a token, and waits for that. The client itself knows no context and may
// block for as long as writeTimeout.
func (l *canaryLink) do(ctx context.Context, call func() mqtt.Token) error {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return l.gone()
	}
	done := make(chan error, 1)
	l.calls.Go(func() {
		token := call()
		<-token.Done()
		done <- token.Error()
	})
	l.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, errNoAnswer)
	defer cancel()
	select {
	case err := <-done:
		if err != nil {
			return l.gone()
		}
		return nil
	case <-l.conn.dying:
		return l.gone()
	case <-ctx.Done():
		return late(ctx)
	}
}

// gone is what becomes of everything that is under way when the connection is lost.
func (l *canaryLink) gone() error {
	select {
	case <-l.conn.dying:
		return &iot.Error{Kind: iot.NotConnected, Message: "the connection is lost", Err: l.conn.why}
	default:
		return &iot.Error{Kind: iot.NotConnected, Message: "the connection takes nothing"}
	}
}

// publish returns when the platform has acknowledged the message; with QoS 0, when it was sent.
func (l *canaryLink) publish(ctx context.Context, topic string, qos byte, payload []byte) error {
	return l.do(ctx, func() mqtt.Token { return l.client.Publish(topic, qos, false, payload) })
}

// subscribe subscribes to all filters, and needs all of them.
func (l *canaryLink) subscribe(ctx context.Context, filters []string) error {
	for _, filter := range filters {
		refused := false
		err := l.do(ctx, func() mqtt.Token {
			token := l.client.Subscribe(filter, 1, nil)
			<-token.Done()
			t, ok := token.(*mqtt.SubscribeToken)
			refused = ok && t.Result()[filter] == refusedFilter
			return token
		})
		if err != nil {
			return fmt.Errorf("subscribe to %s: %w", filter, err)
		}
		if refused {
			return &iot.Error{Kind: iot.Denied, Message: "the platform refuses the subscription to " + filter + ": leave out what the product does not have"}
		}
	}
	return nil
}

// close ends the connection, if it has not ended by itself, and waits until all of its goroutines have.
func (l *canaryLink) close() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.conn.hangUp()
	<-l.lost
	l.calls.Wait()
}
