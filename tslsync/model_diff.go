package tslsync

import (
	"cmp"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Diff returns what is different at the target, in the order of the paths. It is empty for models that differ in nothing
// but the order of features, of parameters and of values, and in formatting. Both models must be of the same form: see
// [Parse]. What the platform makes of the properties (the event "post", the services "set" and "get") is reported only
// where it does not follow from a change of the properties.
func Diff(source, target *Model) []Change {
	d := &differ{}
	var top site
	d.field(top, "schema", source.Schema, target.Schema, 0, "it is where the schema is kept")
	const both = BreaksDevice | BreaksCaller
	d.field(top, "productKey", source.ProductKey, target.ProductKey, both, "it is the model of another product")
	d.field(top, "version", source.Version, target.Version, 0, "versions are numbered by each instance")
	d.field(top, "description", source.Description, target.Description, 0, forPeople)
	d.extra(top, source.Extra, target.Extra)
	d.features("", source.Features, target.Features)
	for a, b := range pairs(source.Blocks, target.Blocks, func(b *Block) string { return b.Identifier }) {
		d.block(a, b)
	}
	slices.SortFunc(d.changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return d.changes
}

const forPeople = "it is for people"

type differ struct{ changes []Change }

// field compares what is text; empty means that it is not there.
func (d *differ) field(s site, name, from, to string, breaks Breaks, why string) {
	switch {
	case from == to:
	case from == "":
		d.added(s.at(name), to, breaks, why)
	case to == "":
		d.removed(s.at(name), from, breaks, why)
	default:
		d.changes = append(d.changes, Change{s.at(name).path(), Changed, from, to, breaks, why})
	}
}

func (d *differ) added(s site, to string, breaks Breaks, why string) {
	d.changes = append(d.changes, Change{s.path(), Added, "", to, breaks, why})
}

func (d *differ) removed(s site, from string, breaks Breaks, why string) {
	d.changes = append(d.changes, Change{s.path(), Removed, from, "", breaks, why})
}

func (d *differ) extra(s site, a, b ExtraFields) {
	const why = "the field is not known to iotferry"
	for name, v := range a {
		d.field(s, name, string(v), string(b[name]), 0, why)
	}
	for name, v := range b {
		if _, ok := a[name]; !ok {
			d.added(s.at(name), string(v), 0, why)
		}
	}
}

const unused = "no device and no caller uses it yet"

func (d *differ) block(a, b *Block) {
	switch {
	case b == nil:
		const why = "no feature of the block is served"
		d.removed(site{parent: "blocks", name: a.Identifier}, a.Name, BreaksDevice|BreaksCaller, why)
	case a == nil:
		d.added(site{parent: "blocks", name: b.Identifier}, b.Name, 0, unused)
	default:
		s := site{parent: "blocks", name: a.Identifier}
		d.field(s, "name", a.Name, b.Name, 0, forPeople)
		d.extra(s, a.Extra, b.Extra)
		d.features(s.path(), a.Features, b.Features)
	}
}

func (d *differ) features(block string, a, b Features) {
	first := len(d.changes)
	list := join(block, "properties")
	for x, y := range pairs(a.Properties, b.Properties, func(p *Property) string { return p.Identifier }) {
		d.property(list, x, y)
	}
	echoes := newEchoes(list+".", d.changes[first:])
	first = len(d.changes)
	list = join(block, "events")
	for x, y := range pairs(a.Events, b.Events, func(e *Event) string { return e.Identifier }) {
		d.event(list, x, y)
	}
	list = join(block, "services")
	for x, y := range pairs(a.Services, b.Services, func(s *Service) string { return s.Identifier }) {
		d.service(list, x, y)
	}
	made := func(c Change) bool { return echoes.has(strings.TrimPrefix(c.Path, block+"."), c) }
	d.changes = d.changes[:first+len(slices.DeleteFunc(d.changes[first:], made))]
}

func (d *differ) property(list string, a, b *Property) {
	switch {
	case b == nil:
		const why = "what devices report of it may be refused, and callers do not find it"
		d.removed(site{parent: list, name: a.Identifier}, describe(&a.Type), BreaksDevice|BreaksCaller, why)
		return
	case a == nil:
		d.added(site{parent: list, name: b.Identifier}, describe(&b.Type), 0, unused)
		return
	}
	s := site{list, a.Identifier, a.Access != AccessWrite, a.Access != AccessRead}
	d.access(s, a.Access, b.Access)
	d.flag(s, a.Required, b.Required)
	d.extended(s, a.Extended, b.Extended)
	d.parameter(s, &a.Parameter, &b.Parameter)
}

// access breaks whoever loses a mode.
func (d *differ) access(s site, a, b Access) {
	has := func(mode Access, letter string) bool { return strings.Contains(string(mode), letter) }
	var breaks Breaks
	why := "it allows more than before"
	if has(a, "w") && !has(b, "w") {
		breaks |= BreaksCaller
		why = "callers cannot set it any more"
	}
	if has(a, "r") && !has(b, "r") {
		breaks |= BreaksDevice | BreaksCaller
		why = "devices cannot report it any more, and callers cannot read it"
	}
	d.field(s, "access", string(a), string(b), breaks, why)
}

func (d *differ) flag(s site, a, b bool) {
	const why = "it says what the product's category demands; it is not documented that anything is refused for it"
	d.field(s, "required", strconv.FormatBool(a), strconv.FormatBool(b), 0, why)
}

func (d *differ) extended(s site, a, b json.RawMessage) {
	d.field(s, "extendConfig", string(a), string(b), BreaksDevice, "gateways translate what devices send by it")
}

func (d *differ) event(list string, a, b *Event) {
	switch {
	case b == nil:
		const why = "devices that report it may be refused, and callers do not get it"
		d.removed(site{parent: list, name: a.Identifier}, string(a.Type), BreaksDevice|BreaksCaller, why)
		return
	case a == nil:
		d.added(site{parent: list, name: b.Identifier}, string(b.Type), 0, unused)
		return
	}
	s := site{list, a.Identifier, true, false}
	d.field(s, "name", a.Name, b.Name, 0, forPeople)
	d.field(s, "description", a.Description, b.Description, 0, forPeople)
	d.field(s, "type", string(a.Type), string(b.Type), BreaksCaller, "callers choose events by their type")
	d.field(s, "method", a.Method, b.Method, BreaksDevice, "devices name the method when they report")
	d.flag(s, a.Required, b.Required)
	d.extended(s, a.Extended, b.Extended)
	d.extra(s, a.Extra, b.Extra)
	d.parameters(s.at("output"), a.Output, b.Output)
}

func (d *differ) service(list string, a, b *Service) {
	switch {
	case b == nil:
		d.removed(site{parent: list, name: a.Identifier}, string(a.Call), BreaksCaller, "callers that invoke it are refused")
		return
	case a == nil:
		d.added(site{parent: list, name: b.Identifier}, string(b.Call), 0, unused)
		return
	}
	s := site{parent: list, name: a.Identifier}
	d.field(s, "name", a.Name, b.Name, 0, forPeople)
	d.field(s, "description", a.Description, b.Description, 0, forPeople)
	d.field(s, "callType", string(a.Call), string(b.Call), BreaksCaller, "callers get the answer in another way")
	d.field(s, "method", a.Method, b.Method, BreaksDevice, "devices know the service by its method")
	d.flag(s, a.Required, b.Required)
	d.extended(s, a.Extended, b.Extended)
	d.extra(s, a.Extra, b.Extra)
	d.parameters(site{s.path(), "input", false, true}, a.Input, b.Input)
	d.parameters(site{s.path(), "output", true, false}, a.Output, b.Output)
}

// echoes are the changes of properties, by their paths from the identifier on.
type echoes map[string]Change

func newEchoes(prefix string, properties []Change) echoes {
	e := echoes{}
	for _, c := range properties {
		e[strings.TrimPrefix(c.Path, prefix)] = c
	}
	return e
}

// has reports whether a change only repeats one of a property.
func (e echoes) has(path string, c Change) bool {
	for _, made := range []string{"events.post.output.", "services.set.input.", "services.get.input.", "services.get.output."} {
		if rest, ok := strings.CutPrefix(path, made); ok {
			return e.repeats(rest, c)
		}
	}
	return false
}

func (e echoes) repeats(path string, c Change) bool {
	if _, ok := e[path+".access"]; ok && c.Kind != Changed {
		return true // in or out of the list of what can be set or read
	}
	p, ok := e[path]
	nameless := c.From == "" && c.To == ""
	return ok && p.Kind == c.Kind && (nameless || p.From == c.From && p.To == c.To)
}

// pairs yields the elements of two lists that have the same identifier; nil stands for one that a list does not have.
func pairs[T any](a, b []T, id func(*T) string) iter.Seq2[*T, *T] {
	return func(yield func(*T, *T) bool) {
		a, b := a, b
		for len(a) > 0 && len(b) > 0 && id(&a[0]) == id(&b[0]) { // mostly they stand in the same order
			if !yield(&a[0], &b[0]) {
				return
			}
			a, b = a[1:], b[1:]
		}
		unordered(a, b, id, yield)
	}
}

func unordered[T any](a, b []T, id func(*T) string, yield func(*T, *T) bool) {
	others := make(map[string]*T, len(b))
	for i := range b {
		others[id(&b[i])] = &b[i]
	}
	for i := range a {
		name := id(&a[i])
		if !yield(&a[i], others[name]) {
			return
		}
		delete(others, name)
	}
	for i := range b {
		if others[id(&b[i])] != nil && !yield(nil, &b[i]) {
			return
		}
	}
}
