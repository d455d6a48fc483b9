package fake

import (
	"context"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Console does what the platform offers only in its web console: no API exists for any of it. Get one
// from [Cloud.Console]. It is safe for concurrent use. Its errors are [*ConsoleError], [*LostError] and
// those of the context and the hook.
type Console struct{ cloud *Cloud }

// Console returns the console.
func (c *Cloud) Console() *Console { return &Console{c} }

// A TaskState is the state of a migration task. Only the name of TaskGrayCompleted is documented.
type TaskState string

// The states of a task.
const (
	TaskCreated       TaskState = "created"        // no effect on business yet
	TaskGray          TaskState = "gray"           // a first gray batch has moved
	TaskGrayCompleted TaskState = "gray-completed" // confirmed: BatchGrayMigrationDevice works
	TaskFull          TaskState = "full"           // a full migration moves the rest
	TaskCompleted     TaskState = "completed"      // nothing is left to move
	TaskRolledBack    TaskState = "rolled-back"    // all devices were returned
	TaskClosed        TaskState = "closed"         // ended by hand, with devices left on the source
)

// Running reports whether a task counts among the five that may run.
func (s TaskState) Running() bool {
	return s == TaskCreated || s == TaskGray || s == TaskGrayCompleted || s == TaskFull
}

// A Task is what the console shows of a migration task.
type Task struct {
	ID         string
	ProductKey string
	Target     string
	State      TaskState
	Moved      int // devices that are on the target by it
	Created    time.Time
	Confirmed  time.Time // zero until it was
	Ended      time.Time // zero while it runs
	DataSync   bool
	SyncedFrom time.Time // since when data are synchronised; zero if they never were
}

// A Reason says why the console refused something.
type Reason string

// The reasons. Only the limits are documented, not their words.
const (
	NoSuchTask      Reason = "no such task"
	NoSuchProduct   Reason = "no such product on the public instance"
	NoSuchTarget    Reason = "no such standard-type Enterprise instance"
	TooManyTasks    Reason = "5 tasks are running"
	ProductTooLarge Reason = "the product has more than 500,000 devices"
	QuotaTooSmall   Reason = "the target's online quota is not greater than the product's devices"
	HasTarget       Reason = "the product has a migration task"
	WrongState      Reason = "the task's state forbids it"
	NothingMoved    Reason = "no device of the gray batch has moved"
	BatchTooLarge   Reason = "too many devices for a gray batch"
	TooLate         Reason = "the time for a rollback is over"
)

// A ConsoleError is the console's refusal.
type ConsoleError struct {
	Op     string
	Reason Reason
	Detail string
}

// Error returns the act, the reason and what it was about.
func (e *ConsoleError) Error() string {
	return fmt.Sprintf("console: %s: %s (%s)", e.Op, e.Reason, e.Detail)
}

// Is reports whether target is the kind of the refusal: NotFound for what does not exist, else Conflict.
func (e *ConsoleError) Is(target error) bool {
	switch e.Reason {
	case NoSuchTask, NoSuchProduct, NoSuchTarget:
		return target == iot.NotFound
	}
	return target == iot.Conflict
}

// CreateTask creates the migration task of a product and returns its ID. It has no effect on business.
// Refused are a sixth running task, a product over 500,000 devices, a target whose online quota is not
// greater than the number of devices of this product on the source, and a product that has a running or completed task.
func (o *Console) CreateTask(ctx context.Context, productKey, targetInstanceID string) (string, error) {
	op := Op{Kind: ConsoleOp, Name: "CreateTask", Instance: targetInstanceID, ProductKey: productKey}
	return operate(ctx, o.cloud, op, func(Fault) (string, error) {
		return o.cloud.createTask(productKey, targetInstanceID)
	})
}

// Gray moves devices of a task's product: the first gray batch, which brings the product, its rules and
// its AMQP subscriptions along, or a further one. Results are in the order of names; some may
// have failed.
func (o *Console) Gray(ctx context.Context, taskID string, names []string) ([]MigrationResult, error) {
	return inTask(ctx, o.cloud, "Gray", taskID, names, func(t *task, f Fault) ([]MigrationResult, error) {
		return o.cloud.gray(t, names, f)
	})
}

// Confirm says that the gray batch was verified: the task is gray-completed. At least one device must
// have moved.
func (o *Console) Confirm(ctx context.Context, taskID string) error {
	return o.act(ctx, "Confirm", taskID, o.cloud.confirm)
}

// Full starts the full migration of a gray-completed task: the rest moves at Quirks.FullRate.
func (o *Console) Full(ctx context.Context, taskID string) error {
	return o.act(ctx, "Full", taskID, o.cloud.full)
}

// Rollback returns moved devices of a task to the source; nil names return all, which ends the task.
// Results name the devices asked for; with nil names, those that were moved.
func (o *Console) Rollback(ctx context.Context, taskID string, names []string) ([]MigrationResult, error) {
	return inTask(ctx, o.cloud, "Rollback", taskID, names, func(t *task, f Fault) ([]MigrationResult, error) {
		return o.cloud.rollback(t, names, f)
	})
}

// DataSync switches the synchronisation of a product's history on or off.
func (o *Console) DataSync(ctx context.Context, taskID string, on bool) error {
	return o.act(ctx, "DataSync", taskID, func(t *task) error { return o.cloud.dataSync(t, on) })
}

// Close ends a task that has nothing left to do although devices stay on the source. The documentation
// does not tell how such a task ends; without it, five of them would block every other.
func (o *Console) Close(ctx context.Context, taskID string) error {
	return o.act(ctx, "Close", taskID, o.cloud.closeTask)
}

// Tasks returns all tasks, oldest first.
func (o *Console) Tasks() []Task {
	var list []Task
	o.cloud.look(func() {
		for _, t := range o.cloud.tasks {
			list = append(list, t.show())
		}
	})
	return list
}

func (o *Console) act(ctx context.Context, name, taskID string, do func(*task) error) error {
	_, err := inTask(ctx, o.cloud, name, taskID, nil, func(t *task, _ Fault) (struct{}, error) {
		return struct{}{}, do(t)
	})
	return err
}

// inTask runs an act that is about a task.
func inTask[R any](
	ctx context.Context, c *Cloud, name, taskID string, devices []string, do func(*task, Fault) (R, error),
) (R, error) {
	op := Op{Kind: ConsoleOp, Name: name, Devices: devices}
	c.look(func() {
		if t := c.task(taskID); t != nil {
			op.Instance, op.ProductKey = t.target.id, t.product.key
		}
	})
	return operate(ctx, c, op, func(f Fault) (R, error) {
		t := c.task(taskID)
		if t == nil {
			var none R
			return none, &ConsoleError{name, NoSuchTask, taskID}
		}
		return do(t, f)
	})
}
