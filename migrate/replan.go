package migrate

import (
	"context"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// Replay folds the journal of a plan's campaign into its state, for a report or for [Planner.Replan]. Its error is that of the
// journal, or [ErrMismatch] if the journal belongs to another plan.
func Replay(ctx context.Context, j Journal, campaign string, p *Plan) (*State, error) {
	state, hash := NewState(p), p.Hash()
	for e, err := range j.Entries(ctx, campaign, 0) {
		if err != nil {
			return nil, fmt.Errorf("replay campaign %s: %w", campaign, err)
		}
		if h := e.Header; h != nil && h.PlanHash != hash {
			return nil, fmt.Errorf("replay campaign %s: %w: the journal is of plan %s, this is plan %s", campaign, ErrMismatch, h.PlanHash, hash)
		}
		if err := state.Apply(e); err != nil {
			return nil, fmt.Errorf("replay campaign %s: %w", campaign, err)
		}
	}
	return state, nil
}

// Replan makes the plan that follows a campaign: of what the campaign never moved, and of what has appeared since. survey is a new
// one. Families of which a device was moved, returned or is under way stay the campaign's; the changes name them. A
// sub-device whose gateway has moved follows it, as a family of its own. A person should read the changes, which are in the order of their families, before the new plan is run:
// under a campaign name of its own. [Plan.Follows] and its journal's header name the plan before.
//
// Every lane of the campaign must have finished or halted, else the error is [iot.Conflict]; it is [ErrMismatch] for a survey of something
// else. All other errors are those of [Planner.Plan].
func (p Planner) Replan(before *State, survey *Survey) (*Plan, []Change, error) {
	if err := before.replannable(survey); err != nil {
		return nil, nil, fmt.Errorf("replan: %w", err)
	}
	r := newReplanning(before, survey)
	plan, err := p.plan(r.survey, r.leave)
	if err != nil {
		return nil, nil, fmt.Errorf("replan: %w", err)
	}
	plan.Follows = before.plan.Hash()
	return plan, r.changes(plan), nil
}

func (s *State) replannable(survey *Survey) error {
	if s.plan.Account != survey.Account || s.plan.Source != survey.Source || s.plan.Target != survey.Target {
		return fmt.Errorf("%w: the survey is of another account or of other instances than the plan", ErrMismatch)
	}
	for _, l := range s.lanes {
		if l.halt == "" && (l.phase != phaseFinished || l.back != nil) {
			return &iot.Error{Kind: iot.Conflict, Message: fmt.Sprintf("lane %s has neither finished nor halted: wait, or abort it", l.id())}
		}
	}
	return nil
}

// replanning compares a campaign with a new survey.
type replanning struct {
	before   *State
	survey   *Survey
	lane     map[string]*lane              // by product key
	atSource map[iot.DeviceID]bool         // by the new survey
	atTarget map[iot.DeviceID]bool         // the same
	gateway  map[iot.DeviceID]iot.DeviceID // of sub-devices at the source, the same
	left     map[iot.DeviceID]iot.DeviceID // the families of devices that the new plan leaves to the campaign
	follower map[iot.DeviceID]iot.DeviceID // the gateways, at the target, of sub-devices that follow them
}

func newReplanning(before *State, survey *Survey) *replanning {
	copied := *survey
	r := &replanning{
		before: before, survey: &copied, lane: map[string]*lane{}, gateway: map[iot.DeviceID]iot.DeviceID{},
		atSource: make(map[iot.DeviceID]bool, survey.Devices()), atTarget: map[iot.DeviceID]bool{},
		left: map[iot.DeviceID]iot.DeviceID{}, follower: map[iot.DeviceID]iot.DeviceID{},
	}
	for _, l := range before.lanes {
		for _, p := range l.plan.Lane.Products {
			r.lane[p.Key] = l
		}
	}
	for i := range survey.Products {
		for _, d := range survey.Products[i].Devices {
			r.atSource[d.ID] = true
		}
		for _, id := range survey.Products[i].TargetDevices {
			r.atTarget[id] = true
		}
	}
	for rel := range survey.relations() {
		r.gateway[rel.Sub] = rel.Gateway
	}
	r.followPlanned()
	return r
}

// known returns a device of the campaign.
func (r *replanning) known(id iot.DeviceID) (*lane, int32, bool) {
	l := r.lane[id.ProductKey]
	if l == nil {
		return nil, 0, false
	}
	i, ok := l.find(id)
	return l, i, ok
}

// planned returns the gateway that a device of the campaign had, or that it followed.
func (l *lane) planned(i int32) iot.DeviceID {
	id := l.deviceID(i)
	if gateway := l.familyAt(l.family[i]).Gateway; gateway != id && !gateway.IsZero() {
		return gateway
	}
	return l.plan.follows(id)
}

// followPlanned lets sub-devices follow their gateways that the campaign knew to belong together: when a gateway has left, the
// source may not show which sub-devices it had.
func (r *replanning) followPlanned() {
	for _, rel := range slices.Concat(r.survey.Followers, r.survey.Declared.Followers) {
		if r.atTarget[rel.Gateway] {
			r.follower[rel.Sub] = rel.Gateway
		}
	}
	followers := slices.Clone(r.survey.Followers)
	for _, id := range r.survey.loose() {
		if l, i, ok := r.known(id); ok && r.follower[id].IsZero() {
			if gateway := l.planned(i); r.atTarget[gateway] && !r.atSource[gateway] {
				followers = append(followers, topology.Relation{Gateway: gateway, Sub: id})
				r.follower[id] = gateway
			}
		}
	}
	r.survey.Followers = followers
}

// touched reports whether the campaign has moved a device, or may have.
func (l *lane) touched(i int32) bool {
	d := l.dev[i]
	return d.there || d.state.unresolved() || d.state == DeviceReturning || d.state == DeviceReturned
}

// leave keeps families out of the new plan that are the campaign's: those with a device that was moved, and gateways without which sub-devices
// of theirs have moved.
func (r *replanning) leave(f topology.Family) bool {
	stays := r.split(f) || slices.ContainsFunc(f.Devices, func(id iot.DeviceID) bool {
		l, i, ok := r.known(id)
		return ok && l.touched(i)
	})
	if stays {
		for _, id := range f.Devices {
			r.left[id] = f.ID()
		}
	}
	return stays
}

// split reports whether sub-devices of a gateway, which is at the source, are at the target.
func (r *replanning) split(f topology.Family) bool {
	if f.Gateway.IsZero() {
		return false
	}
	l, i, ok := r.known(f.Gateway)
	if !ok {
		return false
	}
	for _, id := range l.familyAt(l.family[i]).Devices {
		if r.atTarget[id] && !r.atSource[id] {
			return true
		}
	}
	return false
}
