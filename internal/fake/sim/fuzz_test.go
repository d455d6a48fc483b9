package sim_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/sim"
)

// Whatever rules come, they are refused, or can be asked about any operation and are shown as they came.
func FuzzRules(f *testing.F) {
	for _, seed := range []string{
		`[]`, `[{"lost":true}]`, `[{"name":"Pub","lie":["*"],"count":1}]`,
		`[{"kind":"api","instance":"","after":3,"every":2,"refuse":{"status":503,"code":"X"}}]`,
		`[{"name":"QueryDevice","drop":["a","*"],"delay":"1h2m"},{"device":"a-01","delay":"-1s"}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var rules []sim.Rule
		var faults sim.Faults
		if json.Unmarshal(text, &rules) != nil || faults.Set(rules) != nil {
			return
		}
		shown, err := json.Marshal(faults.States())
		if err != nil {
			t.Fatal(err)
		}
		var again []sim.Rule
		if err := json.Unmarshal(shown, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rules, again, cmp.Transformer("absent", func(list []string) []string { return append([]string{}, list...) })); diff != "" && len(rules) > 0 {
			t.Errorf("%s is shown as %s: -want +got:\n%s", text, shown, diff)
		}
		for range 5 {
			fault := faults.Hook(fake.Op{Kind: fake.APIOp, Name: "QueryDevice", ProductKey: meter, Devices: []string{"a-01"}})
			if fault.Alter != nil {
				fault.Alter(new(fake.QueryDeviceResponse))
				fault.Alter(nil)
			}
		}
		for i, s := range faults.States() {
			if s.Seen < s.Done || s.Count > 0 && s.Done > s.Count {
				t.Errorf("faults[%d]: %+v", i, s)
			}
		}
	})
}
