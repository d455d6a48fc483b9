package fleet

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A path leads from the top of a file to a value.
type path []step

// A step is one part of a path: a field, or an element of an array if the name is nil.
type step struct {
	name  *string
	index int
}

// String returns the path in the form devices[17].gateway. A name that would blur it stands quoted in
// brackets: devices[17].labels["two words"].
func (p path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case s.name == nil:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case !plain(*s.name):
			b.WriteString("[" + strconv.Quote(clip(*s.name)) + "]")
		case i > 0:
			b.WriteString("." + *s.name)
		default:
			b.WriteString(*s.name)
		}
	}
	return b.String()
}

func plain(name string) bool {
	return name != "" && len(name) <= clipLen && strings.IndexFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-$", r)
	}) < 0
}

// clipLen is how many bytes of a file's text an error shows: enough for every valid one.
const clipLen = 64

func clip(s string) string {
	if len(s) <= clipLen {
		return s
	}
	end := clipLen
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}
