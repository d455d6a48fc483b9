package migrate

import (
	"context"
	"encoding/json"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Condition is what a stage waits for, besides time, where it is about the lane and not about single devices: that data
// synchronisation runs, that a copy has caught up. It looks once and does not wait: the runner asks again, until the stage's
// deadline. A look that has much to read does a part of it, a few minutes' worth, and leaves in [Observation.Progress] where the next
// one goes on: a pause, an abort or a crash costs that part at most. Implementations are safe for concurrent use.
type Condition interface {
	// Name identifies the condition in plans and journals, in kebab-case.
	Name() string
	// Look tells whether the condition holds. An error means that it could not look; the runner looks again a little later, with the
	// progress of the look before.
	Look(context.Context, *Waiting) (Observation, error)
}

// Waiting is what a condition is asked about. Nothing in it is to be written to.
type Waiting struct {
	Campaign string
	Lane     Lane
	Stage    string
	Source   iot.Instance
	Target   iot.Instance
	Clock    iot.Clock
	Wait     WaitReport // how the wait stands
	// Progress is what the last look of this condition in this stage left in the journal; empty before the first one.
	Progress json.RawMessage
}

// An Observation is what one look at a condition saw.
type Observation struct {
	// Holds says that it holds, now. A stage that Opens by it begins its wait with this look. One that Closes by it may end its
	// wait: a look before the least time tells people only, and the runner looks again then.
	Holds bool
	// Evidence says what was seen; as long as the condition does not hold, what still has to happen. At may be zero for now.
	Evidence Evidence
	// Progress is where the next look goes on, as JSON. It becomes part of the journal, so it has to be short: more than
	// [MaxProgress] bytes are an error.
	Progress json.RawMessage
	// Next is when to look again; zero leaves it to the runner. As long as the condition holds that waits until the least time is over, else a
	// little longer each time: up to a minute at first, in a wait of hours or days up to a quarter of an hour more, and about a minute again
	// before the deadline. The runner looks earlier when the least time is over, and after a decision.
	Next time.Time
}

// MaxProgress is how many bytes of progress a look may leave in the journal.
const MaxProgress = 128 << 10

// NewCondition makes a condition of a function.
func NewCondition(name string, look func(context.Context, *Waiting) (Observation, error)) Condition {
	return condition{name: name, look: look}
}

type condition struct {
	name string
	look func(context.Context, *Waiting) (Observation, error)
}

func (c condition) Name() string { return c.name }

func (c condition) Look(ctx context.Context, w *Waiting) (Observation, error) { return c.look(ctx, w) }

// A WaitReport says how the wait of a stage stands, by the journal alone: a restart, or a clock that was wrong for a while, changes
// nothing in it.
type WaitReport struct {
	Stage string `json:"stage"`
	// Begun is when the wait began: when what it waits for was seen, or since when somebody declares it. Zero before.
	Begun time.Time `json:"begun,omitzero"`
	By    string    `json:"by,omitempty"`   // who declared that it has begun; empty if it was seen
	Seen  *Evidence `json:"seen,omitempty"` // what was seen, or what the person said
	// Least is when the least time is over, and Ends when the lane halts if it still waits; zero for never.
	Least time.Time `json:"least,omitzero"`
	Ends  time.Time `json:"ends,omitzero"`
	Early *Early    `json:"early,omitempty"` // who ends the wait before Least, and why; nil if nobody does
	Todo  []string  `json:"todo,omitempty"`  // what still has to happen, in sentences
	Ended time.Time `json:"ended,omitzero"`  // when the stage came to its end
}

// Early is a person's decision to end a wait before its least time: see [CloseEarly].
type Early struct {
	By   string    `json:"by"`
	Note string    `json:"note"`
	At   time.Time `json:"at"`
}
