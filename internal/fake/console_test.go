package fake_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/internal/fake"
	"github.com/iotferry/iotferry/internal/fake/fleet"
	"github.com/iotferry/iotferry/iot"
)

func TestConsoleRefuses(t *testing.T) {
	tests := map[string]struct {
		fleet func(*fleet.Fleet)
		quirk func(*fake.Quirks)
		do    func(b *bench) error
		want  fake.Reason
		kind  iot.Kind
	}{
		"unknown product": {
			do:   func(b *bench) error { return b.create("a1Nothing01", target) },
			want: fake.NoSuchProduct, kind: iot.NotFound,
		},
		"unknown target": {
			do:   func(b *bench) error { return b.create(meter, "iot-other") },
			want: fake.NoSuchTarget, kind: iot.NotFound,
		},
		"public instance as target": {
			do:   func(b *bench) error { return b.create(meter, "") },
			want: fake.NoSuchTarget, kind: iot.NotFound,
		},
		"quota equal to the devices": {
			fleet: func(f *fleet.Fleet) { f.Instances[1].OnlineQuota = 10 },
			do:    func(b *bench) error { return b.create(meter, target) },
			want:  fake.QuotaTooSmall, kind: iot.Conflict,
		},
		"two targets": {
			fleet: func(f *fleet.Fleet) {
				f.Instances = append(f.Instances, fleet.Instance{ID: "iot-other", Type: iot.EnterpriseStandard, OnlineQuota: 100})
			},
			do:   func(b *bench) error { return errors.Join(b.create(meter, target), b.create(meter, "iot-other")) },
			want: fake.HasTarget, kind: iot.Conflict,
		},
		"sixth running task": {
			fleet: func(f *fleet.Fleet) {
				for i := range 5 {
					f.Products = append(f.Products, custom(fmt.Sprintf("a1More0000%d", i), iot.Direct))
				}
			},
			do: func(b *bench) error {
				for i := range 5 {
					if err := b.create(fmt.Sprintf("a1More0000%d", i), target); err != nil {
						return err
					}
				}
				return b.create(meter, target)
			},
			want: fake.TooManyTasks, kind: iot.Conflict,
		},
		"unknown task": {
			do:   func(b *bench) error { return b.Console().Confirm(b.Context(), "task-9") },
			want: fake.NoSuchTask, kind: iot.NotFound,
		},
		"confirm before a gray batch": {
			do: func(b *bench) error {
				return errors.Join(b.create(meter, target), b.Console().Confirm(b.Context(), "task-1"))
			},
			want: fake.WrongState, kind: iot.Conflict,
		},
		"confirm a batch of which nothing moved": {
			do: func(b *bench) error {
				_, err := b.Console().Gray(b.Context(), must("task-1", b.create(meter, target)), []string{"nobody"})
				return errors.Join(err, b.Console().Confirm(b.Context(), "task-1"))
			},
			want: fake.NothingMoved, kind: iot.Conflict,
		},
		"full before the confirmation": {
			do: func(b *bench) error {
				must(b.Console().Gray(b.Context(), must("task-1", b.create(meter, target)), []string{"m-0001"}))
				return b.Console().Full(b.Context(), "task-1")
			},
			want: fake.WrongState, kind: iot.Conflict,
		},
		"rollback before anything moved": {
			do: func(b *bench) error {
				_, err := b.Console().Rollback(b.Context(), must("task-1", b.create(meter, target)), nil)
				return err
			},
			want: fake.WrongState, kind: iot.Conflict,
		},
		"rollback too late": {
			quirk: func(q *fake.Quirks) { q.RollbackWithin = time.Hour },
			do: func(b *bench) error {
				task := b.ready(meter, "m-0001")
				b.clock.Advance(time.Hour + time.Second)
				_, err := b.Console().Rollback(b.Context(), task, nil)
				return err
			},
			want: fake.TooLate, kind: iot.Conflict,
		},
		"gray batch too large": {
			quirk: func(q *fake.Quirks) { q.FirstGrayMax = 2 },
			do: func(b *bench) error {
				_, err := b.Console().Gray(b.Context(), must("task-1", b.create(meter, target)), names("m", 3))
				return err
			},
			want: fake.BatchTooLarge, kind: iot.Conflict,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := meters(10, nil)
			if test.fleet != nil {
				test.fleet(f)
			}
			b := newBench(t, f, func(_ *fake.Options, q *fake.Quirks) {
				if test.quirk != nil {
					test.quirk(q)
				}
			})
			err := test.do(b)
			e, ok := errors.AsType[*fake.ConsoleError](err)
			if !ok || e.Reason != test.want || !errors.Is(err, test.kind) {
				t.Errorf("error %v, want reason %q of kind %v", err, test.want, test.kind)
			}
		})
	}
}

