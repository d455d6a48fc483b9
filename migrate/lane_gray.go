package migrate

import (
	"fmt"
	"slices"
	"strings"
)

// unconfirmed returns the products of which nothing is at the target, of a lane that has stopped for some reason when its first gray
// batch is decided: the console confirms a product's task only by a device that the batch has moved. After the stage that has it
// confirmed, that is the matter only if the platform refuses the calls, or the console the operator.
func (l *lane) unconfirmed(reason HaltReason) []string {
	confirm := slices.IndexFunc(l.plan.Stages, func(s StagePlan) bool { return s.Console == ConsoleConfirm })
	if confirm < 0 || l.back != nil || l.stage > confirm && reason != HaltCall && reason != HaltOperator {
		return nil
	}
	asked, alive := map[string]bool{}, map[string]bool{}
	for s, stage := range l.plan.Stages[:confirm] {
		for w := range stage.Waves {
			lo, hi := l.rangeOf(s, w)
			for i := lo; i < hi; i++ {
				key := l.deviceID(i).ProductKey
				asked[key] = true
				alive[key] = alive[key] || l.dev[i].state.unresolved() || l.dev[i].state == DevicePlanned
			}
		}
	}
	for i := range l.dev {
		if l.dev[i].there {
			alive[l.deviceID(int32(i)).ProductKey] = true
		}
	}
	var out []string
	for _, p := range l.plan.Lane.Products {
		if asked[p.Key] && !alive[p.Key] {
			out = append(out, p.Key)
		}
	}
	return out
}

// advice says what a person can do about a lane that has stopped for some reason and cannot go on by a resume; empty if it can.
func (l *lane) advice(reason HaltReason) string {
	products := l.unconfirmed(reason)
	if len(products) == 0 {
		return ""
	}
	return fmt.Sprintf("no device of product %s is at the target, so the console does not confirm a first gray batch of it: unless its task is gray-completed already, abort this lane, "+
		"close its tasks in the console, and plan what is left anew (Planner.Replan)", strings.Join(products, ", "))
}

// stoppedFor says why the lane has stopped, and what a person can do if resuming it cannot help.
func (l *lane) stoppedFor() string {
	if l.halt == "" {
		return l.haltNote
	}
	notes := []string{l.haltNote}
	if l.stopping == HaltAborted {
		notes = append(notes, "aborted "+l.stopNote)
	}
	if advice := l.advice(l.halt); !strings.Contains(l.haltNote, advice) {
		notes = append(notes, advice)
	}
	return joined(notes)
}

// joined makes one text of notes, without the empty ones.
func joined(notes []string) string {
	return strings.Join(slices.DeleteFunc(notes, func(s string) bool { return s == "" }), "; ")
}
