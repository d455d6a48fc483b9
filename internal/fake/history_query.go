package fake

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"github.com/iotferry/iotferry/iot"
)

// A historyQuery reads the history of one device through one instance, as it is at the time of the query.
type historyQuery struct {
	cloud      *Cloud
	dev        *device
	in         *instance
	kind       HistoryKind
	from, to   int64 // ms, both inclusive
	descending bool
	made       map[point]map[string]any
}

// A point is one of a stream's grid. Its properties are made once for all identifiers.
type point struct {
	stream *stream
	at     stamp
}

// A row is one of the history before somebody reads it.
type row struct {
	at       int64 // ms
	got      stamp // when the platform got it
	in       *instance
	stream   *stream   // nil for one that was remembered
	reported *reported // nil for one of a grid
}

// A shownRow is one as the APIs give it.
type shownRow struct {
	at           int64 // ms
	value, input string
}

// maxMillis bounds times in milliseconds, so that they fit a stamp.
const maxMillis = 1 << 43

// historyQuery begins a query. The platform has what is not older than 30 days.
func (c *Cloud) historyQuery(d *device, in *instance, kind HistoryKind, b bounds) *historyQuery {
	kept := (c.at - int64(iot.HistoryKept) + 1e6 - 1) / 1e6
	q := &historyQuery{
		cloud: c, dev: d, in: in, kind: kind, descending: b.asc == 0,
		from: min(b.start, b.end), to: max(b.start, b.end), made: map[point]map[string]any{},
	}
	q.from, q.to = min(max(q.from, kept), maxMillis), min(q.to, maxMillis)
	return q
}

// page returns up to size rows of an identifier and where the next page begins; 0 for no next page. Of more rows of
// one millisecond than fit on a page, the rest cannot be read.
func (q *historyQuery) page(identifier string, size int) (list []shownRow, next int64) {
	for r := range q.rows(identifier) {
		switch {
		case len(list) < size:
			list = append(list, r)
		case r.at != q.start():
			return list, r.at
		}
	}
	return list, 0
}

// start is the bound where the first page begins.
func (q *historyQuery) start() int64 {
	if q.descending {
		return q.to
	}
	return q.from
}

// rows yields the rows of an identifier that the instance shows, in the order of time.
func (q *historyQuery) rows(identifier string) iter.Seq[shownRow] {
	return func(yield func(shownRow) bool) {
		for r := range q.merge(q.grid(identifier), q.remembered(identifier)) {
			times, fault := q.times(identifier, r)
			for range times {
				if !yield(q.show(identifier, r, fault)) {
					return
				}
			}
		}
	}
}

// grid yields what the simulated device reported.
func (q *historyQuery) grid(identifier string) iter.Seq[row] {
	return func(yield func(row) bool) {
		s := q.dev.product.streamOf(q.kind, identifier)
		if s == nil || q.to < q.from {
			return
		}
		spans := q.cloud.spans(q.dev, s)
		if q.descending {
			slices.Reverse(spans)
		}
		for _, x := range spans {
			for at := range x.points(q.dev, q.from*1e6-1, q.to*1e6+1e6-1, q.descending) {
				if !yield(row{at: at / 1e6, got: at, in: x.in, stream: x.stream}) {
					return
				}
			}
		}
	}
}

// remembered returns the rows that were kept, in the order of time.
func (q *historyQuery) remembered(identifier string) []row {
	var list []row
	kept := q.cloud.reported[q.dev]
	for i := range kept {
		r := &kept[i]
		if r.kind == q.kind && r.identifier == identifier && r.at >= q.from && r.at <= q.to {
			list = append(list, row{at: r.at, got: r.got, in: r.in, reported: r})
		}
	}
	slices.SortStableFunc(list, func(a, b row) int { return cmp.Compare(a.at, b.at) })
	if q.descending {
		slices.Reverse(list)
	}
	return list
}

// merge yields two sequences as one. Of equal times the grid's comes first.
func (q *historyQuery) merge(grid iter.Seq[row], kept []row) iter.Seq[row] {
	return func(yield func(row) bool) {
		for g := range grid {
			for len(kept) > 0 && kept[0].at != g.at && kept[0].at < g.at != q.descending {
				if !yield(kept[0]) {
					return
				}
				kept = kept[1:]
			}
			if !yield(g) {
				return
			}
		}
		for _, r := range kept {
			if !yield(r) {
				return
			}
		}
	}
}

// times tells how often the instance shows a row now, and how it is changed.
func (q *historyQuery) times(identifier string, r row) (int, RowFault) {
	since, copied, ok := q.cloud.shownSince(q.dev, q.in, r)
	if !ok {
		return 0, RowFault{}
	}
	var f RowFault
	if q.cloud.rowFault != nil {
		f = q.cloud.rowFault(HistoryRow{
			Instance: q.in.id, Device: q.dev.id(), Kind: q.kind, Identifier: identifier,
			At: time.UnixMilli(r.at).UTC(), Copied: copied,
		})
	}
	if f.Gap || since+int64(f.Late) > q.cloud.at {
		return 0, f
	}
	return 1 + max(f.Copies, 0), f
}

func (q *historyQuery) show(identifier string, r row, f RowFault) shownRow {
	out := shownRow{at: r.at}
	switch {
	case r.reported != nil:
		out.value, out.input = wireText(r.reported.value), wireText(r.reported.input)
	case q.kind == PropertyHistory:
		out.value = wireText(q.make(r)[identifier])
	default:
		out.value = wireText(q.make(r))
	}
	if f.Value != nil {
		out.value = wireText(f.Value)
	}
	return out
}

func (q *historyQuery) make(r row) map[string]any {
	p := point{r.stream, r.got}
	if q.made[p] == nil {
		q.made[p] = r.stream.made(q.dev, r.got)
	}
	return q.made[p]
}
