package migrate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// A warehouse takes the history over, table by table. The stage waits for it at least a day, and at most a week.
func ExampleNewCondition() {
	tables := []string{"voltages", "faults", "calls"}
	copied := func(string) bool { return true } // asks the warehouse
	taken := migrate.NewCondition("warehouse-has-all", func(_ context.Context, w *migrate.Waiting) (migrate.Observation, error) {
		var done int // tables; the journal remembers it over restarts
		if len(w.Progress) > 0 {
			if err := json.Unmarshal(w.Progress, &done); err != nil {
				return migrate.Observation{}, err
			}
		}
		if done < len(tables) && copied(tables[done]) { // a look does a part
			done++
		}
		progress, err := json.Marshal(done)
		return migrate.Observation{
			Holds:    done == len(tables),
			Evidence: migrate.Evidence{Source: "warehouse", Seen: fmt.Sprintf("%d of %d tables are copied", done, len(tables))},
			Progress: progress,
		}, err
	})
	stage := migrate.Stage{Name: "warehouse", Wait: migrate.Window{Min: 24 * time.Hour, Max: 7 * 24 * time.Hour}, Closes: taken}

	var w migrate.Waiting
	for range tables { // as the runner does
		seen, err := stage.Closes.Look(context.Background(), &w)
		fmt.Println(seen.Holds, seen.Evidence.Seen, err)
		w.Progress = seen.Progress
	}
	// Output:
	// false 1 of 3 tables are copied <nil>
	// false 2 of 3 tables are copied <nil>
	// true 3 of 3 tables are copied <nil>
}
