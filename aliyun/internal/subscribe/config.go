package subscribe

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Config says where the groups of an instance are consumed, and how.
type Config struct {
	// Endpoint is amqps://host:port. A URL that begins with amqp:// needs PlainText. The ports are 5671 and 5672 if none
	// is given.
	Endpoint string
	// Instance is the instance's ID, with which messages are marked; empty for the legacy public instance.
	Instance string
	// ClientID names this process on the console's page of the group, 1 to 64 characters. Empty is "iotferry-" and
	// some random letters.
	ClientID string
	// Credentials is asked at each connect, and so picks up what was rotated.
	Credentials func(context.Context) (Credential, error)
	// PlainText allows an Endpoint without TLS. Never set it outside a test.
	PlainText bool
	// RootCAs verify the server's certificate; nil is the system's set.
	RootCAs *x509.CertPool
	// Dial opens the connections; TLS is put on top of them. Nil is a [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Idle is the time-out that is announced to the platform, 30 s to 300 s: the platform ends a connection that
	// is silent for that long, and keeps it alive itself meanwhile. A connection without any sign of life for twice
	// Idle is given up. Zero is 60 s.
	Idle time.Duration
	// Credit is how many messages may be under way on one connection. Zero is 200.
	Credit int
	// Wait is how long Receive waits for the first message before it says that there is none. Zero is 300 ms.
	Wait time.Duration
	// Remember is how many handled messages of a group are known at least, to drop what comes again. Zero is 100,000:
	// at the platform's full rate of 1,000 a second that is longer than the minute after which it sends again.
	Remember int
	// Logger gets a record when a connection comes up, is lost, or is refused. Nil logs nothing.
	Logger *slog.Logger
}

// A Credential signs a login.
type Credential struct {
	AccessKeyID     string
	AccessKeySecret iot.Secret
	SecurityToken   iot.Secret // of a temporary (STS) credential, else empty
	Expires         time.Time  // when a temporary credential ends; zero if that is not known, or never
}

// check refuses what the platform would refuse.
func (c Credential) check(now time.Time) error {
	switch {
	case c.AccessKeyID == "" || c.AccessKeySecret == iot.Secret{}:
		return fmt.Errorf("%w: the credential has no access key ID or no secret", iot.Denied)
	case !plain(c.AccessKeyID) || strings.ContainsAny(c.SecurityToken.Reveal(), "|,"):
		return fmt.Errorf("%w: the access key ID or the token has a character that a login cannot hold", iot.Denied)
	case !c.Expires.IsZero() && !now.Before(c.Expires):
		return fmt.Errorf("%w: the credential has expired", iot.Denied)
	}
	return nil
}

const (
	minIdle, maxIdle = 30 * time.Second, 300 * time.Second // the platform's bounds
	maxClientID      = 64                                  // the platform's bound
)

// complete returns the configuration with its defaults, or an Invalid error.
func (c Config) complete() (Config, error) {
	c.ClientID = or(c.ClientID, "iotferry-"+rand.Text()[:10])
	c.Idle = or(c.Idle, time.Minute)
	c.Credit = or(c.Credit, 200)
	c.Wait = or(c.Wait, 300*time.Millisecond)
	c.Remember = or(c.Remember, 100_000)
	c.Logger = or(c.Logger, slog.New(slog.DiscardHandler))
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	return c, c.check()
}

func or[T comparable](value, standard T) T {
	var zero T
	if value == zero {
		return standard
	}
	return value
}

func (c Config) check() error {
	switch u, err := url.Parse(c.Endpoint); {
	case err != nil || u.Hostname() == "":
		return invalid("the endpoint is no URL such as amqps://host:5671")
	case u.Scheme != "amqps" && u.Scheme != "amqp":
		return invalid("the endpoint's scheme is %q: amqps is wanted", u.Scheme)
	case u.Scheme == "amqp" && !c.PlainText:
		return invalid("amqp is not protected: use amqps, or allow plain text in a test")
	case c.Credentials == nil:
		return invalid("there are no credentials")
	case len(c.ClientID) > maxClientID || !plain(c.ClientID):
		return invalid("client ID %q: 1 to %d characters other than | , = are wanted", c.ClientID, maxClientID)
	case !plain(c.Instance):
		return invalid("instance %q is not the ID of an instance", c.Instance)
	case c.Idle < minIdle || c.Idle > maxIdle:
		return invalid("an idle time-out of %v: %v to %v is wanted", c.Idle, minIdle, maxIdle)
	case c.Credit < 0 || c.Wait < 0 || c.Remember < 0:
		return invalid("credit, wait and remember must not be negative")
	}
	return nil
}

// address returns the host and the address to connect to.
func (c Config) address() (host, address string) {
	u, err := url.Parse(c.Endpoint)
	if err != nil {
		return "", "" // check has parsed it
	}
	port := u.Port()
	if port == "" {
		port = map[bool]string{true: "5671", false: "5672"}[c.encrypted()]
	}
	return u.Hostname(), net.JoinHostPort(u.Hostname(), port)
}

func (c Config) encrypted() bool { return strings.HasPrefix(c.Endpoint, "amqps:") }

// checkGroup refuses an ID that could change the meaning of the user name it becomes a part of.
func checkGroup(id string) error {
	if id == "" || !plain(id) {
		return invalid("group %q is not the ID of a consumer group", id)
	}
	return nil
}

// plain reports whether a text can stand in a user name, where | , and = have a meaning.
func plain(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("|,=", r) }) < 0
}

func invalid(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Op: op, Message: fmt.Sprintf(format, args...)}
}
