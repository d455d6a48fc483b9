package fake_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

var battery = id(storage, "s-0001")

func noQuotas(o *fake.Options, _ *fake.Quirks) { o.Quotas = fake.NoQuotas }

// historyOf reads a property, an event or a service to its end and returns the rows as "ms value".
func historyOf(t testing.TB, read func(from time.Time) (iot.HistoryPage, error), from time.Time) []string {
	t.Helper()
	var rows []iot.HistoryRow
	for {
		page, err := read(from)
		if err != nil {
			t.Fatal(err)
		}
		if !page.Next.IsZero() && !page.Next.After(from) {
			t.Fatalf("the next page begins at %v, this one at %v", page.Next, from)
		}
		for _, r := range page.Rows {
			if page.Next.IsZero() || r.At.Before(page.Next) {
				rows = append(rows, r)
			}
		}
		if from = page.Next; from.IsZero() {
			break
		}
	}
	var list []string
	for _, r := range rows {
		list = append(list, strings.TrimSpace(fmt.Sprint(r.At.UnixMilli(), " ", string(r.Value), " ", string(r.Input))))
	}
	return list
}

func levels(t testing.TB, at iot.HistoryReader, d iot.DeviceID, from, to time.Time) []string {
	t.Helper()
	return historyOf(t, func(from time.Time) (iot.HistoryPage, error) {
		return at.PropertyHistory(t.Context(), d, []string{"Level"}, from, to)
	}, from)
}

func hots(t testing.TB, at iot.HistoryReader, d iot.DeviceID, from, to time.Time) []string {
	t.Helper()
	return historyOf(t, func(from time.Time) (iot.HistoryPage, error) {
		return at.EventHistory(t.Context(), d, "Hot", from, to)
	}, from)
}

// timesOf cuts the values off.
func timesOf(rows []string) (list []int64) {
	for _, row := range rows {
		var at int64
		_, _ = fmt.Sscan(row, &at)
		list = append(list, at)
	}
	return list
}

// History is what the device sent: each message that a consumer gets is a row, and there is no other.
func TestHistoryIsWhatWasReported(t *testing.T) {
	f := storages(1)
	f.Products[0].Forwarding = append(f.Products[0].Forwarding, amqp("DEFAULT_GROUP", iot.DeviceData))
	b := newBench(t, f, noQuotas)
	b.drain("", "DEFAULT_GROUP")
	b.clock.Advance(5 * time.Hour)
	var sentLevels, sentHots []string
	for _, m := range b.drain("", "DEFAULT_GROUP") {
		var body struct {
			Items map[string]struct {
				Value json.RawMessage
				Time  int64
			}
			Value json.RawMessage
			Time  int64
		}
		if err := json.Unmarshal(m.Payload, &body); err != nil {
			t.Fatal(err)
		}
		if x, ok := body.Items["Level"]; ok {
			sentLevels = append(sentLevels, fmt.Sprintf("%d %q", x.Time, x.Value))
		} else {
			sentHots = append(sentHots, fmt.Sprintf("%d %q", body.Time, body.Value))
		}
	}
	slices.Sort(sentLevels)
	slices.Sort(sentHots)
	at, end := b.platform(nil).Source, b.clock.Now().Add(time.Hour)
	if diff := cmp.Diff(sentLevels, levels(t, at, battery, start, end)); diff != "" || len(sentLevels) != 300 {
		t.Errorf("%d levels (-sent +history):\n%s", len(sentLevels), diff)
	}
	if diff := cmp.Diff(sentHots, hots(t, at, battery, start, end)); diff != "" || len(sentHots) != 30 {
		t.Errorf("%d events (-sent +history):\n%s", len(sentHots), diff)
	}
}

func TestHistoryReachesBackBeforeTheStart(t *testing.T) {
	f := storages(4)
	f.Devices[1].Status, f.Devices[2].Status = iot.Offline, iot.Unactive
	f.Products[0].History = &fleet.History{Seed: 7, Days: 3, EveryMinutes: 60}
	b := newBench(t, f, noQuotas)
	at := b.platform(nil).Source
	for name, want := range map[string]int{"s-0001": 72, "s-0003": 0, "s-0004": 72} {
		if rows := levels(t, at, id(storage, name), start.AddDate(0, 0, -40), start); len(rows) != want {
			t.Errorf("%s: %d rows before the start, want %d", name, len(rows), want)
		}
	}
	if n := len(levels(t, at, id(storage, "s-0002"), start.AddDate(0, 0, -40), start)); n < 47 || n > 71 {
		t.Errorf("a device that went offline within the last day has %d hourly rows of 3 days", n)
	}
	other := storages(4)
	other.Products[0].History = &fleet.History{Seed: 8, Days: 3, EveryMinutes: 60}
	again := newBench(t, other, noQuotas).platform(nil).Source
	from := start.AddDate(0, 0, -4)
	one, two := levels(t, at, battery, from, start), levels(t, again, battery, from, start)
	if cmp.Equal(one, two) || !cmp.Equal(timesOf(one), timesOf(two)) {
		t.Error("another seed has to change the values and nothing else")
	}
}

