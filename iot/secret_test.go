package iot_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/iotferry/iotferry/iot"
)

const hidden = "s3cret-Text"

// vault is a struct as careless code has it: package fmt does not ask the methods of unexported fields.
type vault struct {
	Public  iot.Secret
	private iot.Secret
	pointer *iot.Secret
	list    []iot.Secret
	byName  map[string]iot.Secret
}

func newVault() vault {
	s := iot.NewSecret(hidden)
	return vault{s, s, &s, []iot.Secret{s}, map[string]iot.Secret{"lamp": s}}
}

func TestSecretIsNotPrinted(t *testing.T) {
	secret := iot.NewSecret(hidden)
	values := []any{
		secret, &secret, []iot.Secret{secret}, map[string]iot.Secret{"lamp": secret},
		iot.Credential{Secret: secret}, newVault(), fmt.Errorf("sign in with %v", secret),
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%t", "%c", "%U", "%p", "%T", "%20.3s"} {
		for _, value := range values {
			expectHidden(t, verb, fmt.Sprintf(verb, value))
		}
	}
	expectHidden(t, "Sprint", fmt.Sprint(values...))
}

func TestSecretSaysThatItIsRedacted(t *testing.T) {
	secret := iot.NewSecret(hidden)
	const want = "[redacted]"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if got := fmt.Sprintf(verb, secret); got != want {
			t.Errorf("%s: got %q, want %q", verb, got, want)
		}
	}
	if got := secret.String(); got != want {
		t.Errorf("String: got %q, want %q", got, want)
	}
}

func TestSecretIsNotMarshalled(t *testing.T) {
	got, err := json.Marshal(map[string]any{
		"credential": iot.Credential{Secret: iot.NewSecret(hidden)}, "vault": newVault(),
		"keys": map[string]iot.Secret{"lamp": iot.NewSecret(hidden)},
	})
	if err != nil {
		t.Fatal(err)
	}
	expectHidden(t, "JSON", string(got))
	if n := strings.Count(string(got), `"[redacted]"`); n != 3 {
		t.Errorf("%d secrets are redacted, want 3: %s", n, got)
	}
}

func TestSecretIsNotLogged(t *testing.T) {
	secret := iot.NewSecret(hidden)
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			slog.New(handler(&out)).Info("signing in", "secret", secret, "pointer", &secret,
				"credential", iot.Credential{Secret: secret}, "vault", newVault(), slog.Group("in", "secret", secret),
				"error", errors.New(secret.String()))
			expectHidden(t, name, out.String())
			if !strings.Contains(out.String(), "[redacted]") {
				t.Errorf("nothing says that a secret was there: %s", out.String())
			}
		})
	}
}

func expectHidden(t *testing.T, how, got string) {
	t.Helper()
	for _, leak := range []string{hidden[:3], fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden), fmt.Sprintf("% x", hidden)} {
		if strings.Contains(got, leak) {
			t.Errorf("%s shows the secret: %s", how, got)
		}
	}
}

func TestSecretReveals(t *testing.T) {
	for _, text := range []string{hidden, "", "[redacted]"} {
		if got := iot.NewSecret(text).Reveal(); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
}

func TestSecretsCompareByText(t *testing.T) {
	if iot.NewSecret(hidden) != iot.NewSecret(hidden[:3]+hidden[3:]) || iot.NewSecret(hidden) == iot.NewSecret("other") {
		t.Error("secrets do not compare by their text")
	}
	var zero iot.Secret
	if zero.Reveal() != "" || iot.NewSecret("") != zero {
		t.Error("the zero value is not the empty secret")
	}
}
