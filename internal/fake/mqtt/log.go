package mqtt

import (
	"context"
	"log/slog"
	"slices"

	"github.com/mochi-mqtt/server/v2/packets"
)

// withoutPackets returns a logger for the broker, which likes to log whole packets: with passwords, and with what messages
// carry. Only their kind is let through.
func withoutPackets(l *slog.Logger) *slog.Logger { return slog.New(packetless{l.Handler()}) }

type packetless struct{ slog.Handler }

func (h packetless) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(packetKind(a))
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

func (h packetless) WithAttrs(attrs []slog.Attr) slog.Handler {
	attrs = slices.Clone(attrs)
	for i, a := range attrs {
		attrs[i] = packetKind(a)
	}
	return packetless{h.Handler.WithAttrs(attrs)}
}

func (h packetless) WithGroup(name string) slog.Handler { return packetless{h.Handler.WithGroup(name)} }

// packetKind replaces a packet by the name of its kind.
func packetKind(a slog.Attr) slog.Attr {
	switch pk := a.Value.Any().(type) {
	case packets.Packet:
		return slog.String(a.Key, packets.PacketNames[pk.FixedHeader.Type])
	case *packets.Packet:
		return slog.String(a.Key, packets.PacketNames[pk.FixedHeader.Type])
	}
	return a
}
