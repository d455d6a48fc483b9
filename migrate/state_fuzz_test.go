package migrate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

// fuzzedPlan has every kind of stage, and families that are split between calls.
func fuzzedPlan() *migrate.Plan {
	const direct, gateways, subs = "a1Direct001", "a1Gateway01", "a1SubDevice"
	gateway := iot.DeviceID{ProductKey: gateways, DeviceName: "g"}
	return &migrate.Plan{Lanes: []migrate.LanePlan{{
		Lane: migrate.Lane{ID: direct, Products: []migrate.Product{{Key: direct}, {Key: gateways, NodeType: iot.Gateway}, {Key: subs}}},
		Families: []topology.Family{
			{Devices: []iot.DeviceID{{ProductKey: direct, DeviceName: "d"}}},
			{Gateway: gateway, Devices: []iot.DeviceID{{ProductKey: subs, DeviceName: "s"}, gateway}},
		},
		Stages: []migrate.StagePlan{
			{Name: "gray", Console: migrate.ConsoleGray, Moves: true, Waves: []topology.Wave{{Count: 1}}, Verifiers: []string{"online"}},
			{Name: "code", Gate: true, Does: true},
			{Name: "rest", Moves: true, Waves: []topology.Wave{{First: 1, Count: 1}}, Verifiers: []string{"online"}},
		},
	}}}
}

// FuzzState folds entries that stand in whole lines of a journal, but that no runner has written. The state accepts them or
// calls them damage, and can decide and report on what it has accepted.
func FuzzState(f *testing.F) {
	f.Add([]byte(`{"kind":"campaign","header":{"version":1}}
{"kind":"runner","fence":1}
{"kind":"stage","lane":"a1Direct001","stage":"gray"}
{"kind":"wave","lane":"a1Direct001","stage":"gray","wave":1}
{"kind":"asked","lane":"a1Direct001","stage":"gray","wave":1,"console":"gray"}
{"kind":"performed","lane":"a1Direct001","stage":"gray","wave":1,"console":"gray"}
{"kind":"look","lane":"a1Direct001","stage":"gray","wave":1,"arrived":{"a1Direct001":["d"]},"end":true}
{"kind":"verdicts","lane":"a1Direct001","stage":"gray","wave":1,"verifier":"online","passed":{"a1Direct001":["d"]}}
{"kind":"verdicts","lane":"a1Direct001","stage":"gray","wave":1,"end":true}
{"kind":"decision","decision":{"kind":"rollback","by":"x"}}
`))
	f.Add([]byte(`{"kind":"campaign","header":{"version":1}}
{"kind":"stage","lane":"a1Direct001","stage":"gray"}
{"kind":"wave-end","lane":"a1Direct001","stage":"gray"}
{"kind":"expired","lane":"a1Direct001","stage":"gray","failed":[{"device":{"productKey":"a1SubDevice","deviceName":"s"}}]}
{"kind":"home","lane":"a1Direct001"}
`))
	f.Fuzz(func(t *testing.T, lines []byte) {
		state := migrate.NewState(fuzzedPlan())
		for line := range bytes.Lines(lines) {
			var e migrate.Entry
			if json.Unmarshal(line, &e) != nil {
				return // no journal would show it
			}
			if err := state.Apply(e); err != nil {
				if !errors.Is(err, migrate.ErrDamaged) && !errors.Is(err, migrate.ErrMismatch) {
					t.Errorf("%s: %v is neither damage nor a mismatch", line, err)
				}
				return
			}
			state.Decide(e.At, nil, false)
			state.Report("c")
		}
	})
}
