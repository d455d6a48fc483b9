package fake_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// What the target shows of a device's history depends on the switch and on what the platform does where it is not
// documented.
func TestSynchronisation(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		quirks   func(*fake.Quirks)
		off      time.Duration // after the switch; 0: never on
		from, to time.Duration // which rows are at the target, before the move: after the switch
		moved    time.Duration // and up to when after the move
	}{
		"kept up":         {off: 99 * day, to: 3*day - 10*time.Second, moved: 3 * day},
		"never on":        {},
		"switched off":    {off: day, to: day, moved: day},
		"from before":     {quirks: func(q *fake.Quirks) { q.SyncBack = 2 * day }, off: 99 * day, from: -2 * day, to: 3*day - 10*time.Second, moved: 3 * day},
		"stalled":         {quirks: func(q *fake.Quirks) { q.SyncPace = 0 }, off: 99 * day},
		"at half speed":   {quirks: func(q *fake.Quirks) { q.SyncPace, q.SyncLag = time.Second/2, 0 }, off: 99 * day, to: 36 * time.Hour, moved: 36 * time.Hour},
		"behind":          {quirks: func(q *fake.Quirks) { q.SyncBack, q.SyncPace, q.SyncLag = 6*day, 2*time.Second, 0 }, off: 99 * day, from: -6 * day, to: 0, moved: 0},
		"late":            {quirks: func(q *fake.Quirks) { q.SyncLag = 2 * day }, off: 99 * day, to: day, moved: 3 * day},
		"of the move":     {quirks: func(q *fake.Quirks) { q.HistoryMoves = true }, from: -24 * day, moved: 3 * day},
		"lag and the end": {quirks: func(q *fake.Quirks) { q.SyncLag = time.Minute }, off: day, to: day, moved: day},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, storages(2), func(o *fake.Options, q *fake.Quirks) {
				o.Quotas, q.ReportEvery, q.RareEvery, q.VisibilityLag = fake.NoQuotas, time.Hour, 2, 0
				if c.quirks != nil {
					c.quirks(q)
				}
			})
			task := b.ready(storage, "s-0002")
			b.clock.Advance(day)
			on := b.clock.Now()
			end := on.Add(3 * day)
			if c.off > 0 {
				b.sync(task, true)
			}
			b.clock.Advance(min(c.off, 3*day))
			if c.off < 3*day && c.off > 0 {
				b.sync(task, false)
			}
			b.clock.Advance(3*day - min(c.off, 3*day))
			p := b.platform(nil)
			source := append(levels(t, p.Source, battery, on.Add(-24*day), end), hots(t, p.Source, battery, on.Add(-24*day), end)...)
			want := func(to time.Duration) []string {
				return slices.DeleteFunc(slices.Clone(source), func(row string) bool {
					at := timesOf([]string{row})[0]
					return c.from == to || at < on.Add(c.from).UnixMilli() || at >= on.Add(to).UnixMilli()
				})
			}
			got := func() []string {
				return append(levels(t, p.Target, battery, on.Add(-24*day), end), hots(t, p.Target, battery, on.Add(-24*day), end)...)
			}
			if c.off == 0 {
				_, err := p.Target.EventHistory(t.Context(), battery, "Hot", on, end)
				expectKind(t, "the target, never synchronised", err, iot.NotFound)
			} else if diff := cmp.Diff(want(c.to), got(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("before the move (-want +got):\n%s", diff)
			}
			b.move(storage, "s-0001")
			b.clock.Advance(2 * day)
			if diff := cmp.Diff(want(c.moved), got(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("after the move (-want +got):\n%s", diff)
			}
			_, err := p.Source.EventHistory(t.Context(), battery, "Hot", on, end)
			expectKind(t, "the source, after the move", err, iot.NotFound)
			if n := len(levels(t, p.Target, battery, end, end.Add(2*day))); n < 47 || n > 48 {
				t.Errorf("%d rows of the 2 days after the move, want one an hour", n)
			}
		})
	}
}

func (b *bench) sync(task string, on bool) {
	b.Helper()
	if err := b.Console().DataSync(b.Context(), task, on); err != nil {
		b.Fatal(err)
	}
}

func expectKind(t testing.TB, what string, err error, want iot.Kind) {
	t.Helper()
	if iot.KindOf(err) != want {
		t.Errorf("%s: got error %v, want kind %s", what, err, want)
	}
}

// Who does not see the copy before the move sees it afterwards.
func TestSynchronisationCanBeHidden(t *testing.T) {
	b := newBench(t, storages(2), func(o *fake.Options, q *fake.Quirks) { q.SyncHidesUnmoved = true })
	b.sync(b.ready(storage, "s-0002"), true)
	on := b.clock.Now()
	b.clock.Advance(time.Hour)
	p := b.platform(nil)
	_, err := p.Target.EventHistory(t.Context(), battery, "Hot", on, on.Add(time.Hour))
	expectKind(t, "before the move", err, iot.NotFound)
	b.move(storage, "s-0001")
	b.clock.Advance(time.Minute)
	if n := len(levels(t, p.Target, battery, on, on.Add(time.Hour))); n != 60 {
		t.Errorf("%d rows after the move, want 60", n)
	}
}

