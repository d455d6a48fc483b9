package migrate

import (
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// An Outcome is how a campaign stands.
type Outcome string

// The outcomes.
const (
	// OutcomeProven says that every device of the plan was moved and proven, or was asleep when it was moved and
	// has arrived.
	OutcomeProven Outcome = "proven"
	// OutcomeUnproven says that all lanes came to their end, but some device is not proven.
	OutcomeUnproven Outcome = "unproven"
	// OutcomeStopped says that at least one lane halted and needs a person.
	OutcomeStopped Outcome = "stopped"
	// OutcomeRunning says that the campaign is not at its end.
	OutcomeRunning Outcome = "running"
)

// A Report says what became of a campaign. It is made from the journal alone.
type Report struct {
	Campaign string           `json:"campaign"`
	Account  string           `json:"account"`
	Source   iot.InstanceInfo `json:"source"`
	Target   iot.InstanceInfo `json:"target"`
	Outcome  Outcome          `json:"outcome"`
	Began    time.Time        `json:"began"`
	Latest   time.Time        `json:"latest"` // of the last entry
	Lanes    []LaneReport     `json:"lanes"`
	// Offline is how many devices count against MaxOffline, which is [Limits.MaxOffline]; both are 0 if there is no such limit.
	Offline    int `json:"offline,omitempty"`
	MaxOffline int `json:"maxOffline,omitempty"`
}

// A LaneReport says what became of a lane. Each of its devices is counted once, in Proven, Asleep,
// Unproven, Failed, Returned, Underway, Unmoved or LeftOut.
type LaneReport struct {
	Lane     string           `json:"lane"`
	Strategy string           `json:"strategy"`
	Stage    string           `json:"stage,omitempty"` // where it is; empty at its end
	Wave     int              `json:"wave,omitempty"`  // from 1
	Waves    int              `json:"waves,omitempty"` // of the stage
	Until    time.Time        `json:"until,omitzero"`  // the end of the wait it is in
	Waits    []WaitReport     `json:"waits,omitempty"` // of stages that wait, the one it is in last
	Finished bool             `json:"finished"`
	Paused   bool             `json:"paused,omitempty"`
	Gate     bool             `json:"gate,omitempty"` // waits for a person's answer
	Halt     HaltReason       `json:"halt,omitempty"`
	Note     string           `json:"note,omitempty"`   // why it halted, and what to do if a resume cannot help
	Queued   string           `json:"queued,omitempty"` // what it waits for, in words: console tasks that other lanes hold, or room in the offline budget
	Devices  int              `json:"devices"`          // of the plan, and those that have joined its families since
	Moved    int              `json:"moved"`            // at the target: Proven, Asleep and Unproven, and failed ones that arrived
	Proven   int              `json:"proven"`           // all their verifiers passed
	Asleep   int              `json:"asleep"`           // arrived, but not online before the move, so that they could not prove themselves
	Unproven int              `json:"unproven"`         // arrived, without a verdict so far
	Failed   int              `json:"failed"`
	Returned int              `json:"returned"`
	Underway int              `json:"underway"` // intended, unknown, or on their way back
	Unmoved  int              `json:"unmoved"`
	LeftOut  int              `json:"leftOut,omitempty"`  // not moved, as their family was not as planned when its wave came
	Joined   int              `json:"joined,omitempty"`   // of Devices, sub-devices that their gateways got after the survey
	ByOthers int              `json:"byOthers,omitempty"` // devices that somebody else had moved before their wave
	Offline  int              `json:"offline,omitempty"`  // devices that were not seen online since they were taken away, those that were offline before aside
	Calls    int              `json:"calls"`              // BatchGrayMigrationDevice calls made
	Retried  int              `json:"retried"`            // calls that did nothing, for a quota or a passing fault, and were made again
	Split    time.Duration    `json:"split"`              // the longest time between the first and the last call of a family
	Verdicts []VerifierReport `json:"verdicts,omitempty"`
	Failures []Failure        `json:"failures,omitempty"` // in plan order
	Drifted  []Failure        `json:"drifted,omitempty"`  // the devices of LeftOut, and why, in plan order
	Appeared []Failure        `json:"appeared,omitempty"` // what the source held in the end that the plan did not know, as seen then
	// Reversible are the waves that can still be returned, the oldest first: the first one that cannot any more. None has a time if [Deadlines.Reverse]
	// declares none: then nobody knows.
	Reversible []Reversible  `json:"reversible,omitempty"`
	Waking     bool          `json:"waking,omitempty"` // all stages are complete, and the lane waits for devices that were asleep
	Remains    time.Duration `json:"remains"`          // what is left of calls and waits, with nothing going wrong
}

// A VerifierReport sums up what one verifier of a lane said.
type VerifierReport struct {
	Verifier string `json:"verifier"`
	// Passed counts devices, each once for the first 16 verifiers of a lane, whatever became of it later.
	Passed int       `json:"passed"`
	Failed int       `json:"failed"`           // devices
	Sample *Evidence `json:"sample,omitempty"` // of the first device that passed
}

// Report returns what became of the campaign so far.
func (s *State) Report(campaign string) *Report {
	r := &Report{
		Campaign: campaign, Account: s.plan.Account, Source: s.plan.Source, Target: s.plan.Target,
		Began: s.began, Latest: s.latest,
	}
	for _, l := range s.lanes {
		r.Lanes = append(r.Lanes, l.makeReport())
	}
	s.reportBudget(r)
	s.reportTasks(r)
	r.Outcome = outcome(r.Lanes)
	return r
}

func outcome(lanes []LaneReport) Outcome {
	result := OutcomeProven
	for _, l := range lanes {
		switch {
		case l.Halt != "":
			return OutcomeStopped
		case !l.Finished:
			result = OutcomeRunning
		case result == OutcomeProven && l.Proven+l.Asleep != l.Devices:
			result = OutcomeUnproven
		}
	}
	return result
}

func (l *lane) makeReport() LaneReport {
	n := l.counts
	r := LaneReport{
		Lane: l.id(), Strategy: l.plan.Strategy, Finished: l.phase == phaseFinished && l.back == nil,
		Paused: l.paused, Gate: l.gateOpen, Halt: l.halt, Note: l.stoppedFor(),
		Devices: len(l.dev), Proven: n[DeviceProven], Asleep: l.sleeping[DeviceArrived],
		Unproven: n[DeviceArrived] + n[DeviceOnline] - l.sleeping[DeviceArrived],
		Failed:   n[DeviceFailed], Returned: n[DeviceReturned], Unmoved: n[DevicePlanned],
		LeftOut: n[DeviceLeftOut] + n[DeviceDeleted], Joined: l.joined, ByOthers: l.byOthers, Offline: l.offline,
		Underway: n[DeviceIntended] + n[DeviceAccepted] + n[DeviceRejected] + n[DeviceUnknown] + n[DeviceReturning],
		Calls:    l.calls, Retried: l.throttled, Split: l.split,
		Verdicts: append([]VerifierReport(nil), l.evidence...),
		Failures: l.evidenceOf(DeviceFailed), Drifted: l.evidenceOf(DeviceLeftOut, DeviceDeleted), Appeared: slices.Clone(l.appeared),
		Remains: l.remains(), Reversible: l.reversible(), Waking: l.phase == phaseWaking,
	}
	r.Moved = r.Proven + r.Asleep + r.Unproven + l.failedThere
	if l.phase == phaseWaking {
		r.Until = l.wakeEnd()
	}
	if l.stage < len(l.plan.Stages) {
		r.Stage, r.Waves = l.stagePlan().Name, len(l.stagePlan().Waves)
		r.Wave = l.wave + 1
		r.Until = l.until
	}
	r.Waits = append(r.Waits, l.waited...)
	if r.Stage != "" && l.waits() {
		r.Waits = append(r.Waits, l.waitReport())
	}
	return r
}

// evidenceOf lists the devices in some states, and why they are there.
func (l *lane) evidenceOf(states ...DeviceState) []Failure {
	n := 0
	for _, s := range states {
		n += l.counts[s]
	}
	if n == 0 {
		return nil
	}
	out := make([]Failure, 0, n)
	for i := range l.dev {
		if slices.Contains(states, l.dev[i].state) {
			out = append(out, Failure{Device: l.deviceID(int32(i)), Evidence: l.failures[int32(i)]})
		}
	}
	return out
}

// remains adds up what the plan says of the calls and waits that are left.
func (l *lane) remains() time.Duration {
	var total time.Duration
	if n := len(l.dev); n > 0 {
		total = time.Duration(float64(l.plan.Forecast.Moving) * float64(l.counts[DevicePlanned]) / float64(n))
	}
	for s := l.stage; s < len(l.plan.Stages); s++ {
		if s > l.stage || l.until.IsZero() { // of a wait that has begun, Until tells the end
			total += l.plan.Stages[s].Wait.Min
		}
	}
	return total
}
