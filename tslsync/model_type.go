package tslsync

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// specs takes the specs of ThingModelJson, which stand beside the type.
func (o object) specs() *node { return o.take("dataSpecs", "dataSpecsList", "childSpecsDTO") }

// parseType reads the data type of a parameter: an object in TSL, a word in ThingModelJson.
func parseType(o object, depth int) DataType {
	n := o.take("dataType")
	if n == nil {
		o.at.fail("dataType is missing")
		return DataType{}
	}
	if _, ok := n.value.(string); ok {
		return parseSpecs(n, o.specs(), depth)
	}
	return parseTyped(n.object(), depth)
}

// parseTyped reads {"type": ..., "specs": ...}.
func parseTyped(o object, depth int) DataType {
	kind := o.take("type")
	if kind == nil {
		o.at.fail("type is missing")
		return DataType{}
	}
	t := parseSpecs(kind, o.take("specs"), depth)
	t.Extra = o.rest(t.Extra, "")
	return t
}

// parseSpecs reads the specs of a kind; there may be none.
func parseSpecs(kind, specs *node, depth int) DataType {
	t := DataType{Kind: Kind(strings.ToLower(kind.scalar()))}
	if depth > maxNesting {
		kind.fail("data types are nested more than %d deep", maxNesting)
		return t
	}
	if specs == nil {
		return t
	}
	switch t.Kind {
	case Bool, Enum:
		t.Values = parseValues(specs)
	case Struct:
		t.Fields = parseFields(specs, depth+1)
	case Int, Float, Double, Text, Date, Array:
		parseLimits(&t, specs.object(), depth+1)
	default:
		t.Extra = ExtraFields{"specs": canonical(specs.value)}
	}
	return t
}

func parseLimits(t *DataType, o object, depth int) {
	switch t.Kind {
	case Int, Float, Double:
		t.Min, t.Max, t.Step = o.number("min"), o.number("max"), o.number("step")
		t.Unit, t.UnitName = o.text("unit"), o.text("unitName")
	case Text, Date:
		t.Length = o.number("length")
	case Array:
		t.Size = o.number("size")
		t.Item = parseItem(o, depth)
	}
	o.take("dataType") // ThingModelJson repeats the kind
	t.Extra = o.rest(t.Extra, "specs.")
}

// parseItem reads the type of an array's elements; nil if there is none.
func parseItem(o object, depth int) *DataType {
	if n := o.take("item"); n != nil {
		t := parseTyped(n.object(), depth)
		return &t
	}
	if kind := o.take("childDataType"); kind != nil {
		t := parseSpecs(kind, o.specs(), depth)
		return &t
	}
	return nil
}

func parseFields(specs *node, depth int) []Parameter {
	holder := object{specs.up, map[string]any{specs.key: specs.value}}
	return parseParameters(holder, depth, specs.key)
}

// parseValues reads {"0": "off"}, or the list of ThingModelJson.
func parseValues(specs *node) []Value {
	var values []Value
	if _, ok := specs.value.([]any); ok {
		for _, n := range specs.list() {
			o := n.object()
			o.take("dataType") // ThingModelJson repeats the kind
			values = append(values, Value{Key: key(n, o.needed("value")), Name: o.text("name"), Extra: o.rest(nil, "")})
		}
	} else {
		o := specs.object()
		for _, name := range slices.Sorted(maps.Keys(o.fields)) {
			n := &node{r: specs.r, up: specs, key: name, value: o.fields[name]}
			values = append(values, Value{Key: key(n, name), Name: n.scalar()})
		}
	}
	slices.SortStableFunc(values, func(a, b Value) int { return cmp.Compare(a.Key, b.Key) })
	for i := 1; i < len(values); i++ {
		if values[i].Key == values[i-1].Key {
			specs.fail("value %d stands twice", values[i].Key)
		}
	}
	return values
}

// key reads the number of a value.
func key(n *node, text string) int64 {
	k, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		n.fail("a whole number expected as value, found %q", text)
	}
	return k
}
