package migratetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

func strategyPure(ctx context.Context, b *bench) error {
	lanes, s, err := b.lanes(ctx)
	if err != nil {
		return err
	}
	_, other, err := b.lanes(ctx)
	if err != nil {
		return err
	}
	for _, l := range lanes {
		want, err := ask(s, l)
		if err != nil {
			return err
		}
		for _, again := range []migrate.Strategy{s, other} {
			if err := sameAnswers(again, l, want); err != nil {
				return err
			}
		}
		if err := sameConcurrently(s, l, want); err != nil {
			return err
		}
	}
	return nil
}

// answers is what a strategy says of a lane, as far as it is data.
type answers struct {
	Name   string
	Match  migrate.Match
	Stages []stageShape
}

type stageShape struct {
	Plan   migrate.StagePlan
	Undoes bool
	Move   *migrate.Move
}

// ask asks a strategy about a lane, and sees that it leaves the lane as it is.
func ask(s migrate.Strategy, l migrate.Lane) (answers, error) {
	before, err := json.Marshal(l)
	if err != nil {
		return answers{}, err
	}
	a := answers{Name: s.Name(), Match: s.Match(l)}
	stages, err := s.Stages(l)
	if err != nil {
		return a, fmt.Errorf("stages of lane %s: %w", l.ID, err)
	}
	for _, stage := range stages {
		a.Stages = append(a.Stages, shapeOf(stage))
	}
	after, err := json.Marshal(l)
	if err == nil && string(before) != string(after) {
		err = fmt.Errorf("the strategy changed the lane (-before +after):\n%s", cmp.Diff(string(before), string(after)))
	}
	return a, err
}

func shapeOf(s migrate.Stage) stageShape {
	shape := stageShape{Undoes: s.Undo != nil, Move: s.Move, Plan: migrate.StagePlan{
		Name: s.Name, About: s.About, Gate: s.Gate, OneWay: s.OneWay, Console: s.Console,
		Does: s.Do != nil, Moves: s.Move != nil, Wait: s.Wait,
	}}
	if s.Opens != nil {
		shape.Plan.Opens = s.Opens.Name()
	}
	if s.Closes != nil {
		shape.Plan.Closes = s.Closes.Name()
	}
	for _, v := range s.Verify {
		name := "" // CheckStages refuses nil
		if v != nil {
			name = v.Name()
		}
		shape.Plan.Verifiers = append(shape.Plan.Verifiers, name)
	}
	return shape
}

func sameAnswers(s migrate.Strategy, l migrate.Lane, want answers) error {
	got, err := ask(s, l)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("lane %s: asked again, the strategy answers otherwise (-first +again):\n%s", l.ID, diff)
	}
	return nil
}

func sameConcurrently(s migrate.Strategy, l migrate.Lane, want answers) error {
	const callers = 4
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range 10 {
				if errs[i] == nil {
					errs[i] = sameAnswers(s, l, want)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func strategyStages(ctx context.Context, b *bench) error {
	lanes, s, err := b.lanes(ctx)
	if err != nil {
		return err
	}
	for _, l := range lanes {
		stages, err := s.Stages(l)
		if err != nil {
			return fmt.Errorf("stages of lane %s: %w", l.ID, err)
		}
		if err := migrate.CheckStages(stages); err != nil {
			return fmt.Errorf("lane %s: %w", l.ID, err)
		}
	}
	_, err = planned(ctx, b)
	return err
}

func strategyDryRun(ctx context.Context, b *bench) error {
	w, err := planned(ctx, b)
	if err != nil {
		return err
	}
	again, err := w.makePlan(ctx, b.make(w.cloud))
	if err != nil {
		return err
	}
	other, err := planned(ctx, b)
	if err != nil {
		return err
	}
	for _, p := range []*migrate.Plan{again, other.plan} {
		if p.Hash() != w.plan.Hash() {
			return fmt.Errorf("the same survey gives another plan: hash %s, then %s", w.plan.Hash(), p.Hash())
		}
	}
	if _, err := w.runner(b.make(w.cloud), w.cloud.Platform(), w.operator); err != nil {
		return err
	}
	for _, c := range w.cloud.Calls() {
		if c.Writes {
			return fmt.Errorf("%s was called %d times before the campaign ran", c.Name, c.Calls)
		}
	}
	return nil
}

func strategyMoves(ctx context.Context, b *bench) error {
	w, err := planned(ctx, b)
	if err != nil {
		return err
	}
	report, err := w.run(ctx)
	if err != nil {
		return err
	}
	if report.Outcome != migrate.OutcomeProven {
		return fmt.Errorf("the campaign ends %s, not %s:%s", report.Outcome, migrate.OutcomeProven, stories(report))
	}
	if err := w.checkFates(func(moved bool) fate {
		if moved {
			return fate{Owner: w.plan.Target.ID, Moved: 1}
		}
		return fate{}
	}); err != nil {
		return err
	}
	if err := errors.Join(w.record.check(w.plan), w.record.checkSplit(w.plan)); err != nil {
		return err
	}
	return w.checkTopology(ctx, w.cloud.Platform().Target.View)
}

// strategyUnreachable cuts one device off for good.
func strategyUnreachable(ctx context.Context, b *bench) error {
	w, err := planned(ctx, b)
	if err != nil {
		return err
	}
	victim, ok := w.reachable()
	if !ok {
		return nil // all are offline from the start
	}
	w.fault = func(op Op) Fault {
		if op.Kind == "device" && op.Name == "Connect" && op.ProductKey == victim.ProductKey && op.Devices[0] == victim.DeviceName {
			return Fault{Refuse: &iot.Error{Kind: iot.NotConnected, Message: "cut off"}}
		}
		return Fault{}
	}
	report, err := w.run(ctx)
	if err != nil {
		return err
	}
	if report.Outcome == migrate.OutcomeProven {
		return fmt.Errorf("device %s did not come back after its move, and the campaign calls all devices proven", victim)
	}
	return nil
}

// reachable returns a device of the plan that is online and no gateway of others.
func (w *world) reachable() (iot.DeviceID, bool) {
	for _, l := range w.plan.Lanes {
		for _, f := range l.Families {
			for _, id := range f.Devices {
				if w.cloud.Online(id) && (id != f.Gateway || f.Len() == 1) {
					return id, true
				}
			}
		}
	}
	return iot.DeviceID{}, false
}
