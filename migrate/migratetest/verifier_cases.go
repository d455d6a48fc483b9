package migratetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
)

func verifierName(_ context.Context, w *verifierWorld) error {
	name := w.verifier.Name()
	if again := w.verifier.Name(); again != name {
		return fmt.Errorf("its name is %q, then %q", name, again)
	}
	return migrate.CheckStages([]migrate.Stage{{Name: "verify", Verify: []migrate.Verifier{w.verifier}}})
}

func verifierBefore(ctx context.Context, w *verifierWorld) error {
	w.moved = w.clock.Now()
	return w.never(ctx, migrate.Pass, 10, time.Minute, "although nothing has moved")
}

func verifierLiedTo(ctx context.Context, w *verifierWorld) error {
	w.disturb(func(op Op) Fault {
		if op.Name == "Gray" {
			return Fault{Lie: Always}
		}
		return Fault{}
	})
	if err := w.move(ctx); err != nil {
		return err
	}
	return w.never(ctx, migrate.Pass, 10, time.Minute, "although the platform did not move it")
}

func verifierPatient(ctx context.Context, w *verifierWorld) error {
	if err := w.move(ctx); err != nil {
		return err
	}
	return w.never(ctx, migrate.Fail, 40, 500*time.Millisecond, "although it only needs a while to come back")
}

func verifierProves(ctx context.Context, w *verifierWorld) error {
	if err := w.move(ctx); err != nil {
		return err
	}
	passed := map[iot.DeviceID]bool{}
	for deadline := w.moved.Add(w.within); w.clock.Now().Before(deadline); w.clock.Advance(10 * time.Second) {
		found, err := w.look(ctx)
		if err != nil {
			return err
		}
		for id, f := range found {
			passed[id] = passed[id] || f.Verdict == migrate.Pass
		}
		if w.missing(passed).IsZero() {
			return nil
		}
	}
	return fmt.Errorf("device %s is back after its move, and does not pass within %v", w.missing(passed), w.within)
}

// missing returns a device that should have passed; none if all have.
func (w *verifierWorld) missing(passed map[iot.DeviceID]bool) iot.DeviceID {
	for id := range w.cloud.Devices() {
		if w.awake[id] && !passed[id] {
			return id
		}
	}
	return iot.DeviceID{}
}

func verifierOutage(ctx context.Context, w *verifierWorld) error {
	if err := w.move(ctx); err != nil {
		return err
	}
	for _, kind := range []iot.Kind{iot.Transient, iot.Throttled, iot.Denied, iot.NotFound} {
		w.disturb(func(op Op) Fault {
			if op.Kind == "api" {
				return Fault{Refuse: kind}
			}
			return Fault{}
		})
		if err := w.never(ctx, migrate.Fail, 3, 10*time.Second, "although the platform answers nothing but "+kind.String()); err != nil {
			return err
		}
	}
	return nil
}

func verifierDone(ctx context.Context, w *verifierWorld) error {
	if err := w.move(ctx); err != nil {
		return err
	}
	w.clock.Advance(time.Minute)
	done, cancel := context.WithCancel(ctx)
	cancel()
	before := w.called()
	if err := w.never(done, migrate.Fail, 1, 0, "by a context that has ended"); err != nil {
		return err
	}
	if n := w.called() - before; n > 0 {
		return fmt.Errorf("with a context that has ended it made %d calls", n)
	}
	return w.endDuring(ctx)
}

// endDuring lets the context end at the first call.
func (w *verifierWorld) endDuring(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w.disturb(func(op Op) Fault {
		if op.Kind != "device" {
			cancel()
		}
		return Fault{}
	})
	return w.never(ctx, migrate.Fail, 1, 0, "by a context that ended during the look")
}

func verifierBreak(ctx context.Context, w *verifierWorld) (err error) {
	if err := w.move(ctx); err != nil {
		return err
	}
	w.clock.Advance(time.Minute)
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("when the caller leaves the loop, the verifier panics: %v", p)
		}
	}()
	for _, s := range w.subjects() {
		for range w.verifier.Verify(ctx, s) {
			break
		}
	}
	return nil
}

func verifierConcurrent(ctx context.Context, w *verifierWorld) error {
	if err := w.move(ctx); err != nil {
		return err
	}
	w.clock.Advance(time.Minute)
	const callers = 4
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for range 5 {
				if _, err := w.look(ctx); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
