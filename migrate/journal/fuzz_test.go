package journal_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

// FuzzEntries reads hostile and torn files, also with sums that fit. What is accepted can be written and read again.
func FuzzEntries(f *testing.F) {
	data, err := os.ReadFile(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, false)
	f.Add(data[:len(data)-7], false)
	f.Add(append(bytes.Clone(data), make([]byte, 600)...), false)
	f.Add(bytes.Replace(data, []byte("gray"), []byte("grey"), 1), false)
	f.Add(data, true)
	f.Add([]byte(`{"seq":1,"batch":[1,2]}`+"\n"+`{"seq":2,"batch":[1,2],"names":{"a1Gateway01":["gate-1"]}}`), true)
	f.Add([]byte(`{"seq":1,"at":"2024-05-06T07:08:09+08:00","names":{}}`), true)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal {
			data = journal.Seal(string(data))
		}
		sum, err := journal.Verify(bytes.NewReader(data))
		if err != nil && !errors.Is(err, migrate.ErrDamaged) {
			t.Fatalf("an error of another kind: %v", err)
		}
		if err == nil && sum.Bytes+sum.Torn != int64(len(data)) {
			t.Fatalf("%d bytes are whole and %d torn, of %d", sum.Bytes, sum.Torn, len(data))
		}
		whole := journal.Load(data[:sum.Bytes])
		first, err := read(t, whole)
		if err != nil || int64(len(first)) != sum.Entries {
			t.Fatalf("read %d entries of %d: %v", len(first), sum.Entries, err)
		}
		m := journal.NewMemory()
		for i, e := range first {
			if err := m.Append(t.Context(), campaign, int64(i), e); err != nil && !errors.Is(err, migrate.ErrFenced) {
				t.Fatal(err)
			} else if err != nil {
				return
			}
		}
		second, err := read(t, m)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("accepted entries change when they are written again (-first +second):\n%s", diff)
		}
	})
}

// FuzzChanged changes a part of a whole journal: nothing changed is accepted, and nothing before it lost.
func FuzzChanged(f *testing.F) {
	data, err := os.ReadFile(golden)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint(100), []byte("x"))
	f.Add(uint(1024), make([]byte, 512))
	f.Fuzz(func(t *testing.T, off uint, part []byte) {
		off %= uint(len(data))
		changed := bytes.Clone(data)
		copy(changed[off:], part)
		sum, err := journal.Verify(bytes.NewReader(changed))
		if !bytes.Equal(changed[:sum.Bytes], data[:sum.Bytes]) {
			t.Errorf("accepted %d bytes, which were changed at %d", sum.Bytes, off)
		}
		if line := bytes.LastIndexByte(data[:off], '\n') + 1; err == nil && sum.Torn == 0 && !bytes.Equal(changed, data) {
			t.Errorf("a change in the line at byte %d was not noticed", line)
		}
	})
}
