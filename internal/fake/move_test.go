package fake_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

func meters(n int, change func(i int, d *fleet.Device)) *fleet.Fleet {
	f := newFleet()
	f.Products = append(f.Products, custom(meter, iot.Direct, rule("/+/user/update", "OTS"), rule("/+/user/alarm", "FC")))
	add(f, meter, names("m", n), change)
	return f
}

func TestMovedDeviceIsCutOffAndComesBackOnTheTarget(t *testing.T) {
	b := newBench(t, meters(20, nil), nil)
	b.ready(meter, "m-0001")
	before := b.clock.Now()
	b.move(meter, "m-0002")

	got := b.truth(meter, "m-0002")
	want := fake.Truth{ID: id(meter, "m-0002"), Instance: target, Status: iot.Offline, Moved: 1, Kicked: 1, LastSeen: before}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("after the move (-want +got):\n%s", d)
	}
	b.clock.Advance(8 * time.Second)
	got = b.truth(meter, "m-0002")
	if !got.Served.After(before) || got.Served.After(b.clock.Now()) {
		t.Errorf("8 s later it is served since %v, and moved at %v", got.Served, before)
	}
	want.Status, want.Alive, want.LastSeen, want.Served = iot.Online, true, b.clock.Now(), got.Served
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("8 s later (-want +got):\n%s", d)
	}
	p := b.platform(nil)
	if states := must(p.Source.States(t.Context(), meter, []string{"m-0002"})); len(states) != 0 {
		t.Errorf("the source still shows %v", states)
	}
	states := must(p.Target.States(t.Context(), meter, []string{"m-0002"}))
	if len(states) != 1 || states[0].Status != iot.Online || !states[0].LastOnline.After(before.Add(2*time.Second)) {
		t.Errorf("the target shows %v, want it online since its move", states)
	}
}

func TestMoveKeepsTheStatusOfDevicesThatWereNotOnline(t *testing.T) {
	status := []iot.Status{iot.Online, iot.Offline, iot.Unactive, iot.Disabled, iot.Online}
	b := newBench(t, meters(5, func(i int, d *fleet.Device) {
		d.Status = status[i]
		d.Reconnects = i != 4
	}), nil)
	b.ready(meter, "m-0001")
	b.move(meter, names("m", 5)[1:]...)
	b.clock.Advance(time.Hour)
	want := []iot.Status{iot.Online, iot.Offline, iot.Unactive, iot.Disabled, iot.Offline}
	for i, name := range names("m", 5) {
		got := b.truth(meter, name)
		if got.Instance != target || got.Status != want[i] {
			t.Errorf("%s: on %q %s, want on %q %s", name, got.Instance, got.Status, target, want[i])
		}
	}
}

func TestNamesBeyondTheTenthAreDroppedWithoutAWord(t *testing.T) {
	b := newBench(t, meters(15, nil), nil)
	b.ready(meter, "m-0001")
	out, err := b.BatchGrayMigrationDevice(t.Context(), fake.BatchGrayMigrationDeviceRequest{
		ProductKey: meter, DeviceNames: names("m", 15)[1:13],
	})
	if err != nil || len(out.Details) != 10 {
		t.Fatalf("%d results, error %v; want 10 results of 12 names", len(out.Details), err)
	}
	for i, name := range names("m", 15) {
		if moved := b.MovedTimes(id(meter, name)) == 1; moved != (i < 11) {
			t.Errorf("%s moved: %v", name, moved)
		}
	}
}

func TestEveryItemSucceedsOrFailsByItself(t *testing.T) {
	b := newBench(t, meters(4, func(i int, d *fleet.Device) { d.Distributed = i == 2 }), nil)
	b.ready(meter, "m-0001")
	got := b.move(meter, "m-0001", "m-0002", "m-0003", "nobody", "m-0002", "m-0004")
	fail := func(name string) fake.MigrationResult {
		return fake.MigrationResult{DeviceName: name, Status: "DEVICE_FAILED", Code: 500, Message: "系统错误"}
	}
	ok := func(name string) fake.MigrationResult {
		return fake.MigrationResult{DeviceName: name, Status: "DEVICE_SUCCEEDED"}
	}
	want := []fake.MigrationResult{fail("m-0001"), ok("m-0002"), fail("m-0003"), fail("nobody"), fail("m-0002"), ok("m-0004")}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("results (-want +got):\n%s", d)
	}
	if n := b.MovedTimes(id(meter, "m-0002")); n != 1 {
		t.Errorf("m-0002 moved %d times, want once", n)
	}
}

