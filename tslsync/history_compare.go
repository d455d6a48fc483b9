package tslsync

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A Comparison says what is compared with what. It is not changed, and may be used by several goroutines if its parts may.
type Comparison struct {
	Source, Target iot.HistoryReader

	// Model returns the thing model of a product: its properties, events and services are read, and values compared by
	// their data types. It is asked once per product and run. What only another version of the model has is not read.
	Model func(productKey string) (*Model, error)

	// Pacer is asked before every call, by the name of its API, besides what the readers themselves do to keep quotas. Give it
	// a share of the account's quotas, so that a comparison leaves the rest to a campaign: see [HistoryLimits]. Nil asks nobody.
	Pacer iot.Pacer
	// Clock tells the age of rows; nil is real time.
	Clock iot.Clock

	// SourceKeeps and TargetKeeps are how long each instance keeps history; zero is [iot.HistoryKept]. An Enterprise
	// instance may be set to another time. Take off what the clocks of this machine and of the platform may differ.
	SourceKeeps, TargetKeeps time.Duration
}

// A Step is what one or two calls brought, one on each side at most.
type Step struct {
	// Hours are the results that became complete, in the order of time for each identifier.
	Hours []Hour
	// Cursor is where the comparison of the device goes on. Store it together with Hours: every hour is given once.
	Cursor Cursor
	Calls  int // how many calls were made
	// Absent names the sides that do not have the device. Its comparison is over then, and hours not given are unknown:
	// the source forgets a device that has moved.
	Absent []Side
}

// Compare compares what two instances know of devices, one device after the other, in the order of the cursors. Those that
// are done are passed over. It yields a [Step] after every page or pair of pages, so that a caller that stops, at whatever step,
// or is killed, gets the same hours in all when it goes on from the last cursor that it stored. Within a device the oldest rows
// are read first, as they age out first; for the same among devices see [SortByAge].
//
// Memory is bounded by one page of each side for every stream of one device. Both sides are read at the same time.
// To go faster than one device at a time allows, run several over different devices with one Pacer.
//
// A device that a side does not have ends in a step that says so. Any other error ends the sequence: it names the device
// and wraps that of the reader, whose [iot.Kind] tells whether to go on later from the last cursor. Invalid cursors are
// [iot.Invalid].
func Compare(ctx context.Context, c Comparison, cursors iter.Seq[Cursor]) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		r := newRun(c)
		for cursor := range cursors {
			if !cursor.Done && !r.compare(ctx, cursor, yield) {
				return
			}
		}
	}
}

// run is one range over the steps of a comparison.
type run struct {
	Comparison
	products map[string]*catalog
}

func newRun(c Comparison) *run {
	if c.Clock == nil {
		c.Clock = iot.SystemClock()
	}
	if c.SourceKeeps == 0 {
		c.SourceKeeps = iot.HistoryKept
	}
	if c.TargetKeeps == 0 {
		c.TargetKeeps = iot.HistoryKept
	}
	return &run{Comparison: c, products: map[string]*catalog{}}
}

// compare yields the steps of one device and reports whether to go on with the next.
func (r *run) compare(ctx context.Context, cursor Cursor, yield func(Step, error) bool) bool {
	w, err := r.begin(cursor)
	if err != nil {
		yield(Step{}, err)
		return false
	}
	for {
		step, err := w.advance(ctx)
		if err != nil {
			yield(Step{}, fmt.Errorf("history of %s: %w", cursor.Device, err))
			return false
		}
		if !yield(step, nil) {
			return false
		}
		if step.Cursor.Done {
			return true
		}
	}
}

func (r *run) begin(cursor Cursor) (*work, error) {
	if err := cursor.check(); err != nil {
		return nil, err
	}
	c, err := r.catalog(cursor.Device.ProductKey)
	if err != nil {
		return nil, err
	}
	if len(cursor.Streams) == 0 {
		cursor.Streams = c.streams(cursor.From)
	}
	return newWork(r, c, cursor), nil
}

func (r *run) catalog(productKey string) (*catalog, error) {
	if c, ok := r.products[productKey]; ok {
		return c, nil
	}
	m, err := r.Model(productKey)
	if err != nil {
		return nil, fmt.Errorf("thing model of %s: %w", productKey, err)
	}
	c := newCatalog(m)
	r.products[productKey] = c
	return c, nil
}

// work is the comparison of one device.
type work struct {
	run     *run
	catalog *catalog
	cursor  Cursor // its Streams are in streams
	streams []*stream
}

func newWork(r *run, c *catalog, cursor Cursor) *work {
	w := &work{run: r, catalog: c, cursor: cursor}
	for _, s := range cursor.Streams {
		w.streams = append(w.streams, newStream(s, c, cursor.To))
	}
	return w
}

// advance compares the stream that is furthest behind, as far as the next pages reach.
func (w *work) advance(ctx context.Context) (Step, error) {
	if len(w.streams) == 0 {
		return w.finish(Step{}), nil
	}
	s := w.earliest()
	calls, absent, err := w.fill(ctx, s)
	if err != nil {
		return Step{}, err
	}
	if len(absent) > 0 {
		return w.finish(Step{Calls: calls, Absent: absent}), nil
	}
	step := Step{Calls: calls, Hours: s.merge()}
	for i := range step.Hours {
		step.Hours[i].Device, step.Hours[i].Report = w.cursor.Device, s.Report
	}
	w.drop(s)
	if len(w.streams) == 0 {
		return w.finish(step), nil
	}
	step.Cursor = w.snapshot()
	return step, nil
}

func (w *work) earliest() *stream {
	first := w.streams[0]
	for _, s := range w.streams[1:] {
		if s.at < first.at {
			first = s
		}
	}
	return first
}

// drop lets go of a stream that is at its end.
func (w *work) drop(s *stream) {
	if s.at < s.to {
		return
	}
	w.catalog.learn(s)
	for i := range w.streams {
		if w.streams[i] == s {
			w.streams = append(w.streams[:i], w.streams[i+1:]...)
			return
		}
	}
}

func (w *work) finish(step Step) Step {
	step.Cursor = w.cursor
	step.Cursor.Streams, step.Cursor.Done = nil, true
	return step
}

func (w *work) snapshot() Cursor {
	c := w.cursor
	c.Streams = make([]Stream, len(w.streams))
	for i, s := range w.streams {
		c.Streams[i] = s.snapshot()
	}
	return c
}
