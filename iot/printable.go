package iot

import (
	"strconv"
	"strings"
	"unicode"
)

// Printable returns s with everything that does not print escaped, so that what the platform says can be shown: it cannot
// move the cursor, colour the screen or begin a new line. Markup is not its business.
func Printable(s string) string {
	if strings.IndexFunc(s, hidden) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func hidden(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }
