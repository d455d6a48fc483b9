package tslsync

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/iotferry/iotferry/iot"
)

// A reader walks decoded JSON. It keeps the first error; what is read after it does not count.
type reader struct{ err error }

// A node is a value and its place. Numbers are json.Number.
type node struct {
	r     *reader
	up    *node
	key   string // in an object
	index int    // in a list, if key is empty
	value any
}

// decode reads one JSON value and nothing after it.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("more than one JSON value at byte %d", d.InputOffset())
	}
	return value, nil
}

func (n *node) path() string {
	switch {
	case n.up == nil:
		return "$"
	case n.key != "":
		return n.up.path() + "." + n.key
	}
	return n.up.path() + "[" + strconv.Itoa(n.index) + "]"
}

func (n *node) fail(format string, args ...any) {
	if n.r.err == nil {
		n.r.err = invalid(n.path()+": "+fmt.Sprintf(format, args...), nil)
	}
}

func invalid(message string, cause error) error {
	return &iot.Error{Kind: iot.Invalid, Op: "thing model", Message: message, Err: cause}
}

// expected fails, because a value is not what it should be.
func (n *node) expected(what string) { n.fail("%s expected, found %s", what, kindOf(n.value)) }

// kindOf names what a JSON value is.
func kindOf(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	}
	return "an object"
}

// list returns the elements of a list.
func (n *node) list() []*node {
	values, ok := n.value.([]any)
	if !ok {
		n.expected("a list")
	}
	nodes := make([]*node, len(values))
	for i, v := range values {
		nodes[i] = &node{r: n.r, up: n, index: i, value: v}
	}
	return nodes
}

// scalar returns text, or a number as it is written.
func (n *node) scalar() string {
	switch v := n.value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	n.expected("text")
	return ""
}

// An object gives its fields away. What nobody took is extra.
type object struct {
	at     *node
	fields map[string]any
}

func (n *node) object() object {
	fields, ok := n.value.(map[string]any)
	if !ok {
		n.expected("an object")
	}
	return object{n, fields}
}

// take returns the first of some fields that is there, and not null; nil if none is.
func (o object) take(names ...string) *node {
	for _, name := range names {
		if v := o.fields[name]; v != nil {
			delete(o.fields, name)
			return &node{r: o.at.r, up: o.at, key: name, value: v}
		}
	}
	return nil
}

// text is empty if there is none.
func (o object) text(names ...string) string {
	n := o.take(names...)
	if n == nil {
		return ""
	}
	return n.scalar()
}

// needed is text that must be there.
func (o object) needed(names ...string) string {
	text := o.text(names...)
	if text == "" {
		o.at.fail("%s is missing", names[0])
	}
	return text
}

func (o object) flag(name string) bool {
	n := o.take(name)
	if n == nil {
		return false
	}
	yes, ok := n.value.(bool)
	if !ok {
		n.expected("a boolean")
	}
	return yes
}

// number is empty if there is none.
func (o object) number(name string) Number {
	n := o.take(name)
	if n == nil || n.value == "" {
		return ""
	}
	number, ok := parseNumber(n.scalar())
	if !ok {
		n.fail("a number of up to %d digits expected", maxDigits)
	}
	return number
}

// list is empty if there is none.
func (o object) list(names ...string) []*node {
	n := o.take(names...)
	if n == nil {
		return nil
	}
	return n.list()
}

// rest adds what nobody took to extra fields, but no null.
func (o object) rest(extra ExtraFields, prefix string) ExtraFields {
	for name, v := range o.fields {
		if v == nil {
			continue
		}
		if extra == nil {
			extra = ExtraFields{}
		}
		extra[prefix+name] = canonical(v)
	}
	return extra
}

// canonical writes decoded JSON in the form of [ExtraFields].
func canonical(value any) json.RawMessage { return appendCanonical(nil, value) }

func appendCanonical(out []byte, value any) []byte {
	switch v := value.(type) {
	case map[string]any:
		return appendObject(out, v)
	case []any:
		out = append(out, '[')
		for i, item := range v {
			if i > 0 {
				out = append(out, ',')
			}
			out = appendCanonical(out, item)
		}
		return append(out, ']')
	case json.Number:
		if n, ok := parseNumber(v.String()); ok {
			return append(out, n...)
		}
		return append(out, v...)
	case string:
		return appendText(out, v)
	case bool:
		return strconv.AppendBool(out, v)
	}
	return append(out, "null"...)
}

func appendObject(out []byte, fields map[string]any) []byte {
	out = append(out, '{')
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendText(out, name), ':')
		out = appendCanonical(out, fields[name])
	}
	return append(out, '}')
}

func appendText(out []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil { // no text is refused
		return append(out, `""`...)
	}
	return append(out, quoted...)
}
