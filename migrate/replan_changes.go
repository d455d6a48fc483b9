package migrate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
)

// A ChangeKind says what happened to a device since a plan was made.
type ChangeKind string

// The kinds of changes. The new plan holds devices of the first four kinds, unless the preflight holds them: its issues say so.
const (
	ChangeAppeared  ChangeKind = "appeared"        // the source has it now, To is its gateway
	ChangeRegrouped ChangeKind = "changed gateway" // From one gateway To another
	ChangeLoose     ChangeKind = "lost gateway"    // it is at the source, but no gateway there has it; From had
	ChangeFollows   ChangeKind = "left behind"     // its gateway To is at the target; it follows
	ChangeDeleted   ChangeKind = "deleted"         // neither instance has it
	ChangeMoved     ChangeKind = "moved by others" // the target has it, though the campaign has not moved it
	ChangeMovedBack ChangeKind = "moved back"      // the source has it, though the campaign has moved it and not returned it
	ChangeKept      ChangeKind = "not planned"     // the campaign has returned it or one of its family, or they are under way: decide there
	ChangeSplit     ChangeKind = "split"           // it is at the source, and others of its family at the target: bring them together first
)

// A Change is what happened to one device since a plan was made.
type Change struct {
	Family iot.DeviceID `json:"family"` // as planned; of a device that appeared, as it is
	Device iot.DeviceID `json:"device"`
	Kind   ChangeKind   `json:"kind"`
	From   iot.DeviceID `json:"from,omitzero"` // its gateway before
	To     iot.DeviceID `json:"to,omitzero"`   // its gateway now
}

// String says it in a line.
func (c Change) String() string {
	text := fmt.Sprintf("family %s: %s: %s", c.Family, c.Device, c.Kind)
	switch {
	case !c.From.IsZero() && !c.To.IsZero():
		text += fmt.Sprintf(": %s -> %s", c.From, c.To)
	case !c.From.IsZero():
		text += fmt.Sprintf(": it was %s", c.From)
	case !c.To.IsZero():
		text += fmt.Sprintf(": gateway %s", c.To)
	}
	return text
}

// changes lists what is not as the campaign's plan and its journal have it.
func (r *replanning) changes(plan *Plan) []Change {
	var out []Change
	for _, l := range r.before.lanes {
		for i := range int32(len(l.dev)) {
			if c, changed := r.changeOf(l, i); changed {
				out = append(out, c)
			}
		}
	}
	for i := range plan.Lanes {
		out = append(out, r.appeared(&plan.Lanes[i])...)
	}
	for id, family := range r.left {
		if _, _, known := r.known(id); !known {
			out = append(out, Change{Family: family, Device: id, Kind: ChangeKept})
		}
	}
	slices.SortFunc(out, func(a, b Change) int {
		return cmp.Or(a.Family.Compare(b.Family), a.Device.Compare(b.Device))
	})
	return out
}

// appeared lists the devices of a lane of the new plan that the campaign did not know.
func (r *replanning) appeared(l *LanePlan) []Change {
	var out []Change
	for _, f := range l.Families {
		for _, id := range f.Devices {
			if _, _, known := r.known(id); known {
				continue
			}
			c := Change{Family: f.ID(), Device: id, Kind: ChangeAppeared}
			if id != f.Gateway {
				c.To = f.Gateway
			}
			if gateway := l.follows(id); !gateway.IsZero() {
				c.To, c.Family, c.Kind = gateway, gateway, ChangeFollows
			}
			out = append(out, c)
		}
	}
	return out
}

// changeOf compares a device of the campaign with the new survey.
func (r *replanning) changeOf(l *lane, i int32) (c Change, changed bool) {
	id, d := l.deviceID(i), l.dev[i]
	family := l.familyAt(l.family[i])
	c = Change{Family: family.ID(), Device: id}
	source, target := r.atSource[id], r.atTarget[id]
	switch {
	case source && target: // the preflight holds it
		return c, false
	case !source && !target:
		c.Kind = ChangeDeleted
	case target && !d.there && d.state != DeviceReturning:
		c.Kind = ChangeMoved
	case target:
		return c, false
	case d.there && d.state != DeviceReturning:
		c.Kind = ChangeMovedBack
	case l.touched(i):
		c.Kind = ChangeKept
	default:
		return r.stayed(c, l, i)
	}
	return c, true
}

// stayed compares the gateway of a device that has never left the source.
func (r *replanning) stayed(c Change, l *lane, i int32) (Change, bool) {
	was, is := l.planned(i), r.gateway[c.Device]
	switch {
	case r.atSource[l.familyAt(l.family[i]).Gateway] && r.split(l.familyAt(l.family[i])):
		c.Kind = ChangeSplit
	case !r.left[c.Device].IsZero():
		c.Kind = ChangeKept
	case was == is:
		return c, false
	case is.IsZero():
		c.Kind, c.From = ChangeLoose, was
		if f := r.follower[c.Device]; !f.IsZero() {
			c.Kind, c.From, c.To = ChangeFollows, iot.DeviceID{}, f
		}
	default:
		c.Kind, c.From, c.To = ChangeRegrouped, was, is
	}
	return c, true
}
