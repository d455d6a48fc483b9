package sim

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// Faults is a list of rules that decide what goes wrong on a platform. Its Hook is the platform's. It is safe for
// concurrent use; the zero value has no rules.
type Faults struct {
	mu    sync.Mutex
	rules []*armed
}

// A Rule says which operations go wrong, and how. All that is given has to match an operation; the first After
// of those that match are left alone, then every Every-th is disturbed, and at most Count of them.
type Rule struct {
	Kind       fake.OpKind `json:"kind,omitempty"`       // api, console or device; empty: any
	Name       string      `json:"name,omitempty"`       // such as BatchGrayMigrationDevice, Rollback or Connect; empty: any
	Instance   *string     `json:"instance,omitempty"`   // "" is the public one, or none; nil: any
	ProductKey string      `json:"productKey,omitempty"` // empty: any
	Device     string      `json:"device,omitempty"`     // a name that the operation has to name; empty: any

	After int `json:"after,omitempty"`
	Every int `json:"every,omitempty"` // 0 is 1: each
	Count int `json:"count,omitempty"` // 0: no limit

	Refuse *Refusal `json:"refuse,omitempty"` // the answer; nothing happens
	Lost   bool     `json:"lost,omitempty"`   // no answer comes, after the effect
	Delay  Duration `json:"delay,omitempty"`  // the answer comes so much later by the platform's clock, after the effect
	Lie    []string `json:"lie,omitempty"`    // nothing happens to these devices, although the answer says so; "*": to any
	Drop   []string `json:"drop,omitempty"`   // the answer leaves these devices out; "*": all
}

// A Refusal is what the platform answers.
type Refusal struct {
	Status  int    `json:"status,omitempty"` // of HTTP: 0 and 200 are an API's own error, 400 to 599 are its gateway's
	Code    string `json:"code"`             // such as Throttling.User
	Message string `json:"message,omitempty"`
}

// A RuleState is a rule and what has come of it.
type RuleState struct {
	Rule
	Seen int  `json:"seen"` // operations that matched while no rule before it decided
	Done int  `json:"done"` // operations that it disturbed
	Over bool `json:"over"` // it has reached its Count
}

// armed is a rule with its counts.
type armed struct {
	Rule
	seen, done int
}

// Set replaces all rules; no rules end all faults. Their counts start at 0. Its error is [iot.Invalid] and names
// the rule; then the old ones stay.
func (f *Faults) Set(rules []Rule) error {
	list := make([]*armed, 0, len(rules))
	for i, r := range rules {
		if err := r.check(); err != nil {
			return &iot.Error{Kind: iot.Invalid, Message: fmt.Sprintf("faults[%d].%v", i, err)}
		}
		list = append(list, &armed{Rule: r})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = list
	return nil
}

// States returns the rules in their order.
func (f *Faults) States() []RuleState {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]RuleState, 0, len(f.rules))
	for _, r := range f.rules {
		list = append(list, RuleState{Rule: r.Rule, Seen: r.seen, Done: r.done, Over: r.over()})
	}
	return list
}

// Hook decides about an operation: the first rule that concerns it does, and those after it do not see it.
func (f *Faults) Hook(op fake.Op) fake.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if r.fires(op) {
			return r.fault()
		}
	}
	return fake.Fault{}
}

// fires counts an operation, and reports whether the rule disturbs it.
func (r *armed) fires(op fake.Op) bool {
	if r.over() || !r.matches(op) {
		return false
	}
	r.seen++
	if r.seen <= r.After || (r.seen-r.After-1)%max(r.Every, 1) != 0 {
		return false
	}
	r.done++
	return true
}

func (r *armed) over() bool { return r.Count > 0 && r.done >= r.Count }

func (r *Rule) matches(op fake.Op) bool {
	return (r.Kind == "" || r.Kind == op.Kind) &&
		(r.Name == "" || r.Name == op.Name) &&
		(r.Instance == nil || *r.Instance == op.Instance) &&
		(r.ProductKey == "" || r.ProductKey == op.ProductKey) &&
		(r.Device == "" || slices.Contains(op.Devices, r.Device))
}

func (r *Rule) fault() fake.Fault {
	f := fake.Fault{Lost: r.Lost, Delay: time.Duration(r.Delay)}
	if r.Refuse != nil {
		f.Err = r.Refuse.error()
	}
	if len(r.Lie) > 0 {
		f.Lie = named(r.Lie)
	}
	if len(r.Drop) > 0 {
		f.Alter = Drop(named(r.Drop))
	}
	return f
}

func (r *Refusal) error() error {
	e := &fake.APIError{HTTPStatus: r.Status, Code: r.Code, Message: r.Message}
	if e.HTTPStatus == 0 {
		e.HTTPStatus = 200
	}
	return e
}

// anyDevice stands for all names in a list of them. It is no device name.
const anyDevice = "*"

// named reports whether a device is on a list.
func named(list []string) func(string) bool {
	return func(name string) bool { return slices.Contains(list, anyDevice) || slices.Contains(list, name) }
}