func (b *bench) create(key, instance string) error {
	_, err := b.Console().CreateTask(b.Context(), key, instance)
	return err
}

func TestTaskRefusesAProductOver500000Devices(t *testing.T) {
	b := newBench(t, meters(500_001, nil), nil)
	err := b.create(meter, target)
	if e, ok := errors.AsType[*fake.ConsoleError](err); !ok || e.Reason != fake.ProductTooLarge {
		t.Errorf("error %v, want %q", err, fake.ProductTooLarge)
	}
}

func TestFullMigrationMovesTheRestAtItsPace(t *testing.T) {
	b := newBench(t, meters(125, func(i int, d *fleet.Device) { d.Distributed = i == 7 }), nil)
	task := b.ready(meter, "m-0001")
	if err := b.Console().Full(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{51, 101, 124, 124} {
		if got := b.Console().Tasks()[0].Moved; got != want {
			t.Errorf("at %v: %d moved, want %d", b.clock.Now().Sub(start), got, want)
		}
		b.clock.Advance(time.Second)
	}
	got := b.Console().Tasks()[0]
	if got.State != fake.TaskCompleted || got.Ended != start.Add(2*time.Second) {
		t.Errorf("task %+v, want it completed after 2 s", got)
	}
	if err := b.create(meter, target); err == nil {
		t.Error("a second task for a product that was migrated: want an error")
	}
}

func TestTaskEndsWhenTheAPIHasMovedTheRest(t *testing.T) {
	b := newBench(t, meters(12, nil), nil)
	b.ready(meter, "m-0012")
	b.move(meter, names("m", 11)...)
	if s := b.Console().Tasks()[0].State; s != fake.TaskCompleted || s.Running() {
		t.Errorf("task is %s, want it completed", s)
	}
}

func TestClosedTaskMakesRoom(t *testing.T) {
	b := newBench(t, meters(3, nil), nil)
	task := b.ready(meter, "m-0001")
	if err := b.Console().Close(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	again := b.Console()
	next := must(again.CreateTask(t.Context(), meter, target))
	must(again.Rollback(t.Context(), task, []string{"m-0001"}))
	if got := again.Tasks(); got[0].State != fake.TaskClosed || got[1].ID != next || got[1].Moved != 1 {
		t.Errorf("tasks %+v", got)
	}
}

func TestDataSyncRemembersSinceWhen(t *testing.T) {
	b := newBench(t, meters(3, nil), nil)
	task := b.ready(meter, "m-0001")
	b.clock.Advance(time.Hour)
	if err := b.Console().DataSync(t.Context(), task, true); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(7 * 24 * time.Hour)
	got := b.Console().Tasks()[0]
	if !got.DataSync || got.SyncedFrom != start.Add(time.Hour) {
		t.Errorf("task %+v, want data synchronised since %v", got, start.Add(time.Hour))
	}
}

// A snapshot is all that the source shows.
type snapshot struct {
	Products      []iot.Product
	Devices       []iot.Device
	States        []iot.DeviceState
	Topology      map[string][]iot.DeviceID
	Rules         []iot.Rule
	Subscriptions []iot.Subscription
	Labels        map[string]string
}

func (b *bench) snapshot(in iot.Instance) snapshot {
	b.Helper()
	ctx := b.Context()
	s := snapshot{Topology: map[string][]iot.DeviceID{}}
	for p, err := range in.Products(ctx) {
		s.Products = append(s.Products, must(p, err))
		for d, err := range in.Devices(ctx, p.Key) {
			s.Devices = append(s.Devices, must(d, err))
			state := must(in.States(ctx, p.Key, []string{d.ID.DeviceName}))[0]
			state.LastOnline = time.Time{}
			s.States = append(s.States, state)
			for sub, err := range in.Children(ctx, d.ID) {
				s.Topology[d.ID.String()] = append(s.Topology[d.ID.String()], must(sub, err))
			}
		}
		s.Subscriptions = append(s.Subscriptions, must(in.Subscriptions(ctx, p.Key))...)
	}
	for r, err := range in.Rules(ctx) {
		s.Rules = append(s.Rules, must(r, err))
	}
	return s
}

func TestRollbackRestoresTheSource(t *testing.T) {
	f := families(3, 4)
	f.Devices[5].Status = iot.Offline
	f.Devices[6].Status = iot.Unactive
	f.Devices[7].Status = iot.Disabled
	f.Devices[8].Labels = map[string]string{"site": "hangzhou"}
	b := newBench(t, f, func(o *fake.Options, _ *fake.Quirks) { o.Quotas = fake.NoQuotas })
	p := b.platform(nil)
	labelled := f.Devices[8].ID
	before := b.snapshot(p.Source)
	empty := b.snapshot(p.Target)

	tasks := []string{b.ready(climate, "c-0001-001"), b.ready(gateway, "gw-0001")}
	for _, d := range f.Devices {
		b.move(d.ID.ProductKey, d.ID.DeviceName)
	}
	b.clock.Advance(time.Minute)
	if moved := b.snapshot(p.Target); cmp.Diff(before.Topology, moved.Topology) != "" || len(moved.Devices) != len(f.Devices) {
		t.Errorf("after the move the target has %d devices, topology\n%s", len(moved.Devices), cmp.Diff(before.Topology, moved.Topology))
	}
	if got := b.labels(target, labelled); len(got) != 0 {
		t.Errorf("labels came along: %v", got)
	}
	for _, task := range tasks {
		must(b.Console().Rollback(t.Context(), task, nil))
	}
	b.clock.Advance(time.Minute)
	if d := cmp.Diff(before, b.snapshot(p.Source)); d != "" {
		t.Errorf("source before and after (-before +after):\n%s", d)
	}
	if d := cmp.Diff(empty, b.snapshot(p.Target)); d != "" {
		t.Errorf("target before and after (-before +after):\n%s", d)
	}
	if got := b.labels("", labelled); got["site"] != "hangzhou" {
		t.Errorf("labels after the return: %v", got)
	}
	for _, task := range b.Console().Tasks() {
		if task.State != fake.TaskRolledBack || task.Moved != 0 {
			t.Errorf("task %+v, want it rolled back", task)
		}
	}
	if err := b.create(climate, target); err != nil {
		t.Errorf("a new attempt: %v", err)
	}
}

func (b *bench) labels(instance string, d iot.DeviceID) map[string]string {
	b.Helper()
	out, err := b.QueryDeviceProp(b.Context(), fake.DeviceRequest{
		IotInstanceId: instance, ProductKey: d.ProductKey, DeviceName: d.DeviceName,
	})
	return must(out, err).Props
}

func TestRollbackOfSomeKeepsTheTask(t *testing.T) {
	b := newBench(t, meters(3, nil), nil)
	task := b.ready(meter, "m-0001")
	b.move(meter, "m-0002", "m-0003")
	got := must(b.Console().Rollback(t.Context(), task, []string{"m-0003", "nobody"}))
	if got[0].Status != "DEVICE_SUCCEEDED" || got[1].Status != "DEVICE_FAILED" {
		t.Errorf("results %+v", got)
	}
	if s := b.Console().Tasks()[0]; s.State != fake.TaskGrayCompleted || s.Moved != 2 {
		t.Errorf("task %+v, want gray-completed with 2 moved", s)
	}
	if r := b.move(meter, "m-0003"); r[0].Status != "DEVICE_SUCCEEDED" || b.MovedTimes(id(meter, "m-0003")) != 2 {
		t.Errorf("moving it again: %+v", r)
	}
}
