package mqtt

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"
)

func TestBrokerLogsNoPackets(t *testing.T) {
	var out bytes.Buffer
	l := withoutPackets(slog.New(slog.NewTextHandler(&out, nil)))
	pk := packets.Packet{
		FixedHeader: packets.FixedHeader{Type: packets.Connect}, TopicName: "topsecret", Payload: []byte("topsecret"),
		Connect: packets.ConnectParams{Password: []byte("topsecret")},
	}
	l.Info("value", "pk", pk, "client", "c-1")
	l.Info("pointer", "packet", &pk)
	l.With("packet", pk).WithGroup("g").Info("kept", "pk", pk)
	if strings.Contains(out.String(), "topsecret") || strings.Contains(out.String(), "116 111 112") {
		t.Errorf("a packet is logged:\n%s", out.String())
	}
	for _, want := range []string{"pk=Connect client=c-1", "packet=Connect\n", "packet=Connect g.pk=Connect"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
}
