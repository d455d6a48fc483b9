package route_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/route"
	"github.com/iotferry/iotferry/topology"
)

const campaign = "spring"

// header is how the journal of a campaign begins.
func header(plan *migrate.Plan) migrate.Entry {
	return migrate.Entry{Kind: migrate.EntryCampaign, Fence: 1, At: begin, Header: &migrate.Header{
		Version: migrate.JournalVersion, Target: iot.InstanceInfo{ID: target}, PlanHash: plan.Hash(),
	}}
}

// plan moves two devices by API and two in the console.
func plan() *migrate.Plan {
	family := func(name string) topology.Family { return topology.Family{Devices: []iot.DeviceID{device(name)}} }
	return &migrate.Plan{Lanes: []migrate.LanePlan{{
		Lane: migrate.Lane{ID: meter},
		Stages: []migrate.StagePlan{
			{Name: "gray", Moves: true, Console: migrate.ConsoleGray, Waves: []topology.Wave{{First: 0, Count: 1}, {First: 1, Count: 1}}},
			{Name: "rest", Moves: true, Waves: []topology.Wave{{First: 2, Count: 2}}},
		},
		Families: []topology.Family{family("console-0"), family("console-1"), family("meter-0"), family("meter-1")},
	}}}
}

func set(names ...string) migrate.DeviceSet {
	out := make(migrate.DeviceSet, len(names))
	for i, name := range names {
		out[i] = device(name)
	}
	return out
}

// A diary is a journal and who follows it.
type diary struct {
	*testing.T
	journal  *journal.Memory
	table    *route.Table
	follower *route.Follower
	seq      int64
}

func newDiary(t *testing.T, withPlan bool) *diary {
	t.Helper()
	d := &diary{T: t, journal: journal.NewMemory(), table: newTable(t)}
	p := plan()
	d.follower = d.follow(d.table, withPlan)
	d.append(header(p))
	return d
}

func (d *diary) follow(table *route.Table, withPlan bool) *route.Follower {
	d.Helper()
	p := plan()
	if !withPlan {
		p = nil
	}
	f, err := route.NewFollower(table, d.journal, campaign, p)
	if err != nil {
		d.Fatal(err)
	}
	return f
}

func (d *diary) append(entries ...migrate.Entry) {
	d.Helper()
	for i := range entries {
		entries[i].Lane, entries[i].Fence = meter, 1
	}
	if err := d.journal.Append(d.Context(), campaign, d.seq, entries...); err != nil {
		d.Fatal(err)
	}
	d.seq += int64(len(entries))
	if err := d.follower.CatchUp(d.Context()); err != nil {
		d.Fatal(err)
	}
}

func (d *diary) expect(what string, want map[string]route.Place) {
	d.Helper()
	for name, place := range want {
		expectPlace(d, what+": "+name, d.table.Lookup(device(name)), place)
	}
}

func after(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }

