package migrate

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// A Survey is what both instances show of a fleet, and what its owner declared: all that a plan is made
// of. [TakeSurvey] reads one; tests can write one. The order of its lists means nothing. It takes
// about 130 bytes per device, the names included, and holds no secrets.
type Survey struct {
	Account string // the account's UID
	Source  iot.InstanceInfo
	Target  iot.InstanceInfo
	// Products are those of the source.
	Products []SurveyProduct
	// Gateways is the topology of the source: every gateway that has sub-devices, once.
	Gateways []SurveyGateway
	// Followers are sub-devices of the source whose gateway is at the target already, as far as the source shows it: they can follow it.
	Followers []topology.Relation
	// Rules are the data-forwarding rules of the source.
	Rules    []iot.Rule
	Declared Declared
}

// A SurveyProduct is one product of the source.
type SurveyProduct struct {
	// Product is what the registry shows. Its Devices counts nothing here: the length of the list does.
	Product       iot.Product
	Devices       []iot.Device
	Distributed   []iot.DeviceID // those of the devices that device distribution placed there
	Subscriptions []iot.Subscription
	// AtTarget says that the target has the product already. That is so once a migration of it has begun.
	AtTarget bool
	// TargetDevices are those that the target has of it: moved before, or created there.
	TargetDevices []iot.DeviceID
}

// A SurveyGateway is a gateway with its sub-devices.
type SurveyGateway struct {
	ID   iot.DeviceID
	Subs []iot.DeviceID
}

// Devices returns how many devices the source has.
func (s *Survey) Devices() int {
	n := 0
	for i := range s.Products {
		n += len(s.Products[i].Devices)
	}
	return n
}

// check returns an error that names the first place that is wrong. Faults of the topology are found later.
func (s *Survey) check() error {
	if err := s.checkHead(); err != nil {
		return err
	}
	keys := make(map[string]bool, len(s.Products))
	for i := range s.Products {
		p := &s.Products[i]
		if keys[p.Product.Key] {
			return refuse("products[%d]: product %q is there twice", i, p.Product.Key)
		}
		keys[p.Product.Key] = true
		if err := p.check(); err != nil {
			return fmt.Errorf("products[%d]: %w", i, err)
		}
	}
	return s.checkDeclared(func(yield func(iot.Product) bool) {
		for i := range s.Products {
			if !yield(s.Products[i].Product) {
				return
			}
		}
	})
}

func (s *Survey) checkHead() error {
	if s.Account == "" {
		return refuse("account: it is missing")
	}
	if s.Target.ID == "" || s.Target.ID == s.Source.ID {
		return refuse("target: instance %q cannot be the target of %s", s.Target.ID, s.Source)
	}
	return s.Declared.Check()
}

// checkDeclared refuses what was declared of a product that is not there: a slip in a key would
// leave the right product undeclared.
func (s *Survey) checkDeclared(products iter.Seq[iot.Product]) error {
	shown := map[string]iot.Auth{}
	for p := range products {
		shown[p.Key] = p.Auth
	}
	for _, key := range slices.Sorted(maps.Keys(s.Declared.Products)) {
		auth, ok := shown[key]
		if !ok {
			return refuse("declared.products[%q]: %s has no such product", key, s.Source)
		}
		if d := s.Declared.Products[key].Auth; d != "" && d != auth && !(usesSecrets(d) && usesSecrets(auth)) {
			return refuse("declared.products[%q].auth: %q is declared, but %s shows %q", key, d, s.Source, auth)
		}
	}
	return nil
}

func (p *SurveyProduct) check() error {
	if err := iot.CheckProductKey(p.Product.Key); err != nil {
		return err
	}
	for i, d := range p.Devices {
		if d.ID.ProductKey != p.Product.Key {
			return refuse("devices[%d]: device %q is of another product", i, d.ID)
		}
		if err := iot.CheckDeviceName(d.ID.DeviceName); err != nil {
			return fmt.Errorf("devices[%d]: %w", i, err)
		}
	}
	return nil
}

// members yields every device of the source.
func (s *Survey) members() iter.Seq2[topology.Member, error] {
	return func(yield func(topology.Member, error) bool) {
		for i := range s.Products {
			p := &s.Products[i]
			for _, d := range p.Devices {
				if !yield(topology.Member{ID: d.ID, Node: p.Product.NodeType}, nil) {
					return
				}
			}
		}
	}
}

// relations yields the topology of the source. A platform may show a gateway's sub-devices that have left the source: they are left out.
func (s *Survey) relations() iter.Seq2[topology.Relation, error] {
	return func(yield func(topology.Relation, error) bool) {
		gone := s.gone()
		for _, g := range s.Gateways {
			for _, sub := range g.Subs {
				if !gone[sub] && !yield(topology.Relation{Gateway: g.ID, Sub: sub}, nil) {
					return
				}
			}
		}
	}
}

// gone returns the sub-devices that only the target has.
func (s *Survey) gone() map[iot.DeviceID]bool {
	gone := map[iot.DeviceID]bool{}
	for i := range s.Products {
		p := &s.Products[i]
		if p.Product.NodeType != iot.SubDevice || len(p.TargetDevices) == 0 {
			continue
		}
		for _, id := range p.TargetDevices {
			gone[id] = true
		}
		for _, d := range p.Devices {
			delete(gone, d.ID)
		}
	}
	return gone
}