func TestProductsThatCannotBeMoved(t *testing.T) {
	tests := map[string]struct {
		change func(*fleet.Product)
		quirk  func(*fake.Quirks)
		moves  bool
	}{
		"plain":              {moves: true},
		"lorawan":            {change: func(p *fleet.Product) { p.Network = iot.LoRaWAN }, moves: true},
		"x509":               {change: func(p *fleet.Product) { p.Auth = iot.AuthX509 }, moves: true},
		"preregistered":      {change: func(p *fleet.Product) { p.Auth = iot.AuthPerProductPreregistered }, moves: true},
		"authorized":         {change: func(p *fleet.Product) { p.Features = []iot.Feature{iot.Authorized} }},
		"data service":       {change: func(p *fleet.Product) { p.Features = []iot.Feature{iot.DataService} }},
		"video":              {change: func(p *fleet.Product) { p.Features = []iot.Feature{iot.Video} }},
		"edge":               {change: func(p *fleet.Product) { p.Features = []iot.Feature{iot.Edge} }},
		"living":             {change: func(p *fleet.Product) { p.Features = []iot.Feature{iot.Living} }},
		"nb-iot":             {change: func(p *fleet.Product) { p.Network = iot.NBIoT }},
		"not preregistered":  {change: func(p *fleet.Product) { p.Auth = iot.AuthPerProductFree }},
		"id2":                {change: func(p *fleet.Product) { p.Auth = iot.AuthID2 }},
		"id2, listed":        {change: func(p *fleet.Product) { p.Auth = iot.AuthID2 }, quirk: func(q *fake.Quirks) { q.ID2Listed = true }, moves: true},
		"unactive, as quirk": {quirk: func(q *fake.Quirks) { q.RefusesUnactive = true }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := meters(2, func(_ int, d *fleet.Device) { d.Status = iot.Unactive })
			if test.change != nil {
				test.change(&f.Products[0])
			}
			b := newBench(t, f, func(_ *fake.Options, q *fake.Quirks) {
				if test.quirk != nil {
					test.quirk(q)
				}
			})
			task := must(b.Console().CreateTask(t.Context(), meter, target))
			got := must(b.Console().Gray(t.Context(), task, []string{"m-0001"}))
			if moved := got[0].Status == "DEVICE_SUCCEEDED"; moved != test.moves {
				t.Errorf("result %+v, want moved %v", got[0], test.moves)
			}
			if where, _ := b.Owner(id(meter, "m-0001")); (where == target) != test.moves {
				t.Errorf("the device is on %q, want moved %v", where, test.moves)
			}
		})
	}
}

func TestAPIMovesOnlyWithAGrayCompletedTask(t *testing.T) {
	b := newBench(t, meters(5, nil), nil)
	ctx := t.Context()
	refused := func(when string) {
		t.Helper()
		b.clock.Advance(time.Second)
		_, err := b.BatchGrayMigrationDevice(ctx, fake.BatchGrayMigrationDeviceRequest{ProductKey: meter, DeviceNames: []string{"m-0005"}})
		if e, ok := errors.AsType[*fake.APIError](err); !ok || e.Code != "iot.system.SystemException" || e.HTTPStatus != 200 {
			t.Errorf("%s: error %v, want SystemException", when, err)
		}
		if n := b.MovedTimes(id(meter, "m-0005")); n != 0 {
			t.Errorf("%s: the device was moved", when)
		}
	}
	refused("no task")
	task := must(b.Console().CreateTask(ctx, meter, target))
	refused("task created")
	must(b.Console().Gray(ctx, task, []string{"m-0001"}))
	refused("first gray batch")
	if err := b.Console().Confirm(ctx, task); err != nil {
		t.Fatal(err)
	}
	if r := b.move(meter, "m-0005"); r[0].Status != "DEVICE_SUCCEEDED" {
		t.Errorf("gray-completed: %+v", r)
	}
	must(b.Console().Rollback(ctx, task, nil))
	b.clock.Advance(time.Minute)
	_, err := b.BatchGrayMigrationDevice(ctx, fake.BatchGrayMigrationDeviceRequest{ProductKey: meter, DeviceNames: []string{"m-0005"}})
	if err == nil {
		t.Error("rolled back: want an error")
	}
}

