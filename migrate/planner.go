package migrate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// A Planner makes plans of surveys. It is plain data and safe for concurrent use.
type Planner struct {
	// Strategies are asked in this order: the first one that fits a lane takes it.
	Strategies []Strategy
	Limits     Limits
	Deadlines  Deadlines
}

// Plan makes a plan of everything that is free to move, with the issues of [Preflight]. Equal surveys,
// strategies and settings give equal plans, byte by byte, whatever the order of the survey's lists.
//
// A plan with [Plan.Blocked] issues shows its lanes nevertheless, but cannot be run. Plan returns an error
// if the survey cannot be read as one fleet, if no strategy fits a lane, or if the stages of one do not
// keep the rules of [CheckStages] or leave devices behind. Errors about lanes are joined, so that all are seen at once.
func (p Planner) Plan(s *Survey) (*Plan, error) {
	plan, err := p.plan(s, nil)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return plan, nil
}

func (p Planner) plan(s *Survey, leave func(topology.Family) bool) (*Plan, error) {
	if s == nil {
		return nil, refuse("survey: it is nil: the preflight says why it could not be taken")
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	in, err := inspect(s, p.Limits.MaxOffline, leave)
	if err != nil {
		return nil, err
	}
	plan := &Plan{
		Version: PlanVersion, Account: s.Account, Source: s.Source, Target: s.Target,
		Limits: p.Limits.withDefaults(), Deadlines: p.Deadlines.withDefaults(),
		Issues: append([]Issue{}, in.issues...), Lanes: make([]LanePlan, 0, len(in.lanes)),
	}
	devices := make(map[string]int, len(s.Products))
	for i := range s.Products {
		devices[s.Products[i].Product.Key] = len(s.Products[i].Devices)
	}
	var errs []error
	for i, d := range in.lanes {
		in.lanes[i].families = nil // they are the plan's now
		lane, err := p.planLane(d, devices)
		if err != nil {
			errs = append(errs, fmt.Errorf("lane %s: %w", d.lane.ID, err))
			continue
		}
		plan.Lanes = append(plan.Lanes, lane)
		plan.Issues = append(plan.Issues, p.Limits.unkept(lane)...)
	}
	slices.SortStableFunc(plan.Issues, compareIssues)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return plan, nil
}

func (p Planner) check() error {
	names := map[string]bool{}
	for i, s := range p.Strategies {
		switch {
		case s == nil:
			return refuse("strategies[%d]: it is nil", i)
		case !isKebab(s.Name()):
			return refuse("strategies[%d]: name %q is not in kebab-case", i, s.Name())
		case names[s.Name()]:
			return refuse("strategies[%d]: there are two with the name %q", i, s.Name())
		}
		names[s.Name()] = true
	}
	if err := p.Limits.check(); err != nil {
		return fmt.Errorf("limits.%w", err)
	}
	if err := p.Deadlines.check(); err != nil {
		return fmt.Errorf("deadlines.%w", err)
	}
	return nil
}

// planLane gives the lane to the first strategy that fits. devices is how many each product has at the source.
func (p Planner) planLane(d draft, devices map[string]int) (LanePlan, error) {
	var reasons []string
	for _, s := range p.Strategies {
		m := s.Match(d.lane)
		if !m.Fits {
			reasons = append(reasons, fmt.Sprintf("%s: %s", s.Name(), m.Why))
			continue
		}
		plan := LanePlan{Lane: d.lane, Strategy: s.Name(), Why: m.Why, Followers: d.followers}
		stages, err := s.Stages(d.lane)
		if err == nil {
			err = CheckStages(stages)
		}
		if err == nil {
			err = d.lane.checkFull(stages, devices)
		}
		if err == nil {
			err = plan.layOut(stages, d.families, p.Limits.MaxOffline)
		}
		if err != nil {
			return LanePlan{}, fmt.Errorf("strategy %s: %w", s.Name(), err)
		}
		return plan, nil
	}
	return LanePlan{}, refuse("no strategy fits products %s (%s)", d.lane.keys(), strings.Join(reasons, "; "))
}

// checkFull refuses a full migration of a product with devices that are not in the lane: the console
// would move those that are blocked as well.
func (l Lane) checkFull(stages []Stage, devices map[string]int) error {
	for _, s := range stages {
		if s.Console != ConsoleFull {
			continue
		}
		for _, p := range l.Products {
			if n := devices[p.Key] - p.Devices; n > 0 {
				return refuse("stage %s: a full migration would move %d blocked devices of product %s as well: move the rest by API",
					s.Name, n, p.Key)
			}
		}
	}
	return nil
}

func (l Lane) keys() string {
	keys := make([]string, 0, len(l.Products))
	for _, p := range l.Products {
		keys = append(keys, p.Key)
	}
	return strings.Join(keys, ", ")
}

// layOut gives each stage its waves, which puts the families in the order in which they move. At most so many devices may be offline at
// once; 0 is any number. It takes left over, and changes it.
func (l *LanePlan) layOut(stages []Stage, left []topology.Family, most int) error {
	l.Families = make([]topology.Family, 0, len(left))
	l.Stages = make([]StagePlan, 0, len(stages))
	for _, s := range stages {
		plan := s.plan()
		if s.Move != nil {
			first := len(l.Families)
			l.Families, left = s.movedAtMost(most).take(l.Families, left)
			if s.Console == ConsoleGray {
				l.Families, left = cover(l.Families, left)
			}
			plan.Waves = s.waves(first, l.Families[first:], most)
			if err := plan.checkBudget(most); err != nil {
				return err
			}
		}
		l.Stages = append(l.Stages, plan)
		l.Forecast.Waiting += s.Wait.Min
	}
	if n := len(left); n > 0 {
		return refuse("its stages leave %d of %d families behind: the last move has to take the rest", n, l.Lane.Families)
	}
	l.foresee()
	return nil
}

// plan returns what of a stage is data, without waves.
func (s Stage) plan() StagePlan {
	p := StagePlan{
		Name: s.Name, About: s.About, Gate: s.Gate, OneWay: s.OneWay, Console: s.Console,
		Does: s.Do != nil, Moves: s.Move != nil, Wait: s.Wait,
	}
	if s.Opens != nil {
		p.Opens = s.Opens.Name()
	}
	if s.Closes != nil {
		p.Closes = s.Closes.Name()
	}
	for _, v := range s.Verify {
		p.Verifiers = append(p.Verifiers, v.Name())
	}
	return p
}

// take moves the families that m means from left to the end of taken.
func (m *Move) take(taken, left []topology.Family) (newTaken, newLeft []topology.Family) {
	if m.Rest {
		return append(taken, left...), nil
	}
	first := len(taken)
	taken, left = m.included(taken, left)
	chosen := make([]bool, len(left))
	room := m.Devices - devices(taken[first:])
	for _, i := range topology.Sample(left, room) {
		chosen[i] = room == m.Devices || left[i].Len() <= room // an empty sample takes a family at least
	}
	kept := left[:0]
	for i, f := range left {
		if chosen[i] {
			taken = append(taken, f)
		} else {
			kept = append(kept, f)
		}
	}
	return taken, kept
}

// included takes the families of the devices that have to be among them.
func (m *Move) included(taken, left []topology.Family) (newTaken, newLeft []topology.Family) {
	if len(m.Include) == 0 {
		return taken, left
	}
	wanted := make(map[iot.DeviceID]bool, len(m.Include))
	for _, id := range m.Include {
		wanted[id] = true
	}
	kept := left[:0]
	for _, f := range left {
		if slices.ContainsFunc(f.Devices, func(id iot.DeviceID) bool { return wanted[id] }) {
			taken = append(taken, f)
		} else {
			kept = append(kept, f)
		}
	}
	return taken, kept
}

func devices(families []topology.Family) int {
	n := 0
	for _, f := range families {
		n += f.Len()
	}
	return n
}

// cover takes families until every product has a device among those taken: the console can confirm a task only if its
// gray batch moved a device.
func cover(taken, left []topology.Family) (newTaken, newLeft []topology.Family) {
	covered := make(map[string]bool)
	note := func(f topology.Family) {
		for _, id := range f.Devices {
			covered[id.ProductKey] = true
		}
	}
	for _, f := range taken {
		note(f)
	}
	for {
		i := smallestNew(left, covered)
		if i < 0 {
			return taken, left
		}
		note(left[i])
		taken = append(taken, left[i])
		left = slices.Delete(left, i, i+1)
	}
}

// smallestNew returns the index of the smallest family with a device of a product that is not covered, or -1.
func smallestNew(families []topology.Family, covered map[string]bool) int {
	best := -1
	for i, f := range families {
		if best >= 0 && f.Len() >= families[best].Len() {
			continue
		}
		if slices.ContainsFunc(f.Devices, func(id iot.DeviceID) bool { return !covered[id.ProductKey] }) {
			best = i
		}
	}
	return best
}

// waves returns the waves of the stage's families, which begin at index first of the lane's.
func (s Stage) waves(first int, families []topology.Family, most int) []topology.Wave {
	if s.Console != "" {
		return oneWave(first, families)
	}
	waves := topology.Waves(families, within(s.Move.Ramp, most))
	for i := range waves {
		waves[i].First += first
	}
	return waves
}

func oneWave(first int, families []topology.Family) []topology.Wave {
	if len(families) == 0 {
		return nil
	}
	w := topology.Wave{First: first, Count: len(families)}
	for _, f := range families {
		w.Devices += f.Len()
	}
	return []topology.Wave{w}
}
