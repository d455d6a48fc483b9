package tslsync_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/tslsync"
)

// endless makes the rows of ten properties as they are asked for, at even distances: no more than a page is in memory.
type endless struct {
	iot.HistoryReader
	begin  time.Time
	step   time.Duration
	values []json.RawMessage
}

func newEndless(begin time.Time, step time.Duration) *endless {
	e := &endless{begin: begin, step: step}
	for i := range 100 {
		e.values = append(e.values, fmt.Appendf(nil, `"%d.5"`, i))
	}
	return e
}

func (e *endless) PropertyHistory(_ context.Context, _ iot.DeviceID, identifiers []string, from, to time.Time) (iot.HistoryPage, error) {
	n := int((from.Sub(e.begin) + e.step - 1) / e.step)
	end := min(n+iot.MaxHistoryRows, int((to.Sub(e.begin)+e.step-1)/e.step))
	page := iot.HistoryPage{Rows: make([]iot.HistoryRow, 0, (end-n)*len(identifiers))}
	for _, identifier := range identifiers {
		for i := n; i < end; i++ {
			page.Rows = append(page.Rows, iot.HistoryRow{
				Identifier: identifier, At: e.begin.Add(time.Duration(i) * e.step), Value: e.values[i%len(e.values)],
			})
		}
	}
	if next := e.begin.Add(time.Duration(end) * e.step); next.Before(to) {
		page.Next = next
	}
	return page, nil
}

// propertiesOnly is a model of ten properties.
func propertiesOnly(string) (*tslsync.Model, error) {
	m, err := modelOf(10)("")
	return &tslsync.Model{Features: tslsync.Features{Properties: m.Properties}}, err
}

// BenchmarkHistoryMerge/json reports as x-decode what a comparison takes over what it takes to decode the same pages.
// BenchmarkHistoryMerge/rows=N reports the greatest memory in use while so many rows of each side go by.
func BenchmarkHistoryMerge(b *testing.B) {
	b.Run("json", benchmarkMergeJSON)
	for _, rows := range []int{1_000_000, 50_000_000} {
		b.Run("rows="+strconv.Itoa(rows), func(b *testing.B) { benchmarkMergeRows(b, rows) })
	}
}

func benchmarkMergeRows(b *testing.B, rows int) {
	begin := today.Truncate(time.Hour).Add(-29 * day)
	step := time.Hour / 10_000
	end := begin.Add(time.Duration(rows/10) * step)
	c := comparison(newEndless(begin, step), newEndless(begin, step), 10)
	c.Model = propertiesOnly
	cursor := tslsync.NewCursor(lamp, begin, end)
	debug.FreeOSMemory()
	var peak uint64
	var found tslsync.Difference
	for b.Loop() {
		found = tslsync.Difference{}
		steps := 0
		for step, err := range tslsync.Compare(b.Context(), c, slices.Values([]tslsync.Cursor{cursor})) {
			if err != nil {
				b.Fatal(err)
			}
			found.Add(step)
			if steps++; steps%64 == 0 {
				peak = max(peak, inUse())
			}
		}
	}
	if found.Equal != int64(rows) || !found.Agree() {
		b.Fatalf("found %+v, want %d equal rows", found, rows)
	}
	b.ReportMetric(float64(peak)/(1<<20), "peak-MB")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
}

// inUse is what the process has from the system and has not given back.
func inUse() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}

// wire answers with pages of JSON, as the platform writes them, which it decodes at every call.
type wire struct {
	iot.HistoryReader
	pages map[int64][]byte // by the milliseconds at which they begin
}

type wirePage struct {
	NextValid         bool
	NextTime          int64
	PropertyDataInfos struct{ PropertyDataInfo []wireProperty }
}

type wireProperty struct {
	Identifier string
	List       struct {
		PropertyInfo []struct {
			Time  string
			Value json.RawMessage
		}
	}
}

func (w *wire) PropertyHistory(_ context.Context, _ iot.DeviceID, identifiers []string, from, _ time.Time) (iot.HistoryPage, error) {
	var in wirePage
	if err := json.Unmarshal(w.pages[from.UnixMilli()], &in); err != nil {
		return iot.HistoryPage{}, err
	}
	page := iot.HistoryPage{Rows: make([]iot.HistoryRow, 0, len(identifiers)*iot.MaxHistoryRows)}
	for _, p := range in.PropertyDataInfos.PropertyDataInfo {
		for _, r := range p.List.PropertyInfo {
			ms, err := strconv.ParseInt(r.Time, 10, 64)
			if err != nil {
				return iot.HistoryPage{}, err
			}
			page.Rows = append(page.Rows, iot.HistoryRow{Identifier: p.Identifier, At: time.UnixMilli(ms).UTC(), Value: r.Value})
		}
	}
	if in.NextValid {
		page.Next = time.UnixMilli(in.NextTime).UTC()
	}
	return page, nil
}

