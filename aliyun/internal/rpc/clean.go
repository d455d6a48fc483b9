package rpc

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxWords      = 300 // bytes of the platform's words in an error
	maxIdentifier = 100 // bytes of a code or a request ID
	redacted      = "[redacted]"
)

// signed finds where the gateway quotes the string that it signed, and with it every parameter.
var signed = regexp.MustCompile(`(?is)string\s*to\s*sign.*`)

// clean returns words of the platform that can be shown: one line of bounded length without secrets.
func clean(words string, secrets []string) string {
	words = signed.ReplaceAllLiteralString(strings.ToValidUTF8(words, "\uFFFD"), redacted)
	for _, secret := range secrets {
		for range 3 { // as it is, in a query, and in a string to sign
			if secret != "" {
				words = strings.ReplaceAll(words, secret, redacted)
			}
			secret = url.QueryEscape(secret)
		}
	}
	words = strings.Join(strings.FieldsFunc(words, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	return cut(words, maxWords)
}

// cut shortens a text to so many bytes, between characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + "…"
}

// identifier returns a code or an ID of the platform, or nothing if it is none: it comes from outside and is printed.
func identifier(s string) string {
	other := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}
	if len(s) > maxIdentifier || strings.ContainsFunc(s, other) {
		return ""
	}
	return s
}
