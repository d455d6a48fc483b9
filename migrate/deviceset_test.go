package migrate_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/migrate"
)

// FuzzDeviceSet reads lists of devices as they are, and as any other writer could have written them: with blanks and escapes.
// Both ways give the same devices, in the same order, or both give an error.
func FuzzDeviceSet(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a1Gateway01":["gate-0001","gate-0002"]}`, `{"a1Gateway01":["gate-0001"],"a1Sensor001":["s:1@x","s_2."]}`,
		`{"a1Gateway01":[]}`, `{"a1Gateway01":[],"a1Sensor001":["sens"]}`, `{"a1Gateway01":["bad name"]}`, `{"short":["name"]}`,
		`{"a1Gateway01":["gate-0001",]}`, `{"a1Gateway01":["gate-0001"],}`, `{,"a1Gateway01":["gate-0001"]}`, `{"a1Gateway01":["\u0067ate-1"]}`,
		`{"a1Gateway01":["gate-0001"],"a1Gateway01":["gate-0002"]}`, `{"a1Gateway01":null}`, `null`, `[]`, `{"a1Gateway01":[1]}`, `{"a1Gateway01":["gate-0001"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var as migrate.DeviceSet
		err := json.Unmarshal(data, &as)
		var value any
		if json.Unmarshal(data, &value) != nil {
			if err == nil {
				t.Fatalf("read %q, which is no JSON", data)
			}
			return
		}
		var spaced migrate.DeviceSet
		if longErr := json.Unmarshal(blanks(data), &spaced); (longErr == nil) != (err == nil) {
			t.Fatalf("%q: the short way says %v, the long way %v", data, err, longErr)
		}
		if diff := cmp.Diff(spaced, as); err == nil && diff != "" {
			t.Errorf("%q: the two ways differ (-long +short):\n%s", data, diff)
		}
	})
}

// blanks puts a blank after every bracket, comma and colon outside of texts.
func blanks(data []byte) []byte {
	var out []byte
	quoted, escaped := false, false
	for _, c := range data {
		out = append(out, c)
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '{' || c == '[' || c == ',' || c == ':'):
			out = append(out, ' ')
		}
	}
	return out
}
