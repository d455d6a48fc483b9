package carry_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/carry"
	"github.com/iotferry/iotferry/iot"
)

// Whatever is in a file, it is refused, or read alike each time and written on.
func FuzzFile(f *testing.F) {
	f.Add([]byte("{\"kept\":\"a1Direct001\"}\n{\"device\":{\"device\":{\"productKey\":\"a\",\"deviceName\":\"b\"},\"labels\":{\"c\":\"d\"}}}\n{\"gro"))
	f.Add([]byte("null\n\n{}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "kept.jsonl")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := carry.Open(path)
		if err != nil {
			if !errors.Is(err, iot.Invalid) {
				t.Errorf("refused by %v", err)
			}
			return
		}
		before := all(t, file)
		if err := file.Save(t.Context(), records()...); err != nil {
			t.Fatal(err)
		}
		closed(t, file)
		file = openFile(t, path)
		if diff := cmp.Diff(append(before, records()...), all(t, file)); diff != "" {
			t.Errorf("-before +after:\n%s", diff)
		}
		closed(t, file)
	})
}
