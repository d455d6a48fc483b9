package tslsync_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iotferry/iotferry/tslsync"
)

// modelSeed makes one run's random models; a failure prints it.
func modelSeed(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestDiffOfEqualModelsIsEmpty(t *testing.T) {
	r := modelSeed(t)
	for range 200 {
		model := randomModel(r)
		a, b := render(model, r), render(model, r)
		if changes := tslsync.Diff(mustParse(t, a), mustParse(t, b)); len(changes) != 0 {
			t.Fatalf("%+v\n%s\n%s", changes, a, b)
		}
	}
}

func TestDiffFindsOneMutation(t *testing.T) {
	r := modelSeed(t)
	for range 1000 {
		text := render(randomModel(r), r)
		source, target := mustParse(t, text), mustParse(t, text)
		ways := mutations(target)
		way := ways[r.IntN(len(ways))]
		way.make()
		for _, pair := range [][2]*tslsync.Model{{source, target}, {target, source}} {
			if changes := tslsync.Diff(pair[0], pair[1]); len(changes) != 1 {
				t.Fatalf("%s: %+v in\n%s", way.name, changes, text)
			}
		}
	}
}

// A dot is a number that may be written in many ways.
type dot string

// randomModel makes a model as JSON, in which all lists stand in any order.
func randomModel(r *rand.Rand) map[string]any {
	m := randomFeatures(r, "")
	m["profile"] = map[string]any{"productKey": "a1Random001", "version": "1.0"}
	m["link"] = map[string]any{"a": dot("10"), "b": []any{true}}
	blocks := []any{}
	for i := range r.IntN(3) {
		b := randomFeatures(r, "in block")
		b["functionBlockId"], b["functionBlockName"] = fmt.Sprint("block", i), "a block"
		blocks = append(blocks, b)
	}
	m["functionBlocks"] = blocks
	return m
}

func randomFeatures(r *rand.Rand, note string) map[string]any {
	properties, events, services := []any{}, []any{}, []any{}
	for _, p := range randomParameters(r, 1+r.IntN(4), 0) {
		f := p.(map[string]any)
		f["accessMode"], f["required"] = []string{"r", "w", "rw"}[r.IntN(3)], r.IntN(2) == 0
		f["note"], f["extendConfig"] = note, map[string]any{"scaling": dot("0.1")}
		properties = append(properties, f)
	}
	for i := range r.IntN(3) {
		events = append(events, map[string]any{
			"identifier": fmt.Sprint("event", i), "name": "an event", "type": "info", "method": "m", "note": note,
			"outputData": randomParameters(r, r.IntN(3), 0),
		})
		services = append(services, map[string]any{
			"identifier": fmt.Sprint("service", i), "name": "a service", "callType": "sync", "method": "m", "desc": "d",
			"inputData": randomParameters(r, r.IntN(3), 0), "outputData": randomParameters(r, r.IntN(3), 0),
		})
	}
	return map[string]any{"properties": properties, "events": events, "services": services}
}

func randomParameters(r *rand.Rand, n, depth int) []any {
	list := []any{}
	for i := range n {
		list = append(list, map[string]any{
			"identifier": fmt.Sprint("p", i), "name": fmt.Sprint("name ", i), "dataType": randomType(r, depth),
		})
	}
	return list
}

func randomType(r *rand.Rand, depth int) map[string]any {
	kinds := []string{"int", "float", "double", "text", "date", "bool", "enum", "blob", "struct", "array"}
	if depth > 2 {
		kinds = kinds[:8]
	}
	kind := kinds[r.IntN(len(kinds))]
	var specs any = map[string]any{}
	switch kind {
	case "int", "float", "double":
		specs = map[string]any{"min": dot("-20"), "max": dot("1500"), "step": dot("0.05"), "unit": "V", "unitName": "volt", "precise": dot("2")}
	case "text":
		specs = map[string]any{"length": dot("128")}
	case "bool", "enum":
		specs = map[string]any{"0": "off", "1": "on", "-7": "odd"}
	case "blob":
		specs = map[string]any{"any": []any{dot("100")}}
	case "struct":
		specs = randomParameters(r, 1+r.IntN(3), depth+1)
	case "array":
		specs = map[string]any{"size": dot("10"), "item": randomType(r, depth+1)}
	}
	return map[string]any{"type": kind, "specs": specs}
}

// render writes a model, with lists and fields in any order, white space, and numbers in any form.
func render(value any, r *rand.Rand) json.RawMessage {
	var b strings.Builder
	write(&b, value, r, false)
	return json.RawMessage(b.String())
}

func write(b *strings.Builder, value any, r *rand.Rand, quotes bool) {
	b.WriteString([]string{"", " ", "\n\t"}[r.IntN(3)])
	switch v := value.(type) {
	case map[string]any:
		b.WriteByte('{')
		for i, name := range shuffled(r, slices.Sorted(maps.Keys(v))) {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(b, "%q :", name)
			write(b, v[name], r, name != "scaling" && name != "a" && name != "precise")
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for i, item := range shuffled(r, slices.Clone(v)) {
			if i > 0 {
				b.WriteByte(',')
			}
			write(b, item, r, false)
		}
		b.WriteByte(']')
	case dot:
		forms := map[dot][]string{
			"10": {"10", "1e1", "10.0"}, "0.1": {"0.1", "1E-1", "0.10"}, "-20": {"-20", "-2e+1"}, "2": {"2", "2.0"},
			"1500": {"1500", "1.5e3"}, "0.05": {"0.05", "5e-2"}, "128": {"128", "128.00"}, "100": {"100", "1e2"},
		}[v]
		form := forms[r.IntN(len(forms))]
		if quotes && r.IntN(2) == 0 {
			form = fmt.Sprintf("%q", form)
		}
		b.WriteString(form)
	default:
		fmt.Fprintf(b, "%s", must(json.Marshal(v)))
	}
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

func shuffled[T any](r *rand.Rand, list []T) []T {
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// A mutation changes one thing of a model.
type mutation struct {
	name string
	make func()
}

type mutator struct{ ways []mutation }

func mutations(m *tslsync.Model) []mutation {
	var w mutator
	w.text("schema", &m.Schema)
	w.text("product key", &m.ProductKey)
	w.text("version", &m.Version)
	w.extra(&m.Extra)
	w.features(&m.Features)
	drop(&w, "block", &m.Blocks)
	for i := range m.Blocks {
		w.text("block's name", &m.Blocks[i].Name)
		w.features(&m.Blocks[i].Features)
	}
	return w.ways
}

func (w *mutator) add(name string, f func()) { w.ways = append(w.ways, mutation{name, f}) }

func (w *mutator) text(name string, s *string) { w.add(name, func() { *s += "7" }) }

func (w *mutator) extra(e *tslsync.ExtraFields) {
	w.add("extra field", func() {
		all := tslsync.ExtraFields{"new": json.RawMessage("1")}
		maps.Copy(all, *e)
		*e = all
	})
}

func drop[T any](w *mutator, name string, list *[]T) {
	for i := range *list {
		w.add("no "+name, func() { *list = slices.Delete(*list, i, i+1) })
	}
}

func (w *mutator) features(f *tslsync.Features) {
	drop(w, "property", &f.Properties)
	drop(w, "event", &f.Events)
	drop(w, "service", &f.Services)
	for i := range f.Properties {
		p := &f.Properties[i]
		w.add("access", func() { p.Access = map[tslsync.Access]tslsync.Access{"r": "rw", "w": "r", "rw": "w"}[p.Access] })
		w.add("required", func() { p.Required = !p.Required })
		w.add("extended", func() { p.Extended = json.RawMessage(`{}`) })
		w.parameter(&p.Parameter)
	}
	for i := range f.Events {
		e := &f.Events[i]
		w.text("event's name", &e.Name)
		w.text("event's method", &e.Method)
		w.add("event's type", func() { e.Type = tslsync.EventError })
		w.extra(&e.Extra)
		w.parameters(&e.Output)
	}
	for i := range f.Services {
		s := &f.Services[i]
		w.text("service's description", &s.Description)
		w.add("call type", func() { s.Call = tslsync.CallAsync })
		w.add("service required", func() { s.Required = !s.Required })
		w.parameters(&s.Input)
		w.parameters(&s.Output)
	}
}

func (w *mutator) parameters(list *[]tslsync.Parameter) {
	drop(w, "parameter", list)
	for i := range *list {
		w.parameter(&(*list)[i])
	}
}

func (w *mutator) parameter(p *tslsync.Parameter) {
	w.text("parameter's name", &p.Name)
	w.text("parameter's description", &p.Description)
	w.extra(&p.Extra)
	w.dataType(&p.Type)
}

func (w *mutator) dataType(t *tslsync.DataType) {
	w.add("kind", func() { t.Kind += "7" })
	w.add("min", func() { t.Min += "7" })
	w.add("max", func() { t.Max += "7" })
	w.add("step", func() { t.Step += "7" })
	w.add("length", func() { t.Length += "7" })
	w.add("size", func() { t.Size += "7" })
	w.text("unit", &t.Unit)
	w.text("name of the unit", &t.UnitName)
	w.extra(&t.Extra)
	drop(w, "value", &t.Values)
	for i := range t.Values {
		w.text("value's name", &t.Values[i].Name)
		w.extra(&t.Values[i].Extra)
	}
	w.parameters(&t.Fields)
	if t.Item != nil {
		w.dataType(t.Item)
		w.add("no item", func() { t.Item = nil })
	}
}
