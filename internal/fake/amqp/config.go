package amqp

import (
	"log/slog"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// Config says who may consume, and how patient the server is.
type Config struct {
	// AccessKeyID and AccessKeySecret are the one key that is known. Both are needed.
	AccessKeyID     string
	AccessKeySecret iot.Secret
	// Clock is the platform's: it tells how old a message is. Nil means iot.SystemClock(). Connections live in
	// real time, whatever it says.
	Clock iot.Clock
	// Limits are those of the protocol and the quotas; nil means [DocumentedLimits].
	Limits *Limits
	// Quotas are the documented ones, as Limits gives them, unless it is [fake.NoQuotas]: then neither connect
	// requests nor messages are counted.
	Quotas fake.QuotaMode
	// Poll is how long a connection waits before it looks again for messages when there were none. 0 means 20 ms.
	Poll time.Duration
	// Logger hears of logins, refusals and connections that end; nil discards. It never gets a secret.
	Logger *slog.Logger
}

// Limits are how long a client may take, and how much it gets. A limit of 0 is none.
type Limits struct {
	// Login is the time from the connection's beginning until it is open. Link is the time from then until there
	// is a receiver link.
	Login, Link time.Duration
	// IdleMin and IdleMax are the range of the idle time-out that a client has to name. Only if IdleMin is 0 it may
	// name none.
	IdleMin, IdleMax time.Duration
	// Skew is how far the timestamp of a login may be from real time.
	Skew time.Duration
	// ConnectsPerMinute is the quota of connect requests of a consumer group.
	ConnectsPerMinute int
	// RealTimePerSecond and BacklogPerSecond are how many messages a group is pushed. Those that are older than
	// BacklogAge, by the platform's clock, belong to the backlog; if it is 0, all that are not of this very moment.
	RealTimePerSecond, BacklogPerSecond int
	BacklogAge                          time.Duration
}

// DocumentedLimits returns what the platform's documentation says: 15 s for the login and for the link, an idle time-out of
// 30 to 300 s, 100 connect requests per minute, 1,000 messages per second in real time and 200 of the backlog. The age of a
// timestamp is not limited: clients of the vendor's samples send old ones. BacklogAge, of which it says nothing, is
// one minute.
func DocumentedLimits() *Limits {
	return &Limits{
		Login: 15 * time.Second, Link: 15 * time.Second,
		IdleMin: 30 * time.Second, IdleMax: 300 * time.Second,
		ConnectsPerMinute: 100,
		RealTimePerSecond: 1000, BacklogPerSecond: 200, BacklogAge: time.Minute,
	}
}

const defaultPoll = 20 * time.Millisecond

// withDefaults fills in what is not set.
func (c Config) withDefaults() Config {
	if c.Clock == nil {
		c.Clock = iot.SystemClock()
	}
	if c.Limits == nil {
		c.Limits = DocumentedLimits()
	}
	limits := *c.Limits
	if c.Quotas == fake.NoQuotas {
		limits.ConnectsPerMinute, limits.RealTimePerSecond, limits.BacklogPerSecond = 0, 0, 0
	}
	c.Limits = &limits
	if c.Poll == 0 {
		c.Poll = defaultPoll
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// check refuses a configuration that cannot work.
func (c Config) check() error {
	l := c.Limits
	switch {
	case c.AccessKeyID == "":
		return invalid("set Config.AccessKeyID")
	case c.AccessKeySecret.Reveal() == "":
		return invalid("set Config.AccessKeySecret")
	case c.Poll < 0:
		return invalid("Config.Poll must not be negative")
	case l == nil:
		return nil
	case min(l.Login, l.Link, l.IdleMin, l.IdleMax, l.Skew, l.BacklogAge) < 0,
		min(l.ConnectsPerMinute, l.RealTimePerSecond, l.BacklogPerSecond) < 0:
		return invalid("Config.Limits must not be negative")
	case l.IdleMax > 0 && l.IdleMin > l.IdleMax:
		return invalid("Limits.IdleMin must not be above IdleMax")
	}
	return nil
}

func invalid(message string) error {
	return &iot.Error{Kind: iot.Invalid, Op: "open the AMQP server", Message: message}
}
