package migrate

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// ReadPlan reads a plan that [Plan.Write] wrote, and checks it: nothing is unknown, missing or left over, every
// device is in one family of its lane, the waves cover the families in their order, and all counters are
// right. Its errors are [iot.Invalid], but for those of r, and name the JSON path of the first fault.
func ReadPlan(r io.Reader) (*Plan, error) {
	p := &Plan{}
	d := strictDecoder{dec: json.NewDecoder(bufio.NewReader(r))}
	err := d.document(p)
	if p.Version != 0 && p.Version != PlanVersion {
		err = refuse("version: this is version %d of the format, and only %d can be read", p.Version, PlanVersion)
	}
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return p, nil
}

func (p *Plan) check() error {
	switch {
	case p.Version != PlanVersion:
		return refuse("version: %d is no version", p.Version)
	case p.Account == "":
		return refuse("account: it is empty")
	case p.Target.ID == "" || p.Target.ID == p.Source.ID:
		return refuse("target.id: %q cannot be the target of %s", p.Target.ID, p.Source)
	case p.Limits != p.Limits.withDefaults():
		return refuse("limits: a plan holds every limit that has a default")
	case p.Deadlines != p.Deadlines.withDefaults():
		return refuse("deadlines: a plan holds all of them")
	case !isHash(p.Follows):
		return refuse("follows: %q is no hash of a plan", p.Follows)
	}
	if err := p.Limits.check(); err != nil {
		return fmt.Errorf("limits.%w", err)
	}
	if err := p.Deadlines.check(); err != nil {
		return fmt.Errorf("deadlines.%w", err)
	}
	for i, issue := range p.Issues {
		if err := issue.check(p.Target.ID); err != nil {
			return fmt.Errorf("issues[%d].%w", i, err)
		}
	}
	return p.checkLanes()
}

// check returns an error that begins with a field's name.
func (i Issue) check(target string) error {
	subjects := 0
	for _, there := range []bool{i.ProductKey != "", i.Family != nil, i.Instance != ""} {
		if there {
			subjects++
		}
	}
	switch {
	case !isKebab(string(i.Code)):
		return refuse("code: %q is not in kebab-case", i.Code)
	case i.Severity != Blocker && i.Severity != Warning:
		return refuse("severity: %q is neither %q nor %q", i.Severity, Blocker, Warning)
	case i.Basis != "" && i.Basis != BasisObserved && i.Basis != BasisDeclared && i.Basis != BasisUndeclared:
		return refuse("basis: %q is none", i.Basis)
	case subjects != 1:
		return refuse("productKey: exactly one of productKey, family and instance has to be there")
	case i.Instance != "" && i.Instance != target:
		return refuse("instance: %q is not the target", i.Instance)
	}
	if i.ProductKey != "" {
		if err := iot.CheckProductKey(i.ProductKey); err != nil {
			return fmt.Errorf("productKey: %w", err)
		}
	}
	if i.Family != nil {
		if err := i.Family.Check(); err != nil {
			return fmt.Errorf("family: %w", err)
		}
	}
	return checkDevices("devices", i.Devices)
}

func (p *Plan) checkLanes() error {
	c := planChecker{plan: p, lane: map[string]int{}, seen: map[iot.DeviceID]bool{}}
	for i := range p.Lanes {
		if i > 0 && p.Lanes[i-1].Lane.ID >= p.Lanes[i].Lane.ID {
			return refuse("lanes[%d].lane.id: lanes have to be in the order of their IDs", i)
		}
		if err := c.check(i, &p.Lanes[i]); err != nil {
			return fmt.Errorf("lanes[%d].%w", i, err)
		}
	}
	return nil
}

// A planChecker knows what the lanes before the one that is being checked hold.
type planChecker struct {
	plan  *Plan
	lane  map[string]int // the lane of a product
	seen  map[iot.DeviceID]bool
	nodes map[string]iot.NodeType // of the products of the lane
	count map[string]int          // their devices, as found
	leads map[string]bool         // products of which gateways are followed
	plans *LanePlan               // of the lane
}

// check returns an error that begins with a field's name.
func (c *planChecker) check(i int, l *LanePlan) error {
	if !isKebab(l.Strategy) {
		return refuse("strategy: %q is not in kebab-case", l.Strategy)
	}
	f := l.Forecast
	if f.Calls < 0 || min(f.Moving, f.Waiting, f.SplitP95, f.SplitMax) < 0 {
		return refuse("forecast: nothing in it can be negative")
	}
	if err := c.products(i, l.Lane); err != nil {
		return fmt.Errorf("lane.%w", err)
	}
	if err := c.followers(l); err != nil {
		return err
	}
	largest, total := 0, 0
	for j, f := range l.Families {
		if err := c.family(f); err != nil {
			return fmt.Errorf("families[%d]: %w", j, err)
		}
		largest, total = max(largest, f.Len()), total+f.Len()
	}
	if err := c.counters(l.Lane, len(l.Families), total, largest); err != nil {
		return fmt.Errorf("lane.%w", err)
	}
	return l.checkStages(c.plan.Limits.MaxOffline)
}

