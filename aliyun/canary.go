package aliyun

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Canary is a device of the caller's own: it connects by MQTT as devices in the field do, is moved with the first
// devices, reconnects by itself, and tells from the device's own side what works since. verify.Canary is the verifier
// that asks it.
//
// It keeps to what the platform allows: four attempts to connect within a minute, one below the limit, and ever longer pauses when
// they fail or connections do not last. So it does not fight with another client that has its certificate: the
// platform throws out the older of two (code 427), without telling it why.
//
// [Canary.Run] makes it live; all other methods are safe for concurrent use and work with whatever connection there is.
type Canary struct {
	config  CanaryConfig // complete
	address string       // of the broker
	tls     *tls.Config  // nil without TLS
	log     *slog.Logger
	members []*canaryMember // the device, then its sub-devices

	running atomic.Bool
	pace    canaryPace // Run's
	secret  iot.Secret // Run's
	record  canaryRecord
	mail    mailbox
	family  *canaryFamily

	mu   sync.Mutex
	link *canaryLink // the connection that is up, or nil
}

// NewCanary returns a canary. It connects to nothing before [Canary.Run]. A configuration that cannot work is
// [iot.Invalid]; the error names the field.
func NewCanary(config CanaryConfig) (*Canary, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	c := &Canary{config: config, log: config.Logger, secret: config.Credential.Secret}
	if c.address, c.tls, err = config.address(); err != nil {
		return nil, err
	}
	if c.members, err = config.members(); err != nil {
		return nil, err
	}
	c.family = newCanaryFamily(c.subs())
	filters := len(c.ownFilters())
	for _, m := range c.subs() {
		filters += len(m.filters())
	}
	if filters > maxSubscriptions {
		return nil, invalid("CanaryConfig: the device and its sub-devices need %d subscriptions, %d are allowed: give it fewer sub-devices", filters, maxSubscriptions)
	}
	return c, nil
}

// NewCanary returns a canary at the client's public domain, Endpoints.SourceMQTT, unless its configuration has a Broker; Region is
// not used. What it leaves empty of RootCAs, Dial and Logger is the client's; PlainText counts if either of the two has it.
func (c *Client) NewCanary(config CanaryConfig) (*Canary, error) {
	if config.Broker == "" {
		config.Broker = c.config.Endpoints.SourceMQTT
	}
	if config.RootCAs == nil {
		config.RootCAs = c.config.RootCAs
	}
	if config.Dial == nil {
		config.Dial = c.config.Dial
	}
	if config.Logger == nil {
		config.Logger = c.config.Logger
	}
	config.PlainText = config.PlainText || c.config.PlainText
	return NewCanary(config)
}

func (c *Canary) subs() []*canaryMember { return c.members[1:] }

// errorTopic is where the platform tells a gateway about its sub-devices.
func (c *Canary) errorTopic() string { return "/ext/error/" + c.ID().String() }

// ownFilters returns what the device subscribes to for itself.
func (c *Canary) ownFilters() []string {
	filters := c.members[0].filters()
	if len(c.subs()) > 0 {
		filters = append(filters, c.errorTopic(), c.members[0].topic("thing/topo/get")+replySuffix,
			"/ext/session/"+c.ID().String()+"/combine/login"+replySuffix)
	}
	return filters
}

// Run keeps the device connected until the context is done, and returns nil then. All that it started has ended when it
// returns, which takes up to ten seconds if the network takes nothing. It connects again after whatever happened, with
// one exception: as long as no connection has ever worked, an error that time does not heal, such as a wrong secret or
// a broker that is not whom it should be, is returned ([iot.Denied], [iot.Invalid]). A second Run at the same time is
// [iot.Conflict].
func (c *Canary) Run(ctx context.Context) error {
	if !c.running.CompareAndSwap(false, true) {
		return &iot.Error{Kind: iot.Conflict, Op: "canary " + c.ID().String(), Message: "it runs already"}
	}
	defer c.running.Store(false)
	for {
		if c.pace.wait(ctx) != nil {
			return nil
		}
		err := c.attempt(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && c.hopeless(err) {
			return err
		}
	}
}

// hopeless reports whether an error is about the configuration, and no connection shows otherwise.
func (c *Canary) hopeless(err error) bool {
	if _, ok := errors.AsType[*keepError](err); ok {
		return true
	}
	return !c.record.hasWorked() && (errors.Is(err, iot.Denied) || errors.Is(err, iot.Invalid))
}

// attempt is one connection, from its beginning to its end.
func (c *Canary) attempt(ctx context.Context) error {
	if c.secret == (iot.Secret{}) {
		return c.register(ctx)
	}
	var lasted time.Duration
	l, err := c.connect(ctx, c.config.Sign.login(iot.Credential{ID: c.ID(), Secret: c.secret}, c.tls != nil))
	if err == nil {
		lasted, err = c.live(ctx, l)
	}
	c.ended(ctx, lasted, err)
	return err
}

// ended takes in that there is no connection.
func (c *Canary) ended(ctx context.Context, lasted time.Duration, why error) {
	c.record.end(why)
	c.pace.ended(lasted)
	if ctx.Err() == nil {
		c.log.Warn("canary is not connected", "device", c.ID(), "error", why)
	}
}

// live is a session. It returns how long it lasted and why it ended.
func (c *Canary) live(ctx context.Context, l *canaryLink) (time.Duration, error) {
	number := c.record.begin()
	session, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { c.serve(session, l) })
	err := l.subscribe(session, c.ownFilters())
	if err == nil {
		c.up(l, number)
		wg.Go(func() { c.gather(session, l) })
		wg.Go(func() { c.tell(session, l) })
		select {
		case <-l.conn.dying:
			err = l.gone()
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	lasted := c.down(err)
	cancel()
	l.close()
	wg.Wait()
	return lasted, err
}

func (c *Canary) up(l *canaryLink, number int) {
	c.family.begin()
	c.mu.Lock()
	c.link = l
	c.mu.Unlock()
	c.record.settled()
	c.log.Info("canary is connected", "device", c.ID(), "session", number)
}

func (c *Canary) down(why error) time.Duration {
	c.mu.Lock()
	c.link = nil
	c.mu.Unlock()
	return c.record.end(why)
}
