package migrate

import (
	"encoding/json"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// JournalVersion is the version of the entries' format. A journal of another one is refused.
const JournalVersion = 1

// An EntryKind says what an entry of a journal records.
type EntryKind string

// The kinds of entries. Beside the fields that a kind names, Stage, Wave and Note may say where it was and what it was about.
const (
	// The campaign and its runners.
	EntryCampaign EntryKind = "campaign" // first entry: Header
	EntryRunner   EntryKind = "runner"   // a runner took over: Note says who; every open intent is unknown now
	EntryDecision EntryKind = "decision" // a person decided: Decision
	EntryEnd      EntryKind = "end"      // all lanes are finished

	// A lane's way through its stages.
	EntryStage     EntryKind = "stage"     // the stage started
	EntryGate      EntryKind = "gate"      // the stage waits for a person
	EntryAsked     EntryKind = "asked"     // intent: the operator is asked for the console task (Console, Names, Wave)
	EntryPerformed EntryKind = "performed" // the operator says that it is done or started; Error if it was not
	EntryDoing     EntryKind = "doing"     // intent: the stage's own code is called
	EntryDone      EntryKind = "done"      // the stage's own code returned; Error, Retry
	EntryWait      EntryKind = "wait"      // the lane waits: Until
	EntryCondition EntryKind = "condition" // a look at what the stage waits for: Condition, Holds, Evidence, Progress; Until is when to look again; Error
	EntryStageEnd  EntryKind = "stage-end" // the stage is complete
	EntryAppeared  EntryKind = "appeared"  // after the last stage the source was read once more: Appeared; End; Error if not all could be read
	EntryReverse   EntryKind = "reverse"   // a warning: a fifth of the time is left in which the wave can be returned: Until
	EntryLaneEnd   EntryKind = "lane-end"  // the lane is complete
	EntryHalt      EntryKind = "halt"      // the lane stopped and needs a person: Reason, Note
	EntryAlarm     EntryKind = "alarm"     // devices are on both instances or on none: Names

	// A wave.
	EntryWave     EntryKind = "wave"     // the wave starts, as seen on both instances just before: Asleep, Gone, Arrived, Both, Joined, Drifted
	EntryIntent   EntryKind = "intent"   // a call is about to be made, after those announced before it: Call, Product, Names
	EntryOutcome  EntryKind = "outcome"  // what the call answered: Call, Refused, Unknown; all others were accepted. Error: none has moved, and calls announced after it were not made; Retry
	EntryLook     EntryKind = "look"     // both instances were read: Arrived, Unmoved of those in doubt, Gone, Both; End; Error if not all could be read
	EntryVerdicts EntryKind = "verdicts" // a verifier looked: Verifier, Passed, Failed, Open, Evidence, Error if it could not look; End of the round
	EntryExpired  EntryKind = "expired"  // the deadline passed: Failed
	EntryWaveEnd  EntryKind = "wave-end" // every device of the wave is decided

	// The way back.
	EntryUndoing  EntryKind = "undoing"  // intent: the stage's code for the way back is called
	EntryUndone   EntryKind = "undone"   // it returned; Error
	EntryReturned EntryKind = "returned" // both instances were read: Arrived are back at the source; Gone, Both; End
	EntryHome     EntryKind = "home"     // all are back and the topology is as before; Error if it is not, or not readable
)

// An Entry is one record of a journal. Entries are immutable facts: intents before their effect, outcomes
// after it, observations, verdicts and decisions.
type Entry struct {
	Seq   int64     `json:"seq"`   // 1, 2, 3...: set by the journal
	Fence int64     `json:"fence"` // of the runner that wrote it; 0 for a person's decision
	At    time.Time `json:"at"`    // UTC
	Kind  EntryKind `json:"kind"`

	Lane  string `json:"lane,omitempty"`
	Stage string `json:"stage,omitempty"`
	Wave  int    `json:"wave,omitempty"` // from 1

	Header   *Header     `json:"header,omitempty"`
	Decision *Decision   `json:"decision,omitempty"`
	Console  ConsoleKind `json:"console,omitempty"`
	Until    time.Time   `json:"until,omitzero"`
	Reason   HaltReason  `json:"reason,omitempty"`
	Note     string      `json:"note,omitempty"`
	Error    string      `json:"error,omitempty"`

	Call      int                 `json:"call,omitempty"` // number of the call in its lane: larger for every call
	Product   string              `json:"product,omitempty"`
	Names     DeviceSet           `json:"names,omitempty"`
	Unknown   DeviceSet           `json:"unknown,omitempty"`
	Asleep    DeviceSet           `json:"asleep,omitempty"`
	Arrived   DeviceSet           `json:"arrived,omitempty"` // on the instance where they should be, and only there
	Unmoved   DeviceSet           `json:"unmoved,omitempty"` // still where they were, and only there: see [Task.Unmoved]
	Gone      DeviceSet           `json:"gone,omitempty"`    // on neither instance
	Both      DeviceSet           `json:"both,omitempty"`    // on both instances
	Verifier  string              `json:"verifier,omitempty"`
	Passed    DeviceSet           `json:"passed,omitempty"`
	Refused   []Failure           `json:"refused,omitempty"`
	Failed    []Failure           `json:"failed,omitempty"`
	Drifted   []Failure           `json:"drifted,omitempty"`  // their families are not as planned
	Open      []Failure           `json:"open,omitempty"`     // of the devices that stay inconclusive, the first few
	Appeared  []Failure           `json:"appeared,omitempty"` // at the source, and not known to the plan
	Joined    []topology.Relation `json:"joined,omitempty"`   // sub-devices that their gateways have got since the plan
	Evidence  *Evidence           `json:"evidence,omitempty"` // of the first device that passed, or of a condition
	Retry     bool                `json:"retry,omitempty"`    // the same may work later
	Condition string              `json:"condition,omitempty"`
	Holds     bool                `json:"holds,omitempty"`
	Progress  json.RawMessage     `json:"progress,omitempty"` // where the next look goes on
	End       bool                `json:"end,omitempty"`      // the last entry of a look or a round
}

// A Header binds a journal to its campaign. A journal whose header differs is refused.
type Header struct {
	Version  int              `json:"version"`
	PlanHash string           `json:"planHash"`
	Account  string           `json:"account"`
	Source   iot.InstanceInfo `json:"source"`
	Target   iot.InstanceInfo `json:"target"`
	Follows  string           `json:"follows,omitempty"` // hash of the plan that the plan follows, which has a journal of its own
}

// A Failure is a device that failed, or is not proven yet, and why.
type Failure struct {
	Device   iot.DeviceID `json:"device"`
	Evidence Evidence     `json:"evidence"`
}

// A HaltReason says why a lane stopped.
type HaltReason string

// The reasons to stop a lane.
const (
	HaltLimit    HaltReason = "limit"    // more devices failed than the limits allow
	HaltRefused  HaltReason = "refused"  // a person refused a gate
	HaltDeadline HaltReason = "deadline" // a deadline passed
	HaltOperator HaltReason = "operator" // the operator could not perform a console task
	HaltCode     HaltReason = "code"     // the stage's own code returned an error
	HaltCall     HaltReason = "call"     // the platform refused the calls as such
	HaltAlarm    HaltReason = "alarm"    // a device is on both instances or on none
	HaltTopology HaltReason = "topology" // after a return the topology is not as it was
	HaltReturned HaltReason = "returned" // its devices were returned
	HaltAborted  HaltReason = "aborted"  // a person aborted
)

// A DeviceSet is a list of devices, written grouped by product: {"productKey": ["name", ...]}.
type DeviceSet []iot.DeviceID

// MarshalJSON groups the devices by product; products and the devices of each stay in their order.
func (s DeviceSet) MarshalJSON() ([]byte, error) { return marshalDeviceSet(s) }

// UnmarshalJSON reads what MarshalJSON wrote and checks every device's name.
func (s *DeviceSet) UnmarshalJSON(data []byte) error { return unmarshalDeviceSet(data, s) }

var (
	_ json.Marshaler   = DeviceSet(nil)
	_ json.Unmarshaler = (*DeviceSet)(nil)
)