// A device's way by API: there, with an answer that was lost, and back.
func TestFollowCalls(t *testing.T) {
	d := newDiary(t, false)
	call := func(at, n int) migrate.Entry {
		return migrate.Entry{Kind: migrate.EntryIntent, At: after(at), Call: n, Product: meter, Names: set("meter-0", "meter-1")}
	}
	for _, step := range []struct {
		what  string
		entry migrate.Entry
		zero  route.Place
		one   route.Place
	}{
		{"before the wave", migrate.Entry{Kind: migrate.EntryWave, At: after(1), Wave: 1}, route.Source, route.Source},
		{"intent", call(2, 1), route.Moving, route.Moving},
		{"throttled", migrate.Entry{Kind: migrate.EntryOutcome, At: after(3), Call: 1, Error: "throttled", Retry: true}, route.Source, route.Source},
		{"intent again", call(4, 2), route.Moving, route.Moving},
		{"unknown", migrate.Entry{Kind: migrate.EntryOutcome, At: after(5), Call: 2, Unknown: set("meter-0", "meter-1")}, route.Moving, route.Moving},
		{"a new runner", migrate.Entry{Kind: migrate.EntryRunner, At: after(6)}, route.Moving, route.Moving},
		{"look: one has arrived", migrate.Entry{Kind: migrate.EntryLook, At: after(7), Arrived: set("meter-0"), Unmoved: set("meter-1"), End: true}, route.Target, route.Moving},
		{"look: one is left behind", migrate.Entry{Kind: migrate.EntryLook, At: after(40), Unmoved: set("meter-1"), End: true}, route.Target, route.Source},
		{"a verdict", migrate.Entry{Kind: migrate.EntryVerdicts, At: after(41), Failed: []migrate.Failure{{Device: device("meter-0")}}}, route.Target, route.Source},
		{"rollback", migrate.Entry{Kind: migrate.EntryAsked, At: after(50), Console: migrate.ConsoleRollback, Names: set("meter-0")}, route.Moving, route.Source},
		{"on no instance", migrate.Entry{Kind: migrate.EntryReturned, At: after(51), Gone: set("meter-0"), End: true}, route.Moving, route.Source},
		{"returned", migrate.Entry{Kind: migrate.EntryReturned, At: after(52), Arrived: set("meter-0"), End: true}, route.Source, route.Source},
		{"one of both expired", migrate.Entry{Kind: migrate.EntryExpired, At: after(53), Failed: []migrate.Failure{{Device: device("meter-0")}}}, route.Source, route.Source},
		{"intent, third time", call(60, 3), route.Moving, route.Moving},
		{"expired", migrate.Entry{Kind: migrate.EntryExpired, At: after(70), Failed: []migrate.Failure{{Device: device("meter-0")}}}, route.Unsure, route.Moving},
		{"before the next wave", migrate.Entry{Kind: migrate.EntryWave, At: after(80), Arrived: set("meter-0"), Both: set("meter-1")}, route.Target, route.Unsure},
	} {
		d.append(step.entry)
		d.expect(step.what, map[string]route.Place{"meter-0": step.zero, "meter-1": step.one, "meter-2": route.Source})
	}
	d.again()
}

// What the runner believes of a look, the table knows: an effect has to show from when its call began, however long the call took. A
// device that is refused for good is looked at no more.
func TestFollowRefusals(t *testing.T) {
	d := newDiary(t, false)
	d.append(
		migrate.Entry{Kind: migrate.EntryIntent, At: after(1), Call: 1, Product: meter, Names: set("meter-0")},
		migrate.Entry{Kind: migrate.EntryIntent, At: after(1), Call: 2, Product: meter, Names: set("meter-1")},
		migrate.Entry{Kind: migrate.EntryOutcome, At: after(9), Call: 1, Refused: []migrate.Failure{{Device: device("meter-0")}}},
		migrate.Entry{Kind: migrate.EntryOutcome, At: after(19), Call: 2, Refused: []migrate.Failure{{Device: device("meter-1")}}},
		migrate.Entry{Kind: migrate.EntryLook, At: after(32), Unmoved: set("meter-0", "meter-1"), End: true})
	d.expect("31 s after the first call began, and 23 s after the second", map[string]route.Place{"meter-0": route.Source, "meter-1": route.Moving})
	d.append(migrate.Entry{Kind: migrate.EntryLook, At: after(40), Unmoved: set("meter-1"), End: true})
	d.expect("31 s after the second", map[string]route.Place{"meter-1": route.Source})
	d.again()
}

// A device that was deleted before its wave is not waited for.
func TestFollowDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary(t, false)
		d.append(migrate.Entry{Kind: migrate.EntryWave, At: after(1), Gone: set("meter-0"), Wave: 1})
		p := newPlatform()
		r := newRouter(t, p, func(c *route.Config) { c.Table = d.table })
		began := time.Now()
		_, err := newClient(t, r, p).Call(t.Context(), device("meter-0"), []byte("x"), time.Second)
		expectKind(t, "a call to it", err, iot.NotFound)
		if took := time.Since(began); took > 0 || len(p.looks()) > 0 {
			t.Errorf("it took %v and %d looks", took, len(p.looks()))
		}
	})
}

