package migrate_test

import (
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/topology"
)

// A reference is a lane of docs/states.md in a few lines: it was written from that page. It knows the entries of the
// journal and where the devices really are, and says which decisions make sense and where the lane may be.
type reference struct {
	gate           string // the stage whose gate waits for an answer
	paused         bool
	started, ended bool // the first stage has begun; the last one has ended
	finished       bool
	halt, stopping migrate.HaltReason
	back, all      bool // a person returns devices; all of the lane's
	did, undone    bool // the stages' own code was called; was taken back
	sealed         bool // past a stage without a way back
	begun          map[iot.DeviceID]bool
	returning      map[iot.DeviceID]bool
	scope          map[iot.DeviceID]bool // what people have decided to return
}

// An opinion is what the reference says of a decision.
type opinion int

const (
	no    opinion = iota
	maybe         // it depends on what only a look can tell
	yes
)

func opinionOf(ok bool) opinion {
	if ok {
		return yes
	}
	return no
}

// fold follows an entry about the lane; decisions come through follow.
func (r *reference) fold(e migrate.Entry, lane migrate.LanePlan) {
	switch e.Kind {
	case migrate.EntryStage:
		r.started = true
	case migrate.EntryGate:
		r.gate = e.Stage
	case migrate.EntryHalt:
		if e.Reason == migrate.HaltCall && r.stopping != migrate.HaltCall && !r.back {
			r.stopping = e.Reason // what the calls have done is looked up first
			return
		}
		r.halt, r.stopping = e.Reason, ""
	case migrate.EntryAlarm:
		r.halt = migrate.HaltAlarm
	case migrate.EntryLaneEnd:
		r.finished = true
	case migrate.EntryStageEnd:
		r.sealed = r.sealed || stageOf(lane, e.Stage).OneWay
		r.ended = e.Stage == lane.Stages[len(lane.Stages)-1].Name
	case migrate.EntryAsked:
		if e.Console.Moves() && e.Console != migrate.ConsoleRollback {
			r.begin(devicesOf(lane, e.Stage, e.Wave))
		}
	case migrate.EntryIntent:
		r.begin(e.Names)
	case migrate.EntryWave:
		r.begin(e.Arrived)
	case migrate.EntryPerformed:
		if e.Error != "" {
			r.halt = migrate.HaltOperator
		}
	case migrate.EntryDoing:
		r.did = true
	case migrate.EntryDone:
		if e.Error != "" && !e.Retry {
			r.halt = migrate.HaltCode
		}
	case migrate.EntryOutcome:
		if e.Error != "" && !e.Retry && !r.back {
			r.stopping = migrate.HaltCall
		}
	case migrate.EntryReturned:
		for _, id := range e.Arrived {
			delete(r.begun, id)
			delete(r.returning, id)
		}
	case migrate.EntryHome:
		if e.Error == "" && r.back && !(r.all && r.did) {
			r.back, r.stopping = false, migrate.HaltReturned
		}
	case migrate.EntryUndone:
		r.back, r.stopping, r.undone = false, migrate.HaltReturned, true
	}
}

func (r *reference) begin(set []iot.DeviceID) {
	for _, id := range set {
		r.begun[id] = true
	}
}

// follow does what a person decided.
func (r *reference) follow(d migrate.Decision, lane migrate.LanePlan) {
	switch d.Kind {
	case migrate.Approve:
		r.gate = ""
	case migrate.Refuse:
		r.gate, r.halt = "", migrate.HaltRefused
	case migrate.Pause:
		r.paused = true
	case migrate.Abort:
		r.paused, r.stopping = false, migrate.HaltAborted
	case migrate.Resume:
		if r.halt == migrate.HaltReturned {
			clear(r.returning)
		}
		r.paused, r.halt, r.stopping = false, "", ""
	case migrate.Rollback:
		r.paused, r.halt, r.stopping, r.gate = false, "", "", ""
		r.back, r.all = true, d.Stage == ""
		for _, id := range devicesOf(lane, d.Stage, d.Wave) {
			r.scope[id] = true
			if r.begun[id] {
				r.returning[id] = true
			}
		}
	}
}

