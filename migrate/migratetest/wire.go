package migratetest

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/sim"
	"github.com/iotferry/iotferry/iot"
)

// WireOptions of [Cloud.Listen]. The zero value is ready to use.
type WireOptions struct {
	// CertHosts are the names and addresses that the server's certificate is for; nil means 127.0.0.1 and localhost. With
	// others, clients can be tested that must refuse it.
	CertHosts []string
	// CertExpires is when the server's certificate expires; zero means in 30 days. It may be past.
	CertExpires time.Time
	// CAFile is a file to write the certificate of the CA to, in PEM; empty for none. It is the caller's to remove.
	CAFile string
	// Logger gets what happens on the connections, but no secrets; nil means nobody.
	Logger *slog.Logger
}

// A Wire is a [Cloud] on sockets of this machine: adapters and devices talk to it by the platform's protocols, in any
// language, while the test goes on to steer it in memory. Get one from [Cloud.Listen], and end it with [Wire.Close]. Its
// fields are not to be changed.
type Wire struct {
	OpenAPI, OpenAPITLS       string // http:// and https://
	AMQP, AMQPTLS             string // amqp:// and amqps://, for the consumer groups of both instances
	MQTT, MQTTTLS             string // tcp:// and tls://, the public domain: it serves a device wherever it lives
	MQTTTarget, MQTTTargetTLS string // tcp:// and tls://, the target's own domain
	Console                   string // http://, what an operator can do, as JSON: "go doc ./cmd/iotsim" lists its pages

	RootCAs         *x509.CertPool // the CA that has signed the certificate of all that have TLS
	AccessKeyID     string         // the one key that is known, made at random
	AccessKeySecret iot.Secret
	Account         string // the account's UID
	Region          string
	Target          string // ID of the Enterprise instance

	server *sim.Server
}

// Listen serves the platform on free ports of 127.0.0.1, until [Wire.Close] is called or ctx is done. It starts
// goroutines, which Close ends. It can be called again: all wires show the same platform.
//
// Clients sign, and certificates are checked, by real time; everything else goes by the platform's clock. With a [Clock]
// that jumps, whatever waits for a device that a client brings has timed out at once: use a [HastyClock] then. In a
// bubble of package testing/synctest there are no sockets.
//
// Its errors are those of listening and of writing the CA's certificate.
func (c *Cloud) Listen(ctx context.Context, o WireOptions) (*Wire, error) {
	config := sim.Config{
		Target: c.server.target, CertHosts: o.CertHosts, CertExpires: o.CertExpires, CAFile: o.CAFile,
		Clock: c.options.Clock, Logger: o.Logger,
		Jumps: c.options.Clock != nil && c.options.Clock != iot.SystemClock(),
	}
	if c.options.NoQuotas {
		config.Quotas = fake.NoQuotas
	}
	server, err := sim.Start(ctx, c.cloud, config)
	if err != nil {
		return nil, err
	}
	e := server.Endpoints()
	return &Wire{
		OpenAPI: e.OpenAPI, OpenAPITLS: e.OpenAPITLS, AMQP: e.AMQP, AMQPTLS: e.AMQPTLS,
		MQTT: e.MQTT, MQTTTLS: e.MQTTTLS, MQTTTarget: e.MQTTTarget, MQTTTargetTLS: e.MQTTTargetTLS, Console: e.Console,
		RootCAs: server.RootCAs(), AccessKeyID: e.AccessKeyID, AccessKeySecret: e.AccessKeySecret,
		Account: e.UID, Region: e.Region, Target: e.TargetInstanceID, server: server,
	}, nil
}

// DropConsumers cuts off all AMQP clients, as the platform may at any time. They may come again at once.
func (w *Wire) DropConsumers() { w.server.DropConsumers() }

// Close ends the wire: it cuts all connections and calls under way, and returns when everything that Listen started has
// ended. The platform goes on in memory. Its error is that of a server that had to end before. Closing again does nothing.
func (w *Wire) Close() error { return w.server.Close() }