// A device that was returned begins anew at the source, unless its history moves with it.
func TestHistoryOfAReturnedDevice(t *testing.T) {
	for _, moves := range []bool{false, true} {
		b := newBench(t, storages(2), func(o *fake.Options, q *fake.Quirks) { o.Quotas, q.HistoryMoves = fake.NoQuotas, moves })
		task := b.ready(storage, "s-0002")
		b.sync(task, true)
		b.clock.Advance(time.Hour)
		b.move(storage, "s-0001")
		b.clock.Advance(time.Hour)
		if _, err := b.Console().Rollback(t.Context(), task, []string{"s-0001"}); err != nil {
			t.Fatal(err)
		}
		returned := b.clock.Now()
		b.clock.Advance(time.Hour)
		p := b.platform(nil)
		n := len(levels(t, p.Source, battery, start.Add(-time.Hour), returned))
		if moves && n < 175 || !moves && n > 0 {
			t.Errorf("history moves %v: %d rows of 3 hours before the return", moves, n)
		}
		if n := len(levels(t, p.Source, battery, returned, b.clock.Now())); n < 59 {
			t.Errorf("%d rows of the hour after the return", n)
		}
		if n := len(levels(t, p.Target, battery, start, returned)); !moves && n > 0 {
			t.Errorf("the target shows %d rows of before the return", n)
		}
		b.move(storage, "s-0001")
		b.clock.Advance(time.Minute)
		if n := len(levels(t, p.Target, battery, start, returned)); !moves && n > 0 {
			t.Errorf("moved again, the target shows %d rows of before the return", n)
		}
		if n := len(levels(t, p.Target, battery, returned, b.clock.Now())); n < 59 {
			t.Errorf("moved again, the target shows %d rows of the hour after the return", n)
		}
	}
}

// Rows can be missing, late, twice and different, on one side or both.
func TestHistoryFaults(t *testing.T) {
	hour := func(n int) time.Time { return start.Add(time.Duration(n) * time.Hour) }
	fault := func(x fake.HistoryRow) (f fake.RowFault) {
		switch {
		case x.Instance != target || x.Kind != fake.PropertyHistory || x.Device != battery || !x.Copied:
			return f
		case x.At.Before(hour(1)):
			f.Gap = true
		case x.At.Before(hour(2)):
			f.Late = 10 * time.Hour
		case x.At.Before(hour(3)):
			f.Copies = 1
		case x.At.Before(hour(4)):
			f.Value = []byte(`"x"`)
		}
		return f
	}
	b := newBench(t, storages(2), func(o *fake.Options, q *fake.Quirks) { o.Quotas, o.History = fake.NoQuotas, fault })
	b.sync(b.ready(storage, "s-0002"), true)
	b.clock.Advance(6 * time.Hour)
	p := b.platform(nil)
	counts := func() (list []int) {
		for n := range 5 {
			list = append(list, len(levels(t, p.Target, battery, hour(n), hour(n+1))))
		}
		return list
	}
	if diff := cmp.Diff([]int{0, 0, 120, 60, 60}, counts()); diff != "" {
		t.Errorf("rows by hour (-want +got):\n%s", diff)
	}
	if rows := levels(t, p.Target, battery, hour(3), hour(4)); rows[0][len(rows[0])-3:] != `"x"` {
		t.Errorf("a changed value is %s", rows[0])
	}
	b.clock.Advance(7 * time.Hour)
	if diff := cmp.Diff([]int{0, 60, 120, 60, 60}, counts()); diff != "" {
		t.Errorf("rows by hour, later (-want +got):\n%s", diff)
	}
	if n := len(levels(t, p.Source, battery, hour(0), hour(5))); n != 300 {
		t.Errorf("%d rows at the source, want 300", n)
	}
}

