package aliyun

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/quota"
)

// A Config says whose fleet it is, where it is, and how to reach it. Region, Account and Target are needed, all else has
// a default that is right for the real platform.
type Config struct {
	// Region is the platform's ID of the region that both instances are in, such as cn-shanghai. It may be empty only if
	// Endpoints is given whole.
	Region string
	// Account is the account's UID: digits, shown at the top right of the console.
	Account string
	// Target is the ID of the Enterprise instance that devices are moved to, such as iot-060a0001. The console shows
	// it on the instance's page.
	Target string
	// Credentials signs everything that is sent; nil is [Environment] if ALIBABA_CLOUD_ACCESS_KEY_ID is set when Open is
	// called, else [Chain].
	Credentials Credentials
	// Endpoints says where the platform is reached. What is empty is derived from Region, Account and Target.
	Endpoints Endpoints
	// PublicInstance is the ID by which device distribution knows the legacy public instance, which has no ID otherwise.
	// Empty is the documented one of the region.
	PublicInstance string
	// PlainText allows endpoints without TLS: http, amqp and tcp. Whoever listens can then read signatures, device
	// secrets and messages: never set it outside a test.
	PlainText bool
	// RootCAs verify the certificates of all endpoints; nil is the system's set. For OpenAPI it is not used
	// if Transport is given.
	RootCAs *x509.CertPool
	// Pacer keeps the calls within the quotas; nil is a [quota.Governor] of the Client's own with [quota.Documented].
	// Quotas are the account's, so two clients that are opened with nil, even with copies of one Config, together can exceed them:
	// if you open more than one for an account, make one governor with [quota.New] and set it in each Config.
	Pacer iot.Pacer
	// Timeout bounds one OpenAPI call, from sending it to the last byte of its answer. Zero is 10 seconds. Calls that wait for a
	// device ([iot.Commander]) get the device's time in addition.
	Timeout time.Duration
	// Transport carries the OpenAPI requests; nil is one of the Client's own, which keeps connections, speaks HTTP/1.1 and verifies
	// certificates. Another one must be safe for concurrent use and must not repeat a request. Of it, a request counts as
	// sent unless [net/http/httptrace] is told that a connection is looked for and not that there is one; so more failed
	// writes are unknown outcomes.
	Transport http.RoundTripper
	// Dial opens the connections of AMQP and MQTT; TLS is put on top of them. Nil is a [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// ClientID names this process where the console shows who consumes a group: up to 64 characters other than | , and =. Empty
	// is "iotferry-" and some random letters.
	ClientID string
	// ReceiveWait is how long a receiver waits for the first message before it says that there is none. Zero is 300 ms.
	ReceiveWait time.Duration
	// Logger gets one debug record per call, and warnings of connections that were lost. Nil logs nothing. No
	// secret is ever logged.
	Logger *slog.Logger
}

// dialTimeout bounds the opening of a connection.
const dialTimeout = 10 * time.Second

// complete returns the configuration with every default in its place, or an Invalid error that names the field
// which is wrong.
func (c Config) complete() (Config, error) {
	if err := c.check(); err != nil {
		return Config{}, err
	}
	endpoints, err := c.Endpoints.complete(c)
	if err != nil {
		return Config{}, err
	}
	c.Endpoints = endpoints
	if c.Credentials == nil {
		c.Credentials = standard()
	}
	if c.Pacer == nil {
		if c.Pacer, err = quota.New(nil, quota.Documented()); err != nil {
			return Config{}, err
		}
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.PublicInstance == "" {
		c.PublicInstance = publicInstance(c.Region)
	}
	return c, nil
}

func (c Config) check() error {
	switch {
	case c.Account == "":
		return invalid("set Config.Account, the account's UID")
	case !digits(c.Account):
		return invalid("Config.Account %q is not a UID: it has only digits", c.Account)
	case c.Target == "":
		return invalid("set Config.Target, the ID of the Enterprise instance")
	case !label(c.Target):
		return invalid("Config.Target %q is not the ID of an instance: a-z, A-Z, 0-9, - and _ are allowed", c.Target)
	case c.Region == "" && !c.Endpoints.whole():
		return invalid("set Config.Region, such as cn-shanghai, or every one of Config.Endpoints")
	case c.Region != "" && !label(c.Region):
		return invalid("Config.Region %q is not the ID of a region", c.Region)
	case c.Timeout < 0:
		return invalid("Config.Timeout is %v: zero or more is wanted", c.Timeout)
	}
	return nil
}

// String returns region, account and target. What could be a secret is left out.
func (c Config) String() string {
	return "aliyun " + c.Region + ", account " + c.Account + ", target " + c.Target
}

// GoString returns what String returns: a Config does not show its fields for any verb.
func (c Config) GoString() string { return c.String() }

// LogValue logs region, account, target and endpoints. What could be a secret is left out.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("region", c.Region), slog.String("account", c.Account), slog.String("target", c.Target),
		slog.Any("endpoints", c.Endpoints), slog.Bool("plainText", c.PlainText),
	)
}
