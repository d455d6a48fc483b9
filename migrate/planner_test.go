package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

// scenarioOf is the number of the guide's page for a lane, as fleet files count them.
func scenarioOf(l migrate.Lane) int {
	switch p := l.Products[0]; {
	case l.HasGateway():
		return 2
	case p.Auth == iot.AuthPerProductPreregistered:
		return 3
	case p.DataFormat == iot.Alink:
		return 4
	}
	return 1
}

// guideStrategies returns a strategy for each scenario, named by its number.
func guideStrategies() []migrate.Strategy {
	var all []migrate.Strategy
	for n := 1; n <= 4; n++ {
		match := func(l migrate.Lane) migrate.Match {
			if got := scenarioOf(l); got != n {
				return migrate.Match{Why: fmt.Sprintf("it is scenario %d", got)}
			}
			return migrate.Match{Fits: true, Why: "the lane is as the guide's page says"}
		}
		all = append(all, migrate.NewStrategy(strconv.Itoa(n), match, graySteps))
	}
	return all
}

// graySteps are the steps that all pages of the guide have.
func graySteps(migrate.Lane) ([]migrate.Stage, error) {
	online := []migrate.Verifier{nobody("online")}
	return []migrate.Stage{
		{Name: "create", About: "Create the tasks.", Console: migrate.ConsoleCreate},
		{Name: "gray", About: "Move the first devices.", Gate: true, Console: migrate.ConsoleGray,
			Move: &migrate.Move{Devices: 5}, Verify: online},
		{Name: "confirm", About: "Confirm the first batch.", Gate: true, Console: migrate.ConsoleConfirm},
		{Name: "rest", About: "Move all other devices.", Gate: true, Move: &migrate.Move{Rest: true}, Verify: online},
	}, nil
}

// nobody makes a verifier that proves nothing.
func nobody(name string) migrate.Verifier {
	return migrate.NewVerifier(name, func(context.Context, *migrate.Subject) iter.Seq2[migrate.Finding, error] {
		return func(func(migrate.Finding, error) bool) {}
	})
}