// What a client posts is history at the time that it tells, in the order of these times.
func TestHistoryOfAClient(t *testing.T) {
	b := newBench(t, storages(1), noQuotas)
	s := b.attach(storage, "s-0001")
	b.clock.Advance(time.Hour)
	ms := func(minute int) int64 { return start.Add(time.Duration(minute) * time.Minute).UnixMilli() }
	for _, params := range []string{
		fmt.Sprintf(`{"Level":{"value":30,"time":%d},"Site":"a\"b","Strange":1}`, ms(50)),
		fmt.Sprintf(`{"Level":{"value":20,"time":%d}}`, ms(40)),
		`{"Level":{"value":99,"time":9223372036854775807}}`,
		`{"Level":25}`,
	} {
		if err := s.Publish(postTopic, []byte(`{"id":"1","params":`+params+`}`), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Publish(hotTopic, []byte(`{"id":"2","params":{"value":{"Cell":3}}}`), 1); err != nil {
		t.Fatal(err)
	}
	at, end := b.platform(nil).Source, b.clock.Now().Add(time.Second)
	want := []string{fmt.Sprint(ms(40), ` "20"`), fmt.Sprint(ms(50), ` "30"`), fmt.Sprint(ms(60), ` "25"`)}
	if diff := cmp.Diff(want, levels(t, at, battery, start, end)); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{fmt.Sprint(ms(60), ` "{\"Cell\":3}"`)}, hots(t, at, battery, start, end)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	page, err := at.PropertyHistory(t.Context(), battery, []string{"Site", "Strange"}, start, end)
	if err != nil || len(page.Rows) != 1 || string(page.Rows[0].Value) != `"a\"b"` {
		t.Errorf("a text, and a property that is not of the model: got %v, %v", page, err)
	}
}

// Calls of services, and properties that were set, are history.
func TestHistoryOfCommands(t *testing.T) {
	b := newBench(t, storages(1), func(o *fake.Options, q *fake.Quirks) { o.Quotas, q.ReportEvery = fake.NoQuotas, 24*time.Hour })
	at := b.platform(nil).Source
	test := must(at.Invoke(t.Context(), battery, "SelfTest", []byte(`{"a": 1}`)))
	must(at.Invoke(t.Context(), battery, "Reboot", []byte(`{}`)))
	must(at.SetProperties(t.Context(), battery, []byte(`{"Level": 55}`)))
	end := start.Add(time.Minute)
	service := func(identifier string) []string {
		return historyOf(t, func(from time.Time) (iot.HistoryPage, error) {
			return at.ServiceHistory(t.Context(), battery, identifier, from, end)
		}, start)
	}
	ms := start.UnixMilli()
	if diff := cmp.Diff([]string{fmt.Sprintf("%d %q %q", ms, test.Result, `{"a": 1}`)}, service("SelfTest")); diff != "" {
		t.Errorf("a synchronous service (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{fmt.Sprintf(`%d "" "{}"`, ms)}, service("Reboot")); diff != "" {
		t.Errorf("an asynchronous service, at once (-want +got):\n%s", diff)
	}
	b.clock.Advance(time.Second)
	if got := service("Reboot"); len(got) != 1 || len(got[0]) < len(`1772352000000 "{\"Delay\":1}" "{}"`) {
		t.Errorf("an asynchronous service, answered: got %v", got)
	}
	if diff := cmp.Diff([]string{fmt.Sprint(ms+500, ` "55"`)}, levels(t, at, battery, start, end)); diff != "" {
		t.Errorf("a property that was set (-want +got):\n%s", diff)
	}
}

func TestHistoryDriver(t *testing.T) {
	b := newBench(t, storages(1), nil)
	at := b.platform(nil).Source
	eleven := make([]string, iot.MaxHistoryProperties+1)
	for name, read := range map[string]func() (iot.HistoryPage, error){
		"too many": func() (iot.HistoryPage, error) {
			return at.PropertyHistory(t.Context(), battery, eleven, start, start.Add(1))
		},
		"none": func() (iot.HistoryPage, error) {
			return at.PropertyHistory(t.Context(), battery, nil, start, start.Add(1))
		},
		"equal bounds": func() (iot.HistoryPage, error) { return at.EventHistory(t.Context(), battery, "Hot", start, start) },
		"turned bounds": func() (iot.HistoryPage, error) {
			return at.ServiceHistory(t.Context(), battery, "Reboot", start, start.Add(-1))
		},
		"turned, levels": func() (iot.HistoryPage, error) {
			return at.PropertyHistory(t.Context(), battery, eleven[:1], start, start)
		},
	} {
		_, err := read()
		expectKind(t, name, err, iot.Invalid)
	}
	if n := len(b.Calls()); n > 0 {
		t.Errorf("%d APIs were called", n)
	}
	var throttled error
	for range 11 {
		_, throttled = at.PropertyHistory(t.Context(), battery, []string{"Level"}, start.Add(-time.Hour), start)
	}
	expectKind(t, "the 11th call in a second", throttled, iot.Throttled)
}

func TestModelVersions(t *testing.T) {
	f := storages(1)
	f.Products = append(f.Products, custom(meter, iot.Direct))
	at := newBench(t, f, nil).platform(nil).Source
	versions := must(at.ModelVersions(t.Context(), storage))
	if len(versions) != 1 || versions[0].Published.IsZero() {
		t.Fatalf("got versions %v, want one", versions)
	}
	if got := must(at.ThingModelVersion(t.Context(), storage, versions[0].Version)); string(got) != storageTSL {
		t.Errorf("got %s", got)
	}
	if got, err := at.ModelVersions(t.Context(), meter); err != nil || len(got) > 0 {
		t.Errorf("a product without a model: got %v, %v", got, err)
	}
	_, err := at.ModelVersions(t.Context(), "a1Nothing01")
	expectKind(t, "no product", err, iot.NotFound)
	_, err = at.ThingModelVersion(t.Context(), storage, "v9")
	expectKind(t, "no version", err, iot.NotFound)
	_, err = at.ThingModelVersion(t.Context(), storage, "")
	expectKind(t, "an empty version", err, iot.Invalid)
}
