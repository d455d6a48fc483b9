package migrate

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"

	"github.com/iotferry/iotferry/iot"
)

// A ConsoleKind is something that the platform offers in its web console only.
type ConsoleKind string

// The console tasks. No public API creates, reads or ends them.
const (
	ConsoleCreate   ConsoleKind = "create-task"  // create a migration task for each product
	ConsoleGray     ConsoleKind = "gray-batch"   // move the listed devices as the first gray batch
	ConsoleConfirm  ConsoleKind = "confirm-gray" // confirm the first gray batch: the task becomes gray-completed
	ConsoleFull     ConsoleKind = "full"         // full migration: move all devices of the products
	ConsoleRollback ConsoleKind = "rollback"     // return the listed devices to the source
	ConsoleDataSync ConsoleKind = "data-sync"    // switch data synchronisation on
)

// Moves reports whether devices change their instance by a task of this kind.
func (k ConsoleKind) Moves() bool {
	return k == ConsoleGray || k == ConsoleFull || k == ConsoleRollback
}

// A ConsoleTask is one piece of work for an [Operator], for all products of a lane together: the
// sub-device products come first, the gateway product last.
type ConsoleTask struct {
	Campaign string
	Lane     string
	Stage    string // empty for a rollback
	Wave     int    // from 1; 0 if it is about no wave
	Kind     ConsoleKind
	Target   iot.InstanceInfo
	Products []ConsoleProduct
}

// A ConsoleProduct is the part of a console task that is about one product, and so about one migration
// task of the console.
type ConsoleProduct struct {
	ProductKey string
	// DeviceNames is the exact list of the devices to move or to return. It is empty for kinds that
	// list none.
	DeviceNames []string
}

// Devices returns how many devices the task lists.
func (t ConsoleTask) Devices() int {
	n := 0
	for _, p := range t.Products {
		n += len(p.DeviceNames)
	}
	return n
}

// Instructions says in one sentence per product what to do in the console.
func (t ConsoleTask) Instructions() []string {
	lines := make([]string, 0, len(t.Products))
	for _, p := range t.Products {
		lines = append(lines, t.instruction(p))
	}
	return lines
}

func (t ConsoleTask) instruction(p ConsoleProduct) string {
	switch t.Kind {
	case ConsoleCreate:
		return fmt.Sprintf("Instance Migration > Migration Tasks: create a task for product %s with target instance %s.", p.ProductKey, t.Target.ID)
	case ConsoleGray:
		return fmt.Sprintf("Task of product %s: start the gray migration with exactly the %d listed devices.", p.ProductKey, len(p.DeviceNames))
	case ConsoleConfirm:
		return fmt.Sprintf("Task of product %s: confirm the gray verification, so that the task becomes gray-completed.", p.ProductKey)
	case ConsoleFull:
		return fmt.Sprintf("Task of product %s: start the full migration; %d devices are left at the source.", p.ProductKey, len(p.DeviceNames))
	case ConsoleRollback:
		return fmt.Sprintf("Task of product %s: roll exactly the %d listed devices back to the source.", p.ProductKey, len(p.DeviceNames))
	case ConsoleDataSync:
		return fmt.Sprintf("Task of product %s: enable data synchronisation.", p.ProductKey)
	}
	return fmt.Sprintf("Task of product %s: %s.", p.ProductKey, t.Kind)
}

// WriteCSV writes the task's device list: a header line, then one line per device with its product key
// and its name. The console's own file format is not documented, so the list is for people and scripts.
func (t ConsoleTask) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"ProductKey", "DeviceName"}); err != nil {
		return fmt.Errorf("write device list: %w", err)
	}
	for _, p := range t.Products {
		for _, name := range p.DeviceNames {
			if err := out.Write([]string{p.ProductKey, name}); err != nil {
				return fmt.Errorf("write device list: %w", err)
			}
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write device list: %w", err)
	}
	return nil
}

// An Operator performs console tasks: a person who is told what to do, or a program that drives the
// console. Perform returns nil when the task was started or done; where the effect can be seen
// through the APIs, the runner waits until it sees it and believes nothing else. After a crash Perform may be
// called again with the same task: what was done already must not be an error. An error leaves the lane
// halted until a person resumes it.
type Operator interface {
	Perform(context.Context, ConsoleTask) error
}

// OperatorFunc makes an [Operator] of a function.
type OperatorFunc func(context.Context, ConsoleTask) error

// Perform calls f.
func (f OperatorFunc) Perform(ctx context.Context, t ConsoleTask) error { return f(ctx, t) }

// A Gate is a stage that waits for a person.
type Gate struct {
	Campaign string
	Lane     string
	Stage    string
	About    string
	OneWay   bool
	// Proven, Failed and Asleep count the lane's devices moved so far, by their verdicts.
	Proven, Failed, Asleep int
}

// An Approver answers gates. Approve returns a decision of kind [Approve] or [Refuse]; an error means
// that nobody answered, and the gate stays open. Without an Approver, gates wait for decisions that are
// recorded from elsewhere.
type Approver interface {
	Approve(context.Context, Gate) (Decision, error)
}

// ApproverFunc makes an [Approver] of a function.
type ApproverFunc func(context.Context, Gate) (Decision, error)

// Approve calls f.
func (f ApproverFunc) Approve(ctx context.Context, g Gate) (Decision, error) { return f(ctx, g) }
