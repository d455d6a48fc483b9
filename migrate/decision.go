package migrate

import "time"

// A DecisionKind is what a person can decide about a campaign.
type DecisionKind string

// The decisions.
const (
	Approve  DecisionKind = "approve"  // open the gate of a stage
	Refuse   DecisionKind = "refuse"   // keep it shut: the lane halts
	Pause    DecisionKind = "pause"    // start nothing new; families under way are finished first
	Resume   DecisionKind = "resume"   // go on after a pause, a halt or an abort; refused if others have the console tasks that an abort gave up
	Abort    DecisionKind = "abort"    // stop for good, until a person resumes; the lane's console tasks are free for others
	Rollback DecisionKind = "rollback" // return devices to the source

	// Declare says that what a stage waits for has begun, although nobody can see it: see [Stage.Opens].
	Declare DecisionKind = "declare"
	// CloseEarly ends the wait of a stage before its least time. Note has to say why. What the stage has to see, or to verify, before it
	// ends, it still has to.
	CloseEarly DecisionKind = "close-early"
)

// A Decision is what a person decided. It becomes an entry of the journal.
type Decision struct {
	Kind DecisionKind `json:"kind"`
	// Lane is the ID of the lane that is meant. Empty means all lanes, except for Approve, Refuse, Declare and CloseEarly.
	Lane string `json:"lane,omitempty"`
	// Stage is the gate that is answered, the stage that waits, or the one whose devices are returned; empty for a rollback of all.
	Stage string `json:"stage,omitempty"`
	// Wave is the wave whose devices are returned, from 1; 0 for all waves of the stage.
	Wave int `json:"wave,omitempty"`
	// Since is when that began which is declared; zero for now.
	Since time.Time `json:"since,omitzero"`
	// By is who decided; never empty.
	By string `json:"by"`
	// Note is why, in words; may be empty.
	Note string `json:"note,omitempty"`
}