func planOf(t testing.TB, s *migrate.Survey) *migrate.Plan {
	t.Helper()
	plan, err := migrate.Planner{Strategies: guideStrategies()}.Plan(s)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// Families tie products into lanes; everything else is a lane of its own.
func TestPlanLanes(t *testing.T) {
	plan := planOf(t, town())
	type lane struct {
		ID, Strategy               string
		Products                   []string
		Families, Devices, Largest int
	}
	var got []lane
	for _, l := range plan.Lanes {
		one := lane{ID: l.Lane.ID, Strategy: l.Strategy, Families: l.Lane.Families, Devices: l.Lane.Devices, Largest: l.Lane.LargestFamily}
		for _, p := range l.Lane.Products {
			one.Products = append(one.Products, fmt.Sprint(p.Key, " ", p.Devices, " ", len(p.Rules), " ", len(p.Subscriptions)))
		}
		got = append(got, one)
	}
	want := []lane{
		{"a1Gateway01", "2", []string{"a1Gateway01 4 0 0", "a1Sensor001 12 0 0", "a1Valve0001 3 0 0"}, 4, 19, 10},
		{"a1Lamp00001", "1", []string{"a1Lamp00001 5 0 1"}, 5, 5, 1},
		{"a1Meter0001", "1", []string{"a1Meter0001 30 2 0"}, 30, 30, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if plan.Limits.MaxTasks != 5 || plan.Deadlines.Gate != 7*24*time.Hour {
		t.Errorf("defaults are not filled in: %+v %+v", plan.Limits, plan.Deadlines)
	}
}

// The order of a survey's lists means nothing, to the last byte of the plan.
func TestPlanDeterministic(t *testing.T) {
	want := text(t, planOf(t, town()))
	for seed := range uint64(20) {
		s := clone(t, town())
		shuffle(s, rand.New(rand.NewPCG(seed, 1)))
		if got := text(t, planOf(t, s)); got != want {
			t.Errorf("seed %d: another plan\n%s", seed, cmp.Diff(want, got))
		}
	}
}

// Waves part the families of random fleets: all of them, each once, in order, none split; and whatever was
// planned can be read back.
func TestPlanPartition(t *testing.T) {
	for seed := range uint64(15) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		s := randomSurvey(rnd)
		plan := planOf(t, s)
		where := fmt.Sprintf("seed %d", seed)
		devices := 0
		for _, l := range plan.Lanes {
			next := 0
			for _, stage := range l.Stages {
				for _, w := range stage.Waves {
					if w.First != next || w.Count < 1 {
						t.Errorf("%s: lane %s: wave %+v begins at %d", where, l.Lane.ID, w, next)
					}
					next += w.Count
				}
			}
			if next != len(l.Families) {
				t.Errorf("%s: lane %s: waves hold %d of %d families", where, l.Lane.ID, next, len(l.Families))
			}
			for _, f := range l.Families {
				devices += f.Len()
			}
		}
		if devices != s.Devices() {
			t.Errorf("%s: %d of %d devices are planned", where, devices, s.Devices())
		}
		back, err := migrate.ReadPlan(strings.NewReader(text(t, plan)))
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if diff := cmp.Diff(plan, back); diff != "" || back.Hash() != plan.Hash() {
			t.Errorf("%s: what is read is not what was written: -want +got\n%s", where, diff)
		}
	}
}

// randomSurvey makes gateways of two products with sub-devices of three, and a few direct devices.
func randomSurvey(rnd *rand.Rand) *migrate.Survey {
	gateways := []migrate.SurveyProduct{product("a1Gateway01", iot.Gateway, 1+rnd.IntN(30)), product("a1Gateway02", iot.Gateway, rnd.IntN(10))}
	subs := []migrate.SurveyProduct{product("a1Sensor001", iot.SubDevice, 0), product("a1Sensor002", iot.SubDevice, 0), product("a1Valve0001", iot.SubDevice, 0)}
	var topo []migrate.SurveyGateway
	for _, p := range gateways {
		for _, d := range p.Devices {
			g := migrate.SurveyGateway{ID: d.ID}
			for range rnd.IntN(40) {
				sub := &subs[rnd.IntN(len(subs))]
				id := dev(sub.Product.Key, len(sub.Devices))
				sub.Devices = append(sub.Devices, iot.Device{ID: id, Status: iot.Online})
				g.Subs = append(g.Subs, id)
			}
			topo = append(topo, g)
		}
	}
	s := survey(append(append(gateways, subs...), product("a1Meter0001", iot.Direct, rnd.IntN(300)))...)
	s.Gateways = topo
	shuffle(s, rnd)
	return s
}

func text(t testing.TB, p *migrate.Plan) string {
	t.Helper()
	var b strings.Builder
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func strategyOf(stages ...migrate.Stage) migrate.Strategy {
	return migrate.NewStrategy("mine", func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true, Why: "it takes all"} },
		func(migrate.Lane) ([]migrate.Stage, error) { return stages, nil })
}

// Moves take what is left, in their order; a console move is one wave; a move that finds nothing has none.
func TestPlanMoves(t *testing.T) {
	planner := migrate.Planner{Strategies: []migrate.Strategy{strategyOf(
		migrate.Stage{Name: "gray", Console: migrate.ConsoleGray, Move: &migrate.Move{Devices: 25}},
		migrate.Stage{Name: "few", Move: &migrate.Move{Devices: 30, Ramp: topology.Ramp{First: 4, Factor: 2, Max: 8}}, Wait: migrate.Window{Min: time.Hour}},
		migrate.Stage{Name: "more", Move: &migrate.Move{Devices: 1000}},
		migrate.Stage{Name: "full", Console: migrate.ConsoleFull, Move: &migrate.Move{Rest: true}},
	)}}
	plan, err := planner.Plan(survey(product(meter, iot.Direct, 60)))
	if err != nil {
		t.Fatal(err)
	}
	lane := plan.Lanes[0]
	var got [][]topology.Wave
	for _, s := range lane.Stages {
		got = append(got, s.Waves)
	}
	want := [][]topology.Wave{
		{{First: 0, Count: 25, Devices: 25}},
		{{First: 25, Count: 4, Devices: 4}, {First: 29, Count: 8, Devices: 8}, {First: 37, Count: 8, Devices: 8}, {First: 45, Count: 8, Devices: 8}, {First: 53, Count: 2, Devices: 2}},
		{{First: 55, Count: 5, Devices: 5}},
		nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("waves: -want +got\n%s", diff)
	}
	// Calls are made for the stages "few" and "more" only: one for each wave.
	forecast := migrate.Forecast{Calls: 6, Moving: 1200 * time.Millisecond, Waiting: time.Hour}
	if diff := cmp.Diff(forecast, lane.Forecast); diff != "" {
		t.Errorf("forecast: -want +got\n%s", diff)
	}
}

// Devices that have to be among the first bring their families, and the sample fills up what is left of the number.
func TestPlanIncludes(t *testing.T) {
	s := survey(product(gateway, iot.Gateway, 3), product(sensor, iot.SubDevice, 9), product(meter, iot.Direct, 20))
	for i := range 3 {
		bind(s, dev(gateway, i), sensor, 3*i, 3*i+3)
	}
	include := []iot.DeviceID{dev(sensor, 7), dev(meter, 13), dev(meter, 19), {ProductKey: "a1Nowhere01", DeviceName: "nobody"}}
	plan, err := migrate.Planner{Strategies: []migrate.Strategy{strategyOf(
		migrate.Stage{Name: "first", Move: &migrate.Move{Devices: 5, Include: include}}, rest,
	)}}.Plan(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range plan.Lanes {
		first := l.Stages[0].Waves
		moved := map[iot.DeviceID]bool{}
		for _, w := range first {
			for _, f := range l.Families[w.First : w.First+w.Count] {
				for _, id := range f.Devices {
					moved[id] = true
				}
			}
		}
		want := map[string][]iot.DeviceID{
			gateway: {dev(gateway, 2), dev(sensor, 6), dev(sensor, 7), dev(sensor, 8)}, meter: {dev(meter, 13), dev(meter, 19)},
		}[l.Lane.ID]
		for _, id := range want {
			if !moved[id] {
				t.Errorf("lane %s: %s is not among the first: %v", l.Lane.ID, id, moved)
			}
		}
		if most := 5; len(moved) > most || l.Lane.ID == meter && len(moved) != most {
			t.Errorf("lane %s: %d devices are the first, want %d", l.Lane.ID, len(moved), most)
		}
	}
	if len(plan.Lanes) != 2 {
		t.Fatalf("%d lanes", len(plan.Lanes))
	}
}

// A family of 25 sub-devices takes four calls at least: 0.6 s between the first and the last.
func TestPlanForecastSplit(t *testing.T) {
	s := survey(product(gateway, iot.Gateway, 1), product(sensor, iot.SubDevice, 25))
	bind(s, dev(gateway, 0), sensor, 0, 25)
	plan, err := migrate.Planner{Strategies: []migrate.Strategy{strategyOf(rest)}}.Plan(s)
	if err != nil {
		t.Fatal(err)
	}
	want := migrate.Forecast{Calls: 4, Moving: 800 * time.Millisecond, SplitP95: 600 * time.Millisecond, SplitMax: 600 * time.Millisecond}
	if diff := cmp.Diff(want, plan.Lanes[0].Forecast); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

var rest = migrate.Stage{Name: "rest", Move: &migrate.Move{Rest: true}}

// A plan that may not start shows its lanes nevertheless.
func TestPlanBlocked(t *testing.T) {
	s := town()
	if blocked := planOf(t, s).Blocked(); blocked != nil {
		t.Errorf("blocked by %v", each(blocked))
	}
	s.Declared.TargetOnlineQuota = 54
	plan := planOf(t, s)
	if diff := cmp.Diff([]string{"blocker online-quota iot-060a0001"}, each(plan.Blocked())); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if len(plan.Lanes) != 3 {
		t.Errorf("%d lanes", len(plan.Lanes))
	}
}

func TestPlanOfNothing(t *testing.T) {
	plan := planOf(t, survey())
	if len(plan.Lanes) != 0 || len(plan.Issues) != 0 {
		t.Errorf("plan of nothing: %+v", plan)
	}
}

func TestPlanRefuses(t *testing.T) {
	kinds := func(names ...string) (all []migrate.Strategy) {
		for _, name := range names {
			all = append(all, migrate.NewStrategy(name, func(migrate.Lane) migrate.Match { return migrate.Match{Why: "not for " + name} }, nil))
		}
		return all
	}
	broken := migrate.NewStrategy("broken", func(migrate.Lane) migrate.Match { return migrate.Match{Fits: true} },
		func(migrate.Lane) ([]migrate.Stage, error) { return nil, errors.New("out of order") })
	for _, test := range []struct {
		planner migrate.Planner
		want    string
	}{
		{migrate.Planner{}, "plan: lane a1Meter0001: no strategy fits products a1Meter0001 ()"},
		{migrate.Planner{Strategies: kinds("one", "two")},
			"plan: lane a1Meter0001: no strategy fits products a1Meter0001 (one: not for one; two: not for two)"},
		{migrate.Planner{Strategies: kinds("one", "one")}, `plan: strategies[1]: there are two with the name "one"`},
		{migrate.Planner{Strategies: kinds("One")}, `plan: strategies[0]: name "One" is not in kebab-case`},
		{migrate.Planner{Strategies: []migrate.Strategy{nil}}, "plan: strategies[0]: it is nil"},
		{migrate.Planner{Strategies: []migrate.Strategy{broken}}, "plan: lane a1Meter0001: strategy broken: out of order"},
		{migrate.Planner{Strategies: []migrate.Strategy{strategyOf(migrate.Stage{Name: "some", Move: &migrate.Move{Devices: 3}})}},
			"plan: lane a1Meter0001: strategy mine: its stages leave 2 of 5 families behind: the last move has to take the rest"},
		{migrate.Planner{Strategies: []migrate.Strategy{strategyOf(rest, rest)}},
			`plan: lane a1Meter0001: strategy mine: stages[1] "rest": another stage has that name`},
		{migrate.Planner{Limits: migrate.Limits{MaxFailedDevices: -1}}, "plan: limits.maxFailedDevices: -1 is negative"},
		{migrate.Planner{Limits: migrate.Limits{MaxFailedShare: 1.5}}, "plan: limits.maxFailedShare: 1.5 is not from 0 to 1"},
		{migrate.Planner{Limits: migrate.Limits{MaxFailedShare: math.NaN()}}, "plan: limits.maxFailedShare: NaN is not from 0 to 1"},
		{migrate.Planner{Limits: migrate.Limits{MinSample: -1}}, "plan: limits.minSample: -1 is negative"},
		{migrate.Planner{Limits: migrate.Limits{MaxTasks: 6}}, "plan: limits.maxTasks: 6 is not from 0 to 5, the most that the platform allows"},
		{migrate.Planner{Deadlines: migrate.Deadlines{Console: -time.Second}}, "plan: deadlines.console: -1s is negative"},
	} {
		plan, err := test.planner.Plan(survey(product(meter, iot.Direct, 5)))
		if plan != nil || fmt.Sprint(err) != test.want {
			t.Errorf("error %v, want %s", err, test.want)
		}
	}
}

// All lanes without a strategy are named at once.
func TestPlanNamesAllLanes(t *testing.T) {
	_, err := migrate.Planner{}.Plan(town())
	for _, lane := range []string{"lane a1Gateway01", "lane a1Lamp00001", "lane a1Meter0001"} {
		if !strings.Contains(fmt.Sprint(err), lane) {
			t.Errorf("error %v does not name %s", err, lane)
		}
	}
}

func TestCheckStages(t *testing.T) {
	do := func(context.Context, *migrate.Env) error { return nil }
	some := &migrate.Move{Devices: 3}
	for _, test := range []struct {
		name   string
		stages []migrate.Stage
		want   string // empty for none
	}{
		{"as the guide", must(graySteps(migrate.Lane{})), ""},
		{"all kinds of stages", []migrate.Stage{
			{Name: "a1", Gate: true, OneWay: true}, {Name: "own-code", Do: do, Undo: do}, {Name: "wait", Wait: migrate.Window{Min: 1}},
			{Name: "wait-2", Wait: migrate.Window{Min: 1, Max: 1}}, {Name: "look", Verify: []migrate.Verifier{nobody("online"), nobody("pub")}},
			{Name: "sync", Console: migrate.ConsoleDataSync}, {Name: "full", Console: migrate.ConsoleFull, Move: rest.Move},
		}, ""},
		{"no stages", nil, "there are no stages"},
		{"no name", []migrate.Stage{{Gate: true}}, `stages[0] "": name: "" is not in kebab-case`},
		{"camels", []migrate.Stage{{Name: "myStage", Gate: true}}, `stages[0] "myStage": name: "myStage" is not in kebab-case`},
		{"double hyphen", []migrate.Stage{{Name: "a--b", Gate: true}}, `stages[0] "a--b": name: "a--b" is not in kebab-case`},
		{"same name", []migrate.Stage{{Name: "a", Gate: true}, {Name: "a", Gate: true}}, `stages[1] "a": another stage has that name`},
		{"idle", []migrate.Stage{{Name: "a", About: "Nothing."}}, `stages[0] "a": it does nothing: leave it out`},
		{"undo alone", []migrate.Stage{{Name: "a", Gate: true, Undo: do}}, `stages[0] "a": it has Undo, but no Do`},
		{"code and move", []migrate.Stage{{Name: "a", Do: do, Move: some}}, `stages[0] "a": own code stands in a stage of its own, without a console task or a move`},
		{"code and console", []migrate.Stage{{Name: "a", Do: do, Console: migrate.ConsoleCreate}}, `stages[0] "a": own code stands in a stage of its own, without a console task or a move`},
		{"one way without a gate", []migrate.Stage{{Name: "a", Do: do, OneWay: true}}, `stages[0] "a": oneWay: a stage without a way back needs a gate`},
		{"move of nothing", []migrate.Stage{{Name: "a", Move: &migrate.Move{}}}, `stages[0] "a": move: it has to have either Devices or Rest`},
		{"move of two kinds", []migrate.Stage{{Name: "a", Move: &migrate.Move{Devices: 1, Rest: true}}}, `stages[0] "a": move: it has to have either Devices or Rest`},
		{"move of less than nothing", []migrate.Stage{{Name: "a", Move: &migrate.Move{Devices: -1}}}, `stages[0] "a": move: -1 devices cannot be moved`},
		{"bad ramp", []migrate.Stage{{Name: "a", Move: &migrate.Move{Rest: true, Ramp: topology.Ramp{First: -1}}}}, `stages[0] "a": move: ramp: First is -1`},
		{"move after the rest", []migrate.Stage{rest, {Name: "a", Move: some}}, `stages[1] "a": it moves devices, but stage "rest" has moved the rest before`},
		{"gray without move", []migrate.Stage{{Name: "a", Console: migrate.ConsoleGray}}, `stages[0] "a": console: task "gray-batch" moves devices: the stage needs a move`},
		{"full of some", []migrate.Stage{{Name: "a", Console: migrate.ConsoleFull, Move: some}}, `stages[0] "a": console: full migration moves all devices, so the move needs Rest`},
		{"confirm with move", []migrate.Stage{{Name: "a", Console: migrate.ConsoleConfirm, Move: some}}, `stages[0] "a": console: task "confirm-gray" moves no devices: the move needs a stage of its own`},
		{"rollback", []migrate.Stage{{Name: "a", Console: migrate.ConsoleRollback}}, `stages[0] "a": console: task "rollback" is the way back, and no stage`},
		{"unknown task", []migrate.Stage{{Name: "a", Console: "tidy"}}, `stages[0] "a": console: task "tidy" is unknown`},
		{"negative wait", []migrate.Stage{{Name: "a", Wait: migrate.Window{Min: -1}}}, `stages[0] "a": wait: -1ns to 0s is negative`},
		{"wait too short", []migrate.Stage{{Name: "a", Wait: migrate.Window{Min: 3, Max: 2}}}, `stages[0] "a": wait: it lasts at most 2ns, which is less than the least of 3ns`},
		{"nil verifier", []migrate.Stage{{Name: "a", Verify: []migrate.Verifier{nobody("x"), nil}}}, `stages[0] "a": verifiers[1]: it is nil`},
		{"verifier twice", []migrate.Stage{{Name: "a", Verify: []migrate.Verifier{nobody("x"), nobody("x")}}}, `stages[0] "a": verifiers[1]: "x" is there twice`},
		{"verifier's name", []migrate.Stage{{Name: "a", Verify: []migrate.Verifier{nobody("X")}}}, `stages[0] "a": verifiers[0]: name "X" is not in kebab-case`},
	} {
		err := migrate.CheckStages(test.stages)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (iot.KindOf(err) != iot.Invalid || !strings.HasPrefix(err.Error(), test.want)):
			t.Errorf("%s: error %v, want %s", test.name, err, test.want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
