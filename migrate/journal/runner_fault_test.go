package journal_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
	"github.com/iotferry/iotferry/migrate/migratetest"
)

// A striking journal lets something happen to the disk before an append.
type striking struct {
	*journal.Dir
	in     int // appends until then
	strike func()
}

func (j *striking) Append(ctx context.Context, name string, after int64, entries ...migrate.Entry) error {
	if j.in--; j.in == 0 {
		j.strike()
	}
	return j.Dir.Append(ctx, name, after, entries...)
}

// A runDisk is where a campaign's journal is, and what can happen to it.
type runDisk struct {
	t     *testing.T
	dir   string
	fault *fault
	saved []byte
}

func (d *runDisk) save() { d.saved = contents(d.t, d.dir) }

func (d *runDisk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// restore puts the file back as it was.
func (d *runDisk) restore() {
	if err := os.Mkdir(d.dir, 0o700); !errors.Is(err, fs.ErrExist) {
		d.must(err)
	}
	write(d.t, d.dir, d.saved)
}

// effects are what a campaign did to the platform. Messages to devices that moved are counted apart: they need no intent, and a
// round of verification that is under way sends some until it hears that the run has ended.
type effects struct{ changes, messages atomic.Int64 }

func (e *effects) count(op migratetest.Op) {
	switch {
	case op.Name == "Pub" || op.Name == "RRpc" || op.Name == "InvokeThingService":
		e.messages.Add(1)
	case op.Writes():
		e.changes.Add(1)
	}
}

func (e *effects) all() int64 { return e.changes.Load() + e.messages.Load() }

// diskFaults are what can happen to a disk in the middle of a campaign, what a run says then, and how it is mended.
var diskFaults = []struct {
	name   string
	strike func(*runDisk)
	want   error
	says   string // what to do
	mend   func(*runDisk)
}{
	{"disk full", func(d *runDisk) { d.fault.write = syscall.ENOSPC }, syscall.ENOSPC, "make room", nil},
	{"read-only file system", func(d *runDisk) { d.fault.write = syscall.EROFS }, syscall.EROFS, "mend the disk", nil},
	{"write fails", func(d *runDisk) { d.fault.write = syscall.EIO }, syscall.EIO, "mend the disk", nil},
	{"fsync fails", func(d *runDisk) { d.fault.sync = syscall.EIO }, syscall.EIO, "check the disk", nil},
	{"write and its undoing fail", func(d *runDisk) { d.fault.write, d.fault.truncate = syscall.ENOSPC, syscall.EIO }, migrate.ErrDamaged, "make room", nil},
	{"directory removed", func(d *runDisk) { d.save(); d.must(os.RemoveAll(d.dir)) }, fs.ErrNotExist, "make sure that the directory is there", (*runDisk).restore},
	{"file removed", func(d *runDisk) { d.save(); d.must(os.Remove(file(d.dir))) }, migrate.ErrDamaged, "put it back", (*runDisk).restore},
	{"file cut", func(d *runDisk) { d.save(); d.must(os.Truncate(file(d.dir), 100)) }, migrate.ErrDamaged, "put it back", (*runDisk).restore},
	{"file replaced", func(d *runDisk) {
		d.save()
		d.must(os.WriteFile(file(d.dir)+".copy", d.saved, 0o600))
		d.must(os.Rename(file(d.dir)+".copy", file(d.dir)))
	}, migrate.ErrDamaged, "put it back", nil},
}

// TestRunStopsWhenTheDiskFails lets the disk of a running campaign fail before one append after the other: the run ends, says why and
// what to do, and has no effect on the platform any more. Once the disk is mended, a new run goes on to the same end.
func TestRunStopsWhenTheDiskFails(t *testing.T) {
	total := appends(t)
	const moments = 8
	for _, f := range diskFaults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			for i := range moments {
				d := &runDisk{t: t, dir: filepath.Join(t.TempDir(), "campaigns"), fault: &fault{}}
				var effects effects
				var since atomic.Int64
				g := diskWorld(t, &effects)
				at := 2 + i*(total-2)/moments
				failing := &striking{Dir: d.open(), in: at, strike: func() { f.strike(d); since.Store(effects.changes.Load()) }}
				_, err := g.runner(failing, "").Run(t.Context())
				if !errors.Is(err, f.want) || !strings.Contains(err.Error(), f.says) || !strings.Contains(err.Error(), file(d.dir)) {
					t.Fatalf("append %d of %d: the run ended with %v, want %v, %q and the file's name", at, total, err, f.want, f.says)
				}
				if n := effects.changes.Load() - since.Load(); n > 0 {
					t.Errorf("append %d of %d: %d effects after the disk had failed", at, total, n)
				}
				before := effects.all()
				if _, err := g.runner(failing, "").Run(t.Context()); err == nil {
					t.Errorf("append %d of %d: a run goes on although nothing was mended", at, total)
				}
				if n := effects.all() - before; n > 0 {
					t.Errorf("append %d of %d: %d effects of a run that cannot write", at, total, n)
				}
				*d.fault = fault{}
				if f.mend != nil {
					f.mend(d)
				}
				if report, err := g.runner(d.open(), "").Run(t.Context()); err != nil || report.Outcome != migrate.OutcomeProven {
					t.Fatalf("append %d of %d: once mended, the campaign ends %s: %v", at, total, report.Outcome, err)
				}
				g.checkEnd()
			}
		})
	}
}

