package tslsync

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// The calls that read history.
const (
	apiProperties = "QueryDevicePropertiesData"
	apiEvents     = "QueryDeviceEventData"
	apiServices   = "QueryDeviceServiceData"
)

// buffer holds what one side answered and what is not compared yet.
type buffer struct {
	side  Side
	rows  [][]iot.HistoryRow // for each identifier of the stream
	next  int64              // all rows before it are in rows, or compared
	keeps int64              // rows older than it may have been left out
}

// fill reads the next page of each side that has nothing left for s, both at the same time. It returns how many calls it made, and
// which sides do not have the device.
func (w *work) fill(ctx context.Context, s *stream) (calls int, absent []Side, err error) {
	var errs [2]error
	var group sync.WaitGroup
	for i := range s.sides {
		if s.sides[i].next > s.at {
			continue
		}
		calls++
		group.Go(func() { errs[i] = w.read(ctx, s, &s.sides[i]) })
	}
	group.Wait()
	for i, err := range errs {
		if errors.Is(err, iot.NotFound) {
			absent = append(absent, s.sides[i].side)
			errs[i] = nil
		}
	}
	return calls, absent, errors.Join(errs[:]...)
}

func (w *work) read(ctx context.Context, s *stream, b *buffer) error {
	page, err := w.call(ctx, s, b)
	if err == nil {
		err = b.take(page, s)
	}
	if err != nil {
		return fmt.Errorf("%s: %s of %v from %s on: %w", b.side, s.api(), s.Identifiers, stamp(instant(s.at)), err)
	}
	// The platform decided what is too old before it answered, so that a later time is the safe one.
	b.keeps = w.run.Clock.Now().Add(-w.run.keeps(b.side)).UnixMilli()
	return nil
}

func (r *run) keeps(side Side) time.Duration {
	if side == Source {
		return r.SourceKeeps
	}
	return r.TargetKeeps
}

func (w *work) call(ctx context.Context, s *stream, b *buffer) (iot.HistoryPage, error) {
	pacer := w.run.Pacer
	if pacer != nil {
		if err := pacer.Wait(ctx, s.api()); err != nil {
			return iot.HistoryPage{}, err
		}
	}
	if err := ctx.Err(); err != nil {
		return iot.HistoryPage{}, err
	}
	page, err := w.ask(ctx, s, b.side)
	if pacer != nil && errors.Is(err, iot.Throttled) {
		pacer.Throttled(s.api())
	}
	return page, err
}

func (w *work) ask(ctx context.Context, s *stream, side Side) (iot.HistoryPage, error) {
	reader := w.run.Source
	if side == Target {
		reader = w.run.Target
	}
	from, to := instant(s.at), instant(s.to)
	switch s.Report {
	case EventReport:
		return reader.EventHistory(ctx, w.cursor.Device, s.Identifiers[0], from, to)
	case ServiceReport:
		return reader.ServiceHistory(ctx, w.cursor.Device, s.Identifiers[0], from, to)
	default:
		return reader.PropertyHistory(ctx, w.cursor.Device, s.Identifiers, from, to)
	}
}

// take keeps the rows of a page, each identifier's by itself, without those that come again. A page that breaks the contract
// of iot.HistoryReader is refused: what is merged out of order gives wrong results without a sign of it.
func (b *buffer) take(page iot.HistoryPage, s *stream) error {
	next := s.to
	if !page.Next.IsZero() {
		next = min(s.to, page.Next.UnixMilli())
	}
	if next <= s.at {
		return fmt.Errorf("the next page begins at %s, not after this one", stamp(page.Next))
	}
	b.next = next
	if b.rows == nil {
		b.rows = make([][]iot.HistoryRow, len(s.Identifiers))
	}
	clear(b.rows)
	rows := page.Rows
	for i, identifier := range s.Identifiers {
		n, keep := 0, 0
		for last := s.at; n < len(rows) && rows[n].Identifier == identifier; n++ {
			at := rows[n].At.UnixMilli()
			if at < last {
				return fmt.Errorf("a row of %s at %s comes after one at %s", identifier, stamp(rows[n].At), stamp(instant(last)))
			}
			if last = at; at < next {
				keep++
			}
		}
		b.rows[i], rows = rows[:keep], rows[n:]
	}
	if len(rows) > 0 {
		return fmt.Errorf("a row of %q is out of the order in which identifiers were asked for", rows[0].Identifier)
	}
	return nil
}

// instant turns milliseconds into time.
func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// stamp writes a time for people, in the milliseconds of the platform.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func refuse(format string, args ...any) error {
	return &iot.Error{Kind: iot.Invalid, Message: fmt.Sprintf(format, args...)}
}
