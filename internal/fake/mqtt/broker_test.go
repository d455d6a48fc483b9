package mqtt

import (
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.mqtt.golang/packets"
	mochi "github.com/mochi-mqtt/server/v2/packets"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

// newServer returns one for a single device, whose secret and username are those of this package's tests.
func newServer(t *testing.T) *Server {
	t.Helper()
	cloud, err := fake.New(&fleet.Fleet{
		Instances: []fleet.Instance{{Type: iot.PublicLegacy}},
		Products:  []fleet.Product{{Key: device.ProductKey, NodeType: iot.Direct}},
		Devices:   []fleet.Device{{ID: device, Secret: secret}},
	}, fake.Options{NoDevices: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(cloud, Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a device says after the platform has ended its session, and before its connection is cut, is not acknowledged: it
// would be lost.
func TestNothingIsAcknowledgedAfterAKick(t *testing.T) {
	s := newServer(t)
	client, server := net.Pipe()
	defer client.Close()
	c := newConnection(s, server, Domain{Instance: fake.PublicDomain})
	c.client = s.broker.NewClient(c, "", "client", false)
	var err error
	if c.session, err = s.cloud.Attach(device, fake.PublicDomain, ""); err != nil {
		t.Fatal(err)
	}
	pk := mochi.Packet{TopicName: "/a1Meter0001/meter-0001/user/update", FixedHeader: mochi.FixedHeader{Qos: 1}}
	if err := c.publish(pk); !errors.Is(err, mochi.CodeSuccessIgnore) {
		t.Errorf("in its session: %v", err)
	}
	if _, err := s.cloud.Attach(device, fake.PublicDomain, ""); err != nil { // kicks
		t.Fatal(err)
	}
	if err := c.publish(pk); !errors.Is(err, mochi.ErrRejectPacket) || !c.client.Closed() {
		t.Errorf("after the kick: %v, and the connection is closed: %v", err, c.client.Closed())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// The broker forgets a client, whatever it asked for: the server's memory does not grow with every connection.
func TestBrokerKeepsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		client, server := net.Pipe()
		s.start(newConnection(s, server, Domain{Instance: fake.PublicDomain}))
		hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
		hello.ProtocolName, hello.ProtocolVersion, hello.Keepalive = "MQTT", 4, 60 // and no clean session
		hello.ClientIdentifier, hello.UsernameFlag, hello.Username = "12345|securemode=3,timestamp=789|", true, username
		hello.PasswordFlag, hello.Password = true, []byte("7e3803e79118d668584eed4aa463d159")
		subscribe := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
		subscribe.MessageID, subscribe.Topics, subscribe.Qoss = 1, []string{"/a1Meter0001/meter-0001/user/get"}, []byte{1}
		go func() { _, _ = io.Copy(io.Discard, client) }()
		for _, p := range []packets.ControlPacket{hello, subscribe} {
			if err := p.Write(client); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := len(s.broker.Topics.Subscribers(subscribe.Topics[0]).Subscriptions); got != 1 || s.broker.Clients.Len() != 1 {
			t.Fatalf("%d clients with %d subscriptions while it is connected, want 1", s.broker.Clients.Len(), got)
		}
		_ = client.Close()
		synctest.Wait()
		if got := len(s.broker.Topics.Subscribers(subscribe.Topics[0]).Subscriptions); got != 0 || s.broker.Clients.Len() != 0 || len(s.open) != 0 {
			t.Errorf("%d clients with %d subscriptions and %d connections are left", s.broker.Clients.Len(), got, len(s.open))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
