package migratetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

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
	// Most bounds how many moments each sweep of crashes tries, each with two runs of a campaign; if there are more, they
	// are spread evenly. Take few for a strategy that is slow to run. Zero means 200. With -short a tenth is tried.
	Most int
	// Seed decides what the sweeps choose at random. Zero means another one each time, which a failure names.
	Seed uint64
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
//   - resumed: killed before, within the bytes of or after any append to the journal, before or after any call of the
//     platform, or while the operator works, a new process comes to the same end; also if it is killed in its turn;
//   - way back: a rollback returns all devices, with the topology as before, and so does one that is killed and
//     resumed. A strategy with a stage of no return has none.
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
	{"resumed within an entry", strategyResumed(tornEntry)},
	{"resumed after an entry", strategyResumed(afterEntry)},
	{"resumed before a write", strategyResumed(beforeWrite)},
	{"resumed after a write", strategyResumed(afterWrite)},
	{"resumed before a read", strategyResumed(beforeRead)},
	{"resumed after a read", strategyResumed(afterRead)},
	{"resumed amid a console task", strategyResumed(amidTask)},
	{"resumed after a console task", strategyResumed(afterTask)},
	{"resumed before a late console task", strategyResumed(lateTask)},
	{"resumed twice", strategyResumedTwice},
	{"way back", strategyWayBack},
	{"way back resumed", strategyWayBackResumed},
}

// benches returns one bench per fleet that has a lane for the strategy.
func (s StrategyTest) benches(ctx context.Context, make func(*Cloud) migrate.Strategy) ([]*bench, error) {
	fleets, own := s.Fleets, false
	if len(fleets) == 0 {
		fleets, own = defaultFleets(), true
	}
	var out []*bench
	for i, file := range fleets {
		b := s.bench(file, make)
		b.name = fmt.Sprintf("fleet %d", i+1)
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
