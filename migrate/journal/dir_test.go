package journal_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

func TestCampaignNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	for _, j := range []migrate.Journal{open(t, dir), journal.NewMemory()} {
		for _, name := range []string{"a", "plant-7", "2024.05_B", "_", strings.Repeat("x", 100), "console"} {
			if err := j.Append(t.Context(), name, 0, note("x")); err != nil {
				t.Errorf("%T: %v", j, err)
			}
		}
		for _, name := range []string{
			"", ".", "..", "../plant", "a/b", `a\b`, "/etc/passwd", "a b", "a:b", "a\x00", "a\n", "größe",
			"-rf", ".hidden", "CON", "nul.2024", "com1", strings.Repeat("x", 101), "a*", "a?", "C:a",
		} {
			if err := j.Append(t.Context(), name, 0, note("x")); !errors.Is(err, iot.Invalid) {
				t.Errorf("%T: append to campaign %q: got %v, want %v", j, name, err, iot.Invalid)
			}
			for _, err := range j.Entries(t.Context(), name, 0) {
				if !errors.Is(err, iot.Invalid) {
					t.Errorf("%T: entries of campaign %q: got %v, want %v", j, name, err, iot.Invalid)
				}
			}
		}
	}
	if outside, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(outside) != 1 {
		t.Errorf("beside the directory there are %v (%v)", outside, err)
	}
}

func TestTooMuch(t *testing.T) {
	m := journal.NewMemory()
	err := m.Append(t.Context(), campaign, 0, note("x"), note("%s", strings.Repeat("x", journal.MaxAppend)))
	if !errors.Is(err, iot.Invalid) {
		t.Errorf("got %v, want %v", err, iot.Invalid)
	}
	mustHold(t, m, 0)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "file")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{taken, filepath.Join(dir, "missing", "journal")} {
		if _, err := journal.Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("open %s: got %v, want an error that names it", path, err)
		}
	}
}

// TestReadingLeavesNoTrace reads campaigns that were never started.
func TestReadingLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	mustHold(t, open(t, dir), 0)
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("reading left %v (%v)", files, err)
	}
}

// TestFileChangedByOthers never lets an append pretend once the file is not the one that was read.
func TestFileChangedByOthers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(path string) error
	}{
		{"removed", os.Remove},
		{"replaced", func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if err := os.WriteFile(path+".new", data, 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}},
		{"shorter", func(path string) error { return os.Truncate(path, 20) }},
		{"empty", func(path string) error { return os.Truncate(path, 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			d := open(t, dir)
			mustAppend(t, d, 0, note("a"), note("b"))
			if err := c.change(file(dir)); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				err := d.Append(t.Context(), campaign, 2, note("c"))
				if !errors.Is(err, migrate.ErrDamaged) || !strings.Contains(err.Error(), file(dir)) {
					t.Errorf("append: got %v, want %v with the file's name", err, migrate.ErrDamaged)
				}
				if _, err := read(t, d); !errors.Is(err, migrate.ErrDamaged) {
					t.Errorf("read: got %v, want %v", err, migrate.ErrDamaged)
				}
			}
		})
	}
}

func TestDirectoryRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	d := open(t, dir)
	mustAppend(t, d, 0, note("a"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{campaign, "another"} {
		if err := d.Append(t.Context(), name, 1, note("b")); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("append to %s: got %v, want an error that names the directory", name, err)
		}
		for _, err := range d.Entries(t.Context(), name, 0) {
			if err == nil {
				t.Errorf("campaign %s: there are entries without a directory", name)
			}
		}
	}
	var none int
	for _, err := range d.Entries(t.Context(), "another", 0) {
		if none++; err == nil {
			t.Error("an entry without a directory")
		}
	}
	if none != 1 {
		t.Errorf("a campaign without its directory looks as if it never started")
	}
}

// TestMadeAgain does not let the journal go on when somebody made the directory anew.
func TestMadeAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	d := open(t, dir)
	mustAppend(t, d, 0, note("a"))
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := d.Append(t.Context(), campaign, 1, note("b")); !errors.Is(err, migrate.ErrDamaged) {
		t.Errorf("got %v, want %v", err, migrate.ErrDamaged)
	}
}

func TestClosed(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	mustAppend(t, d, 0, note("a"))
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Append(t.Context(), campaign, 1, note("b")); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("append: got %v, want %v", err, fs.ErrClosed)
	}
	if _, err := read(t, d); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read: got %v, want %v", err, fs.ErrClosed)
	}
	mustHold(t, open(t, dir), 1)
}

// TestLocked waits for another process only as long as the context lets it.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	mustAppend(t, d, 0, note("a"))
	other := flock.New(filepath.Join(dir, campaign+".lock"))
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20e6)
	defer cancel()
	if err := d.Append(ctx, campaign, 1, note("b")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	if err := other.Unlock(); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, d, 1, note("c"))
	mustHold(t, d, 2)
}

// TestTornIsLogged tells people what was dropped.
func TestTornIsLogged(t *testing.T) {
	dir := t.TempDir()
	data := sample(t)
	write(t, dir, data[:len(data)-1])
	var log bytes.Buffer
	d := open(t, dir)
	d.Logger = slog.New(slog.NewTextHandler(&log, nil))
	mustHold(t, d, 7)
	mustAppend(t, d, 7, note("x"))
	for _, want := range []string{"left out", "removed", "after=7", file(dir)} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, &log)
		}
	}
}
