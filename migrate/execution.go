package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// entryChunk bounds how many devices one entry of a look or a round names, so that lines stay readable and
// memory bounded.
const entryChunk = 1000

// execution does one task. It reads and writes the platform, and tells what it saw by emitting entries. It
// never waits, never writes twice and never decides; a read among many that failed in passing it makes again.
type execution struct {
	r    *Runner
	task Task
	emit func(...Entry)
}

func (x execution) run(ctx context.Context) {
	switch x.task.Kind {
	case TaskGate:
		x.gate(ctx)
	case TaskConsole:
		x.console(ctx)
	case TaskDo:
		x.do(ctx)
	case TaskUndo:
		x.undo(ctx)
	case TaskBefore:
		x.before(ctx)
	case TaskMove:
		x.move(ctx)
	case TaskLook:
		x.look(ctx)
	case TaskVerify:
		x.verify(ctx)
	case TaskLookBack:
		x.lookBack(iot.Urgent(ctx))
	case TaskSweep:
		x.sweep(ctx)
	case TaskHome:
		x.home(iot.Urgent(ctx))
	case TaskCondition:
		x.condition(ctx)
	}
}

func (x execution) lane() *LanePlan { return &x.r.config.Plan.Lanes[x.task.Lane] }

func (x execution) stage() Stage { return x.r.stages[x.task.Lane][x.task.Stage] }

// here returns an entry about the task's stage and wave.
func (x execution) here(kind EntryKind) Entry {
	e := Entry{Kind: kind, Wave: x.task.Wave + 1}
	if x.task.Stage >= 0 {
		e.Stage = x.lane().Stages[x.task.Stage].Name
	}
	return e
}

func (x execution) gate(ctx context.Context) {
	gate := x.task.Gate
	gate.Campaign = x.r.config.Campaign
	d, err := x.r.config.Approver.Approve(ctx, gate)
	if err == nil && d.Kind != Approve && d.Kind != Refuse {
		err = fmt.Errorf("the approver answered %q, not %q or %q", d.Kind, Approve, Refuse)
	}
	if err == nil && d.By == "" {
		err = errors.New("the approver did not say who decided: By is empty")
	}
	if err != nil {
		e := x.here(EntryGate)
		e.Error = err.Error()
		x.emit(e)
		return
	}
	d.Lane, d.Stage, d.Wave = gate.Lane, gate.Stage, 0
	x.emit(Entry{Kind: EntryDecision, Decision: &d})
}

func (x execution) console(ctx context.Context) {
	e := x.here(EntryPerformed)
	e.Console = x.task.Console
	if err := x.r.config.Operator.Perform(ctx, x.consoleTask()); err != nil {
		e.Error = err.Error()
	}
	x.emit(e)
}

// consoleTask lists the products with their devices: sub-device products first, the gateway product last.
func (x execution) consoleTask() ConsoleTask {
	lane := x.lane().Lane
	t := ConsoleTask{
		Campaign: x.r.config.Campaign, Lane: lane.ID, Stage: x.here("").Stage, Wave: x.task.Wave + 1,
		Kind: x.task.Console, Target: lane.Target,
	}
	names := make(map[string][]string)
	for _, d := range x.task.Devices {
		names[d.ID.ProductKey] = append(names[d.ID.ProductKey], d.ID.DeviceName)
	}
	for _, gateways := range []bool{false, true} {
		for _, p := range lane.Products {
			listed := len(names[p.Key]) > 0 || !t.Kind.Moves()
			if (p.NodeType == iot.Gateway) == gateways && listed {
				t.Products = append(t.Products, ConsoleProduct{ProductKey: p.Key, DeviceNames: names[p.Key]})
			}
		}
	}
	return t
}

func (x execution) env() *Env {
	return &Env{
		Campaign: x.r.config.Campaign, Lane: x.lane().Lane, Stage: x.here("").Stage,
		Platform: x.r.config.Platform, Clock: x.r.config.Clock,
	}
}

func (x execution) do(ctx context.Context) {
	e := x.here(EntryDone)
	if err := x.stage().Do(ctx, x.env()); err != nil {
		e.Error = err.Error()
		kind := iot.KindOf(err)
		e.Retry = kind == iot.Transient || kind == iot.Throttled
	}
	x.emit(e)
}

func (x execution) undo(ctx context.Context) {
	e := x.here(EntryUndone)
	e.Wave = 0
	if undo := x.stage().Undo; undo != nil {
		if err := undo(ctx, x.env()); err != nil {
			e.Error = err.Error()
		}
	}
	x.emit(e)
}
