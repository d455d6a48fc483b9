package aliyun

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A SignMethod is how a device signs its login.
type SignMethod string

// The sign methods that the platform documents for MQTT.
const (
	SignMD5    SignMethod = "hmacmd5"
	SignSHA1   SignMethod = "hmacsha1"
	SignSHA256 SignMethod = "hmacsha256"
)

// The limits of an MQTT connection that the platform documents.
const (
	minKeepAlive     = 30 * time.Second
	maxKeepAlive     = 1200 * time.Second
	maxSubscriptions = 100 // of one connection
)

const defaultKeepAlive = time.Minute

// A CanaryConfig says which device a [Canary] is. Credential is needed, and Region or Broker.
type CanaryConfig struct {
	// Credential is the device's certificate. An empty secret means that the device registers itself with
	// ProductSecret.
	Credential iot.Credential
	// ProductSecret is the product's certificate, for a product with pre-registered devices. It is used only if the secret of
	// Credential is empty.
	ProductSecret iot.Secret
	// Registered gets the certificate that the platform gave out for ProductSecret, before the device connects with
	// it. Keep it: once the device has connected, the platform gives out no other. An error ends Run. It is required
	// where the device registers itself.
	Registered func(context.Context, iot.Credential) error
	// Behaviour is what the device does besides being connected.
	Behaviour CanaryBehaviour
	// SubDevices are logged in by the device, which is their gateway then.
	SubDevices []CanarySubDevice

	// Region is the platform's ID of the product's region, such as cn-shanghai. It is not used if Broker is given.
	Region string
	// Broker is the URL to connect to, tls://host:port; {productKey} stands for the product's key. Empty is the product's
	// domain at the public instance, as in Endpoints.SourceMQTT: devices in the field keep that one, and so
	// should a canary.
	Broker string
	// PlainText allows tcp://. Whoever listens can then read what the device sends: never set it outside a test. A device
	// cannot register itself without TLS.
	PlainText bool
	// RootCAs verify the broker's certificate; nil is the system's set.
	RootCAs *x509.CertPool
	// Dial opens connections; TLS is put on top of them. Nil is a [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Sign is how the logins are signed; empty is SignSHA256.
	Sign SignMethod
	// KeepAlive is after which silence the device shows that it is there: 30 s to 20 min, which the platform demands. Zero
	// is one minute. A connection that died without a word is found out 10 to 15 seconds after it.
	KeepAlive time.Duration
	// ReportEvery lets the device and its sub-devices report by themselves, when they come online and then at this
	// interval. Zero means never: they report only when they are asked to.
	ReportEvery time.Duration
	// Logger gets an information when the device or a sub-device comes online, and a warning when it cannot or does
	// not stay. Nil logs nothing. Neither secrets nor payloads are logged.
	Logger *slog.Logger
}

// A CanarySubDevice is a device that connects through a canary. It is subscribed to, answers and reports as the gateway
// does for itself.
type CanarySubDevice struct {
	Credential iot.Credential
	Behaviour  CanaryBehaviour
}

// A CanaryBehaviour is what a device of a [Canary] does. The zero value listens on user/get, sends RRPC requests back, and
// reports on user/update.
//
// Its functions are called one at a time by the goroutines of Run, and hold up what comes after them: the platform waits 8
// seconds at most for an answer. Their context ends with the connection.
type CanaryBehaviour struct {
	// Topics are the custom topics to listen on, below the device, such as user/get. Nil is user/get alone. The platform
	// refuses topics that the product does not have.
	Topics []string
	// Services are the services of the thing model that the device answers, by their identifier; [PropertySet] is the
	// setting of properties. A nil function answers code 200 with {}.
	Services map[string]CanaryService
	// Answer returns the answer to an RRPC request. Nil sends the request back, which is what a verifier can tell
	// from an answer of somebody else.
	Answer func(ctx context.Context, request []byte) []byte
	// Report makes a report that carries nonce, a number from 0 to 16777215, which every numeric type of a thing
	// model can hold: a topic below the device and what is sent. On an Alink topic (thing/...), the payload's id must be the nonce, and
	// the report counts as accepted when the platform replied with code 200; as the platform does not forward that id,
	// a value has to be the nonce as well for a verify.Sink to show it. The topic is always the same. Nil sends
	// {"iotferry":"nonce"} on user/update; for products with a thing model see [PropertyReport].
	Report func(nonce string) (topic string, payload []byte)
}

// PropertySet is the name of the setting of properties among the services of a [CanaryBehaviour].
const PropertySet = "property/set"

