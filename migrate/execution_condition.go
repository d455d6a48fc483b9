package migrate

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/iotferry/iotferry/iot"
)

// condition looks once at what the stage waits for.
func (x execution) condition(ctx context.Context) {
	e := x.here(EntryCondition)
	e.Condition = x.task.Condition
	seen, err := x.asked().Look(ctx, x.waiting())
	if err == nil {
		err = checkProgress(seen.Progress)
	}
	if err != nil {
		e.Error = err.Error()
		x.emit(e)
		return
	}
	if seen.Evidence.At.IsZero() {
		seen.Evidence.At = x.r.config.Clock.Now()
	}
	e.Holds, e.Evidence, e.Progress, e.Until = seen.Holds, &seen.Evidence, seen.Progress, seen.Next
	x.emit(e)
}

// asked returns the condition that the task is about.
func (x execution) asked() Condition {
	if opens := x.stage().Opens; opens != nil && opens.Name() == x.task.Condition && x.task.Wait.Begun.IsZero() {
		return opens
	}
	return x.stage().Closes
}

func (x execution) waiting() *Waiting {
	env := x.env()
	return &Waiting{
		Campaign: env.Campaign, Lane: env.Lane, Stage: env.Stage, Source: env.Platform.Source, Target: env.Platform.Target,
		Clock: env.Clock, Wait: x.task.Wait, Progress: x.task.Progress,
	}
}

// checkProgress refuses what does not belong into a journal.
func checkProgress(p json.RawMessage) error {
	switch {
	case len(p) > MaxProgress:
		return &iot.Error{Kind: iot.Invalid, Message: fmt.Sprintf("a progress of %d bytes: %d are allowed", len(p), MaxProgress)}
	case len(p) > 0 && !json.Valid(p):
		return &iot.Error{Kind: iot.Invalid, Message: "a progress that is no JSON"}
	}
	return nil
}
