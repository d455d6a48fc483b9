package rpc

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"sync"
)

// A decoder reads JSON as the platform writes it and the vendor's SDK reads it: keys in their exact case, numbers and
// booleans that may stand in strings, null and "" for what is empty. The zero value is ready to use; it is safe for
// concurrent use.
type decoder struct {
	fields sync.Map // of a struct's type: map[string]int, the index of the field by key
}

var (
	errNotJSON   = errors.New("it is not JSON")
	errNotStruct = errors.New("a pointer to a struct is wanted to decode into")
)

// decode reads one JSON value into the struct that out points to. What was in it and is not in the JSON stays. Errors name the
// place and what was wanted there, never what was found.
func (d *decoder) decode(data []byte, out any) error {
	if !json.Valid(data) { // it bounds the depth as well
		return errNotJSON
	}
	return d.decodeValid(data, out)
}

// decodeValid is decode for JSON that is known to be valid.
func (d *decoder) decodeValid(data []byte, out any) error {
	v := reflect.ValueOf(out)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return errNotStruct
	}
	s := &scan{data: data}
	s.space()
	return d.value(s, v.Elem())
}

// value reads the next value into v.
func (d *decoder) value(s *scan, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Pointer:
		return d.pointer(s, v)
	case reflect.Struct:
		return d.object(s, v)
	case reflect.Slice:
		if raw, ok := v.Addr().Interface().(*json.RawMessage); ok {
			*raw = append(json.RawMessage(nil), s.skip()...)
			return nil
		}
		return d.list(s, v)
	}
	return scalar(s, v)
}

func (d *decoder) pointer(s *scan, v reflect.Value) error {
	if s.empty() {
		s.skip()
		v.SetZero()
		return nil
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return d.value(s, v.Elem())
}

func (d *decoder) object(s *scan, v reflect.Value) error {
	if s.empty() {
		s.skip()
		v.SetZero()
		return nil
	}
	if s.peek() != '{' {
		return wanted("an object")
	}
	fields := d.fieldsOf(v.Type())
	for s.open(); !s.closed(); s.comma() {
		i, ok := fields[string(s.key())]
		if !ok {
			s.skip()
			continue
		}
		if err := d.value(s, v.Field(i)); err != nil {
			return within(v.Type().Field(i).Name, err)
		}
	}
	return nil
}

func (d *decoder) list(s *scan, v reflect.Value) error {
	v.SetZero()
	if s.empty() {
		s.skip()
		return nil
	}
	if s.peek() != '[' {
		return wanted("a list")
	}
	for s.open(); !s.closed(); s.comma() {
		i := v.Len()
		if i == v.Cap() {
			v.Grow(1)
		}
		v.SetLen(i + 1)
		v.Index(i).SetZero()
		if err := d.value(s, v.Index(i)); err != nil {
			return within("["+strconv.Itoa(i)+"]", err)
		}
	}
	return nil
}

// fieldsOf returns the fields of a struct by their keys: the json names, or else the names.
func (d *decoder) fieldsOf(t reflect.Type) map[string]int {
	if known, ok := d.fields.Load(t); ok {
		return known.(map[string]int)
	}
	fields := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		key := f.Tag.Get("json")
		if key == "" {
			key = f.Name
		}
		fields[key] = i
	}
	d.fields.Store(t, fields)
	return fields
}

// scalar reads a string, a number or a boolean into v, whichever of them v is.
func scalar(s *scan, v reflect.Value) error {
	switch s.peek() {
	case '{', '[':
		return wanted("a single value")
	}
	text := s.text()
	switch {
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		b, ok := boolean(text)
		if !ok {
			return wanted("true or false")
		}
		v.SetBool(b)
	case v.CanInt():
		n, ok := integer(text)
		if !ok || v.OverflowInt(n) {
			return wanted("a whole number")
		}
		v.SetInt(n)
	case v.CanFloat():
		f, err := strconv.ParseFloat(zeroed(text), 64)
		if err != nil || v.OverflowFloat(f) {
			return wanted("a number")
		}
		v.SetFloat(f)
	default:
		return fmt.Errorf("%s is no type to decode into", v.Type())
	}
	return nil
}

func boolean(text string) (value, ok bool) {
	switch text {
	case "true", "True", "TRUE", "1":
		return true, true
	case "false", "False", "FALSE", "0", "":
		return false, true
	}
	return false, false
}

func integer(text string) (int64, bool) {
	switch text {
	case "true":
		return 1, true
	case "", "false":
		return 0, true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64) // 12.0, 1.7e9
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

func zeroed(text string) string {
	if text == "" {
		return "0"
	}
	return text
}

// A mismatch says where the JSON is not what its reader wants.
type mismatch struct{ place, want string }

func (m *mismatch) Error() string { return m.place + ": " + m.want + " is wanted" }

func wanted(what string) error { return &mismatch{want: what} }

// within puts a place before that of an error.
func within(place string, err error) error {
	m, ok := errors.AsType[*mismatch](err)
	if !ok {
		return err
	}
	if m.place != "" && m.place[0] != '[' {
		place += "."
	}
	m.place = place + m.place
	return m
}
