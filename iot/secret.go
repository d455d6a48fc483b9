package iot

import (
	"fmt"
	"log/slog"
	"unique"
)

// A Secret is a text that must not be shown: it prints, logs and marshals as "[redacted]". Reveal
// returns the text itself. Secrets compare by their text. The zero value is the empty secret.
type Secret struct {
	// Package fmt prints unexported fields without asking their methods. Of a handle it shows an address.
	text unique.Handle[string]
}

const redacted = "[redacted]"

// NewSecret returns text as a secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: unique.Make(text)}
}

// Reveal returns the secret text, for signing with it.
func (s Secret) Reveal() string {
	if s == (Secret{}) {
		return ""
	}
	return s.text.Value()
}

// String returns "[redacted]".
func (s Secret) String() string { return redacted }

// Format prints "[redacted]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue logs "[redacted]".
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText writes "[redacted]".
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
