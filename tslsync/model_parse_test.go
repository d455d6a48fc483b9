package tslsync_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/tslsync"
)

func TestParse(t *testing.T) {
	const text = `{"schema": "s", "profile": {"productKey": "k", "version": "1.0", "owner": null}, "link": "/l",
		"properties": [{"identifier": "Fills", "name": "Fills", "desc": "d", "accessMode": "r", "required": true,
			"extendConfig": "{\"b\": 1.0, \"a\": 2}",
			"dataType": {"type": "array", "specs": {"size": 4, "item": {"type": "struct", "specs": [
				{"identifier": "Volume", "name": "V", "dataType": {"type": "double", "specs": {
					"min": "0", "max": 1e3, "step": "1e-06", "unit": "m³", "unitName": "cubic metre", "precise": "2"}}},
				{"identifier": "Grade", "name": "G", "dataType": {"type": "enum", "specs": {"10": "pure", "2": "raw"}}}]}}}}],
		"events": [{"identifier": "Alarm", "name": "A", "desc": null, "type": "alert", "method": "m", "outputData": [
			{"identifier": "At", "name": "At", "dataType": {"type": "date", "specs": {}}}]}],
		"services": [{"identifier": "get", "callType": "async", "inputData": ["Fills"], "outputData": []}],
		"functionBlocks": [{"functionBlockId": "b", "functionBlockName": "B", "productKey": "k",
			"properties": [{"identifier": "On", "accessMode": "rw", "dataType": {"type": "bool", "specs": {"0": "off", "1": "on"}}}]}]}`
	volume := tslsync.DataType{
		Kind: tslsync.Double, Min: "0", Max: "1000", Step: "0.000001", Unit: "m³", UnitName: "cubic metre",
		Extra: tslsync.ExtraFields{"specs.precise": json.RawMessage(`"2"`)},
	}
	grade := tslsync.DataType{Kind: tslsync.Enum, Values: []tslsync.Value{{Key: 2, Name: "raw"}, {Key: 10, Name: "pure"}}}
	fills := tslsync.DataType{Kind: tslsync.Array, Size: "4", Item: &tslsync.DataType{Kind: tslsync.Struct, Fields: []tslsync.Parameter{
		{Identifier: "Volume", Name: "V", Type: volume}, {Identifier: "Grade", Name: "G", Type: grade},
	}}}
	on := tslsync.DataType{Kind: tslsync.Bool, Values: []tslsync.Value{{Key: 0, Name: "off"}, {Key: 1, Name: "on"}}}
	want := &tslsync.Model{
		Schema: "s", ProductKey: "k", Version: "1.0",
		Features: tslsync.Features{
			Properties: []tslsync.Property{{
				Parameter: tslsync.Parameter{Identifier: "Fills", Name: "Fills", Description: "d", Type: fills},
				Access:    tslsync.AccessRead, Required: true, Extended: json.RawMessage(`{"a":2,"b":1}`),
			}},
			Events: []tslsync.Event{{
				Identifier: "Alarm", Name: "A", Type: tslsync.EventAlert, Method: "m",
				Output: []tslsync.Parameter{{Identifier: "At", Name: "At", Type: tslsync.DataType{Kind: tslsync.Date}}},
			}},
			Services: []tslsync.Service{{Identifier: "get", Call: tslsync.CallAsync, Input: []tslsync.Parameter{{Identifier: "Fills"}}}},
		},
		Blocks: []tslsync.Block{{
			Identifier: "b", Name: "B",
			Features: tslsync.Features{Properties: []tslsync.Property{{
				Parameter: tslsync.Parameter{Identifier: "On", Type: on}, Access: tslsync.AccessReadWrite,
			}}},
			Extra: tslsync.ExtraFields{"productKey": json.RawMessage(`"k"`)},
		}},
		Extra: tslsync.ExtraFields{"link": json.RawMessage(`"/l"`)},
	}
	if diff := cmp.Diff(want, mustParse(t, json.RawMessage(text))); diff != "" {
		t.Errorf("model (-want +got):\n%s", diff)
	}
}

