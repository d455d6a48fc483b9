package migrate

import (
	"encoding/json"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/topology"
)

// A TaskKind says what a driver of a [State] has to do.
type TaskKind uint8

// The kinds of tasks. Each answers with entries of the kinds named here.
const (
	TaskGate      TaskKind = iota + 1 // ask the approver, if there is one: EntryDecision
	TaskConsole                       // ask the operator: EntryPerformed
	TaskDo                            // call the stage's own code: EntryDone
	TaskUndo                          // call the stage's code for the way back: EntryUndone
	TaskBefore                        // read both instances just before a wave: EntryWave
	TaskMove                          // make a salvo of calls, one after another: EntryOutcome of each, up to the first with Error
	TaskLook                          // read both instances: EntryLook, the last one with End
	TaskVerify                        // ask the verifiers once: EntryVerdicts, the last one with End
	TaskLookBack                      // read both instances on the way back: EntryReturned, the last one with End
	TaskSweep                         // read what the source holds after the last stage: EntryAppeared, the last one with End
	TaskHome                          // compare the returned families' topology: EntryHome
	TaskCondition                     // look at what the stage waits for, once: EntryCondition
)

// A Task is one thing to do for a lane, now.
type Task struct {
	Kind TaskKind
	Lane int // index in Plan.Lanes
	// Stage is the index of the stage in the lane's plan; Wave is from 0, and -1 if the task is about no wave.
	Stage, Wave int
	// Deadline is when the task has to be given up; zero for never.
	Deadline time.Time
	// Intents must all be durable before the task starts; none if the task only reads.
	Intents []Entry
	// Calls is what TaskMove sends, in this order; each has an intent. FirstCall is the number of the first one, the others are
	// numbered on. After a call that failed as such the rest must not be made.
	Calls     []topology.Call
	FirstCall int
	// Devices are those that the task is about, in plan order, for TaskConsole with devices, TaskBefore, TaskLook,
	// TaskLookBack, TaskVerify, TaskHome and TaskSweep.
	Devices []TaskDevice
	list    func() []TaskDevice // makes Devices, once somebody wants the task; nil if they are made
	Console ConsoleKind
	// Gate is what TaskGate asks about, without the campaign's name.
	Gate Gate
	// Condition is the name of what TaskCondition looks at: that of the stage's Opens or Closes. Wait and Progress are for it.
	Condition string
	Wait      WaitReport
	Progress  json.RawMessage

	visible  time.Duration             // Deadlines.Visible
	lastCall time.Time                 // when the last call of the wave was announced or answered
	families []topology.Family         // of the lane's plan
	grown    map[int32]topology.Family // those that sub-devices have joined since
}

// Family returns the family of a device of the task: as planned, with the sub-devices that have joined it since. It is shared: do
// not write to it.
func (t Task) Family(d TaskDevice) topology.Family {
	if grown, ok := t.grown[int32(d.Family)]; ok {
		return grown
	}
	return t.families[d.Family]
}

// Unmoved reports whether a look that asked both instances about a device of the task at that time, and saw it at the source alone, may
// report it as [Entry.Unmoved]. It may of a device in doubt once its call had the time that its effect may take to show, [Deadlines.Visible]:
// from its beginning if the platform refused the device, and from the end of the wave's calls if nobody knows the answer. A long look ends much later than it
// asked about most of its devices.
func (t Task) Unmoved(d TaskDevice, asked time.Time) bool {
	from := d.Moved
	if d.lost {
		from = later(from, t.lastCall)
	}
	return d.Doubt && !asked.Before(from.Add(t.visible))
}

func (t Task) listed() Task {
	if t.list != nil {
		t.Devices, t.list = t.list(), nil
	}
	return t
}

// A TaskDevice is a device of a task.
type TaskDevice struct {
	ID     iot.DeviceID
	Family int // index in LanePlan.Families
	// Passed is how many of the stage's verifiers it has passed; they are asked in order.
	Passed int
	// Moved is when its move was begun; zero before.
	Moved time.Time
	// Doubt asks a look to report the device also if it is still where it was: see [Task.Unmoved].
	Doubt bool
	lost  bool // it is in doubt because nobody knows the answer
}
