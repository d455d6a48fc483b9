package sim

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// Config says what a server looks like. Only Target is needed.
type Config struct {
	// Target is the ID of the Enterprise instance that has a domain of its own.
	Target string
	// Addr is the address to listen on, 127.0.0.1 if empty. Nothing but the access key protects what listens there, and
	// the console not even that.
	Addr string
	// Port is the first of as many consecutive ports as there are listeners, in the order of the fields of
	// [Endpoints]; 0 takes free ones.
	Port int
	// Host is the name or address in the URLs; Addr if empty. It is needed if Addr is an address that nobody can
	// connect to, such as 0.0.0.0.
	Host string
	// CertHosts are the names and addresses that the server's certificate is for; nil means Host, localhost
	// and 127.0.0.1.
	CertHosts []string
	// CertExpires is when the server's certificate expires; zero means in 30 days. It may be past, so that clients can be
	// tested.
	CertExpires time.Time
	// CAFile is where the certificate of the CA is written, in PEM; empty for nowhere. It is the caller's to remove.
	CAFile string
	// AccessKeyID and AccessKeySecret are the account's key. If both are empty, a random one is made.
	AccessKeyID     string
	AccessKeySecret iot.Secret
	// Quotas and Clock are the platform's: give what its fake.Options have. The console can put the clock forward if it is
	// an [Advancer].
	Quotas fake.QuotaMode
	// Jumps says that Clock leaps over what nobody does anything in. A day's messages are then there at once, and AMQP, whose rates are of
	// real time, pushes them without any.
	Jumps bool
	Clock iot.Clock
	// Faults are those of the platform's hook, if the console may set them; nil if not.
	Faults *Faults
	// Logger gets what happens; nil means nobody.
	Logger *slog.Logger
}

// complete checks a Config and returns it with its defaults.
func (c Config) complete() (Config, error) {
	if c.Addr == "" {
		c.Addr = "127.0.0.1"
	}
	if c.Host == "" {
		c.Host = c.Addr
	}
	ip := net.ParseIP(c.Host)
	switch {
	case ip != nil && ip.IsUnspecified():
		return c, invalid("clients cannot connect to %s: set the host under which they reach it", c.Host)
	case c.Port < 0 || c.Port > 0 && c.Port+listeners-1 > 65535:
		return c, invalid("port %d: there is no room for %d ports from there on", c.Port, listeners)
	case (c.AccessKeyID == "") != (c.AccessKeySecret == iot.Secret{}):
		return c, invalid("the access key needs both its ID and its secret, or neither")
	}
	if c.CertHosts == nil {
		c.CertHosts = []string{c.Host, "localhost", "127.0.0.1"}
	}
	if c.AccessKeyID == "" {
		c.AccessKeyID, c.AccessKeySecret = "SIM"+rand.Text(), iot.NewSecret(rand.Text())
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

func invalid(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Op: "start the simulator", Message: fmt.Sprintf(format, args...)}
}
