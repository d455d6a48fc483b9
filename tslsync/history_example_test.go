package tslsync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/tslsync"
)

// The target lacks one of the rows that the source holds. The results are written as JSON Lines.
func ExampleCompare() {
	property := series{lamp, tslsync.PropertyReport, "brightness"}
	from := today.Truncate(time.Hour)
	source, target := newShelf(), newShelf()
	for minute := range 4 {
		source.put(property, from.Add(time.Duration(minute)*20*time.Minute), fmt.Sprint(minute))
	}
	for _, row := range source.rows[property][1:] {
		target.put(property, row.At, string(row.Value))
	}
	comparison := tslsync.Comparison{
		Source: source, Target: target, Clock: stopped{}, // real time is what you want
		Model: func(string) (*tslsync.Model, error) {
			return tslsync.Parse(json.RawMessage(`{"properties":[{"identifier":"brightness","dataType":{"type":"int"}}]}`))
		},
	}

	var found tslsync.Difference
	lines := json.NewEncoder(os.Stdout)
	cursor := tslsync.NewCursor(lamp, from, from.Add(2*time.Hour))
	for step, err := range tslsync.Compare(context.Background(), comparison, slices.Values([]tslsync.Cursor{cursor})) {
		if err != nil {
			fmt.Println(err) // later, go on from the last cursor
			return
		}
		found.Add(step)
		for _, hour := range step.Hours {
			if err := lines.Encode(hour); err != nil {
				fmt.Println(err)
			}
		}
		// Store step.Cursor here, together with the hours.
	}
	fmt.Println(found.Missing, "missing; all there:", found.Empty())
	// Output:
	// {"device":{"productKey":"a1LampPk001","deviceName":"lamp-0001"},"report":"property","identifier":"brightness","hour":"2026-05-31T10:00:00Z","equal":2,"missing":1,"first":"2026-05-31T10:00:00Z"}
	// {"device":{"productKey":"a1LampPk001","deviceName":"lamp-0001"},"report":"property","identifier":"brightness","hour":"2026-05-31T11:00:00Z","equal":1}
	// 1 missing; all there: false
}

// A comparison that does not fit into the quota is one of a sample, with what it says about all.
func ExampleWorkload_Estimate() {
	limits, err := tslsync.HistoryLimits(0.5) // the other half is for the campaign
	if err != nil {
		fmt.Println(err)
		return
	}
	perHour := []float64{24, 24, 24, 24, 24, 24, 24, 24}
	w := tslsync.Workload{Devices: 500_000, Span: iot.HistoryKept, Properties: perHour, Events: []float64{0.1}}
	e := w.Estimate(limits)
	n, err := tslsync.SampleSize(w.Devices, 0.95, 0.001)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("all: %d calls, %s\n", e.Calls(), e.Duration)
	fmt.Printf("in a day: %d devices\n", w.Fits(24*time.Hour, limits))
	w.Devices = n
	fmt.Printf("a sample of %d: %s; without a difference, less than %.1f%% of all differ, at 95%% confidence\n",
		n, w.Estimate(limits).Duration.Round(time.Minute), 100*tslsync.AtMost(n, 0, 0.95))
	// Output:
	// all: 9000000 calls, 455h33m20s
	// in a day: 26341 devices
	// a sample of 2986: 2h43m0s; without a difference, less than 0.1% of all differ, at 95% confidence
}

// The difference is empty, but the least time is not over.
func ExampleWindow_Decide() {
	opened := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	facts := tslsync.WindowFacts{
		Opening:  tslsync.Opening{At: opened, By: "Li Wei"},
		Devices:  20,
		Compared: tslsync.Difference{Devices: 20, From: opened, Until: opened.AddDate(0, 0, 5), Newest: opened.AddDate(0, 0, 5).Add(-time.Hour)},
	}
	decision, err := tslsync.Window{}.Decide(facts, opened.AddDate(0, 0, 5))
	fmt.Println(decision.Phase, decision.Todo, err)

	facts.Compared.Until, facts.Compared.Newest = opened.AddDate(0, 0, 7), opened.AddDate(0, 0, 7).Add(-time.Hour)
	decision, err = tslsync.Window{}.Decide(facts, opened.AddDate(0, 0, 7))
	fmt.Println(decision.Phase, decision.Ends, err)
	// Output:
	// waiting [Wait until 2026-05-08T08:00:00.000Z, or record who closes the window before its least time of 7 days, and why.] <nil>
	// closable 2026-05-31 08:00:00 +0000 UTC <nil>
}
