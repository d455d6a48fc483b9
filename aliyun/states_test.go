package aliyun_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// statesAnswer says of each device that it is online.
func statesAnswer(names ...string) map[string]any {
	var rows []any
	for _, name := range names {
		rows = append(rows, map[string]any{"DeviceName": name, "Status": "ONLINE"})
	}
	return map[string]any{"DeviceStatusList": map[string]any{"DeviceStatus": rows}}
}

// list returns a repeated parameter.
func list(q url.Values, name string) (out []string) {
	for i := 1; q.Has(fmt.Sprintf("%s.%d", name, i)); i++ {
		out = append(out, q.Get(fmt.Sprintf("%s.%d", name, i)))
	}
	return out
}

func TestStates(t *testing.T) {
	s := says(fromJSON(t, `{"DeviceStatusList":{"DeviceStatus":[
		{"DeviceName":"m-0004","Status":"SLEEPING","LastOnlineTime":null},
		{"DeviceName":"m-0003","Status":"DISABLE"},
		{"DeviceName":"m-0009","Status":"ONLINE"},
		{"DeviceName":"m-0001","Status":"ONLINE","LastOnlineTime":"2026-03-01T09:00:00.123Z"},
		{"DeviceName":"m-0005","Status":"UNACTIVE","LastOnlineTime":""}
	]}}`))
	got, err := s.client(t).Platform().Target.States(t.Context(), meter, names(5))
	state := func(name string, status iot.Status, last time.Time) iot.DeviceState {
		return iot.DeviceState{ID: iot.DeviceID{ProductKey: meter, DeviceName: name}, Status: status, LastOnline: last}
	}
	want := []iot.DeviceState{ // in the order of the names that were asked for; m-0002 is not there
		state("m-0001", iot.Online, time.Date(2026, 3, 1, 9, 0, 0, 123_000_000, time.UTC)),
		state("m-0003", iot.Disabled, time.Time{}),
		state("m-0004", "sleeping", time.Time{}), // not documented: passed on, and equal to nothing known
		state("m-0005", iot.Unactive, time.Time{}),
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if sent := s.last(t); !slices.Equal(list(sent, "DeviceName"), names(5)) || sent.Get("ProductKey") != meter {
		t.Errorf("sent %v", sent)
	}
}

// The form of the platform's times is not documented everywhere.
func TestTimes(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-03-01T09:30:00Z": at, "2026-03-01T09:30:00.000Z": at, "2026-03-01T17:30:00+08:00": at,
		"2026-03-01T17:30:00.000+0800": at, " 2026-03-01T09:30:00Z ": at, "1772357400000": at, "2026-03-01 17:30:00+08:00": at,
		"": {}, "0": {}, "-1": {}, "2026-03-01 09:30:00": {}, "yesterday": {},
	} {
		s := says(map[string]any{"LastConsumerTime": text, "AccumulationCount": "7"})
		got, err := s.client(t).Platform().Source.GroupStatus(t.Context(), "DEFAULT_GROUP")
		if err != nil || got.LastConsumed != want || got.Backlog != 7 {
			t.Errorf("%q: got %+v, %v; want %v", text, got, err, want)
		}
	}
}

func TestStatesRefuses(t *testing.T) {
	s := says(nil)
	at := s.client(t).Platform().Source
	for name, batch := range map[string][]string{"51": names(51), "an empty name": {"m-0001", ""}} {
		_, err := at.States(t.Context(), meter, batch)
		expectKind(t, name, err, iot.Invalid)
	}
	if got, err := at.States(t.Context(), meter, nil); err != nil || got != nil || len(s.calls) > 0 {
		t.Errorf("no names: got %v, %v after %d calls", got, err, len(s.calls))
	}
}

// A product that the instance does not have makes all absent; an instance that does not exist is an error.
func TestStatesOfNoProduct(t *testing.T) {
	s := says(&fake.APIError{Code: "iot.prod.NotExistedProduct"})
	if got, err := s.client(t).Platform().Target.States(t.Context(), meter, names(3)); err != nil || len(got) > 0 {
		t.Errorf("no product: got %v, %v", got, err)
	}
	s = says(&fake.APIError{Code: "iot.Sre.IotInstanceNotFound"})
	_, err := s.client(t).Platform().Target.States(t.Context(), meter, names(3))
	expectKind(t, "no instance", err, iot.NotFound)
}

// A platform that refuses a batch for one device that it does not have is asked until that device is found.
func TestStatesWhereOneDeviceSpoilsTheBatch(t *testing.T) {
	gone := map[string]bool{"m-0001": true, "m-0017": true, "m-0018": true}
	s := &script{answer: func(_ string, q url.Values) any {
		batch := list(q, "DeviceName")
		if slices.ContainsFunc(batch, func(name string) bool { return gone[name] }) {
			return &fake.APIError{Code: "iot.device.NotExistedDevice"}
		}
		return statesAnswer(batch...)
	}}
	got, err := s.client(t).Platform().Source.States(t.Context(), meter, names(20))
	if err != nil {
		t.Fatal(err)
	}
	var there []string
	for _, state := range got {
		there = append(there, state.ID.DeviceName)
	}
	want := slices.DeleteFunc(names(20), func(name string) bool { return gone[name] })
	if diff := cmp.Diff(want, there); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// An error in the midst of that is an error of the whole: a device that was not looked for is not absent.
func TestStatesAreNotGuessed(t *testing.T) {
	s := &script{answer: func(_ string, q url.Values) any {
		switch batch := list(q, "DeviceName"); {
		case len(batch) == 20:
			return &fake.APIError{Code: "iot.device.NotExistedDevice"}
		case slices.Contains(batch, "m-0020"):
			return &fake.APIError{HTTPStatus: 400, Code: "Throttling.User"}
		default:
			return statesAnswer(batch...)
		}
	}}
	got, err := s.client(t).Platform().Source.States(t.Context(), meter, names(20))
	expectKind(t, "throttled on the way", err, iot.Throttled)
	if got != nil {
		t.Errorf("got %v beside the error", got)
	}
}
