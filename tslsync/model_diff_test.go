package tslsync_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/tslsync"
)

var updateModels = flag.Bool("update-models", false, "write the golden differences of models anew")

// A modelEdit makes the second model of a pair: it sets a place of the first one to some JSON, or removes it.
type modelEdit struct{ name, base, place, value string }

var modelEdits = []modelEdit{
	{"nothing", "charger", "", ""},
	{"nothing in blocks", "airhandler", "", ""},
	{"nothing as stored", "stored", "", ""},
	{"schema", "charger", "schema", `"https://example.com/schema.json"`},
	{"product key", "charger", "profile/productKey", `"a1Other0001"`},
	{"version", "charger", "profile/version", `"1.5"`},
	{"unknown field of the profile", "charger", "profile/deviceName", `"x"`},
	{"unknown field of the model", "charger", "link", `"/sys/thing"`},
	{"property removed", "charger", "properties/Insulation", ""},
	{"property added", "charger", "properties/Noise", `{"identifier":"Noise","name":"Noise","accessMode":"r","required":false,"dataType":{"type":"int","specs":{"min":0,"max":120}}}`},
	{"writable property added", "charger", "properties/Quiet", `{"identifier":"Quiet","name":"Quiet","accessMode":"rw","required":false,"dataType":{"type":"bool","specs":{"0":"no","1":"yes"}}}`},
	{"property renamed", "charger", "properties/Insulation/name", `"Insulation"`},
	{"property described", "charger", "properties/Insulation/desc", `"against earth"`},
	{"unknown field of a property", "charger", "properties/Insulation/std", `{"b":1.0,"a":[1e2]}`},
	{"extended TSL", "charger", "properties/Insulation/extendConfig", `"{\"registerAddress\":\"0xFE\",\"scaling\":0.10}"`},
	{"writable no more", "charger", "properties/MaxCurrent/accessMode", `"r"`},
	{"writable from now on", "charger", "properties/Insulation/accessMode", `"rw"`},
	{"only writable", "charger", "properties/MaxCurrent/accessMode", `"w"`},
	{"required", "charger", "properties/Insulation/required", "true"},
	{"int to float", "charger", "properties/StateOfCharge/dataType/type", `"float"`},
	{"float to int", "charger", "properties/GridFrequency/dataType/type", `"int"`},
	{"text to a type nobody knows", "charger", "properties/ICCID/dataType/type", `"blob"`},
	{"min raised", "charger", "properties/StateOfCharge/dataType/specs/min", `"1"`},
	{"min lowered", "charger", "properties/StateOfCharge/dataType/specs/min", `"-1"`},
	{"max lowered", "charger", "properties/StateOfCharge/dataType/specs/max", `99.5`},
	{"max of a set point lowered", "charger", "properties/MaxCurrent/dataType/specs/max", `"63"`},
	{"max raised", "charger", "properties/StateOfCharge/dataType/specs/max", `"1000"`},
	{"max removed", "charger", "properties/StateOfCharge/dataType/specs/max", ""},
	{"step finer", "charger", "properties/GridFrequency/dataType/specs/step", `"0.005"`},
	{"step coarser", "charger", "properties/GridFrequency/dataType/specs/step", `"0.1"`},
	{"step removed", "charger", "properties/GridFrequency/dataType/specs/step", ""},
	{"unit", "charger", "properties/GridFrequency/dataType/specs/unit", `"kHz"`},
	{"name of the unit", "charger", "properties/GridFrequency/dataType/specs/unitName", `"Hertz"`},
	{"unknown spec", "charger", "properties/GridFrequency/dataType/specs/precise", `"2"`},
	{"text shorter", "charger", "properties/DisplayText/dataType/specs/length", `"64"`},
	{"text longer", "charger", "properties/DisplayText/dataType/specs/length", `256`},
	{"enum value removed", "charger", "properties/FanMode/dataType/specs/3", ""},
	{"enum value added", "charger", "properties/FanMode/dataType/specs/4", `"turbo"`},
	{"enum value renamed", "charger", "properties/FanMode/dataType/specs/1", `"low"`},
	{"bool value renamed", "charger", "properties/DoorOpen/dataType/specs/0", `"open"`},
	{"part of a struct removed", "charger", "properties/Position/dataType/specs/Fix", ""},
	{"part of a struct added", "charger", "properties/Position/dataType/specs/Height", `{"identifier":"Height","name":"Height","dataType":{"type":"float"}}`},
	{"part of a struct that is set added", "airhandler", "properties/PidSupply/dataType/specs/Limit", `{"identifier":"Limit","name":"Limit","dataType":{"type":"float"}}`},
	{"part of a struct in an array", "charger", "properties/Tariff/dataType/specs/item/specs/Price/dataType/specs/max", `"10"`},
	{"array shorter", "charger", "properties/CellTemperatures/dataType/specs/size", `"6"`},
	{"array longer", "charger", "properties/CellTemperatures/dataType/specs/size", `"24"`},
	{"elements of another type", "charger", "properties/CellTemperatures/dataType/specs/item/type", `"text"`},
	{"elements of no type", "charger", "properties/CellTemperatures/dataType/specs/item", ""},
	{"event removed", "charger", "events/Tamper", ""},
	{"event added", "charger", "events/Reset", `{"identifier":"Reset","name":"Reset","type":"info","outputData":[]}`},
	{"event renamed", "charger", "events/Tamper/name", `"Tampering"`},
	{"event of another type", "charger", "events/Tamper/type", `"error"`},
	{"method of an event", "charger", "events/Tamper/method", `"thing.event.Tampering.post"`},
	{"output of an event removed", "charger", "events/Fault/outputData/Detail", ""},
	{"output of an event added", "charger", "events/Fault/outputData/Count", `{"identifier":"Count","name":"Count","dataType":{"type":"int"}}`},
	{"output of an event tighter", "charger", "events/Fault/outputData/Grid/dataType/specs/L1/dataType/specs/max", `"400"`},
	{"report of properties", "charger", "events/post/outputData/ICCID", ""},
	{"service removed", "charger", "services/SelfTest", ""},
	{"service added", "charger", "services/Blink", `{"identifier":"Blink","name":"Blink","callType":"async","inputData":[],"outputData":[]}`},
	{"service no longer waits", "charger", "services/StopCharging/callType", `"async"`},
	{"description of a service", "charger", "services/StopCharging/desc", `"ends the session"`},
	{"method of a service", "charger", "services/StopCharging/method", `"thing.service.Stop"`},
	{"input of a service removed", "charger", "services/StartCharging/inputData/MaxEnergy", ""},
	{"input of a service added", "charger", "services/StopCharging/inputData/Why", `{"identifier":"Why","name":"Why","dataType":{"type":"int"}}`},
	{"input of a service tighter", "charger", "services/Restart/inputData/Delay/dataType/specs/max", `"60"`},
	{"input of a service narrower", "charger", "services/StartCharging/inputData/MaxEnergy/dataType/type", `"int"`},
	{"input of a service wider", "charger", "services/Restart/inputData/Delay/dataType/type", `"double"`},
	{"output of a service removed", "charger", "services/SelfTest/outputData/Report", ""},
	{"output of a service of another type", "charger", "services/SelfTest/outputData/Report/dataType/type", `"date"`},
	{"block removed", "airhandler", "functionBlocks/metering", ""},
	{"block added", "airhandler", "functionBlocks/louvre", `{"functionBlockId":"louvre","functionBlockName":"Louvre"}`},
	{"block renamed", "airhandler", "functionBlocks/wheel/functionBlockName", `"Wheel"`},
	{"property of a block", "airhandler", "functionBlocks/wheel/properties/Speed/dataType/specs/max", `"80"`},
	{"event of a block", "airhandler", "functionBlocks/wheel/events/Stalled", ""},
	{"service of a block", "airhandler", "functionBlocks/wheel/services/Clean/callType", `"sync"`},
	{"stored: mode", "stored", "properties/Valve/rwFlag", `"READ_ONLY"`},
	{"stored: max", "stored", "properties/Level/dataSpecs/max", `"90"`},
	{"stored: value", "stored", "properties/Valve/dataSpecsList/1/name", `"opened"`},
	{"stored: unknown field of a value", "stored", "properties/Valve/dataSpecsList/1/custom", "false"},
	{"stored: part of a struct in an array", "stored", "properties/Fills/dataSpecs/dataSpecsList/Volume/dataSpecs/max", `"500"`},
	{"stored: extended TSL", "stored", "properties/Level/extendConfig", `"{\"identifier\":\"Level\",\"registerAddress\":\"0xFF\",\"scaling\":0.1,\"pollingTime\":1000}"`},
	{"stored: type of an event", "stored", "events/Overheated/eventType", `"ERROR_EVENT_TYPE"`},
	{"stored: output of an event", "stored", "events/Overheated/outputdata/Temperature/dataSpecs/min", `"-20"`},
	{"stored: input of a service", "stored", "services/Empty/inputParams/Until", ""},
	{"stored: version", "stored", "_ppk/version", `"1592444200000"`},
}

