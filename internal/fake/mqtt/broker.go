package mqtt

import (
	"log/slog"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// newBroker returns the broker that speaks MQTT with the clients. It is never started: its event loop would only
// publish statistics and look after sessions, retained messages and wills, none of which exist here.
// Connections are handed to it one by one.
func newBroker(c Config) (*mochi.Server, error) {
	capabilities := mochi.NewDefaultServerCapabilities()
	capabilities.MaximumPacketSize = uint32(c.Limits.MessageBytes + maxHeader)
	capabilities.MaximumClientWritesPending = 1 // its queue is not used: packets are written directly
	capabilities.MaximumQos = 1
	capabilities.RetainAvailable = 0
	capabilities.SharedSubAvailable = 0
	b := mochi.New(&mochi.Options{Capabilities: capabilities, Logger: withoutPackets(c.Logger)})
	return b, b.AddHook(&hook{}, nil)
}

// maxHeader is how many bytes of a packet may not be payload. Longer topics are too long anyway.
const maxHeader = 1024

// A hook connects the broker with the platform: it decides everything, and lets the broker route nothing. All its
// methods are called by the goroutine that reads the client's packets.
type hook struct{ mochi.HookBase }

func (*hook) ID() string { return "platform" }

func (*hook) Provides(b byte) bool {
	switch b {
	case mochi.OnPacketRead, mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnSessionEstablished,
		mochi.OnPublish, mochi.OnSubscribe, mochi.OnUnsubscribe:
		return true
	}
	return false
}

// OnConnectAuthenticate has nothing to decide: who was not admitted does not come here.
func (*hook) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }

// OnACLCheck has nothing to decide: OnPublish and OnSubscribe have.
func (*hook) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// OnPacketRead comes before the broker's own checks, whose CONNACK codes are not the platform's. The only error that the
// broker heeds here is ErrRejectPacket: it ends the connection.
func (*hook) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	c := connectionOf(cl)
	switch pk.FixedHeader.Type {
	case packets.Connect:
		if c.client == nil {
			return c.connect(cl, pk)
		}
	case packets.Publish:
		if pk.FixedHeader.Qos > 1 || len(pk.Payload) > c.server.config.Limits.MessageBytes {
			c.log.Warn("disconnected: a message has QoS 2 or is too large", slog.String("topic", pk.TopicName))
			return pk, packets.ErrRejectPacket
		}
	case packets.Puback:
		c.outbox.acknowledged(pk.PacketID)
	}
	return pk, nil
}

func (*hook) OnSessionEstablished(cl *mochi.Client, _ packets.Packet) { connectionOf(cl).established() }

func (*hook) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	return pk, connectionOf(cl).publish(pk)
}

func (*hook) OnSubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	return connectionOf(cl).subscribe(pk)
}

func (*hook) OnUnsubscribe(cl *mochi.Client, pk packets.Packet) packets.Packet {
	connectionOf(cl).unsubscribe(pk.Filters)
	return pk
}

// connectionOf returns what the server knows of a client.
func connectionOf(cl *mochi.Client) *connection { return cl.Net.Conn.(*connection) }
