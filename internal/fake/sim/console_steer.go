package sim

import (
	"net/http"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// An Advancer is a clock that can be put forward, as [Clock] and [fake.VirtualClock] can.
type Advancer interface {
	iot.Clock
	Advance(time.Duration)
}

// maxAdvance is how far time goes forward at once. The platform lives through all of it.
const maxAdvance = 366 * 24 * time.Hour

type clockView struct {
	Now time.Time `json:"now"`
}

func (o *console) showClock(*http.Request) (any, error) {
	if o.clock == nil {
		return nil, o.noClock()
	}
	return clockView{o.clock.Now()}, nil
}

func (o *console) setClock(r *http.Request) (any, error) {
	var body struct {
		Advance Duration `json:"advance"`
	}
	if err := read(r, &body); err != nil {
		return nil, err
	}
	d := time.Duration(body.Advance)
	switch {
	case o.clock == nil:
		return nil, o.noClock()
	case d <= 0:
		return nil, missing("advance", "give a duration such as 168h: time goes forward only")
	case d > maxAdvance:
		return nil, &problem{http.StatusBadRequest, "advance is too long", "at most " + maxAdvance.String() + " at once"}
	}
	o.clock.Advance(d)
	o.cloud.Console().Tasks() // what that time brings has happened when the answer comes
	return clockView{o.clock.Now()}, nil
}

func (o *console) noClock() error {
	return &problem{http.StatusConflict, "the platform's clock cannot be put forward from here", ""}
}

// faultList is the body and the answer of /faults.
type faultList[R any] struct {
	Faults []R `json:"faults"`
}

func (o *console) listFaults(*http.Request) (any, error) {
	if o.faults == nil {
		return nil, o.noFaults()
	}
	return faultList[RuleState]{o.faults.States()}, nil
}

func (o *console) setFaults(r *http.Request) (any, error) {
	var body faultList[Rule]
	if err := read(r, &body); err != nil {
		return nil, err
	}
	switch {
	case o.faults == nil:
		return nil, o.noFaults()
	case body.Faults == nil:
		return nil, missing("faults", "give the list of rules; an empty one ends all faults")
	}
	if err := o.faults.Set(body.Faults); err != nil {
		return nil, &problem{http.StatusBadRequest, "a rule is wrong", err.Error()}
	}
	return o.listFaults(r)
}

func (o *console) noFaults() error {
	return &problem{http.StatusConflict, "the platform's faults cannot be set from here", ""}
}

func (o *console) dropConsumers(r *http.Request) (any, error) {
	if err := read(r, &struct{}{}); err != nil {
		return nil, err
	}
	o.drop()
	return struct{}{}, nil
}
