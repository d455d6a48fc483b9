package aliyun_test

import (
	"net/url"
	"strconv"
	"testing"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
)

// A list that is not whole, or has no end, is an error.
func TestDevicesOfAListThatContradictsItself(t *testing.T) {
	full := newShelf(50).devices
	tests := map[string]struct {
		pages [][]byte // the last one is repeated
		calls int
	}{
		"no token too early":     {[][]byte{page("DeviceInfo", "", 90_000, full, 50, 0)}, 1},
		"a page is missing":      {[][]byte{page("DeviceInfo", "a", 150, full, 50, 0), page("DeviceInfo", "", 150, full, 50, 0)}, 2},
		"rows are missing":       {[][]byte{page("DeviceInfo", "a", 100, full, 50, 0), page("DeviceInfo", "", 100, full, 50, 1)}, 2},
		"an empty page, a token": {[][]byte{page("DeviceInfo", "a", 90, full, 50, 0), page("DeviceInfo", "b", 90, nil, 50, 0)}, 2},
		"nothing, and a token":   {[][]byte{page("DeviceInfo", "a", 0, nil, 50, 0)}, 1},
		"the same token":         {[][]byte{page("DeviceInfo", "a", 90_000, full, 50, 0)}, 2},
		"a circle of tokens": {[][]byte{
			page("DeviceInfo", "a", 90_000, full, 50, 0), page("DeviceInfo", "b", 90_000, full, 50, 0), page("DeviceInfo", "a", 90_000, full, 50, 0),
		}, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := &script{}
			s.answer = func(string, url.Values) any {
				if len(s.calls) > test.calls {
					return &fake.APIError{Code: "iot.common.InvalidPageParams"}
				}
				return test.pages[min(len(s.calls), len(test.pages))-1]
			}
			errs := 0
			for d, err := range s.client(t).Platform().Source.Devices(t.Context(), meter) {
				if err == nil {
					continue
				}
				errs++
				expectKind(t, "devices", err, iot.Transient)
				if !d.ID.IsZero() {
					t.Errorf("%v beside the error", d)
				}
			}
			if errs != 1 || len(s.calls) != test.calls {
				t.Errorf("%d errors after %d calls, want one after %d", errs, len(s.calls), test.calls)
			}
		})
	}
}

// Devices that are created while a product is walked are not missed: they are newer than where the list began. Nor are those that
// leave, of which some were listed and some are not any more.
func TestDevicesThatComeAndGoAreNotMissed(t *testing.T) {
	for name, happen := range map[string]func(*shelf){
		"come":                      func(s *shelf) { s.create("1") },
		"leave":                     func(s *shelf) { s.delete(0) },
		"leave that were listed":    func(s *shelf) { s.delete(len(s.devices) - 1) },
		"come, and then some leave": func(s *shelf) { happenInTurn(s, s.calls["QueryDevice"]) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(1_000)
			before := map[string]bool{}
			for _, d := range s.devices {
				before[d.name()] = true
			}
			s.before = func(string, url.Values) {
				if s.calls["QueryDevice"] > 1 {
					happen(s)
				}
			}
			got := s.listed(t)
			for _, d := range s.devices {
				if before[d.name()] && !got[d.name()] {
					t.Errorf("%s was left out", d.name())
				}
			}
		})
	}
}

func happenInTurn(s *shelf, call int) {
	if call%2 == 0 {
		s.create("1")
	} else {
		s.delete(0)
	}
}

// A page of a list by numbers has all its rows, or the list is not whole.
func TestPagesWithTooFewRows(t *testing.T) {
	rows := func(n int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = map[string]any{"ProductKey": meter, "DeviceName": "m-" + strconv.Itoa(i)}
		}
		return list
	}
	for name, sizes := range map[string][]int{
		"the first":       {49, 50, 20},
		"a later one":     {50, 1, 20},
		"the last":        {50, 50, 19},
		"an empty one":    {50, 0},
		"nothing at all":  {0},
		"all, one by one": {1},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{}
			s.answer = func(_ string, q url.Values) any {
				n, err := strconv.Atoi(q.Get("PageNo"))
				if err != nil || n > len(sizes) {
					return &fake.APIError{Code: "iot.common.InvalidPageParams"}
				}
				return map[string]any{"Data": map[string]any{"Total": 120, "List": map[string]any{"deviceInfo": rows(sizes[n-1])}}}
			}
			var last error
			gateway := iot.DeviceID{ProductKey: meter, DeviceName: "gateway"}
			for _, err := range s.client(t).Platform().Source.Children(t.Context(), gateway) {
				last = err
			}
			expectKind(t, "children", last, iot.Transient)
		})
	}
}
