package tslsync

import (
	"math/big"
	"strconv"
	"strings"
)

// A Number is a decimal number in the one form that this package writes for its value: 100 for "100", 1E2 and 100.0. No
// digits are lost. It is empty if there is no number.
type Number string

// Beyond these a number is refused: whoever compares it would have to write it out.
const (
	maxDigits = 400
	maxPlain  = 24 // digits; a longer number has an exponent
)

// parseNumber is false for text that is no decimal number.
func parseNumber(text string) (Number, bool) {
	text, negative := cutSign(strings.TrimSpace(text))
	mantissa, exponent, hasExponent := cutExponent(text)
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := whole + fraction
	if digits == "" || len(digits) > maxDigits || !allDigits(digits) {
		return "", false
	}
	shift := 0
	if hasExponent {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || max(shift, -shift) > maxDigits {
			return "", false
		}
	}
	n := plain(digits, shift-len(fraction))
	if negative && n != "0" {
		n = "-" + n
	}
	return Number(n), true
}

func cutSign(text string) (rest string, negative bool) {
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		return rest, true
	}
	return strings.TrimPrefix(text, "+"), false
}

func cutExponent(text string) (mantissa, exponent string, ok bool) {
	i := strings.IndexAny(text, "eE")
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

func allDigits(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

// plain writes digits × 10^shift.
func plain(digits string, shift int) string {
	short := strings.TrimRight(digits, "0")
	shift += len(digits) - len(short)
	short = strings.TrimLeft(short, "0")
	point := len(short) + shift // digits before the point
	switch {
	case short == "":
		return "0"
	case point > maxPlain || point-len(short) < -maxPlain:
		return short + "e" + strconv.Itoa(shift)
	case shift >= 0:
		return short + strings.Repeat("0", shift)
	case point > 0:
		return short[:point] + "." + short[point:]
	}
	return "0." + strings.Repeat("0", -point) + short
}

// rat is nil if there is no number: Parse makes none, a model made by hand may have anything.
func (n Number) rat() *big.Rat {
	short, ok := parseNumber(string(n))
	if !ok {
		return nil
	}
	r, _ := new(big.Rat).SetString(string(short))
	return r
}

// compare returns -1, 0 or 1, as n is less than, equal to or more than other. What is no number is compared as text.
func (n Number) compare(other Number) int {
	a, b := n.rat(), other.rat()
	if a == nil || b == nil {
		return strings.Compare(string(n), string(other))
	}
	return a.Cmp(b)
}

// divides reports whether every multiple of other is one of n.
func (n Number) divides(other Number) bool {
	a, b := n.rat(), other.rat()
	return a != nil && b != nil && a.Sign() != 0 && b.Quo(b, a).IsInt()
}
