package configdiff

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A Moment is when configurations are compared: it decides whether what is not at the target will come, or should be there.
type Moment string

// The moments.
const (
	BeforeMove Moment = "before" // nothing has come along yet
	AfterMove  Moment = "after"  // everything that comes along has come
)

// Compare returns what is different at the target, in a fixed order. It is pure. A kind that was not read on both sides is not
// compared.
func Compare(m Moment, source, target *Config) []Difference {
	c := &comparison{moment: m, source: source, target: target, groups: mapGroups(source.Groups, target.Groups)}
	if m == AfterMove {
		c.products()
	}
	for _, part := range []struct {
		kind    Kind
		compare func()
	}{
		{Rule, c.rules}, {Parser, c.parsers}, {ConsumerGroup, c.consumerGroups}, {Subscription, c.subscriptions},
		{ThingModel, c.models}, {Script, c.scripts}, {DeviceGroup, c.deviceGroups}, {Job, c.jobs}, {Update, c.updates}, {Scene, c.scenes},
	} {
		if !unread(source, part.kind) && !unread(target, part.kind) {
			part.compare()
		}
	}
	sortDifferences(c.out)
	return c.out
}

func unread(c *Config, k Kind) bool {
	return slices.ContainsFunc(c.Unread, func(u Unread) bool { return u.Kind == k })
}

// A comparison is the work of [Compare].
type comparison struct {
	moment         Moment
	source, target *Config
	groups         groupMap
	out            []Difference
}

func (c *comparison) add(d Difference) { c.out = append(c.out, d) }

// products tells of products that are not at the target at all, and leaves out what they have: one word for all of it.
func (c *comparison) products() {
	gone := map[string]bool{}
	for _, key := range c.source.Products {
		if _, there := slices.BinarySearch(c.target.Products, key); there {
			continue
		}
		gone[key] = true
		c.add(Difference{
			Kind: Product, Change: Missing, Severity: Work, Product: key,
			Why: fmt.Sprintf("product %s is not at the target: it comes along with its first device, and its rules and subscriptions with it.", key),
			Do:  "Compare again when devices of it have moved.",
		})
	}
	if len(gone) > 0 {
		c.source = c.source.without(gone)
	}
}

// without returns a configuration without what some products have.
func (c *Config) without(gone map[string]bool) *Config {
	out := *c
	out.Products = slices.DeleteFunc(slices.Clone(c.Products), func(key string) bool { return gone[key] })
	out.Rules = slices.DeleteFunc(slices.Clone(c.Rules), func(r iot.RuleDetail) bool { return gone[r.ProductKey] })
	out.Subscriptions = slices.DeleteFunc(slices.Clone(c.Subscriptions), func(s iot.Subscription) bool { return gone[s.ProductKey] })
	out.Updates = slices.DeleteFunc(slices.Clone(c.Updates), func(u UpdateBatch) bool { return gone[u.ProductKey] })
	out.Parsers = slices.DeleteFunc(slices.Clone(c.Parsers), func(p iot.Parser) bool {
		stays := func(s iot.ParserSource) bool { return !gone[s.ProductKey] }
		return len(p.Sources) > 0 && !slices.ContainsFunc(p.Sources, stays)
	})
	return &out
}

// only returns a configuration with what some products have, and with what belongs to none.
func (c *Config) only(products []string) *Config {
	others := map[string]bool{}
	for _, key := range c.Products {
		others[key] = !slices.Contains(products, key)
	}
	return c.without(others)
}

func (c *comparison) before() bool { return c.moment == BeforeMove }

// A thing is one entry of a list, as it is compared.
type thing struct {
	product, name, id string
	values            flat
	lists             map[string][]flat // whose order does not count
}

// differs returns what is not the same.
func (x thing) differs(y thing) []Field {
	source, target := flat{}, flat{}
	maps.Copy(source, x.values)
	maps.Copy(target, y.values)
	for path := range x.lists {
		align(path, x.lists[path], y.lists[path], source, target)
	}
	return difference(source, target)
}

// align puts two lists into tables so that what belongs together has one place, that at the source: what is equal is left out, of what
// has the same type the most alike are compared, and what is left is on one side alone.
func align(path string, from, to []flat, source, target flat) {
	put := func(table flat, entry flat, place int) {
		for name, value := range entry {
			table[fmt.Sprintf("%s[%d].%s", path, place, name)] = value
		}
	}
	to = slices.Clone(to)
	var rest []int
	for i, a := range from {
		if j := slices.IndexFunc(to, func(b flat) bool { return maps.Equal(a, b) }); j >= 0 {
			to = slices.Delete(to, j, j+1)
		} else {
			rest = append(rest, i)
		}
	}
	for _, i := range rest {
		put(source, from[i], i)
		best := -1
		for j, b := range to {
			if b["type"] == from[i]["type"] && (best < 0 || len(difference(from[i], b)) < len(difference(from[i], to[best]))) {
				best = j
			}
		}
		if best >= 0 {
			put(target, to[best], i)
			to = slices.Delete(to, best, best+1)
		}
	}
	for j, b := range to {
		put(target, b, len(from)+j)
	}
}

