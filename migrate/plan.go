package migrate

import (
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// PlanVersion is the version of the plan's format. [ReadPlan] refuses every other one.
const PlanVersion = 1

// A Plan is what a campaign will do: plain data, the same for the same survey, strategies and settings. A
// person can review it, a file can hold it, and a journal is bound to its [Plan.Hash]. It holds no secrets.
type Plan struct {
	Version   int              `json:"version"`
	Account   string           `json:"account"`
	Source    iot.InstanceInfo `json:"source"`
	Target    iot.InstanceInfo `json:"target"`
	Limits    Limits           `json:"limits"`
	Deadlines Deadlines        `json:"deadlines"`
	// Follows is the hash of the plan that this one follows; empty for a first plan. See [Planner.Replan].
	Follows string `json:"follows,omitempty"`
	// Issues is what the preflight found: blockers and warnings.
	Issues []Issue `json:"issues"`
	// Lanes are by lane ID.
	Lanes []LanePlan `json:"lanes"`
}

// A LanePlan is the part of a plan that is about one lane.
type LanePlan struct {
	Lane     Lane        `json:"lane"`
	Strategy string      `json:"strategy"` // its name
	Why      string      `json:"why"`      // why this strategy
	Stages   []StagePlan `json:"stages"`
	// Families are in the order in which they move: the waves of the stages cover them all, one after
	// the other.
	Families []topology.Family `json:"families"`
	Forecast Forecast          `json:"forecast"`
	// Followers are sub-devices whose gateway is at the target already, in order of Sub. Each is a family of its own.
	Followers []topology.Relation `json:"followers,omitempty"`
}

// A StagePlan is a stage as far as it is data.
type StagePlan struct {
	Name      string          `json:"name"`
	About     string          `json:"about"`
	Gate      bool            `json:"gate,omitempty"`
	OneWay    bool            `json:"oneWay,omitempty"`
	Console   ConsoleKind     `json:"console,omitempty"`
	Does      bool            `json:"does,omitempty"`  // it has code of its own
	Moves     bool            `json:"moves,omitempty"` // it moves devices: by the console if Console says so, else by calls
	Waves     []topology.Wave `json:"waves,omitempty"` // ranges of LanePlan.Families
	Wait      Window          `json:"wait,omitzero"`
	Opens     string          `json:"opens,omitempty"`  // the name of the condition that begins the wait
	Closes    string          `json:"closes,omitempty"` // the name of the condition that ends it
	Verifiers []string        `json:"verifiers,omitempty"`
}

// A Forecast is what a lane will cost, at the documented limits and with nothing going wrong.
type Forecast struct {
	Calls    int           `json:"calls"`    // BatchGrayMigrationDevice calls
	Moving   time.Duration `json:"moving"`   // of those calls, at 5 calls/s
	Waiting  time.Duration `json:"waiting"`  // the least that the windows keep the lane
	SplitP95 time.Duration `json:"splitP95"` // between first and last call of a family, 95th percentile
	SplitMax time.Duration `json:"splitMax"` // the same, of the worst family
}

// Limits stop a lane. They count the devices of the lane that failed: refused by the platform, not arrived
// in time, or not proven by a verifier. Zero means zero, to the last device.
type Limits struct {
	// MaxFailedDevices is how many devices may fail.
	MaxFailedDevices int `json:"maxFailedDevices"`
	// MaxFailedShare is how large a share of the devices decided so far may fail, 0 to 1. It counts
	// once MinSample devices are decided. Both limits hold: whichever is exceeded first stops the lane.
	MaxFailedShare float64 `json:"maxFailedShare"`
	// MinSample is how many devices must be decided before MaxFailedShare counts.
	MinSample int `json:"minSample"`
	// MaxTasks is how many console tasks, one per product, may be open at once: lanes wait for each
	// other. The platform allows 5, device distribution included. Zero means 5. A lane that a person aborts, or all of whose devices were
	// returned, counts no more, so its tasks should be closed in the console; it can be resumed as soon as they fit again.
	MaxTasks int `json:"maxTasks"`
	// MaxOffline is how many devices of ours may be offline at once, over all lanes: those that a call or a console task took
	// and that were not seen online since, failed ones included, as long as nobody sees them online, returns them or accepts them
	// by [Resume]. Devices that were offline before their move do not count. A wave starts only when it fits into what is left. Zero sets
	// no such limit: the sizes of the waves alone bound it. A full migration in the console cannot keep it.
	MaxOffline int `json:"maxOffline,omitzero"`
}

// Deadlines bound every state that waits. Zero fields take the documented default.
type Deadlines struct {
	Visible time.Duration `json:"visible"` // how long the platform may take to show what happened; default 30 s
	Arrive  time.Duration `json:"arrive"`  // from a wave's last call until all of it is at the target; default 10 min
	Verify  time.Duration `json:"verify"`  // from a wave's arrival until all verdicts are in; default 30 min
	Console time.Duration `json:"console"` // from asking the operator until the effect is seen; default 24 h
	Gate    time.Duration `json:"gate"`    // for a person to answer; default 7 days
	Return  time.Duration `json:"return"`  // from asking for a rollback until all are back; default 24 h
	// Reverse is how long after its first call a wave can still be returned. The platform documents no limit, so the owner
	// of the fleet declares what support said. Zero means that it is not known, and nobody is warned.
	Reverse time.Duration `json:"reverse,omitzero"`
	// Wake is how long a lane waits, after its last stage, for devices that were offline before their move to wake and to prove
	// themselves. Zero means that it does not wait.
	Wake time.Duration `json:"wake,omitzero"`
}

func (d Deadlines) withDefaults() Deadlines {
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&d.Visible, 30 * time.Second},
		{&d.Arrive, 10 * time.Minute},
		{&d.Verify, 30 * time.Minute},
		{&d.Console, 24 * time.Hour},
		{&d.Gate, 7 * 24 * time.Hour},
		{&d.Return, 24 * time.Hour},
	} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	return d
}

func (l Limits) withDefaults() Limits {
	if l.MaxTasks == 0 {
		l.MaxTasks = 5
	}
	return l
}
