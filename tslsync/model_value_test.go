package tslsync_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/iotferry/iotferry/tslsync"
)

func TestEqualValue(t *testing.T) {
	kind := func(k tslsync.Kind) tslsync.DataType { return tslsync.DataType{Kind: k} }
	position := tslsync.DataType{Kind: tslsync.Struct, Fields: []tslsync.Parameter{
		{Identifier: "x", Type: kind(tslsync.Float)}, {Identifier: "n", Type: kind(tslsync.Int)}, {Identifier: "s", Type: kind(tslsync.Text)},
	}}
	list := func(item tslsync.DataType) tslsync.DataType {
		return tslsync.DataType{Kind: tslsync.Array, Item: &item}
	}
	for _, test := range []struct {
		spec tslsync.DataType
		a, b string
		want bool
	}{
		{kind(tslsync.Int), `1`, `1.0`, true},
		{kind(tslsync.Int), `"1"`, `1`, true},
		{kind(tslsync.Int), `100`, ` "1e2" `, true},
		{kind(tslsync.Int), `1`, `2`, false},
		{kind(tslsync.Int), `1000000`, `1000001`, false},
		{kind(tslsync.Int), `9007199254740993`, `9007199254740992`, false}, // one double, two ints
		{kind(tslsync.Int), `0`, `-0`, true},
		{kind(tslsync.Int), `null`, `0`, false},
		{kind(tslsync.Int), `null`, `null `, true},
		{kind(tslsync.Int), `"x"`, `1`, false},
		{kind(tslsync.Enum), `"3"`, `3.0`, true},
		{kind(tslsync.Enum), `3`, `4`, false},
		{kind(tslsync.Bool), `1`, `true`, true},
		{kind(tslsync.Bool), `"0"`, `false`, true},
		{kind(tslsync.Bool), `"true"`, `1`, true},
		{kind(tslsync.Bool), `0`, `1`, false},
		{kind(tslsync.Float), `21.1`, `"21.100000381"`, true}, // through single precision
		{kind(tslsync.Float), `21.1`, `21.101`, false},
		{kind(tslsync.Float), `-1`, `1`, false},
		{kind(tslsync.Float), `0`, `1e-30`, false},
		{kind(tslsync.Float), `0.0`, `0`, true},
		{kind(tslsync.Float), `1e400`, `1e400 `, true},
		{kind(tslsync.Float), `1e400`, `2e400`, false},
		{kind(tslsync.Float), `1e-400`, `2e-400`, false}, // a double cannot tell them from 0
		{kind(tslsync.Double), `0.1`, `0.10000000000000001`, true},
		{kind(tslsync.Double), `21.1`, `21.100000381`, false},
		{kind(tslsync.Double), `"NaN"`, `1`, false},
		{kind(tslsync.Date), `"1577808000000"`, `1577808000000`, true},
		{kind(tslsync.Date), `"1577808000000"`, `1577808000001`, false},
		{kind(tslsync.Text), `"é"`, `"\u00e9"`, true},
		{kind(tslsync.Text), `"1"`, `"1.0"`, false},
		{kind(tslsync.Text), `"1"`, `1`, false},
		{kind(tslsync.Text), `"a"`, `"A"`, false},
		{position, `{"x":1.0,"n":2,"s":"q"}`, `{"s":"q","n":"2.0","x":1.00000001}`, true},
		{position, `{"x":1}`, `"{\"x\":1.0}"`, true},
		{position, `{"x":1}`, `{"x":2}`, false},
		{position, `{"x":1}`, `{"x":1,"n":null}`, false},
		{position, `{"x":1,"n":1}`, `{"x":1,"s":1}`, false},
		{position, `{"s":"1"}`, `{"s":"1.0"}`, false},
		{position, `{"new":{"b":1,"a":2}}`, `{"new":{"a":2.0,"b":1}}`, true},
		{position, `null`, `{}`, false},
		{list(kind(tslsync.Int)), `[1,2]`, `"[1.0,2]"`, true},
		{list(kind(tslsync.Int)), `[1,2]`, `[2,1]`, false},
		{list(kind(tslsync.Int)), `[1,2]`, `[1]`, false},
		{list(kind(tslsync.Int)), `[]`, `null`, false},
		{list(position), `[{"x":1,"n":1}]`, `[{"n":1.0,"x":1.0}]`, true},
		{kind(tslsync.Array), `[1,{"b":1,"a":2}]`, `[1.0,{"a":2,"b":1}]`, true},
		{tslsync.DataType{}, `{"b":1,"a":2}`, `{"a":2.0,"b":1}`, true},
		{tslsync.DataType{}, `"1"`, `1`, false},
		{kind("blob"), `"1"`, `"1.0"`, false},
		{kind(tslsync.Int), `{`, `{`, true},
		{position, `{`, `[`, false},
	} {
		for _, pair := range [][2]string{{test.a, test.b}, {test.b, test.a}} {
			if got := tslsync.EqualValue(test.spec, json.RawMessage(pair[0]), json.RawMessage(pair[1])); got != test.want {
				t.Errorf("%s: %s and %s: got %v", test.spec.Kind, pair[0], pair[1], got)
			}
		}
	}
}

func TestTolerance(t *testing.T) {
	equal := func(by tslsync.Tolerance, k tslsync.Kind) bool {
		return by.Equal(tslsync.DataType{Kind: k}, json.RawMessage("100"), json.RawMessage("101"))
	}
	if equal(tslsync.Tolerance{}, tslsync.Float) || !equal(tslsync.Tolerance{Float: 0.01}, tslsync.Float) {
		t.Error("float")
	}
	if equal(tslsync.Tolerance{Float: 1}, tslsync.Double) || !equal(tslsync.Tolerance{Double: 0.01}, tslsync.Double) {
		t.Error("double")
	}
	if equal(tslsync.Tolerance{Float: 1, Double: 1}, tslsync.Int) {
		t.Error("ints have no tolerance")
	}
}

func TestIndex(t *testing.T) {
	x := tslsync.NewIndex(mustParse(t, modelFile(t, "airhandler")))
	kinds := func(d tslsync.DataType, ok bool) string {
		names := fmt.Sprint(ok, " ", d.Kind)
		for _, f := range d.Fields {
			names += fmt.Sprint(" ", f.Identifier, ":", f.Type.Kind)
		}
		return names
	}
	for _, test := range []struct{ got, want string }{
		{kinds(x.Property("CO2")), "true int"},
		{kinds(x.Property("wheel:Speed")), "true int"},
		{kinds(x.Property("wheel:CO2")), "false "},
		{kinds(x.Property("Speed")), "false "},
		{kinds(x.Event("FilterDirty")), "true struct Filter:enum Pressure:int"},
		{kinds(x.Event("wheel:Stalled")), "true struct Current:float"},
		{kinds(x.Event("Stalled")), "false "},
		{kinds(x.ServiceInput("ResetHours")), "true struct Fan:enum"},
		{kinds(x.ServiceOutput("ResetHours")), "true struct Hours:int"},
		{kinds(x.ServiceOutput("wheel:Clean")), "true struct"},
		{kinds(x.ServiceInput("Clean")), "false "},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
