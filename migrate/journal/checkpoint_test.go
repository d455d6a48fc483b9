package journal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

var anImage = []byte("an image\nof two lines\x00and a zero")

func checkpointFile(dir string) string { return filepath.Join(dir, campaign+".checkpoint") }

// checkpointed returns a directory with the sample journal, a checkpoint after entry 7, and one entry more.
func checkpointed(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	d := unsynced(tb, dir)
	for i, b := range batches()[:4] {
		mustAppend(tb, d, ends()[i], b...)
	}
	if err := d.Checkpoint(tb.Context(), campaign, 7, anImage); err != nil {
		tb.Fatal(err)
	}
	mustAppend(tb, d, 7, batches()[4]...)
	return dir
}

func TestCheckpoint(t *testing.T) {
	d := open(t, checkpointed(t)) // as a new process
	seq, image, err := d.Latest(t.Context(), campaign)
	if err != nil || seq != 7 || !bytes.Equal(image, anImage) {
		t.Fatalf("entry %d, image %q, %v", seq, image, err)
	}
	var after []int64
	for e, err := range d.Entries(t.Context(), campaign, seq) {
		if err != nil {
			t.Fatal(err)
		}
		after = append(after, e.Seq)
	}
	if len(after) != 1 || after[0] != 8 {
		t.Errorf("entries %v follow the checkpoint, want 8", after)
	}
	mustAppend(t, d, 8, note("later"))
	mustHold(t, d, 9)
	if seq, _, err := d.Latest(t.Context(), campaign); seq != 7 || err != nil {
		t.Errorf("asked again: entry %d, %v", seq, err)
	}
	if err := d.Checkpoint(t.Context(), campaign, 9, []byte("newer")); err != nil {
		t.Fatal(err)
	}
	if seq, image, err := d.Latest(t.Context(), campaign); seq != 9 || string(image) != "newer" || err != nil {
		t.Errorf("entry %d, image %q, %v", seq, image, err)
	}
}

func TestCheckpointIsOfTheLastEntry(t *testing.T) {
	dir := checkpointed(t)
	d := open(t, dir)
	mustHold(t, d, 8)
	for _, seq := range []int64{0, 7, 9} {
		if err := d.Checkpoint(t.Context(), campaign, seq, anImage); !errors.Is(err, migrate.ErrConflict) {
			t.Errorf("checkpoint of entry %d: %v, want a conflict", seq, err)
		}
	}
	if seq, _, err := open(t, dir).Latest(t.Context(), campaign); seq != 7 || err != nil {
		t.Errorf("the old one is gone: entry %d, %v", seq, err)
	}
	if seq, _, err := d.Latest(t.Context(), "no-such-campaign"); seq != 0 || err != nil {
		t.Errorf("a campaign that never started: entry %d, %v", seq, err)
	}
}

// TestCheckpointThatDoesNotFit changes checkpoints and journals: what is not exactly as it was is not used, and the journal is as it is.
func TestCheckpointThatDoesNotFit(t *testing.T) {
	dir := checkpointed(t)
	lines, kept := contents(t, dir), must(os.ReadFile(checkpointFile(dir)))
	refused := func(what string, journalOf, checkpointOf []byte, want string) {
		t.Helper()
		dir := t.TempDir()
		write(t, dir, journalOf)
		if err := os.WriteFile(checkpointFile(dir), checkpointOf, 0o600); err != nil {
			t.Fatal(err)
		}
		d := open(t, dir)
		seq, _, err := d.Latest(t.Context(), campaign)
		if seq != 0 || !errors.Is(err, migrate.ErrDamaged) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: entry %d, %v, want %q", what, seq, err, want)
		}
	}
	for n := range kept {
		refused("torn", lines, kept[:n], "")
		changed := bytes.Clone(kept)
		changed[n] ^= 4
		refused("changed", lines, changed, "")
	}
	refused("longer", lines, append(bytes.Clone(kept), 'x'), "sum")
	refused("older version", lines, journal.SealCheckpoint(0, kept), "version 0")
	refused("later version", lines, journal.SealCheckpoint(2, kept), "version 2")

	other := journal.NewMemory()
	for i := range 9 {
		mustAppend(t, other, i, note("another journal, as long as this one or longer: %090d", i))
	}
	refused("foreign", journal.Bytes(other, campaign), kept, "another journal")
	short := lines[:bytes.LastIndexByte(lines[:len(lines)-1], '\n')+1]
	short = short[:bytes.LastIndexByte(short[:len(short)-1], '\n')+1]
	refused("journal of before", short, kept, "longer")
	refused("journal without entries", nil, kept, "longer")
	end := bytes.LastIndexByte(lines[:len(lines)-1], '\n') + 1
	for n := range end {
		changed := bytes.Clone(lines)
		changed[n] ^= 4
		refused("damaged prefix", changed, kept, "")
	}
}

// TestDamageBeforeACheckpoint is found as ever by reading from the first entry, and by nobody who reads on from the checkpoint.
func TestDamageBeforeACheckpoint(t *testing.T) {
	dir := checkpointed(t)
	lines := contents(t, dir)
	lines[bytes.IndexByte(lines, '\n')+20] ^= 4 // in line 2
	write(t, dir, lines)
	d := open(t, dir)
	if _, _, err := d.Latest(t.Context(), campaign); !errors.Is(err, migrate.ErrDamaged) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want line 2", err)
	}
	if _, err := read(t, d); !errors.Is(err, migrate.ErrDamaged) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want line 2", err)
	}
}

// TestCheckpointOnAFullDisk keeps the old checkpoint and leaves nothing behind; the journal goes on.
func TestCheckpointOnAFullDisk(t *testing.T) {
	dir := checkpointed(t)
	d, disk := openFaulty(t, dir)
	mustHold(t, d, 8)
	disk.write = syscall.ENOSPC
	if err := d.Checkpoint(t.Context(), campaign, 8, anImage); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want %v", err, syscall.ENOSPC)
	}
	disk.write = nil
	if left, err := filepath.Glob(filepath.Join(dir, "*.new")); len(left) > 0 || err != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
	mustAppend(t, d, 8, note("the journal has room"))
	if seq, _, err := d.Latest(t.Context(), campaign); seq != 7 || err != nil {
		t.Errorf("entry %d, %v", seq, err)
	}
}

// FuzzCheckpoint reads what is no checkpoint: it is refused, or it is the one that was written.
func FuzzCheckpoint(f *testing.F) {
	dir := checkpointed(f)
	kept := must(os.ReadFile(checkpointFile(dir)))
	f.Add(kept)
	f.Add(journal.SealCheckpoint(2, kept))
	f.Add([]byte("{}\n"))
	d := open(f, dir)
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(checkpointFile(dir), data, 0o600); err != nil {
			t.Fatal(err)
		}
		switch seq, image, err := d.Latest(t.Context(), campaign); {
		case err != nil:
			if seq != 0 || !errors.Is(err, migrate.ErrDamaged) {
				t.Errorf("entry %d, %v", seq, err)
			}
		case seq != 7 || !bytes.Equal(image, anImage):
			t.Errorf("accepted: entry %d, image %q", seq, image)
		}
	})
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}
