package verify

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/tslsync"
)

// A place is how far the comparison has come: the progress in the journal. It tells a cursor for each device: those up to Now.Done are
// compared up to Now.To, the next one as Now.Cursor says, and those after it up to Last.To.
type place struct {
	Now  *pass `json:"now,omitempty"`  // nil if none is under way
	Last *pass `json:"last,omitempty"` // the last one that came to its end
}

// A pass is one comparison of all devices, or of the sample, in the order of their names. Devices that were compared earlier in one pass
// are compared earlier in the next, so that the rows that age out first are read first.
type pass struct {
	Since time.Time          `json:"since"` // from where on all passes together have compared
	From  time.Time          `json:"from"`  // from where on this one compares, what lagged aside
	To    time.Time          `json:"to"`    // not included
	Total int                `json:"total"` // devices at the source
	Drawn int                `json:"drawn"` // of these are compared; less than Total for a sample
	Found tslsync.Difference `json:"found"`
	Done  iot.DeviceID       `json:"done,omitzero"` // the last device that is compared
	// Cursor is of the device under way, nil between two.
	Cursor *tslsync.Cursor `json:"cursor,omitempty"`
	// Lags are the devices of which the target lacks something, and from which hour on: the next pass begins there. If there are
	// more than maxLags, it begins with all at LagsFrom.
	Lags     []lag     `json:"lags,omitempty"`
	LagsFrom time.Time `json:"lagsFrom,omitzero"`
	First    string    `json:"first,omitempty"` // the first thing that is lacking, for people
	Hidden   bool      `json:"hidden,omitempty"`
	Ended    time.Time `json:"ended,omitzero"`
}

type lag struct {
	Device iot.DeviceID `json:"device"`
	From   time.Time    `json:"from"`
}

const (
	maxLags      = 100
	fewLags      = 3 // devices that tell whether the target still lacks what it lacked
	callsPerLook = 1000
	again        = time.Hour // between two comparisons of what is lacking
	enoughHidden = 20        // so many devices that the target does not show, and none that it does: it shows none
)

// end is up to where both sides are compared at a time: whole hours, of which all is copied.
func (c *synchronised) end(now time.Time) time.Time { return now.Add(-c.Lag).Truncate(time.Hour) }

// due says when the next pass begins: at once if that is not later than now.
func (c *synchronised) due(last *pass, w *migrate.Waiting) time.Time {
	now := w.Clock.Now()
	if last == nil {
		return wholeHour(w.Wait.Begun).Add(time.Hour + c.Lag)
	}
	newest := c.end(now)
	counts := c.counts(w)
	daily := last.To.Add(c.Every + c.Lag)
	switch {
	case !newest.After(last.Since):
		return now.Add(again) // the clock went back behind the window
	case newest.Before(last.To), !now.Before(counts) && last.To.Before(c.end(counts)):
		return now // the clock was ahead, so that it compared what was not yet there; or the window is as old as it has to be
	case !now.Before(counts) && (last.lacks() || last.Hidden) && last.Ended.Add(again).Before(daily):
		return last.Ended.Add(again)
	case now.Before(counts) && counts.Before(daily):
		return counts
	}
	return daily
}

// counts is from when on it counts whether the condition holds.
func (c *synchronised) counts(w *migrate.Waiting) time.Time {
	if w.Wait.Early != nil {
		return w.Wait.Early.At
	}
	return w.Wait.Least
}

// behind reports whether the target still lacks what it lacked in the last pass: a few devices tell, so that waiting costs little. Once a day
// it is left to a pass.
func (c *synchronised) behind(ctx context.Context, w *migrate.Waiting, last *pass) (bool, error) {
	if last == nil || !w.Clock.Now().Before(last.To.Add(c.Every+c.Lag)) || last.To.Before(c.end(c.counts(w))) || c.end(w.Clock.Now()).Before(last.To) {
		return false, nil
	}
	both, err := c.comparison(ctx, w)
	if err != nil {
		return false, err
	}
	var cursors []tslsync.Cursor
	for _, l := range last.Lags[:min(fewLags, len(last.Lags))] {
		cursors = append(cursors, tslsync.NewCursor(l.Device, l.From, last.To))
	}
	for step, err := range tslsync.Compare(ctx, both, slices.Values(cursors)) {
		if err != nil {
			return false, fmt.Errorf("verify: compare %s and %s: %w", w.Source.Info, w.Target.Info, err)
		}
		if slices.ContainsFunc(step.Hours, lacking) || notAtTarget(step) {
			last.Ended = w.Clock.Now().UTC()
			return true, nil
		}
	}
	return false, nil
}

func lacking(h tslsync.Hour) bool { return h.Missing > 0 || h.Different > 0 }

// notAtTarget reports whether a device ended because the target alone does not have it.
func notAtTarget(s tslsync.Step) bool {
	return slices.Contains(s.Absent, tslsync.Target) && !slices.Contains(s.Absent, tslsync.Source)
}

func wholeHour(t time.Time) time.Time { return t.Add(time.Hour - 1).Truncate(time.Hour) }

