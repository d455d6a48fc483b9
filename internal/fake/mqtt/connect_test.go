package mqtt_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/mqtt"
	"github.com/iotferry/iotferry/iot"
)

func noQuotas() mqtt.Config { return mqtt.Config{Quotas: fake.NoQuotas} }

func TestConnect(t *testing.T) {
	b := newBench(t, noQuotas(), func(op fake.Op) fake.Fault {
		if op.Name == fake.Connect && op.Devices[0] == "tracker-199" {
			return fake.Fault{Err: errors.New("the platform has a bad day")}
		}
		return fake.Fault{}
	})
	public := b.listen(mqtt.Domain{Instance: fake.PublicDomain})
	secure := b.listen(mqtt.Domain{Instance: fake.PublicDomain, TLS: true})
	own := b.listen(mqtt.Domain{Instance: target})
	m := id(meter, "meter-1")
	for _, x := range []struct {
		name    string
		address string
		card    card
		change  func(*packets.ConnectPacket)
		want    int
	}{
		{"md5 is the default", public, card{device: m}, nil, 0},
		{"md5", public, card{device: m, method: "hmacmd5"}, nil, 0},
		{"sha1", public, card{device: m, method: "hmacsha1", timestamp: "789"}, nil, 0},
		{"sha256", public, card{device: m, method: "hmacsha256", timestamp: "789"}, nil, 0},
		{"TLS", secure, card{device: m, mode: "2", method: "hmacsha256"}, nil, 0},
		{"extensions of an SDK", public, card{device: m, more: ",_ss=1,_v=sdk-c-4.1.0,ext=3,"}, nil, 0},
		{"MQTT 3.1", public, card{device: m}, func(p *packets.ConnectPacket) { p.ProtocolName, p.ProtocolVersion = "MQIsdp", 3 }, 0},
		{"a session that shall be kept", public, card{device: m}, func(p *packets.ConnectPacket) { p.CleanSession = false }, 0},
		{"a will", public, card{device: m}, func(p *packets.ConnectPacket) {
			p.WillFlag, p.WillTopic, p.WillMessage, p.WillRetain = true, "/a1Meter0001/meter-1/user/update", []byte("x"), true
		}, 0},
		{"the shortest keep-alive time", public, card{device: m}, func(p *packets.ConnectPacket) { p.Keepalive = 30 }, 0},
		{"the longest keep-alive time", public, card{device: m}, func(p *packets.ConnectPacket) { p.Keepalive = 1200 }, 0},

		{"MQTT 6", public, card{device: m}, func(p *packets.ConnectPacket) { p.ProtocolVersion = 6 }, 1},

		{"keep-alive time too short", public, card{device: m}, func(p *packets.ConnectPacket) { p.Keepalive = 29 }, 2},
		{"no keep-alive time", public, card{device: m}, func(p *packets.ConnectPacket) { p.Keepalive = 0 }, 2},
		{"keep-alive time too long", public, card{device: m}, func(p *packets.ConnectPacket) { p.Keepalive = 1201 }, 2},
		{"no password", public, card{device: m}, func(p *packets.ConnectPacket) { p.PasswordFlag, p.Password = false, nil }, 2},
		{"an empty password", public, card{device: m}, func(p *packets.ConnectPacket) { p.Password = nil }, 2},
		{"nobody", public, card{device: m}, func(p *packets.ConnectPacket) {
			p.UsernameFlag, p.Username, p.PasswordFlag, p.Password = false, "", false, nil
		}, 2},
		{"no clientId", public, card{device: m}, func(p *packets.ConnectPacket) { p.ClientIdentifier = "" }, 2},
		{"a bare clientId", public, card{device: m}, func(p *packets.ConnectPacket) { p.ClientIdentifier = "client" }, 2},
		{"a long client", public, card{device: m, client: strings.Repeat("x", 65)}, nil, 2},
		{"securemode of TLS over TCP", public, card{device: m, mode: "2"}, nil, 2},
		{"securemode of TCP over TLS", secure, card{device: m, mode: "3"}, nil, 2},
		{"another sign method", public, card{device: m}, func(p *packets.ConnectPacket) {
			p.ClientIdentifier = "client|securemode=3,signmethod=hmacsha512|"
		}, 2},
		{"registration-free", secure, card{device: m, mode: "-2", more: ",authType=regnwl,random=1,instanceId=x"}, nil, 2},
		{"registration over TCP", public, card{device: id(plug, "plug-1"), secret: "ps-" + plug, random: "1"}, nil, 2},
		{"registration over TCP that says TLS", public, card{device: id(plug, "plug-1"), secret: "ps-" + plug, random: "1", mode: "2"}, nil, 2},

		{"a fault of the platform", public, card{device: id(tracker, "tracker-199")}, nil, 3},

		{"wrong secret", public, card{device: m, secret: "another"}, nil, 4},
		{"another timestamp", public, card{device: m, timestamp: "789"}, func(p *packets.ConnectPacket) {
			p.ClientIdentifier = "client|securemode=3,timestamp=790|"
		}, 4},
		{"another client", public, card{device: m}, func(p *packets.ConnectPacket) { p.ClientIdentifier = "x|securemode=3|" }, 4},
		{"no signature", public, card{device: m}, func(p *packets.ConnectPacket) { p.Password = []byte("password") }, 4},
		{"unknown device", public, card{device: id(meter, "nobody")}, nil, 4},
		{"unknown product", public, card{device: id("a1Nobody001", "meter-1")}, nil, 4},
		{"disabled", public, card{device: id(meter, "meter-off")}, nil, 4},
		{"a sub-device by itself", public, card{device: id(climate, "climate-1")}, nil, 4},
		{"the domain of an instance where it does not live", own, card{device: m}, nil, 4},
		{"registration with a wrong secret", secure, card{device: id(plug, "plug-1"), random: "1", mode: "2"}, nil, 4},
		{"registration of a name that is not registered", secure, card{device: id(plug, "nobody"), secret: "ps-" + plug, random: "1", mode: "2"}, nil, 4},
		{"registration of a product that does not", secure, card{device: m, secret: "ps-" + meter, random: "1", mode: "2"}, nil, 4},
		{"registration of a device that has been here", secure, card{device: id(plug, "plug-2"), secret: "ps-" + plug, random: "1", mode: "2"}, nil, 4},
	} {
		t.Run(x.name, func(t *testing.T) {
			p := connectPacket(x.card)
			if x.change != nil {
				x.change(p)
			}
			w := dial(b.in(t), x.address, x.address == secure)
			w.send(p)
			if got := w.code(); got != x.want {
				t.Fatalf("CONNACK %d, want %d", got, x.want)
			}
			if x.want != 0 {
				w.expectClosed()
				return
			}
			if got := b.truth(x.card.device); got.Status != iot.Online {
				t.Errorf("the device is %s", got.Status)
			}
			w.send(packets.NewControlPacket(packets.Disconnect))
			w.expectClosed()
		})
	}
}