// A CanaryService answers a call of a service: with a code of the Alink protocol, 200 for success, and with the service's
// output, an object; nil is {}.
type CanaryService func(ctx context.Context, input json.RawMessage) (code int, output json.RawMessage)

// PropertyReport returns a report for [CanaryBehaviour] that posts properties of the thing model: an object such as
// {"Energy":1234567}, made for a nonce. Where a verify.Sink has to show the report, let the nonce be the value of a property
// whose type and range allow it: int, float or double, whose range holds 0 to 16777215, or text. Else the platform may
// not forward the value.
func PropertyReport(properties func(nonce string) json.RawMessage) func(nonce string) (topic string, payload []byte) {
	return func(nonce string) (string, []byte) {
		return "thing/event/property/post", alinkRequest(nonce, "thing.event.property.post", properties(nonce))
	}
}

// complete returns the configuration with every default in its place, or an Invalid error that names what is wrong.
func (c CanaryConfig) complete() (CanaryConfig, error) {
	if c.Sign == "" {
		c.Sign = SignSHA256
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = defaultKeepAlive
	}
	if c.Broker == "" {
		c.Broker = DefaultEndpoints(c.Region, "", "").SourceMQTT
		if c.Region == "" || !label(c.Region) {
			return c, invalid("set CanaryConfig.Region, such as cn-shanghai, or CanaryConfig.Broker")
		}
	}
	broker, err := endpoint(c.Broker, "tls", "tcp", "1883", c.PlainText)
	if err != nil {
		return c, fmt.Errorf("CanaryConfig.Broker: %w", err)
	}
	c.Broker = ofProduct(broker, c.Credential.ID.ProductKey)
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, c.check()
}

func (c CanaryConfig) check() error {
	if err := c.Credential.ID.Check(); err != nil {
		return fmt.Errorf("CanaryConfig.Credential: %w", err)
	}
	registers := c.Credential.Secret == iot.Secret{}
	switch {
	case registers && c.ProductSecret == iot.Secret{}:
		return invalid("CanaryConfig.Credential has no secret: set it, or ProductSecret if the device registers itself")
	case registers && c.Registered == nil:
		return invalid("set CanaryConfig.Registered: it has to keep the secret that the platform gives out")
	case registers && strings.HasPrefix(c.Broker, "tcp:"):
		return invalid("CanaryConfig.Broker %s: a device can register itself over TLS only", c.Broker)
	case signHashes[c.Sign] == nil:
		return invalid("CanaryConfig.Sign is %q: hmacmd5, hmacsha1 or hmacsha256 is wanted", c.Sign)
	case c.KeepAlive < minKeepAlive || c.KeepAlive > maxKeepAlive:
		return invalid("CanaryConfig.KeepAlive is %v: the platform takes %v to %v", c.KeepAlive, minKeepAlive, maxKeepAlive)
	case c.ReportEvery < 0:
		return invalid("CanaryConfig.ReportEvery is negative")
	}
	return c.checkSubDevices()
}

func (c CanaryConfig) checkSubDevices() error {
	known := map[iot.DeviceID]bool{c.Credential.ID: true}
	for i, sub := range c.SubDevices {
		id := sub.Credential.ID
		switch err := id.Check(); {
		case err != nil:
			return fmt.Errorf("CanaryConfig.SubDevices[%d]: %w", i, err)
		case known[id]:
			return invalid("CanaryConfig.SubDevices[%d]: %s is there twice", i, id)
		case sub.Credential.Secret == iot.Secret{}:
			return invalid("CanaryConfig.SubDevices[%d]: %s has no secret", i, id)
		}
		known[id] = true
	}
	return nil
}

// String returns the device and the broker.
func (c CanaryConfig) String() string {
	return "canary " + c.Credential.ID.String() + " at " + c.Broker
}

// GoString returns what String returns: a CanaryConfig does not show its fields for any verb.
func (c CanaryConfig) GoString() string { return c.String() }

// LogValue logs the device and the broker.
func (c CanaryConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// address returns where to connect, and the TLS configuration for it: nil without TLS.
func (c CanaryConfig) address() (string, *tls.Config, error) {
	u, err := url.Parse(c.Broker)
	if err != nil {
		return "", nil, invalid("CanaryConfig.Broker is not a URL")
	}
	if u.Scheme != "tls" {
		return u.Host, nil, nil
	}
	return u.Host, &tls.Config{ServerName: u.Hostname(), RootCAs: c.RootCAs, MinVersion: tls.VersionTLS12}, nil
}
