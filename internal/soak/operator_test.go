package soak_test

import (
	"context"
	"fmt"
	"slices"

	"github.com/iotferry/iotferry/migrate"
)

// An operator performs console tasks at once, over HTTP. He may have been interrupted anywhere, so what is done already he
// leaves alone.
type operator struct{ console console }

// A consoleTask is a migration task as the console lists it.
type consoleTask struct {
	ID         string `json:"taskId"`
	ProductKey string `json:"productKey"`
	State      string `json:"state"`
}

func (o operator) Perform(ctx context.Context, t migrate.ConsoleTask) error {
	for _, p := range t.Products {
		if err := o.perform(ctx, t, p); err != nil {
			return fmt.Errorf("console task %s of product %s: %w", t.Kind, p.ProductKey, err)
		}
	}
	return nil
}

func (o operator) perform(ctx context.Context, t migrate.ConsoleTask, p migrate.ConsoleProduct) error {
	task, err := o.task(ctx, p.ProductKey)
	if err != nil {
		return err
	}
	switch t.Kind {
	case migrate.ConsoleCreate:
		if task.ID != "" {
			return nil
		}
		return o.console.call(ctx, "/tasks", map[string]string{"productKey": p.ProductKey, "targetInstanceId": t.Target.ID}, nil)
	case migrate.ConsoleGray:
		return o.gray(ctx, task, t.Target.ID, p)
	case migrate.ConsoleConfirm:
		if slices.Contains([]string{"gray-completed", "full", "completed"}, task.State) {
			return nil
		}
		return o.console.call(ctx, "/tasks/"+task.ID+"/confirm", struct{}{}, nil)
	case migrate.ConsoleDataSync:
		return o.console.call(ctx, "/tasks/"+task.ID+"/datasync", map[string]bool{"enabled": true}, nil)
	}
	return fmt.Errorf("no campaign here asks for %q", t.Kind)
}

// task returns the one task of a product; a zero one if there is none yet.
func (o operator) task(ctx context.Context, product string) (consoleTask, error) {
	var list struct {
		Tasks []consoleTask `json:"tasks"`
	}
	err := o.console.call(ctx, "/tasks", nil, &list)
	for _, t := range list.Tasks {
		if t.ProductKey == product {
			return t, err
		}
	}
	return consoleTask{}, err
}

// gray moves those of the listed devices that are not at the target yet.
func (o operator) gray(ctx context.Context, task consoleTask, target string, p migrate.ConsoleProduct) error {
	list, err := o.console.truths(ctx, p.ProductKey)
	if err != nil {
		return err
	}
	var left []string
	for _, d := range list {
		if d.Instance != target && slices.Contains(p.DeviceNames, d.DeviceName) {
			left = append(left, d.DeviceName)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return o.console.call(ctx, "/tasks/"+task.ID+"/gray", map[string][]string{"deviceNames": left}, nil)
}
