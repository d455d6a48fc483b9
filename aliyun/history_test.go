package aliyun_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

var (
	battery      = iot.DeviceID{ProductKey: migratetest.ThingModelProduct, DeviceName: "battery-0000"}
	historyStart = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
)

// historyPages reads everything that a device has, page by page.
func historyPages(ctx context.Context, at iot.HistoryReader, id iot.DeviceID, from, to time.Time) []said {
	var list []said
	read := func(call func(from time.Time) (iot.HistoryPage, error)) {
		for next := from; ; {
			page, err := call(next)
			list = append(list, saidBy(page, err))
			if next = page.Next; next.IsZero() {
				return
			}
		}
	}
	read(func(from time.Time) (iot.HistoryPage, error) {
		return at.PropertyHistory(ctx, id, []string{"Nothing", "Charge"}, from, to)
	})
	read(func(from time.Time) (iot.HistoryPage, error) { return at.EventHistory(ctx, id, "Nothing", from, to) })
	for _, service := range []string{"Check", "Calibrate"} {
		read(func(from time.Time) (iot.HistoryPage, error) { return at.ServiceHistory(ctx, id, service, from, to) })
	}
	return append(list,
		saidBy(at.PropertyHistory(ctx, id, make([]string, 11), from, to)), saidBy(at.EventHistory(ctx, id, "Nothing", to, to)),
		saidBy(at.PropertyHistory(ctx, id, []string{"Charge"}, from.Add(time.Microsecond), from.Add(time.Millisecond))))
}

// The adapter, over sockets, reads the same pages as the driver of the platform in memory, before a move and after it.
func TestHistoryIsTheSameAsInMemory(t *testing.T) {
	worlds := []*world{
		newWorld(t, smallFleet(), fake.Options{Quotas: fake.NoQuotas}), newWorld(t, smallFleet(), fake.Options{Quotas: fake.NoQuotas}),
	}
	wire := openClient(t, testConfig(worlds[0].serve(t))).Platform()
	memory, err := worlds[1].Platform(testTarget, nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	check := func(when string) {
		t.Helper()
		for name, pair := range map[string][2]iot.Instance{"source": {memory.Source, wire.Source}, "target": {memory.Target, wire.Target}} {
			from, to := worlds[0].clock.Now().Add(-5*time.Hour), worlds[0].clock.Now()
			want := historyPages(t.Context(), pair[0], battery, from, to)
			got := historyPages(t.Context(), pair[1], battery, from, to)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, %s (-memory +wire):\n%s", name, when, diff)
			}
			for _, s := range want {
				if page, ok := s.Value.(iot.HistoryPage); ok {
					rows += len(page.Rows)
				}
			}
		}
	}
	check("at the start")
	for i, w := range worlds {
		w.ready(t, migratetest.ThingModelProduct, "battery-0001")
		if err := w.Console().DataSync(t.Context(), w.Console().Tasks()[0].ID, true); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			if _, err := []iot.Platform{wire, memory}[i].Source.Invoke(t.Context(), battery, "Check", json.RawMessage(`{"deep": "yes"}`)); err != nil {
				t.Fatal(err)
			}
			w.clock.Advance(time.Minute)
		}
	}
	check("while it is synchronised")
	for i, p := range []iot.Platform{wire, memory} {
		if _, err := p.Mover.Move(t.Context(), battery.ProductKey, []string{battery.DeviceName}); err != nil {
			t.Fatal(err)
		}
		worlds[i].clock.Advance(time.Hour)
	}
	check("after the move")
	if rows < 900 {
		t.Errorf("only %d rows were compared", rows)
	}
}

func TestModelVersions(t *testing.T) {
	w := newWorld(t, smallFleet(), fake.Options{Quotas: fake.NoQuotas})
	at := openClient(t, testConfig(w.serve(t))).Platform().Source
	versions, err := at.ModelVersions(t.Context(), migratetest.ThingModelProduct)
	if err != nil || len(versions) != 1 || versions[0].Published.IsZero() {
		t.Fatalf("got %v, %v; want one version", versions, err)
	}
	model, err := at.ThingModelVersion(t.Context(), migratetest.ThingModelProduct, versions[0].Version)
	newest, _ := at.ThingModel(t.Context(), migratetest.ThingModelProduct)
	if err != nil || string(model) != string(newest) {
		t.Errorf("got %s, %v; want the only one", model, err)
	}
	if got, err := at.ModelVersions(t.Context(), migratetest.DirectProduct); err != nil || len(got) > 0 {
		t.Errorf("a product without a model: got %v, %v", got, err)
	}
	_, err = at.ModelVersions(t.Context(), "a1Nothing01")
	expectKind(t, "no product", err, iot.NotFound)
	_, err = at.ThingModelVersion(t.Context(), migratetest.ThingModelProduct, "v9")
	expectKind(t, "no version", err, iot.NotFound)
	_, err = at.ThingModelVersion(t.Context(), migratetest.ThingModelProduct, "")
	expectKind(t, "an empty version", err, iot.Invalid)
}