// pairs matches the things of both sides that have the same name in the same product. Where several have, those that are equal
// belong together, and the others in the order of their IDs.
func pairs(source, target []thing) (both [][2]thing, onlySource, onlyTarget []thing) {
	byName := func(list []thing) map[string][]thing {
		m := map[string][]thing{}
		for _, x := range list {
			key := x.product + "/" + x.name
			m[key] = append(m[key], x)
		}
		for _, same := range m {
			slices.SortFunc(same, func(a, b thing) int { return strings.Compare(a.id, b.id) })
		}
		return m
	}
	left, right := byName(source), byName(target)
	for key, as := range left {
		bs := right[key]
		var rest []thing
		for _, a := range as {
			i := slices.IndexFunc(bs, func(b thing) bool { return len(a.differs(b)) == 0 })
			if i < 0 {
				rest = append(rest, a)
				continue
			}
			both = append(both, [2]thing{a, bs[i]})
			bs = slices.Delete(slices.Clone(bs), i, i+1)
		}
		n := min(len(rest), len(bs))
		for i := range n {
			both = append(both, [2]thing{rest[i], bs[i]})
		}
		onlySource, onlyTarget = append(onlySource, rest[n:]...), append(onlyTarget, bs[n:]...)
		delete(right, key)
	}
	for _, bs := range right {
		onlyTarget = append(onlyTarget, bs...)
	}
	return both, onlySource, onlyTarget
}

// What is said of the differences of a kind that comes along with a migration.
type wording struct {
	kind    Kind
	what    string // such as "rule"
	newID   string // who minds a new ID
	missing string // what follows if it is missing
	unsure  string // what is not documented; empty for nothing
}

// compareMoving compares things that come along with the devices.
func (c *comparison) compareMoving(w wording, source, target []thing) {
	both, missing, extra := pairs(source, target)
	for _, p := range both {
		a, b := p[0], p[1]
		d := Difference{Kind: w.kind, Product: a.product, Name: a.name, SourceID: a.id, TargetID: b.id, Severity: Note, Change: NewID}
		fields := a.differs(b)
		switch {
		case len(fields) > 0:
			d.Change, d.Severity, d.Fields = Changed, Loss, fields
			d.Why = fmt.Sprintf("%s %s is not the same at the target.", w.what, quoted(a.name))
			d.Do = "Make it what it is at the source, or decide that the target is right."
		case a.id == b.id:
			continue
		default:
			d.Why = fmt.Sprintf("%s %s exists at the target under a new ID.", w.what, quoted(a.name))
			d.Do = w.newID
		}
		c.add(d)
	}
	for _, a := range missing {
		d := Difference{Kind: w.kind, Change: Missing, Severity: Loss, Product: a.product, Name: a.name, SourceID: a.id}
		d.Why = fmt.Sprintf("%s %s did not come along: %s", w.what, quoted(a.name), w.missing)
		d.Do = "Create it at the target."
		if c.before() {
			d.Change, d.Severity = NewID, Note
			d.Why = fmt.Sprintf("%s %s will come along, under a new ID.%s", w.what, quoted(a.name), w.unsure)
			d.Do = w.newID
			if w.unsure != "" {
				d.Severity = Work
			}
		}
		c.add(d)
	}
	c.addExtra(w.kind, w.what, extra)
}

func (c *comparison) addExtra(k Kind, what string, extra []thing) {
	for _, b := range extra {
		c.add(Difference{
			Kind: k, Change: Extra, Severity: Note, Product: b.product, Name: b.name, TargetID: b.id,
			Why: fmt.Sprintf("%s %s exists at the target alone.", what, quoted(b.name)),
		})
	}
}

// compareStaying compares things that a migration leaves behind: somebody, or a stage, has to create them again.
func (c *comparison) compareStaying(k Kind, what, do string, source, target []thing) {
	both, missing, extra := pairs(source, target)
	for _, p := range both {
		if fields := p[0].differs(p[1]); len(fields) > 0 {
			c.add(Difference{
				Kind: k, Change: Changed, Severity: Work, Product: p[0].product, Name: p[0].name, SourceID: p[0].id, TargetID: p[1].id, Fields: fields,
				Why: fmt.Sprintf("%s %s is not the same at the target.", what, quoted(p[0].name)),
				Do:  "Make it what it is at the source, or decide that the target is right.",
			})
		}
	}
	for _, a := range missing {
		d := Difference{
			Kind: k, Change: Missing, Severity: Work, Product: a.product, Name: a.name, SourceID: a.id, Do: do,
			Why: fmt.Sprintf("%s %s is not at the target: a migration does not bring it along.", what, quoted(a.name)),
		}
		if c.before() {
			d.Why = fmt.Sprintf("%s %s will not come along.", what, quoted(a.name))
		}
		c.add(d)
	}
	c.addExtra(k, what, extra)
}
