package migrate

import (
	"context"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// A Strategy says how one lane is migrated. It describes; the [Runner] does: packing devices into calls,
// pacing, retry, waiting for days, approvals, journalling, verification rounds and the way back are no
// strategy's business. Implementations are pure and safe for concurrent use.
type Strategy interface {
	// Name identifies the strategy in plans and journals. It never changes.
	Name() string
	// Match tells whether the strategy fits the lane, and why or why not. It is pure.
	Match(Lane) Match
	// Stages returns what to do with the lane, in order. It is pure: the same lane gives the same
	// stages, because a resumed campaign asks again.
	Stages(Lane) ([]Stage, error)
}

// A Match is a strategy's answer to a lane.
type Match struct {
	Fits bool
	Why  string // one sentence for people: plan and report show it
}

// NewStrategy makes a strategy of two functions. Both must be pure and neither may be nil.
func NewStrategy(name string, match func(Lane) Match, stages func(Lane) ([]Stage, error)) Strategy {
	return strategy{name: name, match: match, stages: stages}
}

type strategy struct {
	name   string
	match  func(Lane) Match
	stages func(Lane) ([]Stage, error)
}

func (s strategy) Name() string                   { return s.name }
func (s strategy) Match(l Lane) Match             { return s.match(l) }
func (s strategy) Stages(l Lane) ([]Stage, error) { return s.stages(l) }

// A Lane is the products that are tied together by families: a gateway product with its sub-device
// products, or one product alone. One strategy takes one lane. A Lane holds no devices; the plan does.
type Lane struct {
	ID            string           `json:"id"` // the smallest product key of the lane
	Source        iot.InstanceInfo `json:"source"`
	Target        iot.InstanceInfo `json:"target"`
	Products      []Product        `json:"products"` // by product key
	Families      int              `json:"families"`
	Devices       int              `json:"devices"`       // gateways included
	LargestFamily int              `json:"largestFamily"` // devices, the gateway included
}

// HasGateway reports whether the lane has a gateway product.
func (l Lane) HasGateway() bool {
	for _, p := range l.Products {
		if p.NodeType == iot.Gateway {
			return true
		}
	}
	return false
}

// A Product is a product of a lane: what the source shows, completed by what its owner declared.
type Product struct {
	Key           string             `json:"productKey"`
	Name          string             `json:"name"` // free text: escape it where it is shown
	NodeType      iot.NodeType       `json:"nodeType"`
	Auth          iot.Auth           `json:"auth"`
	DataFormat    iot.DataFormat     `json:"dataFormat"`
	Network       iot.Network        `json:"network"`
	Devices       int                `json:"devices"` // those in the lane
	Rules         []iot.Rule         `json:"rules,omitempty"`
	Subscriptions []iot.Subscription `json:"subscriptions,omitempty"`
}

// A Stage is one step of a strategy. Its parts happen in this order: gate, console task or own code or move,
// wait, verification. A part that is zero does not happen.
type Stage struct {
	// Name is unique in the strategy, in kebab-case, and never changes: journals refer to it.
	Name string
	// About is one sentence for people: plan, progress and report show it.
	About string
	// Gate lets the stage start only when a person approved it.
	Gate bool
	// Console is what an [Operator] does in the platform's console. With Move, the console moves the
	// devices ([ConsoleGray], [ConsoleFull]); alone, it is a task without devices.
	Console ConsoleKind
	// Do is own code; Undo takes it back when the lane is returned. Both may run again after a crash
	// and must then come to the same end.
	Do, Undo func(context.Context, *Env) error
	// Move moves devices, wave by wave; each wave is verified before the next one starts.
	Move *Move
	// Wait keeps the lane here at least Min. If the stage has verifiers and no move, they have until Max.
	Wait Window
	// Opens is what has to be seen before the wait begins, after the stage's console task or code; the deadline is that of console
	// tasks. A person may [Declare] it instead. Nil begins the wait at once. It needs Wait.
	Opens Condition
	// Closes is what has to be seen before the wait ends. It is looked at during the whole wait, and counts from Wait.Min on; when
	// Wait.Max is over without it, the lane halts. It needs Wait.Max.
	Closes Condition
	// Verify is asked in this order about each device: of the wave, if the stage moves devices, else of
	// all that were moved before. Sub-devices are asked about before their gateway.
	Verify []Verifier
	// OneWay says that there is no way back past this stage. It needs Gate.
	OneWay bool
}

// A Move says which families a stage moves, in waves of which sizes. One of Devices and Rest is set.
type Move struct {
	// Devices is about how many devices to move: a sample of the families that are left, spread over
	// products and family sizes.
	Devices int
	// Include names devices whose families move now, if they are left, whatever else the sample holds: canaries, or what
	// a person wants to see first. Devices that are not in the lane are ignored.
	Include []iot.DeviceID
	// Rest moves all families that are left.
	Rest bool
	// Ramp sizes the waves. The zero value is the default ramp of package topology. A console move is
	// one wave, whatever the ramp.
	Ramp topology.Ramp
}

// A Window is a time to wait: at least Min, unless a person decides to [CloseEarly], and at most Max. A Max of zero sets no upper limit
// beyond Min.
type Window struct {
	Min time.Duration `json:"min,omitempty"`
	Max time.Duration `json:"max,omitempty"`
}

// Env is what a stage's own code gets.
type Env struct {
	Campaign string
	Lane     Lane
	Stage    string
	Platform iot.Platform
	Clock    iot.Clock
}