func (c *planChecker) products(i int, l Lane) error {
	c.nodes, c.count = map[string]iot.NodeType{}, map[string]int{}
	switch {
	case l.Source != c.plan.Source:
		return refuse("source: it is not the plan's")
	case l.Target != c.plan.Target:
		return refuse("target: it is not the plan's")
	case len(l.Products) == 0:
		return refuse("products: there are none")
	case l.ID != l.Products[0].Key:
		return refuse("id: %q is not the key of the first product", l.ID)
	}
	for j, p := range l.Products {
		if err := iot.CheckProductKey(p.Key); err != nil {
			return fmt.Errorf("products[%d].productKey: %w", j, err)
		}
		if j > 0 && l.Products[j-1].Key >= p.Key {
			return refuse("products[%d].productKey: products have to be in the order of their keys", j)
		}
		if other, ok := c.lane[p.Key]; ok {
			return refuse("products[%d].productKey: lanes[%d] has product %q already", j, other, p.Key)
		}
		c.lane[p.Key] = i
		c.nodes[p.Key] = p.NodeType
	}
	return nil
}

// family checks what is not checked where a family is read: how it fits into the plan.
func (c *planChecker) family(f topology.Family) error {
	for i, id := range f.Devices {
		node, ok := c.nodes[id.ProductKey]
		switch {
		case !ok:
			return refuse("device %q is of no product of the lane", id)
		case c.seen[id]:
			return refuse("device %q is in the plan twice", id)
		case node != role(f, i) && !(node == iot.SubDevice && f.Gateway.IsZero() && !c.plans.follows(id).IsZero()):
			return refuse("device %q is a %s device by its place, but its product's node type is %q", id, role(f, i), node)
		}
		c.seen[id] = true
		c.count[id.ProductKey]++
	}
	return nil
}

// followers checks the sub-devices that follow gateways which are not in the plan.
func (c *planChecker) followers(l *LanePlan) error {
	c.leads, c.plans = map[string]bool{}, l
	for i, r := range l.Followers {
		switch {
		case i > 0 && l.Followers[i-1].Sub.Compare(r.Sub) >= 0:
			return refuse("followers[%d]: followers have to be in the order of their sub-devices", i)
		case c.nodes[r.Sub.ProductKey] != iot.SubDevice:
			return refuse("followers[%d].sub: %q is of no sub-device product of the lane", i, r.Sub)
		case c.nodes[r.Gateway.ProductKey] != iot.Gateway:
			return refuse("followers[%d].gateway: %q is of no gateway product of the lane", i, r.Gateway)
		}
		c.leads[r.Gateway.ProductKey] = true
	}
	return nil
}

// role returns the node type that the place of a device in its family asks for.
func role(f topology.Family, i int) iot.NodeType {
	switch {
	case f.Gateway.IsZero():
		return iot.Direct
	case i < f.Len()-1:
		return iot.SubDevice
	}
	return iot.Gateway
}

func (c *planChecker) counters(l Lane, families, devices, largest int) error {
	for i, p := range l.Products {
		if p.Devices == 0 && !c.leads[p.Key] || p.Devices != c.count[p.Key] {
			return refuse("products[%d].devices: it says %d, but the families have %d", i, p.Devices, c.count[p.Key])
		}
	}
	for _, n := range []struct {
		name      string
		said, got int
	}{
		{"families", l.Families, families},
		{"devices", l.Devices, devices},
		{"largestFamily", l.LargestFamily, largest},
	} {
		if n.said != n.got {
			return refuse("%s: it says %d, but there are %d", n.name, n.said, n.got)
		}
	}
	return nil
}

// checkStages returns an error that begins with a field's name.
func (l *LanePlan) checkStages(most int) error {
	names, covered := map[string]bool{}, 0
	for i, s := range l.Stages {
		if err := s.check(); err != nil {
			return fmt.Errorf("stages[%d].%w", i, err)
		}
		if names[s.Name] {
			return refuse("stages[%d].name: another stage is %q, too", i, s.Name)
		}
		names[s.Name] = true
		if err := s.checkBudget(most); err != nil {
			return fmt.Errorf("stages[%d].%w", i, err)
		}
		if !s.Moves && len(s.Waves) > 0 {
			return refuse("stages[%d].waves: the stage does not move", i)
		}
		if s.Console != "" && len(s.Waves) > 1 {
			return refuse("stages[%d].waves: a console task moves one wave", i)
		}
		for j, w := range s.Waves {
			if err := l.checkWave(w, covered); err != nil {
				return fmt.Errorf("stages[%d].waves[%d].%w", i, j, err)
			}
			covered += w.Count
		}
	}
	if covered != len(l.Families) {
		return refuse("stages: their waves cover %d of %d families", covered, len(l.Families))
	}
	return nil
}

func (l *LanePlan) checkWave(w topology.Wave, covered int) error {
	if w.First != covered {
		return refuse("first: it is %d, but the next family is %d", w.First, covered)
	}
	if w.Count < 1 || w.Count > len(l.Families)-covered {
		return refuse("count: it is %d, but %d families are left", w.Count, len(l.Families)-covered)
	}
	devices := 0
	for _, f := range l.Families[w.First : w.First+w.Count] {
		devices += f.Len()
	}
	if w.Devices != devices {
		return refuse("devices: it says %d, but the families have %d", w.Devices, devices)
	}
	return nil
}
