package configdiff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/iotferry/iotferry/iot"
)

// A flat is a tree of values as a table: the path of each leaf, and the leaf as text. Two trees are the same if their tables are.
type flat map[string]string

// put adds text; empty text is as good as none.
func (f flat) put(path, value string) {
	if value != "" {
		f[path] = value
	}
}

// json adds the leaves of a JSON value under a path. Texts are replaced by rename first. What is no JSON is one text.
func (f flat) json(path string, data json.RawMessage, rename func(string) string) {
	if !json.Valid(data) {
		f.put(path, string(data))
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		f.put(path, string(data))
		return
	}
	f.value(path, value, rename)
}

func (f flat) value(path string, value any, rename func(string) string) {
	switch v := value.(type) {
	case map[string]any:
		for key, x := range v {
			if strings.ContainsAny(key, ".[") { // it would look like another path
				key = strconv.Quote(key)
			}
			f.value(path+"."+key, x, rename)
		}
	case []any:
		for i, x := range v {
			f.value(fmt.Sprintf("%s[%d]", path, i), x, rename)
		}
	case string:
		f.put(path, rename(v))
	case json.Number:
		f.put(path, number(v))
	case bool:
		f.put(path, strconv.FormatBool(v))
	}
}

// number writes a number in one form: 1, 1.0 and 1e0 are the same. What a float cannot tell apart stays as it was written.
func number(n json.Number) string {
	x, err := n.Float64()
	if err != nil || math.Abs(x) >= 1<<53 {
		return n.String()
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// difference returns what differs between two tables, in the order of the paths.
func difference(source, target flat) []Field {
	paths := slices.Collect(maps.Keys(source))
	for path := range target {
		if _, ok := source[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	var out []Field
	for _, path := range paths {
		a, b := source[path], target[path]
		if a == b {
			continue
		}
		if secret(path) {
			a, b = hide(a), hide(b)
		}
		out = append(out, Field{path, a, b})
	}
	return out
}

func hide(value string) string {
	if value == "" {
		return ""
	}
	return Hidden
}

// secret tells by the names of a path whether its value may be a secret: what stands below a secret is one.
func secret(path string) bool {
	path = strings.ToLower(path)
	return slices.ContainsFunc([]string{"pass", "pwd", "secret", "token", "accesskey", "credential", "privatekey"}, func(word string) bool {
		return strings.Contains(path, word)
	})
}

// A groupMap tells which consumer group of the target stands for which of the source: that of the same ID, or else that of the same name.
type groupMap struct {
	toTarget, toSource map[string]string
}

func mapGroups(source, target []iot.ConsumerGroup) groupMap {
	m := groupMap{map[string]string{}, map[string]string{}}
	pair := func(same func(a, b iot.ConsumerGroup) bool) {
		for _, a := range source {
			for _, b := range target {
				_, taken := m.toTarget[a.ID]
				_, used := m.toSource[b.ID]
				if !taken && !used && same(a, b) {
					m.toTarget[a.ID], m.toSource[b.ID] = b.ID, a.ID
				}
			}
		}
	}
	pair(func(a, b iot.ConsumerGroup) bool { return a.ID == b.ID })
	pair(func(a, b iot.ConsumerGroup) bool { return a.Name == b.Name })
	return m
}

// asSource returns an ID of a group of the target as the source calls that group; any other text stays as it is.
func (m groupMap) asSource(text string) string {
	if id, ok := m.toSource[text]; ok {
		return id
	}
	return text
}

func asItIs(text string) string { return text }

// quoted shows a name that may hold anything.
func quoted(name string) string { return strconv.QuoteToGraphic(name) }