func TestSixthMoveInASecondIsThrottledAndHasNoEffect(t *testing.T) {
	b := newBench(t, meters(20, nil), nil)
	b.ready(meter, "m-0001")
	call := func(name string) error {
		_, err := b.BatchGrayMigrationDevice(t.Context(), fake.BatchGrayMigrationDeviceRequest{ProductKey: meter, DeviceNames: []string{name}})
		return err
	}
	list := names("m", 20)[1:]
	for _, name := range list[:5] {
		if err := call(name); err != nil {
			t.Fatal(err)
		}
	}
	b.clock.Advance(999 * time.Millisecond)
	err := call(list[5])
	if e, ok := errors.AsType[*fake.APIError](err); !ok || e.HTTPStatus != 400 || e.Code != "Throttling.User" {
		t.Fatalf("sixth call within a second: %v", err)
	}
	if b.MovedTimes(id(meter, list[5])) != 0 {
		t.Error("the throttled call moved its device")
	}
	b.clock.Advance(time.Millisecond)
	if err := call(list[5]); err != nil {
		t.Errorf("a second after the first: %v", err)
	}
	i := slices.IndexFunc(b.Calls(), func(c fake.CallCount) bool { return c.Name == "BatchGrayMigrationDevice" })
	want := fake.CallCount{Kind: fake.APIOp, Name: "BatchGrayMigrationDevice", Calls: 7, Throttled: 1}
	if d := cmp.Diff(want, b.Calls()[i]); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
}

func TestRegistriesLearnOfAMoveLater(t *testing.T) {
	b := newBench(t, meters(200, nil), func(_ *fake.Options, q *fake.Quirks) { q.VisibilityLag = 2 * time.Second })
	b.ready(meter, "m-0001")
	b.clock.Advance(time.Minute)
	p := b.platform(nil)
	both, none := 0, 0
	for batch := range slices.Chunk(names("m", 200)[1:], 10) {
		b.move(meter, batch...)
		source := must(p.Source.States(t.Context(), meter, batch))
		there := must(p.Target.States(t.Context(), meter, batch))
		for _, name := range batch {
			has := func(s iot.DeviceState) bool { return s.ID.DeviceName == name }
			onSource, onTarget := slices.ContainsFunc(source, has), slices.ContainsFunc(there, has)
			switch {
			case onSource && onTarget:
				both++
			case !onSource && !onTarget:
				none++
			}
		}
		for _, s := range source {
			if s.Status != iot.Offline {
				t.Errorf("%s: the source shows a device %s that has left", s.ID, s.Status)
			}
		}
		b.clock.Advance(2 * time.Second)
		if left := must(p.Source.States(t.Context(), meter, batch)); len(left) != 0 {
			t.Errorf("2 s later the source still shows %v", left)
		}
		if arrived := must(p.Target.States(t.Context(), meter, batch)); len(arrived) != len(batch) {
			t.Errorf("2 s later the target shows %d of %d", len(arrived), len(batch))
		}
	}
	if both == 0 || none == 0 {
		t.Errorf("%d devices were on both instances, %d on none: want some of each", both, none)
	}
}

func TestDeviceThatIsCutOffAgainStartsAgain(t *testing.T) {
	b := newBench(t, meters(50, nil), nil)
	task := b.ready(meter, "m-0001")
	results := must(b.Console().Gray(t.Context(), task, names("m", 50)[1:]))
	b.clock.Advance(1900 * time.Millisecond)
	must(b.Console().Rollback(t.Context(), task, nil))
	online := func() (n int) {
		for _, r := range results {
			if b.truth(meter, r.DeviceName).Status == iot.Online {
				n++
			}
		}
		return n
	}
	b.clock.Advance(1999 * time.Millisecond)
	if n := online(); n != 0 {
		t.Errorf("%d devices are back before 2 s", n)
	}
	b.clock.Advance(6001 * time.Millisecond)
	if n := online(); n != len(results) {
		t.Errorf("%d of %d devices are back after 8 s", n, len(results))
	}
}
