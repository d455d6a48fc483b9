package mqtt

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// A connection is a client's TCP connection with what is known about it. The broker has it as its net.Conn. Its
// fields are set, and used, by the goroutine that reads the client's packets; the pump is started after that.
type connection struct {
	net.Conn
	server *Server
	domain Domain
	log    *slog.Logger

	client  *mochi.Client // nil until it is admitted
	session *fake.Session // nil for a registration
	device  iot.DeviceID
	secret  iot.Secret // what a registration is answered with
	closing *time.Timer
	uplink  [2]window // by QoS
	outbox  outbox
}

func newConnection(s *Server, raw net.Conn, d Domain) *connection {
	l := s.config.Limits
	return &connection{
		Conn: raw, server: s, domain: d,
		log:    s.config.Logger.With(slog.String("address", raw.RemoteAddr().String())),
		uplink: [2]window{newWindow(l.UplinkQoS0, time.Second), newWindow(l.UplinkQoS1, time.Second)},
	}
}

// serve lets the broker speak with the client until one of them, or the platform, has enough.
func (c *connection) serve() {
	_ = c.SetDeadline(time.Now().Add(c.server.config.Limits.ConnectWithin)) // the broker has one only from CONNECT on
	err := c.server.broker.EstablishConnection(c.domain.Instance, c)
	if c.closing != nil {
		c.closing.Stop()
	}
	if c.session != nil {
		c.session.Close(c.offlineCode(err))
	}
	c.log.Debug("disconnected", slog.Any("reason", err))
}

func (c *connection) offlineCode(err error) int {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return c.server.config.SilentCode
	}
	return c.server.config.GoneCode
}

// established comes when the client has its CONNACK.
func (c *connection) established() {
	if c.session == nil {
		c.answerRegistration()
		return
	}
	c.server.work.Go(c.pump)
}

// pump delivers what the platform has for the device, until serve closes the session, or the platform ends it: then the
// connection is cut.
func (c *connection) pump() {
	for {
		d, err := c.session.Next(context.Background())
		if err != nil {
			c.client.Stop(err)
			if kick, ok := errors.AsType[*fake.KickedError](err); ok {
				c.log.Info("kicked", slog.Int("code", kick.Code))
			}
			return
		}
		if !c.outbox.send(d) {
			c.log.Debug("not delivered: no subscription, or too many wait", slog.String("topic", d.Topic))
		}
	}
}

// publish gives the platform a message of the device. The broker acknowledges it after CodeSuccessIgnore, and routes it nowhere.
func (c *connection) publish(pk packets.Packet) error {
	err := c.refuses(pk)
	if err == nil {
		err = c.session.Publish(pk.TopicName, pk.Payload, int(pk.FixedHeader.Qos))
	}
	if err == nil {
		return packets.CodeSuccessIgnore
	}
	c.log.Warn("a message has no effect", slog.String("reason", err.Error()), slog.String("topic", pk.TopicName))
	if _, kicked := errors.AsType[*fake.KickedError](err); !kicked && c.server.config.OnBreach == Ignore {
		return packets.CodeSuccessIgnore
	}
	c.client.Stop(err) // without an acknowledgement: after a kick the client says it again in its next session
	return packets.ErrRejectPacket
}

// refuses returns why a message is not for the platform; nil if it is.
func (c *connection) refuses(pk packets.Packet) error {
	if c.session == nil {
		return errors.New("this connection is for registration only")
	}
	if why := c.server.config.Limits.checkTopic(pk.TopicName); why != "" {
		return errors.New(why)
	}
	switch {
	case pk.FixedHeader.Retain && c.server.config.OnBreach != Ignore:
		return errors.New("there are no retained messages")
	case !c.uplink[pk.FixedHeader.Qos].take(c.server.config.Clock.Now()):
		return errors.New("the device publishes too often")
	}
	return nil
}

// subscribe decides about each filter. The broker grants those that are left; an empty one it refuses.
func (c *connection) subscribe(pk packets.Packet) packets.Packet {
	tooMany := len(pk.Filters) > c.server.config.Limits.SubscribeFilters
	for i, f := range pk.Filters {
		if tooMany || !c.mayListen(f.Filter) || !c.outbox.subscribe(f.Filter, f.Qos, c.server.config.Limits.Subscriptions) {
			c.log.Warn("a subscription is refused", slog.String("filter", f.Filter))
			pk.Filters[i].Filter = ""
			continue
		}
		c.session.Subscribe(f.Filter) // what has waited for it may come at once
	}
	return pk
}

func (c *connection) mayListen(filter string) bool {
	return c.session != nil && validFilter(filter) && c.server.config.Limits.checkTopic(filter) == "" &&
		c.session.MaySubscribe(filter)
}

func (c *connection) unsubscribe(filters packets.Subscriptions) {
	for _, f := range filters {
		if c.outbox.unsubscribe(f.Filter) {
			c.session.Unsubscribe(f.Filter)
		}
	}
}
