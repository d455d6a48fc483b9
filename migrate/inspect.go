package migrate

import (
	"cmp"
	"errors"
	"iter"
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// An inspection sorts out what of a fleet is free to move.
type inspection struct {
	survey    *Survey
	largest   int        // devices of a family that may be offline at once; 0 for any number
	prospects []prospect // by product key
	index     map[string]int
	lanes     []draft        // by ID
	held      []iot.DeviceID // the devices that are in no lane, in order
	issues    []Issue
	followers []topology.Relation        // by Sub
	leave     func(topology.Family) bool // whether a family is to stay for a reason that is no issue; nil for none
}

// A prospect is a product of the source: what the survey shows, completed by what was declared.
type prospect struct {
	shown    *SurveyProduct
	product  Product // its Devices counts those that are free to move
	features []iot.Feature
	declared bool
	blocked  bool
	observed bool // of the blocked: an API shows it, at least one of the reasons
	leads    bool // sub-devices follow gateways of it
	tie      int  // a prospect of the same lane with an index not above its own; its own for the first one
}

// A draft is a lane before its strategy is known.
type draft struct {
	lane      Lane
	families  []topology.Family   // by ID
	followers []topology.Relation // by Sub
}

func inspect(s *Survey, largest int, leave func(topology.Family) bool) (*inspection, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	in := &inspection{survey: s, largest: largest, leave: leave}
	in.checkInstances()
	in.addProducts()
	in.blockProducts()
	families, err := in.readFamilies()
	if err != nil {
		return nil, err
	}
	in.draftLanes(in.holdFamilies(families))
	in.checkQuota()
	in.checkTasks()
	in.warn()
	slices.SortStableFunc(in.issues, compareIssues)
	return in, nil
}

func (in *inspection) addProducts() {
	s := in.survey
	in.index = make(map[string]int, len(s.Products))
	for i := range s.Products {
		in.prospects = append(in.prospects, s.prospect(&s.Products[i]))
	}
	slices.SortFunc(in.prospects, func(a, b prospect) int { return cmp.Compare(a.product.Key, b.product.Key) })
	for i := range in.prospects {
		in.index[in.prospects[i].product.Key] = i
		in.prospects[i].tie = i
	}
	rules := slices.SortedFunc(slices.Values(s.Rules), compareRules)
	for _, r := range rules {
		if i, ok := in.index[r.ProductKey]; ok {
			in.prospects[i].product.Rules = append(in.prospects[i].product.Rules, r)
		}
	}
}

func (s *Survey) prospect(p *SurveyProduct) prospect {
	d, declared := s.Declared.Products[p.Product.Key]
	return prospect{
		shown: p, features: d.Features, declared: declared,
		product: Product{
			Key: p.Product.Key, Name: p.Product.Name, NodeType: p.Product.NodeType,
			Auth:          cmp.Or(d.Auth, p.Product.Auth),
			Network:       cmp.Or(d.Network, p.Product.Network),
			DataFormat:    p.Product.DataFormat,
			Subscriptions: slices.SortedFunc(slices.Values(p.Subscriptions), compareSubscriptions),
		},
	}
}

// of returns the prospect that a device belongs to. Products stand in runs: last is the index of the
// device before.
func (in *inspection) of(id iot.DeviceID, last int) int {
	if in.prospects[last].product.Key == id.ProductKey {
		return last
	}
	return in.index[id.ProductKey]
}

// readFamilies builds the families of the source. A sub-device whose gateway has moved is a family of its own. One without a gateway
// keeps nothing else from moving: it is an issue, and left out.
func (in *inspection) readFamilies() ([]topology.Family, error) {
	s := in.survey
	families, err := topology.Families(s.members(), s.relations(), s.Declared.MaxSubDevices)
	if !errors.Is(err, topology.NoGateway) {
		return families, err
	}
	var subs []iot.DeviceID
	for r := range s.relations() {
		subs = append(subs, r.Sub)
	}
	slices.SortFunc(subs, iot.DeviceID.Compare)
	in.findFollowers(subs)
	bound := func(m topology.Member) bool {
		_, found := slices.BinarySearchFunc(subs, m.ID, iot.DeviceID.Compare)
		return found || m.Node != iot.SubDevice
	}
	for m := range s.members() {
		if bound(m) {
			continue
		}
		if !in.gatewayOf(m.ID).IsZero() {
			continue
		}
		in.held = append(in.held, m.ID)
		if !in.prospects[in.index[m.ID.ProductKey]].blocked {
			in.issues = append(in.issues, noGateway(m.ID))
		}
	}
	families, err = topology.Families(filter(s.members(), bound), s.relations(), s.Declared.MaxSubDevices)
	return in.withFollowers(families), err
}

func filter(seq iter.Seq2[topology.Member, error], keep func(topology.Member) bool) iter.Seq2[topology.Member, error] {
	return func(yield func(topology.Member, error) bool) {
		for m, err := range seq {
			if (err != nil || keep(m)) && !yield(m, err) {
				return
			}
		}
	}
}

// holdFamilies returns the families that are free to move, and makes an issue of each other one. It
// takes families over.
func (in *inspection) holdFamilies(families []topology.Family) []topology.Family {
	facts := in.deviceFacts()
	free := families[:0]
	for _, f := range families {
		if in.leave != nil && in.leave(f) {
			in.held = append(in.held, f.Devices...)
			continue
		}
		issues, held := in.holds(f, facts)
		if !held {
			free = append(free, f)
			continue
		}
		in.issues = append(in.issues, issues...)
		in.held = append(in.held, f.Devices...)
	}
	clear(families[len(free):])
	slices.SortFunc(in.held, iot.DeviceID.Compare)
	return free
}

// A deviceFact is why a device holds its family.
type deviceFact uint8

const (
	isDistributed deviceFact = 1 << iota
	hasTwoOwners
)

// deviceFacts returns the devices that hold their families, which are few.
func (in *inspection) deviceFacts() map[iot.DeviceID]deviceFact {
	facts := map[iot.DeviceID]deviceFact{}
	for i := range in.survey.Products {
		p := &in.survey.Products[i]
		for _, id := range p.Distributed {
			facts[id] |= isDistributed
		}
		if len(p.TargetDevices) == 0 {
			continue
		}
		there := slices.SortedFunc(slices.Values(p.TargetDevices), iot.DeviceID.Compare)
		for _, d := range p.Devices {
			if _, found := slices.BinarySearchFunc(there, d.ID, iot.DeviceID.Compare); found {
				facts[d.ID] |= hasTwoOwners
			}
		}
	}
	return facts
}

// holds returns whether a family has to stay, and why. A direct device of a blocked product gives no
// reason of its own.
func (in *inspection) holds(f topology.Family, facts map[iot.DeviceID]deviceFact) (issues []Issue, held bool) {
	basis := BasisDeclared // of what blocks products
	last := in.of(f.ID(), 0)
	if f.Gateway.IsZero() && in.prospects[last].blocked {
		return nil, true
	}
	var hits [familyHolds][]iot.DeviceID
	for _, id := range f.Devices {
		last = in.of(id, last)
		if in.prospects[last].blocked {
			hits[familyBlocked] = append(hits[familyBlocked], id)
			if in.prospects[last].observed {
				basis = BasisObserved
			}
		}
		if len(facts) == 0 {
			continue
		}
		if facts[id]&isDistributed != 0 {
			hits[familyDistributed] = append(hits[familyDistributed], id)
		}
		if facts[id]&hasTwoOwners != 0 {
			hits[familyTwoOwners] = append(hits[familyTwoOwners], id)
		}
	}
	if in.largest > 0 && f.Len() > in.largest {
		hits[familyTooLarge] = f.Devices
	}
	for hold, devices := range hits {
		if len(devices) > 0 {
			issues = append(issues, familyHold(hold).issue(f.ID(), devices, basis))
		}
	}
	return issues, len(issues) > 0
}

// draftLanes joins the products that free families tie together, and gives each lane its families. It takes
// free over.
func (in *inspection) draftLanes(free []topology.Family) {
	for _, f := range free {
		last := 0
		head := in.of(f.ID(), last)
		for _, id := range f.Devices {
			last = in.of(id, last)
			in.prospects[last].product.Devices++
			in.join(head, last)
		}
		if gateway := in.gatewayOf(f.ID()); !gateway.IsZero() {
			lead := in.index[gateway.ProductKey]
			in.prospects[lead].leads = true
			in.join(head, lead)
		}
	}
	number := in.addLanes()
	for _, f := range free { // count first: a lane's families then take no more memory than they need
		in.lanes[number[in.first(in.index[f.ID().ProductKey])]].lane.Families++
	}
	for i := range in.lanes {
		in.lanes[i].families = make([]topology.Family, 0, in.lanes[i].lane.Families)
	}
	for _, f := range free {
		l := &in.lanes[number[in.first(in.index[f.ID().ProductKey])]]
		l.families = append(l.families, f)
		l.lane.LargestFamily = max(l.lane.LargestFamily, f.Len())
		if gateway := in.gatewayOf(f.ID()); !gateway.IsZero() {
			l.followers = append(l.followers, topology.Relation{Gateway: gateway, Sub: f.ID()})
		}
	}
}

// addLanes makes a lane of each set of tied products that have devices to move. It returns the lanes by
// their first prospect.
func (in *inspection) addLanes() map[int]int {
	number := map[int]int{}
	for i := range in.prospects {
		p := &in.prospects[i]
		if p.product.Devices == 0 && !p.leads {
			continue
		}
		first := in.first(i)
		n, ok := number[first]
		if !ok {
			n = len(in.lanes)
			number[first] = n
			in.lanes = append(in.lanes, draft{lane: Lane{ID: p.product.Key, Source: in.survey.Source, Target: in.survey.Target}})
		}
		lane := &in.lanes[n].lane
		lane.Products = append(lane.Products, p.product)
		lane.Devices += p.product.Devices
	}
	return number
}

// first returns the first prospect of i's lane.
func (in *inspection) first(i int) int {
	for in.prospects[i].tie != i {
		i = in.prospects[i].tie
	}
	return i
}

// join ties two prospects.
func (in *inspection) join(a, b int) {
	if a == b {
		return
	}
	a, b = in.first(a), in.first(b)
	in.prospects[max(a, b)].tie = min(a, b)
}

// compareIssues orders blockers before warnings, and the instance before products before families.
func compareIssues(a, b Issue) int {
	return cmp.Or(
		cmp.Compare(a.Severity, b.Severity),
		cmp.Compare(a.rank(), b.rank()),
		cmp.Compare(a.Instance, b.Instance),
		cmp.Compare(a.ProductKey, b.ProductKey),
		a.family().Compare(b.family()),
		cmp.Compare(a.Code, b.Code),
	)
}

func (i Issue) rank() int {
	switch {
	case i.Instance != "":
		return 0
	case i.ProductKey != "":
		return 1
	}
	return 2
}

func (i Issue) family() iot.DeviceID {
	if i.Family == nil {
		return iot.DeviceID{}
	}
	return *i.Family
}
