package migrate_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

// drift is what happens to devices by others than the campaign, and who of them is offline because of it.
type drift struct {
	gateway map[iot.DeviceID]iot.DeviceID // of every sub-device, as it is
	planned map[iot.DeviceID]iot.DeviceID // as the plan has it, or as it was when it joined
	looked  map[iot.DeviceID]bool         // heads of families whose wave has been looked at
	others  map[iot.DeviceID]bool         // moved by somebody else
	fresh   map[iot.DeviceID]int          // lane of a device that appeared
	joined  map[iot.DeviceID]bool
	told    map[iot.DeviceID]bool // seen at the target before its wave
	late    map[iot.DeviceID]bool // added to a gateway whose wave had been looked at
	cut     map[iot.DeviceID]bool // taken away by us, awake, and not seen online since
	asleep  map[iot.DeviceID]bool
	after   map[iot.DeviceID]bool // appeared when its lane had looked for such
	warned  map[string]int
	swept   map[int]bool // lanes
	names   int
	waited  bool // a lane, for room in the budget
	crowded bool // a lane halted for it
	woken   int
	awake   bool // no device is asleep
}

func newDrift() drift {
	ids := func() map[iot.DeviceID]bool { return map[iot.DeviceID]bool{} }
	return drift{
		gateway: map[iot.DeviceID]iot.DeviceID{}, planned: map[iot.DeviceID]iot.DeviceID{}, fresh: map[iot.DeviceID]int{},
		looked: ids(), others: ids(), joined: ids(), late: ids(), cut: ids(), asleep: ids(), after: ids(), told: ids(),
		warned: map[string]int{}, swept: map[int]bool{},
	}
}

// drifts lets somebody change the fleet at the source. Families are left alone while they move: that would be an alarm, which the
// model makes by lies.
func (w *world) drifts() {
	n := w.rng.IntN(len(w.plan.Lanes))
	families := w.plan.Lanes[n].Families
	f := families[w.rng.IntN(len(families))]
	head := f.ID()
	if w.rng.IntN(3) == 0 && !f.Gateway.IsZero() && w.at[head] == source {
		w.appear(n, head)
		return
	}
	id := f.Devices[w.rng.IntN(f.Len())]
	if w.looked[head] && w.at[id] == source && w.rng.IntN(2) == 0 {
		w.remove(id)
		return
	}
	if w.looked[head] || w.at[head] != source {
		return
	}
	switch sub := id != head; w.rng.IntN(4) {
	case 0:
		w.remove(id)
	case 1:
		if sub && w.at[id] == source {
			w.gateway[id] = iot.DeviceID{}
		}
	case 2:
		other := families[w.rng.IntN(len(families))].Gateway
		if sub && w.at[id] == source && !other.IsZero() && w.at[other] == source && !w.looked[other] {
			w.gateway[id] = other
		}
	case 3:
		if slices.ContainsFunc(w.childrenOf(head), func(c iot.DeviceID) bool { return c.ProductKey == "a1Foreign00" }) {
			return // the plan cannot know that it went along
		}
		for _, m := range append(w.childrenOf(head), head) {
			if w.at[m] == source {
				w.at[m] = target
				w.others[m] = true
			}
		}
	}
}

// remove deletes a device; the sub-devices of a gateway have none any more.
func (w *world) remove(id iot.DeviceID) {
	w.at[id] = none
	for s, g := range w.gateway {
		if g == id {
			w.gateway[s] = iot.DeviceID{}
		}
	}
	delete(w.gateway, id)
	delete(w.cut, id)
}

// appear adds a sub-device to a gateway at the source: of a product of its lane, or of another one.
func (w *world) appear(n int, gateway iot.DeviceID) {
	key := fmt.Sprintf("a1SubDevi%02d", n)
	if w.rng.IntN(4) == 0 {
		key = "a1Foreign00"
	}
	w.names++
	id := iot.DeviceID{ProductKey: key, DeviceName: fmt.Sprintf("new-%03d", w.names)}
	w.at[id], w.gateway[id], w.late[id] = source, gateway, w.looked[gateway]
	if key != "a1Foreign00" {
		w.fresh[id] = n
		w.after[id] = w.swept[n]
	}
}

// childrenOf returns the sub-devices that a gateway has at the source, in order.
func (w *world) childrenOf(gateway iot.DeviceID) []iot.DeviceID { return w.childrenAt(source, gateway) }

