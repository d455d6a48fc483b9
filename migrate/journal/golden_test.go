package journal_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iotferry/iotferry/iot"
	"github.com/iotferry/iotferry/migrate"
	"github.com/iotferry/iotferry/migrate/journal"
)

var update = flag.Bool("update", false, "write the golden journal anew: only with a new migrate.JournalVersion")

const golden = "testdata/v1.jsonl"

// TestGolden replays a journal that was written when the format was made. It must stay readable for as long
// as its version is.
func TestGolden(t *testing.T) {
	if *update {
		if err := os.WriteFile(golden, sample(t), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, data)
	got, err := read(t, open(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(batches()...)
	for i := range want {
		want[i].Seq = int64(i + 1)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("golden entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(string(data), string(sample(t))); diff != "" {
		t.Errorf("the same entries are written differently now (-want +got):\n%s", diff)
	}
}

func TestVerify(t *testing.T) {
	data, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	half := data[:len(data)-10]
	whole := bytes.LastIndexByte(half, '\n') + 1
	for _, c := range []struct {
		name string
		data []byte
		want journal.Summary
	}{
		{"empty", nil, journal.Summary{}},
		{"whole", data, journal.Summary{Entries: 8, Bytes: int64(len(data)), Fence: 1, Sum: lastSum(data)}},
		{"torn", half, journal.Summary{Entries: 7, Bytes: int64(whole), Torn: int64(len(half) - whole), Fence: 1, Sum: lastSum(data[:whole])}},
	} {
		got, err := journal.Verify(bytes.NewReader(c.data))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func lastSum(data []byte) string {
	_, sum, _ := strings.Cut(string(data[bytes.LastIndex(data, []byte(`,"sum"`)):]), `:"`)
	return sum[:32]
}

// TestReservedFields keeps entries from getting a field that the journal's own fields would hide.
func TestReservedFields(t *testing.T) {
	for f := range reflect.TypeFor[migrate.Entry]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if strings.EqualFold(name, "sum") || strings.EqualFold(name, "batch") {
			t.Errorf("field %s of an entry has the journal's own name %q", f.Name, name)
		}
	}
}

// TestUnreadableDevices refuses, in every field, devices that could not be read again.
func TestUnreadableDevices(t *testing.T) {
	for f := range reflect.TypeFor[migrate.Entry]().Fields() {
		if f.Type != reflect.TypeFor[migrate.DeviceSet]() {
			continue
		}
		e := note("x")
		reflect.ValueOf(&e).Elem().FieldByIndex(f.Index).Set(reflect.ValueOf(migrate.DeviceSet{{ProductKey: "a1Gateway01"}}))
		if err := journal.NewMemory().Append(t.Context(), campaign, 0, e); !errors.Is(err, iot.Invalid) {
			t.Errorf("a device without a name in %s: got %v, want %v", f.Name, err, iot.Invalid)
		}
	}
}
