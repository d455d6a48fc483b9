package main

import (
	"time"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
	"github.com/iotferry/iotferry/verify"
)

// Canary moves one small family of each kind first, watches them for an hour, and then moves the rest.
func Canary(reports verify.Sink) migrate.Strategy {
	return migrate.NewStrategy("canary", func(l migrate.Lane) migrate.Match {
		return migrate.Match{Fits: l.HasGateway(), Why: "the lane has gateways, and some families can be canaries"}
	}, func(migrate.Lane) ([]migrate.Stage, error) {
		proof := []migrate.Verifier{
			verify.Online(verify.OnlineConfig{}),
			verify.Topology(),
			verify.Reporting(verify.ReportingConfig{Sink: reports}),
		}
		return []migrate.Stage{
			{Name: "create-task", Console: migrate.ConsoleCreate, About: "Create the migration tasks."},
			{Name: "canary", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 20}, Verify: proof,
				About: "Move a small family of each kind, and let them prove themselves."},
			{Name: "watch", Wait: migrate.Window{Min: time.Hour, Max: 2 * time.Hour}, Verify: proof,
				About: "Watch the canaries for an hour: they have to be fine at the end as well."},
			{Name: "confirm", Gate: true, Console: migrate.ConsoleConfirm, About: "Confirm the gray batch."},
			{Name: "rest", Move: &migrate.Move{Rest: true, Ramp: topology.Ramp{First: 100, Factor: 3}}, Verify: proof,
				About: "Move everything else in growing waves."},
			{Name: "check", Verify: []migrate.Verifier{verify.Absent()}, About: "See that the source has none of them."},
		}, nil
	})
}
