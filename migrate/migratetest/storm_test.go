package migratetest

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/scenario"
)

// TestStorm kills a campaign several times at random, on a platform that loses answers and refuses calls. It has to come
// to the undisturbed end nevertheless.
func TestStorm(t *testing.T) {
	b := &bench{
		fleet: Generate(GenerateOptions{Gateways: 3, SubDevices: 5, Direct: 9}), patience: defaultPatience,
		make: func(c *Cloud) migrate.Strategy {
			o := scenario.Options{FirstGray: 4, Sink: c.Sink()}
			return either(scenario.Gateway(o), scenario.Direct(o))
		},
	}
	base, err := undisturbed(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(40) {
		if err := base.storm(t, rand.New(rand.NewPCG(seed, 1))); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

func (b *baseline) storm(t *testing.T, r *rand.Rand) error {
	w, err := b.world()
	if err != nil {
		return err
	}
	var mu sync.Mutex // operations come from several goroutines
	weather := rand.New(rand.NewPCG(r.Uint64(), 2))
	w.fault = func(op Op) Fault {
		mu.Lock()
		defer mu.Unlock()
		switch n := weather.IntN(100); {
		case op.Name == "BatchGrayMigrationDevice" && n < 15:
			return Fault{Lost: true}
		case op.Name == "BatchGrayMigrationDevice" && n < 30:
			return Fault{Refuse: iot.Throttled}
		case op.Name == "BatchGetDeviceState" && n < 3:
			return Fault{Refuse: iot.Transient}
		}
		return Fault{}
	}
	for range 2 { // a device that was in three calls without effect is given up
		m := b.random(r, 1)
		w.crash.arm(m)
		report, err := w.run(t.Context())
		if err == nil {
			return b.calm(w, report)
		}
		if !w.crash.came() {
			return err
		}
		if err := w.restart(t.Context()); err != nil {
			return err
		}
	}
	report, err := w.run(t.Context())
	if err != nil {
		return err
	}
	return b.calm(w, report)
}

// calm checks the end of a storm. How often who was asked may differ.
func (b *baseline) calm(w *world, report *migrate.Report) error {
	if report.Outcome != migrate.OutcomeProven {
		return &iot.Error{Message: "the campaign ends " + string(report.Outcome) + stories(report)}
	}
	if err := w.record.check(w.plan); err != nil {
		return err
	}
	return w.checkFates(func(moved bool) fate {
		if moved {
			return fate{Owner: w.plan.Target.ID, Moved: 1}
		}
		return fate{}
	})
}

// either is the one of two strategies that fits.
func either(a, b migrate.Strategy) migrate.Strategy {
	pick := func(l migrate.Lane) migrate.Strategy {
		if a.Match(l).Fits {
			return a
		}
		return b
	}
	return migrate.NewStrategy("either",
		func(l migrate.Lane) migrate.Match { return pick(l).Match(l) },
		func(l migrate.Lane) ([]migrate.Stage, error) { return pick(l).Stages(l) })
}