func TestDiffGolden(t *testing.T) {
	var out strings.Builder
	for _, e := range modelEdits {
		fmt.Fprintf(&out, "== %s: %s %s\n", e.name, e.base, strings.TrimSpace(e.place+" "+e.value))
		for _, c := range tslsync.Diff(mustParse(t, modelFile(t, e.base)), mustParse(t, edited(t, e))) {
			fmt.Fprintf(&out, "%s %s %q to %q breaks %s: %s\n", c.Kind, c.Path, c.From, c.To, c.Breaks, c.Why)
		}
	}
	golden := filepath.Join("testdata", "models", "differences.golden")
	if *updateModels {
		if err := os.WriteFile(golden, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("differences (-golden +got):\n%s", diff)
	}
}

// The order of changes is that of their paths, whatever the order of the models.
func TestDiffOrder(t *testing.T) {
	r := modelSeed(t)
	for range 100 {
		source, target := randomModel(r), randomModel(r)
		want := tslsync.Diff(mustParse(t, render(source, r)), mustParse(t, render(target, r)))
		got := tslsync.Diff(mustParse(t, render(source, r)), mustParse(t, render(target, r)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("in another order (-want +got):\n%s", diff)
		}
		if !slices.IsSortedFunc(got, func(a, b tslsync.Change) int { return strings.Compare(a.Path, b.Path) }) {
			t.Fatalf("not in order: %+v", got)
		}
	}
}

// A model made by hand may hold what Parse would refuse.
func TestDiffOfOddNumbers(t *testing.T) {
	model := func(n tslsync.Number) *tslsync.Model {
		limits := tslsync.DataType{Kind: tslsync.Int, Max: n, Step: n}
		return &tslsync.Model{Features: tslsync.Features{Properties: []tslsync.Property{{
			Access: tslsync.AccessRead, Parameter: tslsync.Parameter{Identifier: "A", Type: limits},
		}}}}
	}
	for _, odd := range []tslsync.Number{"many", "1e999999999", "0", "-1", "NaN"} {
		if got := tslsync.Diff(model("5"), model(odd)); len(got) != 2 {
			t.Errorf("%s: %+v", odd, got)
		}
		if got := tslsync.Diff(model(odd), model("5")); len(got) != 2 {
			t.Errorf("from %s: %+v", odd, got)
		}
	}
}

func TestChangeJSON(t *testing.T) {
	changes := []tslsync.Change{
		{Path: "properties.A", Kind: tslsync.Added, To: "int", Why: "w"},
		{Path: "properties.B", Kind: tslsync.Removed, From: "int", Breaks: tslsync.BreaksDevice | tslsync.BreaksCaller, Why: "w"},
	}
	got, err := json.Marshal(changes)
	if err != nil {
		t.Fatal(err)
	}
	const want = `[{"path":"properties.A","kind":"added","to":"int","breaks":"nothing","why":"w"},` +
		`{"path":"properties.B","kind":"removed","from":"int","breaks":"device and caller","why":"w"}]`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func modelFile(t testing.TB, name string) json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "models", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func mustParse(t testing.TB, text json.RawMessage) *tslsync.Model {
	t.Helper()
	m, err := tslsync.Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return m
}

// edited makes the edit, and what the platform makes of the properties anew if they were edited.
func edited(t *testing.T, e modelEdit) json.RawMessage {
	t.Helper()
	model := decodeNumbers(t, modelFile(t, e.base)).(map[string]any)
	var value any
	if e.value != "" {
		value = decodeNumbers(t, []byte(e.value))
	}
	if e.place != "" {
		place := strings.Split(e.place, "/")
		setPlace(t, model, place, value)
		if slices.Contains(place, "properties") && e.base != "stored" {
			remake(model)
			for _, b := range listOf(model, "functionBlocks") {
				remake(b)
			}
		}
	}
	text, err := json.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func decodeNumbers(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

// setPlace returns the value with one place set, or removed. An element of a list is named by its identifier, or its index.
func setPlace(t *testing.T, value any, place []string, to any) any {
	t.Helper()
	if len(place) == 0 {
		return to
	}
	switch v := value.(type) {
	case map[string]any:
		if v[place[0]] = setPlace(t, v[place[0]], place[1:], to); v[place[0]] == nil {
			delete(v, place[0])
		}
		return v
	case []any:
		i := slices.IndexFunc(v, func(item any) bool { return identifierOf(item) == place[0] })
		if i < 0 && place[0] == "1" {
			i = 1
		}
		if i < 0 {
			return append(v, to)
		}
		if v[i] = setPlace(t, v[i], place[1:], to); v[i] == nil {
			return slices.Delete(v, i, i+1)
		}
		return v
	}
	if len(place) > 0 {
		t.Fatalf("no such place: %s in %v", place, value)
	}
	return to
}

func identifierOf(item any) string {
	switch v := item.(type) {
	case string:
		return v
	case map[string]any:
		for _, name := range []string{"identifier", "functionBlockId"} {
			if id, ok := v[name].(string); ok {
				return id
			}
		}
	}
	return ""
}

func listOf(o map[string]any, name string) []map[string]any {
	var list []map[string]any
	items, _ := o[name].([]any)
	for _, item := range items {
		list = append(list, item.(map[string]any))
	}
	return list
}

// remake makes the event "post" and the services "set" and "get" of the properties.
func remake(m map[string]any) {
	all, names, writable := []any{}, []any{}, []any{}
	for _, p := range listOf(m, "properties") {
		bare := map[string]any{"identifier": p["identifier"], "name": p["name"], "dataType": p["dataType"]}
		for _, name := range []string{"desc", "std"} {
			if v, ok := p[name]; ok {
				bare[name] = v
			}
		}
		if mode := p["accessMode"]; mode != "w" {
			all, names = append(all, bare), append(names, p["identifier"])
		}
		if mode := p["accessMode"]; mode != "r" {
			writable = append(writable, bare)
		}
	}
	for _, e := range listOf(m, "events") {
		if e["identifier"] == "post" {
			e["outputData"] = all
		}
	}
	for _, s := range listOf(m, "services") {
		switch s["identifier"] {
		case "set":
			s["inputData"] = writable
		case "get":
			s["inputData"], s["outputData"] = names, all
		}
	}
}