// TestRunOfAReadOnlyJournal begins, and resumes, where it may not write: nothing happens on the platform.
func TestRunOfAReadOnlyJournal(t *testing.T) {
	for _, why := range []error{syscall.EACCES, syscall.EROFS} {
		for _, at := range []int{0, 40} {
			d := &runDisk{t: t, dir: t.TempDir(), fault: &fault{}}
			var effects effects
			g := diskWorld(t, &effects)
			if at > 0 {
				ctx, cancel := context.WithCancel(t.Context())
				_, err := g.runner(&striking{Dir: d.open(), in: at, strike: cancel}, "").Run(ctx)
				if !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
			before := effects.all()
			denied := d.open()
			journal.Deny(denied, why)
			if _, err := g.runner(denied, "").Run(t.Context()); !errors.Is(err, why) || !strings.Contains(err.Error(), "writable") {
				t.Errorf("got %v, want %v and what to do", err, why)
			}
			if n := effects.all() - before; n > 0 {
				t.Errorf("%d effects of a run that cannot write", n)
			}
		}
	}
}

// open opens the journal as a new process does, on a disk that loses nothing without fsync.
func (d *runDisk) open() *journal.Dir {
	d.t.Helper()
	dir := open(d.t, d.dir)
	journal.Wrap(dir, func(inner journal.File) journal.File { return faulty{noSync{inner}, d.fault} })
	return dir
}

// diskWorld returns a campaign over two scenarios, and counts what it changes on the platform.
func diskWorld(t *testing.T, effects *effects) *goldenWorld {
	t.Helper()
	fleet := migratetest.Generate(migratetest.GenerateOptions{Direct: 6, Gateways: 4, SubDevices: 3})
	g := openGolden(t, fleet, func(op migratetest.Op) migratetest.Fault {
		effects.count(op)
		return migratetest.Fault{}
	})
	survey, err := g.cloud.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if g.plan, err = (migrate.Planner{Strategies: g.strategies}).Plan(survey); err != nil {
		t.Fatal(err)
	}
	return g
}

// appends returns how many appends the campaign of diskWorld takes when nothing disturbs it.
func appends(t *testing.T) int {
	t.Helper()
	var effects effects
	const many = 1 << 30
	j := &striking{Dir: open(t, t.TempDir()), in: many, strike: func() {}}
	report, err := diskWorld(t, &effects).runner(j, "").Run(t.Context())
	if err != nil || report.Outcome != migrate.OutcomeProven || effects.changes.Load() == 0 || effects.messages.Load() == 0 {
		t.Fatalf("undisturbed, the campaign ends %s with %d effects: %v", report.Outcome, effects.all(), err)
	}
	return many - j.in
}