func (w *world) childrenAt(instance string, gateway iot.DeviceID) []iot.DeviceID {
	var out []iot.DeviceID
	for id, g := range w.gateway {
		if g == gateway && w.at[id] == instance && instance != none {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, iot.DeviceID.Compare)
	return out
}

// lookBefore looks at a wave as a runner does.
func (w *world) lookBefore(t migrate.Task, e migrate.Entry) {
	e.Kind = migrate.EntryWave
	if w.chance(6) {
		e.Error = "could not read"
		w.record(e)
		return
	}
	heads := map[iot.DeviceID]migrate.TaskDevice{}
	var order []iot.DeviceID
	see := func(id iot.DeviceID) {
		switch w.at[id] {
		case target:
			e.Arrived = append(e.Arrived, id)
			w.told[id] = true
		case none:
			e.Gone = append(e.Gone, id)
		}
		if w.at[id] == source && !w.awake && w.chance(5) {
			e.Asleep = append(e.Asleep, id)
			w.asleep[id] = true
		}
	}
	for _, d := range t.Devices {
		see(d.ID)
		head := t.Family(d).ID()
		if _, seen := heads[head]; !seen {
			heads[head] = d
			order = append(order, head)
		}
	}
	for _, head := range order {
		family := t.Family(heads[head])
		w.looked[head] = true
		if family.Gateway.IsZero() {
			continue
		}
		for _, id := range family.Devices[:family.Len()-1] {
			asked := slices.ContainsFunc(t.Devices, func(d migrate.TaskDevice) bool { return d.ID == id })
			if g := w.gateway[id]; asked && w.at[id] == source && g != head && !(g.IsZero() && w.at[head] != source) {
				e.Drifted = append(e.Drifted, migrate.Failure{Device: id})
			}
		}
		for _, id := range w.childrenAt(w.at[head], head) {
			switch _, ours := w.fresh[id]; {
			case slices.Contains(family.Devices, id):
			case ours, w.planned[id] != iot.DeviceID{}:
				e.Joined = append(e.Joined, topology.Relation{Gateway: head, Sub: id})
				see(id)
			default:
				e.Drifted = append(e.Drifted, migrate.Failure{Device: head})
			}
		}
	}
	had := w.report(e.Lane).Joined
	w.record(e)
	if w.report(e.Lane).Joined == had {
		return // the look is not believed, as it misses devices: there will be another one
	}
	for _, r := range e.Joined {
		if _, ours := w.fresh[r.Sub]; ours && !w.joined[r.Sub] {
			w.joined[r.Sub], w.planned[r.Sub] = true, r.Gateway
			w.families[r.Sub] = w.families[r.Gateway]
		}
	}
}

// sent checks a device that is about to move: its family is as it was looked at.
func (w *world) sent(id iot.DeviceID) {
	if g, sub := w.planned[id]; sub && w.at[g] != none && w.gateway[id] != g && !(w.gateway[id].IsZero() && w.at[g] == target) { // a platform need not show more
		w.t.Fatalf("sub-device %s of gateway %s moves with the family of %s", id, w.gateway[id], g)
	}
	head := id
	if g, sub := w.planned[id]; sub {
		head = g
	}
	for _, c := range w.childrenOf(head) {
		if w.planned[c] != head && !w.late[c] {
			w.t.Fatalf("family %s moves without its sub-device %s", head, c)
		}
	}
}

// tookAway notes that a device was cut off by us.
func (w *world) tookAway(id iot.DeviceID) {
	if !w.asleep[id] {
		w.cut[id] = true
	}
}

// accepts notes whom a person accepts as offline by resuming a lane that halted for the budget.
func (w *world) accepts(d migrate.Decision) {
	r := w.state.Report("c")
	for _, l := range r.Lanes {
		if d.Kind != migrate.Resume || w.plan.Limits.MaxOffline == 0 || d.Lane != l.Lane || l.Halt != migrate.HaltLimit || l.Note[:8] != "the wave" {
			continue
		}
		for _, other := range r.Lanes {
			failed := map[iot.DeviceID]bool{}
			for _, f := range other.Failures {
				failed[f.Device] = true
			}
			for id := range w.cut {
				if failed[id] || other.Halt != "" && w.laneOf(id) == other.Lane {
					delete(w.cut, id)
				}
			}
		}
	}
}

func (w *world) laneOf(id iot.DeviceID) string { return w.plan.Lanes[w.families[id]/1000].Lane.ID }

// budget checks that no more devices are offline than may be.
func (w *world) budget() {
	w.t.Helper()
	limit := w.plan.Limits.MaxOffline
	if limit == 0 {
		return
	}
	r := w.state.Report("c")
	for _, l := range r.Lanes {
		w.waited = w.waited || l.Queued != ""
		w.crowded = w.crowded || l.Halt == migrate.HaltLimit && l.Note[:8] == "the wave"
	}
	if len(w.cut) > limit {
		w.t.Fatalf("%d devices are offline, %d may be: %+v", len(w.cut), limit, r)
	}
	if r.Offline < len(w.cut) {
		w.t.Fatalf("%d devices are offline, the report says %d: %v", len(w.cut), r.Offline, w.cut)
	}
}

func (w *world) sweep(t migrate.Task, e migrate.Entry) {
	e.Kind, e.End = migrate.EntryAppeared, true
	if w.chance(4) {
		e.Error = "could not read"
		w.record(e)
		return
	}
	left := map[iot.DeviceID]bool{}
	for _, d := range t.Devices {
		left[d.ID] = true
	}
	var found []iot.DeviceID
	for id, at := range w.at {
		if at == source && !left[id] && w.inLane(t.Lane, id) {
			found = append(found, id)
		}
	}
	slices.SortFunc(found, iot.DeviceID.Compare)
	for _, id := range found {
		e.Appeared = append(e.Appeared, migrate.Failure{Device: id, Evidence: migrate.Evidence{Seen: "the model"}})
	}
	w.record(e)
	w.swept[t.Lane] = true
}

func (w *world) inLane(n int, id iot.DeviceID) bool {
	return slices.ContainsFunc(w.plan.Lanes[n].Lane.Products, func(p migrate.Product) bool { return p.Key == id.ProductKey })
}

// accounted checks at the end that the report knows every device of its lanes: the new ones too.
func (w *world) accounted() {
	w.t.Helper()
	for n, l := range w.state.Report("c").Lanes {
		if want := len(w.devicesOf(n)); l.Devices != want {
			w.t.Fatalf("lane %s: the report has %d devices, there are %d", l.Lane, l.Devices, want)
		}
		if len(l.Drifted) != l.LeftOut {
			w.t.Fatalf("lane %s left %d devices out and says why of %d", l.Lane, l.LeftOut, len(l.Drifted))
		}
		if !l.Finished {
			continue
		}
		for id, lane := range w.fresh {
			known := slices.ContainsFunc(l.Appeared, func(f migrate.Failure) bool { return f.Device == id })
			if lane == n && w.at[id] == source && !w.joined[id] && !known && !w.after[id] {
				w.t.Fatalf("lane %s ended, and nobody tells of %s, which appeared at the source", l.Lane, id)
			}
		}
		others := 0
		for _, id := range w.devicesOf(n) {
			if w.others[id] && w.told[id] {
				others++
			}
		}
		if l.ByOthers != others {
			w.t.Fatalf("lane %s: somebody else moved %d devices before their wave, the report says %d", l.Lane, others, l.ByOthers)
		}
	}
}

// devicesOf returns the devices of a lane: the planned ones and those that have joined.
func (w *world) devicesOf(n int) []iot.DeviceID {
	var out []iot.DeviceID
	for _, f := range w.plan.Lanes[n].Families {
		out = append(out, f.Devices...)
	}
	for id, lane := range w.fresh {
		if lane == n && w.joined[id] {
			out = append(out, id)
		}
	}
	return out
}

// report returns what is reported of a lane.
func (w *world) report(lane string) migrate.LaneReport {
	lanes := w.state.Report("c").Lanes
	return lanes[slices.IndexFunc(lanes, func(l migrate.LaneReport) bool { return l.Lane == lane })]
}

// warnings checks that a wave is warned of once, and in time. One of which nothing was moved, or all was returned, has a new time when it
// moves again.
func (w *world) warnings(e migrate.Entry) {
	if e.Kind != migrate.EntryReverse {
		return
	}
	key := fmt.Sprint(e.Lane, "/", e.Stage, "/", e.Wave, " until ", e.Until)
	if w.warned[key]++; w.warned[key] > 1 {
		w.t.Fatalf("a second warning of %s", key)
	}
	if left := e.Until.Sub(e.At); left > w.plan.Deadlines.Reverse/5+time.Second {
		w.t.Fatalf("%s is warned of %v before its time", key, left)
	}
}

// addLimits gives the plan an offline budget, a time to return and a time to wake, or not.
func (w *world) addLimits(p *migrate.Plan) {
	largest := 0
	for _, l := range p.Lanes {
		for _, s := range l.Stages {
			for _, wave := range s.Waves {
				n := 0
				for _, f := range l.Families[wave.First : wave.First+wave.Count] {
					n += f.Len()
				}
				largest = max(largest, n)
			}
		}
	}
	if w.rng.IntN(2) == 0 {
		p.Limits.MaxOffline = largest + w.rng.IntN(3)
		w.awake = w.rng.IntN(2) == 0
	}
	if w.rng.IntN(2) == 0 {
		p.Deadlines.Reverse = time.Duration(1+w.rng.IntN(12*24)) * time.Hour
	}
	if w.rng.IntN(2) == 0 {
		p.Deadlines.Wake = time.Duration(1+w.rng.IntN(72)) * time.Hour
	}
}

// reaches counts what the campaign came across.
func (w *world) reaches(reached map[string]int) {
	for _, l := range w.state.Report("c").Lanes {
		reached["joined"] += l.Joined
		reached["left out"] += l.LeftOut
		reached["moved by others"] += l.ByOthers
		reached["appeared"] += len(l.Appeared)
		reached["still asleep"] += l.Asleep
		for _, f := range l.Failures {
			if strings.Contains(f.Evidence.Seen, "it was deleted") {
				reached["lost on the way"]++
			}
		}
	}
	reached["warned"] += len(w.warned)
	reached["woken"] += w.woken
	if w.waited {
		reached["waited"]++
	}
	if w.crowded {
		reached["crowded out"]++
	}
}
