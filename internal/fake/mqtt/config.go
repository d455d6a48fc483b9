package mqtt

import (
	"log/slog"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// Config says how a [Server] behaves. The zero value is ready to use: the documented limits, and for the rest what
// each field names.
type Config struct {
	// Logger gets what happens on the connections, and what the broker has to say; nil discards it. It never
	// gets passwords, secrets or what messages carry.
	Logger *slog.Logger
	// Clock is what rates are measured by; nil means iot.SystemClock(). Clients live in real time: it should be
	// the real one even if the platform's clock runs ahead. Time-outs are always real.
	Clock iot.Clock
	// Limits are those of the protocol; nil means [DocumentedLimits].
	Limits *Limits
	// Quotas switches off the four rates of Limits if it is fake.NoQuotas.
	Quotas fake.QuotaMode
	// OnBreach is what happens to a client that asks for what the platform does not take. Default [Ignore].
	OnBreach Reaction
	// SystemTopics delivers on topics below /sys/ and /ext/ without a subscription. Default false: the
	// documentation says so of /ext/register alone.
	SystemTopics bool
	// GoneCode and SilentCode are the offlineReasonCode of a device whose client went, or was silent for too
	// long. Default 0, for none that is known.
	GoneCode, SilentCode int
}

// A Reaction is the answer to what the platform does not take: a message on a topic that is not the device's own, or
// not allowed in form, one above the rate, a payload that cannot be read on a topic without an answer, a retained message, a will.
// How the platform answers is not documented.
type Reaction int

// The reactions.
const (
	// Ignore takes the message and does nothing with it; with QoS 1 it is acknowledged. A will is never sent,
	// and a retained message is an ordinary one.
	Ignore Reaction = iota
	// Disconnect cuts the connection, without an acknowledgement. A CONNECT with a will is refused.
	Disconnect
)

// Limits are what the platform's documentation says about the protocol. Start from [DocumentedLimits] and change what
// a test is about.
type Limits struct {
	// KeepAliveMin and KeepAliveMax bound the keep-alive time of a CONNECT: 30 s to 1,200 s. Others are refused. A
	// client that is silent for 1.5 times its own is cut off.
	KeepAliveMin, KeepAliveMax time.Duration
	// ConnectWithin is how long a client may take from the connection to its CONNECT, the TLS handshake included.
	// Not documented: 10 s.
	ConnectWithin time.Duration
	// RegisteredFor is how long after the answer the connection of a registration stays: 15 s.
	RegisteredFor time.Duration
	// TopicBytes and TopicSlashes are the longest topic: 128 bytes and 7 slashes.
	TopicBytes, TopicSlashes int
	// MessageBytes is the largest payload: 256 KB, here 262,144 bytes. More cuts the connection.
	MessageBytes int
	// Subscriptions is how many a device may have: 100. SubscribeFilters is how many one SUBSCRIBE may ask
	// for: 8; of a longer one all are refused.
	Subscriptions, SubscribeFilters int
	// InFlight is how many messages of QoS 1 to a device may be without its acknowledgement: 100. Further
	// ones wait here.
	InFlight int
	// UplinkQoS0 and UplinkQoS1 are the messages per second of one device, those of its sub-devices included: 30 and
	// 10. 0 is no limit.
	UplinkQoS0, UplinkQoS1 int
	// ConnectsPerDevice is the attempts to connect per minute, 5, and ConnectsPerAccount those per second of all
	// devices, 500. 0 is no limit. Attempts that are refused for it do not count. The CONNACK code is
	// not documented: 3, as the client should try later.
	ConnectsPerDevice, ConnectsPerAccount int
}

// DocumentedLimits returns the values that each field of [Limits] names.
func DocumentedLimits() *Limits {
	return &Limits{
		KeepAliveMin: 30 * time.Second, KeepAliveMax: 1200 * time.Second,
		ConnectWithin: 10 * time.Second, RegisteredFor: 15 * time.Second,
		TopicBytes: 128, TopicSlashes: 7, MessageBytes: 256 << 10,
		Subscriptions: 100, SubscribeFilters: 8, InFlight: 100,
		UplinkQoS0: 30, UplinkQoS1: 10, ConnectsPerDevice: 5, ConnectsPerAccount: 500,
	}
}

// withDefaults returns a copy that is complete, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = iot.SystemClock()
	}
	limits := DocumentedLimits()
	if c.Limits != nil {
		*limits = *c.Limits
	}
	if c.Quotas == fake.NoQuotas {
		limits.UplinkQoS0, limits.UplinkQoS1, limits.ConnectsPerDevice, limits.ConnectsPerAccount = 0, 0, 0, 0
	}
	c.Limits = limits
	return c, limits.check()
}

// What limits can be at most.
const (
	longestKeepAlive = 12 * time.Hour // what the broker can still multiply by 1.5
	maxInFlight      = 1<<16 - 1      // packet identifiers
	maxMessageBytes  = 128 << 20
)

func (l *Limits) check() error {
	switch {
	case l.KeepAliveMin < 0 || l.KeepAliveMax < l.KeepAliveMin || l.KeepAliveMax > longestKeepAlive:
		return invalid("Limits.KeepAliveMin must not be negative, nor KeepAliveMax below it, or above 12 hours")
	case min(l.ConnectWithin, l.RegisteredFor) <= 0:
		return invalid("Limits.ConnectWithin and RegisteredFor must be more than 0: start from DocumentedLimits")
	case min(l.TopicBytes, l.TopicSlashes, l.MessageBytes, l.Subscriptions, l.SubscribeFilters, l.InFlight) <= 0:
		return invalid("Limits of topics, messages and subscriptions must be more than 0: start from DocumentedLimits")
	case l.InFlight > maxInFlight || l.MessageBytes > maxMessageBytes:
		return invalid("Limits.InFlight is at most 65,535, and MessageBytes 128 MB: MQTT has no more")
	case min(l.UplinkQoS0, l.UplinkQoS1, l.ConnectsPerDevice, l.ConnectsPerAccount) < 0:
		return invalid("Limits must not have negative rates: 0 is no limit")
	}
	return nil
}

func invalid(message string) error {
	return &iot.Error{Kind: iot.Invalid, Op: "open the MQTT front", Message: message}
}