// newPass begins where the last one ended, and earlier where something was lacking. What was compared at the end of a silent one may not
// have been there yet.
func (c *synchronised) newPass(last *pass, w *migrate.Waiting) *pass {
	begun := wholeHour(w.Wait.Begun).UTC()
	p := &pass{Since: begun, From: begun, To: c.end(w.Clock.Now()).UTC()}
	if last != nil && !c.silent(last) {
		p.Since = last.Since
		p.From = last.To.Add(-c.Lag)
		if last.Found.Newest.Before(p.From) {
			p.From = last.Found.Newest
		}
		if !last.LagsFrom.IsZero() && last.LagsFrom.Before(p.From) {
			p.From = last.LagsFrom
		}
		p.Found.Newest = last.Found.Newest
	}
	oldest := p.To.Add(-iot.HistoryKept)
	if c.Span > 0 {
		oldest = p.To.Add(-c.Span)
		p.Since = later(p.Since, oldest)
	}
	if p.From = later(later(p.From, p.Since), oldest); !p.From.Before(p.To) { // the clock was ahead
		p.From = p.To.Add(-time.Hour)
	}
	return p
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (c *synchronised) silent(last *pass) bool {
	return c.facts(last, migrate.WaitReport{}).Silent()
}

func (p *pass) lacks() bool { return !p.Found.Empty() }

func (p *pass) example() string {
	if p.First == "" {
		return ""
	}
	return " The first: " + p.First + "."
}

// soFar says how far a pass is.
func (p *pass) soFar() string {
	f := p.Found
	text := fmt.Sprintf("%d of %d devices are compared up to %s", f.Devices+f.AbsentSource+f.AbsentTarget, p.Drawn, stamp(p.To))
	if p.lacks() {
		text += fmt.Sprintf("; so far the target lacks %d rows, has another value in %d, and lacks %d devices.", f.Missing, f.Different, f.AbsentTarget) + p.example()
	}
	return text
}

// compare goes on with the pass as far as the calls of a look reach, and reports whether it has come further. At its end the pass becomes
// the last one.
func (c *synchronised) compare(ctx context.Context, w *migrate.Waiting, p *place) (further bool, err error) {
	now := p.Now
	list, err := c.devices(ctx, w, now)
	if err != nil {
		return false, err
	}
	now.Total, now.Drawn = list.total, len(list.ids)
	both, err := c.comparison(ctx, w)
	if err != nil {
		return false, err
	}
	calls := now.Found.Calls
	for step, err := range tslsync.Compare(ctx, both, now.cursors(list.ids, p.Last)) {
		if err != nil {
			return further, fmt.Errorf("verify: compare %s and %s: %w", w.Source.Info, w.Target.Info, err)
		}
		further = true
		now.add(step)
		if now.Hidden || now.Found.Calls-calls >= callsPerLook {
			break
		}
	}
	left := now.after(list.ids)
	if len(left) == 0 && now.Found.Devices == 0 && now.Found.AbsentTarget > 0 {
		now.Hidden = true
	}
	if len(left) == 0 || now.Hidden {
		now.Done, now.Cursor, now.Ended = iot.DeviceID{}, nil, w.Clock.Now().UTC()
		p.Now, p.Last = nil, now
	}
	return true, nil
}

// cursors yields where to go on with each device that is left.
func (p *pass) cursors(ids []iot.DeviceID, last *pass) iter.Seq[tslsync.Cursor] {
	return func(yield func(tslsync.Cursor) bool) {
		under := p.Cursor
		for _, id := range p.after(ids) {
			cursor := tslsync.NewCursor(id, p.begin(id, last), p.To)
			if under != nil && under.Device == id {
				cursor = *under
			}
			if !yield(cursor) {
				return
			}
		}
	}
}

// after returns the devices that are not compared to their end.
func (p *pass) after(ids []iot.DeviceID) []iot.DeviceID {
	if p.Done.IsZero() {
		return ids
	}
	i, found := slices.BinarySearchFunc(ids, p.Done, iot.DeviceID.Compare)
	if found {
		i++
	}
	return ids[i:]
}

// begin is from where on a device is compared.
func (p *pass) begin(id iot.DeviceID, last *pass) time.Time {
	if last == nil {
		return p.From
	}
	for _, l := range last.Lags {
		if l.Device == id && l.From.Before(p.From) {
			return later(l.From, p.Since)
		}
	}
	return p.From
}

// add counts a step.
func (p *pass) add(s tslsync.Step) {
	p.Found.Add(s)
	id := s.Cursor.Device
	for _, h := range s.Hours {
		if lacking(h) {
			p.lag(id, h.Start)
			if p.First == "" {
				p.First = fmt.Sprintf("of %s, the target lacks %d rows of %s %s in the hour of %s and has another value in %d",
					id, h.Missing, h.Report, h.Identifier, stamp(h.Start), h.Different)
			}
		}
	}
	p.Cursor = &s.Cursor
	if !s.Cursor.Done {
		return
	}
	p.Done, p.Cursor = id, nil
	if notAtTarget(s) {
		p.lag(id, s.Cursor.From)
		if p.First == "" {
			p.First = fmt.Sprintf("the target does not show %s", id)
		}
		p.Hidden = p.Found.Devices == 0 && p.Found.AbsentTarget >= enoughHidden
	}
}

// lag remembers the first hour of a device that lacks something. The steps of a device come one after the other, but not its hours.
func (p *pass) lag(id iot.DeviceID, from time.Time) {
	n := len(p.Lags)
	switch {
	case n > 0 && p.Lags[n-1].Device == id:
		if from.Before(p.Lags[n-1].From) {
			p.Lags[n-1].From = from
		}
	case n < maxLags:
		p.Lags = append(p.Lags, lag{id, from})
	case p.LagsFrom.IsZero() || from.Before(p.LagsFrom):
		p.LagsFrom = from
	}
}
