package tslsync_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/iotferry/iotferry/tslsync"
)

// wideModel has n properties, and what the platform makes of them; the last one is up to a limit.
func wideModel(b *testing.B, n int, most string) *tslsync.Model {
	b.Helper()
	properties := make([]any, n)
	for i := range properties {
		specs := map[string]any{"min": "0", "max": "100", "step": "0.1", "unit": "V", "unitName": "volt"}
		if i == n-1 {
			specs["max"] = most
		}
		properties[i] = map[string]any{
			"identifier": fmt.Sprint("Property", i), "name": fmt.Sprint("Property ", i), "accessMode": "rw",
			"dataType": map[string]any{"type": "float", "specs": specs},
		}
	}
	m := map[string]any{
		"properties": properties,
		"events":     []any{map[string]any{"identifier": "post", "type": "info"}},
		"services":   []any{map[string]any{"identifier": "set"}, map[string]any{"identifier": "get"}},
	}
	remake(m)
	text, err := json.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	return mustParse(b, text)
}

// widestModel is the number of properties that a difference is measured with.
const widestModel = 300

func BenchmarkModelDiff(b *testing.B) {
	benchmarkDiff(b, wideModel(b, widestModel, "100"), wideModel(b, widestModel, "90"))
}

func BenchmarkModelDiffReversed(b *testing.B) {
	target := wideModel(b, widestModel, "90")
	slices.Reverse(target.Properties)
	slices.Reverse(target.Events[0].Output)
	for i := range target.Services {
		slices.Reverse(target.Services[i].Input)
		slices.Reverse(target.Services[i].Output)
	}
	benchmarkDiff(b, wideModel(b, widestModel, "100"), target)
}

func benchmarkDiff(b *testing.B, source, target *tslsync.Model) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if changes := tslsync.Diff(source, target); len(changes) != 1 {
			b.Fatal(changes)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e3/float64(b.N), "ms/diff")
}

func BenchmarkEqualValue(b *testing.B) {
	spec := tslsync.DataType{Kind: tslsync.Float}
	x, y := json.RawMessage(`"21.1"`), json.RawMessage(`21.100000381`)
	b.ReportAllocs()
	for b.Loop() {
		if !tslsync.EqualValue(spec, x, y) {
			b.Fatal("not equal")
		}
	}
}
