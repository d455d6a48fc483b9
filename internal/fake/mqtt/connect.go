package mqtt

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/iotferry/iotferry/iot"
)

// registrationTopic is where a registration is answered, without a subscription.
const registrationTopic = "/ext/register"

// connect decides about a CONNECT. What it returns is a CONNECT that the broker likes: of a client with a name of its
// own, without a past and without a will.
func (c *connection) connect(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if err := c.admit(&pk); err != nil {
		c.log.Warn("connection refused", slog.String("reason", err.Error()))
		if r, ok := errors.AsType[*refusal](err); ok {
			_ = cl.WritePacket(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connack}, ReasonCode: r.code})
		}
		return pk, packets.ErrRejectPacket
	}
	c.log = c.log.With(slog.String("device", c.device.String()))
	c.log.Debug("connected", slog.Bool("registration", c.session == nil))
	c.client = cl
	c.outbox.write = cl.WritePacket
	c.outbox.window, c.outbox.system = c.server.config.Limits.InFlight, c.server.config.SystemTopics
	pk.Connect.ClientIdentifier = c.server.name(c.device)
	pk.Connect.Clean, pk.Connect.WillFlag, pk.Connect.WillRetain = true, false, false
	return pk, nil
}

// admit attaches the device, or registers it. Its errors are a *refusal, or another for a packet that deserves no answer.
func (c *connection) admit(pk *packets.Packet) error {
	if err := c.checkPacket(pk); err != nil {
		return err
	}
	if err := c.server.door.admit(); err != nil {
		return err
	}
	l, err := parseLogin(pk.Connect.ClientIdentifier, string(pk.Connect.Username))
	if err != nil {
		return err
	}
	if err := c.checkMode(&l); err != nil {
		return err
	}
	c.device = l.device
	secret, known := c.server.cloud.DeviceSecret(l.device)
	if known {
		if err := c.server.door.admitDevice(l.device); err != nil {
			return err
		}
	}
	if l.registers() {
		return c.register(&l, pk.Connect.Password)
	}
	return c.attach(&l, secret, pk.Connect.Password)
}

// checkPacket looks at all that is not about who connects.
func (c *connection) checkPacket(pk *packets.Packet) error {
	limits := c.server.config.Limits
	keepAlive := time.Duration(pk.Connect.Keepalive) * time.Second
	code := pk.ConnectValidate()
	switch {
	case pk.ProtocolVersion != 3 && pk.ProtocolVersion != 4:
		return &refusal{code: refusedVersion, reason: "the protocol is neither MQTT 3.1.1 nor 3.1"}
	case len(pk.Connect.Username) == 0 || len(pk.Connect.Password) == 0:
		return badParameter("username or password is missing")
	case code != packets.CodeSuccess:
		return code
	case keepAlive < limits.KeepAliveMin || keepAlive > limits.KeepAliveMax:
		return badParameter("the keep-alive time is out of range")
	case pk.Connect.WillFlag && c.server.config.OnBreach != Ignore:
		return badParameter("there are no wills")
	}
	return nil
}

func (c *connection) checkMode(l *login) error {
	want := overTCP
	if c.domain.TLS {
		want = overTLS
	}
	if l.params["securemode"] != want {
		return badParameter("securemode does not fit the connection: it is 2 over TLS, else 3")
	}
	return nil
}

// attach checks the device's signature and makes its session.
func (c *connection) attach(l *login, secret iot.Secret, password []byte) error {
	if !l.signed(secret, password) {
		return badLogin("there is no such device, or the password is wrong")
	}
	session, err := c.server.cloud.Attach(l.device, c.domain.Instance, host(c.RemoteAddr()))
	if err != nil {
		return refusedBy(err, "the platform does not take the device")
	}
	c.session = session
	return nil
}

// register checks the product's signature and gets the device's secret.
func (c *connection) register(l *login, password []byte) error {
	secret, ok := c.server.cloud.ProductSecret(l.device.ProductKey)
	if !ok || !l.signed(secret, password) {
		return badLogin("there is no such product with a secret, or the password is wrong")
	}
	var err error
	c.secret, err = c.server.cloud.DynamicRegister(l.device)
	if err != nil {
		return refusedBy(err, "the platform does not register the device")
	}
	return nil
}

// answerRegistration tells the client the device's secret. It is expected to go then.
func (c *connection) answerRegistration() {
	answer, err := json.Marshal(registration{c.device, c.secret.Reveal()})
	if err != nil {
		c.client.Stop(err)
		return
	}
	_ = c.client.WritePacket(packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Publish}, TopicName: registrationTopic, Payload: answer,
	})
	c.closing = time.AfterFunc(c.server.config.Limits.RegisteredFor, func() { c.client.Stop(errRegistered) })
}

var errRegistered = errors.New("the client did not disconnect after its registration")

type registration struct {
	iot.DeviceID
	DeviceSecret string `json:"deviceSecret"`
}

// host returns the IP address of an address, or all of it if it has no port.
func host(a net.Addr) string {
	h, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return h
}
