package carry_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/carry"
	"github.com/iotferry/iotferry/configdiff"
	"github.com/iotferry/iotferry/iot"
)

func records() []carry.Record {
	return []carry.Record{
		{Group: &iot.DeviceGroup{ID: "g", Name: "site_1", Parent: "p"}},
		{Device: &configdiff.DeviceConfig{Device: id(1), Labels: map[string]string{"a": "b\n\u2028<"}, Groups: []string{"site_1"}, Desired: []byte(`{"on":true}`)}},
		{Kept: "a1Direct001"},
		{Carried: &carry.Progress{Name: "spring/a1Direct001", Devices: 7}},
	}
}

func openFile(t *testing.T, path string) *carry.File {
	t.Helper()
	f, err := carry.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func all(t *testing.T, store carry.Store) (out []carry.Record) {
	t.Helper()
	for r, err := range store.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func closed(t *testing.T, f *carry.File) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A file cut at any byte comes back with the whole lines before the cut, and goes on from there.
func TestFileCutAnywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kept.jsonl")
	f := openFile(t, path)
	if err := f.Save(t.Context(), records()...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(records(), all(t, f)); diff != "" {
		t.Errorf("-saved +read:\n%s", diff)
	}
	closed(t, f)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		f := openFile(t, path)
		n := strings.Count(string(whole[:cut]), "\n")
		if err := f.Save(t.Context(), carry.Record{Kept: "more"}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(append(records()[:n:n], carry.Record{Kept: "more"}), all(t, f)); diff != "" {
			t.Errorf("cut at %d (-want +got):\n%s", cut, diff)
		}
		closed(t, f)
	}
}

// What no crash explains is refused with its line.
func TestFileDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kept.jsonl")
	if err := os.WriteFile(path, []byte("{\"kept\":\"a\"}\nrubbish\n{\"kept\":\"b\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := carry.Open(path); !errors.Is(err, iot.Invalid) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want it to name line 2", err)
	}
	if _, err := carry.Open(t.TempDir()); err == nil {
		t.Error("a folder is no error")
	}
}

// With a done context nothing is written; after an error nothing is.
func TestFileEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kept.jsonl")
	f := openFile(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, store := range []carry.Store{f, &carry.Memory{}} {
		if err := store.Save(ctx, records()...); !errors.Is(err, context.Canceled) {
			t.Errorf("Save: %v", err)
		}
		if got := all(t, store); len(got) > 0 {
			t.Errorf("saved: %v", got)
		}
	}
	if err := f.Save(t.Context(), records()...); err != nil {
		t.Fatal(err)
	}
	for _, err := range f.Records(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Records: %v", err)
		}
	}
	closed(t, f)
	first := f.Save(t.Context(), carry.Record{Kept: "x"})
	if second := f.Save(t.Context(), carry.Record{Kept: "x"}); first == nil || !errors.Is(second, first) {
		t.Errorf("Save to a closed file: %v, then %v", first, second)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file can be read by others: %v, %v", info.Mode(), err)
	}
}

// What could not be read again is not written, and the file stays as it is.
func TestFileRefusesWhatItCannotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kept.jsonl")
	f := openFile(t, path)
	long := carry.Record{Device: &configdiff.DeviceConfig{Labels: map[string]string{"a": strings.Repeat("x", 1<<20)}}}
	if err := f.Save(t.Context(), carry.Record{Kept: "a"}, long); !errors.Is(err, iot.Invalid) {
		t.Errorf("got %v", err)
	}
	if err := f.Save(t.Context(), carry.Record{Kept: "b"}); err != nil {
		t.Error(err)
	}
	closed(t, f)
	f = openFile(t, path)
	defer closed(t, f)
	if diff := cmp.Diff([]carry.Record{{Kept: "b"}}, all(t, f)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
