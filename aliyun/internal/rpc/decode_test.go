package rpc_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/aliyun/internal/rpc"
	"github.com/iotferry/iotferry/iot"
)

type row struct {
	Name  string
	Count int `json:"deviceCount"`
	Rows  []row
}

type answer struct {
	Text   string
	Number int
	Small  int8
	Long   int64
	Part   float64
	Yes    bool
	Row    row
	Rows   []row `json:"List"`
	Names  []string
	Maybe  *int
	Raw    json.RawMessage
	Total  int
}

func TestAnswersAreDecodedLeniently(t *testing.T) {
	seven := 7
	tests := map[string]struct {
		members string
		want    answer
	}{
		"as documented": {
			`"Text":"a","Number":7,"Long":-9007199254740993,"Part":2.5,"Yes":true,"Row":{"Name":"n","deviceCount":3}`,
			answer{Text: "a", Number: 7, Long: -9007199254740993, Part: 2.5, Yes: true, Row: row{Name: "n", Count: 3}},
		},
		"numbers in strings":      {`"Number":"7","Long":"1772352000123","Part":"2.5"`, answer{Number: 7, Long: 1772352000123, Part: 2.5}},
		"whole numbers as floats": {`"Number":7.0,"Long":1.5e3,"Small":"-1.0"`, answer{Number: 7, Long: 1500, Small: -1}},
		"booleans in strings":     {`"Yes":"true"`, answer{Yes: true}},
		"booleans as numbers":     {`"Yes":1`, answer{Yes: true}},
		"numbers as booleans":     {`"Number":true,"Total":false`, answer{Number: 1}},
		"texts as others":         {`"Text":7.50,"Names":[true,null,1e3]`, answer{Text: "7.50", Names: []string{"true", "", "1e3"}}},
		"null is zero": {
			`"Text":null,"Number":null,"Part":null,"Yes":null,"Row":null,"List":null,"Maybe":null,"Raw":null`,
			answer{Raw: json.RawMessage("null")},
		},
		"nothing is zero":         {`"Text":"","Number":"","Part":"","Yes":"","Row":"","List":"","Maybe":""`, answer{}},
		"an empty list":           {`"List":[],"Names":[ ]`, answer{}},
		"a list":                  {`"List":[{"Name":"a"},{},{"deviceCount":"3"}]`, answer{Rows: []row{{Name: "a"}, {}, {Count: 3}}}},
		"lists in lists":          {`"List":[{"Rows":[{"Rows":[{"Name":"deep"}]}]}]`, answer{Rows: []row{{Rows: []row{{Rows: []row{{Name: "deep"}}}}}}}},
		"a pointer":               {`"Maybe":"7"`, answer{Maybe: &seven}},
		"raw":                     {`"Raw": {"a": [1, "}"]} `, answer{Raw: json.RawMessage(`{"a": [1, "}"]}`)}},
		"another case is unknown": {`"number":7,"TEXT":"a","list":[],"DeviceCount":1`, answer{}},
		"unknown keys of any form": {
			`"x":{"Text":"no","y":[[],{},"\"]"]},"Text":"yes","z":-1.5E+3`, answer{Text: "yes"},
		},
		"the last of a kind counts": {`"Number":1,"Number":2`, answer{Number: 2}},
		"escapes":                   {`"Te\u0078t":"a\n\u00e9\ud83d\ude00\"","Names":["\\"]`, answer{Text: "a\né😀\"", Names: []string{`\`}}},
		"other scripts":             {`"Text":"系统错误"`, answer{Text: "系统错误"}},
		"not UTF-8":                 {"\"Text\":\"a\xff\"", answer{Text: "a\uFFFD"}},
		"space":                     {" \"Number\" :\t7 ,\r\n\"List\" : [ { \"Name\" : \"a\" } , null ] ", answer{Number: 7, Rows: []row{{Name: "a"}, {}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := open(t, rpc.Config{Transport: answering(200, " {\"Success\":true,"+test.members+"}\n")})
			var got answer
			if err := c.Do(t.Context(), reading, &got); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, got, emptyIsNil()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// emptyIsNil compares lists by what is in them.
func emptyIsNil() cmp.Option {
	return cmp.FilterValues(func(a, b []row) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore())
}

func TestAnswersThatAreNotAsDocumented(t *testing.T) {
	tests := map[string]struct{ members, want string }{
		"text for a number":      {`"Number":"Real"`, "Number: a whole number"},
		"part for a whole":       {`"Number":1.5`, "Number: a whole number"},
		"too large":              {`"Small":128`, "Small: a whole number"},
		"far too large":          {`"Long":1e30`, "Long: a whole number"},
		"not finite":             {`"Part":1e999`, "Part: a number"},
		"text for a part":        {`"Part":"Real"`, "Part: a number"},
		"text for a boolean":     {`"Yes":"Real"`, "Yes: true or false"},
		"an object for a text":   {`"Text":{"Real":1}`, "Text: a single value"},
		"a list for a number":    {`"Number":[1]`, "Number: a single value"},
		"a list for an object":   {`"Row":[]`, "Row: an object"},
		"a text for an object":   {`"Row":"Real"`, "Row: an object"},
		"an object for a list":   {`"List":{}`, "Rows: a list"},
		"deep inside":            {`"List":[{},{"Rows":[{"deviceCount":"Real"}]}]`, "Rows[1].Rows[0].Count: a whole number"},
		"a number for an object": {`"Row":0`, "Row: an object"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := open(t, rpc.Config{Transport: answering(200, `{"Success":true,`+test.members+`}`)})
			err := c.Do(t.Context(), reading, &answer{})
			if expectError(t, err, reading.API, iot.Transient); !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			expectError(t, c.Do(t.Context(), writing, &answer{}), writing.API, iot.UnknownOutcome)
		})
	}
}

func TestFieldsThatAreNotExportedAreLeftAlone(t *testing.T) {
	c := open(t, rpc.Config{Transport: answering(200, `{"Success":true,"Text":"a","text":"b"}`)})
	var got struct{ Text, text string }
	if err := c.Do(t.Context(), reading, &got); err != nil || got.Text != "a" || got.text != "" {
		t.Errorf("got %q and %q, %v", got.Text, got.text, err)
	}
}

func TestWhatCannotBeDecodedInto(t *testing.T) {
	c := open(t, rpc.Config{Transport: answering(200, `{"Success":true,"X":1}`)})
	var text string
	for _, out := range []any{answer{}, &text, (*answer)(nil), 7, &struct{ X chan int }{}, &struct{ X any }{}, &struct{ X map[string]int }{}} {
		expectError(t, c.Do(t.Context(), reading, out), reading.API, iot.Transient)
	}
}

func TestDepthIsBounded(t *testing.T) {
	const deep = 200_000
	for _, body := range []string{
		`{"Success":true,"Raw":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `}`,
		strings.Repeat(`{"Row":`, deep) + `1` + strings.Repeat("}", deep),
	} {
		c := open(t, rpc.Config{Transport: answering(200, body)})
		expectError(t, c.Do(t.Context(), reading, &answer{}), reading.API, iot.Transient)
	}
}

// Whatever comes, an answer is decoded or refused: it neither panics nor is it taken for what it is not.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		fine, `{"Success":"true","List":[{"Name":"a","Rows":[]}],"Maybe":3}`, `{"Success":false,"Code":"iot.x","ErrorMessage":"m"}`,
		`{"Success":true,"Raw":[{"a":"\\\""}],"Te\u0078t":"\ud800"}`, `{`, `[]`, `null`, `""`, `{"Success":true}}`, "\ufeff{}",
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		c := open(t, rpc.Config{Transport: answering(200, body)})
		var got answer
		err := c.Do(t.Context(), writing, &got)
		var plain struct{ Success any }
		if json.Unmarshal([]byte(body), &plain) != nil && err == nil {
			t.Errorf("%q is no answer", body)
		}
		if iot.KindOf(err) == iot.Transient {
			t.Errorf("%q of a call that writes may be repeated: %v", body, err)
		}
	})
}

// What encoding/json writes is read as it was, whether its numbers stand in strings or not.
func FuzzWrittenIsRead(f *testing.F) {
	f.Add("a", int64(7), 2.5, true)
	f.Add("\"\\\u2028\x00😀", int64(math.MinInt64), -1e-300, false)
	f.Fuzz(func(t *testing.T, text string, long int64, part float64, yes bool) {
		if math.IsNaN(part) || math.IsInf(part, 0) {
			return
		}
		text = strings.ToValidUTF8(text, "?")
		want := answer{Text: text, Long: long, Part: part, Yes: yes, Rows: []row{{Name: text}}, Names: []string{text, text}}
		plain, err := json.Marshal(map[string]any{
			"Success": true, "Text": text, "Long": long, "Part": part, "Yes": yes,
			"List": []map[string]string{{"Name": text}}, "Names": []string{text, text},
		})
		if err != nil {
			t.Fatal(err)
		}
		quoted, err := json.Marshal(map[string]any{
			"Success": "true", "Text": text, "Long": strconv.FormatInt(long, 10), "Part": fmt.Sprint(part), "Yes": fmt.Sprint(yes),
			"List": []map[string]string{{"Name": text}}, "Names": []string{text, text},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range [][]byte{plain, quoted} {
			var got answer
			if err := open(t, rpc.Config{Transport: answering(200, string(body))}).Do(t.Context(), reading, &got); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s (-want +got):\n%s", body, d)
			}
		}
	})
}
