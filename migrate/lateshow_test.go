package migrate_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/scenario"
)

// TestMovesThatAreShownLate lets instances show for longer than devices take to reconnect what was before a move, as long as
// Deadlines.Visible allows: sessions that began meanwhile count as after the move, also where the console made it.
func TestMovesThatAreShownLate(t *testing.T) {
	for name, late := range map[string]func(*iot.Platform) *iot.StateReader{
		"source": func(p *iot.Platform) *iot.StateReader { return &p.Source.StateReader },
		"target": func(p *iot.Platform) *iot.StateReader { return &p.Target.StateReader },
	} {
		t.Run(name, func(t *testing.T) {
			clock := migratetest.NewClock(time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC))
			c := start(t, setup{
				fleet: migratetest.GenerateOptions{Direct: 30}, clock: clock,
				strategy: func(*migratetest.Cloud) migrate.Strategy { return scenario.Direct(scenario.Options{FirstGray: 20}) },
			})
			reader := late(&c.config.Platform)
			*reader = &lateStates{StateReader: *reader, clock: clock, shown: map[string]lateAnswer{}}
			c.newRunner()
			if r := c.run(); r.Outcome != migrate.OutcomeProven {
				t.Errorf("the campaign ends %s: %+v", r.Outcome, r.Lanes)
			}
		})
	}
}

// lateStates shows only after 25 seconds that a device has come or gone.
type lateStates struct {
	iot.StateReader
	clock iot.Clock
	shown map[string]lateAnswer
}

type lateAnswer struct {
	state iot.DeviceState
	there bool
	since time.Time // when it was first otherwise; zero if it is not
}

func (l *lateStates) States(ctx context.Context, product string, names []string) ([]iot.DeviceState, error) {
	states, err := l.StateReader.States(ctx, product, names)
	if err != nil {
		return nil, err
	}
	var out []iot.DeviceState
	for _, name := range names {
		i := slices.IndexFunc(states, func(s iot.DeviceState) bool { return s.ID.DeviceName == name })
		now := lateAnswer{there: i >= 0}
		if now.there {
			now.state = states[i]
		}
		if a := l.answer(name, now); a.there {
			out = append(out, a.state)
		}
	}
	return out, nil
}

func (l *lateStates) answer(name string, now lateAnswer) lateAnswer {
	old, known := l.shown[name]
	switch {
	case !known || old.there == now.there:
		old = now
	case old.since.IsZero():
		old.since = l.clock.Now()
	case l.clock.Now().Sub(old.since) >= 25*time.Second:
		old = now
	}
	l.shown[name] = old
	return old
}
