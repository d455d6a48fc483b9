package configdiff_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
)

// Whatever the platform says, it is compared with itself as equal, in whatever form of JSON, and shown without control characters.
func FuzzCompare(f *testing.F) {
	f.Add("to_table", `{"a":{"b":[1,2.0,"x"]}}`, "a > 1")
	f.Add("\x1b[2J|`<b>", `{"a.b":1,"a":{"b":2}}`, "\u202e")
	f.Fuzz(func(t *testing.T, name, configuration, where string) {
		config := func(data string) *configdiff.Config {
			return &configdiff.Config{
				Products: []string{"a1Meter0001"},
				Rules: []iot.RuleDetail{{
					Rule: iot.Rule{ID: "1", Name: name, ProductKey: "a1Meter0001"}, Where: where,
					Outputs: []iot.RuleAction{{Type: "OTS", Configuration: json.RawMessage(data)}},
				}},
				Scenes: []iot.Scene{{ID: name, Name: name}}, Jobs: []iot.Job{{ID: where, Name: name, Status: configuration}},
			}
		}
		same := configuration
		var spread bytes.Buffer
		if json.Indent(&spread, []byte(configuration), " ", "\t") == nil {
			same = spread.String()
		}
		if got := configdiff.Compare(configdiff.AfterMove, config(configuration), config(same)); len(got) > 0 {
			t.Errorf("the same differs: %+v", got)
		}
		other := config(`{"a":"something else"}`)
		other.Scenes = nil
		var out strings.Builder
		r := configdiff.Report{Differences: configdiff.Compare(configdiff.AfterMove, config(configuration), other)}
		c := configdiff.ListChecks(config(configuration))
		for _, write := range []func() error{
			func() error { return r.WriteText(&out) }, func() error { return r.WriteMarkdown(&out) },
			func() error { return c.WriteText(&out) }, func() error { return c.WriteMarkdown(&out) },
		} {
			if err := write(); err != nil {
				t.Fatal(err)
			}
		}
		if i := strings.IndexFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q is shown", out.String()[i:min(i+10, out.Len())])
		}
	})
}
