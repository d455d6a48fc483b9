package migrate

import (
	"context"
	"log/slog"
)

// announce tells of an entry that is durable.
func (l *loop) announce(e Entry) {
	level := slog.LevelInfo
	if e.Kind == EntryHalt || e.Kind == EntryAlarm || e.Kind == EntryReverse {
		level = slog.LevelWarn
	}
	l.r.config.Logger.LogAttrs(context.Background(), level, string(e.Kind), entryAttrs(l.r.config.Campaign, e)...)
	if l.r.config.Watch != nil {
		l.r.config.Watch(e, l.state)
	}
}

func entryAttrs(campaign string, e Entry) []slog.Attr {
	attrs := []slog.Attr{slog.String("campaign", campaign), slog.Int64("seq", e.Seq)}
	text := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	text("lane", e.Lane)
	text("stage", e.Stage)
	if e.Wave > 0 {
		attrs = append(attrs, slog.Int("wave", e.Wave))
	}
	text("reason", string(e.Reason))
	text("verifier", e.Verifier)
	text("note", e.Note)
	text("error", e.Error)
	return attrs
}
