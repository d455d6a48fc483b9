package migrate

// A DecisionKind is what a person can decide about a campaign.
type DecisionKind string

// The decisions.
const (
	Approve  DecisionKind = "approve"  // open the gate of a stage
	Refuse   DecisionKind = "refuse"   // keep it shut: the lane halts
	Pause    DecisionKind = "pause"    // start nothing new; families under way are finished first
	Resume   DecisionKind = "resume"   // go on after a pause, a halt or an abort
	Abort    DecisionKind = "abort"    // stop for good, until a person resumes
	Rollback DecisionKind = "rollback" // return devices to the source
)

// A Decision is what a person decided. It becomes an entry of the journal.
type Decision struct {
	Kind DecisionKind `json:"kind"`
	// Lane is the ID of the lane that is meant. Empty means all lanes, except for Approve and Refuse.
	Lane string `json:"lane,omitempty"`
	// Stage is the gate that is answered, or the stage whose devices are returned; empty for a rollback of all.
	Stage string `json:"stage,omitempty"`
	// Wave is the wave whose devices are returned, from 1; 0 for all waves of the stage.
	Wave int `json:"wave,omitempty"`
	// By is who decided; never empty.
	By string `json:"by"`
	// Note is why, in words; may be empty.
	Note string `json:"note,omitempty"`
}
