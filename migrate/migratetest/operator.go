package migratetest

import (
	"context"
	"fmt"
	"sync"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

// operator performs console tasks in the console of the platform in memory.
type operator struct {
	cloud   *fake.Cloud
	console *fake.Console

	mu sync.Mutex // one task at a time, as one person does them
}

// Perform does what an operator would do in the console, for each product of the task. What was done already is
// left alone.
func (o *operator) Perform(ctx context.Context, t migrate.ConsoleTask) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range t.Products {
		if err := o.perform(ctx, t, p); err != nil {
			return fmt.Errorf("console task %s of product %s: %w", t.Kind, p.ProductKey, err)
		}
	}
	return nil
}

func (o *operator) perform(ctx context.Context, t migrate.ConsoleTask, p migrate.ConsoleProduct) error {
	task := o.taskOf(p.ProductKey)
	switch t.Kind {
	case migrate.ConsoleCreate:
		if task != "" {
			return nil
		}
		_, err := o.console.CreateTask(ctx, p.ProductKey, t.Target.ID)
		return err
	case migrate.ConsoleGray:
		return o.gray(ctx, task, t.Target.ID, p)
	case migrate.ConsoleConfirm:
		return o.confirm(ctx, task)
	case migrate.ConsoleFull:
		return o.full(ctx, task)
	case migrate.ConsoleRollback:
		return o.rollback(ctx, task, p)
	case migrate.ConsoleDataSync:
		return o.console.DataSync(ctx, task, true)
	}
	return fmt.Errorf("the console does not know %q", t.Kind)
}

// gray moves those of the listed devices that are not at the target yet.
func (o *operator) gray(ctx context.Context, task, target string, p migrate.ConsoleProduct) error {
	left := o.notAt(target, p)
	if len(left) == 0 {
		return nil
	}
	_, err := o.console.Gray(ctx, task, left)
	return err
}

func (o *operator) rollback(ctx context.Context, task string, p migrate.ConsoleProduct) error {
	left := o.notAt("", p)
	if len(left) == 0 {
		return nil
	}
	_, err := o.console.Rollback(ctx, task, left)
	return err
}

// confirm leaves a task alone that is past its gray batch: it completes at once if that batch was all of it.
func (o *operator) confirm(ctx context.Context, task string) error {
	switch o.state(task) {
	case fake.TaskGrayCompleted, fake.TaskFull, fake.TaskCompleted:
		return nil
	}
	return o.console.Confirm(ctx, task)
}

func (o *operator) full(ctx context.Context, task string) error {
	if s := o.state(task); s == fake.TaskFull || s == fake.TaskCompleted {
		return nil
	}
	return o.console.Full(ctx, task)
}

func (o *operator) notAt(instance string, p migrate.ConsoleProduct) []string {
	var left []string
	for _, name := range p.DeviceNames {
		owner, ok := o.cloud.Owner(iot.DeviceID{ProductKey: p.ProductKey, DeviceName: name})
		if ok && owner != instance {
			left = append(left, name)
		}
	}
	return left
}

// taskOf returns the newest task of a product, or nothing if it has none that moved its devices or still can.
func (o *operator) taskOf(productKey string) string {
	id := ""
	for _, t := range o.console.Tasks() {
		if t.ProductKey == productKey && t.State != fake.TaskRolledBack && t.State != fake.TaskClosed {
			id = t.ID
		}
	}
	return id
}

func (o *operator) state(task string) fake.TaskState {
	for _, t := range o.console.Tasks() {
		if t.ID == task {
			return t.State
		}
	}
	return ""
}
