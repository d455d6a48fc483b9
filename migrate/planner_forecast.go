package migrate

import (
	"slices"
	"time"

	"github.com/iotferry/iotferry/topology"
)

// callPace is the time between two calls of BatchGrayMigrationDevice: 5 per second and account.
const callPace = time.Second / 5

// foresee fills in the forecast of the lane's calls.
func (l *LanePlan) foresee() {
	var splits []int32
	for _, s := range l.Stages {
		if !s.Moves || s.Console != "" {
			continue
		}
		for _, w := range s.Waves {
			families := l.Families[w.First : w.First+w.Count]
			calls := topology.Calls(families)
			l.Forecast.Calls += len(calls)
			for _, n := range topology.Splits(families, calls) {
				splits = append(splits, int32(n))
			}
		}
	}
	l.Forecast.Moving = time.Duration(l.Forecast.Calls) * callPace
	if len(splits) == 0 {
		return
	}
	slices.Sort(splits)
	p95 := (len(splits)*95 + 99) / 100 // nearest rank
	l.Forecast.SplitP95 = time.Duration(splits[p95-1]) * callPace
	l.Forecast.SplitMax = time.Duration(splits[len(splits)-1]) * callPace
}
