package tslsync

import (
	"time"

	"github.com/iotferry/iotferry/iot"
)

const hourMillis = int64(time.Hour / time.Millisecond)

// stream is a [Stream] at work. Times are in milliseconds, as rows have them.
type stream struct {
	Stream
	at, to int64
	sides  [2]buffer
	open   []openHour // for each identifier
	equal  []equality // for each identifier
	read   []int64    // rows of each identifier, for the grouping of devices to come
	out    []Hour
}

// openHour is an hour whose rows are being counted. It is not in use while it has no rows.
type openHour struct {
	Counts
	start, first int64
}

// equality tells whether two rows of one identifier have the same value.
type equality func(a, b *iot.HistoryRow) bool

func newStream(s Stream, c *catalog, to time.Time) *stream {
	n := len(s.Identifiers)
	w := &stream{
		Stream: s, at: s.At.UnixMilli(), to: to.UnixMilli(),
		open: make([]openHour, n), equal: make([]equality, n), read: make([]int64, n),
	}
	for i, side := range []Side{Source, Target} {
		w.sides[i] = buffer{side: side, next: w.at}
	}
	for i, identifier := range s.Identifiers {
		w.equal[i] = c.equality(s.Report, identifier)
		for _, h := range s.Open {
			if h.Identifier == identifier {
				w.open[i] = reopen(h)
			}
		}
	}
	return w
}

func reopen(h Hour) openHour {
	o := openHour{Counts: h.Counts, start: h.Start.UnixMilli()}
	if !h.First.IsZero() {
		o.first = h.First.UnixMilli()
	}
	return o
}

func (o *openHour) hour(identifier string) Hour {
	h := Hour{Identifier: identifier, Start: instant(o.start), Counts: o.Counts}
	if !o.Agree() {
		h.First = instant(o.first)
	}
	return h
}

func (s *stream) snapshot() Stream {
	out := Stream{Report: s.Report, Identifiers: s.Identifiers, At: instant(s.at)}
	for i := range s.open {
		if s.open[i].Rows() > 0 {
			out.Open = append(out.Open, s.open[i].hour(s.Identifiers[i]))
		}
	}
	return out
}

// merge compares all rows before the time up to which both sides are known, and returns the hours that end by then.
func (s *stream) merge() []Hour {
	s.out = nil
	horizon := min(s.sides[0].next, s.sides[1].next)
	for i := range s.Identifiers {
		s.identifier(i, horizon)
		if o := &s.open[i]; horizon == s.to || o.start+hourMillis <= horizon {
			s.close(i)
		}
	}
	s.at = horizon
	return s.out
}

// identifier merges the rows of one identifier.
func (s *stream) identifier(i int, horizon int64) {
	a, b := s.sides[0].rows[i], s.sides[1].rows[i]
	for {
		ta, tb := first(a, horizon), first(b, horizon)
		t := min(ta, tb)
		if t >= horizon {
			break
		}
		na, nb := duplicates(a, t, ta), duplicates(b, t, tb)
		s.count(i, t, s.compare(i, t, a[:na], b[:nb]))
		a, b = a[na:], b[nb:]
	}
	s.sides[0].rows[i], s.sides[1].rows[i] = a, b
}

// first returns the time of the first row, or the horizon if there is none before it.
func first(rows []iot.HistoryRow, horizon int64) int64 {
	if len(rows) == 0 {
		return horizon
	}
	return min(horizon, rows[0].At.UnixMilli())
}

// duplicates returns how many rows at the front are of time t. The time of the first is known.
func duplicates(rows []iot.HistoryRow, t, firstAt int64) int {
	if firstAt != t {
		return 0
	}
	n := 1
	for n < len(rows) && rows[n].At.UnixMilli() == t {
		n++
	}
	return n
}

// compare returns the counts of the one row that a and b are, each with its duplicates.
func (s *stream) compare(i int, t int64, a, b []iot.HistoryRow) (c Counts) {
	switch {
	case len(a) == 0 && t < s.sides[0].keeps, len(b) == 0 && t < s.sides[1].keeps:
		c.Expired = 1
	case len(a) == 0:
		c.Extra = 1
	case len(b) == 0:
		c.Missing = 1
	case s.anyEqual(i, a, b):
		c.Equal = 1
	default:
		c.Different = 1
	}
	return c
}

// anyEqual reports whether some value is on both sides: which of several for one time the platform would show is not documented.
func (s *stream) anyEqual(i int, a, b []iot.HistoryRow) bool {
	for j := range a {
		for k := range b {
			if s.equal[i](&a[j], &b[k]) {
				return true
			}
		}
	}
	return false
}

// count adds a row at time t to its hour. The rows of an identifier come in the order of time, so that the hour before is
// complete when the next begins.
func (s *stream) count(i int, t int64, c Counts) {
	o := &s.open[i]
	if start := hourOf(t); o.start != start {
		s.close(i)
		o.start = start
	}
	if o.Agree() {
		o.first = t // for good, if c does not agree
	}
	o.add(c)
	s.read[i]++
}

// close gives the result of the open hour of an identifier, if there is one.
func (s *stream) close(i int) {
	if s.open[i].Rows() > 0 {
		s.out = append(s.out, s.open[i].hour(s.Identifiers[i]))
	}
	s.open[i] = openHour{}
}

// hourOf returns the start of the hour of a time, before 1970 as well.
func hourOf(t int64) int64 {
	rest := t % hourMillis
	if rest < 0 {
		rest += hourMillis
	}
	return t - rest
}
