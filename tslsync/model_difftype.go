package tslsync

import "strconv"

// A site is where a thing is in the models, and who sends values of it: up is what devices send, down is what callers send.
// Its path is put together only for a change: most things are equal.
type site struct {
	parent, name string
	up, down     bool
}

func (s site) path() string { return join(s.parent, s.name) }

// at is a part of the thing.
func (s site) at(name string) site { return site{s.path(), name, s.up, s.down} }

func join(parent, name string) string {
	if parent == "" || name == "" {
		return parent + name
	}
	return parent + "." + name
}

// senders breaks whoever sends values that are no longer accepted.
func (s site) senders() Breaks {
	var b Breaks
	if s.up {
		b |= BreaksDevice
	}
	if s.down {
		b |= BreaksCaller
	}
	return b
}

// describe names a type in few words.
func describe(t *DataType) string {
	if t.Kind == Array && t.Item != nil {
		return string(t.Kind) + " of " + string(t.Item.Kind)
	}
	return string(t.Kind)
}

func (d *differ) parameters(s site, a, b []Parameter) {
	if len(a) == 0 && len(b) == 0 {
		return
	}
	parent := s.path()
	for x, y := range pairs(a, b, func(p *Parameter) string { return p.Identifier }) {
		if x != nil && y != nil {
			d.parameter(site{parent, x.Identifier, s.up, s.down}, x, y)
		} else {
			d.parameterOf(s, x, y)
		}
	}
}

// parameterOf reports a parameter that only one of them has.
func (d *differ) parameterOf(s site, a, b *Parameter) {
	switch {
	case b == nil:
		const why = "what is sent with it may be refused, and nobody gets it"
		d.removed(s.at(a.Identifier), describe(&a.Type), s.senders()|BreaksCaller, why)
	case s.down:
		d.added(s.at(b.Identifier), describe(&b.Type), BreaksCaller, "a call without it may be refused")
	default:
		d.added(s.at(b.Identifier), describe(&b.Type), 0, "devices need not send it")
	}
}

func (d *differ) parameter(s site, a, b *Parameter) {
	d.field(s, "name", a.Name, b.Name, 0, forPeople)
	d.field(s, "description", a.Description, b.Description, 0, forPeople)
	d.extra(s, a.Extra, b.Extra)
	d.dataType(s, &a.Type, &b.Type)
}

func (d *differ) dataType(s site, a, b *DataType) {
	if a.Kind != b.Kind {
		d.kind(s, a, b)
		return
	}
	d.limit(s, "min", a.Min, b.Min, func() bool { return b.Min.compare(a.Min) > 0 })
	d.limit(s, "max", a.Max, b.Max, func() bool { return b.Max.compare(a.Max) < 0 })
	d.limit(s, "step", a.Step, b.Step, func() bool { return !b.Step.divides(a.Step) })
	d.limit(s, "length", a.Length, b.Length, func() bool { return b.Length.compare(a.Length) < 0 })
	d.limit(s, "size", a.Size, b.Size, func() bool { return b.Size.compare(a.Size) < 0 })
	d.field(s, "unit", a.Unit, b.Unit, BreaksCaller, "callers read a quantity in another unit")
	d.field(s, "unitName", a.UnitName, b.UnitName, 0, forPeople)
	d.extra(s, a.Extra, b.Extra)
	d.values(s, a.Values, b.Values)
	if a.Kind == Struct {
		d.parameters(s.at("fields"), a.Fields, b.Fields)
	}
	d.item(s, a.Item, b.Item)
}

// kind reports another type, and nothing of what comes with it.
func (d *differ) kind(s site, a, b *DataType) {
	breaks, why := BreaksCaller, "callers read and write another type"
	if s.up && !wider(a.Kind, b.Kind) {
		breaks |= BreaksDevice
		why += ", and devices still send the old one"
	}
	d.field(s, "type", describe(a), describe(b), breaks, why)
}

// wider reports whether the platform takes every value of one kind for one of the other.
func wider(from, to Kind) bool {
	return from == Int && to == Double || from == Float && to == Double || from == Int && to == Float
}

// limit compares a bound; tighter compares two that are there.
func (d *differ) limit(s site, name string, from, to Number, tighter func() bool) {
	if from == to {
		return
	}
	var breaks Breaks
	why := "it allows no less than before"
	if to != "" && (from == "" || tighter()) {
		breaks, why = s.senders(), "values that were allowed may be refused"
	}
	d.field(s, name, string(from), string(to), breaks, why)
}

func (d *differ) values(s site, a, b []Value) {
	if len(a) == 0 && len(b) == 0 {
		return
	}
	s = s.at("values")
	for x, y := range pairs(a, b, (*Value).path) {
		switch {
		case y == nil:
			d.removed(s.at(x.path()), x.Name, s.senders(), "the value may be refused")
		case x == nil:
			d.added(s.at(y.path()), y.Name, 0, unused)
		default:
			d.field(s, x.path(), x.Name, y.Name, BreaksCaller, "the value may mean something else")
			d.extra(s.at(x.path()), x.Extra, y.Extra)
		}
	}
}

func (v *Value) path() string { return strconv.FormatInt(v.Key, 10) }

func (d *differ) item(s site, a, b *DataType) {
	switch {
	case a != nil && b != nil:
		d.dataType(s.at("item"), a, b)
	case b != nil:
		d.added(s.at("item"), describe(b), s.senders(), "elements of other types may be refused")
	case a != nil:
		d.removed(s.at("item"), describe(a), BreaksCaller, "elements may be of any type")
	}
}
