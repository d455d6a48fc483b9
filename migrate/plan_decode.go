package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A strictDecoder reads JSON into structs, by their json tags, and is strict where package json is lenient:
// names are exact and none stands twice, none is unknown, none is missing but those that may be empty,
// and null is no value. It reads a stream, and its errors name the place.
type strictDecoder struct {
	dec *json.Decoder
	raw json.RawMessage
}

// A place is where a value stands in a text.
type place struct {
	in    *place
	field string // or, if empty, the index
	index int
}

// String returns the JSON path, such as lanes[2].stages[0].name.
func (p *place) String() string {
	switch {
	case p == nil:
		return ""
	case p.field == "":
		return fmt.Sprintf("%s[%d]", p.in, p.index)
	case p.in == nil:
		return p.field
	}
	return p.in.String() + "." + p.field
}

func (p *place) refuse(format string, args ...any) error {
	return refuse("%s: %s", p.name(), fmt.Sprintf(format, args...))
}

func (p *place) name() string {
	if p == nil {
		return "the text"
	}
	return p.String()
}

// fault says where err happened. What is wrong with the text is of kind Invalid, all else stays what it is.
func (p *place) fault(err error) error {
	_, syntax := errors.AsType[*json.SyntaxError](err)
	_, value := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return p.refuse("the text ends here")
	case syntax, value, errors.Is(err, iot.Invalid):
		return p.refuse("%v", err)
	}
	return fmt.Errorf("%s: %w", p.name(), err)
}

// document reads one value and makes sure that nothing follows it.
func (d *strictDecoder) document(v any) error {
	if err := d.value(reflect.ValueOf(v).Elem(), nil); err != nil {
		return err
	}
	if _, err := d.dec.Token(); !errors.Is(err, io.EOF) {
		return refuse("there is something after the end, at byte %d", d.dec.InputOffset())
	}
	return nil
}

func (d *strictDecoder) value(v reflect.Value, at *place) error {
	_, own := v.Addr().Interface().(json.Unmarshaler)
	switch {
	case own:
		return d.leaf(v, at)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem(), at)
	case v.Kind() == reflect.Struct:
		return d.object(v, at)
	case v.Kind() == reflect.Slice:
		return d.list(v, at)
	}
	return d.leaf(v, at)
}

func (d *strictDecoder) leaf(v reflect.Value, at *place) error {
	if err := d.dec.Decode(&d.raw); err != nil {
		return at.fault(err)
	}
	if string(d.raw) == "null" {
		return at.refuse("null is no value")
	}
	if err := json.Unmarshal(d.raw, v.Addr().Interface()); err != nil {
		return at.fault(err)
	}
	return nil
}

func (d *strictDecoder) open(delim json.Delim, what string, at *place) error {
	t, err := d.dec.Token()
	if err != nil {
		return at.fault(err)
	}
	if t != delim {
		return at.refuse("want %s", what)
	}
	return nil
}

// end reads the closing delimiter.
func (d *strictDecoder) end(at *place) error {
	if _, err := d.dec.Token(); err != nil {
		return at.fault(err)
	}
	return nil
}

func (d *strictDecoder) list(v reflect.Value, at *place) error {
	if err := d.open('[', "a list", at); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for i := 0; d.dec.More(); i++ {
		v.Grow(1)
		v.SetLen(i + 1)
		if err := d.value(v.Index(i), &place{in: at, index: i}); err != nil {
			return err
		}
	}
	return d.end(at)
}

func (d *strictDecoder) object(v reflect.Value, at *place) error {
	if err := d.open('{', "an object", at); err != nil {
		return err
	}
	seen := map[string]bool{}
	for d.dec.More() {
		t, err := d.dec.Token()
		if err != nil {
			return at.fault(err)
		}
		name, _ := t.(string) // the decoder takes nothing else here
		here := &place{in: at, field: name}
		field := fieldOf(v, name)
		if !field.IsValid() {
			return here.refuse("unknown field")
		}
		if seen[name] {
			return here.refuse("the field stands twice")
		}
		seen[name] = true
		if err := d.value(field, here); err != nil {
			return err
		}
	}
	for i := range v.NumField() {
		if name, optional := tagOf(v.Type().Field(i)); !optional && !seen[name] {
			return (&place{in: at, field: name}).refuse("the field is missing")
		}
	}
	return d.end(at)
}

// fieldOf returns the field of a struct that has a name in JSON, or the zero Value.
func fieldOf(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if tag, _ := tagOf(v.Type().Field(i)); tag == name {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

func tagOf(f reflect.StructField) (name string, optional bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name, strings.Contains(options, "omit")
}
