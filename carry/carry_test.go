package carry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/carry"
	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

const fleet = 30 // devices, more than are read at once

func id(n int) iot.DeviceID {
	return iot.DeviceID{ProductKey: migratetest.DirectProduct, DeviceName: fmt.Sprintf("direct-%04d", n)}
}

func options(clock iot.Clock) carry.Options {
	return carry.Options{Products: []string{migratetest.DirectProduct}, Name: "spring", Clock: clock}
}

// A hasty clock lets time pass when somebody waits for it.
type hasty struct{ *migratetest.Clock }

func (h hasty) WaitUntil(ctx context.Context, at time.Time) error {
	h.Advance(at.Sub(h.Now()))
	return ctx.Err()
}

// A world is a fleet with labels and groups at the source, and a fault.
type world struct {
	*testing.T
	cloud *migratetest.Cloud
	p     iot.Platform
	clock hasty
	mu    sync.Mutex
	fault func(migratetest.Op) migratetest.Fault
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, clock: hasty{migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))}}
	var err error
	w.cloud, err = migratetest.Open(bytes.NewReader(migratetest.Generate(migratetest.GenerateOptions{Direct: fleet, PreRegistered: 2})),
		migratetest.Options{Clock: w.clock, NoQuotas: true, Fault: func(op migratetest.Op) migratetest.Fault {
			w.mu.Lock() // devices are read several at once
			defer w.mu.Unlock()
			if w.fault == nil || op.Kind != "api" {
				return migratetest.Fault{}
			}
			return w.fault(op)
		}})
	if err != nil {
		t.Fatal(err)
	}
	w.p = w.cloud.Platform()
	s := migratetest.Setup{
		Labels:       map[iot.DeviceID]map[string]string{},
		DeviceGroups: []iot.DeviceGroup{{ID: "site0001", Name: "site_1", Description: "one"}, {ID: "floor001", Name: "floor_1", Parent: "site0001"}},
		Members:      map[string][]iot.DeviceID{},
	}
	for n := range fleet {
		s.Members["site0001"] = append(s.Members["site0001"], id(n))
		if n%3 > 0 {
			s.Labels[id(n)] = map[string]string{"site": "hangzhou", "owner": fmt.Sprint(n)}
		}
	}
	s.Members["floor001"] = s.Members["site0001"][:7]
	if err := w.cloud.SetupSource(s); err != nil {
		t.Fatal(err)
	}
	return w
}

// move moves the first n devices.
func (w *world) move(n int) {
	w.Helper()
	product := migrate.ConsoleProduct{ProductKey: migratetest.DirectProduct}
	for i := range n {
		product.DeviceNames = append(product.DeviceNames, id(i).DeviceName)
	}
	for _, kind := range []migrate.ConsoleKind{migrate.ConsoleCreate, migrate.ConsoleGray} {
		task := migrate.ConsoleTask{Kind: kind, Target: w.p.Target.Info, Products: []migrate.ConsoleProduct{product}}
		if err := w.cloud.Operator().Perform(w.Context(), task); err != nil {
			w.Fatal(err)
		}
	}
	w.clock.Advance(time.Minute)
}

// moreMoved lets the others follow.
func (w *world) moreMoved(from int) {
	w.Helper()
	product := migrate.ConsoleProduct{ProductKey: migratetest.DirectProduct}
	for i := from; i < fleet; i++ {
		product.DeviceNames = append(product.DeviceNames, id(i).DeviceName)
	}
	task := migrate.ConsoleTask{Kind: migrate.ConsoleGray, Target: w.p.Target.Info, Products: []migrate.ConsoleProduct{product}}
	if err := w.cloud.Operator().Perform(w.Context(), task); err != nil {
		w.Fatal(err)
	}
	w.clock.Advance(time.Minute)
}

