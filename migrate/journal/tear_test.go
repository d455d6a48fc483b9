package journal_test

import (
	"bytes"
	"testing"

	"github.com/iotferry/iotferry/migrate/journal"
)

// TestTear ends the last append of a journal in memory at every byte. It is not there then, and another comes in its place,
// as in a file.
func TestTear(t *testing.T) {
	before, all := batches()[:4], ends()
	size := -1
	for keep := 0; size < 0 || keep <= size; keep++ {
		m := journal.NewMemory()
		m.Tear(campaign, func([]byte) int { t.Error("asked about an append that never was"); return 0 })
		for i, b := range before {
			mustAppend(t, m, all[i], b...)
		}
		whole := journal.Bytes(m, campaign)
		m.Tear(campaign, func(lines []byte) int {
			if size = len(lines); bytes.Count(lines, []byte("\n")) != len(before[3]) {
				t.Fatalf("asked about %q", lines)
			}
			return keep
		})
		want := all[3]
		if keep == size {
			want = all[4]
		}
		mustHold(t, m, want)
		mustAppend(t, m, want, note("goes on"), note("goes on"))
		mustHold(t, m, want+2)
		if kept := len(whole) - size; !bytes.Equal(journal.Bytes(m, campaign)[:kept], whole[:kept]) {
			t.Fatalf("torn after %d bytes: what was whole was changed", keep)
		}
	}
}

// TestLongTornTail appends less than a crash has left of the append before: nothing of that may stay behind.
func TestLongTornTail(t *testing.T) {
	dir := t.TempDir()
	whole := small(t)
	m := journal.NewMemory()
	mustAppend(t, m, 0, note("%02000d", 7))
	long := journal.Bytes(m, campaign)
	write(t, dir, append(bytes.Clone(whole), long[:len(long)-1]...))
	d := unsynced(t, dir)
	mustAppend(t, d, 8, note("short"))
	mustHold(t, unsynced(t, dir), 9)
	if got := contents(t, dir); len(got) > len(whole)+500 || !bytes.HasPrefix(got, whole) {
		t.Errorf("%d bytes were %d before the short append", len(got), len(whole))
	}
}