// newWire writes down what a reader answers from begin to end.
func newWire(b *testing.B, r iot.HistoryReader, identifiers []string, begin, end time.Time) *wire {
	w := &wire{pages: map[int64][]byte{}}
	for from := begin; !from.IsZero(); {
		page, err := r.PropertyHistory(b.Context(), lamp, identifiers, from, end)
		if err != nil {
			b.Fatal(err)
		}
		var out wirePage
		if !page.Next.IsZero() {
			out.NextValid, out.NextTime = true, page.Next.UnixMilli()
		}
		for _, identifier := range identifiers {
			p := wireProperty{Identifier: identifier}
			for _, row := range page.Rows {
				if row.Identifier == identifier {
					p.List.PropertyInfo = append(p.List.PropertyInfo, struct {
						Time  string
						Value json.RawMessage
					}{strconv.FormatInt(row.At.UnixMilli(), 10), row.Value})
				}
			}
			out.PropertyDataInfos.PropertyDataInfo = append(out.PropertyDataInfos.PropertyDataInfo, p)
		}
		text, err := json.Marshal(out)
		if err != nil {
			b.Fatal(err)
		}
		w.pages[from.UnixMilli()] = text
		from = page.Next
	}
	return w
}

// decode reads all pages and does nothing with them.
func (w *wire) decode(b *testing.B, identifiers []string, begin, end time.Time) {
	for from := begin; !from.IsZero(); {
		page, err := w.PropertyHistory(b.Context(), lamp, identifiers, from, end)
		if err != nil {
			b.Error(err)
			return
		}
		from = page.Next
	}
}

func benchmarkMergeJSON(b *testing.B) {
	begin := today.Truncate(time.Hour).Add(-29 * day)
	step := time.Second
	end := begin.Add(1000 * step)
	m, err := propertiesOnly("")
	if err != nil {
		b.Fatal(err)
	}
	var identifiers []string
	for _, p := range m.Properties {
		identifiers = append(identifiers, p.Identifier)
	}
	source := newWire(b, newEndless(begin, step), identifiers, begin, end)
	target := newWire(b, newEndless(begin, step), identifiers, begin, end)
	c := comparison(source, target, 10)
	c.Model = propertiesOnly

	decoding, comparing := time.Hour, time.Hour
	round := func() {
		started := time.Now()
		var sides sync.WaitGroup // both at once, as the comparison reads them
		sides.Go(func() { source.decode(b, identifiers, begin, end) })
		sides.Go(func() { target.decode(b, identifiers, begin, end) })
		sides.Wait()
		decoded := time.Now()
		if got := gather(b, c, tslsync.NewCursor(lamp, begin, end)); got.sum.Equal != 10_000 {
			b.Fatalf("found %+v", got.sum)
		}
		decoding, comparing = min(decoding, decoded.Sub(started)), min(comparing, time.Since(decoded))
	}
	for b.Loop() {
		for range 100 { // the fastest of them: other work of the machine makes both slower
			round()
		}
	}
	b.ReportMetric(float64(comparing)/float64(decoding), "x-decode")
}

// BenchmarkHistoryCalls compares thirty devices whose 35 properties report at very different paces, in an order that
// says nothing about them, and reports the calls over the fewest that the page limits allow.
func BenchmarkHistoryCalls(b *testing.B) {
	from := today.Truncate(time.Hour).Add(-10 * day)
	to := from.Add(10 * day)
	steps := []time.Duration{10 * time.Minute, day, 3 * time.Hour, 20 * time.Minute, 300 * time.Minute}
	source := newShelf()
	var list []tslsync.Cursor
	for d := range 30 {
		id := iot.DeviceID{ProductKey: lamp.ProductKey, DeviceName: fmt.Sprintf("lamp-%04d", d)}
		list = append(list, tslsync.NewCursor(id, from, to))
		for p := range 35 {
			step := steps[p%len(steps)] * time.Duration(100+d+p) / 100
			fillSeries(source, series{id, tslsync.PropertyReport, fmt.Sprintf("p%02d", p)}, from.Add(time.Duration(p)*time.Minute), to, step)
		}
		fillSeries(source, series{id, tslsync.EventReport, "alarm"}, from, to, 2*time.Hour)
	}
	c := comparison(source, source.copy(), 35)
	bound := 0
	for _, cursor := range list {
		bound += 2 * fewest(source, cursor.Device, 35)
	}
	calls := 0
	for b.Loop() {
		calls = gather(b, c, list...).calls
	}
	b.ReportMetric(float64(calls)/float64(bound), "calls/bound")
	if calls < bound {
		b.Errorf("%d calls, fewer than the fewest: %d", calls, bound)
	}
}

// fewest is how many calls one side of a device takes at least: a property of n rows is in n/100 calls, and ten
// properties share one.
func fewest(s *shelf, id iot.DeviceID, properties int) int {
	var rows []int
	for p := range properties {
		rows = append(rows, len(s.rows[series{id, tslsync.PropertyReport, fmt.Sprintf("p%02d", p)}]))
	}
	slices.SortFunc(rows, func(a, b int) int { return cmp.Compare(b, a) })
	pages := func(n, size int) int { return max(1, (n+size-1)/size) }
	calls := pages(len(s.rows[series{id, tslsync.EventReport, "alarm"}]), iot.MaxHistoryRecords)
	calls += pages(len(s.rows[series{id, tslsync.ServiceReport, "reset"}]), iot.MaxHistoryRecords)
	for group := range slices.Chunk(rows, iot.MaxHistoryProperties) {
		calls += pages(group[0], iot.MaxHistoryRows)
	}
	return calls
}