// allows tells whether a decision about the lane makes sense now; there tells where a device really is.
func (r *reference) allows(d migrate.Decision, lane migrate.LanePlan, there func(iot.DeviceID) bool) opinion {
	over := r.finished && !r.back
	switch d.Kind {
	case migrate.Approve, migrate.Refuse:
		return opinionOf(r.gate != "" && r.gate == d.Stage && !r.back && r.halt == "")
	case migrate.Pause:
		return opinionOf(!r.paused && r.halt == "" && !over)
	case migrate.Abort:
		return opinionOf(r.halt != migrate.HaltAborted && !over)
	case migrate.Resume:
		return opinionOf((r.paused || r.halt != "" || r.stopping != "") && (!r.undone || r.back))
	}
	if r.sealed || d.Stage == "" && d.Wave != 0 || d.Stage != "" && len(devicesOf(lane, d.Stage, d.Wave)) == 0 {
		return no
	}
	return r.returnable(d, lane, there)
}

// holds tells whether the lane's console tasks count: from its first stage to its end, but not when a person gave it up, or returned
// all that it had moved.
func (r *reference) holds(there func(iot.DeviceID) bool) opinion {
	switch {
	case !r.started || r.finished:
		return no
	case r.ended:
		return maybe // while it waits for devices to wake they do not
	case r.back:
		return yes
	case r.undone, r.halt == migrate.HaltAborted, r.halt != "" && r.stopping == migrate.HaltAborted:
		return no
	case r.halt != migrate.HaltReturned:
		return yes
	}
	result := no
	for id := range r.begun {
		if result = max(result, maybe); there(id) {
			return yes
		}
	}
	return result
}

// returnable is sure of whole families that are at the target and that nobody returns already, and of devices that nothing
// was ever tried with.
func (r *reference) returnable(d migrate.Decision, lane migrate.LanePlan, there func(iot.DeviceID) bool) opinion {
	stuck := r.halt != "" || r.paused
	result := no
	for _, family := range familiesOf(lane, d.Stage, d.Wave) {
		whole := true
		for _, id := range family.Devices {
			if r.begun[id] {
				result = max(result, maybe)
			}
			whole = whole && there(id) && (stuck || !r.returning[id])
		}
		if whole {
			return yes
		}
	}
	return result
}

// may tells whether a lane may be given a task now.
func (r *reference) may(k migrate.TaskKind, console migrate.ConsoleKind) bool {
	home := k == migrate.TaskLookBack || k == migrate.TaskHome || k == migrate.TaskUndo || console == migrate.ConsoleRollback
	switch {
	case r.halt != "":
		return false
	case r.back:
		return home && !r.paused
	case r.paused || r.stopping != "": // families under way are finished, or made whole
		return k == migrate.TaskMove || k == migrate.TaskLook || home && k != migrate.TaskUndo
	}
	return !r.finished
}

func stageOf(lane migrate.LanePlan, name string) migrate.StagePlan {
	for _, s := range lane.Stages {
		if s.Name == name {
			return s
		}
	}
	return migrate.StagePlan{}
}

// familiesOf returns the families of a wave, of all waves of a stage, or of the lane.
func familiesOf(lane migrate.LanePlan, stage string, wave int) []topology.Family {
	if stage == "" {
		return lane.Families
	}
	var out []topology.Family
	for n, w := range stageOf(lane, stage).Waves {
		if wave == 0 || wave == n+1 {
			out = append(out, lane.Families[w.First:w.First+w.Count]...)
		}
	}
	return out
}

func devicesOf(lane migrate.LanePlan, stage string, wave int) []iot.DeviceID {
	var out []iot.DeviceID
	for _, f := range familiesOf(lane, stage, wave) {
		out = append(out, f.Devices...)
	}
	return out
}
