package aliyun_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/aliyun"
	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate/migratetest"
	"github.com/iotferry/iotferry/quota"
)

// A shelf is a product whose devices change while they are being listed.
type shelf struct {
	devices  []shelved // oldest first
	next     int       // the serial number of the next device
	before   func(api string, q url.Values)
	calls    map[string]int
	byStatus map[string][]shelved // nil after a change
}

type shelved struct {
	serial int
	status string // 0, 1, 3 or 8
}

func (d shelved) name() string { return fmt.Sprintf("d-%07d", d.serial) }

func newShelf(n int) *shelf {
	s := &shelf{calls: map[string]int{}}
	for range n {
		s.create("1")
	}
	for i := range s.devices {
		s.devices[i].status = []string{"1", "1", "3", "1", "0", "8"}[i%6]
	}
	return s
}

func (s *shelf) create(status string) {
	s.devices = append(s.devices, shelved{s.next, status})
	s.next++
	s.byStatus = nil
}

// page returns an answer with a page of a list, which is kept oldest first and shown newest first.
func page(wrapper, token string, total int, list []shelved, size, skip int) []byte {
	out := fmt.Appendf(nil, `{"Success":true,"Total":%d,"NextToken":%q,"Data":{%q:[`, total, token, wrapper)
	list = list[:max(0, len(list)-skip)]
	for i := range min(size, len(list)) {
		if i > 0 {
			out = append(out, ',')
		}
		d := list[len(list)-1-i]
		word := map[string]string{"0": "UNACTIVE", "1": "ONLINE", "3": "OFFLINE", "8": "DISABLE"}[d.status]
		status := "Status"
		if wrapper == "DeviceInfo" {
			status = "DeviceStatus"
		}
		out = fmt.Appendf(out, `{"DeviceName":%q,%q:%q}`, d.name(), status, word)
	}
	return append(out, "]}}"...)
}

func number(q url.Values, name string) int {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil {
		panic(err) // the adapter's mistake
	}
	return n
}

func (s *shelf) answer(api string, q url.Values) any {
	s.calls[api]++
	if s.before != nil {
		s.before(api, q)
	}
	size, number := number(q, "PageSize"), number(q, "CurrentPage")
	if api == "QueryDeviceByStatus" {
		list := s.withStatus(q.Get("Status"))
		return page("SimpleDeviceInfo", "", len(list), list, size, (number-1)*size)
	}
	list, token := s.devices, ""
	if last, err := strconv.Atoi(q.Get("NextToken")); err == nil {
		rank, _ := slices.BinarySearchFunc(list, last, func(d shelved, serial int) int { return d.serial - serial })
		list = list[:rank]
	} else if number*size > 10_000 {
		return &fake.APIError{Code: "iot.common.InvalidPageParams"}
	}
	if len(list) > size {
		token = strconv.Itoa(list[len(list)-size].serial)
	}
	return page("DeviceInfo", token, len(s.devices), list, size, 0)
}

func (s *shelf) withStatus(status string) []shelved {
	if s.byStatus == nil {
		s.byStatus = map[string][]shelved{}
		for _, d := range s.devices {
			s.byStatus[d.status] = append(s.byStatus[d.status], d)
		}
	}
	return s.byStatus[status]
}

// change gives the newest device of a status another one.
func (s *shelf) change(from, to string) {
	was := s.withStatus(from)
	d := was[len(was)-1]
	s.byStatus[from] = was[:len(was)-1]
	d.status = to
	bySerial := func(d shelved, serial int) int { return d.serial - serial }
	rank, _ := slices.BinarySearchFunc(s.byStatus[to], d.serial, bySerial)
	s.byStatus[to] = slices.Insert(s.byStatus[to], rank, d)
	rank, _ = slices.BinarySearchFunc(s.devices, d.serial, bySerial)
	s.devices[rank] = d
}

// delete deletes a device.
func (s *shelf) delete(i int) { s.devices, s.byStatus = slices.Delete(s.devices, i, i+1), nil }

// listed lists the shelf and fails the test for a device that comes twice.
func (s *shelf) listed(t *testing.T, change ...func(*aliyun.Config)) map[string]bool {
	t.Helper()
	got := map[string]bool{}
	client := (&script{answer: s.answer, forget: true}).client(t, change...)
	for d, err := range client.Platform().Source.Devices(t.Context(), meter) {
		if err != nil {
			t.Fatal(err)
		}
		if got[d.ID.DeviceName] || d.ID.ProductKey != meter || d.Status == "" {
			t.Fatalf("%+v came twice, or is not whole", d)
		}
		got[d.ID.DeviceName] = true
	}
	return got
}

// expectAll fails the test unless every device that is on the shelf was listed.
func (s *shelf) expectAll(t *testing.T, got map[string]bool) {
	t.Helper()
	missing := 0
	for _, d := range s.devices {
		if !got[d.name()] {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d devices were left out", missing, len(s.devices))
	}
}

const large = 100_020

func TestDevicesByToken(t *testing.T) {
	s := newShelf(20_025)
	s.before = func(api string, q url.Values) { // devices leave that were listed already, and others
		if n := s.calls[api]; n%10 == 0 {
			s.delete(len(s.devices) - 1)
			s.delete(0)
		}
	}
	s.expectAll(t, s.listed(t))
	if n := s.calls["QueryDevice"]; n < 398 || n > 401 || len(s.calls) != 1 {
		t.Errorf("calls %v, want one for each 50 devices", s.calls)
	}
}

func TestDevicesNewestFirst(t *testing.T) {
	s := newShelf(120)
	var got []string
	for d, err := range (&script{answer: s.answer}).client(t).Platform().Source.Devices(t.Context(), meter) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, d.ID.DeviceName)
	}
	if !slices.IsSortedFunc(got, func(a, b string) int { return strings.Compare(b, a) }) || len(got) != 120 {
		t.Errorf("%d devices, %v", len(got), got)
	}
}

