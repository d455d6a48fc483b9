package configdiff

import (
	"encoding/json"
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

const readAgain = "Let programs that name it by its ID read the ID again at the target, and pass the target's IotInstanceId."

func (c *comparison) rules() {
	list := func(rules []iot.RuleDetail, rename func(string) string) (out []thing) {
		for _, r := range rules {
			out = append(out, ruleThing(r, rename))
		}
		return out
	}
	c.compareMoving(wording{
		kind: Rule, what: "rule", newID: readAgain, missing: "what it forwarded is not forwarded any more.",
	}, list(c.source.Rules, asItIs), list(c.target.Rules, c.groups.asSource))
}

func ruleThing(r iot.RuleDetail, rename func(string) string) thing {
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
	return thing{product: r.ProductKey, name: r.Name, id: r.ID, values: f, lists: map[string][]flat{"actions": outputs}}
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

func (c *comparison) parsers() {
	list := func(parsers []iot.Parser, rename func(string) string) (out []thing) {
		for _, p := range parsers {
			out = append(out, parserThing(p, rename))
		}
		return out
	}
	c.compareMoving(wording{
		kind: Parser, what: "parser", newID: readAgain, missing: "what it forwarded is not forwarded any more.",
		unsure: " That parsers do is not documented in so many words, only that forwarding does: look after the first gray batch.",
	}, list(c.source.Parsers, asItIs), list(c.target.Parsers, c.groups.asSource))
}

func parserThing(p iot.Parser, rename func(string) string) thing {
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
	return thing{name: p.Name, id: p.ID, values: f, lists: map[string][]flat{"sources": sources, "destinations": destinations}}
}