// Calls are announced by several at once. The first that fails as such is the last that was made.
func TestFollowSalvos(t *testing.T) {
	d := newDiary(t, false)
	names := []string{"meter-0", "meter-1", "meter-2", "meter-3"}
	salvo := func(at, first int) (out []migrate.Entry) {
		for i, name := range names {
			out = append(out, migrate.Entry{Kind: migrate.EntryIntent, At: after(at), Call: first + i, Product: meter, Names: set(name)})
		}
		return out
	}
	expect := func(what string, places ...route.Place) {
		t.Helper()
		for i, name := range names {
			expectPlace(t, what+": "+name, d.table.Lookup(device(name)), places[i])
		}
	}
	d.append(salvo(1, 1)...)
	expect("announced", route.Moving, route.Moving, route.Moving, route.Moving)
	d.append(migrate.Entry{Kind: migrate.EntryOutcome, At: after(2), Call: 1},
		migrate.Entry{Kind: migrate.EntryOutcome, At: after(3), Call: 2, Error: "throttled", Retry: true})
	expect("throttled", route.Moving, route.Source, route.Source, route.Source)
	names = names[1:]
	d.append(salvo(4, 5)...)
	d.append(migrate.Entry{Kind: migrate.EntryOutcome, At: after(20), Call: 5}, migrate.Entry{Kind: migrate.EntryRunner, At: after(30)},
		migrate.Entry{Kind: migrate.EntryOutcome, At: after(31), Call: 6, Error: "of nobody"})
	expect("a new runner", route.Moving, route.Moving, route.Moving)
	left := migrate.Entry{Kind: migrate.EntryLook, At: after(35), Unmoved: set("meter-1", "meter-2", "meter-3"), End: true}
	d.append(left)
	expect("the second call began when the first had ended", route.Source, route.Moving, route.Source)
	left.At = after(51)
	d.append(left)
	expect("left behind", route.Source, route.Source, route.Source)
	d.again()
}

// again proves that who reads the journal later, or twice, comes to the same.
func (d *diary) again() {
	d.Helper()
	late := newTable(d)
	for range 2 {
		if err := d.follow(late, true).CatchUp(d.Context()); err != nil {
			d.Fatal(err)
		}
	}
	for _, name := range []string{"meter-0", "meter-1", "console-0", "console-1"} {
		expectPlace(d, "read again: "+name, late.Lookup(device(name)), d.table.Lookup(device(name)))
	}
}

// What the console moves is named by the plan only.
func TestFollowConsole(t *testing.T) {
	d := newDiary(t, true)
	asked := migrate.Entry{Kind: migrate.EntryAsked, At: after(2), Stage: "gray", Wave: 2, Console: migrate.ConsoleGray}
	d.append(migrate.Entry{Kind: migrate.EntryAsked, At: after(1), Stage: "gray", Console: migrate.ConsoleCreate})
	d.expect("a console task that moves none", map[string]route.Place{"console-0": route.Source, "console-1": route.Source})
	d.append(asked)
	d.expect("asked", map[string]route.Place{"console-0": route.Source, "console-1": route.Moving, "meter-0": route.Source})
	d.append(migrate.Entry{Kind: migrate.EntryLook, At: after(3), Stage: "gray", Wave: 2, Arrived: set("console-1"), End: true})
	d.expect("arrived", map[string]route.Place{"console-1": route.Target})
	asked.At = after(4)
	d.append(asked)
	d.expect("asked again", map[string]route.Place{"console-1": route.Target})
	d.again()

	d = newDiary(t, false)
	d.append(asked)
	d.expect("without the plan", map[string]route.Place{"console-1": route.Source})
}