// Devices that change their status shift the pages, and others are skipped. They are found in another round.
func TestLargeProductWhoseDevicesComeAndGo(t *testing.T) {
	s := newShelf(large)
	skipped := 0
	s.before = func(api string, q url.Values) {
		if n := s.calls[api]; api != "QueryDeviceByStatus" || n%7 != 0 {
			return
		}
		if q.Get("Status") == "1" && number(q, "CurrentPage") > 1 {
			skipped++
		}
		s.change("1", "3") // the pages of those that are online shift by one
	}
	s.expectAll(t, s.listed(t))
	if rounds := s.calls["QueryDevice"] - 1; rounds < 2 || rounds > 3 || skipped == 0 {
		t.Errorf("%d rounds with %d devices skipped, calls %v", rounds, skipped, s.calls)
	}
}

// One device that is created while another is deleted does not hide that a third was skipped.
func TestLargeProductIsNotTakenForWhole(t *testing.T) {
	s := newShelf(large)
	s.before = func(api string, q url.Values) {
		if api != "QueryDeviceByStatus" || s.calls[api] != 500 {
			return
		}
		s.delete(slices.IndexFunc(s.devices, func(d shelved) bool { return d.status == "0" })) // it was seen
		s.create("8")
		s.change("1", "0") // whose list is over: one that is online is skipped
	}
	s.expectAll(t, s.listed(t))
}

// A product that never stands still is walked in the end, at the pace of deep pages.
func TestLargeProductThatNeverStandsStill(t *testing.T) {
	s := newShelf(large)
	s.before = func(api string, q url.Values) {
		if api == "QueryDeviceByStatus" && q.Get("Status") == "8" && q.Get("CurrentPage") == "1" {
			s.create("1")
		}
	}
	p := &countingPacer{asked: map[string]int{}}
	s.expectAll(t, s.listed(t, func(c *aliyun.Config) { c.Pacer = p }))
	deep := (s.next+49)/50 - (2000 - 1)
	if want := s.calls["QueryDevice"] + 24*deep; p.asked["QueryDevice"] != want {
		t.Errorf("asked %d times for %d calls, %d of them deep: want %d", p.asked["QueryDevice"], s.calls["QueryDevice"], deep, want)
	}
	if s.calls["QueryDevice"] < large/50 {
		t.Errorf("calls %v: it was not walked", s.calls)
	}
}

// A countingPacer counts what it was asked.
type countingPacer struct {
	noPace
	mu    sync.Mutex
	asked map[string]int
}

func (p *countingPacer) Wait(ctx context.Context, api string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked[api]++
	return ctx.Err()
}

// A product that no documented way lists whole is refused at once, with what to do.
func TestProductBeyondReach(t *testing.T) {
	s := says(map[string]any{"Total": 1_000_000, "NextToken": "x", "Data": map[string]any{"DeviceInfo": []any{map[string]any{"DeviceName": "m-0001"}}}})
	got := all(s.client(t).Platform().Source.Devices(t.Context(), meter))
	if got.Error != "invalid " || len(s.calls) != 1 {
		t.Errorf("got %+v after %d calls", got, len(s.calls))
	}
}

// What a large product's list ends with when something goes wrong in the midst of it, or nobody wants more.
func TestLargeProductEnds(t *testing.T) {
	s := newShelf(large)
	broken := &script{forget: true, answer: func(api string, q url.Values) any {
		if q.Get("Status") == "1" && q.Get("CurrentPage") == "3" {
			return &fake.APIError{HTTPStatus: 400, Code: "Throttling.User"}
		}
		return s.answer(api, q)
	}}
	client := broken.client(t)
	errs := 0
	for d, err := range client.Platform().Source.Devices(t.Context(), meter) {
		if err != nil {
			errs++
			expectKind(t, "devices", err, iot.Throttled)
			if !d.ID.IsZero() {
				t.Errorf("%v beside the error", d)
			}
		}
	}
	before := s.calls["QueryDeviceByStatus"]
	for range client.Platform().Source.Devices(t.Context(), meter) {
		break
	}
	if after := s.calls["QueryDeviceByStatus"]; errs != 1 || after != before+1 {
		t.Errorf("%d errors; %d calls for one device", errs, after-before)
	}
}

// A large product that stands still is listed by status in one round: no page is deep, no quota exceeded, and nothing
// slower than they allow.
func TestLargeProductWithinQuotas(t *testing.T) {
	file := migratetest.Generate(migratetest.GenerateOptions{Direct: large, OfflineEvery: 3})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, file, fake.Options{Clock: iot.SystemClock()})
		governor, err := quota.New(nil, quota.Documented())
		if err != nil {
			t.Fatal(err)
		}
		config := testConfig("http://platform.invalid")
		config.Transport, config.Pacer = inProcess{w.handler}, governor
		began := time.Now()
		got := all(openClient(t, config).Platform().Source.Devices(t.Context(), migratetest.DirectProduct))
		if list, _ := got.Value.([]iot.Device); len(list) != large {
			t.Fatalf("%d devices, %s", len(list), got.Error)
		}
		want := []fake.CallCount{
			{Kind: fake.APIOp, Name: "QueryDevice", Calls: 2}, {Kind: fake.APIOp, Name: "QueryDeviceByStatus", Calls: large/50 + 3},
		}
		if diff := cmp.Diff(want, w.Calls()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if took := time.Since(began); took < 40*time.Second || took > 46*time.Second {
			t.Errorf("it took %v, want 2,001 pages at 49/s, of which a tenth is kept for others", took)
		}
	})
}
