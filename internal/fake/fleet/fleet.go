// Package fleet reads fleet files: JSON documents that describe an account on the platform before a
// migration. The platform in memory is seeded from them.
package fleet

import (
	"encoding/json"

	"github.com/iotferry/iotferry/iot"
)

// A Fleet is the content of a fleet file. [Read] returns only fleets whose references resolve and whose
// values are within the platform's limits.
type Fleet struct {
	Account        Account
	Instances      []Instance
	Products       []Product
	Devices        []Device
	ConsumerGroups []ConsumerGroup
}

// An Account is the owner of the fleet and its key.
type Account struct {
	UID             string
	Region          string
	AccessKeyID     string
	AccessKeySecret iot.Secret
}

// An Instance is one instance of the account. The legacy public one has an empty ID and no quota.
type Instance struct {
	ID          string
	Type        iot.InstanceType
	OnlineQuota int
}

// A Product is a product of one instance, with what only its owner knows of it.
type Product struct {
	Key        string
	Name       string
	Instance   string
	NodeType   iot.NodeType
	Auth       iot.Auth // never AuthSecret: the file tells the three ways apart
	Secret     iot.Secret
	DataFormat iot.DataFormat
	Network    iot.Network
	Features   []iot.Feature
	TSL        json.RawMessage // nil for none
	Forwarding []Forwarding
	History    *History // nil for none
}

// A Forwarding is one of: a rule (Actions), an AMQP subscription (ConsumerGroup) or an MNS one (Queue).
type Forwarding struct {
	Type          ForwardingType
	Name          string   // rule
	Topic         string   // rule
	Actions       []string // rule
	ConsumerGroup string   // amqp
	Queue         string   // mns
	Events        []iot.Event
}

// A ForwardingType tells which kind of forwarding an entry is.
type ForwardingType string

// The kinds of forwarding.
const (
	Rule ForwardingType = "rule"
	AMQP ForwardingType = "amqp"
	MNS  ForwardingType = "mns"
)

// A History tells the platform how to make a product's history.
type History struct {
	Seed         uint64
	Days         int
	EveryMinutes int
}

// A Device is one device of the fleet.
type Device struct {
	ID          iot.DeviceID
	Secret      iot.Secret
	Status      iot.Status
	Gateway     iot.DeviceID // zero unless it is a sub-device
	Reconnects  bool
	Distributed bool
	Labels      map[string]string // nil for none
}

// A ConsumerGroup is an AMQP consumer group of one instance.
type ConsumerGroup struct {
	ID       string
	Name     string
	Instance string
}

// Legacy returns the legacy public instance: the source of a migration. It is the zero Instance in a fleet
// that has none, which [Read] never returns.
func (f *Fleet) Legacy() Instance {
	legacy, _ := f.first(iot.PublicLegacy)
	return legacy
}

// Target returns the first Enterprise instance in file order, and false if the fleet has none.
func (f *Fleet) Target() (Instance, bool) { return f.first(iot.EnterpriseStandard) }

func (f *Fleet) first(t iot.InstanceType) (Instance, bool) {
	for _, i := range f.Instances {
		if i.Type == t {
			return i, true
		}
	}
	return Instance{}, false
}
