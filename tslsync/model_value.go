package tslsync

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strconv"
)

// A Tolerance says how far two numbers may be apart and still be equal, relative to the greater of their magnitudes: for
// values of the kinds float and double. The zero value tells any two numbers apart. Zero is equal to zero alone.
type Tolerance struct{ Float, Double float64 }

// The tolerances of [EqualValue]. They forgive what a number loses on its way through single or double precision and
// back into text, and no more.
const (
	DefaultFloatTolerance  = 1e-6
	DefaultDoubleTolerance = 1e-12
)

// EqualValue is [Tolerance.Equal] with the default tolerances.
func EqualValue(spec DataType, a, b json.RawMessage) bool {
	return Tolerance{DefaultFloatTolerance, DefaultDoubleTolerance}.Equal(spec, a, b)
}

// Equal reports whether two values, in JSON, are equal as values of a data type. The platform writes values of all
// types as text, so that "1", 1 and 1.0 are one int, and "{\"a\":1}" is a struct.
//
//   - int, enum and date (milliseconds): the same number; bool: also true for 1 and false for 0;
//   - float and double: numbers within the tolerance;
//   - text: the same characters; the number 1 is not the text "1";
//   - struct: the same fields, in any order, each by its own type; a missing field is not one that is null;
//   - array: the same elements in the same order.
//
// Fields that the data type does not have, values that do not fit it, and those of a kind that is not known are equal
// if their JSON is, in any order of fields and any form of numbers. Text that is no JSON is equal to itself alone.
func (t Tolerance) Equal(spec DataType, a, b json.RawMessage) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, y := unquote(a), unquote(b)
	switch spec.Kind {
	case Int, Enum, Date:
		return sameNumber(x, y, 0)
	case Bool:
		return sameNumber(bit(x), bit(y), 0)
	case Float:
		return sameNumber(x, y, t.Float)
	case Double:
		return sameNumber(x, y, t.Double)
	case Struct:
		return t.sameFields(spec, x, y)
	case Array:
		return t.sameItems(spec, x, y)
	}
	return sameJSON(a, b)
}

// unquote returns what text holds, and all else as it is.
func unquote(value []byte) []byte {
	value = bytes.TrimSpace(value)
	if len(value) < 2 || value[0] != '"' {
		return value
	}
	if inner := value[1 : len(value)-1]; !bytes.ContainsAny(inner, `\"`) && value[len(value)-1] == '"' {
		return inner
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return value
	}
	return []byte(text)
}

// bit writes a boolean as the platform does.
func bit(value []byte) []byte {
	switch string(value) {
	case "true":
		return []byte("1")
	case "false":
		return []byte("0")
	}
	return value
}

func sameNumber(a, b []byte, tolerance float64) bool {
	if bytes.Equal(a, b) {
		return true
	}
	m, ok := parseNumber(string(a))
	n, also := parseNumber(string(b))
	if !ok || !also {
		return !ok && !also && sameJSON(a, b)
	}
	return m == n || tolerance > 0 && near(m, n, tolerance)
}

func near(m, n Number, tolerance float64) bool {
	x, err := strconv.ParseFloat(string(m), 64)
	y, also := strconv.ParseFloat(string(n), 64)
	if err != nil || also != nil { // beyond a double, which has no precision to forgive
		return false
	}
	return math.Abs(x-y) <= tolerance*max(math.Abs(x), math.Abs(y)) && x != 0 && y != 0
}

func (t Tolerance) sameFields(spec DataType, a, b []byte) bool {
	var x, y map[string]json.RawMessage
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil || x == nil || y == nil {
		return sameJSON(a, b)
	}
	if len(x) != len(y) {
		return false
	}
	for name, value := range x {
		other, ok := y[name]
		if !ok || !t.Equal(spec.field(name), value, other) {
			return false
		}
	}
	return true
}

// field is empty for a name that the struct does not have.
func (t DataType) field(name string) DataType {
	i := slices.IndexFunc(t.Fields, func(p Parameter) bool { return p.Identifier == name })
	if i < 0 {
		return DataType{}
	}
	return t.Fields[i].Type
}

func (t Tolerance) sameItems(spec DataType, a, b []byte) bool {
	var x, y []json.RawMessage
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil || x == nil || y == nil {
		return sameJSON(a, b)
	}
	var item DataType
	if spec.Item != nil {
		item = *spec.Item
	}
	return slices.EqualFunc(x, y, func(v, w json.RawMessage) bool { return t.Equal(item, v, w) })
}

func sameJSON(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, err := decode(a)
	y, also := decode(b)
	return err == nil && also == nil && bytes.Equal(canonical(x), canonical(y))
}
