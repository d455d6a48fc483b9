package fake

import (
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// A Sink is where the rules of one instance send messages: the customer's tables, functions and queues. It
// can be asked for the newest messages of each device. Get one from [Cloud.Sink]. It is safe for
// concurrent use.
type Sink struct {
	cloud      *Cloud
	instanceID string
}

// A Forwarded message is one that a rule sent on.
type Forwarded struct {
	Rule    string   // the rule's ID
	Name    string   // the rule's name
	Actions []string // where it went: OTS, FC...
	Message iot.Message
}

// Sink returns the sink of an instance; that of an unknown instance stays empty.
func (c *Cloud) Sink(instanceID string) *Sink { return &Sink{c, instanceID} }

// Newest returns the newest message of a device that any rule of the instance forwarded, and false
// if there is none.
func (s *Sink) Newest(id iot.DeviceID) (iot.Message, bool) {
	list := s.Forwarded(id)
	if len(list) == 0 {
		return iot.Message{}, false
	}
	return list[0].Message, true
}

// Forwarded returns messages of a device that rules of the instance forwarded, newest first: the newest
// report on each topic, and of other messages, such as acknowledgements, the 16 newest. A message
// stands once for each rule that took it. Reports do not push other messages out.
func (s *Sink) Forwarded(id iot.DeviceID) []Forwarded {
	var list []Forwarded
	s.cloud.look(func() { list = s.cloud.forwarded(s.instanceID, id) })
	slices.SortStableFunc(list, func(a, b Forwarded) int { return b.Message.Generated.Compare(a.Message.Generated) })
	return list
}

func (c *Cloud) forwarded(instanceID string, id iot.DeviceID) []Forwarded {
	v, err := c.view(instanceID, id.ProductKey)
	if err != nil {
		return nil
	}
	d := v.product.byName[id.DeviceName]
	if d == nil {
		return nil
	}
	var list []Forwarded
	for _, r := range v.rules {
		for _, x := range c.through(r, d) {
			list = append(list, Forwarded{r.id, r.name, slices.Clone(r.actions), x.message()})
		}
	}
	return list
}

// through returns the newest records of a device that a rule took.
func (c *Cloud) through(r *rule, d *device) []record {
	var list []record
	for _, s := range d.product.streams {
		if !r.takes(d, s.suffix) {
			continue
		}
		if at, ok := s.newest(d, r.view.in, r.since, c.at); ok {
			list = append(list, s.report(d, r.view.in, at))
		}
	}
	for _, x := range c.recent[d] {
		if x.in == r.view.in && x.at >= r.since && r.takes(d, x.suffix()) {
			list = append(list, x)
		}
	}
	return list
}