// What is asked of the platform, and what is made of an answer whose rows lie at the bounds.
func TestHistoryBounds(t *testing.T) {
	from := historyStart.Add(time.Microsecond)
	first := historyStart.UnixMilli() + 1
	s := says(fromJSON(t, fmt.Sprintf(`{"NextValid":true,"NextTime":%d,"PropertyDataInfos":{"PropertyDataInfo":[
		{"Identifier":"B","List":{"PropertyInfo":[{"Time":%d,"Value":"1.50"},{"Time":%d,"Value":"2"}]}},
		{"Identifier":"C","List":{"PropertyInfo":[{"Time":%d,"Value":"3"}]}},
		{"Identifier":"A","List":{"PropertyInfo":[{"Time":"%d","Value":4.5},{"Time":%d,"Value":"5"}]}}
	]}}`, first+5, first, first+60_000, first, first+5, first-1)))
	got, err := s.client(t).Platform().Source.PropertyHistory(t.Context(), battery, []string{"A", "B"}, from, from.Add(time.Minute))
	row := func(identifier string, ms int64, value string) iot.HistoryRow {
		return iot.HistoryRow{Identifier: identifier, At: time.UnixMilli(ms).UTC(), Value: json.RawMessage(value)}
	}
	want := iot.HistoryPage{
		Rows: []iot.HistoryRow{row("A", first+5, `4.5`), row("B", first, `"1.50"`)}, Next: time.UnixMilli(first + 5).UTC(),
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	sent := s.last(t)
	for name, want := range map[string]string{
		"StartTime": fmt.Sprint(first), "EndTime": fmt.Sprint(first + 60_000), "Asc": "1", "PageSize": "100",
		"Identifier.1": "A", "Identifier.2": "B", "DeviceName": "battery-0000",
	} {
		if sent.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, sent.Get(name), want)
		}
	}
}

// An answer that contradicts itself is no page: its reader would lose rows, or read for ever.
func TestStrangeHistory(t *testing.T) {
	ms := historyStart.UnixMilli()
	for name, data := range map[string]string{
		"no way on": fmt.Sprintf(`{"NextValid":true,"NextTime":%d,"List":{"EventInfo":[]}}`, ms),
		"no time":   `{"List":{"EventInfo":[{"Time":"soon","OutputData":"{}"}]}}`,
	} {
		s := &script{answer: func(string, url.Values) any { return fromJSON(t, `{"Data":`+data+`}`) }}
		_, err := s.client(t).Platform().Source.EventHistory(t.Context(), battery, "Hot", historyStart, historyStart.Add(time.Hour))
		expectKind(t, name, err, iot.Transient)
	}
	s := says(nil)
	at := s.client(t).Platform().Source
	for name, read := range map[string]func() (iot.HistoryPage, error){
		"no name": func() (iot.HistoryPage, error) {
			return at.EventHistory(t.Context(), battery, "", historyStart, historyStart.Add(1))
		},
		"no device": func() (iot.HistoryPage, error) {
			return at.EventHistory(t.Context(), iot.DeviceID{}, "Hot", historyStart, historyStart.Add(1))
		},
		"turned bounds": func() (iot.HistoryPage, error) {
			return at.ServiceHistory(t.Context(), battery, "Check", historyStart, historyStart)
		},
		"no properties": func() (iot.HistoryPage, error) {
			return at.PropertyHistory(t.Context(), battery, nil, historyStart, historyStart.Add(1))
		},
	} {
		_, err := read()
		expectKind(t, name, err, iot.Invalid)
	}
	if len(s.calls) > 0 {
		t.Errorf("%d calls were made", len(s.calls))
	}
}
