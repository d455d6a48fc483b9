package migrate

import (
	"context"
	"fmt"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// move makes a salvo of calls, one after another. Their outcomes become durable together, with the next intents: a runner
// that takes over before that does not know them, and looks.
func (x execution) move(ctx context.Context) {
	var outcomes []Entry
	for i := range x.task.Calls {
		e := x.call(ctx, i)
		outcomes = append(outcomes, e)
		if e.Error != "" {
			break
		}
	}
	last := &outcomes[len(outcomes)-1]
	if rest := len(x.task.Calls) - len(outcomes); rest > 0 {
		last.Note = fmt.Sprintf("%d calls announced after it were not made", rest)
	}
	x.emit(outcomes...)
}

// call makes one call of the salvo.
func (x execution) call(ctx context.Context, i int) Entry {
	call := x.task.Calls[i]
	e := x.here(EntryOutcome)
	e.Call, e.Product = x.task.FirstCall+i, call.ProductKey
	if e.Error = x.mayCall(ctx, x.task.Intents[i]); e.Error != "" {
		e.At, e.Retry = x.now(), true
		return e
	}
	results, err := x.r.config.Platform.Mover.Move(ctx, call.ProductKey, call.Names)
	e.At = x.now()
	switch kind := iot.KindOf(err); {
	case err == nil:
		readResults(&e, callDevices(call), results)
	case ctx.Err() != nil || kind == iot.UnknownOutcome || kind == iot.Unclassified:
		// An error that nobody classified does not say that nothing happened.
		e.Unknown = callDevices(call)
		e.Note = err.Error()
	default:
		e.Error = err.Error()
		e.Retry = kind == iot.Throttled || kind == iot.Transient
	}
	return e
}

func (x execution) now() time.Time { return x.r.config.Clock.Now() }

// mayCall returns why a call must not be made any more. A process that stood still may have been replaced meanwhile: the
// next one believes its look when the visibility delay has passed since the intent.
func (x execution) mayCall(ctx context.Context, intent Entry) string {
	if err := ctx.Err(); err != nil {
		return "not made: " + err.Error()
	}
	if age := x.now().Sub(intent.At); age > x.r.config.Plan.Deadlines.withDefaults().Visible/2 {
		return fmt.Sprintf("not made: it was announced %s ago", age.Round(time.Second))
	}
	return ""
}

// readResults believes nothing that the answer does not say: a device that it does not name is unknown.
func readResults(e *Entry, devices DeviceSet, results []iot.MoveResult) {
	byName := make(map[string]iot.MoveResult, len(results))
	for _, result := range results {
		byName[result.DeviceName] = result
	}
	for _, id := range devices {
		switch result, ok := byName[id.DeviceName]; {
		case !ok:
			e.Unknown = append(e.Unknown, id)
		case !result.Accepted:
			e.Refused = append(e.Refused, Failure{Device: id, Evidence: Evidence{
				Source: "answer of BatchGrayMigrationDevice", At: e.At,
				Seen: fmt.Sprintf("refused with code %d: %q", result.Code, result.Message),
			}})
		}
	}
}
