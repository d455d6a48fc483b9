package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/tslsync"
)

// A HistoryConfig configures [History]. The zero value is ready to use.
type HistoryConfig struct {
	// Span is how long before its move a device has to have reported; zero means [tslsync.MinWindow]. It should not be
	// longer than data synchronisation had been running.
	Span time.Duration
	// Skew is how far the platform's clock, and the device's, may be behind the runner's. See the package comment.
	Skew time.Duration
}

// History proves that a device's history came along: the target has rows of it, of a property, an event or a service of its
// thing model, that are older than its move. What was reported before the move, the source got; so such a row was copied.
// Its name is "history".
//
// It does not prove that all rows are there: after a move the source has forgotten the device, and nobody can compare any
// more. [Synchronised] compares before. Ask it about devices that moved after data synchronisation had run for Span. A device that
// moved before has no history; leave it out with [Only]. It costs one call for a device with history, and one
// for each ten properties, each event and each service without; for a large fleet see [Sampled].
//
// It never fails a device: its rows may be on their way. A device that somebody else had moved before its wave
// passes unobserved, as nobody knows when that was.
func History(c HistoryConfig) migrate.Verifier {
	if c.Span == 0 {
		c.Span = tslsync.MinWindow
	}
	const name = "history"
	if c.Span < time.Hour || c.Span > iot.HistoryKept {
		return broken(name, "HistoryConfig.Span is %v: 1 hour to 30 days can be read", c.Span)
	}
	return migrate.NewVerifier(name, func(ctx context.Context, s *migrate.Subject) findings {
		return func(yield func(migrate.Finding, error) bool) { c.look(ctx, s, yield) }
	})
}

// look asks product by product, as each has one thing model.
func (c HistoryConfig) look(ctx context.Context, s *migrate.Subject, yield func(migrate.Finding, error) bool) {
	for _, devices := range productsOf(s.Devices) {
		model, err := modelAt(ctx, s.Target.View, devices[0].ID.ProductKey)
		if err != nil {
			if !yield(migrate.Finding{}, err) || hopeless(ctx, err) {
				return
			}
			continue
		}
		if !c.lookAt(ctx, s, devices, model, yield) {
			return
		}
	}
}

// lookAt asks one device after the other: the platform's quota of the API leaves no room for more. It reports whether
// to go on with the next product.
func (c HistoryConfig) lookAt(
	ctx context.Context, s *migrate.Subject, devices []migrate.SubjectDevice, model *tslsync.Model, yield func(migrate.Finding, error) bool,
) bool {
	for _, d := range devices {
		f, err := c.judge(ctx, s, d, model)
		if !yield(f, err) || err != nil && hopeless(ctx, err) {
			return false
		}
	}
	return true
}

// productsOf splits devices by product, in the order in which products begin.
func productsOf(devices []migrate.SubjectDevice) [][]migrate.SubjectDevice {
	var all [][]migrate.SubjectDevice
	place := make(map[string]int)
	for _, d := range devices {
		i, ok := place[d.ID.ProductKey]
		if !ok {
			i = len(all)
			place[d.ID.ProductKey] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], d)
	}
	return all
}

func modelAt(ctx context.Context, at iot.View, productKey string) (*tslsync.Model, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	text, err := at.ThingModel(ctx, productKey)
	if err != nil {
		return nil, fmt.Errorf("verify: read thing model of %s at %s: %w", productKey, at.Info, err)
	}
	model, err := tslsync.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("verify: thing model of %s at %s: %w", productKey, at.Info, err)
	}
	return model, nil
}

// judge compares the target with an instance that has nothing: what is extra is there. It stops at the first row.
func (c HistoryConfig) judge(ctx context.Context, s *migrate.Subject, d migrate.SubjectDevice, model *tslsync.Model) (migrate.Finding, error) {
	if d.Moved.IsZero() {
		return finding(d, migrate.Pass, migrate.NotObserved, s.Now, "somebody else had moved the device: nobody knows when"), nil
	}
	source := "history at " + s.Target.Info.String()
	if err := ctx.Err(); err != nil {
		return migrate.Finding{}, fmt.Errorf("verify: %w", err)
	}
	end := since(d.Moved, c.Skew)
	rows := tslsync.Comparison{
		Source: nothing{}, Target: s.Target.HistoryReader, Clock: stopped(s.Now),
		Model: func(string) (*tslsync.Model, error) { return model, nil },
	}
	cursor := tslsync.NewCursor(d.ID, end.Add(-c.Span), end)
	for step, err := range tslsync.Compare(ctx, rows, slices.Values([]tslsync.Cursor{cursor})) {
		if err != nil {
			return migrate.Finding{}, fmt.Errorf("verify: at %s: %w", s.Target.Info, err)
		}
		if len(step.Absent) > 0 {
			return open(d, s, source, "the target does not show the device"), nil
		}
		if len(step.Hours) > 0 {
			h := step.Hours[0]
			seen := fmt.Sprintf("%d rows of %s %s from the hour of %s, before the move at %s",
				h.Rows(), h.Report, h.Identifier, stamp(h.Start), stamp(d.Moved))
			return finding(d, migrate.Pass, source, h.Start, seen), nil
		}
	}
	return open(d, s, source, "no row from the %v before the move at %s", c.Span, stamp(d.Moved)), nil
}

// nothing is an instance that knows each device and nothing of it.
type nothing struct{}

func (nothing) PropertyHistory(context.Context, iot.DeviceID, []string, time.Time, time.Time) (iot.HistoryPage, error) {
	return iot.HistoryPage{}, nil
}

func (nothing) EventHistory(context.Context, iot.DeviceID, string, time.Time, time.Time) (iot.HistoryPage, error) {
	return iot.HistoryPage{}, nil
}

func (nothing) ServiceHistory(context.Context, iot.DeviceID, string, time.Time, time.Time) (iot.HistoryPage, error) {
	return iot.HistoryPage{}, nil
}

// stopped is a clock that shows the time of a look.
type stopped time.Time

func (c stopped) Now() time.Time { return time.Time(c) }

func (stopped) WaitUntil(ctx context.Context, _ time.Time) error { return ctx.Err() }