// The platform stores models in a form of its own.
func TestParseStored(t *testing.T) {
	m := mustParse(t, modelFile(t, "stored"))
	fills, ok := tslsync.NewIndex(m).Property("Fills")
	if !ok {
		t.Fatal("no property Fills")
	}
	if got := fills.Item.Fields[0].Type; got.Kind != tslsync.Double || got.Max != "1000" || fills.Size != "10" {
		t.Errorf("array of structs: %+v", fills)
	}
	if got := fills.Item.Fields[1].Type.Values[1]; got.Key != 1 || got.Name != "pure" {
		t.Errorf("enum in a struct: %+v", got)
	}
	got := []any{m.ProductKey, m.Version, m.Properties[0].Access, m.Properties[1].Access, m.Properties[3].Access, m.Events[0].Type,
		m.Events[0].Output[0].Type.Min, m.Services[0].Call, m.Services[0].Input[0].Type.Kind, m.Blocks[0].Identifier}
	want := []any{"a1Stored001", "1592444100000", tslsync.AccessRead, tslsync.AccessReadWrite, tslsync.AccessWrite, tslsync.EventAlert,
		tslsync.Number("-40"), tslsync.CallAsync, tslsync.Date, "location0"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

func TestParseNumbers(t *testing.T) {
	for _, test := range []struct {
		text string
		want tslsync.Number
	}{
		{`""`, ""}, {`null`, ""}, {`0`, "0"}, {`"-0.00"`, "0"}, {`"+007"`, "7"}, {`" 5 "`, "5"}, {`".5"`, "0.5"}, {`"5."`, "5"},
		{`1e3`, "1000"}, {`"1E-06"`, "0.000001"}, {`-12.50`, "-12.5"}, {`100`, "100"}, {`1.5e2`, "150"}, {`0e99`, "0"},
		{`1e24`, "1e24"}, {`1e23`, "100000000000000000000000"}, {`12e-30`, "12e-30"}, {`1e-24`, "0.000000000000000000000001"},
		{`9223372036854775808`, "9223372036854775808"}, {`0.1000000000000000055511151231257827`, "1000000000000000055511151231257827e-34"},
	} {
		m := mustParse(t, json.RawMessage(
			`{"properties": [{"identifier": "A", "dataType": {"type": "double", "specs": {"max": `+test.text+`}}}]}`))
		if got := m.Properties[0].Type.Max; got != test.want {
			t.Errorf("%s: got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	property := func(dataType string) string {
		return `{"properties": [{"identifier": "A", "dataType": {"type": "int"}}, {"identifier": "B", "dataType": ` + dataType + `}]}`
	}
	deep := strings.Repeat(`{"type":"array","specs":{"item":`, 20) + `{"type":"int"}` + strings.Repeat(`}}`, 20)
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "$: no JSON"},
		{"no JSON", "{", "$: no JSON"},
		{"two values", "{} {}", "more than one JSON value"},
		{"null", "null", "$: an object expected, found null"},
		{"a list", "[]", "$: an object expected, found a list"},
		{"properties", `{"properties": 1}`, "$.properties: a list expected, found a number"},
		{"a property", `{"properties": [true]}`, "$.properties[0]: an object expected, found a boolean"},
		{"no identifier", `{"properties": [{"dataType": {"type": "int"}}]}`, "$.properties[0]: identifier is missing"},
		{"identifier", `{"events": [{"identifier": {}}]}`, "$.events[0].identifier: text expected, found an object"},
		{"no data type", `{"properties": [{"identifier": "A"}]}`, "$.properties[0]: dataType is missing"},
		{"no type", property(`{}`), "$.properties[1].dataType: type is missing"},
		{"type", property(`{"type": []}`), "$.properties[1].dataType.type: text expected, found a list"},
		{"max", property(`{"type": "int", "specs": {"max": "many"}}`), "$.properties[1].dataType.specs.max: a number"},
		{"great max", property(`{"type": "int", "specs": {"max": 1e999999999}}`), "$.properties[1].dataType.specs.max: a number"},
		{"specs", property(`{"type": "int", "specs": []}`), "$.properties[1].dataType.specs: an object expected"},
		{"value", property(`{"type": "enum", "specs": {"on": "x"}}`), `$.properties[1].dataType.specs.on: a whole number expected as value, found "on"`},
		{"value twice", property(`{"type": "enum", "specs": {"1": "x", "01": "y"}}`), "$.properties[1].dataType.specs: value 1 stands twice"},
		{"struct", property(`{"type": "struct", "specs": {}}`), "$.properties[1].dataType.specs: a list expected, found an object"},
		{"part", property(`{"type": "struct", "specs": [{"identifier": "x", "dataType": 1}]}`), "$.properties[1].dataType.specs[0].dataType: an object expected, found a number"},
		{"part twice", property(`{"type": "struct", "specs": [{"identifier": "x", "dataType": {"type": "int"}}, {"identifier": "x", "dataType": {"type": "int"}}]}`),
			`$.properties[1].dataType.specs[1]: identifier "x" stands twice`},
		{"item", property(`{"type": "array", "specs": {"item": "int"}}`), "$.properties[1].dataType.specs.item: an object expected, found text"},
		{"nesting", property(deep), "nested more than 16 deep"},
		{"property twice", `{"properties": [{"identifier": "A", "dataType": "INT"}, {"identifier": "A", "dataType": "INT"}]}`, `$.properties[1]: identifier "A" stands twice`},
		{"required", `{"services": [{"identifier": "A", "required": "yes"}]}`, "$.services[0].required: a boolean expected, found text"},
		{"output", `{"functionBlocks": [{"functionBlockId": "b", "events": [{"identifier": "E", "outputData": [1]}]}]}`,
			"$.functionBlocks[0].events[0].outputData[0]: an object expected, found a number"},
		{"block", `{"functionBlocks": [{}]}`, "$.functionBlocks[0]: functionBlockId is missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := tslsync.Parse(json.RawMessage(test.text))
			if m != nil || !errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v (%v); want %q", m, err, iot.KindOf(err), test.want)
			}
		})
	}
}

// What is parsed can be compared, with itself without a difference.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("testdata/models/stored.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"properties":[{"identifier":"a","dataType":{"type":"array","specs":{"size":"1","item":{"type":"struct","specs":[]}}}}]}`))
	f.Add([]byte(`{"services":[{"identifier":"get","inputData":["a"]}],"_ppk":{"version":1},"properties":[{"identifier":"b","dataType":"BOOL","dataSpecsList":[{"value":1}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := tslsync.Parse(text)
		if err != nil {
			if !errors.Is(err, iot.Invalid) {
				t.Fatalf("%v is %v", err, iot.KindOf(err))
			}
			return
		}
		again := mustParse(t, text)
		if changes := tslsync.Diff(m, again); len(changes) != 0 {
			t.Fatalf("%+v", changes)
		}
		tslsync.Diff(m, &tslsync.Model{})
		tslsync.Diff(&tslsync.Model{}, m)
		tslsync.NewIndex(m)
	})
}