// The platform keeps 30 days, whenever it is asked.
func TestHistoryIsKeptFor30Days(t *testing.T) {
	b := newBench(t, storages(1), func(o *fake.Options, q *fake.Quirks) {
		o.Quotas, q.ReportEvery = fake.NoQuotas, time.Hour
	})
	at := b.platform(nil).Source
	for range 4 {
		now := b.clock.Now()
		rows := timesOf(levels(t, at, battery, now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0)))
		if len(rows) != 720 || rows[0] < now.Add(-iot.HistoryKept).UnixMilli() || rows[719] > now.UnixMilli() {
			t.Errorf("on %v: %d rows from %d to %d", now, len(rows), rows[0], rows[len(rows)-1])
		}
		b.clock.Advance(9*24*time.Hour + 7*time.Minute)
	}
}

// However the rows lie and are cut into pages, all are read, in order, and none is made up.
func TestPagesOfHistoryHaveEveryRow(t *testing.T) {
	const seed = 20260301
	r := rand.New(rand.NewPCG(seed, 1))
	copies := func(x fake.HistoryRow) fake.RowFault {
		n := x.At.UnixMilli() / 60_000
		return fake.RowFault{Gap: n%7 == 0 || n%100 > 80, Copies: int(n%5) % 3}
	}
	b := newBench(t, storages(1), func(o *fake.Options, _ *fake.Quirks) { o.Quotas, o.History = fake.NoQuotas, copies })
	from, to := start.Add(-20*time.Hour).UnixMilli(), start.UnixMilli()
	whole := b.descend(t, to, from, 50)
	for range 20 {
		size := 3 + r.IntN(48)
		up, down := b.ascend(t, from, to, size), b.descend(t, to, from, size)
		slices.Reverse(down)
		if diff := cmp.Diff(up, down); diff != "" || len(up) != len(whole) || len(up) < 800 {
			t.Fatalf("seed %d, pages of %d: %d and %d rows (-ascending +descending):\n%s", seed, size, len(up), len(down), diff)
		}
	}
}

func (b *bench) request(from, to int64, asc, size int) fake.HistoryRequest {
	return fake.HistoryRequest{
		ProductKey: storage, DeviceName: "s-0001", Identifier: "Level", StartTime: from, EndTime: to, Asc: asc, PageSize: size,
	}
}

// ascend reads all pages, and leaves out of each what comes again.
func (b *bench) ascend(t *testing.T, from, to int64, size int) (list []fake.PropertyData) {
	t.Helper()
	for {
		page := must(b.QueryDevicePropertyData(t.Context(), b.request(from, to, 1, size)))
		for _, x := range page.PropertyInfo {
			if !page.NextValid || x.Time < page.NextTime {
				list = append(list, x)
			}
		}
		if from = page.NextTime; !page.NextValid {
			return list
		}
	}
}

func (b *bench) descend(t *testing.T, from, to int64, size int) (list []fake.PropertyData) {
	t.Helper()
	for {
		page := must(b.QueryDevicePropertyData(t.Context(), b.request(from, to, 0, size)))
		for _, x := range page.PropertyInfo {
			if !page.NextValid || x.Time > page.NextTime {
				list = append(list, x)
			}
		}
		if from = page.NextTime; !page.NextValid {
			return list
		}
	}
}

// More rows of one time than fit on a page do not hold the reader up.
func TestPagesOfHistoryGoOn(t *testing.T) {
	b := newBench(t, storages(1), func(o *fake.Options, _ *fake.Quirks) {
		o.Quotas, o.History = fake.NoQuotas, func(fake.HistoryRow) fake.RowFault { return fake.RowFault{Copies: 200} }
	})
	times := map[int64]bool{}
	from, pages := start.Add(-time.Hour).UnixMilli(), 0
	for valid := true; valid; pages++ {
		page := must(b.QueryDevicePropertyData(t.Context(), b.request(from, start.UnixMilli(), 1, 50)))
		for _, x := range page.PropertyInfo {
			times[x.Time] = true
		}
		from, valid = page.NextTime, page.NextValid
	}
	if len(times) != 60 || pages > 61 {
		t.Errorf("%d times on %d pages, want 60 on 61 at most", len(times), pages)
	}
}