// differences returns what differs at the target from what is kept.
func (w *world) differences(store carry.Store) (out []string) {
	w.Helper()
	for d, err := range carry.Check(w.Context(), w.p.Target.View, store, options(w.clock)) {
		if err != nil {
			w.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s %s %s", d.Kind, d.Change, d.Device.DeviceName))
	}
	return out
}

// Everything arrives; a second time changes nothing; devices that move later get theirs after a restart.
func TestCarry(t *testing.T) {
	w, store := newWorld(t), &carry.Memory{}
	if err := carry.Keep(t.Context(), w.p.Source.View, store, options(w.clock)); err != nil {
		t.Fatal(err)
	}
	w.move(20)
	if n := len(w.differences(store)); n == 0 {
		t.Fatal("nothing is missing before anything was carried")
	}
	got, err := carry.Carry(t.Context(), w.p.Target, store, options(w.clock))
	want := carry.Result{Devices: fleet, Absent: 10, Labels: 13, Groups: 2, Members: 27}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if left := w.differences(store); len(left) > 0 {
		t.Errorf("after carrying: %q", left)
	}
	if got, err = carry.Carry(t.Context(), w.p.Target, store, options(w.clock)); err != nil || got != (carry.Result{Skipped: fleet}) {
		t.Errorf("again: got %+v, %v", got, err)
	}
	w.moreMoved(20)
	if err := carry.Restart(t.Context(), store, options(w.clock)); err != nil {
		t.Fatal(err)
	}
	got, err = carry.Carry(t.Context(), w.p.Target, store, options(w.clock))
	if want := (carry.Result{Devices: fleet, Labels: 7, Members: 10}); err != nil || got != want {
		t.Errorf("the rest: got %+v, %v; want %+v", got, err, want)
	}
	if left := w.differences(store); len(left) > 0 {
		t.Errorf("after all: %q", left)
	}
	// The parent came along by its name.
	parents := map[string]string{}
	for g, err := range w.p.Target.Config.DeviceGroups.DeviceGroups(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		parents[g.ID] = g.Name
		if g.Name == "floor_1" && parents[g.Parent] != "site_1" || g.Name == "site_1" && g.Description != "one" {
			t.Errorf("the group came as %+v", g)
		}
	}
}

// What somebody set at the target stays, and is counted.
func TestNothingIsReplaced(t *testing.T) {
	w, store := newWorld(t), &carry.Memory{}
	if err := carry.Keep(t.Context(), w.p.Source.View, store, options(w.clock)); err != nil {
		t.Fatal(err)
	}
	w.move(fleet)
	many := map[string]string{}
	for n := range 99 {
		many[fmt.Sprint("label", n)] = "x"
	}
	target := migratetest.Setup{Labels: map[iot.DeviceID]map[string]string{id(1): {"owner": "somebody else", "more": "x"}, id(2): many}}
	for n := range 10 {
		g := iot.DeviceGroup{ID: fmt.Sprintf("full%04d", n), Name: fmt.Sprintf("full_%d", n)}
		target.DeviceGroups = append(target.DeviceGroups, g)
		if target.Members == nil {
			target.Members = map[string][]iot.DeviceID{}
		}
		target.Members[g.ID] = []iot.DeviceID{id(3)}
	}
	if err := w.cloud.SetupTarget(target); err != nil {
		t.Fatal(err)
	}
	got, err := carry.Carry(t.Context(), w.p.Target, store, options(w.clock))
	want := carry.Result{Devices: fleet, Labels: 19, Groups: 2, Members: 35, Differing: 1, TooMany: 1, Full: 2}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	labels, err := w.p.Target.Config.Labels.Labels(t.Context(), id(1))
	if diff := cmp.Diff(map[string]string{"owner": "somebody else", "more": "x", "site": "hangzhou"}, labels); diff != "" || err != nil {
		t.Errorf("labels of device 1: %v %s", err, diff)
	}
	left := []string{
		"group member extra direct-0003", "group member missing direct-0003", "label changed direct-0001", "label extra direct-0001",
		"label extra direct-0002", "label missing direct-0002",
	}
	found := w.differences(store)
	slices.Sort(found)
	if diff := cmp.Diff(left, found); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// Whatever call fails, before or after its effect, and whatever Save: run again, both steps come to the same end.
func TestResumed(t *testing.T) {
	count := func() (calls, saves int) {
		w := newWorld(t)
		w.fault = func(migratetest.Op) migratetest.Fault { calls++; return migratetest.Fault{} }
		store := &flaky{}
		w.both(store)
		return calls, store.saves
	}
	calls, saves := count()
	if calls < 100 || saves != 4 { // the groups, the devices, that these are all, how far it came
		t.Fatalf("%d calls and %d saves", calls, saves)
	}
	step := 1
	if testing.Short() {
		step = 10
	}
	for at := 1; at <= calls; at += step {
		for _, fault := range []migratetest.Fault{{Lost: true}, {Refuse: iot.Denied}} {
			n := 0
			w := newWorld(t)
			w.fault = func(migratetest.Op) migratetest.Fault {
				if n++; n == at {
					return fault
				}
				return migratetest.Fault{}
			}
			w.end(fmt.Sprintf("call %d, %+v", at, fault), &flaky{})
		}
	}
	for at := 1; at <= saves; at++ {
		for _, after := range []bool{false, true} {
			newWorld(t).end(fmt.Sprintf("save %d, after %v", at, after), &flaky{at: at, after: after})
		}
	}
}

// both keeps, moves and carries, each until it succeeds.
func (w *world) both(store carry.Store) {
	w.Helper()
	o := options(w.clock)
	w.until(func() error { return carry.Keep(w.Context(), w.p.Source.View, store, o) })
	fault := w.fault
	w.fault = nil
	w.move(fleet)
	w.fault = fault
	w.until(func() error { _, err := carry.Carry(w.Context(), w.p.Target, store, o); return err })
	w.fault = nil
}

func (w *world) until(do func() error) {
	w.Helper()
	var err error
	for range 3 {
		if err = do(); err == nil {
			return
		}
	}
	w.Fatalf("it goes on failing: %v", err)
}

// end checks that everything arrived.
func (w *world) end(what string, store carry.Store) {
	w.Helper()
	w.both(store)
	if left := w.differences(store); len(left) > 0 {
		w.Errorf("%s: left: %q", what, left)
	}
	seen := 0
	for _, err := range carry.Kept(w.Context(), store, options(w.clock).Products) {
		if err != nil {
			w.Fatal(err)
		}
		seen++
	}
	if seen < fleet {
		w.Errorf("%s: %d devices are kept, want %d", what, seen, fleet)
	}
	if _, err := w.p.Target.Product(w.Context(), migratetest.PreRegisteredProduct); !errors.Is(err, iot.NotFound) {
		w.Errorf("%s: another product: %v", what, err)
	}
}

// A flaky store fails once, before or after its effect.
type flaky struct {
	carry.Memory
	at, saves int
	after     bool
}

func (f *flaky) Save(ctx context.Context, records ...carry.Record) error {
	f.saves++
	if f.saves == f.at && !f.after {
		return errors.New("the disk is full")
	}
	err := f.Memory.Save(ctx, records...)
	if f.saves == f.at {
		return errors.New("the disk is full")
	}
	return err
}

// Neither step does again what is done: a fleet of several batches is read once, although both are killed in their midst.
func TestGoesOn(t *testing.T) {
	const many = 1200
	calls := map[string]int{}
	die := 700
	w := &world{T: t, clock: hasty{migratetest.NewClock(time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC))}}
	var mu sync.Mutex
	var err error
	w.cloud, err = migratetest.Open(bytes.NewReader(migratetest.Generate(migratetest.GenerateOptions{Direct: many})),
		migratetest.Options{Clock: w.clock, NoQuotas: true, Fault: func(op migratetest.Op) migratetest.Fault {
			mu.Lock()
			defer mu.Unlock()
			if calls[op.Name]++; op.Name == "QueryDeviceProp" && calls[op.Name] == die {
				return migratetest.Fault{Refuse: iot.Denied}
			}
			return migratetest.Fault{}
		}})
	if err != nil {
		t.Fatal(err)
	}
	w.p = w.cloud.Platform()
	store, o := &carry.Memory{}, options(w.clock)
	w.until(func() error { return carry.Keep(t.Context(), w.p.Source.View, store, o) })
	if n := calls["QueryDeviceProp"]; n < many || n > many+16 {
		t.Errorf("%d reads for %d devices", n, many)
	}
	names := map[string]bool{}
	for d, err := range carry.Kept(t.Context(), store, o.Products) {
		if err != nil || names[d.Device.DeviceName] {
			t.Fatalf("device %s is kept twice, or %v", d.Device, err)
		}
		names[d.Device.DeviceName] = true
	}
	if len(names) != many {
		t.Errorf("%d devices are kept, want %d", len(names), many)
	}
	die = calls["QueryDeviceProp"] + 700
	before := calls["QueryDeviceProp"]
	w.until(func() error { _, err := carry.Carry(t.Context(), w.p.Target, store, o); return err })
	if n := calls["QueryDeviceProp"] - before; n < many || n > many+500 {
		t.Errorf("carrying: %d reads for %d devices, want a batch more at most", n, many)
	}
}

// After a comparison, what was kept serves configdiff as well.
func TestKeptForTheDifference(t *testing.T) {
	w := newWorld(t)
	store, err := carry.Open(filepath.Join(t.TempDir(), "kept.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	w.both(store)
	o := configdiff.Options{Products: options(nil).Products, Clock: w.clock, Kept: carry.Kept(t.Context(), store, options(nil).Products)}
	r, err := configdiff.After(t.Context(), w.p.Source.View, w.p.Target.View, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range r.Differences {
		if d.Change != configdiff.NewID {
			t.Errorf("found: %s", d.Why)
		}
	}
}

func TestWithoutMeans(t *testing.T) {
	w, store := newWorld(t), &carry.Memory{}
	w.p.Source.Config, w.p.Target.Configure = iot.ConfigReaders{}, iot.ConfigWriters{}
	if err := carry.Keep(t.Context(), w.p.Source.View, store, options(w.clock)); !errors.Is(err, iot.Invalid) {
		t.Errorf("Keep: %v", err)
	}
	if _, err := carry.Carry(t.Context(), w.p.Target, store, options(w.clock)); !errors.Is(err, iot.Invalid) {
		t.Errorf("Carry: %v", err)
	}
}

// Groups that are kept, and that the target's driver cannot create, are not passed over.
func TestWithoutMeansForGroups(t *testing.T) {
	w, store := newWorld(t), &carry.Memory{}
	if err := carry.Keep(t.Context(), w.p.Source.View, store, options(w.clock)); err != nil {
		t.Fatal(err)
	}
	w.move(fleet)
	w.p.Target.Configure.DeviceGroups = nil
	if _, err := carry.Carry(t.Context(), w.p.Target, store, options(w.clock)); !errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), "groups") {
		t.Errorf("got %v", err)
	}
}

// A group that is created or renamed while devices are read comes along like the others.
func TestGroupsThatChangeWhileKept(t *testing.T) {
	w, store := newWorld(t), &carry.Memory{}
	o := options(w.clock)
	o.Products = append(o.Products, migratetest.PreRegisteredProduct)
	late := iot.DeviceID{ProductKey: migratetest.PreRegisteredProduct, DeviceName: "prereg-0000"}
	for d, err := range w.p.Source.Devices(t.Context(), late.ProductKey) {
		if err != nil {
			t.Fatal(err)
		}
		late = d.ID
	}
	source := w.p.Source.View
	source.Config.Labels = onLabels{source.Config.Labels, func(id iot.DeviceID) {
		if id.ProductKey != migratetest.DirectProduct || id.DeviceName != "direct-0000" {
			return
		}
		err := w.cloud.SetupSource(migratetest.Setup{
			DeviceGroups: []iot.DeviceGroup{{ID: "site0001", Name: "site_one"}, {ID: "late0001", Name: "late_1", Parent: "site0001"}},
			Members:      map[string][]iot.DeviceID{"site0001": {late}, "late0001": {late}},
		})
		if err != nil {
			t.Error(err)
		}
	}}
	if err := carry.Keep(t.Context(), source, store, o); err != nil {
		t.Fatal(err)
	}
	if _, err := carry.Carry(t.Context(), w.p.Source, store, o); err != nil {
		t.Fatal(err)
	}
	for d, err := range carry.Check(t.Context(), w.p.Source.View, store, o) {
		if err != nil || d.Device == late && d.Change == configdiff.Missing {
			t.Errorf("%+v, %v", d, err)
		}
	}
	w.move(1)
	if _, err := carry.Carry(t.Context(), w.p.Target, store, o); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for g, err := range w.p.Target.Config.DeviceGroups.DeviceGroups(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names[g.Name] = true
	}
	if !names["late_1"] || !names["site_one"] {
		t.Errorf("the target has %v", names)
	}
}

// onLabels does something when the labels of a device are read.
type onLabels struct {
	iot.LabelReader
	do func(iot.DeviceID)
}

func (o onLabels) Labels(ctx context.Context, id iot.DeviceID) (map[string]string, error) {
	o.do(id)
	return o.LabelReader.Labels(ctx, id)
}

// A refusal that waiting may not heal is told with the platform's words.
func TestRefusalIsTold(t *testing.T) {
	w, store := newWorld(t), &carry.Memory{}
	if err := carry.Keep(t.Context(), w.p.Source.View, store, options(w.clock)); err != nil {
		t.Fatal(err)
	}
	w.move(fleet)
	w.p.Target.Configure.DeviceGroups = crowded{}
	_, err := carry.Carry(t.Context(), w.p.Target, store, options(w.clock))
	if iot.KindOf(err) != iot.Transient || !strings.Contains(err.Error(), "no room for more groups") {
		t.Errorf("got %v", err)
	}
}

// crowded has no room for another group.
type crowded struct{ iot.DeviceGroupWriter }

func (crowded) CreateDeviceGroup(context.Context, iot.DeviceGroup) (iot.DeviceGroup, error) {
	return iot.DeviceGroup{}, &iot.Error{Kind: iot.Conflict, Message: "no room for more groups"}
}

// A device that is returned, or a group that is deleted, while things are carried ends nothing for good.
func TestGoneWhileCarried(t *testing.T) {
	for _, api := range []string{"SaveDeviceProp", "BatchAddDeviceGroupRelations", "CreateDeviceGroup"} {
		w, store, n := newWorld(t), &carry.Memory{}, 0
		if err := carry.Keep(t.Context(), w.p.Source.View, store, options(w.clock)); err != nil {
			t.Fatal(err)
		}
		w.move(fleet)
		w.fault = func(op migratetest.Op) migratetest.Fault {
			if op.Name != api {
				return migratetest.Fault{}
			}
			if n++; n > 1 {
				return migratetest.Fault{}
			}
			return migratetest.Fault{Refuse: iot.NotFound}
		}
		got, err := carry.Carry(t.Context(), w.p.Target, store, options(w.clock))
		switch {
		case api == "SaveDeviceProp" && (err != nil || got.Absent != 1 || got.Labels != 19):
			t.Errorf("a device was returned: %+v, %v", got, err)
		case api != "SaveDeviceProp" && iot.KindOf(err) != iot.Transient:
			t.Errorf("%s: a group was deleted: %v", api, err)
		}
		w.until(func() error { _, err := carry.Carry(t.Context(), w.p.Target, store, options(w.clock)); return err })
	}
}

// A store whose reading fails ends every step with its error.
func TestStoreFails(t *testing.T) {
	w, broken := newWorld(t), brokenStore{}
	if err := carry.Keep(t.Context(), w.p.Source.View, broken, options(w.clock)); !errors.Is(err, errBroken) {
		t.Errorf("Keep: %v", err)
	}
	if _, err := carry.Carry(t.Context(), w.p.Target, broken, options(w.clock)); !errors.Is(err, errBroken) {
		t.Errorf("Carry: %v", err)
	}
	for _, err := range carry.Check(t.Context(), w.p.Target.View, broken, options(w.clock)) {
		if !errors.Is(err, errBroken) {
			t.Errorf("Check: %v", err)
		}
	}
}

var errBroken = errors.New("the disk is gone")

type brokenStore struct{ carry.Store }

func (brokenStore) Records(context.Context) iter.Seq2[carry.Record, error] {
	return func(yield func(carry.Record, error) bool) { yield(carry.Record{}, errBroken) }
}
