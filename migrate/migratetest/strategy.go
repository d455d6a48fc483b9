package migratetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/migrate"
)

// A StrategyTest says how [TestStrategy] tests. The zero value uses fleets of its own.
type StrategyTest struct {
	// Fleets are the fleet files to migrate: see [Generate]. Of each, the lanes that the strategy fits are
	// migrated, and the rest is left alone. All of it is run some hundred times: take fleets of 10 to
	// 40 devices. None means a fleet of each kind that [Generate] knows, of which at least one must have a lane that fits.
	Fleets [][]byte
	// Platform are the options of the platforms. Clock and Fault are set by the test.
	Platform Options
	// Skip names subtests that do not apply, such as "way back" for a strategy whose own code cannot be undone. Say
	// why in a comment.
	Skip []string
}

// TestStrategy runs a strategy through the promises of a campaign, each in a subtest per fleet:
//
//   - pure: the same lane gives the same match and stages, at once and concurrently, and is not changed;
//   - stages: they keep the rules of [migrate.CheckStages] and take every device;
//   - dry run: planning and preparing a run call nothing that writes, and give the same plan each time;
//   - moves: an undisturbed run proves all; each device moves once, by a call that the journal announced, sub-devices
//     before their gateway, and within the time that the plan foresees; the topology is as before;
//   - unreachable: a device that does not come back after its move is not proven;
//   - cancelled: when the context ends, the run returns soon, and nothing is written any more;
//   - resumed: killed before or after any entry of the journal, and before or after any write on the platform, a
//     new process comes to the same end;
//   - way back: a rollback returns all devices, with the topology as before. A strategy with a stage
//     of no return has none.
//
// make returns the strategy as a new process would: it is called anew for every platform and after every crash, so
// that the strategy can use what belongs to the platform, such as [Cloud.Sink]. It must neither read nor
// write the platform itself. Time is virtual, so that weeks pass at once.
func TestStrategy(t *testing.T, test StrategyTest, make func(*Cloud) migrate.Strategy) {
	t.Helper()
	benches, err := test.benches(t.Context(), make)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range benches {
		if testing.Short() {
			b.step = 10
		}
		for _, c := range strategyCases {
			if slices.Contains(test.Skip, c.name) {
				continue
			}
			t.Run(fmt.Sprintf("%s/%s", b.name, c.name), func(t *testing.T) {
				t.Parallel()
				if err := c.run(t.Context(), b); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// A strategyCase returns what a strategy got wrong, so that the suite itself can be tested.
type strategyCase struct {
	name string
	run  func(context.Context, *bench) error
}

var strategyCases = []strategyCase{
	{"pure", strategyPure},
	{"stages", strategyStages},
	{"dry run", strategyDryRun},
	{"moves", strategyMoves},
	{"unreachable", strategyUnreachable},
	{"cancelled", strategyCancelled},
	{"resumed before an entry", strategyResumed(beforeEntry)},
	{"resumed after an entry", strategyResumed(afterEntry)},
	{"resumed before a write", strategyResumed(beforeWrite)},
	{"resumed after a write", strategyResumed(afterWrite)},
	{"way back", strategyWayBack},
}

// A bench is where one strategy is tested on one fleet.
type bench struct {
	name     string
	fleet    []byte
	options  Options
	make     func(*Cloud) migrate.Strategy
	patience time.Duration // how long a run may take after its context has ended
	step     int           // 1 if a sweep leaves no moment out
}

const defaultPatience = 20 * time.Second // of a machine that is very busy

// benches returns one bench per fleet that has a lane for the strategy.
func (s StrategyTest) benches(ctx context.Context, make func(*Cloud) migrate.Strategy) ([]*bench, error) {
	fleets, own := s.Fleets, false
	if len(fleets) == 0 {
		fleets, own = defaultFleets(), true
	}
	var out []*bench
	for i, file := range fleets {
		b := &bench{name: fmt.Sprintf("fleet %d", i+1), fleet: file, options: s.Platform, make: make, patience: defaultPatience, step: 1}
		fits, err := b.fits(ctx)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", b.name, err)
		case fits:
			out = append(out, b)
		case !own:
			return nil, fmt.Errorf("%s: the strategy fits none of its lanes", b.name)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the strategy fits no lane of the generated fleets: set StrategyTest.Fleets")
	}
	return out, nil
}

// defaultFleets has a fleet of each kind. Families of the last one do not fit into one call.
func defaultFleets() [][]byte {
	return [][]byte{
		Generate(GenerateOptions{Direct: 12, OfflineEvery: 6}),
		Generate(GenerateOptions{PreRegistered: 10, OfflineEvery: 5}),
		Generate(GenerateOptions{ThingModel: 10, OfflineEvery: 5}),
		Generate(GenerateOptions{Gateways: 4, SubDevices: 2, OfflineEvery: 4}),
		Generate(GenerateOptions{Gateways: 2, SubDevices: 11}),
	}
}
