package journal_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// A faulty file fails its operations as it is told.
type faulty struct {
	journal.File
	fault *fault
}

type fault struct{ write, sync, truncate error }

func (f faulty) WriteAt(p []byte, off int64) (int, error) {
	if f.fault.write == nil {
		return f.File.WriteAt(p, off)
	}
	n, err := f.File.WriteAt(p[:len(p)/2], off)
	return n, errors.Join(err, f.fault.write)
}

func (f faulty) Sync() error {
	if f.fault.sync != nil {
		return f.fault.sync
	}
	return f.File.Sync()
}

func (f faulty) Truncate(size int64) error {
	if f.fault.truncate != nil {
		return f.fault.truncate
	}
	return f.File.Truncate(size)
}

func openFaulty(t *testing.T, dir string) (*journal.Dir, *fault) {
	d, f := open(t, dir), &fault{}
	journal.Wrap(d, func(inner journal.File) journal.File { return faulty{inner, f} })
	return d, f
}

// TestFaults fails an append in every way. Afterwards the file is as before, or nobody may use it.
func TestFaults(t *testing.T) {
	full, broken := syscall.ENOSPC, syscall.EIO
	for _, c := range []struct {
		name    string
		fault   fault
		unknown bool // whether the entries are there
		goesOn  bool // once the fault is gone
	}{
		{"disk full", fault{write: full}, false, true},
		{"sync fails", fault{sync: broken}, true, false},
		{"disk full, not undone", fault{write: full, truncate: broken}, true, false},
		{"disk full, sync fails", fault{write: full, sync: broken}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			d, f := openFaulty(t, dir)
			mustAppend(t, d, 0, note("a"))
			*f = c.fault
			err := d.Append(t.Context(), campaign, 1, note("b"), note("c"))
			if err == nil || !strings.Contains(err.Error(), file(dir)) {
				t.Fatalf("got %v, want an error that names the file", err)
			}
			if got := errors.Is(err, migrate.ErrDamaged); got != c.unknown {
				t.Errorf("got %v: is it %v? %t, want %t", err, migrate.ErrDamaged, got, c.unknown)
			}
			*f = fault{}
			if err := d.Append(t.Context(), campaign, 1, note("d")); (err == nil) != c.goesOn {
				t.Errorf("append once the fault is gone: %v", err)
			}
			if _, err := read(t, d); (err == nil) != c.goesOn {
				t.Errorf("read once the fault is gone: %v", err)
			}
			again := open(t, dir)
			all, err := read(t, again)
			if err != nil {
				t.Fatal(err)
			}
			mustAppend(t, again, len(all), note("e"))
		})
	}
}

// TestSyncFailsOnce undoes the append that was not synced: it must not come back.
func TestSyncFailsOnce(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	var next error
	journal.Wrap(d, func(inner journal.File) journal.File { return failsOnce{inner, &next} })
	mustAppend(t, d, 0, note("a"))
	next = syscall.EIO
	if err := d.Append(t.Context(), campaign, 1, note("b")); !errors.Is(err, syscall.EIO) || errors.Is(err, migrate.ErrDamaged) {
		t.Errorf("got %v, want %v alone: it was undone", err, syscall.EIO)
	}
	if err := d.Append(t.Context(), campaign, 1, note("c")); err == nil {
		t.Error("an append after a failed sync pretends")
	}
	mustHold(t, open(t, dir), 1)
}

type failsOnce struct {
	journal.File
	next *error
}

func (f failsOnce) Sync() error {
	if err := *f.next; err != nil {
		*f.next = nil
		return err
	}
	return f.File.Sync()
}

// TestFirstSyncFails starts a campaign on a broken disk.
func TestFirstSyncFails(t *testing.T) {
	dir := t.TempDir()
	d, f := openFaulty(t, dir)
	f.sync = syscall.EIO
	if err := d.Append(t.Context(), campaign, 0, note("a")); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want %v", err, syscall.EIO)
	}
	mustHold(t, open(t, dir), 0)
}

// TestReadOnly reads what may not be written, and says so on append.
func TestReadOnly(t *testing.T) {
	for _, why := range []error{syscall.EACCES, syscall.EROFS} {
		dir := t.TempDir()
		write(t, dir, sample(t))
		d := open(t, dir)
		journal.Deny(d, why)
		mustHold(t, d, 8)
		err := d.Append(t.Context(), campaign, 8, note("x"))
		if !errors.Is(err, why) || !strings.Contains(err.Error(), file(dir)) {
			t.Errorf("got %v, want %v with the file's name", err, why)
		}
		mustHold(t, d, 8)
	}
}