func TestSeveralPropertiesOnAPage(t *testing.T) {
	late := start.Add(-30 * time.Minute)
	b := newBench(t, storages(1), func(o *fake.Options, _ *fake.Quirks) {
		o.History = func(x fake.HistoryRow) fake.RowFault {
			return fake.RowFault{Gap: x.Identifier == "Mode" && x.At.Before(late)}
		}
	})
	page, err := b.platform(nil).Source.PropertyHistory(t.Context(), battery, []string{"Site", "Mode", "At", "Nothing"}, start.Add(-3*time.Hour), start)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	var order []string
	for _, r := range page.Rows {
		if counts[r.Identifier]++; counts[r.Identifier] == 1 {
			order = append(order, r.Identifier)
		}
	}
	if diff := cmp.Diff([]string{"Site", "Mode", "At"}, order); diff != "" || counts["Site"] != 100 || counts["Mode"] != 30 || counts["At"] != 100 {
		t.Errorf("got %v rows (-want +got):\n%s", counts, diff)
	}
	if want := page.Rows[99].At.Add(time.Minute); !page.Next.Equal(want) {
		t.Errorf("the next page begins at %v, want %v: behind the last row of Site", page.Next, want)
	}
	if text := string(page.Rows[len(page.Rows)-1].Value); !strings.HasPrefix(text, `"{\"X\":`) {
		t.Errorf("a struct is %s, want its JSON as a text", text)
	}
}

func TestHistoryIsRefused(t *testing.T) {
	b := newBench(t, storages(1), noQuotas)
	ten := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	many := func(change func(*fake.QueryDevicePropertiesDataRequest)) error {
		r := fake.QueryDevicePropertiesDataRequest{
			ProductKey: storage, DeviceName: "s-0001", Identifier: ten, StartTime: 1, EndTime: 2, Asc: 1, PageSize: 100,
		}
		change(&r)
		_, err := b.QueryDevicePropertiesData(t.Context(), r)
		return err
	}
	one := func(change func(*fake.HistoryRequest)) error {
		r := b.request(1, 2, 1, 50)
		change(&r)
		_, err := b.QueryDeviceEventData(t.Context(), r)
		return err
	}
	for name, c := range map[string]struct {
		err  error
		code string
	}{
		"fine":             {many(func(*fake.QueryDevicePropertiesDataRequest) {}), ""},
		"11 properties":    {many(func(r *fake.QueryDevicePropertiesDataRequest) { r.Identifier = append(ten, "k") }), "iot.device.NoneDeviceProperties"},
		"no property":      {many(func(r *fake.QueryDevicePropertiesDataRequest) { r.Identifier = nil }), "iot.device.NoneDeviceProperties"},
		"101 rows":         {many(func(r *fake.QueryDevicePropertiesDataRequest) { r.PageSize = 101 }), "iot.common.InvalidPageParams"},
		"end before start": {many(func(r *fake.QueryDevicePropertiesDataRequest) { r.EndTime = 0 }), "iot.device.InvalidTimeBucket"},
		"down, upwards":    {many(func(r *fake.QueryDevicePropertiesDataRequest) { r.Asc = 0 }), "iot.device.InvalidTimeBucket"},
		"51 rows":          {one(func(r *fake.HistoryRequest) { r.PageSize = 51 }), "iot.common.InvalidPageParams"},
		"no rows":          {one(func(r *fake.HistoryRequest) { r.PageSize = 0 }), "iot.common.InvalidPageParams"},
		"an order":         {one(func(r *fake.HistoryRequest) { r.Asc = 2 }), "iot.device.InvalidTimeBucket"},
		"before 1970":      {one(func(r *fake.HistoryRequest) { r.StartTime = -1 }), "iot.device.InvalidTimeBucket"},
		"no device":        {one(func(r *fake.HistoryRequest) { r.DeviceName = "s-0099" }), "iot.device.NotExistedDevice"},
		"no product":       {one(func(r *fake.HistoryRequest) { r.IotInstanceId = target }), "iot.prod.NotExistedProduct"},
		"no instance":      {one(func(r *fake.HistoryRequest) { r.IotInstanceId = "iot-x" }), "iot.Sre.IotInstanceNotFound"},
		"all of time":      {one(func(r *fake.HistoryRequest) { r.EndTime = 1<<63 - 1 }), ""},
	} {
		if got := codeOf(c.err); got != c.code {
			t.Errorf("%s: got %v, want code %q", name, c.err, c.code)
		}
	}
}
