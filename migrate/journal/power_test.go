package journal_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// A disk remembers what is durable of a file, and what a power loss could still take away.
type disk struct {
	durable []byte
	pending []change
	acked   int         // entries
	dies    func() bool // asked before each sync, when most can be lost: whether the process dies
	dead    bool
}

var errDead = errors.New("dead")

// A change is a write, or without data a truncation.
type change struct {
	off  int64
	data []byte
}

type recorded struct {
	journal.File
	disk *disk
}

func (r recorded) WriteAt(p []byte, off int64) (int, error) {
	if r.disk.dead {
		return 0, errDead
	}
	r.disk.pending = append(r.disk.pending, change{off, bytes.Clone(p)})
	return r.File.WriteAt(p, off)
}

func (r recorded) Truncate(size int64) error {
	if r.disk.dead {
		return errDead
	}
	r.disk.pending = append(r.disk.pending, change{off: size})
	return r.File.Truncate(size)
}

func (r recorded) Sync() error {
	info, err := r.Stat()
	if err != nil || info.IsDir() {
		return err
	}
	if r.disk.dead = r.disk.dead || r.disk.dies(); r.disk.dead {
		return errDead
	}
	now := make([]byte, info.Size())
	if _, err := r.ReadAt(now, 0); err != nil && len(now) > 0 {
		return err
	}
	r.disk.durable, r.disk.pending = now, nil
	return nil
}

// lose returns what a power loss leaves: of each change that was not synced nothing, all, or some sectors.
func (d *disk) lose(rng *rand.Rand) []byte {
	left := bytes.Clone(d.durable)
	for _, c := range d.pending {
		switch {
		case rng.IntN(4) == 0:
		case c.data == nil:
			left = left[:c.off]
		default:
			left = c.write(left, rng)
		}
	}
	return left
}

func (c change) write(left []byte, rng *rand.Rand) []byte {
	end := int(c.off) + len(c.data)
	if rng.IntN(2) == 0 {
		end = int(c.off) + rng.IntN(len(c.data)+1) // the file's new size came too early
	}
	if grow := end - len(left); grow > 0 {
		left = append(left, make([]byte, grow)...)
	}
	for from := int(c.off); from < end; {
		to := min(end, (from/512+1)*512)
		if rng.IntN(3) > 0 {
			copy(left[from:to], c.data[from-int(c.off):])
		}
		from = to
	}
	return left
}

// TestPowerLoss runs campaigns whose process is killed, or whose machine loses power, before any sync, again
// and again: what was acknowledged is there, what was not is there as a whole or not at all, and the campaign
// goes on.
func TestPowerLoss(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for range 20 {
		dir := t.TempDir()
		write(t, dir, nil)
		disk := &disk{}
		for range 10 {
			live(t, dir, disk, rng)
			if rng.IntN(3) == 0 {
				continue // killed: nothing is lost yet
			}
			left := disk.lose(rng)
			write(t, dir, left)
			disk.durable, disk.pending = left, nil
		}
	}
}

// live appends until the process dies.
func live(t *testing.T, dir string, disk *disk, rng *rand.Rand) {
	d := open(t, dir)
	disk.dead = false
	disk.dies = func() bool {
		lost := disk.lose(rng)
		sum, err := journal.Verify(bytes.NewReader(lost))
		if err != nil || int(sum.Entries) < disk.acked {
			t.Fatalf("%d entries of %d are left: %v", sum.Entries, disk.acked, err)
		}
		return rng.IntN(5) == 0
	}
	journal.Wrap(d, func(f journal.File) journal.File { return recorded{f, disk} })
	all, err := read(t, d)
	if err != nil {
		t.Fatal(err)
	}
	for after := len(all); ; after = disk.acked {
		batch := make([]migrate.Entry, 1+rng.IntN(4))
		for i := range batch {
			batch[i] = note("%s", bytes.Repeat([]byte("x"), rng.IntN(1500)))
		}
		err := d.Append(t.Context(), campaign, int64(after), batch...)
		if errors.Is(err, errDead) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		disk.acked = after + len(batch)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
