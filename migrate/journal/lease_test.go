package journal_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

func leasePath(dir string) string { return filepath.Join(dir, campaign+".lease") }

func mustLease(t *testing.T, d *journal.Dir, owner string, takeOver bool) (release func()) {
	t.Helper()
	release, err := d.Lease(t.Context(), campaign, migrate.Holder{Owner: owner, PID: 4711, Since: at}, takeOver)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func mustNotLease(t *testing.T, d *journal.Dir, want string) {
	t.Helper()
	release, err := d.Lease(t.Context(), campaign, migrate.Holder{Owner: "late", Since: at}, false)
	if err == nil {
		release()
		t.Fatal("the lease was given")
	}
	if !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want an error that says %q", err, want)
	}
}

// TestLeaseOfClosed keeps a lease whose Dir was closed: the run may still be writing elsewhere.
func TestLeaseOfClosed(t *testing.T) {
	dir := t.TempDir()
	d, other := open(t, dir), open(t, dir)
	release := mustLease(t, d, "host-a", false)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	mustNotLease(t, other, "host-a")
	release()
	mustLease(t, other, "host-b", false)()
	if _, err := d.Lease(t.Context(), campaign, migrate.Holder{}, false); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a lease of a closed directory: got %v, want %v", err, fs.ErrClosed)
	}
}

// TestLeaseIsHeldUntilItIsReleased loses the way to release a lease: it is not given to others for that.
func TestLeaseIsHeldUntilItIsReleased(t *testing.T) {
	dir := t.TempDir()
	d, other := open(t, dir), open(t, dir)
	mustLease(t, d, "host-a", false)
	for range 20 {
		runtime.GC()
		mustNotLease(t, other, "host-a")
	}
	runtime.KeepAlive(d)
}

// TestLeaseTermsLeaveNoFiles takes over again and again from holders that never let go.
func TestLeaseTermsLeaveNoFiles(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	var void []func()
	for range 5 {
		void = append(void, mustLease(t, d, "host-a", true))
	}
	for _, release := range void {
		release()
	}
	mustLease(t, d, "host-b", false)()
	files, err := filepath.Glob(leasePath(dir) + "*")
	if err != nil || len(files) != 2 {
		t.Errorf("files of the lease: %q, %v; want who has it and what is locked", files, err)
	}
}

// TestLeaseAfterCrash finds what a process left that died at each step of a take-over.
func TestLeaseAfterCrash(t *testing.T) {
	for name, left := range map[string]struct{ suffix, text string }{
		"locked, not written down": {"-2", ""},
		"half written":             {".new", `{"term":`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			d := open(t, dir)
			mustLease(t, d, "host-a", false)
			if err := os.WriteFile(leasePath(dir)+left.suffix, []byte(left.text), 0o600); err != nil {
				t.Fatal(err)
			}
			mustNotLease(t, d, "host-a")
			release := mustLease(t, d, "host-b", true)
			mustNotLease(t, d, "host-b")
			release()
			mustLease(t, d, "host-c", false)
		})
	}
}

// TestLeaseUnreadable says what to do about a file that nobody here wrote.
func TestLeaseUnreadable(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	if err := os.WriteFile(leasePath(dir), []byte("host-a"), 0o600); err != nil {
		t.Fatal(err)
	}
	mustNotLease(t, d, "no runner is under way")
}

// TestStoppedInTheMiddleOfAWrite does not wait for ever for the lock of a process that was stopped while it had it, and
// names that process.
func TestStoppedInTheMiddleOfAWrite(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	mustAppend(t, d, 0, note("a"))
	mustLease(t, d, "host-a", false)
	stopped := flock.New(filepath.Join(dir, campaign+".lock"))
	if err := stopped.Lock(); err != nil {
		t.Fatal(err)
	}
	other := open(t, dir)
	journal.SetPatience(other, 20*time.Millisecond)
	_, reading := read(t, other)
	_, leasing := other.Lease(t.Context(), campaign, migrate.Holder{}, true)
	appending := other.Append(t.Context(), campaign, 1, note("b"))
	for what, err := range map[string]error{"read": reading, "lease": leasing, "append": appending} {
		if err == nil || !strings.Contains(err.Error(), `"host-a", process 4711`) || !strings.Contains(err.Error(), "end it") {
			t.Errorf("%s: got %v, want an error that names who is to be ended", what, err)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	self := migrate.Holder{Owner: "myself", Host: host, PID: os.Getpid()}
	if err := stopped.Unlock(); err != nil {
		t.Fatal(err)
	}
	release, err := other.Lease(t.Context(), campaign, self, true)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := stopped.RLock(); err != nil {
		t.Fatal(err)
	}
	if err := other.Append(t.Context(), campaign, 1, note("b")); err == nil || strings.Contains(err.Error(), "myself") {
		t.Errorf("who has the lease waits for a reader: got %v, want an error that does not name itself", err)
	}
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	journal.SetPatience(other, time.Hour)
	if err := other.Append(late, campaign, 1, note("b")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
	if err := stopped.Unlock(); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, other, 1, note("b"))
}

// TestLeaseNotWritable gives no lease that nobody could read about.
func TestLeaseNotWritable(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	if err := os.Mkdir(leasePath(dir)+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lease(t.Context(), campaign, migrate.Holder{}, false); !errors.Is(err, syscall.EISDIR) || !strings.Contains(err.Error(), "writable") {
		t.Errorf("got %v, want %v and what to do", err, syscall.EISDIR)
	}
	if err := os.Remove(leasePath(dir) + ".new"); err != nil {
		t.Fatal(err)
	}
	mustLease(t, d, "host-a", false)()
}
