package migrate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// familyAt returns a family as it is now: as planned, with the sub-devices that have joined it since.
func (l *lane) familyAt(f int32) topology.Family {
	if grown, ok := l.grown[f]; ok {
		return grown
	}
	return l.plan.Families[f]
}

// join takes new sub-devices into the families of their gateways, which are of the current wave. A gateway that has a sub-device of
// another family of the lane is not as planned: those are returned, for nothing of theirs to be moved.
func (l *lane) join(e Entry) (strays []Failure, err error) {
	added := make(map[int32][]iot.DeviceID)
	lo, hi := l.waveRange()
	for _, r := range e.Joined {
		g, ok := l.find(r.Gateway)
		switch {
		case !ok || g < lo || g >= hi || !l.isHead(g):
			return nil, fmt.Errorf("%w: device %s joins gateway %s, which is not of wave %d", ErrDamaged, r.Sub, r.Gateway, e.Wave)
		case slices.Contains(added[l.family[g]], r.Sub):
			return nil, fmt.Errorf("%w: device %s joins twice", ErrDamaged, r.Sub)
		}
		if i, known := l.find(r.Sub); known {
			strays = append(strays, Failure{Device: r.Gateway, Evidence: Evidence{Source: beforeWave, At: e.At,
				Seen: fmt.Sprintf("%s is a sub-device of it now, planned with family %s", r.Sub, l.familyAt(l.family[i]).ID())}})
			continue
		}
		added[l.family[g]] = append(added[l.family[g]], r.Sub)
	}
	if len(added) > 0 {
		l.grow(added)
		lo, hi = l.waveRange()
	}
	l.indexRange(lo, hi)
	return strays, nil
}

func (l *lane) leaveAllOut(drifted []Failure) error {
	for _, f := range drifted {
		if err := l.each(DeviceSet{f.Device}, func(i int32) { l.leaveOut(i, f.Evidence) }); err != nil {
			return err
		}
	}
	return nil
}

// isHead reports whether device i names its family.
func (l *lane) isHead(i int32) bool { return i == l.first[l.family[i]+1]-1 }

// grow makes room for the added sub-devices where their families have them, so that a family stays a range in the order in which it moves.
func (l *lane) grow(added map[int32][]iot.DeviceID) {
	old, before, n := l.dev, l.first, 0
	grown := maps.Clone(l.grown) // tasks hold the old one
	if grown == nil {
		grown = make(map[int32]topology.Family, len(added))
	}
	for f, ids := range added {
		family := l.familyAt(f)
		subs := slices.SortedFunc(slices.Values(slices.Concat(family.Devices[:family.Len()-1], ids)), iot.DeviceID.Compare)
		grown[f] = topology.Family{Gateway: family.ID(), Devices: append(subs, family.ID())}
		n += len(ids)
	}
	to := make([]int32, len(old))
	l.dev, l.family, l.first = make([]device, 0, len(old)+n), make([]int32, 0, len(old)+n), make([]int32, 0, len(before))
	for f := range int32(len(before) - 1) {
		l.first = append(l.first, int32(len(l.dev)))
		next := before[f]
		for _, id := range grown[f].Devices {
			d := device{}
			if next < before[f+1] && l.familyAt(f).Devices[next-before[f]] == id {
				d, to[next] = old[next], int32(len(l.dev))
				next++
			}
			l.dev, l.family = append(l.dev, d), append(l.family, f)
		}
		for ; next < before[f+1]; next++ { // a family that did not change
			to[next] = int32(len(l.dev))
			l.dev, l.family = append(l.dev, old[next]), append(l.family, f)
		}
	}
	l.first = append(l.first, int32(len(l.dev)))
	l.grown = grown
	l.counts[DevicePlanned] += n
	l.joined += n
	for _, notes := range []*map[int32]Evidence{&l.failures, &l.refusals, &l.missing} {
		*notes = renumbered(*notes, to)
	}
}

func renumbered(notes map[int32]Evidence, to []int32) map[int32]Evidence {
	out := make(map[int32]Evidence, len(notes))
	for i, e := range notes {
		out[to[i]] = e
	}
	return out
}

const beforeWave = "look before the wave"

// leaveOut leaves a family where it is, as it is not as planned: no member of it is moved, and none has failed. A family that somebody else
// moved a part of stays as that left it.
func (l *lane) leaveOut(i int32, why Evidence) { l.dropFamily(i, why, DeviceLeftOut) }

// dropFamily gives what is left to move of a family a last state; why is about device i.
func (l *lane) dropFamily(i int32, why Evidence, s DeviceState) {
	f := l.family[i]
	culprit := l.deviceID(i)
	for m := l.first[f]; m < l.first[f+1]; m++ {
		if l.dev[m].state == DevicePlanned {
			e := why
			if m != i {
				e.Seen = "not moved: " + culprit.String() + " of its family: " + why.Seen
			}
			l.set(m, s)
			l.failures[m] = e
		}
	}
}

// deleted records that somebody deleted device i. Its family is not as planned any more.
func (l *lane) deleted(i int32, why Evidence) {
	l.leaveOut(i, why)
	if l.dev[i].state == DeviceLeftOut {
		l.set(i, DeviceDeleted)
	}
}

// fit leaves families out which have grown by more than the wave has room for in the offline budget, the last ones first. What they
// were when the wave was admitted is in l.need.
func (l *lane) fit(e Entry) {
	admitted := l.need
	l.reserve()
	if l.limits.MaxOffline == 0 {
		return
	}
	for _, r := range slices.Backward(e.Joined) {
		if l.need <= admitted {
			return
		}
		if g, ok := l.find(r.Gateway); ok {
			l.leaveOut(g, Evidence{Source: beforeWave, At: e.At, Seen: fmt.Sprintf(
				"with its new sub-device %s there is no room for it in the %d devices that may be offline at once", r.Sub, l.limits.MaxOffline)})
			l.reserve()
		}
	}
}

// follows returns the gateway, which is at the target already, that a sub-device follows; the zero ID for every other device.
func (p *LanePlan) follows(id iot.DeviceID) iot.DeviceID {
	i, ok := slices.BinarySearchFunc(p.Followers, id, func(r topology.Relation, id iot.DeviceID) int { return r.Sub.Compare(id) })
	if !ok {
		return iot.DeviceID{}
	}
	return p.Followers[i].Gateway
}
