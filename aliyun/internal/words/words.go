// Package words makes what the platform says fit to be shown: without secrets, on one line, of bounded length.
package words

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxWords = 300 // bytes of the platform's words in an error
	redacted = "[redacted]"
)

// signed finds where the gateway quotes the string that it signed, and with it every parameter.
var signed = regexp.MustCompile(`(?is)string\s*to\s*sign.*`)

// Clean returns words of the platform that can be shown: one line of bounded length without secrets.
func Clean(words string, secrets []string) string {
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

// Identifier returns a code or an ID of the platform, or nothing if it is none: it comes from outside and is printed. It has letters,
// digits and what else stands in punctuation, and at most so many bytes.
func Identifier(s, punctuation string, most int) string {
	other := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(punctuation, r))
	}
	if len(s) > most || strings.ContainsFunc(s, other) {
		return ""
	}
	return s
}