// Entries of the same time are in order, and so are those of a runner whose clock was set back.
func TestFollowClockThatStands(t *testing.T) {
	d := newDiary(t, false)
	d.append(
		migrate.Entry{Kind: migrate.EntryIntent, At: begin, Call: 1, Product: meter, Names: set("meter-0")},
		migrate.Entry{Kind: migrate.EntryOutcome, At: begin, Call: 1},
		migrate.Entry{Kind: migrate.EntryLook, At: begin, Arrived: set("meter-0"), End: true})
	d.expect("in one moment", map[string]route.Place{"meter-0": route.Target})
	d.append(migrate.Entry{Kind: migrate.EntryAsked, At: begin.Add(-time.Hour), Console: migrate.ConsoleRollback, Names: set("meter-0")})
	d.expect("an hour before", map[string]route.Place{"meter-0": route.Moving})
	d.again()
}

// What a table knows from elsewhere is not overwritten by a journal that is read late.
func TestFollowLate(t *testing.T) {
	d := newDiary(t, false)
	d.append(migrate.Entry{Kind: migrate.EntryIntent, At: after(1), Call: 1, Product: meter, Names: set("meter-0")},
		migrate.Entry{Kind: migrate.EntryOutcome, At: after(2), Call: 1},
		migrate.Entry{Kind: migrate.EntryLook, At: after(3), Arrived: set("meter-0"), End: true})
	table := newTable(t)
	learn(t, table, route.Fact{Device: device("meter-0"), Place: route.Source, At: after(100)})
	if err := d.follow(table, false).CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	expectPlace(t, "returned since", table.Lookup(device("meter-0")), route.Source)
}

func TestFollowRefuses(t *testing.T) {
	other := plan()
	other.Lanes[0].Stages[0].Name = "another"
	elsewhere := header(plan())
	elsewhere.Header.Target.ID = "iot-other"
	for name, test := range map[string]struct {
		first migrate.Entry
		want  error
	}{
		"another plan":   {header(other), migrate.ErrMismatch},
		"another target": {elsewhere, migrate.ErrMismatch},
		"no header":      {migrate.Entry{Kind: migrate.EntryCampaign, Fence: 1, At: begin}, migrate.ErrDamaged},
	} {
		j := journal.NewMemory()
		if err := j.Append(t.Context(), campaign, 0, test.first); err != nil {
			t.Fatal(err)
		}
		f, err := route.NewFollower(newTable(t), j, campaign, plan())
		if err != nil {
			t.Fatal(err)
		}
		if err := f.CatchUp(t.Context()); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v", name, err)
		}
		if err := f.Run(t.Context(), time.Second); !errors.Is(err, test.want) {
			t.Errorf("%s: Run: error %v", name, err)
		}
		if err := f.Run(t.Context(), 0); iot.KindOf(err) != iot.Invalid {
			t.Errorf("no pause: error %v", err)
		}
	}
	if _, err := route.NewFollower(nil, journal.NewMemory(), campaign, nil); iot.KindOf(err) != iot.Invalid {
		t.Errorf("no table: error %v", err)
	}
	if _, err := route.NewFollower(newTable(t), nil, campaign, nil); iot.KindOf(err) != iot.Invalid {
		t.Errorf("no journal: error %v", err)
	}
}

// Run learns what another process appends, and ends with its context.
func TestFollowRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		reader, writer := openDir(t, dir), openDir(t, dir)
		table := newTable(t)
		f, err := route.NewFollower(table, reader, campaign, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var ended atomic.Bool
		go func() {
			if err := f.Run(ctx, time.Second); err != nil {
				t.Error(err)
			}
			ended.Store(true)
		}()
		synctest.Wait()
		intent := migrate.Entry{Kind: migrate.EntryIntent, Fence: 1, At: after(1), Lane: meter, Call: 1, Product: meter, Names: set("meter-0")}
		if err := writer.Append(t.Context(), campaign, 0, header(plan()), intent); err != nil {
			t.Fatal(err)
		}
		expectPlace(t, "not read yet", table.Lookup(device("meter-0")), route.Source)
		<-time.After(1500 * time.Millisecond)
		synctest.Wait()
		expectPlace(t, "a second later", table.Lookup(device("meter-0")), route.Moving)
		cancel()
		synctest.Wait()
		if !ended.Load() {
			t.Error("Run has not ended")
		}
	})
}

func openDir(t *testing.T, path string) *journal.Dir {
	t.Helper()
	d, err := journal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
