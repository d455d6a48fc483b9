package configdiff

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

const readAgain = "Let programs that name it by its ID read the ID again at the target, and pass the target's IotInstanceId."

func (c *comparison) rules() {
	list := func(rules []iot.RuleDetail, rename func(string) string) (out []thing) {
		for _, r := range rules {
			out = append(out, thing{r.ProductKey, r.Name, r.ID, ruleValues(r, rename)})
		}
		return out
	}
	c.compareMoving(wording{
		kind: Rule, what: "rule", newID: readAgain, missing: "what it forwarded is not forwarded any more.",
	}, list(c.source.Rules, asItIs), list(c.target.Rules, c.groups.asSource))
}

func ruleValues(r iot.RuleDetail, rename func(string) string) flat {
	f := flat{}
	f.put("topic", r.Topic)
	f.put("dataType", r.DataType)
	f.put("select", r.Select)
	f.put("where", r.Where)
	f.put("running", fmt.Sprint(r.Running))
	outputs := make([]flat, 0, len(r.Outputs))
	for _, o := range r.Outputs {
		outputs = append(outputs, outputValues(o.Type, o.Configuration, o.OnError, rename))
	}
	f.list("actions", outputs)
	return f
}

func outputValues(kind string, configuration json.RawMessage, onError bool, rename func(string) string) flat {
	f := flat{}
	f.put("type", kind)
	f.json("configuration", configuration, rename)
	if onError {
		f.put("onError", "true")
	}
	return f
}

// list adds tables whose order does not count: they are put in one of their own.
func (f flat) list(path string, tables []flat) {
	slices.SortFunc(tables, func(a, b flat) int { return slices.Compare(a.lines(), b.lines()) })
	for i, table := range tables {
		for name, value := range table {
			f[fmt.Sprintf("%s[%d].%s", path, i, name)] = value
		}
	}
}

// lines returns a table in a fixed order, its kind first.
func (f flat) lines() []string {
	var out []string
	for path, value := range f {
		out = append(out, path+"="+value)
	}
	slices.Sort(out)
	return append([]string{f["type"]}, out...)
}

func (c *comparison) parsers() {
	list := func(parsers []iot.Parser, rename func(string) string) (out []thing) {
		for _, p := range parsers {
			out = append(out, thing{"", p.Name, p.ID, parserValues(p, rename)})
		}
		return out
	}
	c.compareMoving(wording{
		kind: Parser, what: "parser", newID: readAgain, missing: "what it forwarded is not forwarded any more.",
		unsure: " That parsers do is not documented in so many words, only that forwarding does: look after the first gray batch.",
	}, list(c.source.Parsers, asItIs), list(c.target.Parsers, c.groups.asSource))
}

func parserValues(p iot.Parser, rename func(string) string) flat {
	f := flat{}
	f.put("script", p.Script)
	f.put("draft", p.Draft)
	f.put("running", fmt.Sprint(p.Running))
	var sources, destinations []flat
	for _, s := range p.Sources {
		source := flat{}
		source.put("topic", s.Topic)
		source.put("scope", s.Scope)
		source.put("productKey", s.ProductKey)
		source.put("deviceName", s.DeviceName)
		sources = append(sources, source)
	}
	for _, o := range p.Destinations {
		destination := outputValues(o.Type, o.Configuration, o.OnError, rename)
		destination.put("name", o.Name)
		destinations = append(destinations, destination)
	}
	f.list("sources", sources)
	f.list("destinations", destinations)
	return f
}