// MQTT 5 has more in its CONNECT than the packets of this test's client.
func TestMQTT5(t *testing.T) {
	b := newBench(t, noQuotas(), nil)
	w := dial(b, b.listen(mqtt.Domain{Instance: fake.PublicDomain}), false)
	if _, err := w.Write([]byte("\x10\x14\x00\x04MQTT\x05\xc2\x00\x3c\x00\x00\x01a\x00\x01b\x00\x01c")); err != nil {
		t.Fatal(err)
	}
	if got := w.code(); got != 1 {
		t.Errorf("CONNACK %d, want 1", got)
	}
	w.expectClosed()
}

// What is no CONNECT has no CONNACK.
func TestNotMQTT(t *testing.T) {
	b := newBench(t, noQuotas(), nil)
	public := b.listen(mqtt.Domain{Instance: fake.PublicDomain})
	for name, text := range map[string]string{
		"HTTP":           "GET / HTTP/1.1\r\n\r\n",
		"PINGREQ":        "\xc0\x00",
		"PUBLISH":        "\x30\x04\x00\x01/x",
		"reserved bit":   "\x10\x10\x00\x04MQTT\x04\xc3\x00\x3c\x00\x00\x00\x01a\x00\x01b",
		"other protocol": "\x10\x10\x00\x04ABCD\x04\xc2\x00\x3c\x00\x00\x00\x01a\x00\x01b",
		"cut short":      "\x10\x04\x00\x04MQ",
		"too large":      "\x10\xff\xff\xff\x7f",
		"bad length":     "\x10\xff\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			w := dial(b.in(t), public, false)
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			w.expectClosed()
		})
	}
}

func TestSecondConnect(t *testing.T) {
	b := newBench(t, noQuotas(), nil)
	public := b.listen(mqtt.Domain{Instance: fake.PublicDomain})
	c := card{device: id(meter, "meter-1")}
	w := signIn(b, public, c)
	w.send(connectPacket(c))
	w.expectClosed()
}
