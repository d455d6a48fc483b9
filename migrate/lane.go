package migrate

import (
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// phase is where a lane is within its current stage.
type phase uint8

const (
	phaseIdle      phase = iota // the stage has not started
	phaseGate                   // a person has to approve
	phaseAct                    // console task without devices, or own code
	phaseWave                   // between two waves
	phaseMoving                 // the wave's calls, or its console task
	phaseArriving               // looking at both instances
	phaseVerifying              // verification rounds of the wave
	phaseCheck                  // wait, then verification rounds over all devices moved before
	phaseFinished               // all stages are
	phaseWaking                 // all stages are: rounds over devices that were asleep
)

const (
	maxAttempts  = 3                // a device is in at most so many calls: after that, it failed
	patience     = 16               // the share of a long wait that passes until the next round
	mostPatience = 15 * time.Minute // and the most
	maxTries     = 15               // tries in a row that reach nothing, about ten minutes: after that, the lane halts
)

// lane is the state of one lane: what its entries have made of its plan.
type lane struct {
	plan      *LanePlan
	limits    Limits
	deadlines Deadlines

	first  []int32 // first[f] is the index of family f's first device; one more at the end
	family []int32 // family[i] is the family of device i
	dev    []device
	index  map[iot.DeviceID]int32    // of all devices, or of the current wave
	whole  bool                      // index holds all devices
	callAt []int64                   // callAt[n] is when call n was begun, Unix nanoseconds
	grown  map[int32]topology.Family // families that sub-devices have joined; never changed in place

	begun bool
	stage int
	phase phase
	since time.Time // when the phase began, or was resumed
	wave  int       // index in the stage

	asked    time.Time // an open console task or own code: when it was begun; zero if none is
	gateOpen bool

	queue    []topology.Call // the calls of the wave that are left, in order
	open     []bool          // open[i]: a family is split before call i of the queue
	next     int             // index in queue
	inFlight int             // how many calls from queue[next] on have an intent, but no outcome
	lastCall time.Time

	tries      int                        // rounds, looks or retries without progress in this phase
	tryAt      time.Time                  // when the next one is due; zero for at once
	errored    string                     // what kept the last round or look from being made
	progress   bool                       // the round under way has decided something
	roundError string                     // what kept a verifier from looking in the round under way
	strayed    strayed                    // by the looks of this phase
	strange    map[iot.DeviceID]time.Time // on neither instance or on both, by every look before the wave since then
	looked     [2]time.Time               // when the last two looks or rounds of this phase ended, the older first, if they decided nothing
	blind      time.Time                  // when the last one ended that could not see everything
	looks      [2]time.Time               // when the last two complete looks of this phase ended that saw no device astray, the older first
	undecided  int                        // devices without a final verdict when the last round ended
	firstRound time.Time                  // when the first round of this phase ended
	until      time.Time                  // the end of the least waiting time
	wait       wait
	waited     []WaitReport // of stages that have ended

	halt     HaltReason
	haltNote string
	paused   bool
	stopping HaltReason // the lane halts for this as soon as no family is split
	stopNote string
	oneWay   bool // a stage without a way back is complete
	did      bool // the stage's own code was called
	undone   bool // code of its own was undone: the lane cannot go on from where it is
	forgiven int  // failed devices that a person accepted by resuming
	back     *wayBack

	base, need    int         // of the offline budget: what was offline when the wave started, and what the wave takes
	evicted       bool        // a person gave its part to others while it had halted in a wave
	offline       int         // devices that count as offline...
	offlineFailed int         // ...and those of them that failed
	joined        int         // sub-devices that have joined since the plan
	byOthers      int         // devices that somebody else had moved before their wave
	appeared      []Failure   // what the source holds at the end that is not in the plan
	swept         bool        // the source was looked at once more
	moved         []movedWave // in the order in which they began
	resumed       time.Time   // when a person last resumed the lane
	wakeAt        time.Time   // when devices that are asleep are asked about next
	wakeTries     int         // rounds since the last of them woke

	counts      [deviceStates]int
	sleeping    [deviceStates]int
	failedThere int                // failed devices that are at the target
	missing     map[int32]Evidence // what the last rounds saw of devices that are inconclusive
	split       time.Duration      // the longest time that a family was split
	failures    map[int32]Evidence
	refusals    map[int32]Evidence
	evidence    []VerifierReport
	calls       int
	throttled   int
}

func newLane(p *LanePlan, limits Limits, deadlines Deadlines) *lane {
	l := &lane{
		plan: p, limits: limits, deadlines: deadlines,
		failures: map[int32]Evidence{}, refusals: map[int32]Evidence{}, missing: map[int32]Evidence{},
		callAt: []int64{0}, wave: -1,
	}
	l.layOut()
	l.dev = make([]device, len(l.family))
	l.counts[DevicePlanned] = len(l.dev)
	return l
}

// layOut gives each family its range of devices.
func (l *lane) layOut() {
	n := 0
	l.first = make([]int32, 0, len(l.plan.Families)+1)
	for f := range l.plan.Families {
		l.first = append(l.first, int32(n))
		n += l.familyAt(int32(f)).Len()
	}
	l.first = append(l.first, int32(n))
	l.family = make([]int32, n)
	for f := range l.plan.Families {
		for i := l.first[f]; i < l.first[f+1]; i++ {
			l.family[i] = int32(f)
		}
	}
}

func (l *lane) id() string { return l.plan.Lane.ID }

// stagePlan returns the current stage; in the time after the last one, the one whose verifiers are asked.
func (l *lane) stagePlan() *StagePlan {
	if l.phase == phaseWaking {
		return &l.plan.Stages[l.lastMove()]
	}
	return &l.plan.Stages[l.stage]
}

func (l *lane) deviceID(i int32) iot.DeviceID {
	f := l.family[i]
	return l.familyAt(f).Devices[i-l.first[f]]
}

// isGateway reports whether device i is the gateway of sub-devices.
func (l *lane) isGateway(i int32) bool {
	f := l.family[i]
	return i == l.first[f+1]-1 && i > l.first[f]
}

// waveRange returns the devices of the current wave as a range of indexes.
func (l *lane) waveRange() (lo, hi int32) { return l.rangeOf(l.stage, l.wave) }

func (l *lane) rangeOf(stage, wave int) (lo, hi int32) {
	w := l.plan.Stages[stage].Waves[wave]
	return l.first[w.First], l.first[w.First+w.Count]
}

// scope is the range of devices that the current verification is about.
func (l *lane) scope() (lo, hi int32) {
	if l.phase == phaseVerifying {
		return l.waveRange()
	}
	return 0, int32(len(l.dev))
}

// find returns the index of a device, looking into the current wave first.
func (l *lane) find(id iot.DeviceID) (int32, bool) {
	if i, ok := l.index[id]; ok || l.whole {
		return i, ok
	}
	l.indexRange(0, int32(len(l.dev)))
	l.whole = true
	i, ok := l.index[id]
	return i, ok
}

func (l *lane) indexRange(lo, hi int32) {
	l.index = make(map[iot.DeviceID]int32, hi-lo)
	l.whole = false
	for i := lo; i < hi; i++ {
		l.index[l.deviceID(i)] = i
	}
}

func (l *lane) set(i int32, s DeviceState) {
	d := &l.dev[i]
	l.weigh(d, -1)
	l.counts[d.state]--
	l.counts[s]++
	if d.there && d.state == DeviceFailed {
		l.failedThere--
	}
	switch s {
	case DeviceArrived:
		d.there = true
	case DeviceReturned:
		d.there = false
	}
	if d.there && s == DeviceFailed {
		l.failedThere++
	}
	if d.asleep {
		l.sleeping[d.state]--
		l.sleeping[s]++
	}
	d.away, d.state = d.awayIn(s), s
	l.weigh(d, 1)
}

func (l *lane) setAsleep(i int32) {
	if d := &l.dev[i]; !d.asleep {
		l.weigh(d, -1)
		d.asleep = true
		l.sleeping[d.state]++
	}
}

func (l *lane) fail(i int32, why Evidence) {
	l.set(i, DeviceFailed)
	l.failures[i] = why
}

// enter begins a phase: its deadline and its back-off start anew.
func (l *lane) enter(p phase, at time.Time) {
	l.phase, l.since = p, at
	l.tries, l.tryAt, l.errored = 0, time.Time{}, ""
	clear(l.missing)
	l.strange = nil
	l.looked, l.looks, l.firstRound, l.blind = [2]time.Time{}, [2]time.Time{}, time.Time{}, time.Time{}
	l.strayed.astray, l.strayed.lost = nil, nil
	l.forgetRound()
	l.asked = time.Time{}
}

// forgetRound drops what a look or a round has told that did not come to its end.
func (l *lane) forgetRound() {
	l.strayed.forget()
	l.roundError, l.progress = "", false
	if !l.swept {
		l.appeared = nil
	}
	if l.back != nil {
		l.back.strayed.forget()
	}
}

// byConsole reports whether the current stage's devices are moved in the console.
func (l *lane) byConsole() bool { return l.stagePlan().Console.Moves() }

// calling reports whether the lane is in the middle of a wave's calls.
func (l *lane) calling() bool {
	if l.phase != phaseMoving || l.byConsole() || l.halt != "" || l.back != nil {
		return l.inFlight > 0
	}
	if l.paused && l.closed() {
		return false
	}
	return l.inFlight > 0 || l.next > 0 || l.splitBefore(0)
}

// closed reports whether the lane may stop here: no call is under way, no family is split, and where its devices
// are is known. What is done in the console is the operator's to finish.
func (l *lane) closed() bool {
	switch {
	case l.phase == phaseMoving && !l.byConsole():
		return l.inFlight == 0 && !l.splitBefore(l.next)
	case l.phase == phaseArriving:
		return l.byConsole()
	}
	return true
}

// splitBefore reports whether a family is split before call i of the queue.
func (l *lane) splitBefore(i int) bool { return i < len(l.open) && l.open[i] }

// over reports whether more devices failed than the limits allow.
func (l *lane) over() bool {
	failed := l.counts[DeviceFailed] - l.forgiven
	if failed <= 0 {
		return false
	}
	if failed > l.limits.MaxFailedDevices {
		return true
	}
	decided := l.counts[DeviceFailed] + l.counts[DeviceProven] + l.sleeping[DeviceArrived]
	return decided >= l.limits.MinSample && float64(failed) > l.limits.MaxFailedShare*float64(decided)
}

// verifiers returns how many verifiers the current stage has.
func (l *lane) verifiers() int { return len(l.stagePlan().Verifiers) }

// pending reports whether device i still needs a verdict in the current wave or check.
func (l *lane) pending(i int32) bool {
	d := l.dev[i]
	if l.phase == phaseWaking {
		return l.wakes(d)
	}
	if d.asleep || int(d.passed) >= l.verifiers() {
		return false
	}
	if l.phase == phaseCheck && d.state == DeviceProven {
		return true
	}
	return d.state == DeviceArrived || d.state == DeviceOnline
}

// askable reports whether device i can be asked about now: a gateway only after its sub-devices.
func (l *lane) askable(i int32) bool {
	if !l.pending(i) {
		return false
	}
	if l.isGateway(i) && l.phase != phaseWaking { // it may wake long before its sub-devices
		for c := l.first[l.family[i]]; c < i; c++ {
			if l.pending(c) {
				return false
			}
		}
	}
	return true
}

// recount counts the devices that the current verification still has to decide.
func (l *lane) recount() {
	l.undecided = 0
	if l.phase != phaseVerifying && l.phase != phaseWaking && (l.phase != phaseCheck || !l.checks()) {
		return
	}
	lo, hi := l.scope()
	for i := lo; i < hi; i++ {
		if l.pending(i) {
			l.undecided++
		}
	}
}

func (l *lane) movedAt(i int32) time.Time {
	if n := l.dev[i].call; n > 0 {
		return time.Unix(0, l.callAt[n]).UTC()
	}
	return time.Time{}
}

func (l *lane) newCall(at time.Time) int32 {
	l.callAt = append(l.callAt, at.UnixNano())
	return int32(len(l.callAt) - 1)
}
