package tslsync

import (
	"encoding/json"
	"strings"
)

// maxNesting is more than any thing model needs: the platform allows structs in arrays.
const maxNesting = 16

// Parse reads a published thing model in either of the platform's two forms: the TSL of GetThingModelTslPublished, and the
// ThingModelJson of QueryThingModelPublished, whose words are translated (READ_ONLY becomes "r"). Fields that are not known
// are kept as [ExtraFields]; a field that is null counts as absent. Numbers may be written as text.
//
// Its error is [iot.Invalid] and names the place in the JSON: for text that is no JSON, values of a wrong type, features
// without an identifier or a data type, an identifier that stands twice in its list, and data types nested too deeply.
func Parse(text json.RawMessage) (*Model, error) {
	value, err := decode(text)
	if err != nil {
		return nil, invalid("$: no JSON", err)
	}
	r := &reader{}
	m := parseModel((&node{r: r, value: value}).object())
	if r.err != nil {
		return nil, r.err
	}
	return m, nil
}

func parseModel(o object) *Model {
	m := &Model{Schema: o.text("schema"), ProductKey: o.text("productKey"), Features: parseFeatures(o)}
	if n := o.take("profile", "_ppk"); n != nil {
		p := n.object()
		m.Version, m.Description = p.text("version"), p.text("description")
		if m.ProductKey == "" {
			m.ProductKey = p.text("productKey")
		}
		m.Extra = p.rest(nil, n.key+".")
	}
	for _, n := range o.list("functionBlocks") {
		m.Blocks = append(m.Blocks, parseBlock(n.object()))
	}
	unique(o.at, "functionBlocks", m.Blocks, func(b *Block) string { return b.Identifier })
	m.Extra = o.rest(m.Extra, "")
	return m
}

func parseBlock(o object) Block {
	return Block{
		Identifier: o.needed("functionBlockId", "identifier"),
		Name:       o.text("functionBlockName", "name"),
		Features:   parseFeatures(o),
		Extra:      o.rest(nil, ""),
	}
}

func parseFeatures(o object) (f Features) {
	for _, n := range o.list("properties") {
		f.Properties = append(f.Properties, parseProperty(n.object()))
	}
	for _, n := range o.list("events") {
		f.Events = append(f.Events, parseEvent(n.object()))
	}
	for _, n := range o.list("services") {
		f.Services = append(f.Services, parseService(n.object()))
	}
	unique(o.at, "properties", f.Properties, func(p *Property) string { return p.Identifier })
	unique(o.at, "events", f.Events, func(e *Event) string { return e.Identifier })
	unique(o.at, "services", f.Services, func(s *Service) string { return s.Identifier })
	return f
}

// unique fails if an identifier stands twice in a list.
func unique[T any](at *node, list string, items []T, id func(*T) string) {
	seen := make(map[string]bool, len(items))
	for i := range items {
		name := id(&items[i])
		if seen[name] {
			up := &node{r: at.r, up: at, key: list}
			(&node{r: at.r, up: up, index: i}).fail("identifier %q stands twice", name)
			return
		}
		seen[name] = true
	}
}

func parseProperty(o object) Property {
	return Property{
		Access:    access(o.text("accessMode", "rwFlag")),
		Required:  o.flag("required"),
		Extended:  extended(o),
		Parameter: parseParameter(o, 1),
	}
}

func parseEvent(o object) Event {
	grave := o.text("type", "eventType")
	return Event{
		Identifier:  o.needed("identifier"),
		Name:        o.text("name", "eventName"),
		Description: o.text("desc", "description"),
		Type:        EventType(strings.ToLower(strings.TrimSuffix(grave, "_EVENT_TYPE"))),
		Method:      o.text("method"),
		Required:    o.flag("required"),
		Output:      parseParameters(o, 1, "outputData", "outputdata"),
		Extended:    extended(o),
		Extra:       o.rest(nil, ""),
	}
}

func parseService(o object) Service {
	return Service{
		Identifier:  o.needed("identifier"),
		Name:        o.text("name", "serviceName"),
		Description: o.text("desc", "description"),
		Call:        CallType(strings.ToLower(o.text("callType"))),
		Method:      o.text("method"),
		Required:    o.flag("required"),
		Input:       parseParameters(o, 1, "inputData", "inputParams"),
		Output:      parseParameters(o, 1, "outputData", "outputParams"),
		Extended:    extended(o),
		Extra:       o.rest(nil, ""),
	}
}

// access translates the words of ThingModelJson.
func access(text string) Access {
	switch text {
	case "READ_ONLY":
		return AccessRead
	case "WRITE_ONLY":
		return AccessWrite
	case "READ_WRITE":
		return AccessReadWrite
	}
	return Access(text)
}

// extended reads the extended TSL of a feature, an object or the text of one.
func extended(o object) json.RawMessage {
	n := o.take("extendConfig")
	if n == nil {
		return nil
	}
	if text, ok := n.value.(string); ok {
		if inner, err := decode([]byte(text)); err == nil {
			return canonical(inner)
		}
	}
	return canonical(n.value)
}

// parseParameters reads a list of parameters. Names alone are those of the service "get".
func parseParameters(o object, depth int, names ...string) []Parameter {
	n := o.take(names...)
	if n == nil {
		return nil
	}
	var list []Parameter
	for _, item := range n.list() {
		if name, ok := item.value.(string); ok {
			list = append(list, Parameter{Identifier: name})
			continue
		}
		list = append(list, parseParameter(item.object(), depth))
	}
	unique(o.at, n.key, list, func(p *Parameter) string { return p.Identifier })
	return list
}

// parseParameter reads what is left of an object. A part of a struct has a "childDataType" in ThingModelJson.
func parseParameter(o object, depth int) Parameter {
	p := Parameter{Identifier: o.needed("identifier")}
	if kind := o.take("childDataType"); kind != nil {
		o.take("dataType") // that of the struct
		p.Name = o.text("childName", "name")
		p.Type = parseSpecs(kind, o.specs(), depth)
	} else {
		p.Name = o.text("name")
		p.Type = parseType(o, depth)
	}
	p.Description = o.text("desc", "description")
	p.Extra = o.rest(nil, "")
	return p
}
