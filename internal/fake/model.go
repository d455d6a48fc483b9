package fake

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A model is what the fake needs of a thing model, in the form of GetThingModelTslPublished.
type model struct {
	Properties []parameter  `json:"properties"`
	Events     []tslEvent   `json:"events"`
	Services   []tslService `json:"services"`

	events []tslEvent // without "post", which is the report of the properties
}

type parameter struct {
	Identifier string   `json:"identifier"`
	DataType   dataType `json:"dataType"`
}

type tslEvent struct {
	Identifier string      `json:"identifier"`
	Name       string      `json:"name"`
	Type       string      `json:"type"`
	Output     []parameter `json:"outputData"`
}

type tslService struct {
	Identifier string      `json:"identifier"`
	Name       string      `json:"name"`
	CallType   string      `json:"callType"`
	Output     []parameter `json:"outputData"`
}

// A dataType is read once and used for every value: a day's backlog has many.
type dataType struct {
	kind   string
	limits map[string]float64 // numbers in quotes: min, max, step, length, size
	keys   []int              // enum, in ascending order
	parts  []parameter        // struct
	item   *dataType          // array
}

// UnmarshalJSON is lenient: specs that make no sense are left out, and their defaults count.
func (t *dataType) UnmarshalJSON(data []byte) error {
	var text struct {
		Type  string          `json:"type"`
		Specs json.RawMessage `json:"specs"`
	}
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	*t = dataType{kind: text.Type, limits: limits(text.Specs)}
	switch t.kind {
	case "enum":
		t.keys = enumKeys(text.Specs)
	case "struct":
		if json.Unmarshal(text.Specs, &t.parts) != nil {
			t.parts = nil
		}
	case "array":
		var specs struct {
			Item dataType `json:"item"`
		}
		if json.Unmarshal(text.Specs, &specs) == nil {
			t.item = &specs.Item
		}
	}
	return nil
}

func limits(specs json.RawMessage) map[string]float64 {
	var all map[string]any
	if json.Unmarshal(specs, &all) != nil {
		return nil
	}
	list := map[string]float64{}
	for _, name := range []string{"min", "max", "step", "length", "size"} {
		if x, err := strconv.ParseFloat(fmt.Sprint(all[name]), 64); err == nil && !math.IsNaN(x) && !math.IsInf(x, 0) {
			list[name] = x
		}
	}
	return list
}

func enumKeys(specs json.RawMessage) []int {
	var names map[string]string
	if json.Unmarshal(specs, &names) != nil {
		return nil
	}
	var keys []int
	for key := range names {
		if n, err := strconv.Atoi(key); err == nil {
			keys = append(keys, n)
		}
	}
	slices.Sort(keys)
	return keys
}

func readModel(text json.RawMessage) (*model, error) {
	m := &model{}
	if text == nil {
		return m, nil
	}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("thing model: %w", err)
	}
	m.events = slices.DeleteFunc(slices.Clone(m.Events), func(e tslEvent) bool { return e.Identifier == "post" })
	return m, nil
}

// service returns a service that a server can invoke, or nil. The services set and get are
// what SetDeviceProperty is made of.
func (m *model) service(identifier string) *tslService {
	for i := range m.Services {
		if s := &m.Services[i]; s.Identifier == identifier && identifier != "set" && identifier != "get" {
			return s
		}
	}
	return nil
}

func (m *model) property(identifier string) bool {
	return slices.ContainsFunc(m.Properties, func(p parameter) bool { return p.Identifier == identifier })
}

// values makes a value of each parameter.
func values(list []parameter, r *rand.Rand) map[string]any {
	out := make(map[string]any, len(list))
	for _, p := range list {
		out[p.Identifier] = p.DataType.value(r)
	}
	return out
}

// value makes a value that the data type allows.
func (t dataType) value(r *rand.Rand) any {
	switch t.kind {
	case "int":
		return int64(t.number(r))
	case "float", "double":
		return t.number(r)
	case "enum":
		return t.key(r)
	case "bool":
		return r.IntN(2)
	case "text":
		return t.text(r)
	case "date":
		return strconv.FormatInt(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()+r.Int64N(1e9), 10)
	case "struct":
		return values(t.parts, r)
	case "array":
		return t.items(r)
	}
	return nil
}

// spec returns one of the type's limits.
func (t dataType) spec(name string, otherwise float64) float64 {
	if x, ok := t.limits[name]; ok {
		return x
	}
	return otherwise
}

// number stays on the grid of the type's step. It divides by whole numbers where it can, so that
// 0.1 does not become 0.1000000001.
func (t dataType) number(r *rand.Rand) float64 {
	least, most, step := t.spec("min", 0), t.spec("max", 100), t.spec("step", 1)
	if most < least || step <= 0 {
		return least
	}
	steps := math.Floor((most - least) / step)
	x := least + math.Floor(r.Float64()*(steps+1))*step
	digits := max(0, int(math.Ceil(-math.Log10(step))))
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', min(digits, 12), 64), 64)
	if err != nil {
		return least
	}
	return min(rounded, most)
}

func (t dataType) key(r *rand.Rand) any {
	if len(t.keys) == 0 {
		return 0
	}
	return t.keys[r.IntN(len(t.keys))]
}

func (t dataType) text(r *rand.Rand) string {
	const letters = "abcdefghijklmnopqrstuvwxyz"
	n := min(int(t.spec("length", 8)), 8)
	return strings.Repeat(letters[r.IntN(len(letters)):][:1], max(n, 0))
}

func (t dataType) items(r *rand.Rand) any {
	if t.item == nil {
		return []any{}
	}
	items := make([]any, max(0, min(int(t.spec("size", 1)), 128)))
	for i := range items {
		items[i] = t.item.value(r)
	}
	return items
}
